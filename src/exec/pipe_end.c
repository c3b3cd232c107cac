/* pipe_end.c - the end of a pipe that a traced process has, for us to write to
 *
 * The end belongs to others too, and whether it blocks is said for all of them;
 * so a pipe is opened once more.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "process.h"
#include "session_private.h"

int pipe_end(pid_t pid, int fd, bool *is_socket)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int shared = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0), own;
	char path[48];
	struct stat st;

	if (pidfd >= 0)
		close(pidfd);
	if (shared < 0 || fstat(shared, &st) < 0)
		return -1;
	*is_socket = S_ISSOCK(st.st_mode);
	if (*is_socket)
		return shared;
	snprintf(path, sizeof path, "/proc/self/fd/%d", shared);
	own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	close(shared);
	return own;
}

struct bytes pipe_part(struct bytes b)
{
	const char *end = b.n > PIPE_BUF ? memrchr(b.p, '\n', PIPE_BUF) : NULL;

	if (b.n > PIPE_BUF)
		b.n = end ? (size_t)(end + 1 - b.p) : PIPE_BUF;
	return b;
}

ssize_t pipe_write(int fd, struct bytes b)
{
	const struct timespec now = { 0 };
	sigset_t pipes, before;
	ssize_t n;
	int saved;

	sigemptyset(&pipes);
	sigaddset(&pipes, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipes, &before);
	n = write(fd, b.p, b.n);
	saved = errno;
	if (n < 0 && saved == EPIPE)
		sigtimedwait(&pipes, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return n;
}

/* It goes when the program is executed, and says so to who started it. */
static bool tells_of_exec(pid_t pid, const char *number, const struct stat *st)
{
	char name[32], text[256];
	long long pos;
	unsigned flags;

	snprintf(name, sizeof name, "fdinfo/%.16s", number);
	return atoi(number) > 2 && (S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode)) &&
	       process_text(pid, name, text, sizeof text) &&
	       sscanf(text, "pos: %lld flags: %o", &pos, &flags) == 2 &&
	       flags & O_CLOEXEC && (flags & O_ACCMODE) != O_RDONLY;
}

/* timeout's SIGTERM would reach a handler of its own, which waits until then. */
static bool is_of_timeout(pid_t parent)
{
	char name[64];

	return parent && stream_comm(parent, name, sizeof name) && strcmp(name, "timeout") == 0;
}

/* By vfork and the like, or by a pipe that ends then. */
bool pipe_parent_waits(pid_t pid)
{
	pid_t parent = stream_parent(pid);
	bool waits = parent && syscall(SYS_kcmp, pid, parent, KCMP_VM, 0, 0) == 0;
	char path[64];
	struct dirent *de;
	struct stat st;
	DIR *d = NULL;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	waits |= is_of_timeout(parent);
	if (!waits)
		d = opendir(path);
	while (d && !waits && (de = readdir(d)))
		waits = de->d_name[0] != '.' && fstatat(dirfd(d), de->d_name, &st, 0) == 0 &&
			tells_of_exec(pid, de->d_name, &st);
	if (d)
		closedir(d);
	return waits;
}

bool pipe_holds(int fd, bool is_socket, size_t n)
{
	enum { LEAST = 1 << 16, MOST = 1 << 20 };
	int used = 0;
	long room;

	if (is_socket)
		return n <= LEAST;
	if (ioctl(fd, FIONREAD, &used) < 0 || n > MOST)
		return false;
	n += (size_t)used;
	room = fcntl(fd, F_GETPIPE_SZ);
	if (room > 0 && n > (size_t)room && n <= MOST)
		room = fcntl(fd, F_SETPIPE_SZ, MOST);
	return room > 0 && n <= (size_t)room;
}
