/* gemm_avx2.c - tiles of 6 rows by 16 columns, with AVX2 and FMA */
#include <immintrin.h>

#define VEC __m256
#define COLUMNS 8
#define ROWS 6
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define MASK __m256i
#define MASK_OF(n) _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n)), \
				      _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define LOAD_SOME(p, m) _mm256_maskload_ps(p, m)
#define STORE_SOME(p, m, v) _mm256_maskstore_ps(p, m, v)
#define SPREAD(x) _mm256_set1_ps(x)
#define FMA(x, y, z) _mm256_fmadd_ps(x, y, z)
#include "gemm_body.h"

#define EACH(vectors) \
	TILE(1, vectors) TILE(2, vectors) TILE(3, vectors) TILE(4, vectors) \
	TILE(5, vectors) TILE(6, vectors)
EACH(1)
EACH(2)

const struct tiler tiler_avx2 = {
	.columns = COLUMNS,
	.rows = ROWS,
	.turn = turn,
	.run = { { tile_1_1, tile_1_2, tile_1_3, tile_1_4, tile_1_5, tile_1_6 },
		 { tile_2_1, tile_2_2, tile_2_3, tile_2_4, tile_2_5, tile_2_6 } },
};
