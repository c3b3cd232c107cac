/* stat.c - which file has which name, without reading it again
 *
 * A name holds as long as device, inode, size, mtime and ctime are all what
 * they were.  ctime is what makes that safe: no program can set it, so that
 * an edit that puts the mtime back shows all the same.  Times are compared
 * for equality only; a clock that is set back harms nothing.
 *
 * One thing they cannot show: an edit in the same tick of the clock as the
 * change before it.  So a file whose ctime was within the tick in which it
 * was read is marked, and read again next time.  What gg itself has just
 * written is marked too, and trusted once the clock has gone on (stat_trust).
 *
 * After a power cut a file can have the times that it had and not the bytes.
 * So an entry that was made when its file was so young that the kernel may not
 * have written it out counts until the machine is started anew, and no longer.
 *
 *	device, inode  ->  struct entry, in this machine's byte order
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "stat_private.h"

struct entry_key {
	unsigned char b[16];
};

struct stat_entry {
	uint64_t size;
	int64_t mtime_ns, ctime_ns;
	uint64_t marks;         /* and in the other bits, of which boot it is */
	struct id id;
};

enum { MARK_RACY = 1, MARK_WRITTEN_OUT = 2, MARKS = 3 };
/* Linux begins to write out what is 30 seconds old. */
enum { WRITTEN_OUT_S = 120 };

enum { SECOND_NS = 1000000000 };

static int64_t ns_of(struct timespec t)
{
	return (int64_t)t.tv_sec * SECOND_NS + t.tv_nsec;
}

int64_t stamp_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return ns_of(t);
}

static int64_t tick_ns(void)
{
	struct timespec t;

	clock_getres(CLOCK_REALTIME_COARSE, &t);
	return ns_of(t);
}

struct stamp stamp_of(const struct stat *st)
{
	return (struct stamp){
		.dev = st->st_dev, .ino = st->st_ino, .size = (uint64_t)st->st_size,
		.mtime_ns = ns_of(st->st_mtim), .ctime_ns = ns_of(st->st_ctim),
	};
}

bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
		a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* Could a change after `from` bear this ctime too?  A file system that keeps
 * whole seconds, as their absence shows, has a tick of two. */
static bool is_racy(const struct stamp *t, int64_t from, int64_t to)
{
	bool is_coarse = t->ctime_ns % SECOND_NS == 0 && t->mtime_ns % SECOND_NS == 0;
	int64_t slack = is_coarse ? 2 * (int64_t)SECOND_NS : 0;

	return t->ctime_ns + slack >= from && t->ctime_ns <= to + slack + tick_ns();
}

/* Big-endian, so that neighbours on the disk are neighbours in the table. */
static struct bytes key_of(uint64_t dev, uint64_t ino, struct entry_key *k)
{
	for (int i = 0; i < 8; i++) {
		k->b[i] = (unsigned char)(dev >> (56 - 8 * i));
		k->b[8 + i] = (unsigned char)(ino >> (56 - 8 * i));
	}
	return (struct bytes){ (const char *)k->b, sizeof(k->b) };
}

static bool entry_get(struct store *s, uint64_t dev, uint64_t ino,
		      struct stat_entry *out)
{
	struct entry_key k;
	struct err ignored;
	struct bytes b;

	/* An entry that cannot be read is one that is not there. */
	arena_reset(&s->scratch);
	if (table_get(s, TABLE_STAT, key_of(dev, ino, &k), &s->scratch, &b,
		      &ignored) <= 0 ||
	    b.n != sizeof(*out))
		return false;
	memcpy(out, b.p, sizeof(*out));
	return true;
}

static int entry_put(struct store *s, const struct stamp *t,
		     const struct id *id, bool racy, struct err *e)
{
	struct stat_entry n = { .size = t->size, .mtime_ns = t->mtime_ns,
				.ctime_ns = t->ctime_ns, .id = *id,
				.marks = s->boot & ~(uint64_t)MARKS };
	struct entry_key k;

	if (s->is_read_only)
		return 0;
	if (racy)
		n.marks |= MARK_RACY;
	if (stamp_clock() - t->ctime_ns > WRITTEN_OUT_S * (int64_t)SECOND_NS)
		n.marks |= MARK_WRITTEN_OUT;
	return store_table_put(s, TABLE_STAT, key_of(t->dev, t->ino, &k),
			       (struct bytes){ (char *)&n, sizeof(n) }, e);
}

bool stamp_is_old(const struct stamp *t)
{
	int64_t now = stamp_clock();

	return !is_racy(t, now, now);
}

/* The entry of this very stamp, unless a power cut may have come since. */
static bool entry_find(struct store *s, const struct stamp *t, struct stat_entry *n)
{
	return entry_get(s, t->dev, t->ino, n) && n->size == t->size &&
		n->mtime_ns == t->mtime_ns && n->ctime_ns == t->ctime_ns &&
		(n->marks & MARK_WRITTEN_OUT || !((n->marks ^ s->boot) & ~(uint64_t)MARKS));
}

bool stat_known(struct store *s, const struct stamp *t, struct id *out)
{
	struct stat_entry n;

	if (!entry_find(s, t, &n) || n.marks & MARK_RACY)
		return false;
	*out = n.id;
	return true;
}

bool stat_has_lasted(struct store *s, const struct stamp *t, struct id *out)
{
	struct stat_entry n;

	if (!entry_find(s, t, &n))
		return false;
	*out = n.id;
	return true;
}

int stat_learn(struct store *s, const struct stamp *t, const struct id *id,
	       struct err *e)
{
	return entry_put(s, t, id, false, e);
}

