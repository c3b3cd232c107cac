/* fleet.c - flotillas: which networks train together, and on which GPUs */
#include "fleet.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base.h"

double fleet_rate(const struct fleet_member *d, unsigned gpus)
{
	double b = (double)d->n_rates, last, gain;

	if (!gpus)
		return 0;
	if (gpus <= d->n_rates)
		return d->rates[gpus - 1];
	last = d->rates[d->n_rates - 1];
	gain = d->n_rates > 1 ? last / d->rates[d->n_rates - 2] * (b - 1) / b : 1;
	return gpus * last / b * pow(gain, gpus - b);
}

/* ---- the flotilla */

static bool is_free(const bool *taken, const unsigned *gpus_of, size_t i)
{
	return !(taken && taken[i]) && !gpus_of[i];
}

static double fastest(const struct fleet_member *v, size_t n, const bool *taken,
		      const unsigned *gpus_of)
{
	double most = 0;

	for (size_t i = 0; i < n; i++)
		if (is_free(taken, gpus_of, i))
			most = fmax(most, fleet_rate(&v[i], 1));
	return most;
}

/* A network on so many GPUs, and how far from the pace it is there. */
struct offer {
	size_t i;
	unsigned gpus;
	double far;
};

/* Is one more GPU a gain? */
static bool gains(const struct fleet_member *d, unsigned gpus)
{
	return fleet_rate(d, gpus + 1) > fleet_rate(d, gpus);
}

/* Nearest first, then the one with the fewest GPUs.  A rate that is near again
 * because there are too many of them is none. */
static struct offer nearest(const struct fleet_member *v, size_t n, const bool *taken,
			    const unsigned *gpus_of, unsigned gpus, double pace)
{
	struct offer best = { n, 0, INFINITY };

	for (size_t i = 0; i < n; i++) {
		if (!is_free(taken, gpus_of, i))
			continue;
		for (unsigned m = 1; m <= gpus && (m == 1 || gains(&v[i], m - 1)); m++) {
			double far = fabs(fleet_rate(&v[i], m) - pace);

			if (far < best.far || (far <= best.far && m < best.gpus))
				best = (struct offer){ i, m, far };
		}
	}
	return best;
}

/* The slowest of those chosen here, not of what ran before. */
static size_t slowest(const struct fleet_member *v, size_t n, const bool *is_new,
		      const unsigned *gpus_of)
{
	size_t at = n;

	for (size_t i = 0; i < n; i++)
		if (is_new[i] && (at == n || fleet_rate(&v[i], gpus_of[i]) <
				  fleet_rate(&v[at], gpus_of[at])))
			at = i;
	return at;
}

unsigned fleet_choose(const struct fleet_member *v, size_t n, const bool *taken,
		      unsigned gpus, double delta, double target, unsigned *gpus_of)
{
	double pace = target > 0 ? target : fastest(v, n, taken, gpus_of);
	bool *is_new = mem_alloc(n + 1);
	unsigned left = gpus;
	size_t i;

	memset(is_new, 0, n + 1);
	while (left) {
		struct offer o = nearest(v, n, taken, gpus_of, left, pace);

		if (o.i == n || (o.far > delta && left < gpus))
			break;
		gpus_of[o.i] = o.gpus;
		is_new[o.i] = true;
		left -= o.gpus;
	}
	while (left && (i = slowest(v, n, is_new, gpus_of)) < n &&
	       gains(&v[i], gpus_of[i])) {
		gpus_of[i]++;
		left--;
	}
	free(is_new);
	return gpus - left;
}

/* ---- which GPUs */

struct order {
	const unsigned *gpus_of;
	unsigned per_machine;
	size_t *v, *best;               /* members, in the order they are laid */
	size_t n, n_fixed;              /* of them, those that fill machines */
	double least;
};

static double cost_of(const struct order *o)
{
	unsigned at = 0, k = o->per_machine;
	double sum = 0;

	for (size_t i = 0; i < o->n; i++) {
		unsigned m = o->gpus_of[o->v[i]];

		sum += ((at + m - 1) / k - at / k + 1) / (double)m;
		at += m;
	}
	return sum;
}

static void swap(size_t *v, size_t a, size_t b)
{
	size_t t = v[a];

	v[a] = v[b];
	v[b] = t;
}

/* Members whose GPUs are whole machines, then pairs that fill machines together;
 * the largest first. */
static void fix_order(struct order *o)
{
	unsigned k = o->per_machine;

	for (size_t i = 0; i < o->n; i++)
		for (size_t j = i; j && o->gpus_of[o->v[j]] > o->gpus_of[o->v[j - 1]]; j--)
			swap(o->v, j, j - 1);
	for (size_t i = 0; i < o->n; i++)
		if (o->gpus_of[o->v[i]] % k == 0)
			swap(o->v, i, o->n_fixed++);
	for (size_t i = o->n_fixed; i < o->n; i++)
		for (size_t j = i + 1; j < o->n; j++)
			if ((o->gpus_of[o->v[i]] + o->gpus_of[o->v[j]]) % k == 0) {
				swap(o->v, i, o->n_fixed++);
				swap(o->v, j, o->n_fixed++);
				i = o->n_fixed - 1;
				break;
			}
}

static void keep_if_less(struct order *o)
{
	double cost = cost_of(o);

	if (cost >= o->least)
		return;
	o->least = cost;
	memcpy(o->best, o->v, o->n * sizeof *o->v);
}

/* All orders of v[from..n), each once (Heap's algorithm). */
static void try_all(struct order *o, size_t n_left)
{
	size_t *v = o->v + o->n_fixed;

	if (n_left <= 1) {
		keep_if_less(o);
		return;
	}
	for (size_t i = 0; i < n_left; i++) {
		try_all(o, n_left - 1);
		if (i + 1 < n_left)
			swap(v, n_left % 2 ? 0 : i, n_left - 1);
	}
}

/* Where there are too many: the given one, and others by a fixed sequence
 * (splitmix64), so that the same members are always laid alike. */
static void try_some(struct order *o, size_t n_left)
{
	uint64_t dice = 1;

	keep_if_less(o);
	for (int k = 1; k < FLEET_ORDERS; k++) {
		for (size_t i = n_left; i > 1; i--) {
			uint64_t z = dice += 0x9e3779b97f4a7c15;

			z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
			z = (z ^ z >> 27) * 0x94d049bb133111eb;
			swap(o->v + o->n_fixed, i - 1, (z ^ z >> 31) % i);
		}
		keep_if_less(o);
	}
}

double fleet_assign(const unsigned *gpus_of, size_t n, unsigned per_machine,
		    unsigned *first)
{
	struct order o = { .gpus_of = gpus_of, .per_machine = per_machine, .least = INFINITY,
			   .v = mem_alloc((n + 1) * sizeof *o.v),
			   .best = mem_alloc((n + 1) * sizeof *o.v) };
	unsigned at = 0;
	size_t n_left;

	for (size_t i = 0; i < n; i++)
		if (gpus_of[i])
			o.v[o.n++] = i;
	fix_order(&o);
	n_left = o.n - o.n_fixed;
	/* 6! is 720, 7! is 5,040. */
	if (n_left <= 6)
		try_all(&o, n_left);
	else
		try_some(&o, n_left);
	for (size_t i = 0; i < o.n; i++) {
		first[o.best[i]] = at;
		at += gpus_of[o.best[i]];
	}
	free(o.v);
	free(o.best);
	return o.n ? o.least : 0;
}
