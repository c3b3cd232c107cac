/* cmd_force.c - gg force: targets become wants */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "file.h"
#include "gg.h"
#include "plan.h"

struct force {
	struct drive d;
	const char *below;              /* refs below this folder are meant */
	size_t n_found, n_edited;
	struct strs paths;
	struct plan_wants plan;         /* of a dry run */
};

static void say_edited(struct force *f, const char *path)
{
	note("%s was written by somebody else since gg made it: left alone "
	     "(remove it to have gg's back)", path);
	f->n_edited++;
}

static int want(struct force *f, const char *path, const struct placeholder *ph,
		struct err *e)
{
	f->n_found++;
	if (f->d.c->o.dry_run) {
		plan_add(&f->plan, &ph->thunk, arena_str(&f->d.c->arena, ph->out), false);
		if (!f->d.c->o.json)
			printf("%s\n", path);
		return 0;
	}
	return drive_want(&f->d, &(struct memo_want){ path, *ph }, e);
}

/* What is to be done for the output at path that r speaks of.  With is_named
 * the person asked for just this one. */
static int force_ref(struct force *f, const char *path, const struct ref_record *r,
		     bool is_named, struct err *e)
{
	struct ctx *c = f->d.c;
	struct placeholder ph = { .thunk = r->thunk, .out = r->out };
	enum place_now now;

	if (place_look(c->store, &c->project, path, r, &now, e) < 0)
		return -1;
	switch (now) {
	case NOW_REAL:
		f->n_found++;
		if (!drive_may_want(&f->d, path, &ph))
			return 0;
		drive_saw(&f->d, &r->thunk);
		if (c->o.dry_run)
			plan_add(&f->plan, &r->thunk, arena_str(&c->arena, r->out), true);
		return 0;
	case NOW_EDITED:
		if (is_named)
			say_edited(f, path);
		return 0;
	case NOW_ABSENT:
	case NOW_LEFT:
		return is_named ? want(f, path, &ph, e) : 0;
	case NOW_PLACEHOLDER:
		return want(f, path, &ph, e);
	case NOW_OTHER_PLACEHOLDER:
		if (placeholder_at(c->project.root_fd, path, &c->arena, &ph, e) < 0)
			return -1;
		return want(f, path, &ph, e);
	}
	return 0;
}

static int list_below(void *arg, const char *path, const struct ref_record *r)
{
	struct force *f = arg;

	(void)r;
	if (path_is_below(f->below, path))
		strs_add(&f->paths, arena_str(&f->d.c->arena, path));
	return 0;
}

static int force_below(struct force *f, const char *dir, struct err *e)
{
	struct ref_record r;
	int rc;

	f->below = dir;
	f->paths.n = 0;
	rc = ref_each(f->d.c->store, list_below, f, e);
	strs_sort(&f->paths);
	for (size_t i = 0; rc == 0 && i < f->paths.n; i++) {
		rc = ref_get(f->d.c->store, f->paths.v[i], &f->d.c->arena, &r, e);
		if (rc == 0)
			rc = force_ref(f, f->paths.v[i], &r, false, e);
	}
	return rc;
}

static int force_path(struct force *f, const char *word, struct err *e)
{
	struct ctx *c = f->d.c;
	struct ref_record r;
	struct placeholder ph;
	struct stat st;
	bool inside;
	const char *path = project_path(&c->project, &c->arena, c->cwd, word, &inside);
	size_t before = f->n_found;
	int rc;

	if (!inside)
		return err_set(e, ERR_USAGE, "%s is outside the project %s", word,
			       c->project.root);
	if (ref_get(c->store, path, &c->arena, &r, e) == 0)
		return force_ref(f, path, &r, true, e);
	if (e->code != ERR_MISSING)
		return -1;
	rc = placeholder_at(c->project.root_fd, path, &c->arena, &ph, e);
	if (rc)
		return rc < 0 ? -1 : want(f, path, &ph, e);
	if (fstatat(c->project.root_fd, path, &st, 0) < 0)
		return err_set(e, ERR_USAGE, "%s is not there, and no thunk makes it: "
			       "run gg infer on the script that does", word);
	if (!S_ISDIR(st.st_mode)) {
		note("%s is a file of yours: nothing to be done for it", word);
		return 0;
	}
	rc = force_below(f, path, e);
	if (rc == 0 && f->n_found == before)
		note("no output of a thunk is in %s", word);
	return rc;
}

int cmd_force(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct force f = { 0 };
	int rc = 0, code;

	c->o.events = true;
	drive_begin(&f.d, c);
	for (int i = 0; i < argc && rc == 0; i++)
		rc = force_path(&f, argv[i], e);
	if (!argc)
		rc = force_below(&f, ".", e);
	if (rc < 0)
		exec_stop(c->exec, 0);
	drive_finish(&f.d);
	strs_release(&f.paths);
	if (c->o.dry_run && rc == 0)
		return plan_say(c, &f.plan, e);
	code = rc < 0 ? 0 : drive_end(&f.d);
	return rc < 0 ? -1 : code ? code : f.n_edited ? EXIT_THUNK : EXIT_FINE;
}
