/* pool_holds.c - which worker holds which large objects
 *
 * It steers where steps go and nothing else: what is said here may be wrong.
 * Small objects travel with each request and are not counted.
 */
#include "pool_private.h"

#include <stdlib.h>
#include <string.h>

enum {
	HOLDERS_MAX = 256,              /* known of one object: enough to choose from */
	HELD_MAX = 1 << 20,             /* remembered in all */
	PEER_HELD_MAX = 1 << 16,
	ENTRIES_MAX = 256,              /* of trees that are an input */
	DEPTH_MAX = 8,
	LOOKS_MAX = 64,
};

/* The large files of a tree. */
struct pool_tree {
	struct id id;
	struct pool_want *v;
	size_t n;
};

static void listed_add(struct pool_object *ob, struct pool_peer *w)
{
	if (ob->n == HOLDERS_MAX)
		return;
	if (ob->n == ob->room) {
		ob->room = ob->room ? 2 * ob->room : 4;
		ob->v = mem_grow(ob->v, ob->room * sizeof(struct pool_peer *));
	}
	ob->v[ob->n++] = w;
}

static void listed_drop(struct pool_object *ob, const struct pool_peer *w)
{
	for (size_t i = 0; i < ob->n; i++)
		if (ob->v[i] == w) {
			ob->v[i] = ob->v[--ob->n];
			return;
		}
}

void pool_holds_add(struct pool_peer *w, const struct id *id, uint64_t n_bytes)
{
	struct pool *p = w->p;
	struct pool_object *ob = map_get(&p->objects, id_key(id));

	if (w->is_plain || n_bytes <= POOL_LARGE || pool_holds(w, id) ||
	    p->n_held >= HELD_MAX || w->holds.n >= PEER_HELD_MAX)
		return;
	if (!ob) {
		ob = memset(mem_alloc(sizeof *ob), 0, sizeof *ob);
		ob->id = *id;
		*map_at(&p->objects, id_key(&ob->id)) = ob;
	}
	ob->n_bytes = n_bytes;
	listed_add(ob, w);
	*map_at(&w->holds, id_key(&ob->id)) = ob;
	p->n_held++;
}

void pool_holds_drop(struct pool_peer *w, const struct id *id)
{
	struct pool_object *ob = map_get(&w->holds, id_key(id));

	if (!ob)
		return;
	listed_drop(ob, w);
	map_drop(&w->holds, id_key(id));
	w->p->n_held--;
}

bool pool_holds(const struct pool_peer *w, const struct id *id)
{
	return map_get(&w->holds, id_key(id)) || map_get(&w->closures, id_key(id));
}

void pool_holds_release(struct pool_peer *w)
{
	struct bytes key;
	void *value;

	for (size_t pos = 0; map_each(&w->holds, &pos, &key, &value);) {
		listed_drop(value, w);
		w->p->n_held--;
	}
	map_release(&w->holds);
	map_release(&w->closures);
	w->p->n_cannot -= w->cannot.n;
	map_release(&w->cannot);
	arena_release(&w->names);
}

/* ---- what a step wants */

struct looking {
	struct pool *p;
	struct arena a;
	struct pool_want v[ENTRIES_MAX];
	size_t n;
};

static void want_value(struct looking *l, const struct id *id)
{
	struct pool_want *k = &l->v[l->n];
	struct err ignored;

	k->id = *id;
	if (l->n < ENTRIES_MAX - 1 &&
	    store_size(l->p->b.store, id, &k->n_bytes, &ignored) == 0 && k->n_bytes > POOL_LARGE)
		l->n++;
}

static void want_tree(struct looking *l, const struct id *id, int depth)
{
	struct bytes text;
	struct err ignored;
	struct tree t;

	if (depth == DEPTH_MAX || store_get(l->p->b.store, id, &l->a, &text, &ignored) < 0 ||
	    tree_decode(text, &l->a, &t, &ignored) < 0)
		return;
	for (size_t i = 0; i < t.n && l->n < ENTRIES_MAX - 1; i++) {
		if (t.v[i].kind == ENTRY_TREE)
			want_tree(l, &t.v[i].id, depth + 1);
		else if (t.v[i].kind != ENTRY_LINK)
			want_value(l, &t.v[i].id);
	}
}

/* The same data set is the input of a hundred steps: looked through once. */
static void want_known_tree(struct looking *l, const struct id *id)
{
	struct pool_tree *known = map_get(&l->p->trees, id_key(id));

	if (!known) {
		struct looking inner = { .p = l->p };

		want_tree(&inner, id, 0);
		arena_release(&inner.a);
		known = mem_alloc(sizeof *known);
		*known = (struct pool_tree){ .id = *id, .n = inner.n };
		known->v = memcpy(mem_alloc((inner.n + 1) * sizeof *inner.v), inner.v,
				  inner.n * sizeof *inner.v);
		*map_at(&l->p->trees, id_key(&known->id)) = known;
	}
	for (size_t i = 0; i < known->n && l->n < ENTRIES_MAX - 1; i++)
		l->v[l->n++] = known->v[i];
}

static void look(struct pool_step *s)
{
	struct looking l = { .p = s->p };
	struct err ignored;
	struct thunk t;

	s->has_looked = true;
	if (thunk_decode(s->job->text, &l.a, &t, &ignored) < 0)
		t.n_in = 0;
	for (size_t i = 0; i < t.n_in; i++) {
		const struct ref *r = &t.in[i].ref;

		if (r->kind == REF_TREE)
			want_known_tree(&l, &r->id);
		else if (r->kind != REF_THUNK)
			want_value(&l, &r->id);
	}
	arena_release(&l.a);
	if (!l.n)
		return;
	s->wants = memcpy(mem_alloc(l.n * sizeof *l.v), l.v, l.n * sizeof *l.v);
	s->n_wants = l.n;
}

uint64_t pool_held_bytes(struct pool_step *s, const struct pool_peer *w)
{
	uint64_t sum = 0;

	if (!s->has_looked && s->p->n_held)
		look(s);
	for (size_t i = 0; i < s->n_wants; i++)
		if (map_get(&w->holds, id_key(&s->wants[i].id)))
			sum += s->wants[i].n_bytes;
	return sum;
}

void pool_each_holder(struct pool_step *s, void (*fn)(void *arg, struct pool_peer *w), void *arg)
{
	int left = LOOKS_MAX;

	if (!s->has_looked && s->p->n_held)
		look(s);
	for (size_t i = 0; i < s->n_wants; i++) {
		const struct pool_object *ob = map_get(&s->p->objects, id_key(&s->wants[i].id));

		for (size_t k = 0; ob && k < ob->n && left > 0; k++, left--)
			fn(arg, ob->v[k]);
	}
}

void pool_objects_close(struct pool *p)
{
	struct bytes key;
	void *value;

	for (size_t pos = 0; map_each(&p->objects, &pos, &key, &value);) {
		free(((struct pool_object *)value)->v);
		free(value);
	}
	map_release(&p->objects);
	for (size_t pos = 0; map_each(&p->trees, &pos, &key, &value);) {
		free(((struct pool_tree *)value)->v);
		free(value);
	}
	map_release(&p->trees);
}
