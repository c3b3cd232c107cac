/* keeper.c - the process between gg and the command
 *
 * gg has other children, so it must never wait for just any; and whatever the
 * command leaves behind has to be waited for and, when gg is killed, ended.
 * So a small process stands between them.  Orphans of the command become its
 * children, it reaps them all, and it says over a socket how the command
 * ended and when nothing is left.  When the socket closes, whatever the
 * reason, it kills everything below it.  It keeps the listener open until
 * then, so that a call which waits for a gg that is gone does not fail in some
 * odd way first.
 *
 * It is forked from a program that may have threads: only calls that are safe
 * after such a fork.  The command stays in gg's own process group, so that the
 * terminal's signals reach it; the keeper blocks them all.
 */
#include "file.h"
#include "tracee.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	PARENT_DIED = SIGIO,            /* asked of the kernel by prctl */
	MAX_PROCESSES = 1 << 16,
	KILL_AGAIN_NS = 2000000, KILL_SELDOM_NS = 512000000,
	NOT_THERE = -1,
};

/* ---- messages */

/* Where nobody is left to be told, that is seen as the end of the socket. */
static void tell(int sock, enum news_kind kind, int value, int fd)
{
	struct news n = { .kind = (int)kind, .value = value };

	fd_send(sock, &n, sizeof n, fd);
}

int keeper_news(int sock, bool wait, struct news *out, int *fd)
{
	ssize_t n = fd_receive(sock, out, sizeof *out, wait ? 0 : MSG_DONTWAIT, fd);

	if (n < 0 && errno == EAGAIN)
		return 0;
	return n == sizeof *out ? 1 : -1;
}

/* ---- all processes below one */

/* Numbers are those of /proc, which may show an outer name space (unshare --pid):
 * there all have others than here. */
struct process {
	pid_t pid, parent;
	pid_t here;                     /* 0: not in this name space */
	bool is_below;
};

static pid_t number(const char *s)
{
	pid_t n = 0;

	while (*s >= '0' && *s <= '9')
		n = 10 * n + (*s++ - '0');
	return *s ? 0 : n;
}

/* The begin of a file of /proc, as text; false if there is none. */
static bool read_begin(int proc, const char *pid, const char *file, char *text, size_t room)
{
	char path[32];
	ssize_t n;
	int fd;

	if (strlen(pid) > 16)
		return false;
	strcpy(path, pid);
	strcat(path, file);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, room - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* "PID (NAME) STATE PARENT ..."; the name may hold anything. */
static pid_t parent_of(int proc, const char *pid)
{
	char text[512], *p, *end;

	if (!read_begin(proc, pid, "/stat", text, sizeof text))
		return 0;
	p = strrchr(text, ')');
	if (!p || strlen(p) < 5)
		return 0;
	end = strchr(p + 4, ' ');
	if (!end)
		return 0;
	*end = '\0';
	return number(p + 4);
}

/* "NSpid:\tOUTERMOST\t...\tINNERMOST\n": the one of this depth, or of the last.
 * *depth, if NOT_THERE, becomes that; a kernel that has no such line: 0. */
static pid_t number_at(int proc, const char *pid, int *depth)
{
	static const char key[] = "\nNSpid:";
	char text[4096], *p;
	pid_t n = 0;
	int at = 0;

	if (!read_begin(proc, pid, "/status", text, sizeof text))
		return 0;
	p = strstr(text, key);
	for (p = p ? p + sizeof key - 1 : NULL; p && *p == '\t'; at++) {
		for (n = 0, p++; *p >= '0' && *p <= '9'; p++)
			n = 10 * n + (*p - '0');
		if (at == *depth)
			return n;
	}
	if (*depth != NOT_THERE)
		return 0;
	*depth = at ? at - 1 : 0;
	return n;
}

static size_t list_processes(struct process *v)
{
	struct dirent64 *d;
	char part[8192];
	size_t n = 0;
	long got, at;
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), depth = NOT_THERE;

	if (proc >= 0)
		number_at(proc, "self", &depth);
	while (depth != NOT_THERE &&
	       (got = syscall(SYS_getdents64, proc, part, sizeof part)) > 0) {
		for (at = 0; at < got && n < MAX_PROCESSES; at += d->d_reclen) {
			d = (struct dirent64 *)(void *)(part + at);
			v[n] = (struct process){ .pid = number(d->d_name) };
			if (v[n].pid)
				v[n].parent = parent_of(proc, d->d_name);
			v[n].here = v[n].pid;
			if (v[n].pid && depth)
				v[n].here = number_at(proc, d->d_name, &depth);
			n += v[n].pid > 0;
		}
	}
	if (proc >= 0)
		close(proc);
	return n;
}

