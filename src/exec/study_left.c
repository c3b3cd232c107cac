/* study_left.c - processes that outlive their command
 *
 * A step ends with its program, and what that has left in its cell is ended too.
 * So a command that leaves a process behind has to run for real, unless that
 * process only waits for the command's end: it reads a pipe that ends then, as
 * the trackers of Python's multiprocessing do, and writes no file meanwhile.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "process.h"
#include "session_private.h"

enum {
	KIN_MAX = 1024,
	FDS_MAX = 256,
	LOOKS = 10,             /* at who may be about to end */
	LOOK_NS = 5000000,
};

struct opened {
	dev_t dev;
	ino_t ino;
	int fd;
	bool is_pipe, reads, writes;
};

/* Regular files and pipes that pid has open. */
static size_t opened_by(pid_t pid, struct opened *v)
{
	char path[64];
	struct dirent *de;
	struct stat st, link;
	size_t n = 0;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (d && n < FDS_MAX && (de = readdir(d))) {
		if (de->d_name[0] == '.' || fstatat(dirfd(d), de->d_name, &st, 0) < 0 ||
		    fstatat(dirfd(d), de->d_name, &link, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !(S_ISFIFO(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink)))
			continue;
		v[n++] = (struct opened){ st.st_dev, st.st_ino, atoi(de->d_name),
					  S_ISFIFO(st.st_mode), link.st_mode & S_IRUSR,
					  link.st_mode & S_IWUSR };
	}
	if (d)
		closedir(d);
	return n;
}

static bool writes_same(const struct opened *v, size_t n, const struct opened *o)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].writes && v[i].dev == o->dev && v[i].ino == o->ino)
			return true;
	return false;
}

/* Does a file of the project lie behind it? */
static bool is_ours(struct study *st, pid_t pid, int fd, struct arena *a)
{
	char path[64], to[4096];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
	n = readlink(path, to, sizeof to);
	return n > 0 && watch_inside(st->s, a, arena_strn(a, to, (size_t)n));
}

/* v[0, n): what the command itself has open. */
static bool waits_for_end(struct study *st, pid_t pid, const struct opened *v, size_t n,
			  struct arena *a)
{
	struct opened *own = arena_alloc(a, FDS_MAX * sizeof *own);
	size_t n_own = opened_by(pid, own);
	bool waits = false;

	for (size_t i = 0; i < n_own; i++) {
		const struct opened *o = &own[i];

		if (!o->is_pipe && o->writes && !writes_same(v, n, o) &&
		    is_ours(st, pid, o->fd, a))
			return false;
		waits |= o->is_pipe && o->reads && writes_same(v, n, o) &&
			 !writes_same(own, n_own, o);
	}
	return waits;
}

static bool has_pending(const char *status, const char *which)
{
	const char *at = strstr(status, which);
	unsigned long long set = 0;

	return at && sscanf(at + strlen(which), " %llx", &set) == 1 &&
	       set & (1ull << (SIGKILL - 1) | 1ull << (SIGTERM - 1));
}

/* Has it ended, or been told to?  Else *started is when it began. */
static bool is_ending(pid_t pid, unsigned long long *started)
{
	struct process p;
	char text[4096];

	if (!process_read(pid, &p) || strchr("ZXx", p.state) || p.flags & PROCESS_EXITING)
		return true;
	*started = p.started;
	return !process_text(pid, "status", text, sizeof text) ||
	       has_pending(text, "\nSigPnd:") || has_pending(text, "\nShdPnd:");
}

/* Clocks are coarse: a process and its child may have begun in the same tick. */
static bool began_before(unsigned long long started, pid_t pid, unsigned long long other,
			 pid_t other_pid)
{
	return started < other || (started == other && pid < other_pid);
}

/* The first of them to have begun, or 0. */
static pid_t find_left(struct study *st, const pid_t *kin, size_t n_kin)
{
	struct arena a = { 0 };
	struct opened *v = arena_alloc(&a, FDS_MAX * sizeof *v);
	unsigned long long first = ULLONG_MAX, started;
	size_t n = opened_by(st->root, v);
	pid_t left = 0;

	for (size_t i = 0; i < n_kin; i++) {
		if (kin[i] == st->root || trace_process(kin[i], NULL) != kin[i] ||
		    is_ending(kin[i], &started) ||
		    !began_before(started, kin[i], first, left) ||
		    waits_for_end(st, kin[i], v, n, &a))
			continue;
		first = started;
		left = kin[i];
	}
	arena_release(&a);
	return left;
}

const char *study_left(struct study *st)
{
	static const struct timespec nap = { .tv_nsec = LOOK_NS };
	pid_t kin[KIN_MAX], left;
	size_t n = kin_list(&st->s->studies.kin, st, kin, KIN_MAX);
	char name[32];

	for (int i = 0; i < LOOKS; i++) {
		left = find_left(st, kin, n);
		if (!left)
			return NULL;
		nanosleep(&nap, NULL);
	}
	if (!process_text(left, "comm", name, sizeof name))
		return NULL;
	name[strcspn(name, "\n")] = '\0';
	return arena_printf(&st->arena, "it leaves %s running behind it", name);
}
