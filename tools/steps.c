/* steps.c - the outputs that a person means, and the steps behind them */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "file.h"
#include "steps.h"

/* ---- targets */

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
		err_set(e, ERR_USAGE, "%s is no output of a thunk, and none is in it", word);
}

int targets_find(struct ctx *c, int argc, char **argv, struct targets *out, struct err *e)
{
	struct search s = { .c = c, .out = out };

	for (int i = 0; i < argc; i++)
		if (find_one(&s, argv[i], e) < 0)
			return -1;
	return argc ? 0 : find_below(&s, ".", e);
}

/* ---- steps */

static void add(struct steps *s, const struct id *thunk)
{
	struct step *p;

	if (map_get(&s->seen, id_key(thunk)))
		return;
	p = arena_alloc(&s->arena, sizeof *p);
	p->id = *thunk;
	*map_at(&s->seen, id_key(&p->id)) = p;
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 256;
		s->v = mem_grow(s->v, s->room * sizeof *s->v);
	}
	s->v[s->n++] = p;
}

void steps_add(struct steps *s, struct store *store, const struct id *thunk)
{
	size_t next = s->n;

	add(s, thunk);
	for (; next < s->n; next++) {
		struct arena a = { 0 };
		struct bytes text;
		struct thunk t;
		struct err e;

		if (store_get(store, &s->v[next]->id, &a, &text, &e) == 0 &&
		    thunk_decode(text, &a, &t, &e) == 0)
			for (size_t i = 0; i < t.n_in; i++)
				if (t.in[i].ref.kind == REF_THUNK)
					add(s, &t.in[i].ref.id);
		arena_release(&a);
	}
}

void steps_release(struct steps *s)
{
	free(s->v);
	map_release(&s->seen);
	arena_release(&s->arena);
}

static bool put_value(struct store *store, struct arena *a, struct ref *ref)
{
	struct result r;
	const struct ref *value;
	struct err e;

	if (ref->kind != REF_THUNK)
		return true;
	if (store_get_result(store, &ref->id, a, &r, &e) < 0)
		return false;
	value = result_output(&r, ref->out);
	if (!value || value->kind == REF_THUNK)
		return false;
	*ref = *value;
	return true;
}

bool step_reduce(struct store *store, struct step *p)
{
	struct arena a = { 0 };
	struct buf b = { 0 };
	struct bytes text;
	struct thunk t;
	struct err e;
	bool is_fine;

	if (!id_is_zero(&p->reduced))
		return true;
	is_fine = store_get(store, &p->id, &a, &text, &e) == 0 &&
		thunk_decode(text, &a, &t, &e) == 0;
	for (size_t i = 0; is_fine && i < t.n_in; i++)
		is_fine = put_value(store, &a, &t.in[i].ref);
	is_fine = is_fine && thunk_encode(&t, &b, &e) == 0;
	if (is_fine)
		p->reduced = id_of(buf_bytes(&b));
	buf_release(&b);
	arena_release(&a);
	return is_fine;
}
