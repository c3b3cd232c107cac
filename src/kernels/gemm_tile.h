/* gemm_tile.h - a tile of a product, for gemm.c
 *
 * A tile is up to TILE_ROWS_MAX rows by up to two vectors of columns, held in
 * registers over the whole k it is given.
 */
#ifndef GG_GEMM_TILE_H
#define GG_GEMM_TILE_H

#include <stdbool.h>
#include <stddef.h>

enum { TILE_ROWS_MAX = 14 };

/* C += A B for one tile; A[i][p] at a[i * a_row + p * a_k], row p of B at
 * b + p * ldb.  The last vector has n_last columns; what lies behind them is
 * neither read nor written.  With begins C is not read. */
struct tile {
	size_t k;
	const float *a, *b;
	float *c;
	size_t a_row, a_k, ldb, ldc;
	unsigned n_last;
	bool begins;
};

/* One instruction set: columns a vector has, rows a tile has at most, and
 * run[vectors - 1][rows - 1]. */
struct tiler {
	unsigned columns, rows;
	void (*run[2][TILE_ROWS_MAX])(const struct tile *t);
	/* to[p * wide + j] = from[j * ld + p] for p < k, j < n. */
	void (*turn)(const float *from, size_t ld, size_t k, size_t n, float *to,
		     size_t wide);
};

extern const struct tiler tiler_scalar, tiler_avx2, tiler_avx512;

#endif
