/* spare.c - small files that no thunk needs any more, kept to be written anew
 *
 * Making and removing a file is the dearest thing a cell does.  ext4 without
 * a journal looks at every inode removed in the last minute before it gives
 * out one: 0.8 ms a file after 10,000 of them.  A rename costs 5 us anywhere.
 */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "file.h"

struct spare_name {
	char s[24];
};

static struct spare_name spare_name(size_t i)
{
	struct spare_name n;

	snprintf(n.s, sizeof n.s, "%zu", i);
	return n;
}

bool spare_put(struct cell *c, int dirfd, const char *name, const struct stat *st)
{
	size_t i = c->n_spares;

	if (i == SPARES_MAX || !S_ISREG(st->st_mode) || st->st_nlink != 1 ||
	    st->st_size == 0 || st->st_size > STORE_SMALL || st->st_uid != c->uid)
		return false;
	if (renameat(dirfd, name, c->box.spare, spare_name(i).s) < 0)
		return false;
	c->spares[c->n_spares++] = (struct spare){ (uint32_t)st->st_size, st->st_mode & 07777 };
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

int spare_take(struct cell *c, struct bytes b, mode_t mode, const char *path)
{
	struct spare_name name;
	const struct spare *old;
	int fd;

	if (!c->n_spares || !b.n)
		return -1;
	name = spare_name(--c->n_spares);
	old = &c->spares[c->n_spares];
	fd = openat(c->box.spare, name.s, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && flistxattr(fd, NULL, 0) <= 0 && overwrite(fd, old, b, mode) &&
	    renameat(c->box.spare, name.s, c->box.root, path) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	unlinkat(c->box.spare, name.s, 0);
	return -1;
}
