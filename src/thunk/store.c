/* store.c - a store's folder: opening, closing, what a flush does and when
 *
 *	version         "store 1": what made it, in words any version can read
 *	db, db-lock     small objects and all tables
 *	objects/HH/HEX  large objects, read-only files
 *	objects/tmp     files that are being written, each locked by its writer
 *	claims          a word for each thunk that is being made (claim.c)
 *
 * The order in a flush is what makes a power cut harmless: first the folders
 * that hold new object files and new names in the project, then the records
 * that speak of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "file.h"
#include "store_private.h"

enum { STORE_VERSION = 1, VERSION_FILE_MAX = 256 };

static int fail_at(const struct store *s, const char *name, struct err *e)
{
	char path[4096];
	int errnum = errno;

	snprintf(path, sizeof(path), "%s%s%s", s->dir, *name ? "/" : "", name);
	return disk_fail(errnum, path, e);
}

int store_is_mine(const struct store *s, struct err *e)
{
	if (*s->is_mine)
		return 0;
	return err_set(e, ERR_REFUSED, "%s: this store was opened before a fork; "
		       "the child must open its own", s->dir);
}

int store_may_write(const struct store *s, struct err *e)
{
	if (s->is_read_only)
		return err_set(e, ERR_REFUSED, "%s: this store is open for reading "
			       "only; make it writable (chmod, mount), or set GG_DIR "
			       "to a folder elsewhere", s->dir);
	return store_is_mine(s, e);
}

static int write_version(struct store *s, struct err *e)
{
	char text[32];

	if (faccessat(s->dir_fd, ".", W_OK, 0) < 0)
		return fail_at(s, "", e);
	snprintf(text, sizeof(text), "store %d\n", STORE_VERSION);
	if (file_write(s->dir_fd, "version", bytes_str(text), 0644, FILE_SYNC, e) < 0)
		return err_wrap(e, "%s", s->dir);
	return 0;
}

/* 1 this version's store, 0 none yet. */
static int read_version(struct store *s, struct err *e)
{
	struct arena a = { 0 };
	struct bytes b;
	int version = 0, end = 0, rc = 1;

	if (file_read(s->dir_fd, "version", VERSION_FILE_MAX, &a, &b, e) < 0) {
		rc = e->code == ERR_MISSING ? 0 : -1;
		if (rc < 0)
			err_wrap(e, "%s", s->dir);
	} else if (sscanf(b.p, "store %9d%n", &version, &end) != 1 ||
		   b.p[end] != '\n' || version < 1) {
		rc = err_set(e, ERR_BAD, "%s/version: this is no store's version; "
			     "is %s really a store?", s->dir, s->dir);
	} else if (version > STORE_VERSION) {
		rc = err_set(e, ERR_BAD, "%s: a newer gg made this store (store %d; "
			     "this gg knows store %d); use that gg, or set GG_DIR to "
			     "another folder", s->dir, version, STORE_VERSION);
	}
	arena_release(&a);
	return rc;
}

static int open_folder(struct store *s, bool creates, struct err *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int rc;

	s->dir_fd = open(s->dir, flags);
	if (s->dir_fd < 0 && errno == ENOENT && creates) {
		if (dir_make_above(AT_FDCWD, s->dir, e) < 0)
			return -1;
		if (mkdir(s->dir, 0755) < 0 && errno != EEXIST)
			return fail_at(s, "", e);
		s->dir_fd = open(s->dir, flags);
	}
	if (s->dir_fd < 0 && errno == ENOENT)
		return err_set(e, ERR_MISSING, "%s: there is no store here; "
			       "gg init makes one", s->dir);
	if (s->dir_fd < 0)
		return fail_at(s, "", e);
	rc = read_version(s, e);
	if (rc < 0)
		return -1;
	if (rc == 0 && !creates)
		return err_set(e, ERR_MISSING, "%s: there is no store here; "
			       "gg init makes one", s->dir);
	if (rc == 0 && write_version(s, e) < 0)
		return -1;
	if (!s->is_read_only && mkdirat(s->dir_fd, "objects", 0755) < 0 &&
	    errno != EEXIST)
		return fail_at(s, "objects", e);
	s->objects_fd = openat(s->dir_fd, "objects", flags);
	if (s->objects_fd < 0)
		return fail_at(s, "objects", e);
	return 0;
}

