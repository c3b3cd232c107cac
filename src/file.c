/* file.c - files that appear whole, and copies that keep their holes
 *
 * What is written stands under a name nobody looks for until it is complete;
 * the rename is the moment it exists.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "file.h"

int file_write_fd(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

ssize_t file_read_fd(int fd, void *p, size_t n)
{
	char *at = p;
	size_t have = 0;

	while (have < n) {
		ssize_t done = read(fd, at + have, n - have);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		if (done == 0)
			break;
		have += (size_t)done;
	}
	return (ssize_t)have;
}

bool file_shebang(const char *path, char *line, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : file_read_fd(fd, line, room - 1);

	if (fd >= 0)
		close(fd);
	if (n < 3 || line[0] != '#' || line[1] != '!')
		return false;
	line[n] = 0;
	n = (ssize_t)strcspn(line, "\n");
	memmove(line, line + 2, (size_t)n - 2);
	line[n - 2] = 0;
	return true;
}

/* The size that stat gives is a first guess only: files of /proc say 0, and
 * others may grow while they are read.  One byte more shows the end. */
static int read_all(int fd, size_t guess, size_t limit, struct arena *a,
		    struct bytes *out)
{
	size_t room = (guess < limit ? guess : limit) + 1, n = 0;
	char *p = arena_alloc(a, room);

	for (;;) {
		ssize_t done = file_read_fd(fd, p + n, room - n);

		if (done < 0)
			return -1;
		n += (size_t)done;
		if (n > limit) {
			errno = EFBIG;
			return -1;
		}
		if (n < room)
			break;
		room = limit / 2 < room ? limit + 1 : room * 2 < 4096 ? 4096 : room * 2;
		p = memcpy(arena_alloc(a, room), p, n);
	}
	*out = (struct bytes){ p, n };
	return 0;
}

int file_read(int dirfd, const char *path, size_t limit_bytes, struct arena *a,
	      struct bytes *out, struct err *e)
{
	struct stat st;
	int fd, failed, why;

	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		err_sys(e, "%s: cannot open", path);
		if (errno == ENOENT || errno == ENOTDIR)
			e->code = ERR_MISSING;
		return -1;
	}
	if (limit_bytes > SIZE_MAX / 4)
		limit_bytes = SIZE_MAX / 4;
	failed = fstat(fd, &st) < 0 ||
		read_all(fd, (size_t)st.st_size, limit_bytes, a, out) < 0;
	why = errno;
	close(fd);
	errno = why;
	if (failed && why == EFBIG)
		return err_set(e, ERR_REFUSED, "%s: more than %zu bytes", path,
			       limit_bytes);
	return failed ? err_sys(e, "%s: cannot read", path) : 0;
}

/* A temporary name beside path.  Process, thread and time make it unique on
 * this machine; O_EXCL sees to the rest. */
