/* cmd_why.c - gg why: what changed since the last result for a path, and what a
 * path without a result waits for
 *
 * The thunk that stands there is held against the one whose result stood
 * there before.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include "gg.h"
#include "shown.h"
#include "thunk_diff.h"
#include "waits.h"

struct why {
	struct ctx *c;
	struct thunk_diff diff;
	json_t *list;
};

static void say(struct why *w, const char *key, const char *where, const char *what)
{
	if (w->c->o.json)
		json_array_append_new(w->list, json_pack("{s:o s:o}", "output",
							 json_name(where), key,
							 json_name(what)));
	else
		printf("%s: %s\n", shown(&w->c->arena, where), shown(&w->c->arena, what));
}

/* A change further up also says which step it is of. */
static void tell_change(void *arg, const char *where, const char *what)
{
	struct why *w = arg;

	if (w->diff.depth > 1)
		what = arena_printf(&w->c->arena, "%s (%s, %u step%s before)", what,
				    w->diff.label, w->diff.depth - 1,
				    w->diff.depth == 2 ? "" : "s");
	say(w, "change", where, what);
}

static void tell_wait(void *arg, const char *where, const char *what)
{
	say(arg, "waits", where, what);
}

static int why_unmade(struct why *w, const struct named *n, struct err *e)
{
	struct waits waits = { .c = w->c, .tell = tell_wait, .arg = w };

	return waits_tell(&waits, n->path, &n->id, e);
}

/* is_made: something must be said, even if it is that nothing changed. */
static int why_changed(struct why *w, const struct named *n, bool is_made, struct err *e)
{
	struct id old;

	if (ref_previous(w->c->store, n->path, &old, e) < 0) {
		if (e->code != ERR_MISSING)
			return -1;
		if (is_made)
			say(w, "change", n->path, "nothing has changed since it was first made");
		return 0;
	}
	if (map_get(&w->diff.told, id_key(&n->id))) {
		say(w, "change", n->path, "it follows from what is said above");
		return 0;
	}
	w->diff.n_told = 0;
	if (thunk_diff(&w->diff, &old, &n->id, n->path, e) < 0)
		return -1;
	if (!w->diff.n_told && is_made)
		say(w, "change", n->path, "nothing has changed");
	return 0;
}

/* A step that failed leaves no placeholder, and perhaps a part of its output. */
static bool is_unmade(struct why *w, const struct named *n)
{
	struct ctx *c = w->c;
	struct observation o;
	struct result r;
	struct stat st;
	struct err e;

	if (fstatat(c->project.root_fd, n->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return true;
	return store_get_result(c->store, &n->id, &c->arena, &r, &e) < 0 &&
	       observation_get(c->store, &n->id, &o, &e) == 0 && o.status != RUN_OK;
}

static int why_one(struct why *w, const char *word, struct err *e)
{
	struct ctx *c = w->c;
	struct placeholder ph;
	struct named n;
	bool is_made;
	int rc;

	if (name_find(c, word, &n, e) < 0)
		return -1;
	if (!n.path)
		return err_set(e, ERR_USAGE, "%s is a name; gg why takes the path of an output",
			       word);
	rc = placeholder_at(c->project.root_fd, n.path, &c->arena, &ph, e);
	if (rc < 0 && e->code != ERR_BAD)
		return -1;
	is_made = rc <= 0 && !is_unmade(w, &n);
	if (!is_made && why_unmade(w, &n, e) < 0)
		return -1;
	return why_changed(w, &n, is_made, e);
}

int cmd_why(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct why w = { .c = c, .list = json_array() };
	int rc = 0;

	w.diff = (struct thunk_diff){ .store = c->store, .arena = &c->arena, .tell = tell_change,
				      .arg = &w };
	for (int i = 0; i < argc && rc == 0; i++)
		rc = why_one(&w, argv[i], e);
	if (rc == 0 && c->o.json) {
		json_dumpf(w.list, stdout, JSON_INDENT(1));
		putchar('\n');
	}
	json_decref(w.list);
	map_release(&w.diff.told);
	return rc < 0 ? -1 : EXIT_FINE;
}
