/* combine.c - one vector out of several: their mean, the one nearest to the others, the
 * largest entries
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "combine.h"
#include "numbers.h"
#include "prune.h"

void combine_average(const float *const *v, size_t n_vectors, size_t n, float *out)
{
	memcpy(out, v[0], n * sizeof *out);
	for (size_t k = 1; k < n_vectors; k++)
		for (size_t i = 0; i < n; i++)
			out[i] += v[k][i];
	for (size_t i = 0; i < n; i++)
		out[i] /= (float)n_vectors;
}

/* The left half has the largest power of two below n_vectors. */
static float tree(const float *const *v, size_t n_vectors, size_t i)
{
	size_t half = 1;

	if (n_vectors == 1)
		return v[0][i];
	while (half * 2 < n_vectors)
		half *= 2;
	return tree(v, half, i) + tree(v + half, n_vectors - half, i);
}

void combine_tree(const float *const *v, size_t n_vectors, size_t n, float *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = tree(v, n_vectors, i) / (float)n_vectors;
}

/* What is no number is far from all: a liar's NaN must not order the others. */
static double distance(const float *a, const float *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		double d = (double)a[i] - (double)b[i];

		sum = sum + d * d;
	}
	return isfinite(sum) ? sum : INFINITY;
}

static int compare(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

size_t combine_krum(const float *const *v, size_t n_vectors, size_t n_faulty, size_t n)
{
	double *d = mem_alloc(n_vectors * n_vectors * sizeof *d), least = INFINITY;
	size_t best = 0;

	for (size_t i = 0; i < n_vectors; i++)
		for (size_t k = 0; k < n_vectors; k++)
			d[i * n_vectors + k] = k < i ? d[k * n_vectors + i] :
					       distance(v[i], v[k], n);
	for (size_t i = 0; i < n_vectors; i++) {
		double *row = d + i * n_vectors, score = 0;

		/* Itself comes first, with 0; a liar has none that is near. */
		qsort(row, n_vectors, sizeof *row, compare);
		for (size_t k = 1; k <= n_vectors - n_faulty - 2; k++)
			score += row[k];
		if (score < least) {
			least = score;
			best = i;
		}
	}
	free(d);
	return best;
}

void combine_topk(const float *g, float *residual, size_t n, size_t k, float *out)
{
	struct largest most;

	for (size_t i = 0; i < n; i++)
		out[i] = residual ? g[i] + residual[i] : g[i];
	most = select_largest(out, NULL, n, k < n ? k : n);
	for (size_t i = 0; i < n; i++) {
		uint32_t u = number_bits(out[i]) & 0x7fffffffu;
		bool is_equal = u == most.least && most.n_equal > 0;
		bool stays = u > most.least || is_equal;

		most.n_equal -= is_equal;
		if (residual)
			residual[i] = stays ? 0.0f : out[i];
		out[i] = stays ? out[i] : 0.0f;
	}
}
