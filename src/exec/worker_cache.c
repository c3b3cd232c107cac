/* worker_cache.c - objects by when they were used last
 *
 * Every use takes the next number; what runs has numbers since its beginning,
 * and those are not dropped.  Large objects are worth telling the dispatcher
 * of: it sends work to where they are.
 */
#include <stdlib.h>
#include <string.h>
#include "worker_private.h"

enum { COMPACT_BYTES = 32 << 20, GONE_MAX = 4096 };

struct item {
	struct id id;
	uint64_t n_bytes, used;
	struct item *newer, *older;
	bool is_gone;                   /* dropped, and only in the map still */
};

struct cache {
	struct map items;               /* by id */
	struct item ends;               /* newer: the oldest; older: the newest */
	struct item *gone;              /* by newer */
	size_t n_gone;
	uint64_t n_bytes, small_dropped;
};

void ids_add(struct ids *l, const struct id *id)
{
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 16;
		l->v = mem_grow(l->v, l->room * sizeof *l->v);
	}
	l->v[l->n++] = *id;
}

static void unlink_item(struct item *it)
{
	it->newer->older = it->older;
	it->older->newer = it->newer;
}

static void link_newest(struct cache *c, struct item *it)
{
	it->newer = &c->ends;
	it->older = c->ends.older;
	it->older->newer = it;
	c->ends.older = it;
}

static struct item *find(const struct cache *c, const struct id *id)
{
	struct item *it = map_get(&c->items, id_key(id));

	return it && !it->is_gone ? it : NULL;
}

static void add_item(struct worker *w, const struct id *id, uint64_t n_bytes, uint64_t used)
{
	struct cache *c = w->cache;
	struct item *it = mem_alloc(sizeof *it);

	*it = (struct item){ .id = *id, .n_bytes = n_bytes, .used = used };
	*map_at(&c->items, id_key(&it->id)) = it;
	link_newest(c, it);
	c->n_bytes += n_bytes;
	if (n_bytes > STORE_SMALL)
		ids_add(&w->added, id);
}

static int found(void *arg, const struct id *id, uint64_t n_bytes)
{
	struct worker *w = arg;

	if (!find(w->cache, id))
		add_item(w, id, n_bytes, 0);
	return 0;
}

/* What an earlier worker left in this store is held too. */
struct cache *cache_new(struct worker *w)
{
	struct cache *c = memset(mem_alloc(sizeof *c), 0, sizeof *c);
	struct err ignored;             /* then it is not held */

	c->ends.newer = c->ends.older = &c->ends;
	w->cache = c;
	store_each_object(w->o.store, found, w, &ignored);
	return c;
}

/* The map without what is gone. */
static void clear_gone(struct cache *c)
{
	map_release(&c->items);
	c->items = (struct map){ .n = 0 };
	for (struct item *it = c->gone, *next; it; it = next) {
		next = it->newer;
		free(it);
	}
	c->gone = NULL;
	c->n_gone = 0;
	for (struct item *it = c->ends.newer; it != &c->ends; it = it->newer)
		*map_at(&c->items, id_key(&it->id)) = it;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	clear_gone(c);
	for (struct item *it = c->ends.newer, *next; it != &c->ends; it = next) {
		next = it->newer;
		free(it);
	}
	map_release(&c->items);
	free(c);
}

bool cache_use(struct worker *w, const struct id *id)
{
	struct cache *c = w->cache;
	struct item *it = find(c, id);
	uint64_t n_bytes;
	struct err e;

	/* A large one may have been removed because it was damaged. */
	if ((!it || it->n_bytes > STORE_SMALL) &&
	    store_size(w->o.store, id, &n_bytes, &e) < 0)
		return false;
	if (!it) {
		add_item(w, id, n_bytes, ++w->clock);
		return true;
	}
	it->used = ++w->clock;
	unlink_item(it);
	link_newest(c, it);
	return true;
}

static void drop(struct worker *w, struct item *it)
{
	struct cache *c = w->cache;
	struct err ignored;             /* it stays, and is dropped another time */

	if (store_drop(w->o.store, &it->id, &ignored) < 0)
		return;
	if (it->n_bytes > STORE_SMALL)
		ids_add(&w->dropped, &it->id);
	else
		c->small_dropped += it->n_bytes;
}

void cache_trim(struct worker *w, uint64_t max_bytes, uint64_t since)
{
	struct cache *c = w->cache;
	struct item *it = c->ends.newer, *next;
	struct err ignored;
	bool has_dropped = false;

	for (; it != &c->ends && it->used < since && c->n_bytes > max_bytes; it = next) {
		next = it->newer;
		drop(w, it);
		has_dropped = true;
		c->n_bytes -= it->n_bytes;
		unlink_item(it);
		it->is_gone = true;
		it->newer = c->gone;
		c->gone = it;
		c->n_gone++;
	}
	if (has_dropped)
		runtimes_doubt(w->runtimes);
	if (c->n_gone > GONE_MAX)
		clear_gone(c);
	if (c->small_dropped < COMPACT_BYTES)
		return;
	store_compact(w->o.store, &ignored);
	c->small_dropped = 0;
}

uint64_t cache_bytes(const struct worker *w)
{
	return w->cache->n_bytes;
}

size_t worker_holds(const struct worker *w, struct arena *a, const struct id **out)
{
	struct cache *c = w->cache;
	struct id *v = arena_alloc(a, (c->items.n + 1) * sizeof *v);
	size_t n = 0;

	for (struct item *it = c->ends.newer; it != &c->ends; it = it->newer)
		if (it->n_bytes > STORE_SMALL)
			v[n++] = it->id;
	*out = v;
	return n;
}
