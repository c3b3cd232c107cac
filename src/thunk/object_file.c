/* object_file.c - large objects: read-only files objects/HH/HEX
 *
 * A file appears under its name only after its bytes are on the disk.  It is
 * written in objects/tmp under a lock, so that what a killed process has left
 * there can be told from what a living one is writing, also by a process
 * that does not see the other's id.
 *
 * The bytes of a new file are hashed from the same memory that is written, or
 * from a clone that nobody else can change: what is kept always has its name,
 * whatever happens to the original meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "file.h"
#include "store_private.h"

static int fail(const struct store *s, const char *name, struct err *e)
{
	char path[4096];
	int errnum = errno;

	snprintf(path, sizeof(path), "%s/objects/%s", s->dir, name);
	return disk_fail(errnum, path, e);
}

int store_objects_fd(const struct store *s)
{
	return s->objects_fd;
}

struct object_path store_object_path(const struct id *id)
{
	struct id_hex h = id_hex(id);
	struct object_path p;

	memcpy(p.s, h.s, 2);
	p.s[2] = '/';
	memcpy(p.s + 3, h.s + 2, ID_HEX - 1);
	return p;
}

void store_temp_drop(struct store *s, struct store_temp *t)
{
	unlinkat(s->objects_fd, t->name, 0);
	close(t->fd);
}

int store_temp_open(struct store *s, struct store_temp *t, struct err *e)
{
	struct stat st;

	if (store_may_write(s, e) < 0)
		return -1;
	t->is_volatile = s->is_volatile;
	for (int tries = 0; tries < 1000; tries++) {
		snprintf(t->name, sizeof(t->name), "tmp/%d-%u", (int)getpid(),
			 s->n_temps++);
		t->fd = openat(s->objects_fd, t->name,
			       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
		if (t->fd < 0 && errno == ENOENT) {
			if (mkdirat(s->objects_fd, "tmp", 0755) < 0 && errno != EEXIST)
				return fail(s, "tmp", e);
			continue;
		}
		if (t->fd < 0 && errno == EEXIST)
			continue;
		if (t->fd < 0)
			return fail(s, t->name, e);
		/* A tidier process may have come between the two calls. */
		if (flock(t->fd, LOCK_EX | LOCK_NB) == 0 &&
		    fstat(t->fd, &st) == 0 && st.st_nlink > 0)
			return 0;
		store_temp_drop(s, t);
	}
	return err_set(e, ERR_IO, "%s/objects/tmp: no file can be made there",
		       s->dir);
}

static const struct timespec put_times[2] = {
	{ .tv_nsec = UTIME_OMIT }, { .tv_sec = STORE_OBJECT_TIME },
};

int store_temp_seal(const struct store_temp *t, struct err *e)
{
	if (fchmod(t->fd, 0444) < 0 || futimens(t->fd, put_times) < 0 ||
	    (!t->is_volatile && fsync(t->fd) < 0))
		return disk_fail(errno, "a new object", e);
	return 0;
}

int store_temp_keep(struct store *s, struct store_temp *t, const struct id *id,
		    struct err *e)
{
	struct object_path p = store_object_path(id);
	int rc;

	rc = renameat(s->objects_fd, t->name, s->objects_fd, p.s);
	if (rc < 0 && errno == ENOENT) {
		p.s[2] = 0;
		if (mkdirat(s->objects_fd, p.s, 0755) < 0 && errno != EEXIST)
			goto fail;
		p.s[2] = '/';
		rc = !s->is_volatile && fsync(s->objects_fd) < 0 ? -1 :
			renameat(s->objects_fd, t->name, s->objects_fd, p.s);
	}
	if (rc < 0)
		goto fail;
	s->dirty[id->b[0] / 8] |= (unsigned char)(1 << id->b[0] % 8);
	close(t->fd);
	return 0;
fail:
	fail(s, p.s, e);
	store_temp_drop(s, t);
	return -1;
}

/* Put the finished file in its place, or drop it. */
static int temp_end(struct store *s, struct store_temp *t, const struct id *id,
		    struct err *e)
{
	if (fchmod(t->fd, 0444) < 0 || futimens(t->fd, put_times) < 0 ||
	    (!t->is_volatile && fsync(t->fd) < 0)) {
		fail(s, store_object_path(id).s, e);
		store_temp_drop(s, t);
		return -1;
	}
	return store_temp_keep(s, t, id, e);
}

int object_file_put(struct store *s, const struct id *id, struct bytes b,
		    struct err *e)
{
	struct store_temp t;

	if (store_temp_open(s, &t, e) < 0)
		return -1;
	if (file_write_fd(t.fd, b.p, b.n) < 0) {
		fail(s, t.name, e);
		store_temp_drop(s, &t);
		return -1;
	}
	return temp_end(s, &t, id, e);
}

/* A write that starts early leaves less to wait for at the end. */
enum { WRITE_AHEAD = 8 << 20 };