/* Both would be wrong in the child of a fork: the database's locks, and its
 * place among the readers. */
static int mark_as_mine(struct store *s, struct err *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *p = mmap(NULL, page, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return disk_fail(errno, s->dir, e);
	s->is_mine = p;
	if (madvise(p, page, MADV_WIPEONFORK) < 0)
		return disk_fail(errno, s->dir, e);
	*p = 1;
	return 0;
}

static void release(struct store *s)
{
	claim_release(s);
	object_file_release(s);
	table_release(s);
	names_release(s);
	if (s->is_mine)
		munmap((void *)s->is_mine, (size_t)sysconf(_SC_PAGESIZE));
	if (s->objects_fd >= 0)
		close(s->objects_fd);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	arena_release(&s->scratch);
	hash_free(s->hash);
	free(s->noted);
	free(s->piece);
	free(s->dir);
	free(s);
}

/* Where it cannot be known all is as if the machine were never started anew. */
static uint64_t read_boot(void)
{
	char text[37] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	uint64_t boot = 0;
	struct id id;

	if (fd < 0)
		return 0;
	if (file_read_fd(fd, text, sizeof(text) - 1) > 0) {
		id = id_of(bytes_str(text));
		memcpy(&boot, id.b, sizeof(boot));
	}
	close(fd);
	return boot;
}

uint64_t store_boot(const struct store *s)
{
	return s->boot;
}

int store_open(const char *dir, unsigned flags, struct store **out,
	       struct err *e)
{
	struct store *s = memset(mem_alloc(sizeof(*s)), 0, sizeof(*s));
	struct arena a = { 0 };

	s->dir = mem_str(dir);
	s->dir_fd = s->objects_fd = s->claims_fd = -1;
	s->is_read_only = flags & STORE_READ_ONLY;
	s->is_volatile = flags & STORE_VOLATILE;
	s->boot = read_boot();
	s->piece = mem_alloc(PIECE_BYTES);
	s->hash = hash_new();
	if (mark_as_mine(s, e) < 0 ||
	    open_folder(s, (flags & STORE_CREATE) && !s->is_read_only, e) < 0 ||
	    db_open(arena_printf(&a, "%s/db", dir), s->is_read_only, &s->db, e) < 0) {
		arena_release(&a);
		release(s);
		return -1;
	}
	arena_release(&a);
	if (s->is_volatile)
		db_relax(s->db);
	if (!s->is_read_only)
		object_file_tidy(s);
	*out = s;
	return 0;
}

int store_close(struct store *s, struct err *e)
{
	int rc;

	if (!s)
		return 0;
	if (!*s->is_mine) {
		db_abandon(s->db);
		release(s);
		return 0;
	}
	rc = store_flush(s, e);
	if (rc < 0) {
		struct err ignored;

		db_close(s->db, &ignored);
	} else {
		rc = db_close(s->db, e);
	}
	release(s);
	return rc;
}

int store_flush(struct store *s, struct err *e)
{
	if (s->is_read_only)
		return 0;
	if (store_is_mine(s, e) < 0 || stat_trust(s, e) < 0 ||
	    object_file_sync(s, e) < 0 || names_sync(s, e) < 0)
		return -1;
	return table_commit(s, e);
}

int store_settle(struct store *s, struct err *e)
{
	if (!s->is_read_only)
		stat_wait(s);
	return store_flush(s, e);
}

size_t store_pending_bytes(const struct store *s)
{
	return s->pending_bytes;
}

int store_put_result(struct store *s, const struct id *thunk,
		     const struct result *r, struct err *e)
{
	struct buf b = { 0 };
	int rc = result_encode(r, &b, e);

	if (rc == 0)
		rc = store_table_put(s, TABLE_RESULT, id_key(thunk), buf_bytes(&b), e);
	buf_release(&b);
	return rc;
}

int store_get_result(struct store *s, const struct id *thunk, struct arena *a,
		     struct result *out, struct err *e)
{
	struct bytes b;
	int got = table_get(s, TABLE_RESULT, id_key(thunk), a, &b, e);

	if (got < 0)
		return -1;
	if (!got)
		return err_set(e, ERR_MISSING, "thunk %.12s has no result yet",
			       id_hex(thunk).s);
	if (result_decode(b, a, out, e) < 0)
		return err_wrap(e, "result of thunk %.12s", id_hex(thunk).s);
	return 0;
}
