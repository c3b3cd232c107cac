/* study_peers.c - a studied command meets other processes
 *
 * What it says to its own children, or they to each other, is its own affair.
 * What it says to others happens only when it really runs; so it must.  Some
 * sockets of the system only answer who a user is, or take a line for the log:
 * what they give shapes no result.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "session_private.h"

/* ---- sockets by address */

enum { TCP_LISTEN = 0x0a, FDS_MAX = 4096, KIN_MAX = 1024 };

/* The inode of who listens at a port of this machine, or 0. */
static unsigned long listener_inode(unsigned port)
{
	static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
	unsigned long inode = 0, found;
	unsigned at, state;
	char line[512];

	for (size_t i = 0; i < sizeof tables / sizeof *tables && !inode; i++) {
		FILE *f = fopen(tables[i], "re");

		while (f && !inode && fgets(line, sizeof line, f))
			if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %lu",
				   &at, &state, &found) == 3 &&
			    at == port && state == TCP_LISTEN)
				inode = found;
		if (f)
			fclose(f);
	}
	return inode;
}

static bool has_inode(pid_t pid, unsigned long inode)
{
	char path[64];
	struct dirent *de;
	struct stat st;
	bool has = false;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (d && !has && (de = readdir(d)))
		has = fstatat(dirfd(d), de->d_name, &st, 0) == 0 && S_ISSOCK(st.st_mode) &&
		      st.st_ino == inode;
	if (d)
		closedir(d);
	return has;
}

/* Does one of its own processes listen there, or nobody yet?  Ranks of one
 * training knock until the first of them opens. */
static bool is_own_port(struct study *st, const char *host, unsigned port)
{
	bool is_local = strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
			strncmp(host, "::ffff:127.", 11) == 0 ||
			strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
	unsigned long inode = is_local && st->bound.n ? listener_inode(port) : 0;
	pid_t v[KIN_MAX];
	size_t n = inode ? kin_list(&st->s->studies.kin, st, v, KIN_MAX) : 0;

	if (is_local && st->bound.n && !inode)
		return true;
	for (size_t i = 0; i < n; i++)
		if (has_inode(v[i], inode))
			return true;
	return false;
}

static bool is_bound(const struct study *st, const char *name)
{
	for (size_t i = 0; i < st->bound.n; i++)
		if (strcmp(st->bound.v[i], name) == 0)
			return true;
	return false;
}

static bool is_harmless(const char *path)
{
	static const char *const places[] = {
		"/run/nscd", "/var/run/nscd", "/run/systemd/userdb", "/dev/log",
		"/run/systemd/journal",
	};

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (path_is_below(places[i], path))
			return true;
	return access(path, F_OK) < 0;
}

/* Messages are not watched, so that a socket by which they can go anywhere is to
 * be explained: the C library connects one to sort addresses, others ask one for
 * the interfaces there are. */
static const char *may_send(struct study *st, pid_t pid)
{
	if (st->n_senders == sizeof st->senders / sizeof *st->senders)
		return study_sends(st);
	st->senders[st->n_senders++] = pid;
	return NULL;
}

static void is_explained(struct study *st, pid_t pid)
{
	size_t kept = 0;

	for (size_t i = 0; i < st->n_senders; i++)
		if (st->senders[i] != pid)
			st->senders[kept++] = st->senders[i];
	st->n_senders = kept;
}

const char *study_sends(const struct study *st)
{
	return st->n_senders ? "it opens a socket for datagrams (UDP)" : NULL;
}

/* Why a connection must be made each time, or NULL. */
static const char *connects(struct study *st, const char *to, pid_t pid)
{
	char host[64];
	unsigned port;

	if (strcmp(to, "datagrams") == 0)
		return may_send(st, trace_process(pid, NULL));
	if (st->n_senders)
		is_explained(st, trace_process(pid, NULL));
	if (strcmp(to, "interfaces") == 0)
		return NULL;
	if (is_bound(st, to))
		return NULL;
	if (sscanf(to, "inet %63s %u", host, &port) == 2) {
		if (is_own_port(st, host, port))
			return NULL;
		return arena_printf(&st->arena, strchr(host, ':') ? "it connects to [%s]:%u" :
				    "it connects to %s:%u", host, port);
	}
	if (*to == '/')
		return is_harmless(to) ? NULL : arena_printf(&st->arena, "it talks to %s", to);
	if (strncmp(to, "ipc ", 4) == 0 || strncmp(to, "queue ", 6) == 0)
		return arena_printf(&st->arena, "it shares memory or messages with others (%s)",
				    to);
	return arena_printf(&st->arena, "it talks to another process (%s)", to);
}

static const char *signals(struct study *st, pid_t to)
{
	pid_t group = to < -1 ? -to : to == 0 ? getpgid(st->root) : to;

	if (to != -1 && (study_of(st->s, group) == st || !trace_process(group, NULL)))
		return NULL;
	return arena_printf(&st->arena, "it sends a signal to a process that it did not start");
}

void study_meets(struct study *st, const struct trace_event *ev)
{
	const char *why = NULL;

	switch (ev->kind) {
	case TRACE_BIND:
		strs_add(&st->bound, arena_str(&st->arena, ev->path));
		if (ev->path[0] == '/')
			deeds_note_bound(&st->deeds, ev->path);
		break;
	case TRACE_CONNECT:
		why = connects(st, ev->path, ev->pid);
		if (!why)
			return;
		break;
	case TRACE_SIGNAL:
		why = signals(st, ev->status);
		if (!why)
			return;
		break;
	default:
		return;
	}
	if (why && !st->why_real)
		st->why_real = why;
	if (why)
		memo_spoil(st->memo, why);
	study_release_waiting(st);
}
