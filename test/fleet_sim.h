/* fleet_sim.h - ensembles of networks trained by one scheme or another, by a clock
 *
 * The setting of FLEET's paper: 100 networks with 21 to 176 images a second on one
 * GPU and 4 to 25 epochs, machines with 4 GPUs.  What it does not publish for each
 * network is drawn: rate and epochs evenly from those ranges, and by how much each
 * further GPU helps less, 1 to 3%, also evenly.
 * An epoch has 30,607 images (Caltech256); that scales all schemes alike.
 * Preparing batches is never what holds them up here.
 *
 * Each test is a program of one file, so all of this may be static.
 */
#ifndef GG_FLEET_SIM_H
#define GG_FLEET_SIM_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#include "fleet.h"

enum { FLEET_MACHINE = 4, FLEET_MEASURED = 2 * FLEET_MACHINE, FLEET_MOST = 128,
	FLEET_EPOCH = 30607 };
/* Writing checkpoints and beginning anew from them: some hundredths of the whole, as
 * published (2.7 to 6.3%). */
static const double fleet_restart_s = 30;

struct fleet_net {
	double rates[FLEET_MEASURED], images;
};

struct fleet_set {
	size_t n;
	struct fleet_net net[FLEET_MOST];
	struct fleet_member member[FLEET_MOST];
};

static inline double fleet_roll(uint64_t *dice, double from, double to)
{
	uint64_t z = *dice += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return from + (to - from) * (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static inline void fleet_draw(struct fleet_set *s, size_t n, uint64_t seed)
{
	s->n = n;
	for (size_t i = 0; i < n; i++) {
		struct fleet_net *d = &s->net[i];
		double near = fleet_roll(&seed, 0.97, 0.99), far = fleet_roll(&seed, 0.97, 0.99);
		double each = fleet_roll(&seed, 21, 176);

		d->images = FLEET_EPOCH * floor(fleet_roll(&seed, 4, 26));
		for (unsigned m = 1; m <= FLEET_MEASURED; m++) {
			if (m > 1)
				each *= m <= FLEET_MACHINE ? near : far;
			d->rates[m - 1] = m * each;
		}
		s->member[i] = (struct fleet_member){ d->rates, FLEET_MEASURED };
	}
}

/* What is in training and what is left to do. */
struct fleet_run {
	const struct fleet_set *s;
	double left[FLEET_MOST], now_s;
	unsigned gpus_of[FLEET_MOST];
	size_t n_restarts, n_over;
};

static inline void fleet_begin(struct fleet_run *r, const struct fleet_set *s)
{
	*r = (struct fleet_run){ .s = s };
	for (size_t i = 0; i < s->n; i++)
		r->left[i] = s->net[i].images;
}

static inline double fleet_pace(const struct fleet_run *r)
{
	double least = INFINITY;

	for (size_t i = 0; i < r->s->n; i++)
		if (r->gpus_of[i])
			least = fmin(least, fleet_rate(&r->s->member[i], r->gpus_of[i]));
	return least;
}

static inline unsigned fleet_busy(const struct fleet_run *r)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->s->n; i++)
		n += r->gpus_of[i];
	return n;
}

/* All that train go on, each at its rate or all at the slowest's, until one of them
 * has ended. */
static inline void fleet_step(struct fleet_run *r, bool shares)
{
	double pace = fleet_pace(r), step = INFINITY;
	size_t n = r->s->n;

	for (size_t i = 0; i < n; i++)
		if (r->gpus_of[i])
			step = fmin(step, r->left[i] / (shares ? pace :
				    fleet_rate(&r->s->member[i], r->gpus_of[i])));
	for (size_t i = 0; i < n; i++) {
		if (!r->gpus_of[i])
			continue;
		r->left[i] -= step * (shares ? pace :
				      fleet_rate(&r->s->member[i], r->gpus_of[i]));
		if (r->left[i] < 1e-6) {
			r->left[i] = 0;
			r->gpus_of[i] = 0;
			r->n_over++;
		}
	}
	r->now_s += step;
}

/* Those that are over are not free to be chosen. */
static inline void fleet_over(const struct fleet_run *r, bool *over)
{
	for (size_t i = 0; i < r->s->n; i++)
		over[i] = r->left[i] <= 0;
}

/* FLEET-G: too few GPUs busy, and all that trains is written down and all of it
 * planned again. */
static inline struct fleet_run fleet_g(const struct fleet_set *s, unsigned gpus)
{
	struct fleet_run r;
	bool over[FLEET_MOST];

	fleet_begin(&r, s);
	while (r.n_over < s->n) {
		memset(r.gpus_of, 0, sizeof r.gpus_of);
		fleet_over(&r, over);
		fleet_choose(s->member, s->n, over, gpus, FLEET_DELTA, 0, r.gpus_of);
		do
			fleet_step(&r, true);
		while (fleet_busy(&r) && fleet_busy(&r) >= FLEET_ALPHA * gpus);
		if (r.n_over < s->n) {
			r.now_s += fleet_restart_s;
			r.n_restarts++;
		}
	}
	return r;
}

/* FLEET-L: what has ended makes room, which is filled with what is about as fast as
 * the rest; nothing that runs is touched. */
