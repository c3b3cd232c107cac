/* targets.c - the outputs that a person means */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "targets.h"

struct search {
	struct ctx *c;
	struct targets *out;
	const char *below;              /* a folder */
	struct err err;
};

static int take(struct search *s, const char *path, const struct ref_record *r, struct err *e)
{
	struct ctx *c = s->c;
	struct target t = { .path = arena_str(&c->arena, path), .ph.thunk = r->thunk,
			    .ph.out = arena_str(&c->arena, r->out) };

	if (place_look(c->store, &c->project, path, r, &t.now, e) < 0)
		return -1;
	if (t.now == NOW_OTHER_PLACEHOLDER &&
	    placeholder_at(c->project.root_fd, path, &c->arena, &t.ph, e) < 0)
		return -1;
	if (s->out->n == s->out->room) {
		s->out->room = s->out->room ? 2 * s->out->room : 64;
		s->out->v = mem_grow(s->out->v, s->out->room * sizeof *s->out->v);
	}
	s->out->v[s->out->n++] = t;
	return 0;
}

static int take_below(void *arg, const char *path, const struct ref_record *r)
{
	struct search *s = arg;

	return path_is_below(s->below, path) ? take(s, path, r, &s->err) : 0;
}

static int find_below(struct search *s, const char *folder, struct err *e)
{
	s->below = folder;
	if (ref_each(s->c->store, take_below, s, e) < 0)
		return -1;
	if (s->err.code)
		*e = s->err;
	return s->err.code ? -1 : 0;
}

static int find_one(struct search *s, const char *word, struct err *e)
{
	struct ctx *c = s->c;
	bool inside;
	const char *path = project_path(&c->project, &c->arena, c->cwd, word, &inside);
	size_t before = s->out->n;
	struct ref_record r;
	struct placeholder ph;
	int rc;

	if (!inside)
		return err_set(e, ERR_USAGE, "%s is outside the project %s", word,
			       c->project.root);
	if (ref_get(c->store, path, &c->arena, &r, e) == 0)
		return take(s, path, &r, e);
	if (e->code != ERR_MISSING)
		return -1;
	rc = placeholder_at(c->project.root_fd, path, &c->arena, &ph, e);
	if (rc < 0)
		return -1;
	if (rc) {
		r = (struct ref_record){ .thunk = ph.thunk, .out = ph.out };
		return take(s, path, &r, e);
	}
	if (find_below(s, path, e) < 0)
		return -1;
	return s->out->n > before ? 0 :
		err_set(e, ERR_USAGE, "%s is no output that gg knows, and holds none; "
			"see gg status", word);
}

int targets_find(struct ctx *c, int argc, char **argv, struct targets *out, struct err *e)
{
	struct search s = { .c = c, .out = out };

	for (int i = 0; i < argc; i++)
		if (find_one(&s, argv[i], e) < 0)
			return -1;
	return argc ? 0 : find_below(&s, ".", e);
}

struct scope {
	struct ctx *c;
	struct strs words, *out;        /* words: as paths of the project */
};

static int add_meant(void *arg, const char *path, const struct ref_record *r)
{
	struct scope *s = arg;
	bool is_meant = s->words.n == 0;

	(void)r;
	for (size_t i = 0; i < s->words.n && !is_meant; i++)
		is_meant = path_is_below(s->words.v[i], path);
	if (is_meant)
		strs_add(s->out, arena_str(&s->c->arena, path));
	return 0;
}

static bool holds_output(const struct scope *s, const char *path)
{
	for (size_t i = 0; i < s->out->n; i++)
		if (path_is_below(path, s->out->v[i]))
			return true;
	return false;
}

int outputs_find(struct ctx *c, int argc, char **argv, struct strs *out, struct err *e)
{
	struct scope s = { .c = c, .out = out };
	int rc = 0;

	for (int i = 0; i < argc && rc == 0; i++) {
		bool inside;

		strs_add(&s.words, project_path(&c->project, &c->arena, c->cwd, argv[i], &inside));
		if (!inside)
			rc = err_set(e, ERR_USAGE, "%s is outside the project %s", argv[i],
				     c->project.root);
	}
	if (rc == 0)
		rc = ref_each(c->store, add_meant, &s, e);
	strs_sort(out);
	for (int i = 0; i < argc && rc == 0; i++)
		if (!holds_output(&s, s.words.v[i]) &&
		    faccessat(c->project.root_fd, s.words.v[i], F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			rc = err_set(e, ERR_USAGE, "%s is not there, and no output that gg "
				     "knows; gg status lists those", argv[i]);
	strs_release(&s.words);
	return rc;
}
