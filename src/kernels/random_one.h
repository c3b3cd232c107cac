/* random_one.h - one block of random bits, one place of an order
 *
 * Private to src/kernels: random.c's functions as a GPU can run them too.
 */
#ifndef GG_RANDOM_ONE_H
#define GG_RANDOM_ONE_H

#include "numbers.h"
#include "random.h"

enum { PHILOX_ROUNDS = 10 };

NUMBER struct block philox_one(struct block c, uint32_t key0, uint32_t key1)
{
	for (int i = 0; i < PHILOX_ROUNDS; i++) {
		uint64_t a = (uint64_t)0xd2511f53u * c.v[0];
		uint64_t b = (uint64_t)0xcd9e8d57u * c.v[2];
		uint32_t first = (uint32_t)(b >> 32) ^ c.v[1] ^ key0;
		uint32_t third = (uint32_t)(a >> 32) ^ c.v[3] ^ key1;

		c.v[0] = first;
		c.v[1] = (uint32_t)b;
		c.v[2] = third;
		c.v[3] = (uint32_t)a;
		key0 += 0x9e3779b9u;
		key1 += 0xbb67ae85u;
	}
	return c;
}

/* The stream takes the upper half of one word: steps have 48 bits. */
NUMBER struct block block_one(const struct source *s, uint32_t i)
{
	struct block c;

	c.v[0] = i;
	c.v[1] = (uint32_t)s->step;
	c.v[2] = (uint32_t)(s->step >> 32) | s->stream << 16;
	c.v[3] = 0;
	return philox_one(c, (uint32_t)s->seed, (uint32_t)(s->seed >> 32));
}

NUMBER float uniform_one(uint32_t u)
{
	return (float)(u >> 8) * (1.0f / 16777216);
}

NUMBER struct order order_one(const struct source *s, uint64_t n)
{
	struct order o;
	struct block b;

	o.n = n;
	o.half_bits = 1;
	while (o.half_bits < 16 && n > (uint64_t)1 << 2 * o.half_bits)
		o.half_bits++;
	for (uint32_t i = 0; i < ORDER_ROUNDS; i++) {
		if (i % 4 == 0)
			b = block_one(s, i / 4);
		o.keys[i] = b.v[i % 4];
	}
	return o;
}

NUMBER uint64_t order_mix(const struct order *o, uint64_t x)
{
	uint32_t mask = ((uint32_t)1 << o->half_bits) - 1;
	uint32_t left = (uint32_t)(x >> o->half_bits), right = (uint32_t)x & mask;

	for (int i = 0; i < ORDER_ROUNDS; i++) {
		uint32_t f = (right ^ o->keys[i]) * 0x9e3779b1u, next;

		f = (f ^ f >> 15) * 0x85ebca77u;
		next = left ^ ((f ^ f >> 13) & mask);
		left = right;
		right = next;
	}
	return (uint64_t)left << o->half_bits | right;
}

NUMBER uint64_t order_place(const struct order *o, uint64_t i)
{
	do
		i = order_mix(o, i);
	while (i >= o->n);
	return i;
}

#endif