/* Copy [at, end) and hash it.  1, 0 if the file ended before, -1. */
static int copy_range(struct store *s, int in, const struct store_temp *t, off_t at,
		      off_t end, struct err *e)
{
	while (at < end) {
		size_t want = end - at < PIECE_BYTES ? (size_t)(end - at) : PIECE_BYTES;
		ssize_t n = pread(in, s->piece, want, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "cannot read");
		if (n == 0)
			return 0;
		hash_add(s->hash, s->piece, (size_t)n);
		if (lseek(t->fd, at, SEEK_SET) < 0 ||
		    file_write_fd(t->fd, s->piece, (size_t)n) < 0)
			return fail(s, t->name, e);
		at += n;
		if (at % WRITE_AHEAD == 0)
			sync_file_range(t->fd, at - WRITE_AHEAD, WRITE_AHEAD,
					SYNC_FILE_RANGE_WRITE);
	}
	return 1;
}

static void hash_hole(struct store *s, off_t n)
{
	memset(s->piece, 0, PIECE_BYTES);
	while (n > 0) {
		size_t some = n < PIECE_BYTES ? (size_t)n : PIECE_BYTES;

		hash_add(s->hash, s->piece, some);
		n -= (off_t)some;
	}
}

/* Copy all data, leave the holes, hash both. */
static int copy_sparse(struct store *s, int in, const struct store_temp *t,
		       off_t size, struct err *e)
{
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(in, at, SEEK_DATA), hole;
		int rc;

		if (data < 0 && errno != ENXIO)
			return copy_range(s, in, t, at, size, e);
		if (data < 0 || data > size)
			data = size;
		hash_hole(s, data - at);
		if (data == size)
			break;
		hole = lseek(in, data, SEEK_HOLE);
		if (hole < 0 || hole > size)
			hole = size;
		rc = copy_range(s, in, t, data, hole, e);
		if (rc <= 0)
			return rc;
		at = hole;
	}
	if (ftruncate(t->fd, size) < 0)
		return fail(s, t->name, e);
	return 1;
}

static int copy_and_hash(struct store *s, int in, const struct stat *st,
			 const struct store_temp *t, struct id *id, struct err *e)
{
	uint64_t n_bytes;
	int rc;

	if (ioctl(t->fd, FICLONE, in) == 0) {
		if (id_of_fd(t->fd, id, &n_bytes, e) < 0)
			return -1;
		return n_bytes == (uint64_t)st->st_size;
	}
	if ((off_t)st->st_blocks * 512 < st->st_size) {
		off_t offset = lseek(in, 0, SEEK_CUR);

		rc = copy_sparse(s, in, t, st->st_size, e);
		if (offset >= 0)
			lseek(in, offset, SEEK_SET);
	} else {
		rc = copy_range(s, in, t, 0, st->st_size, e);
	}
	*id = hash_end(s->hash);
	return rc;
}

int object_file_put_fd(struct store *s, int fd, const struct stat *st,
		       struct id *id, struct err *e)
{
	struct store_temp t;
	uint64_t n;
	int rc;

	if (store_temp_open(s, &t, e) < 0)
		return -1;
	rc = copy_and_hash(s, fd, st, &t, id, e);
	if (rc <= 0 || (object_file_size(s, id, &n) && n == (uint64_t)st->st_size)) {
		store_temp_drop(s, &t);
		return rc;
	}
	return temp_end(s, &t, id, e) < 0 ? -1 : 1;
}

/* Somebody has written to the object, or copied the store: read it again.
 * 1 it has its name, 0 it is as good as gone. */
static int look_again(struct store *s, const struct id *id, int fd, struct err *e)
{
	struct err ignored;
	struct id real;
	uint64_t n_bytes;

	if (id_of_fd(fd, &real, &n_bytes, e) < 0)
		return err_wrap(e, "object %.12s... in %s", id_hex(id).s, s->dir);
	if (!id_equal(&real, id)) {
		if (!s->is_read_only)
			object_file_drop(s, id, &ignored);
		return 0;
	}
	/* Where this may not be written the next one looks again, too. */
	(void)futimens(fd, put_times);
	return 1;
}

int object_file_open_any(struct store *s, const struct id *id, int *fd, struct err *e)
{
	struct object_path p = store_object_path(id);

	*fd = openat(s->objects_fd, p.s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd >= 0)
		return 1;
	return errno == ENOENT ? 0 : fail(s, p.s, e);
}

int object_file_open(struct store *s, const struct id *id, int *fd,
		     struct err *e)
{
	struct stat st;
	int rc = object_file_open_any(s, id, fd, e);

