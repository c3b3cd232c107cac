/* streams.c - what the standard streams of a command are
 *
 * A stream can be deferred when it is nobody's (terminal, /dev/null), when it
 * is the one that this program has itself, or when it is a file opened for
 * this command alone.  Who reads a pipe waits for what comes, so a command that
 * prints into one waits until that is known (replay.c).  A terminal that is not
 * the one of this program is read as well, by who made it.
 * A file that the parent has open too may be either: a shell that starts
 * commands by vfork has it open for the one command, another for several.
 * held.c sees to it that both come out right.  Build tools gather what their
 * commands print, each by a pipe or a file without a name, only to print it in
 * one piece: where that goes is then what counts.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "process.h"
#include "session_private.h"

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

/* Somebody has this output of a command thrown away, where ours is not. */
static bool is_dropped(int fd, const struct stat *st)
{
	struct stat own, null;

	return fd && stat("/dev/null", &null) == 0 && S_ISCHR(st->st_mode) &&
	       st->st_rdev == null.st_rdev &&
	       !(fstat(fd, &own) == 0 && S_ISCHR(own.st_mode) && own.st_rdev == null.st_rdev);
}

/* The far end of one that script, expect or Python's pty reads. */
static bool is_made_terminal(const struct stat *st)
{
	enum { UNIX98_FIRST = 136, UNIX98_LAST = 143 };
	unsigned kind = major(st->st_rdev);

	return kind >= UNIX98_FIRST && kind <= UNIX98_LAST;
}

pid_t stream_parent(pid_t pid)
{
	struct process p;

	return process_read(pid, &p) ? p.parent : 0;
}

bool stream_comm(pid_t pid, char *name, size_t room)
{
	if (!process_text(pid, "comm", name, room))
		return false;
	name[strcspn(name, "\n")] = 0;
	return true;
}

static bool parent_has(pid_t pid, int fd, const struct stat *st)
{
	char path[64];
	struct stat theirs;

	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)stream_parent(pid), fd);
	return stat(path, &theirs) == 0 && same_file(st, &theirs);
}

int stream_fd_of(pid_t pid, const struct stat *st, int first)
{
	char path[64];
	struct stat theirs;
	struct dirent *de;
	int found = -1;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, first);
	if (stat(path, &theirs) == 0 && same_file(st, &theirs))
		return first;
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (d && found < 0 && (de = readdir(d)))
		if (de->d_name[0] != '.' && fstatat(dirfd(d), de->d_name, &theirs, 0) == 0 &&
		    same_file(st, &theirs))
			found = atoi(de->d_name);
	if (d)
		closedir(d);
	return found;
}

/* How far a process has read, or -1. */
static long long offset_of(pid_t pid, int fd)
{
	char name[32], text[256];
	long long pos = -1;

	snprintf(name, sizeof name, "fdinfo/%d", fd);
	return process_text(pid, name, text, sizeof text) &&
	       sscanf(text, "pos: %lld", &pos) == 1 ? pos : -1;
}

static void regular(pid_t pid, int fd, const struct stat *st, const char *link,
		    struct stream *out)
{
	/* `exec 3>log; train >&3; echo done >&3`: by whatever number. */
	bool shared = fd ? stream_fd_of(stream_parent(pid), st, fd) >= 0 :
			   parent_has(pid, fd, st);

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

/* Is it a build tool that has this file open to gather output?  What make
 * reads from a pipe it takes as text: $(shell ...). */
static bool gathers(pid_t pid, const struct stat *st)
{
	static const struct {
		const char *name;
		mode_t kind;
	} tools[] = { { "ninja", S_IFIFO }, { "samu", S_IFIFO },
		      { "make", S_IFREG }, { "gmake", S_IFREG },
		      { "parallel", S_IFREG } };
	char path[64], name[64];
	struct stat own;
	struct dirent *de;
	bool is_tool = false, has = false;
	DIR *d;

	if (!stream_comm(pid, name, sizeof name))
		return false;
	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
		is_tool |= strcmp(name, tools[i].name) == 0 &&
			   (st->st_mode & S_IFMT) == tools[i].kind;
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	d = is_tool ? opendir(path) : NULL;
	while (d && !has && (de = readdir(d)))
		has = de->d_name[0] != '.' && atoi(de->d_name) > 2 &&
		      fstatat(dirfd(d), de->d_name, &own, 0) == 0 && same_file(&own, st);
	if (d)
		closedir(d);
	return has;
}

/* The build tool above that gathers this stream, or 0. */
static pid_t gatherer_of(pid_t pid, const struct stat *st)
{
	for (int i = 0; i < 16 && pid > 1; i++) {
		pid = stream_parent(pid);
		if (pid > 1 && gathers(pid, st))
			return pid;
	}
	return 0;
}

/* GNU parallel closes the pipe that is a command's input a moment after it has
 * started it; only one that is fed keeps it open. */
static int closes_within_ms(pid_t pid)
{
	enum { LEVELS = 3, A_MOMENT_MS = 2000 };
	char name[64];

	for (int i = 0; i < LEVELS && pid > 1; i++) {
		pid = stream_parent(pid);
		if (pid > 1 && stream_comm(pid, name, sizeof name) &&
		    strcmp(name, "parallel") == 0)
			return A_MOMENT_MS;
	}
	return 0;
}

/* A pipe that holds nothing and that nobody can write to: make gives one to
 * all of its commands but the first of those that run at once. */
static bool is_spent(pid_t pid, const char *path)
{
	struct pollfd p = { .fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC),
			    .events = POLLIN };
	bool spent = p.fd >= 0 && poll(&p, 1, closes_within_ms(pid)) == 1 &&
		     p.revents & POLLHUP &&
		     !(p.revents & POLLIN);

