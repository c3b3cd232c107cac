/* object.c - objects: bytes kept under the SHA-256 of themselves
 *
 * Up to STORE_SMALL they are records of the database, where thousands cost
 * one sync; larger ones are files (object_file.c), which can be mapped, cloned
 * and linked.  Where an object rests is not part of its name, so that every
 * question is asked in both places.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "store_private.h"

static int gone(const struct id *id, struct err *e)
{
	return err_set(e, ERR_MISSING, "object %.12s... is gone", id_hex(id).s);
}

int store_put(struct store *s, struct bytes b, struct id *id, struct err *e)
{
	*id = id_of(b);
	return store_put_named(s, id, b, e);
}

/* 1, 0, or -1 */
static int has(struct store *s, const struct id *id, struct err *e)
{
	struct bytes b;
	uint64_t n;
	int got = table_get(s, TABLE_OBJECT, id_key(id), NULL, &b, e);

	if (got)
		return got;
	return object_file_size(s, id, &n);
}

bool store_has(struct store *s, const struct id *id)
{
	struct err ignored;

	return has(s, id, &ignored) > 0;
}

int store_put_named(struct store *s, const struct id *id, struct bytes b,
		    struct err *e)
{
	struct bytes old;
	uint64_t n;
	int got;

	/* Each is looked for only where it belongs: a second look for what is
	 * new costs more than keeping the few that rest elsewhere twice.  A
	 * file of another size was cut short and is put again. */
	if (b.n > STORE_SMALL)
		return object_file_size(s, id, &n) && n == b.n ? 0 :
			object_file_put(s, id, b, e);
	got = table_get(s, TABLE_OBJECT, id_key(id), NULL, &old, e);
	if (got)
		return got < 0 ? -1 : 0;
	return store_table_put(s, TABLE_OBJECT, id_key(id), b, e);
}

/* 1 kept, 0 the file's size was another, -1 */
static int put_small_fd(struct store *s, int fd, size_t size, struct id *id,
			struct err *e)
{
	struct bytes b = { s->piece, 0 };

	ssize_t n;

	/* One byte more is asked for: a short answer is the end of the file. */
	do
		n = pread(fd, s->piece, size + 1, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "cannot read");
	if ((size_t)n != size)
		return 0;
	b.n = size;
	return store_put(s, b, id, e) < 0 ? -1 : 1;
}

/* A file that was only touched has the name it had: reading it is enough. */
static int put_touched(struct store *s, int fd, const struct stat *st,
		       struct id *id, struct err *e)
{
	uint64_t n_bytes;

	if (!stat_guess(s, st, id) || has(s, id, e) <= 0)
		return 0;
	if (id_of_fd(fd, id, &n_bytes, e) < 0)
		return -1;
	if (n_bytes != (uint64_t)st->st_size)
		return 0;
	return has(s, id, e);
}

int object_put_fd(struct store *s, int fd, const struct stat *st,
		  struct id *id, struct err *e)
{
	int rc;

	if (st->st_size <= STORE_SMALL)
		return put_small_fd(s, fd, (size_t)st->st_size, id, e);
	rc = put_touched(s, fd, st, id, e);
	return rc ? rc : object_file_put_fd(s, fd, st, id, e);
}

int store_put_fd(struct store *s, int fd, struct id *id, struct err *e)
{
	struct stat before, after;

	if (fstat(fd, &before) < 0)
		return err_sys(e, "cannot look at the open file");
	if (!S_ISREG(before.st_mode))
		return err_set(e, ERR_BAD, "this is not a regular file");
	for (int tries = 0; tries < 3; tries++) {
		struct stamp was = stamp_of(&before), is;
		int rc = object_put_fd(s, fd, &before, id, e);

		if (rc < 0)
			return -1;
		if (fstat(fd, &after) < 0)
			return err_sys(e, "cannot look at the open file");
		is = stamp_of(&after);
		if (rc > 0 && stamp_equal(&was, &is))
			return 0;
		before = after;
	}
	return err_set(e, ERR_RETRY, "it changes while it is read; "
		       "try again once nothing writes to it");
}

/* What lies is as good as gone; then it is made again by its thunk. */
static int remove_liar(struct store *s, const struct id *id, enum err_code code,
		       struct err *e)
{
	struct err ignored;
	bool is_gone = !s->is_read_only && store_drop(s, id, &ignored) == 0;

	return err_set(e, code, "object %.12s... in %s was damaged%s",
		       id_hex(id).s, s->dir,
		       is_gone ? " and has been removed; what needs it makes it again"
			       : "");
}

int store_get(struct store *s, const struct id *id, struct arena *a,
	      struct bytes *out, struct err *e)
{
	struct id real;
	int got = table_get(s, TABLE_OBJECT, id_key(id), a, out, e);

	if (got < 0)
		return -1;
	if (!got) {
		got = object_file_map(s, id, out, e);
		return got > 0 ? 0 : got < 0 ? -1 : gone(id, e);
	}
	real = id_of(*out);
	if (!id_equal(&real, id))
		return remove_liar(s, id, ERR_MISSING, e);
	return 0;
}

