/* t_numbers.c - functions of one float, and random numbers by place */
#include <float.h>
#include "numbers.h"
#include "random.h"
#include "test.h"

/* How many units in the last place of the true value y is off. */
static double ulps(float y, double truth)
{
	int e;

	if (isinf(y) && isinf((float)truth))
		return 0;
	frexp(truth, &e);
	return fabs(y - truth) / ldexp(1, e < -125 ? -149 : e - 24);
}

static double worst(float (*f)(float), double (*truth)(double), double from, double to)
{
	double w = 0;

	for (int i = 0; i <= 400000; i++) {
		float x = (float)(from + (to - from) * i / 400000);
		double u = ulps(f(x), truth(x));

		w = u > w ? u : w;
	}
	return w;
}

static double true_sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

static void accurate(void)
{
	CHECK(worst(number_exp, exp, -87, 88.7) < 2);
	CHECK(worst(number_exp, exp, -0.5, 0.5) < 2);
	CHECK(worst(number_log, log, 1e-30, 1e-6) < 2);
	CHECK(worst(number_log, log, 0.4, 2.5) < 2);
	CHECK(worst(number_log, log, 1, 1e30) < 2);
	CHECK(worst(number_tanh, tanh, -10, 10) < 2.5);
	CHECK(worst(number_tanh, tanh, -0.5, 0.5) < 2.5);
	CHECK(worst(number_sigmoid, true_sigmoid, -80, 80) < 2.5);
}

static void at_the_edges(void)
{
	CHECK(number_exp(0) == 1);
	CHECK(number_exp(-200) == 0);
	CHECK(isinf(number_exp(90)) && number_exp(INFINITY) == INFINITY);
	CHECK(number_exp(-INFINITY) == 0);
	CHECK(isnan(number_exp(NAN)) && isnan(number_log(NAN)));
	CHECK(number_log(1) == 0);
	CHECK(number_log(0) == -INFINITY && number_log(INFINITY) == INFINITY);
	CHECK(isnan(number_log(-1)));
	CHECK(number_tanh(0) == 0 && number_tanh(50) == 1 && number_tanh(-50) == -1);
	CHECK(isnan(number_tanh(NAN)) && isnan(number_sigmoid(NAN)));
	CHECK(number_sigmoid(0) == 0.5f && number_sigmoid(-200) == 0);
}

/* The vectors that come with the paper's own programs. */
static void published(void)
{
	static const struct {
		struct block in;
		uint32_t key[2];
		struct block out;
	} known[] = {
		{ { { 0, 0, 0, 0 } }, { 0, 0 },
		  { { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } } },
		{ { { ~0u, ~0u, ~0u, ~0u } }, { ~0u, ~0u },
		  { { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } } },
		{ { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 } },
		  { 0xa4093822, 0x299f31d0 },
		  { { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } } },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		struct block b = philox(known[i].in, known[i].key[0], known[i].key[1]);

		CHECK(memcmp(&b, &known[i].out, sizeof b) == 0);
	}
}

static void by_place(void)
{
	struct source s = { .seed = 7, .stream = STREAM_INIT, .step = 3 };
	float all[1000], part[1000];
	double sum = 0, squares = 0;

	random_normal(&s, 0, 1000, all);
	for (size_t at = 0, n; at < 1000; at += n) {
		n = at % 7 + 1;
		n = n > 1000 - at ? 1000 - at : n;
		random_normal(&s, at, n, part + at);
	}
	CHECK(memcmp(all, part, sizeof all) == 0);
	for (int k = 0; k < 200; k++) {
		s.step = (uint64_t)k;
		random_normal(&s, 0, 1000, all);
		for (int i = 0; i < 1000; i++) {
			sum += all[i];
			squares += all[i] * all[i];
		}
	}
	CHECK(fabs(sum / 200000) < 0.01);
	CHECK(fabs(squares / 200000 - 1) < 0.02);
	random_uniform(&s, 5, 1000, all);
	for (int i = 0; i < 1000; i++)
		CHECK(all[i] >= 0 && all[i] < 1);
}

static void every_position_once(void)
{
	static const uint64_t sizes[] = { 1, 2, 3, 10, 100, 1797, 60000 };
	struct source s = { .seed = 1, .stream = STREAM_ORDER };

	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		struct order o = order_of(&s, sizes[k]);
		char *seen = calloc(sizes[k], 1);
		uint64_t fixed = 0;

		for (uint64_t i = 0; i < sizes[k]; i++) {
			uint64_t at = order_at(&o, i);

			CHECK(at < sizes[k] && !seen[at]);
			seen[at] = 1;
			fixed += at == i;
		}
		CHECK(sizes[k] < 100 || fixed < 10);
		free(seen);
	}
}

static const struct test tests[] = {
	{ "exp, log, tanh and sigmoid are within a few units in the last place", accurate },
	{ "they are right at the edges: infinite, zero, no number", at_the_edges },
	{ "the generator gives the published numbers", published },
	{ "a random number depends on its place alone, and is distributed as said", by_place },
	{ "an order visits each position once, and mixes", every_position_once },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
