/* b_own.c - the processor time that a program's own first thread takes
 *
 *     b_own plain|terminal COMMAND...      prints wall and own seconds
 *
 * Not that of what it starts, and not by the wall, where other work of the machine
 * shows more than what a status line costs.  With `terminal` it has one of 100
 * columns, and what it draws there is read and forgotten.
 */
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "clock.h"

static pid_t start(bool in_terminal, char **args, int *terminal)
{
	struct winsize size = { .ws_row = 40, .ws_col = 100 };
	pid_t pid = in_terminal ? forkpty(terminal, NULL, NULL, &size) : fork();

	if (pid)
		return pid;
	if (!in_terminal) {
		int fd = open("/dev/null", O_RDWR);

		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	execvp(args[0], args);
	_exit(127);
}

/* A program that has ended keeps its numbers until it is waited for. */
static double own_s(pid_t pid)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%llu", &ns) != 1) {
		perror(path);
		exit(1);
	}
	fclose(f);
	return (double)ns / 1e9;
}

int main(int argc, char **argv)
{
	double from = now_s(), wall;
	int terminal = -1, status;
	siginfo_t info;
	char bin[4096];
	pid_t pid;

	if (argc < 3)
		return 2;
	pid = start(strcmp(argv[1], "terminal") == 0, argv + 2, &terminal);
	if (pid < 0)
		return 1;
	while (terminal >= 0 && read(terminal, bin, sizeof bin) > 0)
		;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0)
		return 1;
	wall = now_s() - from;
	printf("%.6f %.6f\n", wall, own_s(pid));
	waitpid(pid, &status, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}
