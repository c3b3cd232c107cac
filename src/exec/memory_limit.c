/* memory_limit.c - did the kernel kill it for lack of memory?
 *
 * How often it has done so in this process's control group, of version 2 or 1.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "inside.h"

enum { TEXT_MAX = 1023, GROUPS_MAX = 1 << 16 };

/* The count in a file that has it as "oom_kill N"; -1 without. */
static long long count_in(int fd)
{
	static const char word[] = "oom_kill ";
	char text[TEXT_MAX + 1];
	ssize_t n = pread(fd, text, TEXT_MAX, 0);
	const char *at;

	if (n <= 0)
		return -1;
	text[n] = 0;
	at = strstr(text, word);
	return at ? strtoll(at + sizeof word - 1, NULL, 10) : -1;
}

/* The path of the group behind a mark in /proc/self/cgroup, in a. */
static const char *group(struct bytes all, const char *mark, struct arena *a)
{
	const char *at = memmem(all.p, all.n, mark, strlen(mark));
	const char *end = at ? memchr(at, '\n', all.n - (size_t)(at - all.p)) : NULL;

	if (!end)
		return "";
	at += strlen(mark);
	return arena_strn(a, at, (size_t)(end - at));
}

static bool open_one(struct memory_kills *m, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (m->n < sizeof m->fd / sizeof *m->fd && count_in(fd) >= 0)
		m->fd[m->n++] = fd;
	else
		close(fd);
	return true;
}

void memory_kills_open(struct memory_kills *m)
{
	static const struct { const char *mark, *top, *file; } kinds[] = {
		{ "0::", "/sys/fs/cgroup", "memory.events" },
		{ ":memory:", "/sys/fs/cgroup/memory", "memory.oom_control" },
	};
	struct arena a = { 0 };
	struct bytes all = { "", 0 };
	struct err ignored;

	*m = (struct memory_kills){ .n = 0 };
	if (file_read(AT_FDCWD, "/proc/self/cgroup", GROUPS_MAX, &a, &all, &ignored) < 0)
		all = (struct bytes){ "", 0 };
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const char *own = group(all, kinds[i].mark, &a);

		/* In a container the mount may begin at its own group, although
		 * the path is told from the machine's. */
		if (!open_one(m, arena_printf(&a, "%s%s/%s", kinds[i].top, own, kinds[i].file)))
			open_one(m, arena_printf(&a, "%s/%s", kinds[i].top, kinds[i].file));
	}
	arena_release(&a);
}

void memory_kills_close(struct memory_kills *m)
{
	while (m->n)
		close(m->fd[--m->n]);
}

uint64_t memory_kills(const struct memory_kills *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		long long one = count_in(m->fd[i]);

		n += one > 0 ? (uint64_t)one : 0;
	}
	return n;
}
