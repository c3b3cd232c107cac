/* hints.c - what a model hints of a thunk, as it is kept
 *
 * A version byte, numbers as this machine has them (the store never leaves it),
 * and texts, each with a letter before it and a NUL behind it: d, bytes of disk; h, an
 * empty one, hushed; f, fuse; a, aside; p, s and w, the path and the words of what goes
 * on after an early end.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "exec.h"

enum { VERSION = 1 };

/* is_watched came later: records without it are read too. */
struct record {
	double cpus, gpus, time_s;
	uint64_t mem_bytes;
	int64_t priority;
	int64_t is_watched;             /* the low byte; above it gpus_most */
};

enum { BYTES_BEFORE = offsetof(struct record, is_watched) };

static void put_texts(struct buf *b, char kind, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_char(b, kind);
		buf_add(b, v[i], strlen(v[i]) + 1);
	}
}

int hints_put(struct store *s, const struct id *thunk, const struct hints *h,
	      struct err *e)
{
	struct record r = { h->cpus, h->gpus, h->time_s, h->mem_bytes, h->priority,
			    h->is_watched | (int64_t)h->gpus_most << 8 };
	const struct resume *how = h->resume;
	struct buf b = { 0 };
	int rc;

	buf_char(&b, VERSION);
	buf_add(&b, &r, sizeof r);
	if (h->disk_bytes)
		buf_printf(&b, "d%" PRIu64 "%c", h->disk_bytes, 0);
	if (h->fuse)
		put_texts(&b, 'f', &h->fuse, 1);
	if (h->is_hushed)
		put_texts(&b, 'h', &(const char *){ "" }, 1);
	put_texts(&b, 'a', h->aside, h->n_aside);
	if (how) {
		put_texts(&b, 'p', &how->path, 1);
		put_texts(&b, 's', how->state, how->n_state);
		put_texts(&b, 'w', how->words, how->n_words);
	}
	rc = store_table_put(s, TABLE_HINT, id_key(thunk), buf_bytes(&b), e);
	buf_release(&b);
	return rc;
}

/* rest: what follows the numbers, ended by a NUL. */
static void read_texts(struct bytes rest, struct arena *a, struct hints *h)
{
	struct resume *r = arena_alloc(a, sizeof *r);

	*r = (struct resume){ .state = arena_alloc(a, rest.n * sizeof *r->state),
			      .words = arena_alloc(a, rest.n * sizeof *r->words) };
	h->aside = arena_alloc(a, rest.n * sizeof *h->aside);
	for (const char *at = rest.p, *end = at + rest.n; at < end; at += strlen(at) + 1) {
		const char *text = *at ? at + 1 : at;

		if (*at == 'd')
			h->disk_bytes = strtoull(text, NULL, 10);
		else if (*at == 'h')
			h->is_hushed = true;
		else if (*at == 'f')
			h->fuse = arena_str(a, text);
		else if (*at == 'a')
			h->aside[h->n_aside++] = arena_str(a, text);
		else if (*at == 'p')
			r->path = arena_str(a, text);
		else if (*at == 's')
			r->state[r->n_state++] = arena_str(a, text);
		else if (*at == 'w')
			r->words[r->n_words++] = arena_str(a, text);
	}
	h->resume = r->path ? r : NULL;
}

int hints_get(struct store *s, const struct id *thunk, struct arena *a, struct hints *out,
	      struct err *e)
{
	struct record r = { 0 };
	struct bytes b;

	if (store_table_get(s, TABLE_HINT, id_key(thunk), a, &b, e) < 0)
		return -1;
	if (b.n < 1 + BYTES_BEFORE || b.p[0] != VERSION ||
	    (b.n > 1 + sizeof r && b.p[b.n - 1]))
		return err_set(e, ERR_MISSING, "a record of another version");
	memcpy(&r, b.p + 1, b.n - 1 < sizeof r ? b.n - 1 : sizeof r);
	*out = (struct hints){ .cpus = r.cpus, .gpus = r.gpus, .time_s = r.time_s,
			       .mem_bytes = r.mem_bytes, .priority = (int)r.priority,
			       .is_watched = (r.is_watched & 0xff) != 0,
			       .gpus_most = (unsigned)(r.is_watched >> 8 & 0xff) };
	b.p += 1 + sizeof r;
	b.n = b.n > 1 + sizeof r ? b.n - 1 - sizeof r : 0;
	if (b.n)
		read_texts(b, a, out);
	return 0;
}
