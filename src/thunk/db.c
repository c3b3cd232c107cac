/* db.c - one ordered table of keys and values, in LMDB
 *
 * Readers look at a map of the file and wait for nobody.  A writer never
 * holds its transaction between calls, because every gg on this store would
 * wait for it.
 *
 * A commit waits for the disk once, for the pages; the page that makes them
 * count is written after that and not waited for (MDB_NOMETASYNC).  A power
 * cut can thus take back the newest commit but never leaves half of one, and
 * what it takes back is made again by its thunk.  db_close waits for all of
 * it.  MDB_NOSYNC would be faster and could leave a file that does not open.
 * MDB_WRITEMAP would turn a full disk into a SIGBUS.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "db.h"
#include "disk.h"

struct db {
	char *path;
	bool is_read_only, has_no_lock, is_relaxed;
	bool has_committed;             /* there is a count to wait for */
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *read;          /* reset between calls; NULL until the first */
	unsigned n_walks;       /* db_each that are under way */
	const char *low, *high; /* values lent lately lie between these */
	uintptr_t map, map_end; /* around them; 0: not looked for */
	unsigned n_lent;
	size_t newest;          /* commit, when the reading began */
	jmp_buf escape;         /* see look_over and change_guarded */
	bool is_corrupt;
};

enum { MAP_BITS_MOST = 38, MAP_BITS_LEAST = 24, MAP_BITS_STEP = 2 };
enum { READERS = 1000, LOCK_FILE_BYTES = (READERS + 8) * 64 };
enum { RESIDENT_MAX = 32 << 20, LENT_MAX = 2000, READ_MAX = 16384, DROP_EVERY = 1024 };

static const struct {
	int rc;
	enum err_code code;
	const char *text;
} meanings[] = {
	{ MDB_MAP_FULL, ERR_REFUSED,
	  "it has outgrown the address space it is mapped in; "
	  "raise ulimit -v, or free some with gg gc" },
	{ MDB_READERS_FULL, ERR_RETRY,
	  "too many processes have it open; let some of them end" },
	{ MDB_INVALID, ERR_BAD,
	  "this is not a database; move it away, "
	  "then gg starts a new one and makes results again" },
	{ MDB_VERSION_MISMATCH, ERR_BAD,
	  "another version of the database library made it" },
	{ MDB_CORRUPTED, ERR_BAD,
	  "the database is damaged; move it away, "
	  "then gg starts a new one and makes results again" },
	{ MDB_PAGE_NOTFOUND, ERR_BAD,
	  "the database is damaged or cut short; move it away, "
	  "then gg starts a new one and makes results again" },
};

enum { FEW_BLOCKS = 64 };

/* The database calls a write that was cut short an input/output error. */
static bool disk_is_full(const struct db *d)
{
	struct statvfs v;

	return statvfs(d->path, &v) == 0 && v.f_bavail < FEW_BLOCKS;
}

static int fail(const struct db *d, int rc, struct err *e)
{
	if (rc == EIO && disk_is_full(d))
		rc = ENOSPC;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].rc == rc)
			return err_set(e, meanings[i].code, "%s: %s", d->path,
				       meanings[i].text);
	if (rc > 0)
		return disk_fail(rc, d->path, e);
	return err_set(e, ERR_IO, "%s: %s", d->path, mdb_strerror(rc));
}

/* The lock file is written through a map, where a full disk would be a
 * SIGBUS: have all of its blocks before the database maps it. */
