/* pipe_end.c - the end of a pipe that a traced process has, for us to write to
 *
 * The end belongs to others too, and whether it blocks is said for all of them;
 * so a pipe is opened once more.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
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