static inline struct fleet_run fleet_l(const struct fleet_set *s, unsigned gpus)
{
	struct fleet_run r;
	bool over[FLEET_MOST];

	fleet_begin(&r, s);
	while (r.n_over < s->n) {
		unsigned left = gpus - fleet_busy(&r);

		fleet_over(&r, over);
		if (left)
			fleet_choose(s->member, s->n, over, left, FLEET_DELTA,
				     left < gpus ? fleet_pace(&r) : 0, r.gpus_of);
		fleet_step(&r, true);
	}
	return r;
}

/* One GPU each, the next as soon as one is free, in the order given. */
static inline struct fleet_run fleet_one_each(const struct fleet_set *s, unsigned gpus)
{
	struct fleet_run r;
	size_t next = 0;

	fleet_begin(&r, s);
	while (r.n_over < s->n) {
		while (next < s->n && fleet_busy(&r) < gpus)
			r.gpus_of[next++] = 1;
		fleet_step(&r, false);
	}
	return r;
}

/* The same with the longest first, which knows what FLEET does not: how long each
 * still takes. */
static inline struct fleet_run fleet_longest_first(const struct fleet_set *s, unsigned gpus)
{
	struct fleet_set v = { .n = s->n };

	for (size_t i = 0; i < s->n; i++) {
		size_t at = i;

		for (; at && v.net[at - 1].images / v.net[at - 1].rates[0] <
		       s->net[i].images / s->net[i].rates[0]; at--)
			v.net[at] = v.net[at - 1];
		v.net[at] = s->net[i];
	}
	for (size_t i = 0; i < s->n; i++)
		v.member[i] = (struct fleet_member){ v.net[i].rates, FLEET_MEASURED };
	return fleet_one_each(&v, gpus);
}

/* As many as there are GPUs at a time, one each, all at the slowest's pace, until
 * the last of them has ended. */
static inline struct fleet_run fleet_homogeneous(const struct fleet_set *s, unsigned gpus)
{
	struct fleet_run r;

	fleet_begin(&r, s);
	for (size_t next = 0; next < s->n;) {
		for (unsigned m = 0; m < gpus && next < s->n; m++)
			r.gpus_of[next++] = 1;
		while (fleet_busy(&r))
			fleet_step(&r, true);
	}
	return r;
}

/* ---- what nobody can beat */

/* GPU-seconds that i takes at least when it is to end within t: it has to be that
 * fast on average, and goes from one number of GPUs to another as it likes. */
static inline double fleet_least_gpu_s(const struct fleet_set *s, size_t i, double t,
				       unsigned gpus)
{
	double need = s->net[i].images / t, least = INFINITY;

	for (unsigned a = 0; a <= gpus; a++)
		for (unsigned b = a + 1; b <= gpus; b++) {
			double ra = fleet_rate(&s->member[i], a), rb = fleet_rate(&s->member[i], b);

			if (ra <= need && rb >= need)
				least = fmin(least, t * (a + (b - a) * (need - ra) / (rb - ra)));
		}
	return least;
}

/* The least time of any schedule, also of those that stop and move networks at will
 * and for nothing: a bound, for any number of them. */
static inline double fleet_bound(const struct fleet_set *s, unsigned gpus)
{
	double low = 0, high = fleet_one_each(s, gpus).now_s;

	for (int k = 0; k < 40; k++) {
		double t = (low + high) / 2, sum = 0;

		for (size_t i = 0; i < s->n && sum <= gpus * t; i++)
			sum += fleet_least_gpu_s(s, i, t, gpus < 32 ? gpus : 32);
		*(sum <= gpus * t ? &high : &low) = t;
	}
	return high;
}

/* The least time of a group that begins together: one GPU each, then one more to
 * whoever ends last, as long as that helps. */
static inline double fleet_group_s(const struct fleet_set *s, unsigned set, unsigned gpus)
{
	unsigned m[8] = { 0 };
	double longest = 0;

	for (size_t i = 0; i < s->n; i++)
		if (set >> i & 1) {
			m[i] = 1;
			if (!gpus--)
				return INFINITY;
		}
	for (;; gpus--) {
		size_t at = 8;

		longest = 0;
		for (size_t i = 0; i < s->n; i++) {
			double t = m[i] ? s->net[i].images / fleet_rate(&s->member[i], m[i]) : 0;

			if (t > longest) {
				longest = t;
				at = i;
			}
		}
		if (!gpus || at == 8 || fleet_rate(&s->member[at], m[at] + 1) <=
		    fleet_rate(&s->member[at], m[at]))
			return longest;
		m[at]++;
	}
}

/* The best of all ways to train 8 networks or fewer in groups, one group after the
 * other, each on GPUs of its own from begin to end: every one is looked at. */
static inline double fleet_exhaustive(const struct fleet_set *s, unsigned gpus)
{
	double best[256] = { 0 }, group[256];

	for (unsigned set = 1; set < 1u << s->n; set++) {
		group[set] = fleet_group_s(s, set, gpus);
		best[set] = group[set];
		for (unsigned part = (set - 1) & set; part; part = (part - 1) & set)
			best[set] = fmin(best[set], group[part] + best[set & ~part]);
	}
	return best[(1u << s->n) - 1];
}

#endif
