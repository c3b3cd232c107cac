/* spare.c - small files that no thunk needs any more, kept to be written anew
 *
 * Making and removing a file is the dearest thing a cell does.  ext4 without
 * a journal looks at every inode removed in the last minute before it gives
 * out one: 0.8 ms a file after 10,000 of them.  A rename costs 5 us anywhere.
 *
 * A step mostly makes a file and frees two, its output and its input, so that
 * one is over each time.  A few are used in turn, in a folder small enough to
 * be searched fast; the rest only waits for the cell's end, within limits.
 */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "file.h"

enum { FEW = 16, MANY = 1 << 14, MANY_BYTES = 64 << 20, BLOCK = 4096 };

struct spare_name {
	char s[40];
};

static struct spare_name spare_name(const struct spares *s, size_t i)
{
	struct spare_name n;

	snprintf(n.s, sizeof n.s, "%s/%zu", s->folder, i);
	return n;
}

void spare_open(struct cell *c)
{
	c->few = (struct spares){ .max = FEW, .folder = "few" };
	c->many = (struct spares){ .max = MANY, .folder = "many" };
	/* Without them spare_put fails, and files are removed. */
	mkdirat(c->box.work, c->few.folder, 0700);
	mkdirat(c->box.work, c->many.folder, 0700);
}

void spare_release(struct cell *c)
{
	free(c->few.v);
	free(c->many.v);
}

static bool is_fit(const struct cell *c, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 && st->st_size > 0 &&
		st->st_size <= STORE_SMALL && st->st_uid == c->uid;
}

bool spare_put(struct cell *c, int dirfd, const char *name, const struct stat *st)
{
	struct spares *s = c->few.n < c->few.max ? &c->few : &c->many;

	if (!is_fit(c, st) || s->n == s->max ||
	    (s == &c->many && c->kept_bytes + (uint64_t)st->st_size > MANY_BYTES))
		return false;
	if (renameat(dirfd, name, c->box.work, spare_name(s, s->n).s) < 0)
		return false;
	if (s->n == s->room) {
		s->room = s->room ? s->room * 2 : FEW;
		s->v = mem_grow(s->v, s->room * sizeof *s->v);
	}
	s->v[s->n++] = (struct spare){ (uint32_t)st->st_size, st->st_mode & 07777 };
	if (s == &c->many)
		c->kept_bytes += ((uint64_t)st->st_size + BLOCK - 1) / BLOCK * BLOCK;
	return true;
}

/* Overwrite first and cut then: a file that is cut to nothing is written to
 * the disk when it is closed. */
static bool overwrite(int fd, const struct spare *old, struct bytes b, mode_t mode)
{
	for (size_t at = 0; at < b.n;) {
		ssize_t n = pwrite(fd, b.p + at, b.n - at, (off_t)at);

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	if (old->size > b.n && ftruncate(fd, (off_t)b.n) < 0)
		return false;
	return old->mode == mode || fchmod(fd, mode) == 0;
}

/* Make the file at from into b at path. */
static int turn(struct cell *c, int dirfd, const char *from, const struct spare *old,
		struct bytes b, mode_t mode, const char *path)
{
	int fd = openat(dirfd, from, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && flistxattr(fd, NULL, 0) <= 0 && overwrite(fd, old, b, mode) &&
	    renameat(dirfd, from, c->box.root, path) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	unlinkat(dirfd, from, 0);
	return -1;
}

int spare_take(struct cell *c, struct bytes b, mode_t mode, const char *path)
{
	if (!b.n)
		return -1;
	if (c->n_waiting) {
		const struct item *it = &c->waiting[--c->n_waiting];
		struct spare old = { (uint32_t)it->stamp.size,
				     it->is_exec ? 0555 : 0444 };

		return turn(c, c->box.root, it->path, &old, b, mode, path);
	}
	if (!c->few.n)
		return -1;
	c->few.n--;
	return turn(c, c->box.work, spare_name(&c->few, c->few.n).s,
		    &c->few.v[c->few.n], b, mode, path);
}

/* Its stamp says that nobody has touched or linked it since it was laid. */
bool spare_wait(struct cell *c, const struct item *it)
{
	if (!c->has_fine_stamps || c->n_waiting == WAITING_MAX || it->is_writable ||
	    !it->stamp.size || it->stamp.size > STORE_SMALL)
		return false;
	c->waiting[c->n_waiting++] = *it;
	return true;
}

int spare_settle(struct cell *c, struct err *e)
{
	while (c->n_waiting) {
		const struct item *it = &c->waiting[--c->n_waiting];
		struct stat st;

		if (fstatat(c->box.root, it->path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    spare_put(c, c->box.root, it->path, &st))
			continue;
		if (unlinkat(c->box.root, it->path, 0) < 0 && errno != ENOENT)
			return err_sys(e, "cannot remove %s", it->path);
	}
	return 0;
}
