/* cmd_status.c - gg status: how each output stands
 *
 * An output is stale when what its thunk was made of is not what is in the
 * project now, or when it depends on an output that is stale.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "gg.h"
#include "shown.h"
#include "targets.h"

enum { STALE = NOW_LEFT + 1 };

struct status {
	struct ctx *c;
	struct map stale;               /* thunk id -> struct verdict */
	struct strs paths;
	json_t *list;
	size_t n[STALE + 1];
};

struct verdict {
	const char *because;            /* NULL: fresh */
};

static const char *why_stale(struct status *s, const struct id *thunk);

static bool has_changed(struct status *s, const struct input *in)
{
	struct ctx *c = s->c;
	bool inside = in->path[0] != '/';
	int dirfd = inside ? c->project.root_fd : AT_FDCWD;
	struct id now;
	struct err e;
	int rc = in->ref.kind == REF_TREE ?
		 stat_tree(c->store, dirfd, in->path, 0, inside ? PROJECT_DIR : NULL,
			   &now, &e) :
		 stat_name(c->store, dirfd, in->path, 0, &now, NULL, &e);

	return rc < 0 || !id_equal(&now, &in->ref.id);
}

static const char *judge(struct status *s, const struct id *thunk)
{
	struct arena *a = &s->c->arena;
	struct bytes text;
	struct thunk t;
	struct err e;

	if (store_get(s->c->store, thunk, a, &text, &e) < 0 ||
	    thunk_decode(text, a, &t, &e) < 0)
		return "its thunk is gone";
	for (size_t i = 0; i < t.n_in; i++) {
		const char *because;

		if (t.in[i].ref.kind == REF_THUNK) {
			because = why_stale(s, &t.in[i].ref.id);
			if (because)
				return because;
		} else if (!thunk_output(&t, t.in[i].path) && has_changed(s, &t.in[i])) {
			return arena_printf(a, "%s has changed", t.in[i].path);
		}
	}
	return NULL;
}

static const char *why_stale(struct status *s, const struct id *thunk)
{
	struct verdict *v = map_get(&s->stale, id_key(thunk));
	struct id *key;

	if (v)
		return v->because;
	v = arena_alloc(&s->c->arena, sizeof *v);
	key = arena_alloc(&s->c->arena, sizeof *key);
	*key = *thunk;
	*map_at(&s->stale, id_key(key)) = v;
	v->because = judge(s, thunk);
	return v->because;
}

static const char *state_name(enum place_now now)
{
	switch (now) {
	case NOW_ABSENT: return "missing";
	case NOW_PLACEHOLDER: return "placeholder";
	case NOW_OTHER_PLACEHOLDER: return "placeholder";
	case NOW_REAL: return "real";
	case NOW_EDITED: return "edited";
	case NOW_LEFT: return "failed";
	}
	return "?";
}

static int print_one(struct status *s, const char *path, struct err *e)
{
	struct ctx *c = s->c;
	struct ref_record r;
	enum place_now now;
	const char *because, *name;

	if (ref_get(c->store, path, &c->arena, &r, e) < 0 ||
	    place_look(c->store, &c->project, path, &r, &now, e) < 0)
		return -1;
	because = now == NOW_REAL || now == NOW_PLACEHOLDER ?
		  why_stale(s, &r.thunk) : NULL;
	name = state_name(now);
	if (c->o.json)
		json_array_append_new(s->list, json_pack("{s:o s:s s:b s:s s:o}", "path",
					json_name(path), "state", name, "stale",
					because != NULL, "thunk", id_hex(&r.thunk).s,
					"because",
					because ? json_name(because) : json_null()));
	else
		printf("%-12s%s%s%s%s\n", because ? "stale" : name,
		       shown(&c->arena, path), because ? "  (" : "",
		       because ? shown(&c->arena, because) : "", because ? ")" : "");
	s->n[because ? STALE : now]++;
	return 0;
}

int cmd_status(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct status s = { .c = c, .list = json_array() };
	int rc = outputs_find(c, argc, argv, &s.paths, e);

	for (size_t i = 0; i < s.paths.n && rc == 0; i++)
		rc = print_one(&s, s.paths.v[i], e);
	if (rc == 0 && c->o.json) {
		json_dumpf(s.list, stdout, JSON_INDENT(1));
		putchar('\n');
	} else if (rc == 0) {
		printf("%zu real, %zu placeholder, %zu stale, %zu edited, %zu missing",
		       s.n[NOW_REAL], s.n[NOW_PLACEHOLDER] + s.n[NOW_OTHER_PLACEHOLDER],
		       s.n[STALE], s.n[NOW_EDITED], s.n[NOW_ABSENT]);
		if (s.n[NOW_LEFT])
			printf(", %zu failed", s.n[NOW_LEFT]);
		putchar('\n');
	}
	json_decref(s.list);
	map_release(&s.stale);
	strs_release(&s.paths);
	return rc < 0 ? -1 : EXIT_FINE;
}
