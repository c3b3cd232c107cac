/* store_rig.h - a folder for stores, and what tests of them do */
#ifndef GG_STORE_RIG_H
#define GG_STORE_RIG_H

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "file.h"
#include "store.h"
#include "test.h"

static char dir[] = "/tmp/gg-t_store-XXXXXX";
static struct err e;
static struct arena a;

static inline struct store *open_at(const char *name, unsigned flags)
{
	struct store *s;

	MUST(store_open(arena_printf(&a, "%s/%s", dir, name), flags, &s, &e), e);
	return s;
}

/* A process of its own; true when fn gave 0. */
static inline bool in_child(int (*fn)(void *arg), void *arg)
{
	int status;
	pid_t pid = (fflush(stdout), fork());

	if (pid == 0)
		_exit(fn(arg));
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		WEXITSTATUS(status) == 0;
}

static inline struct bytes random_bytes(size_t n, unsigned seed)
{
	char *p = arena_alloc(&a, n);

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (char)(seed >> 24);
	}
	return (struct bytes){ p, n };
}

static inline int count_objects(void *arg, const struct id *id, uint64_t n_bytes)
{
	size_t *v = arg;

	(void)id;
	v[0]++;
	v[1] += n_bytes;
	return 0;
}

static inline int rig_main(const struct test *tests)
{
	int rc;

	if (!mkdtemp(dir))
		return 1;
	rc = test_main(tests);
	arena_reset(&a);
	if (dir_remove(AT_FDCWD, dir, &e) < 0)
		printf("# %s\n", e.text);
	arena_release(&a);
	return rc;
}

#endif
