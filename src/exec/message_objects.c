/* message_objects.c - which objects travel inside a message, and which do not */
#include <stdlib.h>
#include <string.h>
#include "closure.h"
#include "message.h"

void message_objects_add(struct message_objects *o, const struct id *id, struct bytes b)
{
	if (o->n == o->room) {
		o->room = o->room ? 2 * o->room : 16;
		o->v = mem_grow(o->v, o->room * sizeof *o->v);
	}
	o->v[o->n++] = (struct message_object){ *id, b };
	o->n_bytes += b.n;
}

void message_objects_release(struct message_objects *o)
{
	free(o->v);
	*o = (struct message_objects){ .n = 0 };
}

/* The first time that id is met. */
static bool is_new(struct message_gather *g, const struct id *id)
{
	struct id *copy;

	if (map_get(&g->seen, id_key(id)))
		return false;
	copy = arena_alloc(g->arena, sizeof *copy);
	*copy = *id;
	*map_at(&g->seen, id_key(copy)) = copy;
	return true;
}

static void stay_outside(struct message_gather *g, const struct id *id)
{
	if (g->n_outside == g->room_outside) {
		g->room_outside = g->room_outside ? 2 * g->room_outside : 16;
		g->outside = mem_grow(g->outside, g->room_outside * sizeof *g->outside);
	}
	g->outside[g->n_outside++] = *id;
}

/* Where does this object go?  Its bytes are read when it goes inside. */
static int place(struct message_gather *g, const struct id *id, uint64_t n_bytes,
		 struct err *e)
{
	struct bytes b;

	if (g->holds && g->holds(g->arg, id))
		return 0;
	if (g->takes_all && g->inside.n_bytes + n_bytes > g->all_max)
		return err_set(e, ERR_REFUSED, "the objects that go with it are more than "
			       "%llu bytes: too much for one message; name a remote "
			       "(--remote)", (unsigned long long)g->all_max);
	if (!g->takes_all && ((g->each_max && n_bytes > g->each_max) ||
			      g->inside.n_bytes + n_bytes > g->all_max)) {
		stay_outside(g, id);
		return 0;
	}
	if (store_get(g->store, id, g->arena, &b, e) < 0)
		return -1;
	message_objects_add(&g->inside, id, b);
	return 0;
}

/* 1 it is in the store, 0 it is elsewhere. */
static int find(struct message_gather *g, const struct id *id, uint64_t *n_bytes,
		struct err *e)
{
	if (store_size(g->store, id, n_bytes, e) == 0)
		return 1;
	if (e->code == ERR_MISSING && g->knows && g->knows(g->arg, id))
		return 0;
	if (e->code == ERR_MISSING)
		g->missing = *id;
	return -1;
}

static int gather(struct message_gather *g, const struct id *id, bool is_tree, struct err *e);

/* What a closure says of listed folders is of use to a worker, if it is known here. */
static bool is_wanted(struct message_gather *g, const struct entry *v)
{
	uint64_t n_bytes;
	struct err ignored;

	if (v->kind == ENTRY_LINK)
		return false;
	if (v->kind == ENTRY_TREE || !g->texts_only)
		return true;
	return strcmp(v->name, CLOSURE_NAMES) == 0 &&
	       store_size(g->store, &v->id, &n_bytes, &ignored) == 0;
}

static int gather_below(struct message_gather *g, const struct id *id, struct err *e)
{
	struct bytes b;
	struct tree t;

	if (store_get(g->store, id, g->arena, &b, e) < 0)
		return -1;
	if (tree_decode(b, g->arena, &t, e) < 0)
		return err_wrap(e, "tree %.12s", id_hex(id).s);
	for (size_t i = 0; i < t.n; i++)
		if (is_wanted(g, &t.v[i]) &&
		    gather(g, &t.v[i].id, t.v[i].kind == ENTRY_TREE, e) < 0)
			return -1;
	return 0;
}

static int gather(struct message_gather *g, const struct id *id, bool is_tree, struct err *e)
{
	uint64_t n_bytes;
	int rc;

	if (!is_new(g, id))
		return 0;
	rc = find(g, id, &n_bytes, e);
	if (rc <= 0)
		return rc;
	g->n_bytes += n_bytes;
	if (place(g, id, n_bytes, e) < 0)
		return -1;
	return is_tree ? gather_below(g, id, e) : 0;
}

int message_gather(struct message_gather *g, const struct ref *ref, struct err *e)
{
	if (ref->kind == REF_THUNK)
		return 0;
	return gather(g, &ref->id, ref->kind == REF_TREE, e);
}

void message_gather_release(struct message_gather *g)
{
	message_objects_release(&g->inside);
	free(g->outside);
	map_release(&g->seen);
	g->outside = NULL;
	g->n_outside = g->room_outside = 0;
}
