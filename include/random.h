/* random.h - random numbers and orders without state; src/kernels/random.c
 *
 * Each number is a function of where it is used: seed, stream, step and index.
 * So any worker computes any of them, in any order.  The generator is
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as
 * 1, 2, 3, SC'11).
 */
#ifndef GG_RANDOM_H
#define GG_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* What numbers are used for; members of an ensemble differ in their seed. */
enum stream {
	STREAM_INIT = 1,        /* weights at the start; step: the parameter */
	STREAM_ORDER,           /* of examples; step: the epoch */
	STREAM_DROPOUT,         /* step: training step << 8 | layer */
	STREAM_BAG,             /* which examples a bagged member has */
	STREAM_AUGMENT,
	STREAM_DATA,            /* synthetic data */
	STREAM_SPLIT,
};

struct block {
	uint32_t v[4];
};

struct source {
	uint64_t seed;
	uint32_t stream;
	uint64_t step;
};

/* The i-th four numbers of a source (i below 2^32), uniform over 32 bits. */
struct block random_block(const struct source *s, uint32_t i);
/* The bare function, for its published test vectors. */
struct block philox(struct block counter, uint32_t key0, uint32_t key1);

/* n numbers from index `first` on: uniform in [0, 1), a multiple of 2^-24; or
 * normal with mean 0 and variance 1 (Box and Muller's way, by number_log and a
 * series of sine and cosine: exact as those). */
void random_uniform(const struct source *s, uint64_t first, size_t n, float *out);
void random_normal(const struct source *s, uint64_t first, size_t n, float *out);

/* A permutation of 0..n-1, n at most 2^32: where position i comes from.  A
 * Feistel network on the least even number of bits that hold n, walked until it
 * falls below n (four times at most on average).  Its keys come from the source,
 * its rounds are multiplications: it must mix, not keep secrets. */
enum { ORDER_ROUNDS = 6 };
struct order {
	uint64_t n;
	unsigned half_bits;
	uint32_t keys[ORDER_ROUNDS];
};
struct order order_of(const struct source *s, uint64_t n);
uint64_t order_at(const struct order *o, uint64_t i);

#endif