static int open_temp(int dirfd, const char *path, mode_t mode, char *temp, size_t room)
{
	const char *base = path_base(path);

	for (int tries = 0; tries < 100; tries++) {
		struct timespec now;
		int n, fd;

		clock_gettime(CLOCK_MONOTONIC, &now);
		n = snprintf(temp, room, "%.*s.gg-%x-%x-%llx.tmp", (int)(base - path),
			     path, (unsigned)getpid(), (unsigned)gettid(),
			     (unsigned long long)now.tv_sec * 1000000000u +
			     (unsigned long long)now.tv_nsec);
		if (n < 0 || (size_t)n >= room) {
			errno = ENAMETOOLONG;
			return -1;
		}
		fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

/* Wait until the folder that holds path is on the disk. */
static int sync_folder(int dirfd, const char *path)
{
	char folder[4096];
	size_t n = (size_t)(path_base(path) - path);
	int fd, r;

	if (n >= sizeof(folder)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(folder, path, n);
	folder[n] = 0;
	fd = openat(dirfd, n ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	r = fsync(fd);
	if (close(fd) < 0)
		r = -1;
	return r;
}

/* All of fd's file, which is closed; mode and flags as for file_write. */
static int fill(int fd, const char *path, struct bytes b, mode_t mode, unsigned flags,
		struct err *e)
{
	int failed = file_write_fd(fd, b.p, b.n) < 0 ||
		(!(flags & FILE_USUAL) && fchmod(fd, mode) < 0) ||
		((flags & FILE_SYNC) && fsync(fd) < 0);

	if (failed)
		err_sys(e, "%s: cannot write", path);
	if (close(fd) < 0 && !failed)
		failed = err_sys(e, "%s: cannot write", path);
	return failed ? -1 : 0;
}

int file_write(int dirfd, const char *path, struct bytes b, mode_t mode,
	       unsigned flags, struct err *e)
{
	char temp[4096];
	int fd, rc;

	fd = open_temp(dirfd, path, flags & FILE_USUAL ? mode : 0600, temp, sizeof(temp));
	if (fd < 0)
		return err_sys(e, "%s: cannot make a file there", path);
	rc = fill(fd, path, b, mode, flags, e);
	if (rc == 0 && renameat(dirfd, temp, dirfd, path) < 0)
		rc = err_sys(e, "%s: cannot put the new file in place", path);
	if (rc < 0) {
		unlinkat(dirfd, temp, 0);
		return -1;
	}
	if ((flags & FILE_SYNC) && sync_folder(dirfd, path) < 0)
		return err_sys(e, "%s: cannot sync its folder", path);
	return 0;
}

static int write_into(const char *path, struct bytes b, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? err_sys(e, "%s: cannot write", path) :
		fill(fd, path, b, 0, FILE_USUAL, e);
}

int file_put(const char *path, struct bytes b, unsigned flags, struct err *e)
{
	struct stat st;
	char *real;
	int rc;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return write_into(path, b, e);
	real = realpath(path, NULL);
	rc = file_write(AT_FDCWD, real ? real : path, b, 0666, flags | FILE_USUAL, e);
	free(real);
	return rc;
}

enum { PIECE = 1 << 16 };

/* By hand, from where both stand to the end of in. */
static int copy_stream(int in, int out)
{
	char piece[PIECE];
	ssize_t n;

	while ((n = file_read_fd(in, piece, sizeof(piece))) > 0)
		if (file_write_fd(out, piece, (size_t)n) < 0)
			return -1;
	return (int)n;
}

/* By hand, [at, end).  1 when in ended before. */
static int copy_by_hand(int in, int out, off_t at, off_t end)
{
	char piece[PIECE];

	while (at < end) {
		size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE;
		ssize_t n = pread(in, piece, want, at), put = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -1 : 1;
		while (put < n) {
			ssize_t done = pwrite(out, piece + put, (size_t)(n - put),
					      at + put);

			if (done < 0 && errno != EINTR)
				return -1;
			put += done < 0 ? 0 : done;
		}
		at += n;
	}
	return 0;
}

/* In the kernel while it can, [at, end); it may refuse at any place. */
static int copy_range(int in, int out, off_t at, off_t end)
{
	off_t to = at;

	while (at < end) {
		ssize_t n = copy_file_range(in, &at, out, &to, (size_t)(end - at), 0);

		if (n > 0 || (n < 0 && errno == EINTR))
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO ||
			      errno == EFBIG))
			return -1;
		return copy_by_hand(in, out, at, end);
	}
	return 0;
}

static int copy_regular(int in, int out, off_t size)
{
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(in, at, SEEK_DATA), hole;

		if (data < 0)
			data = errno == ENXIO ? size : at;
		if (data >= size)
			break;
		hole = lseek(in, data, SEEK_HOLE);
		if (hole < 0 || hole > size)
			hole = size;
		if (copy_range(in, out, data, hole) < 0)
			return -1;
		at = hole;
	}
	return ftruncate(out, size);
}

int file_copy_fd(int in, int out, struct err *e)
{
	struct stat from, to;
	off_t old;
	int failed;

	if (fstat(in, &from) < 0 || fstat(out, &to) < 0)
		return err_sys(e, "cannot look at a file to copy it");
	/* Files of /proc are regular, empty by size, and full of bytes. */
	if (!S_ISREG(from.st_mode) || !S_ISREG(to.st_mode) || from.st_size == 0) {
		failed = copy_stream(in, out) < 0;
	} else if (ioctl(out, FICLONE, in) == 0) {
		failed = 0;
	} else {
		old = lseek(in, 0, SEEK_CUR);
		failed = copy_regular(in, out, from.st_size) < 0;
		if (lseek(in, old, SEEK_SET) < 0)
			failed = 1;
	}
	return failed ? err_sys(e, "cannot copy a file") : 0;
}
