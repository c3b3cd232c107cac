/* random.c - a counter and a key in, random bits out */
#include "random_one.h"

struct block philox(struct block c, uint32_t key0, uint32_t key1)
{
	return philox_one(c, key0, key1);
}

struct block random_block(const struct source *s, uint32_t i)
{
	return block_one(s, i);
}

void random_uniform(const struct source *s, uint64_t first, size_t n, float *out)
{
	struct block b = { { 0 } };

	for (size_t i = 0; i < n; i++) {
		uint64_t at = first + i;

		if (i == 0 || at % 4 == 0)
			b = block_one(s, (uint32_t)(at / 4));
		out[i] = uniform_one(b.v[at % 4]);
	}
}

/* sin and cos of a quarter turn's part x, |x| <= pi/4, by their series. */
static float small_sin(float x)
{
	float q = x * x, p = 1.0f / 362880;

	p = fmaf(p, q, -1.0f / 5040);
	p = fmaf(p, q, 1.0f / 120);
	p = fmaf(p, q, -1.0f / 6);
	return fmaf(p * q, x, x);
}

static float small_cos(float x)
{
	float q = x * x, p = -1.0f / 3628800;

	p = fmaf(p, q, 1.0f / 40320);
	p = fmaf(p, q, -1.0f / 720);
	p = fmaf(p, q, 1.0f / 24);
	p = fmaf(p, q, -0.5f);
	return fmaf(p, q, 1.0f);
}

/* Two normal numbers of two words: a radius and an angle of eight octants. */
static void normal_pair(uint32_t a, uint32_t b, float out[2])
{
	float u = ((float)(a >> 8) + 0.5f) * 0x1p-24f;
	float r = sqrtf(-2.0f * number_log(u));
	unsigned octant = b >> 29;
	float x = (float)((b >> 5) & 0xffffff) * (0x1p-24f * 0.785398163f);
	float s = small_sin(x), c = small_cos(x);
	float sine = octant & 1 ? c : s, cosine = octant & 1 ? s : c;

	out[0] = r * (octant & 2 ? -cosine : cosine);
	out[1] = r * (octant & 4 ? -sine : sine);
}

void random_normal(const struct source *s, uint64_t first, size_t n, float *out)
{
	float pair[4] = { 0 };

	for (size_t i = 0; i < n; i++) {
		uint64_t at = first + i;

		if (i == 0 || at % 4 == 0) {
			struct block b = block_one(s, (uint32_t)(at / 4));

			normal_pair(b.v[0], b.v[1], pair);
			normal_pair(b.v[2], b.v[3], pair + 2);
		}
		out[i] = pair[at % 4];
	}
}

struct order order_of(const struct source *s, uint64_t n)
{
	return order_one(s, n);
}

uint64_t order_at(const struct order *o, uint64_t i)
{
	return order_place(o, i);
}
