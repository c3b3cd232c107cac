/* base.h - errors, byte slices, arenas, growing buffers, a map
 *
 * src/base.c, map.c.
 *
 * What every other file stands on.  Out of memory aborts: nothing here
 * returns NULL for lack of it.
 */
#ifndef GG_BASE_H
#define GG_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a caller can do about a failure. */
enum err_code {
	ERR_NONE,
	ERR_RETRY,      /* passing: the same call may work later */
	ERR_MISSING,    /* something named is not there */
	ERR_REFUSED,    /* over a limit or not permitted here */
	ERR_IO,         /* this disk or this machine is ill */
	ERR_BAD,        /* the bytes given are wrong and stay wrong */
	ERR_FAILED,     /* a program that gg ran failed */
	ERR_USAGE,      /* the person asked for what does not exist */
};

struct err {
	enum err_code code;
	char text[1000];        /* one or two lines: thing, cause, remedy */
};

/* Fill *e and return -1.  err_sys adds ": " and strerror(errno), with code
 * ERR_IO.  err_wrap puts "text: " before what *e says, and keeps its code. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int err_sys(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int err_wrap(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Borrowed bytes.  No terminator is promised. */
struct bytes {
	const char *p;
	size_t n;
};

/* The bytes of a string without its terminator.  Equality and the order of
 * memcmp with the shorter first. */
struct bytes bytes_str(const char *s);
bool bytes_equal(struct bytes a, struct bytes b);
int bytes_compare(struct bytes a, struct bytes b);
bool bytes_start(struct bytes b, const char *prefix);
/* How many bytes the UTF-8 character at the front of b has, at most 4; 0 when
 * there is none, or a control character, which a terminal would obey. */
size_t bytes_printable(struct bytes b);

/* Abort on lack of memory, else malloc, realloc, strdup. */
void *mem_alloc(size_t n_bytes);
void *mem_grow(void *p, size_t n_bytes);
char *mem_str(const char *s);

/* Memory for one piece of work.  A zeroed struct is an empty arena; what it
 * lends is aligned for anything, zeroed, and dies at reset or release. */
struct arena {
	struct arena_block *block;
	size_t used, total_bytes;
};

void *arena_alloc(struct arena *a, size_t n_bytes);
char *arena_str(struct arena *a, const char *s);
char *arena_strn(struct arena *a, const char *p, size_t n);
struct bytes arena_bytes(struct arena *a, struct bytes b);
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

/* Bytes that grow at their end.  A zeroed struct is empty.  p[n] is always a
 * NUL once anything was added, so that p is a string when no byte is NUL. */
struct buf {
	char *p;
	size_t n, room;
};

void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void buf_reset(struct buf *b);
void buf_release(struct buf *b);
struct bytes buf_bytes(const struct buf *b);

/* Strings that grow at their end, as argv wants them: v[n] is NULL.  The
 * strings are borrowed. */
struct strs {
	const char **v;
	size_t n, room;
};

void strs_add(struct strs *l, const char *s);
void strs_sort(struct strs *l);
void strs_release(struct strs *l);

/* Keys to values, by hashing.  A zeroed struct is empty.  Keys are borrowed
 * and must outlive the map; values are the caller's.  map_get gives NULL for
 * what is absent.  map_at lends the slot of a key, made if absent, until the
 * next map_at or map_drop.  map_each visits in no order; *pos starts at 0. */
struct map {
	struct map_slot *slots;
	size_t n, room;
};

void *map_get(const struct map *m, struct bytes key);
void **map_at(struct map *m, struct bytes key);
void map_drop(struct map *m, struct bytes key);
bool map_each(const struct map *m, size_t *pos, struct bytes *key, void **value);
void map_release(struct map *m);

#endif