	if (rc <= 0)
		return rc;
	if (fstat(*fd, &st) < 0)
		rc = fail(s, store_object_path(id).s, e);
	else if (st.st_mtim.tv_sec != STORE_OBJECT_TIME)
		rc = look_again(s, id, *fd, e);
	if (rc <= 0) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

bool object_file_size(struct store *s, const struct id *id, uint64_t *n_bytes)
{
	struct object_path p = store_object_path(id);
	struct err ignored;
	struct stat st;
	int fd;

	if (fstatat(s->objects_fd, p.s, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return false;
	*n_bytes = (uint64_t)st.st_size;
	if (st.st_mtim.tv_sec == STORE_OBJECT_TIME)
		return true;
	if (object_file_open(s, id, &fd, &ignored) <= 0)
		return false;
	close(fd);
	return true;
}

struct mapping {
	struct mapping *next;
	struct id id;
	struct bytes b;
};

int object_file_map(struct store *s, const struct id *id, struct bytes *out,
		    struct err *e)
{
	struct mapping *m = map_get(&s->mapped, id_key(id));
	struct stat st;
	void *p = NULL;
	int fd, rc;

	if (m) {
		*out = m->b;
		return 1;
	}
	rc = object_file_open(s, id, &fd, e);
	if (rc <= 0)
		return rc;
	rc = fstat(fd, &st);
	if (rc == 0 && st.st_size > 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (rc < 0 || p == MAP_FAILED)
		rc = fail(s, store_object_path(id).s, e);
	close(fd);
	if (rc < 0)
		return -1;
	m = mem_alloc(sizeof(*m));
	*m = (struct mapping){ s->mappings, *id, { p, (size_t)st.st_size } };
	s->mappings = m;
	*map_at(&s->mapped, id_key(&m->id)) = m;
	*out = m->b;
	return 1;
}

int object_file_drop(struct store *s, const struct id *id, struct err *e)
{
	struct object_path p = store_object_path(id);

	/* Bytes that were lent stay; the next look is at a new file. */
	if (map_get(&s->mapped, id_key(id)))
		*map_at(&s->mapped, id_key(id)) = NULL;
	if (unlinkat(s->objects_fd, p.s, 0) == 0 || errno == ENOENT)
		return 0;
	return fail(s, p.s, e);
}

/* 1 when fn wants no more. */
static int each_in(struct store *s, const char *folder, const char *prefix,
		   int (*fn)(void *arg, const struct id *id, uint64_t n_bytes),
		   void *arg)
{
	DIR *dir = dir_names(s->objects_fd, folder, 0);
	char hex[ID_HEX + 1];
	const struct dirent *d;
	struct id id;
	uint64_t n;
	int stop = 0;

	if (!dir)
		return 0;
	memcpy(hex, folder, 2);
	while (!stop && (d = dir_next(dir))) {
		if (strlen(d->d_name) != ID_HEX - 2)
			continue;
		memcpy(hex + 2, d->d_name, ID_HEX - 1);
		if (strncmp(hex, prefix, strlen(prefix)) == 0 &&
		    id_parse((struct bytes){ hex, ID_HEX }, &id) &&
		    object_file_size(s, &id, &n))
			stop = fn(arg, &id, n);
	}
	closedir(dir);
	return stop;
}

int object_file_each(struct store *s, const char *prefix,
		     int (*fn)(void *arg, const struct id *id, uint64_t n_bytes),
		     void *arg, struct err *e)
{
	char folder[3];

	if (store_is_mine(s, e) < 0)
		return -1;
	for (unsigned i = 0; i < 256; i++) {
		snprintf(folder, sizeof(folder), "%02x", i);
		if (strncmp(folder, prefix, strnlen(prefix, 2)) != 0)
			continue;
		if (each_in(s, folder, prefix, fn, arg))
			break;
	}
	return 0;
}

int object_file_sync(struct store *s, struct err *e)
{
	char folder[3];

	for (unsigned i = 0; i < 256; i++) {
		unsigned char bit = (unsigned char)(1 << i % 8);
		int fd, rc;

		if (!(s->dirty[i / 8] & bit) || s->is_volatile)
			continue;
		snprintf(folder, sizeof(folder), "%02x", i);
		fd = openat(s->objects_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = fd < 0 ? (errno == ENOENT ? 0 : -1) : fsync(fd);
		if (rc < 0)
			fail(s, folder, e);
		if (fd >= 0)
			close(fd);
		if (rc < 0)
			return -1;
		s->dirty[i / 8] &= (unsigned char)~bit;
	}
	return 0;
}

void object_file_tidy(struct store *s)
{
	DIR *dir = dir_names(s->objects_fd, "tmp", 0);
	const struct dirent *d;

	while (dir && (d = dir_next(dir))) {
		int file;

		if (d->d_name[0] == '.')
			continue;
		file = openat(dirfd(dir), d->d_name,
			      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (file < 0)
			continue;
		if (flock(file, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dirfd(dir), d->d_name, 0);
		close(file);
	}
	if (dir)
		closedir(dir);
}

void object_file_release(struct store *s)
{
	while (s->mappings) {
		struct mapping *m = s->mappings;

		s->mappings = m->next;
		if (m->b.n)
			munmap((void *)m->b.p, m->b.n);
		free(m);
	}
	map_release(&s->mapped);
}
