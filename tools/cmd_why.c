/* cmd_why.c - gg why: what changed since the last result for a path
 *
 * The thunk that stands there is held against the one whose result stood
 * there before.
 */
#include "gg.h"
#include "shown.h"
#include "thunk_diff.h"

struct why {
	struct ctx *c;
	struct thunk_diff diff;
	json_t *list;
};

static void tell(void *arg, const char *where, const char *what)
{
	struct why *w = arg;

	if (w->c->o.json)
		json_array_append_new(w->list, json_pack("{s:o s:o}", "output",
							 json_name(where), "change",
							 json_name(what)));
	else
		printf("%s: %s\n", shown(&w->c->arena, where), shown(&w->c->arena, what));
}

static int why_one(struct why *w, const char *word, struct err *e)
{
	struct ctx *c = w->c;
	struct named n;
	struct id old;
	struct result r;

	if (name_find(c, word, &n, e) < 0)
		return -1;
	if (!n.path)
		return err_set(e, ERR_USAGE, "%s is a name; gg why takes the path of an output",
			       word);
	if (ref_previous(c->store, n.path, &old, e) < 0) {
		if (e->code != ERR_MISSING)
			return -1;
		tell(w, n.path, store_get_result(c->store, &n.id, &c->arena, &r, e) == 0 ?
		     "nothing has changed since it was first made" :
		     "there is no earlier result for it");
		return 0;
	}
	w->diff.n_told = 0;
	if (thunk_diff(&w->diff, &old, &n.id, n.path, e) < 0)
		return -1;
	if (!w->diff.n_told)
		tell(w, n.path, "nothing has changed");
	return 0;
}

int cmd_why(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct why w = { .c = c, .list = json_array() };
	int rc = 0;

	w.diff = (struct thunk_diff){ .store = c->store, .arena = &c->arena, .tell = tell,
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
