/* gemm_body.h - the tiles of one instruction set
 *
 * Included by gemm_avx2.c and gemm_avx512.c, which say what a vector is: VEC,
 * COLUMNS, ROWS, LOAD, STORE, SPREAD (one float to all lanes), FMA(x, y, z).
 * Each tile is a function of its own with constant bounds, so that the sums stay
 * in registers.
 */
#include "gemm_tile.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

INLINE void tile_run(const struct tile *t, const unsigned rows, const unsigned vectors,
		     const bool is_dense)
{
	const size_t a_row = is_dense ? 1 : t->a_row;
	const float *a = t->a, *b = t->b;
	VEC sum[ROWS][2];

	UNROLL
	for (unsigned i = 0; i < rows; i++)
		UNROLL
		for (unsigned v = 0; v < vectors; v++)
			sum[i][v] = t->begins ? SPREAD(0.0f) :
				    LOAD(t->c + i * t->ldc + v * COLUMNS);
	for (size_t p = 0; p < t->k; p++) {
		const VEC b0 = LOAD(b), b1 = vectors > 1 ? LOAD(b + COLUMNS) : b0;

		UNROLL
		for (unsigned i = 0; i < rows; i++) {
			const VEC x = SPREAD(a[i * a_row]);

			sum[i][0] = FMA(x, b0, sum[i][0]);
			if (vectors > 1)
				sum[i][1] = FMA(x, b1, sum[i][1]);
		}
		a += t->a_k;
		b += t->ldb;
	}
	UNROLL
	for (unsigned i = 0; i < rows; i++)
		UNROLL
		for (unsigned v = 0; v < vectors; v++)
			STORE(t->c + i * t->ldc + v * COLUMNS, sum[i][v]);
}

#define TILE(rows, vectors)                                                              \
	static void tile_##vectors##_##rows(const struct tile *t)                 \
	{                                                                                \
		if (t->a_row == 1)                                                       \
			tile_run(t, rows, vectors, true);                                \
		else                                                                     \
			tile_run(t, rows, vectors, false);                               \
	}