/* /proc lists by number, so v is sorted. */
static bool is_marked(const struct process *v, size_t n, pid_t pid)
{
	size_t low = 0;

	while (low < n) {
		size_t mid = low + (n - low) / 2;

		if (v[mid].pid == pid)
			return v[mid].is_below;
		if (v[mid].pid < pid)
			low = mid + 1;
		else
			n = mid;
	}
	return false;
}

/* Until nothing new is found; mostly two rounds, since a parent's number
 * mostly is the lower one. */
static void mark_below(struct process *v, size_t n, pid_t root)
{
	bool is_new = true;
	size_t top = 0;

	while (top < n && v[top].here != root)
		top++;
	if (top == n)
		return;
	root = v[top].pid;
	while (is_new) {
		is_new = false;
		for (size_t i = 0; i < n; i++) {
			if (v[i].is_below)
				continue;
			v[i].is_below = v[i].parent == root ||
					is_marked(v, n, v[i].parent);
			is_new |= v[i].is_below;
		}
	}
}

void keeper_kill_below(pid_t root, int sig)
{
	size_t n_bytes = MAX_PROCESSES * sizeof(struct process), n;
	struct process *v = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (v == MAP_FAILED)
		return;
	n = list_processes(v);
	mark_below(v, n, root);
	for (size_t i = 0; i < n; i++)
		if (v[i].is_below && v[i].here)
			kill(v[i].here, sig);
	munmap(v, n_bytes);
}

/* ---- the command's process, until it executes */

/* Handlers are gg's and mean nothing here; what is ignored stays so. */
static void reset_signals(void)
{
	struct sigaction sa;
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		if (sigaction(sig, NULL, &sa) == 0 && sa.sa_handler != SIG_IGN &&
		    sa.sa_handler != SIG_DFL)
			signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void be_command(const struct keeper_opts *o, int sock)
{
	int fd;

	/* Not more than a help: is not inherited by what it starts. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chdir(o->cwd) < 0) {
		tell(sock, NEWS_NO_DIR, errno, -1);
		_exit(127);
	}
	if (o->out_fd >= 0 && dup2(o->out_fd, STDOUT_FILENO) < 0)
		_exit(127);
	fd = filter_install(o->wants_all, o->gate);
	if (fd < 0) {
		tell(sock, NEWS_NO_FILTER, errno, -1);
		_exit(127);
	}
	tell(sock, NEWS_LISTENER, 0, fd);
	close(fd);
	reset_signals();
	execve(o->path, (char *const *)o->args, (char *const *)o->env);
	if (errno == ENOEXEC)
		execve("/bin/sh", (char *const *)o->sh_args, (char *const *)o->env);
	tell(sock, NEWS_NO_EXEC, errno, -1);
	_exit(errno == ENOENT ? 127 : 126);
}

/* ---- the keeper */

/* gg's own descriptors must not live on here: the end of a pipe is only seen
 * when its last writer has closed. */
static void close_others(int keep1, int keep2)
{
	unsigned low = (unsigned)(keep1 < keep2 ? keep1 : keep2);
	unsigned high = (unsigned)(keep1 < keep2 ? keep2 : keep1);
	unsigned from[] = { 3, low + 1, high + 1 };
	unsigned to[] = { low - 1, high - 1, ~0U };

	for (int i = 0; i < 3; i++) {
		if (from[i] > to[i] || syscall(SYS_close_range, from[i], to[i], 0) == 0)
			continue;
		for (unsigned fd = from[i]; fd <= to[i] && fd < 4096; fd++)
			close((int)fd); /* before Linux 5.9 */
	}
}

struct keeper {
	pid_t owner, command;           /* command 0: it has ended */
	int sock, from;                 /* to gg; from the command's process */
};

/* Hand on one message of the command's process, which it can send until it
 * executes; false at their end. */
static bool hand_on(struct keeper *k)
{
	struct news n;
	int fd;

	if (k->from < 0)
		return false;
	if (keeper_news(k->from, true, &n, &fd) < 0) {
		close(k->from);
		k->from = -1;
		return false;
	}
	tell(k->sock, (enum news_kind)n.kind, n.value, fd);
	/* fd stays open: see the top of this file. */
	return true;
}

/* Reap what has ended; false once nothing is left.  Why the command's process
 * could not execute comes before that it has ended. */
static bool reap(struct keeper *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != k->command)
			continue;
		while (hand_on(k))
			;
		tell(k->sock, NEWS_STATUS, status, -1);
		k->command = 0;
	}
	return pid == 0 || errno != ECHILD;
}

