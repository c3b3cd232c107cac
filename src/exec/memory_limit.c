/* memory_limit.c - how often the kernel has killed for lack of memory in this
 * process's control group, of version 2 or 1
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "inside.h"

enum { TEXT_MAX = 1 << 16 };

/* The count in a file that has it as "oom_kill N"; 0 without. */
static uint64_t count_in(const char *path)
{
	static const char word[] = "oom_kill ";
	struct arena a = { 0 };
	struct bytes b;
	struct err ignored;
	const char *at = NULL;
	uint64_t n = 0;

	if (file_read(AT_FDCWD, path, TEXT_MAX, &a, &b, &ignored) == 0)
		at = memmem(b.p, b.n, word, sizeof word - 1);
	if (at)
		n = strtoull(arena_strn(&a, at, b.n - (size_t)(at - b.p)) + sizeof word - 1,
			     NULL, 10);
	arena_release(&a);
	return n;
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

uint64_t memory_kills(void)
{
	static const struct { const char *mark, *top, *file; } kinds[] = {
		{ "0::", "/sys/fs/cgroup", "memory.events" },
		{ ":memory:", "/sys/fs/cgroup/memory", "memory.oom_control" },
	};
	struct arena a = { 0 };
	struct bytes all = { "", 0 };
	struct err ignored;
	uint64_t n = 0;

	if (file_read(AT_FDCWD, "/proc/self/cgroup", TEXT_MAX, &a, &all, &ignored) < 0)
		all = (struct bytes){ "", 0 };
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const char *own = group(all, kinds[i].mark, &a);

		n += count_in(arena_printf(&a, "%s%s/%s", kinds[i].top, own, kinds[i].file));
		/* In a container the mount may begin at its own group, although
		 * the path is told from the machine's. */
		if (strcmp(own, "/") != 0)
			n += count_in(arena_printf(&a, "%s/%s", kinds[i].top, kinds[i].file));
	}
	arena_release(&a);
	return n;
}
