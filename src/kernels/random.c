/* random.c - a counter and a key in, random bits out */
#include "numbers.h"
#include "random.h"

enum { ROUNDS = 10 };

struct block philox(struct block c, uint32_t key0, uint32_t key1)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t a = (uint64_t)0xd2511f53u * c.v[0];
		uint64_t b = (uint64_t)0xcd9e8d57u * c.v[2];

		c = (struct block){ {
			(uint32_t)(b >> 32) ^ c.v[1] ^ key0, (uint32_t)b,
			(uint32_t)(a >> 32) ^ c.v[3] ^ key1, (uint32_t)a,
		} };
		key0 += 0x9e3779b9u;
		key1 += 0xbb67ae85u;
	}
	return c;
}

/* The stream takes the upper half of one word: steps have 48 bits. */
struct block random_block(const struct source *s, uint32_t i)
{
	struct block c = { {
		i, (uint32_t)s->step, (uint32_t)(s->step >> 32) | s->stream << 16, 0,
	} };

	return philox(c, (uint32_t)s->seed, (uint32_t)(s->seed >> 32));
}

static float uniform(uint32_t u)
{
	return (float)(u >> 8) * 0x1p-24f;
}

void random_uniform(const struct source *s, uint64_t first, size_t n, float *out)
{
	struct block b = { { 0 } };

	for (size_t i = 0; i < n; i++) {
		uint64_t at = first + i;

		if (i == 0 || at % 4 == 0)
			b = random_block(s, (uint32_t)(at / 4));
		out[i] = uniform(b.v[at % 4]);
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
			struct block b = random_block(s, (uint32_t)(at / 4));

			normal_pair(b.v[0], b.v[1], pair);
			normal_pair(b.v[2], b.v[3], pair + 2);
		}
		out[i] = pair[at % 4];
	}
}

struct order order_of(const struct source *s, uint64_t n)
{
	struct order o = { .n = n, .half_bits = 1 };
	struct block b = { { 0 } };

	while (o.half_bits < 16 && n > UINT64_C(1) << 2 * o.half_bits)
		o.half_bits++;
	for (uint32_t i = 0; i < ORDER_ROUNDS; i++) {
		if (i % 4 == 0)
			b = random_block(s, i / 4);
		o.keys[i] = b.v[i % 4];
	}
	return o;
}

static uint64_t mix(const struct order *o, uint64_t x)
{
	uint32_t mask = (UINT32_C(1) << o->half_bits) - 1;
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

uint64_t order_at(const struct order *o, uint64_t i)
{
	do
		i = mix(o, i);
	while (i >= o->n);
	return i;
}