/* Again and again: they may start others meanwhile.  What cannot be found in
 * /proc, or not be killed, is waited for. */
static void end_all(struct keeper *k)
{
	struct timespec pause = { .tv_nsec = KILL_AGAIN_NS };
	sigset_t ended;

	sigemptyset(&ended);
	sigaddset(&ended, SIGCHLD);
	while (reap(k)) {
		if (k->command)
			kill(k->command, SIGKILL);
		keeper_kill_below(getpid(), SIGKILL);
		sigtimedwait(&ended, NULL, &pause);
		if (pause.tv_nsec < KILL_SELDOM_NS)
			pause.tv_nsec *= 2;
	}
}

static _Noreturn void keep(struct keeper *k)
{
	struct signalfd_siginfo si[16];
	struct pollfd p[] = { { .fd = k->sock, .events = POLLIN },
			      { .events = POLLIN }, { .events = POLLIN } };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, PARENT_DIED);
	p[2].fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	while (reap(k)) {
		p[1].fd = k->from;
		if (poll(p, 3, -1) < 0 && errno != EINTR)
			break;
		if (p[1].revents)
			hand_on(k);
		if (p[0].revents || getppid() != k->owner)
			break;
		if (p[2].revents && read(p[2].fd, si, sizeof si) < 0)
			continue;
	}
	end_all(k);
	tell(k->sock, NEWS_END, 0, -1);
	_exit(0);
}

static _Noreturn void be_keeper(const struct keeper_opts *o, pid_t owner, int sock)
{
	struct keeper k = { .owner = owner, .sock = sock };
	int pair[2];

	prctl(PR_SET_NAME, "gg-keeper");
	prctl(PR_SET_PDEATHSIG, PARENT_DIED);
	signal(SIGCHLD, SIG_DFL);
	if (getppid() != owner || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		_exit(1);
	k.command = fork();
	if (k.command == 0)
		be_command(o, pair[1]);
	if (k.command < 0)
		_exit(1);
	close(pair[1]);
	k.from = pair[0];
	close_others(k.sock, k.from);
	keep(&k);
}

int keeper_start(const struct keeper_opts *o, pid_t *keeper, int *sock,
		 struct err *e)
{
	sigset_t all, before;
	pid_t owner = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socket");
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	*keeper = fork();
	if (*keeper == 0)
		be_keeper(o, owner, pair[1]);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	if (*keeper < 0) {
		close(pair[0]);
		return err_sys(e, "starting a process");
	}
	*sock = pair[0];
	return 0;
}
