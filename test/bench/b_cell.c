/* What a cell costs over bare fork and exec, for `sh -c 'cat in/i > out/i'`.
 * Two at a time, the two ways in turn; medians.  Arguments: rounds, steps,
 * how many at a time, only "bare" or "cells" (for perf stat).  The time on a
 * processor of this process and of its cells alone is less moved by what else
 * the machine does. */
#include "../cell_rig.h"

#include <spawn.h>
#include "clock.h"

enum { ROUNDS_MAX = 100, AT_ONCE_MAX = 64 };

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* On a processor so far: this process, or all cells (its grandchildren). */
static double own_us(void)
{
	return cpu_s() * 1e6;
}

static double below_us(long pid, int depth)
{
	char path[80];
	double us = 0, ns = 0;
	long child;
	FILE *f;

	if (depth == 0) {
		snprintf(path, sizeof path, "/proc/%ld/schedstat", pid);
		f = fopen(path, "r");
		if (f && fscanf(f, "%lf", &ns) != 1)
			ns = 0;
		if (f)
			fclose(f);
		return ns / 1e3;
	}
	snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, pid);
	f = fopen(path, "r");
	while (f && fscanf(f, "%ld", &child) == 1)
		us += below_us(child, depth - 1);
	if (f)
		fclose(f);
	return us;
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof *v, by_size);
	return v[n / 2];
}

/* The same commands in a folder with all inputs there. */
struct cost {
	double own, below;
	int n;
};

static double bare(const struct rig *r, int steps, int round, int at_once,
		   struct cost *cost)
{
	char path[400], script[80];
	double t0;

	for (int i = 0; i < steps; i++) {
		int fd;

		snprintf(path, sizeof path, "%s/in/%d", r->root, i);
		fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
		if (fd < 0 || dprintf(fd, "%d\n", i) < 0 || close(fd) < 0)
			exit(1);
	}
	cost->own -= own_us();
	t0 = now_s();
	for (int i = 0; i < steps; i++) {
		char *args[] = { "sh", "-c", script, NULL }, *env[] = { NULL };
		int status;
		pid_t pid;

		snprintf(script, sizeof script, "cat in/%d > out/%d-%d", i, round, i);
		if (posix_spawn(&pid, "/bin/sh", NULL, NULL, args, env) != 0)
			exit(1);
		if (i >= at_once - 1 && (wait(&status) < 0 || status))
			exit(1);
	}
	for (int i = 0; i < at_once - 1 && i < steps; i++)
		wait(NULL);
	cost->own += own_us();
	cost->n += steps;
	return (now_s() - t0) / steps * 1e6;
}

/* Steps in flight; each that ends starts the next. */
struct race {
	struct rig *r;
	struct bytes *texts;
	int n, next, left;
	bool is_over;
};

static void start_next(struct race *x, struct job *j);

static void ended(struct job *j, const struct run_report *r)
{
	struct race *x = j->arg;

	if (r->status != RUN_OK) {
		printf("%s\n", r->text);
		exit(1);
	}
	x->is_over = --x->left == 0;
	if (x->next < x->n)
		start_next(x, j);
}

static void start_next(struct race *x, struct job *j)
{
	struct err e;

	*j = (struct job){ .text = x->texts[x->next++], .host = x->r->host,
			   .done = ended, .arg = x };
	MUST(backend_local.start(x->r->b, j, &e), e);
}

static double cells(struct rig *r, int steps, int round, int at_once, struct cost *cost)
{
	struct bytes *texts = mem_alloc((size_t)steps * sizeof *texts);
	struct race x = { .r = r, .texts = texts, .n = steps, .left = steps };
	struct job jobs[AT_ONCE_MAX];
	struct err e;
	double t0;

	for (int i = 0; i < steps; i++) {
		char in[40], out[40], script[80], text[40];
		struct step s = { .script = script, .in = { { in, text } }, .out = { out } };

		snprintf(in, sizeof in, "in/%d", i);
		snprintf(out, sizeof out, "out/%d", i);
		snprintf(script, sizeof script, "cat in/%d > out/%d", i, i);
		snprintf(text, sizeof text, "%d %d\n", round, i);
		texts[i] = rig_thunk(r, &s);
	}
	MUST(store_flush(r->store, &e), e);
	cost->below -= below_us(getpid(), 2);
	cost->own -= own_us();
	t0 = now_s();
	for (int i = 0; i < at_once && i < steps; i++)
		start_next(&x, &jobs[i]);
	loop_run(r->loop, &x.is_over);
	cost->own += own_us();
	cost->below += below_us(getpid(), 2);
	cost->n += steps;
	free(texts);
	return (now_s() - t0) / steps * 1e6;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 7, steps = argc > 2 ? atoi(argv[2]) : 500,
	    at_once = argc > 3 ? atoi(argv[3]) : 2;
	double a[ROUNDS_MAX] = { 0 }, b[ROUNDS_MAX] = { 0 }, started;
	const char *only = argc > 4 ? argv[4] : NULL;
	struct cost cost = { .n = 0 }, plain = cost;
	struct rig r;
	struct err e;

	if (argc > 1 && strcmp(argv[1], "cell") == 0)
		return cell_main(argc - 2, argv + 2);
	if (rounds < 1 || rounds > ROUNDS_MAX || steps < 1 || at_once < 1 ||
	    at_once > AT_ONCE_MAX)
		return 2;
	rig_open(&r);
	if (chdir(r.root) < 0)
		return 1;
	MUST(dir_make(AT_FDCWD, "in", &e), e);
	MUST(dir_make(AT_FDCWD, "out", &e), e);
	started = now_s();
	cells(&r, 1, -1, 1, &cost);
	started = now_s() - started;
	cost = (struct cost){ .n = 0 };
	for (int i = 0; i < rounds; i++) {
		if (!only || strcmp(only, "bare") == 0)
			a[i] = bare(&r, steps, i, at_once, &plain);
		if (!only || strcmp(only, "cells") == 0)
			b[i] = cells(&r, steps, i, at_once, &cost);
	}
	printf("bare fork and exec %.0f us, through a cell %.0f us, over %.0f us; "
	       "a cell's start %.1f ms\n", median(a, rounds), median(b, rounds),
	       median(b, rounds) - median(a, rounds), started * 1e3);
	if (cost.n)
		printf("on a processor, a step: the feeder %.1f us, its cells %.1f us\n",
		       cost.own / cost.n, cost.below / cost.n);
	if (plain.n)
		printf("and whoever forks and waits barely: %.1f us\n",
		       plain.own / plain.n);
	if (chdir("/") < 0)
		return 1;
	rig_close(&r);
	return 0;
}
