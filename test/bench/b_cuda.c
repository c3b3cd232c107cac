/* b_cuda.c LIBRARY [KIND B] - the GPU beside cuBLAS, and steps of fused members
 *
 * "loops" as LIBRARY runs the GPU's source on the processor, to see that this works.
 * Rows as lib.sh's tell.  With KIND (mlp or cnn) and B: seconds a step of B members
 * and the sums a second, for cuda.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "fused.h"
#include "random.h"
#include "../../src/kernels/tasks.h"
#include "../../src/kernels/tiles.h"

enum { TURNS = 7, EXAMPLES = 60000, SIZE = 784, BATCH = 100 };

static const struct shape_row {
	const char *name, *what;
	size_t m, n, k, members;
	bool ta, tb;
} shapes[] = {
	{ "cuda-1024", "1024 x 1024 x 1024", 1024, 1024, 1024, 1, 0, 0 },
	{ "cuda-2048", "2048 x 2048 x 2048", 2048, 2048, 2048, 1, 0, 0 },
	{ "cuda-4096", "4096 x 4096 x 4096", 4096, 4096, 4096, 1, 0, 0 },
	{ "cuda-8192", "8192 x 8192 x 8192", 8192, 8192, 8192, 1, 0, 0 },
	{ "cuda-forward", "16 of batch 100, 784 to 128", 100, 128, 784, 16, 0, 0 },
	{ "cuda-forward-256", "256 of the same", 100, 128, 784, 256, 0, 0 },
	{ "cuda-weights-256", "256 of its weights' gradient", 784, 128, 100, 256, 1, 0 },
	{ "cuda-inputs-256", "256 of its inputs' gradient", 100, 784, 128, 256, 0, 1 },
	{ "cuda-head-256", "256 of batch 100, 128 to 10", 100, 10, 128, 256, 0, 0 },
	{ "cuda-conv-64", "64 of windows 5x5x8 to 16", 6400, 16, 200, 64, 0, 0 },
	{ "cuda-conv-w-64", "64 of its weights' gradient", 200, 16, 6400, 64, 1, 0 },
};

static void must(int rc, const struct err *e)
{
	if (rc == 0)
		return;
	fprintf(stderr, "b_cuda: %s\n", e->text);
	exit(e->code == ERR_MISSING ? 77 : 1);
}

static struct device *opened(const char *library, enum profile p)
{
	struct device *d;
	struct err e;

	if (strcmp(library, "loops") == 0)
		return device_host();
	must(device_cuda(library, p, &d, &e), &e);
	return d;
}

static void *filled(struct device *d, size_t n, uint64_t step)
{
	struct source s = { .seed = 1, .stream = STREAM_DATA, .step = step };
	float *x = malloc(n * sizeof *x), *on = d->ops->alloc(d, n * sizeof *x);

	if (!on) {
		fprintf(stderr, "b_cuda: too little memory\n");
		exit(1);
	}
	random_uniform(&s, 0, n, x);
	d->ops->put(d, on, x, n * sizeof *x);
	free(x);
	return on;
}

/* The least seconds of a call of fn, of as many as last some milliseconds. */
static double best(struct device *d, void (*fn)(struct device *d, const void *arg),
		   const void *arg)
{
	double least = 1e9, once;
	struct err e;
	size_t n = 1;

	for (int turn = -2; turn < TURNS; turn++) {
		double from = now_s();

		for (size_t i = 0; i < n; i++)
			fn(d, arg);
		must(d->ops->wait(d, &e), &e);
		once = (now_s() - from) / (double)n;
		if (turn < 0)
			n = once < 2e-2 ? (size_t)(2e-2 / once) + 1 : 1;
		else
			least = once < least ? once : least;
	}
	return least;
}

static void multiply(struct device *d, const void *arg)
{
	d->ops->gemm(d, arg);
}

static double flops_of(const struct shape_row *s)
{
	return 2.0 * (double)s->m * (double)s->n * (double)s->k * (double)s->members;
}

static struct device_gemm product_of(struct device *d, const struct shape_row *s)
{
	return (struct device_gemm){ .batch = {
		.n_members = s->members, .a_step = s->m * s->k, .b_step = s->k * s->n,
		.c_step = s->m * s->n,
		.one = { .m = s->m, .n = s->n, .k = s->k,
			 .a = filled(d, s->members * s->m * s->k, 1),
			 .b = filled(d, s->members * s->k * s->n, 2),
			 .c = filled(d, s->members * s->m * s->n, 3),
			 .lda = s->ta ? s->m : s->k, .ldb = s->tb ? s->k : s->n, .ldc = s->n,
			 .a_is_transposed = s->ta, .b_is_transposed = s->tb },
	} };
}

static void product_end(struct device *d, struct device_gemm *g)
{
	d->ops->free(d, (void *)g->batch.one.a);
	d->ops->free(d, (void *)g->batch.one.b);
	d->ops->free(d, g->batch.one.c);
}

