/* b_gemm.c - the exact product of matrices beside OpenBLAS's
 *
 * Time is that of the thread, ours and the peer in turn, the best of many: other
 * work on the machine disturbs it little.  Two threads are held to half the time
 * of one by the best wall time of many short runs.  Rows as lib.sh's tell.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include "clock.h"
#include "gemm.h"
#include "random.h"

enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112, TURNS = 15, SHORT_TURNS = 600 };

typedef void sgemm_fn(int order, int ta, int tb, int m, int n, int k, float alpha,
		      const float *a, int lda, const float *b, int ldb, float beta, float *c,
		      int ldc);

static const struct shape {
	const char *name, *what;
	size_t m, n, k;
	bool ta, tb;
	double target;
} shapes[] = {
	{ "gemm-512", "512 x 512 x 512", 512, 512, 512, 0, 0, 0.8 },
	{ "gemm-1024", "1024 x 1024 x 1024", 1024, 1024, 1024, 0, 0, 0.8 },
	{ "gemm-2048", "2048 x 2048 x 2048", 2048, 2048, 2048, 0, 0, 0.8 },
	{ "gemm-forward", "batch 100, 784 to 128", 100, 128, 784, 0, 0, 1.0 },
	{ "gemm-weights", "its weights' gradient", 784, 128, 100, 1, 0, 1.0 },
	{ "gemm-inputs", "its inputs' gradient", 100, 784, 128, 0, 1, 1.0 },
	{ "gemm-head", "batch 100, 128 to 10", 100, 10, 128, 0, 0, 1.0 },
	{ "gemm-head-w", "its weights' gradient", 128, 10, 100, 1, 0, 1.0 },
	{ "gemm-head-x", "its inputs' gradient", 100, 128, 10, 0, 1, 1.0 },
	{ "gemm-conv", "windows 5x5x8 to 16 channels", 6272, 16, 200, 0, 0, 1.0 },
};

static float *filled(size_t n, uint64_t step)
{
	struct source s = { .seed = 1, .stream = STREAM_DATA, .step = step };
	float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64);

	random_normal(&s, 0, n, x);
	return x;
}

struct pair {
	struct gemm g;
	struct team *team;
	sgemm_fn *peer;
};

static void ours(struct pair *p)
{
	gemm_run(&p->g, p->team);
}

static void theirs(struct pair *p)
{
	const struct gemm *g = &p->g;

	p->peer(ROW_MAJOR, g->a_is_transposed ? TRANSPOSED : PLAIN,
		g->b_is_transposed ? TRANSPOSED : PLAIN, (int)g->m, (int)g->n, (int)g->k, 1,
		g->a, (int)g->lda, g->b, (int)g->ldb, 0, g->c, (int)g->ldc);
}

/* Seconds a product takes, over as many as last some milliseconds. */
static double once(struct pair *p, void (*run)(struct pair *), clockid_t clock, double work)
{
	double flops = 2.0 * (double)p->g.m * (double)p->g.n * (double)p->g.k;
	size_t n = (size_t)(work / flops) + 1;
	double from = clock_s(clock);

	for (size_t i = 0; i < n; i++)
		run(p);
	return (clock_s(clock) - from) / (double)n;
}

static struct pair pair_of(const struct shape *s, struct team *t, sgemm_fn *peer)
{
	struct pair p = { .team = t, .peer = peer, .g = {
		.m = s->m, .n = s->n, .k = s->k, .lda = s->ta ? s->m : s->k,
		.ldb = s->tb ? s->k : s->n, .ldc = s->n, .a_is_transposed = s->ta,
		.b_is_transposed = s->tb } };

	p.g.a = filled(s->m * s->k, 1);
	p.g.b = filled(s->k * s->n, 2);
	p.g.c = filled(s->m * s->n, 3);
	return p;
}

static void pair_end(struct pair *p)
{
	free((void *)p->g.a);
	free((void *)p->g.b);
	free(p->g.c);
}

static void against(const struct shape *s, sgemm_fn *peer)
{
	struct team *t = team_new(1, team_best_isa());
	struct pair p = pair_of(s, t, peer);
	double a = 1e9, b = 1e9, flops = 2.0 * (double)s->m * (double)s->n * (double)s->k;

	for (int i = 0; i < TURNS; i++) {
		double x = once(&p, ours, CLOCK_THREAD_CPUTIME_ID, 3e8);
		double y = once(&p, theirs, CLOCK_THREAD_CPUTIME_ID, 3e8);

		a = x < a ? x : a;
		b = y < b ? y : b;
	}
	printf("%s\t%.1f GF/s\t%.1f GF/s\t%.2f\t>= %.1f\tspeed, %s / OpenBLAS, one core\n",
	       s->name, flops / a / 1e9, flops / b / 1e9, b / a, s->target, s->what);
	pair_end(&p);
	team_free(t);
}

static void two_cores(const struct shape *s)
{
	struct team *one = team_new(1, team_best_isa()), *two = team_new(2, team_best_isa());
	struct pair p = pair_of(s, one, NULL);
	double a = 1e9, b = 1e9;

	for (int i = 0; i < SHORT_TURNS; i++) {
		double x, y;

		p.team = one;
		x = once(&p, ours, CLOCK_MONOTONIC, 0);
		p.team = two;
		y = once(&p, ours, CLOCK_MONOTONIC, 0);
		a = x < a ? x : a;
		b = y < b ? y : b;
	}
	printf("%s-2\t%.4f s\t%.4f s\t%.2f\t<= 1.05\ttwice the time on two cores / on one, "
	       "%s\n", s->name, 2 * b, a, 2 * b / a, s->what);
	pair_end(&p);
	team_free(one);
	team_free(two);
}

int main(void)
{
	void *blas = dlopen("libopenblas.so.0", RTLD_NOW);
	sgemm_fn *sgemm;
	void (*set_threads)(int);

	if (!blas) {
		fprintf(stderr, "b_gemm: libopenblas.so.0 is missing\n");
		return 77;
	}
	*(void **)&sgemm = dlsym(blas, "cblas_sgemm");
	*(void **)&set_threads = dlsym(blas, "openblas_set_num_threads");
	if (!sgemm || !set_threads)
		return 1;
	set_threads(1);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		against(&shapes[i], sgemm);
	two_cores(&shapes[0]);
	two_cores(&shapes[1]);
	dlclose(blas);
	return 0;
}
