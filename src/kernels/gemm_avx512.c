/* gemm_avx512.c - tiles of 14 rows by 32 columns, with AVX-512 */
#include <immintrin.h>

#define VEC __m512
#define COLUMNS 16
#define ROWS 14
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define MASK __mmask16
#define MASK_OF(n) ((__mmask16)((1u << (n)) - 1))
#define LOAD_SOME(p, m) _mm512_maskz_loadu_ps(m, p)
#define STORE_SOME(p, m, v) _mm512_mask_storeu_ps(p, m, v)
#define SPREAD(x) _mm512_set1_ps(x)
#define FMA(x, y, z) _mm512_fmadd_ps(x, y, z)
#include "gemm_body.h"

#define EACH(vectors) \
	TILE(1, vectors) TILE(2, vectors) TILE(3, vectors) TILE(4, vectors)    \
	TILE(5, vectors) TILE(6, vectors) TILE(7, vectors) TILE(8, vectors)    \
	TILE(9, vectors) TILE(10, vectors) TILE(11, vectors) TILE(12, vectors) \
	TILE(13, vectors) TILE(14, vectors)
EACH(1)
EACH(2)

const struct tiler tiler_avx512 = {
	.columns = COLUMNS,
	.rows = ROWS,
	.turn = turn,
	.run = { { tile_1_1, tile_1_2, tile_1_3, tile_1_4, tile_1_5, tile_1_6, tile_1_7,
		   tile_1_8, tile_1_9, tile_1_10, tile_1_11, tile_1_12, tile_1_13,
		   tile_1_14 },
		 { tile_2_1, tile_2_2, tile_2_3, tile_2_4, tile_2_5, tile_2_6, tile_2_7,
		   tile_2_8, tile_2_9, tile_2_10, tile_2_11, tile_2_12, tile_2_13,
		   tile_2_14 } },
};
