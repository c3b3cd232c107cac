/* t_fleet.c - flotillas: rates, who trains together, on which GPUs */
#include "fleet_sim.h"
#include "test.h"

static bool about(double a, double b)
{
	return fabs(a - b) < 1e-9 * (1 + fabs(b));
}

static void rates(void)
{
	const double v[] = { 100, 190, 270, 340 }, one[] = { 50 };
	struct fleet_member d = { v, 4 }, single = { one, 1 };
	double gain = 340.0 / 270 * 3 / 4;

	CHECK(about(fleet_rate(&d, 0), 0) && about(fleet_rate(&d, 1), 100));
	CHECK(about(fleet_rate(&d, 4), 340));
	CHECK(about(fleet_rate(&d, 5), 5 * 85 * gain));
	CHECK(about(fleet_rate(&d, 7), 7 * 85 * gain * gain * gain));
	/* At so many GPUs one more only costs. */
	CHECK(fleet_rate(&d, 60) < fleet_rate(&d, 16));
	CHECK(about(fleet_rate(&single, 3), 150));
}

/* On 6 GPUs: the fast one, the slow one on three, and of the others who is near. */
static void flotilla(void)
{
	const double fast[] = { 150, 290 }, slow[] = { 50, 100 }, near[] = { 140, 270 },
		far[] = { 90, 115 };
	const struct fleet_member v[] = { { slow, 2 }, { far, 2 }, { fast, 2 }, { near, 2 } };
	unsigned gpus[4] = { 0 };
	bool taken[4] = { false, false, true, true };

	CHECK(fleet_choose(v, 4, NULL, 5, FLEET_DELTA, 0, gpus) == 5);
	CHECK(gpus[0] == 3 && gpus[1] == 0 && gpus[2] == 1 && gpus[3] == 1);
	/* One more goes to the slowest of them. */
	memset(gpus, 0, sizeof gpus);
	CHECK(fleet_choose(v, 4, NULL, 6, 9, 0, gpus) == 6);
	CHECK(gpus[0] + gpus[2] + gpus[3] == 6 && gpus[1] == 0);
	/* Those that are over, or run, are left alone. */
	memset(gpus, 0, sizeof gpus);
	fleet_choose(v, 4, taken, 2, FLEET_DELTA, 0, gpus);
	CHECK(gpus[1] && !gpus[2] && !gpus[3]);
	/* Freed room is filled although nothing is near. */
	memset(gpus, 0, sizeof gpus);
	CHECK(fleet_choose(v, 2, NULL, 1, 5, 500, gpus) == 1 && gpus[1] == 1);
	CHECK(fleet_choose(v, 0, NULL, 4, 5, 0, gpus) == 0);
	memset(gpus, 0, sizeof gpus);
	CHECK(fleet_choose(v, 4, NULL, 0, 5, 0, gpus) == 0 && !gpus[2]);
}

/* No GPU is given that makes its network slower. */
static void no_loss(void)
{
	const double v[] = { 100, 150, 160 };
	const struct fleet_member d = { v, 3 };
	unsigned gpus = 0, used = fleet_choose(&d, 1, NULL, 100, FLEET_DELTA, 0, &gpus);

	CHECK(used == gpus && gpus < 10);
	CHECK(fleet_rate(&d, gpus + 1) <= fleet_rate(&d, gpus));
}

static double cost(const unsigned *gpus, const unsigned *first, size_t n, unsigned k)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		if (gpus[i])
			sum += ((first[i] + gpus[i] - 1) / k - first[i] / k + 1) / (double)gpus[i];
	return sum;
}

static bool overlap(const unsigned *gpus, const unsigned *first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (gpus[i] && gpus[j] && first[i] < first[j] + gpus[j] &&
			    first[j] < first[i] + gpus[i])
				return true;
	return false;
}

/* The least of all orders of n members. */
static double least_cost(unsigned *order, size_t n, size_t fixed, const unsigned *gpus,
			 unsigned k)
{
	unsigned first[8] = { 0 }, at = 0;
	double least = INFINITY;

	if (fixed == n) {
		for (size_t i = 0; i < n; i++) {
			first[order[i]] = at;
			at += gpus[order[i]];
		}
		return cost(gpus, first, n, k);
	}
	for (size_t i = fixed; i < n; i++) {
		unsigned t = order[i];

		order[i] = order[fixed];
		order[fixed] = t;
		least = fmin(least, least_cost(order, n, fixed + 1, gpus, k));
		order[fixed] = order[i];
		order[i] = t;
	}
	return least;
}

