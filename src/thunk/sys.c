/* sys.c - the machine that a closure is made from
 *
 * All paths are absolute and seen from a root folder, which is another one only
 * in tests.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "closure_private.h"
#include "file.h"

static const char *below(const char *path)
{
	while (*path == '/')
		path++;
	return *path ? path : ".";
}

int sys_open(struct sys *m, const char *root, struct err *e)
{
	*m = (struct sys){ .root = root };
	m->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return m->fd < 0 ? err_sys(e, "%s", root) : 0;
}

void sys_close(struct sys *m)
{
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

bool sys_lstat(const struct sys *m, const char *path, struct stat *st)
{
	return fstatat(m->fd, below(path), st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool sys_may_read(const struct sys *m, const char *path)
{
	return faccessat(m->fd, below(path), R_OK, AT_EACCESS) == 0;
}

int sys_open_file(const struct sys *m, const char *path)
{
	return openat(m->fd, below(path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
		      O_NONBLOCK | O_NOCTTY);
}

enum { TEXT_MAX = 1 << 28 };

bool sys_read(const struct sys *m, const char *path, struct arena *a,
	      struct bytes *out)
{
	struct err ignored;

	return file_read(m->fd, below(path), TEXT_MAX, a, out, &ignored) == 0;
}

const char *sys_link(const struct sys *m, const char *path, struct arena *a)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(m->fd, below(path), target, sizeof(target));

	if (n <= 0 || n == sizeof(target))
		return NULL;
	return arena_strn(a, target, (size_t)n);
}

bool sys_names(const struct sys *m, const char *dir, struct arena *a,
	       struct strs *out)
{
	DIR *in = dir_names(m->fd, below(dir), 0);
	const struct dirent *d;

	if (!in)
		return false;
	while ((d = dir_next(in)))
		strs_add(out, arena_str(a, d->d_name));
	closedir(in);
	strs_sort(out);
	return true;
}
