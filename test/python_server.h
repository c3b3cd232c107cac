/* python_server.h - a server of test/ in Python, which ends when the test does */
#ifndef GG_PYTHON_SERVER_H
#define GG_PYTHON_SERVER_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Start a script that lies beside this file; arg may be NULL.  said is its first
 * line, empty if it did not come to that.  *keep is what it reads: it ends once
 * that is closed. */
static inline pid_t python_start(const char *script, const char *arg, int *keep,
				 char *said, size_t room)
{
	const char *dir_end = strrchr(__FILE__, '/') + 1;
	char path[4096];
	int in[2], out[2];
	size_t n = 0;
	pid_t pid;

	snprintf(path, sizeof path, "%.*s%s", (int)(dir_end - __FILE__), __FILE__, script);
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		exit(1);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl("/usr/bin/python3", "python3", path, arg, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	*keep = in[1];
	while (n + 1 < room && read(out[0], said + n, 1) == 1 && said[n] != '\n')
		n++;
	said[n] = '\0';
	close(out[0]);
	return pid;
}

static inline void python_end(pid_t pid, int keep)
{
	close(keep);
	waitpid(pid, NULL, 0);
}

#endif