/* Also which tile is best here: what is taken is a guess of tiles.h. */
static void against(struct device *exact, struct device *cublas, const struct shape_row *s)
{
	struct device_gemm a = product_of(exact, s);
	double ours = best(exact, multiply, &a), theirs, least = 1e9, f = flops_of(s);
	int taken = tile_pick(&a.batch, exact), least_tile = 0;
	struct device_gemm b = product_of(cublas, s);

	theirs = best(cublas, multiply, &b);
	for (int t = 0; t < TILE_SIZES; t++) {
		double seconds;

		exact->tile = (unsigned)t + 1;
		seconds = best(exact, multiply, &a);
		least_tile = seconds < least ? t : least_tile;
		least = seconds < least ? seconds : least;
	}
	exact->tile = 0;
	printf("%s\t%.2f TF/s\t%.2f TF/s\t%.2f\t>= 0.7\tspeed, %s / cuBLAS pedantic; tile %s, "
	       "best %s %.2f\n", s->name, f / ours / 1e12, f / theirs / 1e12, theirs / ours,
	       s->what, tile_shapes[taken].name, tile_shapes[least_tile].name,
	       f / least / 1e12);
	fflush(stdout);
	product_end(exact, &a);
	product_end(cublas, &b);
}

enum { COPIED = 1 << 28 };

static void copy(struct device *d, const void *arg)
{
	d->ops->task(d, TASK_activate, arg, 1, COPIED);
}

static void ceilings(struct device *d)
{
	struct do_activate how = { .x = { filled(d, COPIED, 1), COPIED }, .cols = 1,
				   .y = { filled(d, COPIED, 2), COPIED } };
	double seconds = best(d, copy, &how);

	printf("cuda-copy\t%.0f GB/s\t-\t-\t-\ta copy of 1 GiB, there and back\n",
	       2.0 * COPIED * sizeof(float) / seconds / 1e9);
	d->ops->free(d, how.x.at);
	d->ops->free(d, how.y.at);
}

/* Sums and products of a step of one member. */
static double work_of(const struct net *n)
{
	double sum = 0;

	for (size_t i = 1; i < n->n_layers; i++) {
		const struct layer *l = &n->layers[i];
		double k = l->kind == LAYER_CONV ?
			   (double)l->kernel_h * l->kernel_w * l->in.c :
			   l->kind == LAYER_FC ? (double)shape_size(l->in) : 0;

		sum += (l->from ? 6.0 : 4.0) * BATCH * (double)shape_size(l->out) * k;
	}
	return sum;
}

static void ensemble(struct device *d, const char *kind, size_t n)
{
	struct recipe r = { .rule = RULE_MOMENTUM, .batch = BATCH, .steps = 1 << 20 };
	struct dataset data = { .n = EXAMPLES, .size = SIZE, .n_targets = 1 };
	unsigned char *bytes = malloc((size_t)EXAMPLES * SIZE);
	int32_t *labels = malloc(EXAMPLES * sizeof *labels);
	float mean[SIZE] = { 0 }, factor[SIZE];
	struct member *v = calloc(n, sizeof *v);
	struct team *team = team_new(1, team_best_isa());
	struct trainer *t;
	struct fused *f;
	struct net net;
	struct err e;
	double least = 1e9;

	must(net_read(strcmp(kind, "cnn") == 0 ? "net 28x28x1: conv 8 5x5 relu, pool 2, "
		      "conv 16 5x5 relu, pool 2, fc 10" : "mlp 784-128-10", &net, &e), &e);
	for (size_t i = 0; i < (size_t)EXAMPLES * SIZE; i++)
		bytes[i] = (unsigned char)(i * 2654435761u >> 24);
	for (size_t i = 0; i < EXAMPLES; i++)
		labels[i] = (int32_t)(i * 7 % 10);
	for (size_t i = 0; i < SIZE; i++)
		factor[i] = 1.0f / 255;
	for (size_t i = 0; i < n; i++)
		v[i] = (struct member){ .seed = i, .rate = 0.01f, .coefs.momentum = 0.9f };
	data.bytes = bytes;
	data.labels = labels;
	data.mean = mean;
	data.factor = factor;
	t = trainer_new(&net, &data, &r, v, n, team);
	must(fused_new(d, &net, &data, &r, v, n, &f, &e), &e);
	fused_take(f, t);
	for (int turn = -1; turn < TURNS; turn++) {
		double from = now_s();

		must(fused_run(f, FUSED_STEPS_MAX, &e), &e);
		from = (now_s() - from) / FUSED_STEPS_MAX;
		least = turn >= 0 && from < least ? from : least;
	}
	printf("%.9f %.3f\n", least, work_of(&net) * (double)n / least / 1e12);
	fused_free(f);
	trainer_free(t);
	team_free(team);
	net_release(&net);
	free(v);
	free(bytes);
	free(labels);
}

int main(int argc, char **argv)
{
	struct device *exact, *cublas;

	if (argc != 2 && argc != 4)
		return 2;
	exact = opened(argv[1], PROFILE_EXACT);
	if (argc == 4) {
		ensemble(exact, argv[2], strtoul(argv[3], NULL, 10));
		exact->ops->close(exact);
		return 0;
	}
	cublas = opened(argv[1], PROFILE_CUBLAS);
	ceilings(exact);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		against(exact, cublas, &shapes[i]);
	exact->ops->close(exact);
	cublas->ops->close(cublas);
	return 0;
}
