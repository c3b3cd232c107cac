/* table.c - small records, gathered in memory until they are committed
 *
 * What was put and not committed lies in a map that every read asks first, so
 * that thousands of puts cost one transaction, and the process that made them
 * sees them at once.
 *
 * All tables are one ordered table of the database, so that a commit touches
 * one tree: a key there is the table's number and the key.  A key that is
 * empty or longer than SHORT_MAX is replaced by its first bytes, zeros up to
 * STEM_BYTES, and its SHA-256, and stands itself before its value:
 *
 *	table (1)  stem (STEM_BYTES)  sha256 (32)  ->  n (4)  key (n)  value
 *
 * No other key is of that length.
 */
#include <stdlib.h>
#include <string.h>
#include "store_private.h"

enum {
	STEM_BYTES = 448,
	LONG_BYTES = 1 + STEM_BYTES + ID_BYTES,
	SHORT_MAX = STEM_BYTES + ID_BYTES - 1,
	PENDING_MAX = 16 << 20,
};

struct key {
	char b[LONG_BYTES];
	size_t n;
};

static bool key_is_long(struct bytes key)
{
	return key.n == 0 || key.n > SHORT_MAX;
}

static struct bytes key_make(struct key *k, enum table t, struct bytes key)
{
	struct id id;

	k->b[0] = (char)(1 + t);
	if (!key_is_long(key)) {
		memcpy(k->b + 1, key.p, key.n);
		return (struct bytes){ k->b, 1 + key.n };
	}
	memset(k->b + 1, 0, STEM_BYTES);
	if (key.n)
		memcpy(k->b + 1, key.p, key.n < STEM_BYTES ? key.n : STEM_BYTES);
	id = id_of(key);
	memcpy(k->b + 1 + STEM_BYTES, id.b, ID_BYTES);
	return (struct bytes){ k->b, LONG_BYTES };
}

/* Part the value of a long key into key and value; false if it is none. */
static bool unwrap(struct bytes stored, struct bytes *key, struct bytes *value)
{
	uint32_t n;

	if (stored.n < sizeof(n))
		return false;
	memcpy(&n, stored.p, sizeof(n));
	if (n > stored.n - sizeof(n))
		return false;
	*key = (struct bytes){ stored.p + sizeof(n), n };
	*value = (struct bytes){ stored.p + sizeof(n) + n,
				 stored.n - sizeof(n) - n };
	return true;
}

/* Take a record out of the form in which the database holds it. */
static int take(struct store *s, enum table t, struct bytes key,
		struct arena *a, struct bytes *out, struct err *e)
{
	struct bytes own_key;
	struct place w;
	int got = 1;

	if (t == TABLE_OBJECT && a)
		got = pack_bytes(s->db, *out, out, e);
	else if (t == TABLE_OBJECT && (got = pack_place(*out, &w)))
		out->n = w.n;
	else if (key_is_long(key))
		got = unwrap(*out, &own_key, out);
	if (got > 0 && a)
		*out = arena_bytes(a, *out);
	if (got > 0)
		return 1;
	return got < 0 ? -1 : err_set(e, ERR_BAD, "%s: a record is damaged; move "
				      "db away, then gg starts a new one", s->dir);
}

int table_get(struct store *s, enum table t, struct bytes key, struct arena *a,
	      struct bytes *out, struct err *e)
{
	struct key k;
	struct bytes full = key_make(&k, t, key), own_key;
	const struct db_change *c;
	int got;

	if (store_is_mine(s, e) < 0)
		return -1;
	c = map_get(&s->pending, full);
	if (c && c->deletes)
		return 0;
	if (c) {
		*out = c->value;
		if (key_is_long(key))
			unwrap(c->value, &own_key, out);
		if (a)
			*out = arena_bytes(a, *out);
		return 1;
	}
	do {
		if (db_begin(s->db, e) < 0)
			return -1;
		got = db_peek(s->db, full, out, e);
		if (got > 0)
			got = take(s, t, key, a, out, e);
	} while (!db_end(s->db));
	return got;
}

/* Room in the pending map for one change of this key. */
static struct db_change *change_at(struct store *s, struct bytes full,
				   size_t n_bytes)
{
	struct db_change *c = map_get(&s->pending, full);

	s->pending_bytes += n_bytes + full.n + sizeof(*c);
	if (c)
		return c;
	c = arena_alloc(&s->arena, sizeof(*c));
	c->key = arena_bytes(&s->arena, full);
	*map_at(&s->pending, c->key) = c;
	return c;
}

