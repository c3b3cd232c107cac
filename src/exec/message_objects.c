/* message_objects.c - the objects that go with a step
 *
 * Lists are short (a message holds megabytes), so each is searched for an
 * object that is there already.
 */
#include <stdlib.h>
#include <string.h>
#include "message.h"

static bool has(const struct message_objects *o, const struct id *id)
{
	for (size_t i = 0; i < o->n; i++)
		if (id_equal(&o->v[i].id, id))
			return true;
	return false;
}

static int add(struct store *s, const struct id *id, uint64_t max, struct arena *a,
	       struct message_objects *o, struct bytes *b, struct err *e)
{
	if (store_get(s, id, a, b, e) < 0)
		return -1;
	o->n_bytes += b->n;
	if (o->n_bytes > max)
		return err_set(e, ERR_REFUSED, "its objects are more than %llu bytes: too much "
			       "for one message", (unsigned long long)max);
	if (o->n == o->room) {
		o->room = o->room ? 2 * o->room : 16;
		o->v = mem_grow(o->v, o->room * sizeof *o->v);
	}
	o->v[o->n++] = (struct message_object){ *id, *b };
	return 0;
}

static int gather(struct store *s, const struct id *id, bool is_tree, uint64_t max,
		  struct arena *a, struct message_objects *o, struct err *e)
{
	struct bytes b;
	struct tree t;

	if (has(o, id))
		return 0;
	if (add(s, id, max, a, o, &b, e) < 0)
		return -1;
	if (!is_tree)
		return 0;
	if (tree_decode(b, a, &t, e) < 0)
		return err_wrap(e, "tree %.12s", id_hex(id).s);
	for (size_t i = 0; i < t.n; i++)
		if (t.v[i].kind != ENTRY_LINK &&
		    gather(s, &t.v[i].id, t.v[i].kind == ENTRY_TREE, max, a, o, e) < 0)
			return -1;
	return 0;
}

int message_gather(struct store *s, const struct ref *ref, uint64_t max_bytes,
		   struct arena *a, struct message_objects *out, struct err *e)
{
	if (ref->kind == REF_THUNK)
		return 0;
	return gather(s, &ref->id, ref->kind == REF_TREE, max_bytes, a, out, e);
}

void message_objects_release(struct message_objects *o)
{
	free(o->v);
	*o = (struct message_objects){ .n = 0 };
}
