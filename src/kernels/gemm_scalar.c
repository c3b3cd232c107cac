/* gemm_scalar.c - the specification: one chain of fmaf() an element */
#include <math.h>
#include "gemm_tile.h"

static void run(const struct tile *t)
{
	for (unsigned j = 0; j < 2; j++) {
		float sum = t->begins ? 0.0f : t->c[j];

		for (size_t p = 0; p < t->k; p++)
			sum = fmaf(t->a[p * t->a_k], t->b[p * t->ldb + j], sum);
		t->c[j] = sum;
	}
}

static void run_one(const struct tile *t)
{
	float sum = t->begins ? 0.0f : *t->c;

	for (size_t p = 0; p < t->k; p++)
		sum = fmaf(t->a[p * t->a_k], t->b[p * t->ldb], sum);
	*t->c = sum;
}

static void turn(const float *from, size_t ld, size_t k, size_t n, float *to, size_t wide)
{
	for (size_t p = 0; p < k; p++)
		for (size_t j = 0; j < n; j++)
			to[p * wide + j] = from[j * ld + p];
}

const struct tiler tiler_scalar = {
	.columns = 1,
	.rows = 1,
	.turn = turn,
	.run = { { run_one }, { run } },
};
