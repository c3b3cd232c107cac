/* blocks_body.h - what threads of a device do together: products, sums of columns
 *
 * Included after tasks_body.h by device_host.c and device_cuda.cu.
 */
#include "tiles.h"

/* Where a block works, and on what.  As places of tasks, so rows and columns of a
 * product are fewer than 2^32, which saves registers. */
struct place {
	const float *a, *b, *bias;
	float *c;
	uint32_t row, column, m, n, k;
	uint32_t a_row, a_k, b_column, b_k, ldc;
	bool a_is_transposed, b_is_transposed, adds, is_relu;
};

/* What a thread brings next of A and B. */
struct from {
	const float *a, *b;
};

BLOCK_CODE struct place place_of(const struct device_gemm *d, size_t member, size_t tile,
				 size_t tile_m, size_t tile_n)
{
	const struct gemm *g = &d->batch.one;
	size_t across = (g->n + tile_n - 1) / tile_n;
	struct place w;

	w.a = g->a + member * d->batch.a_step;
	w.b = g->b + member * d->batch.b_step;
	w.c = g->c + member * d->batch.c_step;
	w.bias = d->bias.at ? d->bias.at + member * d->bias.step : NULL;
	w.row = (uint32_t)(tile / across * tile_m);
	w.column = (uint32_t)(tile % across * tile_n);
	w.m = (uint32_t)g->m;
	w.n = (uint32_t)g->n;
	w.k = (uint32_t)g->k;
	w.a_row = g->a_is_transposed ? 1 : (uint32_t)g->lda;
	w.a_k = g->a_is_transposed ? (uint32_t)g->lda : 1;
	w.b_column = g->b_is_transposed ? (uint32_t)g->ldb : 1;
	w.b_k = g->b_is_transposed ? 1 : (uint32_t)g->ldb;
	w.ldc = (uint32_t)g->ldc;
	w.a_is_transposed = g->a_is_transposed;
	w.b_is_transposed = g->b_is_transposed;
	w.adds = g->adds;
	w.is_relu = d->is_relu;
	return w;
}

#define NAME large
#define TILE_M 128
#define TILE_N 128
#define PER_M 8
#define PER_N 8
#define TILE_K 8
#include "tile_body.h"

#define NAME middle
#define TILE_M 64
#define TILE_N 64
#define PER_M 4
#define PER_N 4
#define TILE_K 16
#include "tile_body.h"

#define NAME slim
#define TILE_M 128
#define TILE_N 16
#define PER_M 4
#define PER_N 2
#define TILE_K 16
#include "tile_body.h"

#define NAME small
#define TILE_M 32
#define TILE_N 32
#define PER_M 2
#define PER_N 2
#define TILE_K 32
#include "tile_body.h"

#define NAME tiny
#define TILE_M 16
#define TILE_N 16
#define PER_M 1
#define PER_N 1
#define TILE_K 32
#include "tile_body.h"

#define SUM_EACH (SUM_ROWS * SUM_COLUMNS / BLOCK_THREADS)

BLOCK_CODE void sum_fetch(const struct device_sum *s, const float *x, size_t row,
			  size_t column, unsigned t, float *kept)
{
	UNROLL for (unsigned e = 0; e < SUM_EACH; e++) {
		unsigned at = e * BLOCK_THREADS + t;
		size_t i = row + at / SUM_COLUMNS, j = column + at % SUM_COLUMNS;

		kept[e] = i < s->rows && j < s->cols ? x[i * s->cols + j] : 0.0f;
	}
}

/* SUM_COLUMNS columns: all threads bring rows, a few of them add. */
BLOCK_CODE void block_sum(const struct device_sum *s, size_t member, size_t block)
{
	SHARED float both[2][SUM_ROWS][SUM_COLUMNS];
	KEPT(float, kept, BLOCK_THREADS)[SUM_EACH];
	KEPT(float, sums, BLOCK_THREADS);
	const float *x = s->x.at + member * s->x.step;
	float *out = s->out.at + member * s->out.step;
	size_t column = block * SUM_COLUMNS;
	unsigned now = 0;

	EACH_THREAD(t, BLOCK_THREADS) {
		sums[OWN(t)] = 0.0f;
		sum_fetch(s, x, 0, column, t, kept[OWN(t)]);
	}
	for (size_t row = 0; row < s->rows; row += SUM_ROWS, now ^= 1) {
		size_t n = s->rows - row < SUM_ROWS ? s->rows - row : SUM_ROWS;

		EACH_THREAD(t, BLOCK_THREADS)
			UNROLL for (unsigned e = 0; e < SUM_EACH; e++) {
				unsigned at = e * BLOCK_THREADS + t;

				both[now][at / SUM_COLUMNS][at % SUM_COLUMNS] = kept[OWN(t)][e];
			}
		BARRIER();
		EACH_THREAD(t, BLOCK_THREADS) {
			sum_fetch(s, x, row + SUM_ROWS, column, t, kept[OWN(t)]);
			for (unsigned i = 0; t < SUM_COLUMNS && i < n; i++)
				sums[OWN(t)] += both[now][i][t];
		}
	}
	EACH_THREAD(t, BLOCK_THREADS)
		if (t < SUM_COLUMNS && column + t < s->cols)
			out[column + t] = sums[OWN(t)];
}
