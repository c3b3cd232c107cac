/* study_given.c - files that a command has open before it begins
 *
 * Calls on a descriptor are not watched, since who opened it was.  What a shell
 * opened for a command (exec 3>>log) was opened by another, so it is looked at
 * before and after: where it stands, and how far it has been read.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "process.h"
#include "session_private.h"

struct given {
	int fd;
	long long pos;
	const char *path;
	struct stamp stamp;
};

enum { GIVEN_MAX = 64 };

/* Position and flags of a descriptor; false if it is not there. */
static bool look(pid_t pid, int fd, long long *pos, unsigned *flags)
{
	char name[32], text[256];

	snprintf(name, sizeof name, "fdinfo/%d", fd);
	return process_text(pid, name, text, sizeof text) &&
	       sscanf(text, "pos: %lld flags: %o", pos, flags) == 2;
}

/* Is it that file still, and not another by its number? */
static bool is_same(pid_t pid, const struct given *g)
{
	char path[64];
	struct stat s;

	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, g->fd);
	return stat(path, &s) == 0 && s.st_ino == g->stamp.ino && s.st_dev == g->stamp.dev;
}

/* A regular file that stays open in the program. */
static bool take(struct study *st, int fd, struct given *g)
{
	char path[64], link[4096];
	unsigned flags;
	struct stat s;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)st->root, fd);
	if (fd < 3 || stat(path, &s) < 0 || !S_ISREG(s.st_mode) || !s.st_nlink ||
	    !look(st->root, fd, &g->pos, &flags) || flags & O_CLOEXEC)
		return false;
	n = readlink(path, link, sizeof link);
	if (n <= 0)
		return false;
	g->fd = fd;
	g->path = arena_strn(&st->arena, link, (size_t)n);
	g->stamp = stamp_of(&s);
	return true;
}

/* A pipe that stays open in the program beside its streams, and is not gg's own too:
 * what is printed there is not heard. */
static bool is_side_pipe(const struct study *st, int fd)
{
	char path[64];
	unsigned flags;
	long long pos;
	struct stat s, own;

	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)st->root, fd);
	return fd > 2 && stat(path, &s) == 0 && S_ISFIFO(s.st_mode) &&
	       look(st->root, fd, &pos, &flags) && !(flags & O_CLOEXEC) &&
	       (flags & O_ACCMODE) == O_WRONLY &&
	       (fstat(fd, &own) < 0 || own.st_ino != s.st_ino || own.st_dev != s.st_dev);
}

void study_note_given(struct study *st)
{
	char path[64];
	struct dirent *de;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)st->root);
	d = opendir(path);
	while (d && (de = readdir(d)) && st->n_given < GIVEN_MAX) {
		struct given g;

		if (!st->why_not && is_side_pipe(st, atoi(de->d_name)))
			st->why_not = "a pipe beside its standard streams was open for it";
		if (de->d_name[0] == '.' || !take(st, atoi(de->d_name), &g))
			continue;
		if (!st->given)
			st->given = arena_alloc(&st->arena, GIVEN_MAX * sizeof g);
		st->given[st->n_given++] = g;
	}
	if (d)
		closedir(d);
}

const char *study_used_given(struct study *st, struct arena *a)
{
	for (size_t i = 0; i < st->n_given; i++) {
		const struct given *g = &st->given[i];
		const char *inside = watch_inside(st->s, a, g->path);
		struct stamp now;
		unsigned flags;
		struct stat s;
		long long pos;

		if (stat(g->path, &s) == 0) {
			now = stamp_of(&s);
			if (!stamp_equal(&now, &g->stamp))
				return arena_printf(a, "it writes %s, which it was given open",
						    inside ? inside : g->path);
		}
		if (is_same(st->root, g) && look(st->root, g->fd, &pos, &flags) &&
		    pos != g->pos)
			return arena_printf(a, "it reads on in %s, which it was given open",
					    inside ? inside : g->path);
	}
	return NULL;
}
