/* dir.c - folders made and removed whole
 *
 * Removing goes down by open folders, never by paths, so that a symlink put
 * in the way leads nowhere.  Below a fixed depth a folder is first moved up
 * to the top, so that no tree is too deep for the open files allowed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "file.h"

DIR *dir_names(int dirfd, const char *path, int flags)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

struct dirent *dir_next(DIR *d)
{
	struct dirent *ent;

	do {
		errno = 0;
		ent = readdir(d);
	} while (ent && (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, "..")));
	return ent;
}

static bool is_folder(int dirfd, const char *path)
{
	struct stat st;

	return fstatat(dirfd, path, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static int make_one(int dirfd, const char *path)
{
	if (mkdirat(dirfd, path, 0777) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	if (is_folder(dirfd, path))
		return 0;
	errno = ENOTDIR;
	return -1;
}

int dir_make(int dirfd, const char *path, struct err *e)
{
	char part[4096];
	size_t n = strlen(path);

	if (make_one(dirfd, path) == 0)
		return 0;
	if (errno != ENOENT || n >= sizeof(part))
		return err_sys(e, "%s: cannot make this folder", path);
	for (size_t i = 1; i <= n; i++) {
		if ((path[i] != '/' && path[i] != 0) || path[i - 1] == '/')
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (make_one(dirfd, part) < 0)
			return err_sys(e, "%s: cannot make this folder", part);
	}
	return 0;
}

int dir_make_above(int dirfd, const char *path, struct err *e)
{
	char above[4096];
	size_t n = (size_t)(path_base(path) - path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n == 0 || (n == 1 && path[0] == '/'))
		return 0;
	if (n >= sizeof(above))
		return err_set(e, ERR_IO, "%.200s...: path too long", path);
	memcpy(above, path, n);
	above[n] = 0;
	return dir_make(dirfd, above, e);
}

enum { DEPTH_MAX = 32 };

struct sweep {
	int top_fd;
	unsigned n_moved;
};

static int remove_folder(struct sweep *s, int fd, const char *name, int depth,
			 struct err *e);

static bool not_permitted(int err)
{
	return err == EACCES || err == EPERM;
}

/* unlinkat in a folder that may be read-only. */
static int unlink_hard(int fd, const char *name, int flags)
{
	if (unlinkat(fd, name, flags) == 0 || errno == ENOENT)
		return 0;
	if (!not_permitted(errno) || fchmod(fd, 0700) < 0)
		return -1;
	return unlinkat(fd, name, flags) == 0 || errno == ENOENT ? 0 : -1;
}

/* Open a folder that must not be a symlink, made readable if it is not.  The
 * folder that holds the top is the caller's, and is left as it is. */
static int open_hard(int fd, const char *name, int depth)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int sub = openat(fd, name, flags);

	if (sub >= 0 || !not_permitted(errno))
		return sub;
	if (depth > 0)
		fchmod(fd, 0700);
	if (fchmodat(fd, name, 0700, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return openat(fd, name, flags);
}

/* Move a deep folder up to the top, whose caller comes by again.  Moving a
 * folder writes its "..", so it must be writable itself. */
static int move_up(struct sweep *s, int fd, const char *name)
{
	for (int tries = 0; tries < 1000; tries++) {
		char to[32];

		snprintf(to, sizeof(to), ".gg-deep-%x", s->n_moved++);
		if (renameat(fd, name, s->top_fd, to) == 0 || errno == ENOENT)
			return 0;
		if (not_permitted(errno)) {
			if (fchmod(s->top_fd, 0700) < 0 || fchmod(fd, 0700) < 0 ||
			    fchmodat(fd, name, 0700, AT_SYMLINK_NOFOLLOW) < 0)
				return -1;
		} else if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) {
			return -1;
		}
	}
	return -1;
}

static int remove_entry(struct sweep *s, int fd, const struct dirent *d,
			int depth, struct err *e)
{
	if (d->d_type != DT_DIR) {
		if (unlink_hard(fd, d->d_name, 0) == 0)
			return 0;
		if (errno != EISDIR)
			return err_sys(e, "%s: cannot remove", d->d_name);
	}
	if (depth < DEPTH_MAX)
		return remove_folder(s, fd, d->d_name, depth + 1, e);
	if (move_up(s, fd, d->d_name) < 0)
		return err_sys(e, "%s: cannot move this deep folder up", d->d_name);
	return 0;
}

/* Remove what one walk over dir finds, *n entries. */
static int empty_once(struct sweep *s, DIR *dir, int depth, size_t *n,
		      struct err *e)
{
	const struct dirent *d;

	*n = 0;
	rewinddir(dir);
	while ((d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		++*n;
		if (remove_entry(s, dirfd(dir), d, depth, e) < 0)
			return -1;
	}
	return 0;
}

/* Walk and try again while walks find something: readdir may skip what stands
 * beside what was just removed, and deep folders come up to the top. */
static int remove_open(struct sweep *s, DIR *dir, int fd, const char *name,
		       int depth, struct err *e)
{
	size_t n;

	do {
		if (empty_once(s, dir, depth, &n, e) < 0)
			return err_wrap(e, "%s", name);
		if (depth > 0 ? unlink_hard(fd, name, AT_REMOVEDIR) == 0
			      : unlinkat(fd, name, AT_REMOVEDIR) == 0 ||
				errno == ENOENT)
			return 0;
	} while (n && (errno == ENOTEMPTY || errno == EEXIST));
	return err_sys(e, "%s: cannot remove", name);
}

static int remove_folder(struct sweep *s, int fd, const char *name, int depth,
			 struct err *e)
{
	int sub = open_hard(fd, name, depth), r;
	DIR *dir;

	if (sub < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s: cannot open", name);
	if (depth == 0)
		s->top_fd = sub;
	dir = fdopendir(sub);
	if (!dir) {
		err_sys(e, "%s: cannot read this folder", name);
		close(sub);
		return -1;
	}
	r = remove_open(s, dir, fd, name, depth, e);
	closedir(dir);
	return r;
}

static bool is_real_folder(int dirfd, const char *path)
{
	struct stat st;

	return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(st.st_mode);
}

int dir_remove(int dirfd, const char *path, struct err *e)
{
	struct sweep s = { 0 };
	int why;

	if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT || errno == ENOTDIR)
		return 0;
	why = errno;
	if (!is_real_folder(dirfd, path)) {
		errno = why;
		return err_sys(e, "%s: cannot remove", path);
	}
	if (unlinkat(dirfd, path, AT_REMOVEDIR) == 0)
		return 0;
	return remove_folder(&s, dirfd, path, 0, e);
}
