/* steps.c - the steps behind outputs */
#include <stdlib.h>
#include "steps.h"

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