static void places(void)
{
	const unsigned gpus[] = { 3, 4, 0, 1, 8, 2, 2 };
	unsigned first[7] = { 0 };

	double sum = fleet_assign(gpus, 7, 4, first);

	CHECK(about(sum, cost(gpus, first, 7, 4)));
	CHECK(!overlap(gpus, first, 7));
	CHECK(first[1] % 4 == 0 && first[4] % 4 == 0);
	CHECK(first[0] / 4 == (first[0] + 2) / 4 && first[5] / 4 == (first[5] + 1) / 4);
	CHECK(about(fleet_assign(gpus, 0, 4, first), 0));
}

/* 200 random lots: what fills machines first costs little beside trying them all. */
static void places_are_good(void)
{
	double worst = 0, sum = 0;
	uint64_t dice = 7;

	for (int k = 0; k < 200; k++) {
		size_t n = 1 + (size_t)fleet_roll(&dice, 0, 8);
		unsigned gpus[8], order[8], first[8];
		double mine, least;

		for (unsigned i = 0; i < n; i++) {
			gpus[i] = 1 + (unsigned)fleet_roll(&dice, 0, 7);
			order[i] = i;
		}
		mine = fleet_assign(gpus, n, 4, first);
		CHECK(!overlap(gpus, first, n) && about(mine, cost(gpus, first, n, 4)));
		least = least_cost(order, n, 0, gpus, 4);
		CHECK(mine > least - 1e-9);
		worst = fmax(worst, mine / least);
		sum += mine / least;
	}
	CHECK(sum / 200 < 1.02);
	CHECK(worst < 1.25);
}

/* Eight networks: no scheme beats what nobody can, and both of FLEET's are near
 * the best of all groupings. */
static void beside_the_best(void)
{
	double worst_g = 0, worst_l = 0, sum_g = 0;

	for (unsigned seed = 1; seed <= 40; seed++) {
		unsigned gpus = 4 + seed % 5 * 4;
		struct fleet_set s;
		double best, bound, g, l;

		fleet_draw(&s, 2 + seed % 7, seed);
		best = fleet_exhaustive(&s, gpus);
		bound = fleet_bound(&s, gpus);
		g = fleet_g(&s, gpus).now_s;
		l = fleet_l(&s, gpus).now_s;
		CHECK(bound <= best * 1.0001 && bound <= g && bound <= l * 1.0001);
		worst_g = fmax(worst_g, g / best);
		worst_l = fmax(worst_l, l / best);
		sum_g += g / best;
	}
	printf("# worst of 40: FLEET-G %.2f, FLEET-L %.2f; mean FLEET-G %.2f\n", worst_g,
	       worst_l, sum_g / 40);
	CHECK(sum_g / 40 < 1.25 && worst_g < 1.6);
}

/* The published setting: better than one each, and than all alike. */
static void published(void)
{
	for (unsigned gpus = 20; gpus <= 160; gpus += 20) {
		struct fleet_set s;
		double g, one, same;

		fleet_draw(&s, 100, 2020);
		g = fleet_g(&s, gpus).now_s;
		one = fleet_one_each(&s, gpus).now_s;
		same = fleet_homogeneous(&s, gpus).now_s;
		printf("# %u GPUs: one each %.2f, homogeneous %.2f\n", gpus, one / g, same / g);
		CHECK(one > g && same > g);
	}
}

static const struct test tests[] = {
	{ "a rate beyond what was measured goes on as the last GPU did", rates },
	{ "a flotilla is who is near the fastest, on as many GPUs as that takes", flotilla },
	{ "no GPU is given where it does harm", no_loss },
	{ "members lie side by side, those that fill machines in machines", places },
	{ "places cost little more than the best of all orders", places_are_good },
	{ "makespans are near the best of all groupings of eight", beside_the_best },
	{ "flotillas beat one each, and all alike, in the published setting", published },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
