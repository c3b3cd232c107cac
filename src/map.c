/* map.c - keys to values, by hashing
 *
 * Open addressing in a table that is a power of two and at most two thirds
 * full: a look-up is one hash and, nearly always, one or two neighbours.
 */
#include <stdlib.h>
#include <string.h>
#include "base.h"

struct map_slot {
	struct bytes key;
	void *value;
	uint64_t hash;          /* 0: free */
};

static uint64_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 29;
}

static uint64_t hash_key(struct bytes k)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ k.n, w;
	const char *p = k.p;
	size_t n = k.n;

	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&w, p, 8);
		h = mix(h ^ w);
	}
	if (n) {
		w = 0;
		memcpy(&w, p, n);
		h = mix(h ^ w);
	}
	return mix(h) | 1;
}

/* Where key is or would be; there is always a free slot.  The low bit of a
 * hash is always set, so the place is taken from above it. */
static struct map_slot *find(const struct map *m, struct bytes key, uint64_t hash)
{
	size_t i = (hash >> 1) & (m->room - 1);

	for (;; i = (i + 1) & (m->room - 1)) {
		struct map_slot *s = &m->slots[i];

		if (!s->hash || (s->hash == hash && bytes_equal(s->key, key)))
			return s;
	}
}

static void grow(struct map *m)
{
	struct map old = *m;

	m->room = old.room ? old.room * 2 : 16;
	m->slots = calloc(m->room, sizeof(*m->slots));
	if (!m->slots)
		abort();
	for (size_t i = 0; i < old.room; i++)
		if (old.slots[i].hash)
			*find(m, old.slots[i].key, old.slots[i].hash) = old.slots[i];
	free(old.slots);
}

void *map_get(const struct map *m, struct bytes key)
{
	struct map_slot *s;

	if (!m->n)
		return NULL;
	s = find(m, key, hash_key(key));
	return s->hash ? s->value : NULL;
}

void **map_at(struct map *m, struct bytes key)
{
	uint64_t hash = hash_key(key);
	struct map_slot *s;

	if ((m->n + 1) * 3 > m->room * 2)
		grow(m);
	s = find(m, key, hash);
	if (!s->hash) {
		*s = (struct map_slot){ .key = key, .hash = hash };
		m->n++;
	}
	return &s->value;
}

/* Those that follow move up, unless they would come before their own place. */
void map_drop(struct map *m, struct bytes key)
{
	size_t mask = m->room - 1, at;
	struct map_slot *s;

	if (!m->n || !(s = find(m, key, hash_key(key)))->hash)
		return;
	at = (size_t)(s - m->slots);
	for (size_t i = (at + 1) & mask; m->slots[i].hash; i = (i + 1) & mask) {
		size_t home = (m->slots[i].hash >> 1) & mask;

		if (((i - home) & mask) < ((i - at) & mask))
			continue;
		m->slots[at] = m->slots[i];
		at = i;
	}
	m->slots[at] = (struct map_slot){ .hash = 0 };
	m->n--;
}

bool map_each(const struct map *m, size_t *pos, struct bytes *key, void **value)
{
	while (*pos < m->room) {
		const struct map_slot *s = &m->slots[(*pos)++];

		if (!s->hash)
			continue;
		*key = s->key;
		*value = s->value;
		return true;
	}
	return false;
}

void map_release(struct map *m)
{
	free(m->slots);
	*m = (struct map){ 0 };
}
