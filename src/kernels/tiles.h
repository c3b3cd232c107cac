/* tiles.h - sizes of the pieces that blocks of a device work on, and which to take
 *
 * Private to src/kernels.  Bits do not depend on the choice, only the time does.
 */
#ifndef GG_TILES_H
#define GG_TILES_H

#include "device.h"

enum {
	BLOCK_THREADS = 256,
	SUM_ROWS = 64, SUM_COLUMNS = 32,
};

#define EACH_TILE(X) \
	X(large, 128, 128, 150) X(middle, 64, 64, 46) X(slim, 128, 16, 32) \
	X(small, 32, 32, 18) X(tiny, 16, 16, 12)

enum tile_size {
#define NUMBERED(name, m, n, cycles) TILE_##name,
	EACH_TILE(NUMBERED)
#undef NUMBERED
	TILE_SIZES
};

/* cycles: of a multiprocessor for one k, a guess that measurements correct. */
struct tile_shape {
	const char *name;
	unsigned m, n, cycles;
};

static const struct tile_shape tile_shapes[TILE_SIZES] = {
#define SHAPE(name, m, n, cycles) { #name, m, n, cycles },
	EACH_TILE(SHAPE)
#undef SHAPE
};

/* Blocks of one member. */
static inline size_t tile_count(const struct gemm_batch *g, int size)
{
	const struct tile_shape *t = &tile_shapes[size];

	return (g->one.m + t->m - 1) / t->m * ((g->one.n + t->n - 1) / t->n);
}

/* The size that takes least time on d's multiprocessors. */
static inline int tile_pick(const struct gemm_batch *g, const struct device *d)
{
	size_t least = SIZE_MAX;
	int best = TILE_large;

	if (d->tile)
		return (int)d->tile - 1;
	for (int s = 0; s < TILE_SIZES; s++) {
		size_t blocks = tile_count(g, s) * g->n_members;
		size_t turns = (blocks + d->n_processors - 1) / d->n_processors;
		size_t cost = turns * tile_shapes[s].cycles;

		if (cost < least) {
			least = cost;
			best = s;
		}
	}
	return best;
}

#endif