bool stat_guess(struct store *s, const struct stat *st, struct id *out)
{
	struct stat_entry n;

	if (!entry_get(s, st->st_dev, st->st_ino, &n) ||
	    n.size != (uint64_t)st->st_size)
		return false;
	*out = n.id;
	return true;
}

int stat_note(struct store *s, const struct stat *st, const struct id *id,
	      struct err *e)
{
	struct stamp t = stamp_of(st);
	int64_t now = stamp_clock();
	bool racy = is_racy(&t, now, now);

	if (entry_put(s, &t, id, racy, e) < 0)
		return -1;
	if (!racy || s->is_read_only)
		return 0;
	if (s->n_noted == s->noted_room) {
		s->noted_room = s->noted_room ? 2 * s->noted_room : 64;
		s->noted = mem_grow(s->noted, s->noted_room * sizeof(*s->noted));
	}
	s->noted[s->n_noted++] = (struct noted){ t.dev, t.ino, t.ctime_ns };
	return 0;
}

int stat_trust(struct store *s, struct err *e)
{
	int64_t now = stamp_clock();
	size_t kept = 0;

	for (size_t i = 0; i < s->n_noted; i++) {
		struct noted w = s->noted[i];
		struct stat_entry n;
		struct stamp t;

		if (!entry_get(s, w.dev, w.ino, &n) || n.ctime_ns != w.ctime_ns)
			continue;
		t = (struct stamp){ w.dev, w.ino, n.size, n.mtime_ns, n.ctime_ns };
		if (is_racy(&t, now, now))
			s->noted[kept++] = w;
		else if (entry_put(s, &t, &n.id, false, e) < 0)
			return -1;
	}
	s->n_noted = kept;
	return 0;
}

/* Two ticks at most: a ctime far ahead is that of a clock that was set back,
 * and such an entry is not marked. */
void stat_wait(const struct store *s)
{
	int64_t last = 0, now = stamp_clock(), tick = tick_ns();

	for (size_t i = 0; i < s->n_noted; i++)
		if (s->noted[i].ctime_ns > last && s->noted[i].ctime_ns <= now + tick)
			last = s->noted[i].ctime_ns;
	for (int tries = 0; tries < 20 && last >= stamp_clock(); tries++) {
		struct timespec t = { .tv_nsec = (long)(tick / 8 + 1000) };

		nanosleep(&t, NULL);
	}
}

int stat_fail(int errnum, const char *path, struct err *e)
{
	if (errnum == EACCES || errnum == EPERM)
		return err_set(e, ERR_REFUSED, "%s: permission denied; make it "
			       "readable (chmod, chown)", path);
	if (errnum == ENOENT)
		return err_set(e, ERR_MISSING, "%s: there is no such file", path);
	errno = errnum;
	return err_sys(e, "%s", path);
}

/* 1 and the name of the bytes in fd, 0 if they are not as many as st says. */
static int read_open(struct store *s, int fd, const struct stat *st,
		     unsigned flags, struct id *out, struct err *e)
{
	uint64_t n_bytes;

	if (flags & STAT_KEEP)
		return object_put_fd(s, fd, st, out, e);
	if (id_of_fd(fd, out, &n_bytes, e) < 0)
		return -1;
	return n_bytes == (uint64_t)st->st_size;
}

/* Read the file that f->st was said of, put it if it is to be kept.  1 and
 * its name, 0 if it changes meanwhile, -1. */
static int read_file(struct store *s, int dirfd, struct named *f,
		     unsigned flags, struct id *out, struct err *e)
{
	int64_t from = stamp_clock();
	struct stamp before = stamp_of(&f->st), after;
	int fd = openat(dirfd, f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
			O_NOCTTY | f->open_flags);
	int rc;

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? 0 :
			stat_fail(errno, f->path, e);
	rc = read_open(s, fd, &f->st, flags, out, e);
	if (rc < 0)
		err_wrap(e, "%s", f->path);
	else if (fstat(fd, &f->st) < 0)
		rc = err_sys(e, "%s", f->path);
	close(fd);
	if (rc <= 0)
		return rc;
	after = stamp_of(&f->st);
	if (!stamp_equal(&before, &after))
		return 0;
	return entry_put(s, &after, out, is_racy(&after, from, stamp_clock()), e) < 0 ?
		-1 : 1;
}

int stat_name_of(struct store *s, int dirfd, struct named *f, unsigned flags,
		 struct id *out, struct err *e)
{
	for (int tries = 0; tries < 4; tries++) {
		struct stamp t;
		int rc;

		if (tries && fstatat(dirfd, f->path, &f->st,
				     f->open_flags ? AT_SYMLINK_NOFOLLOW : 0) < 0)
			return stat_fail(errno, f->path, e);
		if (!S_ISREG(f->st.st_mode))
			return err_set(e, ERR_BAD, "%s: this is not a regular file",
				       f->path);
		t = stamp_of(&f->st);
		if (stat_known(s, &t, out) &&
		    (!(flags & STAT_KEEP) || store_has(s, out)))
			return 0;
		rc = read_file(s, dirfd, f, flags, out, e);
		if (rc)
			return rc < 0 ? -1 : 0;
	}
	return err_set(e, ERR_RETRY, "%s: it changes while it is read; "
		       "try again once nothing writes to it", f->path);
}

int stat_name(struct store *s, int dirfd, const char *path, unsigned flags,
	      struct id *out, struct stat *st, struct err *e)
{
	struct named f = { .path = path };
	int rc;

	if (fstatat(dirfd, path, &f.st, 0) < 0)
		return stat_fail(errno, path, e);
	rc = stat_name_of(s, dirfd, &f, flags, out, e);
	if (st)
		*st = f.st;
	return rc;
}
