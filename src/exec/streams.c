/* streams.c - what the standard streams of a command are
 *
 * A stream can be deferred when it is nobody's (terminal, /dev/null), when it
 * is the one that this program has itself, or when it is a file opened for
 * this command alone.  A pipe is shared with others who count on its order.
 * A file that the parent has open too may be either: a shell that starts
 * commands by vfork has it open for the one command, another for several.
 * held.c sees to it that both come out right.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "session.h"

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_ours(const struct stat *st)
{
	struct stat own;

	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &own) == 0 && same_file(st, &own))
			return true;
	return false;
}

pid_t stream_parent(pid_t pid)
{
	char path[64], text[512], *p;
	int fd, parent = 0;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = file_read_fd(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	p = strrchr(text, ')');
	if (p && sscanf(p + 1, " %*c %d", &parent) != 1)
		return 0;
	return parent;
}

static bool parent_has(pid_t pid, int fd, const struct stat *st)
{
	char path[64];
	struct stat theirs;

	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)stream_parent(pid), fd);
	return stat(path, &theirs) == 0 && same_file(st, &theirs);
}

/* How far a process has read, or -1. */
static long long offset_of(pid_t pid, int fd)
{
	char path[64], text[256];
	long long pos = -1;
	int f;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, fd);
	f = open(path, O_RDONLY | O_CLOEXEC);
	if (f < 0)
		return -1;
	n = file_read_fd(f, text, sizeof text - 1);
	close(f);
	if (n > 0) {
		text[n] = 0;
		if (sscanf(text, "pos: %lld", &pos) != 1)
			pos = -1;
	}
	return pos;
}

static void regular(pid_t pid, int fd, const struct stat *st, const char *link,
		    struct stream *out)
{
	bool shared = parent_has(pid, fd, st);

	out->kind = STREAM_OTHER;
	if (st->st_nlink == 0) {
		out->path = "a deleted temporary file";
	} else if (fd == 0 && offset_of(pid, fd) != 0) {
		/* A loop that reads lines has its commands inherit the rest. */
		out->kind = shared ? STREAM_QUIET : STREAM_OTHER;
		out->path = "a file that was read in part";
	} else {
		out->kind = STREAM_FILE;
		out->path = link;
		out->appends = fd && st->st_size > 0;
		out->is_shared = shared;
	}
}

void stream_of(pid_t pid, int fd, struct arena *a, struct stream *out)
{
	char path[64], link[4096];
	struct stat st;
	ssize_t n;

	*out = (struct stream){ .kind = STREAM_QUIET };
	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
	if (stat(path, &st) < 0 || S_ISCHR(st.st_mode) || is_ours(&st))
		return;
	if (!S_ISREG(st.st_mode)) {
		if (fd == 0 && parent_has(pid, fd, &st))
			return;
		out->kind = STREAM_OTHER;
		out->path = S_ISFIFO(st.st_mode) ? "a pipe" : "a socket or device";
		return;
	}
	n = readlink(path, link, sizeof link - 1);
	if (n < 0)
		n = 0;
	regular(pid, fd, &st, arena_strn(a, link, (size_t)n), out);
}
