/* base.c - errors, byte slices, arenas, growing buffers and lists
 *
 * Lack of memory ends the program here, in mem_alloc and mem_grow, so that no
 * caller has a path for it that nobody could ever test.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base.h"

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	e->code = code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	const char *why = strerror(errno);
	size_t n;
	va_list ap;

	e->code = ERR_IO;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", why);
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	size_t n;
	va_list ap;

	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", old);
	return -1;
}

struct bytes bytes_str(const char *s)
{
	return (struct bytes){ s, strlen(s) };
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	if (c)
		return c;
	return (a.n > b.n) - (a.n < b.n);
}

bool bytes_start(struct bytes b, const char *prefix)
{
	size_t n = strlen(prefix);

	return b.n >= n && (n == 0 || memcmp(b.p, prefix, n) == 0);
}

size_t bytes_printable(struct bytes b)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)b.p;
	size_t n = !b.n ? 0 : p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 :
		   p[0] < 0xf0 ? 3 : p[0] < 0xf8 ? 4 : 0;
	uint32_t c;

	if (!n || n > b.n)
		return 0;
	c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ? 0 : n;
}

void *mem_alloc(size_t n_bytes)
{
	void *p = malloc(n_bytes ? n_bytes : 1);

	if (!p)
		abort();
	return p;
}

void *mem_grow(void *p, size_t n_bytes)
{
	p = realloc(p, n_bytes ? n_bytes : 1);
	if (!p)
		abort();
	return p;
}

char *mem_str(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(mem_alloc(n), s, n);
}

/* The newest block is the one that is filled; a piece too big for its rest
 * and for the next size gets a block of its own, put behind the newest. */
struct arena_block {
	struct arena_block *older;
	size_t room;
	max_align_t data[];
};

enum { ARENA_FIRST = 2048 - 64, ARENA_MOST = 1 << 20 };

/* Under the address sanitizer each piece is a block of its own, so that a
 * byte too far and a use after reset are seen there too. */
#if defined(__SANITIZE_ADDRESS__)
enum { ARENA_APART = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { ARENA_APART = 1 };
#else
enum { ARENA_APART = 0 };
#endif
#else
enum { ARENA_APART = 0 };
#endif

static struct arena_block *block_new(struct arena *a, size_t room)
{
	struct arena_block *b = mem_alloc(sizeof(*b) + room);

	b->room = room;
	a->total_bytes += room;
	return b;
}

/* As arena_alloc, without clearing. */
static void *arena_take(struct arena *a, size_t n_bytes)
{
	const size_t unit = _Alignof(max_align_t);
	struct arena_block *b = a->block;
	size_t room = a->total_bytes;
	char *p;

	if (n_bytes > SIZE_MAX / 2)
		abort();
	if (ARENA_APART) {
		b = block_new(a, n_bytes);
		b->older = a->block;
		a->block = b;
		return b->data;
	}
	n_bytes = (n_bytes + unit - 1) / unit * unit;
	if (b && b->room - a->used >= n_bytes) {
		p = (char *)b->data + a->used;
		a->used += n_bytes;
		return p;
	}
	room = room < ARENA_FIRST ? ARENA_FIRST : room > ARENA_MOST ? ARENA_MOST : room;
	if (n_bytes > room / 2 && b) {
		struct arena_block *own = block_new(a, n_bytes);

		own->older = b->older;
		b->older = own;
		return own->data;
	}
	b = block_new(a, n_bytes > room ? n_bytes : room);
	b->older = a->block;
	a->block = b;
	a->used = n_bytes;
	return b->data;
}

void *arena_alloc(struct arena *a, size_t n_bytes)
{
	return memset(arena_take(a, n_bytes), 0, n_bytes);
}

char *arena_strn(struct arena *a, const char *p, size_t n)
{
	char *s = arena_take(a, n + 1);

	if (n)
		memcpy(s, p, n);
	s[n] = 0;
	return s;
}

char *arena_str(struct arena *a, const char *s)
{
	return arena_strn(a, s, strlen(s));
}

struct bytes arena_bytes(struct arena *a, struct bytes b)
{
	return (struct bytes){ arena_strn(a, b.p, b.n), b.n };
}

/* How long the text will be; ap is as before. */
static size_t measure(const char *fmt, va_list ap)
{
	va_list copy;
	int n;

	va_copy(copy, ap);
	n = vsnprintf(NULL, 0, fmt, copy);
	va_end(copy);
	if (n < 0)
		abort();
	return (size_t)n;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	size_t n;
	char *s;

	va_start(ap, fmt);
	n = measure(fmt, ap);
	s = arena_take(a, n + 1);
	vsnprintf(s, n + 1, fmt, ap);
	va_end(ap);
	return s;
}

/* One block is kept, so that a loop that resets does not allocate; not a huge
 * one, so that one huge piece of work is not paid for ever after. */
void arena_reset(struct arena *a)
{
	struct arena_block *keep = a->block;

	if (!keep)
		return;
	a->block = keep->older;
	if (keep->room > ARENA_MOST || ARENA_APART) {
		free(keep);
		keep = NULL;
	}
	arena_release(a);
	if (!keep)
		return;
	keep->older = NULL;
	a->block = keep;
	a->total_bytes = keep->room;
}

void arena_release(struct arena *a)
{
	struct arena_block *b = a->block;

	while (b) {
		struct arena_block *older = b->older;

		free(b);
		b = older;
	}
	*a = (struct arena){ 0 };
}

/* Room for n more bytes and the NUL. */
static void buf_reserve(struct buf *b, size_t n)
{
	size_t want;

	if (n >= SIZE_MAX / 2 - b->n)
		abort();
	want = b->n + n + 1;
	if (want <= b->room)
		return;
	if (want < b->room * 2)
		want = b->room * 2;
	b->room = want < 64 ? 64 : want;
	b->p = mem_grow(b->p, b->room);
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	buf_reserve(b, n);
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = 0;
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = measure(fmt, ap);
	buf_reserve(b, n);
	vsnprintf(b->p + b->n, n + 1, fmt, ap);
	va_end(ap);
	b->n += n;
}

void buf_reset(struct buf *b)
{
	b->n = 0;
	if (b->p)
		b->p[0] = 0;
}

void buf_release(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

struct bytes buf_bytes(const struct buf *b)
{
	return (struct bytes){ b->p, b->n };
}

void strs_add(struct strs *l, const char *s)
{
	if (l->n + 2 > l->room) {
		l->room = l->room ? l->room * 2 : 8;
		l->v = mem_grow(l->v, l->room * sizeof(*l->v));
	}
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void strs_sort(struct strs *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), by_text);
}

void strs_release(struct strs *l)
{
	free(l->v);
	*l = (struct strs){ 0 };
}
