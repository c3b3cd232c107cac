/* peers.c - what a stopped call has to do with other processes
 *
 * Connections, messages to an address, names by which others call, signals, and
 * the end.  Families that only ask the kernel of this machine (netlink) or that it
 * computes with (alg) are nobody's.  A call whose arguments cannot be read fails,
 * and makes no event.
 */
#include "tracee.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>
#include "process.h"

enum {
	STATUS_ROOM = 2048, LINK_ROOM = 64,
	MEMORY = 1,                     /* major number of /dev/null and the like */
};

/* The number behind a word of a file of /proc, or 0. */
static pid_t field(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	return at ? (pid_t)atoi(at + strlen(word)) : 0;
}

pid_t trace_process(pid_t tid, pid_t *parent)
{
	char text[STATUS_ROOM];

	if (!process_text(tid, "status", text, sizeof text))
		return 0;
	if (parent)
		*parent = field(text, "\nPPid:");
	return field(text, "\nTgid:");
}

/* ---- addresses */

/* A unix socket's, absolute, into text; false if it has none. */
static bool unix_text(struct call *c, const struct sockaddr_un *un, size_t n, char *text)
{
	size_t at = offsetof(struct sockaddr_un, sun_path);
	char cwd[PATH_MAX], link[LINK_ROOM];
	ssize_t k;

	if (n <= at)
		return false;
	n -= at;
	if (!un->sun_path[0]) {
		snprintf(text, PATH_MAX, "abstract %.*s", (int)(n - 1), un->sun_path + 1);
		return true;
	}
	n = strnlen(un->sun_path, n);
	if (un->sun_path[0] == '/') {
		snprintf(text, PATH_MAX, "%.*s", (int)n, un->sun_path);
		return true;
	}
	snprintf(link, sizeof link, "/proc/%d/cwd", (int)c->ev.pid);
	k = readlink(link, cwd, sizeof cwd - 1);
	if (k <= 0)
		return false;
	snprintf(text, (size_t)2 * PATH_MAX, "%.*s/%.*s", (int)k, cwd, (int)n, un->sun_path);
	return true;
}

/* What an address says, into c->text[0]; false if it is nobody's. */
static bool address_text(struct call *c, const struct sockaddr_storage *sa, size_t n)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;
	char host[INET6_ADDRSTRLEN] = "";
	char *text = c->text[0];

	switch (sa->ss_family) {
	case AF_UNSPEC:
	case AF_NETLINK:
	case AF_ALG:
		return false;
	case AF_UNIX:
		return unix_text(c, (const void *)sa, n, text);
	case AF_INET:
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
		snprintf(text, PATH_MAX, "inet %s %u", host, ntohs(in->sin_port));
		return true;
	case AF_INET6:
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
		snprintf(text, PATH_MAX, "inet %s %u", host, ntohs(in6->sin6_port));
		return true;
	}
	snprintf(text, PATH_MAX, "family %u", sa->ss_family);
	return true;
}

static bool is_network(const struct sockaddr_storage *sa)
{
	return sa->ss_family == AF_INET || sa->ss_family == AF_INET6;
}

static bool read_address(struct call *c, uint64_t at, uint64_t n, bool all)
{
	struct sockaddr_storage sa = { 0 };
	bool binds = c->ev.kind == TRACE_BIND;

	if (n < sizeof sa.ss_family || n > sizeof sa ||
	    call_memory(c, at, &sa, (size_t)n) != (ssize_t)n)
		return false;
	if (is_network(&sa) && !binds && !all)
		call_unseen(c, "it speaks to the network");
	c->ev.path = c->text[0];
	return all && address_text(c, &sa, (size_t)n);
}

/* ---- signals */

/* The process behind a descriptor of the caller's, or 0. */
static pid_t behind_pidfd(const struct call *c, int fd)
{
	char name[LINK_ROOM], text[STATUS_ROOM];

	snprintf(name, sizeof name, "fdinfo/%d", fd);
	return process_text(c->ev.pid, name, text, sizeof text) ? field(text, "\nPid:") : 0;
}

/* To itself or a thread of its own is no event. */
static bool is_to_other(const struct call *c, pid_t to)
{
	pid_t own;

	if (to == c->ev.pid)
		return false;
	if (to <= 0)
		return true;
	own = trace_process(c->ev.pid, NULL);
	return own != to && own != trace_process(to, NULL);
}

static bool read_signal(struct call *c, pid_t to)
{
	c->ev.kind = TRACE_SIGNAL;
	c->ev.status = to;
	return is_to_other(c, to);
}

/* Is its standard input a terminal? */
static bool read_input(struct call *c)
{
	char path[LINK_ROOM];
	struct stat st;

	snprintf(path, sizeof path, "/proc/%d/fd/0", (int)c->ev.pid);
	c->ev.kind = TRACE_READ;
	c->ev.path = "/dev/tty";
	return stat(path, &st) == 0 && S_ISCHR(st.st_mode) &&
	       major(st.st_rdev) != MEMORY;
}

bool call_read_peer(struct call *c, const struct watch *w, bool all)
{
	const __u64 *arg = c->q.data.args;
	uint64_t what = arg[w->path];

	c->ev.path = "";
	c->ev.kind = w->kind == KIND_BIND ? TRACE_BIND : TRACE_CONNECT;
	switch (w->kind) {
	case KIND_CONNECT:
	case KIND_BIND:
		return read_address(c, what, arg[w->flags], all);
	case KIND_SOCKET:
		c->ev.path = "datagrams";
		return all && (what == AF_INET || what == AF_INET6);
	case KIND_INTERFACE:
		c->ev.path = "interfaces";
		return all;
	case KIND_IPC:
		snprintf(c->text[0], PATH_MAX, "ipc %#x", (unsigned)what);
		c->ev.path = c->text[0];
		return all;
	case KIND_QUEUE:
		memcpy(c->text[0], "queue ", 6);
		c->ev.path = c->text[0];
		return all && call_string(c, what, c->text[0] + 6, PATH_MAX) > 0;
	case KIND_SIGNAL:
		return all && read_signal(c, (pid_t)what);
	case KIND_PIDFD:
		return all && read_signal(c, behind_pidfd(c, (int)what));
	case KIND_PTRACE:
		return all && (arg[w->flags] == PTRACE_ATTACH ||
			       arg[w->flags] == PTRACE_SEIZE) &&
		       read_signal(c, (pid_t)what);
	case KIND_INPUT:
		return all && read_input(c);
	case KIND_END:
		c->ev.kind = TRACE_END;
		c->ev.status = (int)(what & 0xff);
		return all;
	}
	return false;
}
