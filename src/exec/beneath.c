/* beneath.c - opening what a program left in its folder, never led out by its links
 *
 * The kernel does it in one call where it knows openat2; else one folder is
 * opened after the other.
 */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int beneath_walk(int dirfd, const char *path, int flags, mode_t mode)
{
	const char *slash;
	int at = dirfd, fd;

	while ((slash = strchr(path, '/'))) {
		char part[256];

		if ((size_t)(slash - path) >= sizeof part) {
			errno = ENAMETOOLONG;
			fd = -1;
		} else {
			memcpy(part, path, (size_t)(slash - path));
			part[slash - path] = '\0';
			fd = openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		}
		if (at != dirfd)
			close(at);
		if (fd < 0)
			return -1;
		at = fd;
		path = slash + 1;
	}
	fd = openat(at, path, flags | O_NOFOLLOW | O_CLOEXEC, mode);
	if (at != dirfd)
		close(at);
	return fd;
}

int beneath_open(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);

	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return beneath_walk(dirfd, path, flags, mode);
	return fd;
}

int inside_open(int dirfd, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
}