static int prepare_lock_file(const struct db *d, struct err *e)
{
	char path[PATH_MAX];
	struct stat st;
	int fd, rc = 0;

	if (snprintf(path, sizeof(path), "%s-lock", d->path) >= (int)sizeof(path))
		return err_set(e, ERR_REFUSED, "%s: the path is too long", d->path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail(d, errno, e);
	if (fstat(fd, &st) < 0)
		rc = errno;
	else if (st.st_size < LOCK_FILE_BYTES)
		rc = posix_fallocate(fd, 0, LOCK_FILE_BYTES);
	close(fd);
	if (rc == ENOSPC)
		unlink(path);
	return rc ? fail(d, rc, e) : 0;
}

static const uint32_t MAGIC = 0xbeefc0de;
enum { MAGIC_AT = 16 };

/* A process that was killed, or met a full disk, while it made the file has
 * left the first of the two pages that the database looks for. */
static int drop_half_made(const struct db *d)
{
	off_t whole = 2 * sysconf(_SC_PAGESIZE);
	uint32_t magic = 0;
	struct stat st;
	int fd = open(d->path, O_RDWR | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : errno;
	if (fstat(fd, &st) < 0)
		rc = errno;
	else if (st.st_size > 0 && st.st_size < whole &&
		 pread(fd, &magic, sizeof(magic), MAGIC_AT) == sizeof(magic) &&
		 magic == MAGIC && ftruncate(fd, 0) < 0)
		rc = errno;
	close(fd);
	return rc;
}

/* What the file is to have, if that is more than it has; else 0. */
static int lacks(struct db *d, int fd, off_t *needs)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;

	mdb_env_info(d->env, &info);
	mdb_env_stat(d->env, &stat);
	if (fstat(fd, &st) < 0)
		return errno;
	*needs = (off_t)(info.me_last_pgno + 1) * stat.ms_psize;
	if (st.st_size >= *needs)
		*needs = 0;
	return 0;
}

/* Reading the map behind the end of the file would be a SIGBUS, so that the
 * file is given its last pages, as zeros, which the database never takes for
 * pages of its own.  It may rightly lack some: those that a commit took and
 * did not use.  *was_short says that it did.  Only who has the writers' lock may
 * set the size: what another commits meanwhile would be cut off. */
static int fill_up(struct db *d, bool *was_short)
{
	MDB_txn *txn;
	off_t needs = 0;
	int fd, rc;

	*was_short = false;
	rc = mdb_env_get_fd(d->env, &fd);
	if (!rc)
		rc = lacks(d, fd, &needs);
	if (rc || !needs)
		return rc;
	*was_short = true;
	if (d->is_read_only)
		return MDB_PAGE_NOTFOUND;
	rc = mdb_txn_begin(d->env, NULL, 0, &txn);
	if (rc)
		return rc;
	rc = lacks(d, fd, &needs);
	if (!rc && needs && ftruncate(fd, needs) < 0)
		rc = errno;
	mdb_txn_abort(txn);
	return rc;
}

static void escape(MDB_env *env, const char *text)
{
	struct db *d = mdb_env_get_userctx(env);

	(void)text;
	longjmp(d->escape, 1);
}

static int walk(MDB_cursor *c, bool all)
{
	MDB_val k, v;
	int rc = mdb_cursor_get(c, &k, &v, MDB_FIRST);

	while (!rc && all)
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Read one key, which shows most damage; all of them after the file was short,
 * since only that tells one that was cut off.  The database ends the program
 * for some kinds of damage, unless its complaint is left by a jump; nothing is
 * held then but what is given back below. */
static int look_over(struct db *d, bool all)
{
	MDB_txn *txn;
	MDB_cursor *c;
	int rc = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn);

	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &d->dbi);
	if (rc || (rc = mdb_cursor_open(txn, d->dbi, &c))) {
		mdb_txn_abort(txn);
		return rc;
	}
	mdb_env_set_userctx(d->env, d);
	mdb_env_set_assert(d->env, escape);
	rc = setjmp(d->escape) ? MDB_CORRUPTED : walk(c, all);
	mdb_env_set_assert(d->env, NULL);
	mdb_cursor_close(c);
	/* The handle is kept by a commit only. */
	if (!rc)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* One process at a time: who opens the database first sets its lock file up anew,
 * and when that one is killed in the midst, another who waits inside LMDB would go
 * on with half of that, and overwrite what was committed.  Ours is let go of by
 * the kernel as well.  The descriptor, or -1: then there is nothing to lock yet.
 * Not the lock file's, since to close that would give up LMDB's own locks. */
static int hold_others_off(const struct db *d)
{
	int fd = open(d->path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int try_open(struct db *d, int map_bits)
{
	unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMETASYNC;
	int rc = mdb_env_create(&d->env), fd, held;
	bool was_short;

	if (rc)
		return rc;
	if (d->is_read_only)
		flags |= MDB_RDONLY;
	if (d->is_relaxed)
		flags |= MDB_NOSYNC;
	if (d->has_no_lock)
		flags |= MDB_NOLOCK;
	rc = mdb_env_set_mapsize(d->env, (size_t)1 << map_bits);
	if (!rc)
		rc = mdb_env_set_maxreaders(d->env, READERS);
	held = hold_others_off(d);
	if (!rc)
		rc = mdb_env_open(d->env, d->path, flags, 0644);
	if (held >= 0)
		close(held);
	if (!rc && mdb_env_get_fd(d->env, &fd) == 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (!rc)
		rc = fill_up(d, &was_short);
	if (!rc)
		rc = look_over(d, was_short);
	if (!rc)
		return 0;
	mdb_env_close(d->env);
	d->env = NULL;
	return rc;
}

/* As much address space as can be had. */
static int attach(struct db *d)
{
	int bits = MAP_BITS_MOST, rc;

	while ((rc = try_open(d, bits)) == ENOMEM && bits > MAP_BITS_LEAST)
		bits -= MAP_BITS_STEP;
	if ((rc == EACCES || rc == EROFS) && d->is_read_only && !d->has_no_lock) {
		/* Without the right to write the lock file no reader can be
		 * seen by writers; objects are checked against their names. */
		d->has_no_lock = true;
		return attach(d);
	}
	return rc;
}

static void detach(struct db *d)
{
	if (d->read)
		mdb_txn_abort(d->read);
	d->read = NULL;
	if (d->env)
		mdb_env_close(d->env);
	d->env = NULL;
	d->low = d->high = NULL;
	d->map = d->map_end = 0;
}

/* Another process has made the file larger than the map. */
static int map_again(struct db *d)
{
	d->low = d->high = NULL;
	d->map = d->map_end = 0;
	return mdb_env_set_mapsize(d->env, 0);
}

/* Start reading the newest commit. */
static int begin(struct db *d, MDB_txn **txn)
{
	int rc;

	for (int tries = 0;; tries++) {
		rc = *txn ? mdb_txn_renew(*txn)
			  : mdb_txn_begin(d->env, NULL, MDB_RDONLY, txn);
		if (rc == MDB_READERS_FULL && tries == 0)
			mdb_reader_check(d->env, NULL);
		else if (rc == MDB_MAP_RESIZED && tries < 3 && !d->n_walks)
			rc = map_again(d);
		else
			return rc;
		if (rc && rc != MDB_READERS_FULL)
			return rc;
	}
}

int db_open(const char *path, bool is_read_only, struct db **out,
	    struct err *e)
{
	struct db *d = memset(mem_alloc(sizeof(*d)), 0, sizeof(*d));
	int rc;

	d->path = mem_str(path);
	d->is_read_only = is_read_only;
	if (!is_read_only && prepare_lock_file(d, e) < 0)
		goto out;
	rc = is_read_only ? 0 : drop_half_made(d);
	if (!rc)
		rc = attach(d);
	if (!rc && !d->has_no_lock)
		rc = mdb_reader_check(d->env, NULL);
	if (!rc) {
		*out = d;
		return 0;
	}
	fail(d, rc, e);
out:
	detach(d);
	free(d->path);
	free(d);
	return -1;
}

void db_relax(struct db *d)
{
	d->is_relaxed = true;
	mdb_env_set_flags(d->env, MDB_NOSYNC, 1);
}

int db_close(struct db *d, struct err *e)
{
	int rc = d->has_committed && !d->is_relaxed ? mdb_env_sync(d->env, 1) : 0;

	if (rc)
		fail(d, rc, e);
	detach(d);
	free(d->path);
	free(d);
	return rc ? -1 : 0;
}

void db_abandon(struct db *d)
{
	free(d->path);
	free(d);
}

static MDB_val val(struct bytes b)
{
	return (MDB_val){ .mv_size = b.n, .mv_data = (void *)b.p };
}

static struct bytes unval(MDB_val v)
{
	return (struct bytes){ v.mv_data, v.mv_size };
}

/* Without the lock file a writer may have used a page again while it was
 * read.  That takes two commits, so that an unchanged counter proves it was
 * not. */
static size_t newest(const struct db *d)
{
	MDB_envinfo info;

	mdb_env_info(d->env, &info);
	return info.me_last_txnid;
}

int db_begin(struct db *d, struct err *e)
{
	int rc;

	d->newest = d->has_no_lock ? newest(d) : 0;
	rc = begin(d, &d->read);
	return rc ? fail(d, rc, e) : 0;
}

/* LMDB tells nobody where its map is: what else than values was touched there is
 * known to the kernel alone. */
static void find_map(struct db *d)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 100];

	while (f && !d->map && fgets(line, sizeof line, f)) {
		char *rest;
		uintptr_t from = strtoull(line, &rest, 16);
		uintptr_t to = *rest == '-' ? strtoull(rest + 1, NULL, 16) : 0;

		if (from <= (uintptr_t)d->low && (uintptr_t)d->low < to) {
			d->map = from;
			d->map_end = to;
		}
	}
	if (f)
		fclose(f);
}

static void drop_pages(const struct db *d)
{
	if (d->map)
		madvise((void *)d->map, d->map_end - d->map, MADV_DONTNEED);
}

/* Pages that were read count as this process's memory.  The kernel has them
 * still when their place in this process goes. */
static void let_go_of_pages(struct db *d, size_t least)
{
	if (d->n_lent < least || (size_t)(d->high - d->low) < RESIDENT_MAX)
		return;
	if (!d->map)
		find_map(d);
	drop_pages(d);
	d->low = d->high = NULL;
	d->n_lent = 0;
}

int db_peek(struct db *d, struct bytes key, struct bytes *out, struct err *e)
{
	MDB_val k = val(key), v;
	int rc = mdb_get(d->read, d->dbi, &k, &v);
	const char *p;

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return fail(d, rc, e);
	p = v.mv_data;
	if (!d->low || p < d->low)
		d->low = p;
	if (p + v.mv_size > d->high)
		d->high = p + v.mv_size;
	d->n_lent++;
	*out = unval(v);
	return 1;
}

bool db_end(struct db *d)
{
	mdb_txn_reset(d->read);
	let_go_of_pages(d, READ_MAX);
	return !d->has_no_lock || newest(d) == d->newest;
}

int db_each(struct db *d, struct bytes prefix,
	    int (*fn)(void *arg, struct bytes key, struct bytes value),
	    void *arg, struct err *e)
{
	MDB_txn *txn = NULL;
	MDB_cursor *c = NULL;
	MDB_val k = val(prefix), v;
	int rc = begin(d, &txn);

	if (rc)
		return fail(d, rc, e);
	d->n_walks++;
	rc = mdb_cursor_open(txn, d->dbi, &c);
	if (!rc)
		rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (!rc) {
		if (k.mv_size < prefix.n || memcmp(k.mv_data, prefix.p, prefix.n) != 0)
			break;
		if (fn(arg, unval(k), unval(v)))
			break;
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	if (c)
		mdb_cursor_close(c);
	mdb_txn_abort(txn);
	d->n_walks--;
	return rc && rc != MDB_NOTFOUND ? fail(d, rc, e) : 0;
}

static int change_all(struct db *d, struct db_change *const *v, size_t n)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(d->env, NULL, 0, &txn);

	if (rc)
		return rc;
	for (size_t i = 0; i < n && !rc; i++) {
		MDB_val key = val(v[i]->key), value = val(v[i]->value);

		if (!v[i]->deletes)
			rc = mdb_put(txn, d->dbi, &key, &value, 0);
		else if ((rc = mdb_del(txn, d->dbi, &key, NULL)) == MDB_NOTFOUND)
			rc = 0;
		/* Each lies elsewhere, and comes with its neighbours. */
		if (i % DROP_EVERY == DROP_EVERY - 1)
			drop_pages(d);
	}
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

/* The database would end the program for some damage that only a write meets.
 * What is left by a jump holds the writers' lock until this process ends, so
 * that it must not write any more. */
static int change_guarded(struct db *d, struct db_change *const *v, size_t n)
{
	int rc;

	if (d->is_corrupt)
		return MDB_CORRUPTED;
	mdb_env_set_userctx(d->env, d);
	mdb_env_set_assert(d->env, escape);
	rc = setjmp(d->escape) ? MDB_CORRUPTED : change_all(d, v, n);
	mdb_env_set_assert(d->env, NULL);
	d->is_corrupt = rc == MDB_CORRUPTED;
	return rc;
}

int db_commit(struct db *d, struct db_change *const *v, size_t n, struct err *e)
{
	bool was_short;
	int rc;

	d->has_committed = true;
	for (int tries = 0;; tries++) {
		rc = change_guarded(d, v, n);
		if (tries == 2 || !rc || d->n_walks)
			break;
		if (rc == MDB_MAP_RESIZED)
			rc = map_again(d);
		else if (rc == MDB_MAP_FULL)
			rc = mdb_reader_check(d->env, NULL);
		else if (rc == MDB_PANIC) {
			/* A commit failed in its last step: the database wants
			 * to be opened anew, and is as before that commit. */
			detach(d);
			rc = attach(d);
		} else {
			break;
		}
		if (rc)
			break;
	}
	if (!rc)
		rc = fill_up(d, &was_short);
	if (rc)
		return fail(d, rc, e);
	let_go_of_pages(d, LENT_MAX);
	return 0;
}
