/* compact.c - give back what dropped objects held in packs
 *
 * A pack of which less than half is still named is emptied: its living
 * objects are put anew, then it is deleted, and the database uses its pages
 * again.
 *
 * Other processes may put and compact at the same time.  No name ever comes
 * to point into a pack that is already there, so that names which are read
 * after the packs were listed are all that those packs will ever have.
 */
#include <stdlib.h>
#include <string.h>
#include "store_private.h"

struct pack_use {
	char id[PACK_ID_BYTES];
	size_t size, live;
};

struct compaction {
	struct store *s;
	struct arena arena;
	struct map packs;               /* id -> struct pack_use */
	struct err *e;
	int rc;
};

static bool is_sparse(const struct pack_use *u)
{
	return u && u->live < u->size / 2;
}

static int list_pack(void *arg, struct bytes key, struct bytes value)
{
	struct compaction *c = arg;
	struct pack_use *u;

	if (key.n != PACK_ID_BYTES)
		return 0;
	u = arena_alloc(&c->arena, sizeof(*u));
	memcpy(u->id, key.p, PACK_ID_BYTES);
	u->size = value.n;
	*map_at(&c->packs, (struct bytes){ u->id, PACK_ID_BYTES }) = u;
	return 0;
}

static struct pack_use *use_of(struct compaction *c, struct bytes record,
			       struct place *w)
{
	if (!pack_place(record, w) || !w->pack)
		return NULL;
	return map_get(&c->packs, (struct bytes){ w->pack, PACK_ID_BYTES });
}

static int count_use(void *arg, struct bytes key, struct bytes value)
{
	struct place w;
	struct pack_use *u = use_of(arg, value, &w);

	(void)key;
	if (u)
		u->live += w.n;
	return 0;
}

static int move(void *arg, struct bytes key, struct bytes value)
{
	struct compaction *c = arg;
	struct arena a = { 0 };
	struct bytes b;
	struct place w;
	struct id id;

	if (key.n != ID_BYTES || !is_sparse(use_of(c, value, &w)))
		return 0;
	memcpy(id.b, key.p, ID_BYTES);
	/* One that was damaged is dropped by this and missing from now on. */
	c->rc = store_get(c->s, &id, &a, &b, c->e);
	if (c->rc == 0)
		c->rc = store_table_put(c->s, TABLE_OBJECT, key, b, c->e);
	else if (c->e->code == ERR_MISSING)
		c->rc = 0;
	arena_release(&a);
	return c->rc;
}

static int delete_packs(struct compaction *c)
{
	struct bytes key;
	size_t pos = 0;
	void *u;

	while (map_each(&c->packs, &pos, &key, &u))
		if (is_sparse(u) &&
		    store_table_delete(c->s, TABLE_PACK, key, c->e) < 0)
			return -1;
	return store_flush(c->s, c->e);
}

int store_compact(struct store *s, struct err *e)
{
	struct compaction c = { .s = s, .e = e };
	int rc = store_may_write(s, e);

	if (rc == 0)
		rc = store_table_each(s, TABLE_PACK, list_pack, &c, e);
	if (rc == 0)
		rc = store_table_each(s, TABLE_OBJECT, count_use, &c, e);
	if (rc == 0)
		rc = store_table_each(s, TABLE_OBJECT, move, &c, e);
	if (rc == 0)
		rc = c.rc;
	/* The objects are safe elsewhere before their pack goes. */
	if (rc == 0)
		rc = store_flush(s, e);
	if (rc == 0)
		rc = delete_packs(&c);
	map_release(&c.packs);
	arena_release(&c.arena);
	return rc;
}