int store_size(struct store *s, const struct id *id, uint64_t *n_bytes,
	       struct err *e)
{
	struct bytes b;
	int got = table_get(s, TABLE_OBJECT, id_key(id), NULL, &b, e);

	if (got < 0)
		return -1;
	if (got)
		*n_bytes = b.n;
	else if (!object_file_size(s, id, n_bytes))
		return gone(id, e);
	return 0;
}

int store_open_large(struct store *s, const struct id *id, int *fd,
		     struct err *e)
{
	struct bytes b;
	int got = table_get(s, TABLE_OBJECT, id_key(id), NULL, &b, e);

	*fd = -1;
	if (got)
		return got < 0 ? -1 : 0;
	got = object_file_open(s, id, fd, e);
	return got > 0 ? 0 : got < 0 ? -1 : gone(id, e);
}

int store_check(struct store *s, const struct id *id, struct err *e)
{
	struct arena a = { 0 };
	struct bytes b;
	struct id real;
	uint64_t n_bytes;
	int fd, got = table_get(s, TABLE_OBJECT, id_key(id), &a, &b, e);

	if (got > 0)
		real = id_of(b);
	arena_release(&a);
	if (got < 0)
		return -1;
	if (!got) {
		got = object_file_open_any(s, id, &fd, e);
		if (got <= 0)
			return got < 0 ? -1 : gone(id, e);
		got = id_of_fd(fd, &real, &n_bytes, e);
		close(fd);
		if (got < 0)
			return err_wrap(e, "object %.12s... in %s", id_hex(id).s, s->dir);
	}
	return id_equal(&real, id) ? 0 : remove_liar(s, id, ERR_BAD, e);
}

int store_drop(struct store *s, const struct id *id, struct err *e)
{
	struct bytes b;
	int got = table_get(s, TABLE_OBJECT, id_key(id), NULL, &b, e);

	if (got < 0 || store_may_write(s, e) < 0)
		return -1;
	if (got && store_table_delete(s, TABLE_OBJECT, id_key(id), e) < 0)
		return -1;
	return object_file_drop(s, id, e);
}

struct object_visit {
	struct store *s;
	int (*fn)(void *arg, const struct id *id, uint64_t n_bytes);
	void *arg;
	bool is_stopped;
};

static int visit_small(void *arg, struct bytes key, struct bytes value)
{
	struct object_visit *v = arg;
	struct place w;
	struct id id;

	if (key.n != ID_BYTES || !pack_place(value, &w))
		return 0;
	memcpy(id.b, key.p, ID_BYTES);
	v->is_stopped = v->fn(v->arg, &id, w.n) != 0;
	return v->is_stopped;
}

/* One that rests in both places was visited. */
static int visit_large(void *arg, const struct id *id, uint64_t n_bytes)
{
	const struct object_visit *v = arg;
	struct err ignored;
	struct bytes b;

	if (n_bytes <= STORE_SMALL &&
	    table_get(v->s, TABLE_OBJECT, id_key(id), NULL, &b, &ignored) > 0)
		return 0;
	return v->fn(v->arg, id, n_bytes);
}

int store_each_object(struct store *s,
		      int (*fn)(void *arg, const struct id *id, uint64_t n_bytes),
		      void *arg, struct err *e)
{
	struct object_visit v = { .s = s, .fn = fn, .arg = arg };

	if (store_table_each(s, TABLE_OBJECT, visit_small, &v, e) < 0)
		return -1;
	if (v.is_stopped)
		return 0;
	return object_file_each(s, "", visit_large, &v, e);
}

struct search {
	const char *hex;
	size_t n_hex;
	struct id *out;
	int n;
};

static int match(void *arg, const struct id *id, uint64_t n_bytes)
{
	struct search *f = arg;

	(void)n_bytes;
	if (memcmp(id_hex(id).s, f->hex, f->n_hex) != 0)
		return 0;
	if (f->n && id_equal(f->out, id))
		return 0;
	if (!f->n)
		*f->out = *id;
	return ++f->n == 2;
}

static int match_small(void *arg, struct bytes key, struct bytes value)
{
	struct id id;

	if (key.n != ID_BYTES)
		return 0;
	memcpy(id.b, key.p, ID_BYTES);
	return match(arg, &id, value.n);
}

int store_find(struct store *s, const char *hex, struct id *out, struct err *e)
{
	struct search f = { .hex = hex, .n_hex = strlen(hex), .out = out };
	char whole[ID_HEX + 1];
	struct id low;

	if (f.n_hex < 4 || f.n_hex > ID_HEX)
		return err_set(e, ERR_USAGE, "\"%.80s\": give 4 to %d hex digits",
			       hex, ID_HEX);
	memset(whole, '0', ID_HEX);
	memcpy(whole, hex, f.n_hex);
	if (!id_parse((struct bytes){ whole, ID_HEX }, &low))
		return err_set(e, ERR_USAGE, "\"%s\": these are not lower-case "
			       "hex digits", hex);
	if (table_each(s, TABLE_OBJECT, (struct bytes){ (char *)low.b, f.n_hex / 2 },
		       match_small, &f, e) < 0)
		return -1;
	if (f.n < 2 && object_file_each(s, hex, match, &f, e) < 0)
		return -1;
	return f.n;
}