int store_table_put(struct store *s, enum table t, struct bytes key,
		    struct bytes value, struct err *e)
{
	struct key k;
	struct bytes full = key_make(&k, t, key);
	struct db_change *c;

	if (store_may_write(s, e) < 0)
		return -1;
	if (s->pending_bytes > PENDING_MAX && store_flush(s, e) < 0)
		return -1;
	c = change_at(s, full, value.n);
	c->deletes = false;
	if (key_is_long(key)) {
		uint32_t n = (uint32_t)key.n;
		struct buf b = { 0 };

		buf_add(&b, &n, sizeof(n));
		buf_add(&b, key.p, key.n);
		buf_add(&b, value.p, value.n);
		c->value = arena_bytes(&s->arena, buf_bytes(&b));
		buf_release(&b);
	} else if (c->value.p && c->value.n == value.n) {
		/* A record that changes often does not grow the arena. */
		memcpy((char *)c->value.p, value.p, value.n);
	} else {
		c->value = arena_bytes(&s->arena, value);
	}
	return 0;
}

int store_table_delete(struct store *s, enum table t, struct bytes key,
		       struct err *e)
{
	struct key k;

	if (store_may_write(s, e) < 0)
		return -1;
	change_at(s, key_make(&k, t, key), 0)->deletes = true;
	return 0;
}

int store_table_get(struct store *s, enum table t, struct bytes key,
		    struct arena *a, struct bytes *out, struct err *e)
{
	int got = table_get(s, t, key, a, out, e);

	if (got == 0)
		return err_set(e, ERR_MISSING, "%s: there is no such record",
			       s->dir);
	return got < 0 ? -1 : 0;
}

struct visit {
	int (*fn)(void *arg, struct bytes key, struct bytes value);
	void *arg;
};

static int visit(void *arg, struct bytes key, struct bytes value)
{
	const struct visit *v = arg;
	struct bytes k = { key.p + 1, key.n - 1 };

	if (key.n == LONG_BYTES && !unwrap(value, &k, &value))
		return 0;
	return v->fn(v->arg, k, value);
}

int table_each(struct store *s, enum table t, struct bytes prefix,
	       int (*fn)(void *arg, struct bytes key, struct bytes value),
	       void *arg, struct err *e)
{
	struct visit v = { fn, arg };
	struct key k;
	struct bytes start = { k.b, 1 + prefix.n };

	if (store_is_mine(s, e) < 0 || store_flush(s, e) < 0)
		return -1;
	k.b[0] = (char)(1 + t);
	if (prefix.n)
		memcpy(k.b + 1, prefix.p, prefix.n);
	return db_each(s->db, start, visit, &v, e);
}

int store_table_each(struct store *s, enum table t,
		     int (*fn)(void *arg, struct bytes key, struct bytes value),
		     void *arg, struct err *e)
{
	return table_each(s, t, (struct bytes){ NULL, 0 }, fn, arg, e);
}

static int by_key(const void *a, const void *b)
{
	const struct db_change *const *x = a, *const *y = b;

	return bytes_compare((*x)->key, (*y)->key);
}

/* All changes as the database gets them, in order of their keys, so that each
 * of its pages is visited once; packs come last by their prefix. */
static struct db_change **collect(struct store *s, struct packer *p, size_t *n)
{
	struct db_change **v = mem_alloc(s->pending.n * sizeof(*v));
	struct bytes key;
	size_t pos = 0;
	void *value;

	*n = 0;
	while (map_each(&s->pending, &pos, &key, &value))
		v[(*n)++] = value;
	qsort(v, *n, sizeof(*v), by_key);
	for (size_t i = 0; i < *n; i++)
		if (v[i]->key.p[0] == 1 + TABLE_OBJECT && !v[i]->deletes)
			v[i] = pack_add(p, v[i]);
	pack_finish(p);
	v = mem_grow(v, (*n + p->n) * sizeof(*v));
	if (p->n)
		memcpy(v + *n, p->v, p->n * sizeof(*v));
	*n += p->n;
	return v;
}

int table_commit(struct store *s, struct err *e)
{
	struct packer p = { 0 };
	struct db_change **v;
	size_t n;
	int rc;

	if (!s->pending.n)
		return 0;
	v = collect(s, &p, &n);
	rc = db_commit(s->db, v, n, e);
	free(v);
	pack_release(&p);
	if (rc < 0)
		return -1;
	map_release(&s->pending);
	arena_reset(&s->arena);
	s->pending_bytes = 0;
	return 0;
}

void table_release(struct store *s)
{
	map_release(&s->pending);
	arena_release(&s->arena);
	s->pending_bytes = 0;
}