	if (p.fd >= 0)
		close(p.fd);
	return spent;
}

/* Our own input is the one of the command that we were told to run, and it has
 * something to read: what comes that way is meant for it. */
static bool is_fed(pid_t pid, const char *path)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return stream_parent(stream_parent(pid)) == getpid() &&
	       poll(&p, 1, 0) == 1 && !is_spent(pid, path);
}

/* What held.c kept under another name, and put back, is called deleted though it
 * stands there. */
static char *still_there(char *link, const struct stat *st)
{
	static const char gone[] = " (deleted)";
	size_t n = strlen(link), goes = sizeof gone - 1;
	struct stat now;

	if (n <= goes || strcmp(link + n - goes, gone) != 0)
		return link;
	link[n - goes] = '\0';
	if (stat(link, &now) < 0 || !same_file(&now, st))
		link[n - goes] = *gone;
	return link;
}

/* Both of a command's outputs into one pipe are one text. */
static const char *printed_place(pid_t pid, int fd, const struct stat *st)
{
	char path[64];
	struct stat out;

	snprintf(path, sizeof path, "/proc/%d/fd/1", (int)pid);
	return fd == 2 && (stat(path, &out) < 0 || !same_file(&out, st)) ? PRINTED_ERR :
									   PRINTED_OUT;
}

void stream_of(pid_t pid, int fd, struct arena *a, struct stream *out)
{
	char path[64], link[4096];
	struct stat st;
	ssize_t n;

	*out = (struct stream){ .kind = STREAM_QUIET };
	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
	if (stat(path, &st) < 0)
		return;
	out->is_dropped = is_dropped(fd, &st);
	if (S_ISCHR(st.st_mode)) {
		if (fd && is_made_terminal(&st) && !is_ours(&st)) {
			out->kind = STREAM_OTHER;
			out->path = "a terminal that a program made";
		}
		return;
	}
	if (is_ours(&st) && (fd || !S_ISREG(st.st_mode))) {
		if (fd == 0 && is_fed(pid, path))
			*out = (struct stream){ .kind = STREAM_OTHER, .path = "a pipe" };
		return;
	}
	if (fd && (S_ISFIFO(st.st_mode) || (S_ISREG(st.st_mode) && !st.st_nlink))) {
		pid_t tool = gatherer_of(pid, &st);

		if (tool)
			stream_of(tool, fd, a, out);
		if (tool && out->kind == STREAM_QUIET)
			out->kind = STREAM_GATHERED;
		if (tool && out->kind == STREAM_GATHERED)
			return;
		*out = (struct stream){ .kind = STREAM_QUIET };
	}
	if (!S_ISREG(st.st_mode)) {
		if (fd == 0 && (parent_has(pid, fd, &st) || is_spent(pid, path)))
			return;
		out->kind = STREAM_OTHER;
		out->path = S_ISFIFO(st.st_mode) ? "a pipe" : "a socket or device";
		if (fd && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))) {
			out->kind = STREAM_PIPE;
			out->path = printed_place(pid, fd, &st);
			out->is_hasty = pipe_parent_waits(pid);
		}
		return;
	}
	n = readlink(path, link, sizeof link - 1);
	if (n < 0)
		n = 0;
	regular(pid, fd, &st, still_there(arena_strn(a, link, (size_t)n), &st), out);
}
