/* t_store_kill.c - kill -9 while putting: nothing wrong, nothing flushed lost */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "file.h"
#include "store.h"
#include "test.h"

enum { WRITERS = 2, KILLS = 100, SIZE_MAX_BYTES = 150000 };

static char dir[] = "/tmp/gg-t_kill-XXXXXX";
static struct err e;

/* What each writer has begun and has flushed; survives it. */
struct progress {
	atomic_uint put, flushed;
};

static struct progress *progress;

static struct bytes object(char *room, unsigned writer, unsigned i)
{
	unsigned seed = writer << 28 ^ i;
	size_t n = i % 7 == 0 ? 70000 + i % 80000 : 20 + i % 6000;

	for (size_t k = 0; k < n; k++) {
		seed = seed * 1664525u + 1013904223u;
		room[k] = (char)(seed >> 24);
	}
	return (struct bytes){ room, n };
}

static int write_on(unsigned writer)
{
	static char room[SIZE_MAX_BYTES];
	struct progress *p = &progress[writer];
	struct store *s;
	struct err ce;
	struct id id;

	if (store_open(dir, STORE_CREATE, &s, &ce) < 0)
		return printf("# %s\n", ce.text), 1;
	for (unsigned i = p->flushed; store_put(s, object(room, writer, i), &id, &ce) == 0;
	     i++) {
		struct bytes key = { (char *)&i, sizeof(i) };

		if (store_table_put(s, TABLE_SHAPE, key, id_key(&id), &ce) < 0)
			break;
		p->put = i + 1;
		if (i % 5)
			continue;
		if (store_flush(s, &ce) < 0)
			break;
		p->flushed = i + 1;
	}
	printf("# %s\n", ce.text);
	fflush(stdout);
	return 1;
}

static int check_one(void *arg, const struct id *id, uint64_t n_bytes)
{
	struct err ce;

	(void)n_bytes;
	if (store_check(arg, id, &ce) == 0)
		return 0;
	printf("# %s\n", ce.text);
	CHECK(!"an object is not what its name says");
	return 1;
}

static void flushed_are_there(struct store *s, unsigned writer, unsigned from)
{
	static char room[SIZE_MAX_BYTES];

	for (unsigned i = from; i < progress[writer].flushed; i++) {
		struct id id = id_of(object(room, writer, i));

		CHECK(store_has(s, &id));
	}
}

static void look(unsigned round, const unsigned *from)
{
	struct store *s;

	MUST(store_open(dir, 0, &s, &e), e);
	for (unsigned w = 0; w < WRITERS; w++)
		flushed_are_there(s, w, round % 20 ? from[w] : 0);
	if (round % 20 == 0)
		MUST(store_each_object(s, check_one, s, &e), e);
	MUST(store_close(s, &e), e);
}

/* Until it has flushed something; each fourth one is killed sooner. */
static void until_it_works(unsigned round, unsigned w, unsigned before)
{
	const struct timespec t = { 0, 1000000 };

	for (unsigned i = 0; round % 4 && i < 60000 && progress[w].flushed == before; i++)
		nanosleep(&t, NULL);
}

static void kill_often(void)
{
	unsigned seed = 7, put = 0;

	for (unsigned round = 1; round <= KILLS; round++) {
		pid_t pids[WRITERS];
		unsigned from[WRITERS];

		fflush(stdout);
		for (unsigned w = 0; w < WRITERS; w++) {
			from[w] = progress[w].flushed;
			pids[w] = fork();
			if (pids[w] == 0)
				_exit(write_on(w));
		}
		for (unsigned w = 0; w < WRITERS; w++) {
			struct timespec t = { 0, 0 };
			int status;

			until_it_works(round, w, from[w]);
			seed = seed * 1664525u + 1013904223u;
			t.tv_nsec = (long)(seed >> 8) % 30000000;
			nanosleep(&t, NULL);
			kill(pids[w], SIGKILL);
			waitpid(pids[w], &status, 0);
			CHECK(WIFSIGNALED(status));
		}
		look(round, from);
	}
	for (unsigned w = 0; w < WRITERS; w++)
		put += progress[w].put;
	printf("# %u objects put\n", put);
	CHECK(put > 500);
}

static int count(const char *name)
{
	struct arena a = { 0 };
	char *cmd = arena_printf(&a, "ls %s/%s 2>/dev/null | wc -l", dir, name);
	FILE *f = popen(cmd, "r");
	int n = -1;

	if (!f || fscanf(f, "%d", &n) != 1)
		n = -1;
	if (f)
		pclose(f);
	arena_release(&a);
	return n;
}

static void tidied(void)
{
	struct store *s;

	MUST(store_open(dir, 0, &s, &e), e);
	CHECK(count("objects/tmp") == 0);
	MUST(store_close(s, &e), e);
}

/* A temporary of a living process stays: two writers, one killed. */
static void living_is_left(void)
{
	static char room[SIZE_MAX_BYTES];
	struct store *s;
	struct id id;

	MUST(store_open(dir, 0, &s, &e), e);
	for (unsigned i = 0; i < 20; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			struct store *own;
			struct err ce;

			_exit(store_open(dir, 0, &own, &ce) < 0 ||
			      store_close(own, &ce) < 0);
		}
		MUST(store_put(s, object(room, 9, 7 * i), &id, &e), e);
		MUST(store_check(s, &id, &e), e);
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	MUST(store_close(s, &e), e);
}

static const struct test tests[] = {
	{ "after 100 kills each object is whole, each flushed one there", kill_often },
	{ "what killed writers had begun is tidied away", tidied },
	{ "what a living writer has begun is left alone", living_is_left },
	{ 0 }
};

int main(void)
{
	int rc;

	if (!mkdtemp(dir))
		return 1;
	progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		return 1;
	rc = test_main(tests);
	dir_remove(AT_FDCWD, dir, &e);
	return rc;
}
