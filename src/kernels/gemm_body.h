/* gemm_body.h - the tiles of one instruction set
 *
 * Included by gemm_avx2.c and gemm_avx512.c, which say what a vector is: VEC,
 * COLUMNS, ROWS, LOAD, STORE, SPREAD (one float to all lanes), FMA(x, y, z); and
 * what the first n lanes of it are: MASK, MASK_OF(n), LOAD_SOME, STORE_SOME.
 * Each tile is a function of its own with constant bounds, so that the sums stay
 * in registers.
 */
#include "gemm_tile.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* The last vector may have lanes that are no columns: with is_part they are
 * neither read nor written. */
INLINE VEC load(const float *p, bool is_part, MASK mask)
{
	return is_part ? LOAD_SOME(p, mask) : LOAD(p);
}

INLINE void tile_run(const struct tile *t, const unsigned rows, const unsigned vectors,
		     const bool is_dense, const bool is_part)
{
	const size_t a_row = is_dense ? 1 : t->a_row;
	const MASK mask = MASK_OF(t->n_last);
	const float *a = t->a, *b = t->b;
	VEC sum[ROWS][2];

	UNROLL
	for (unsigned i = 0; i < rows; i++)
		UNROLL
		for (unsigned v = 0; v < vectors; v++)
			sum[i][v] = t->begins ? SPREAD(0.0f) :
				    load(t->c + i * t->ldc + v * COLUMNS,
					 is_part && v + 1 == vectors, mask);
	for (size_t p = 0; p < t->k; p++) {
		const VEC b0 = load(b, is_part && vectors == 1, mask);
		const VEC b1 = vectors > 1 ? load(b + COLUMNS, is_part, mask) : b0;

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
		for (unsigned v = 0; v < vectors; v++) {
			float *c = t->c + i * t->ldc + v * COLUMNS;

			if (is_part && v + 1 == vectors)
				STORE_SOME(c, mask, sum[i][v]);
			else
				STORE(c, sum[i][v]);
		}
}

/* An 8 x 8 patch, rows to columns. */
INLINE void turn_8(const float *from, size_t ld, float *to, size_t wide)
{
	__m256 r[8], s[8];

	UNROLL
	for (int i = 0; i < 8; i++)
		r[i] = _mm256_loadu_ps(from + (size_t)i * ld);
	UNROLL
	for (int i = 0; i < 8; i += 2) {
		s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
	UNROLL
	for (int i = 0; i < 8; i += 4) {
		r[i] = _mm256_shuffle_ps(s[i], s[i + 2], 0x44);
		r[i + 1] = _mm256_shuffle_ps(s[i], s[i + 2], 0xee);
		r[i + 2] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0x44);
		r[i + 3] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0xee);
	}
	UNROLL
	for (int i = 0; i < 4; i++) {
		_mm256_storeu_ps(to + (size_t)i * wide,
				 _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
		_mm256_storeu_ps(to + (size_t)(i + 4) * wide,
				 _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
	}
}

/* The last patches of a side reach back over what has been turned already. */
static void turn(const float *from, size_t ld, size_t k, size_t n, float *to, size_t wide)
{
	if (k < 8 || n < 8) {
		for (size_t j = 0; j < n; j++)
			for (size_t p = 0; p < k; p++)
				to[p * wide + j] = from[j * ld + p];
		return;
	}
	for (size_t p = 0; p < k; p += 8)
		for (size_t j = 0; j < n; j += 8) {
			size_t at = p + 8 > k ? k - 8 : p, row = j + 8 > n ? n - 8 : j;

			turn_8(from + row * ld + at, ld, to + at * wide + row, wide);
		}
}

#define TILE(rows, vectors)                                                              \
	static void tile_##vectors##_##rows(const struct tile *t)                        \
	{                                                                                \
		if (t->n_last == COLUMNS && t->a_row == 1)                               \
			tile_run(t, rows, vectors, true, false);                         \
		else if (t->n_last == COLUMNS)                                           \
			tile_run(t, rows, vectors, false, false);                        \
		else if (t->a_row == 1)                                                  \
			tile_run(t, rows, vectors, true, true);                          \
		else                                                                     \
			tile_run(t, rows, vectors, false, true);                         \
	}
