/* warm_traces.h - when work comes: traces made from seeds, and what a policy
 * makes of them
 *
 * Each trace is a day or two of idle times between the end of work and the next
 * work, by a 32-bit LCG whose seed stands in the table, so that it is the same
 * everywhere:
 *
 *     timer      something runs every 20 minutes, a minute more or less
 *     rounds     eight rounds of a search 90 s apart, then nothing for two hours
 *     people     at random, every 5 minutes by day and every hour by night
 *     change     every 30 s for six hours, every 15 minutes from then on
 */
#ifndef GG_WARM_TRACES_H
#define GG_WARM_TRACES_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include "warm.h"

struct trace {
	const char *name;
	uint32_t seed;
	double days;
	double (*gap)(uint32_t *seed, size_t i, double at_s);
};

static inline double dice(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return ((double)(*seed >> 8) + 0.5) / 16777216;
}

static inline double gap_timer(uint32_t *seed, size_t i, double at_s)
{
	(void)i;
	(void)at_s;
	return 1200 + 120 * (dice(seed) - 0.5);
}

static inline double gap_rounds(uint32_t *seed, size_t i, double at_s)
{
	(void)at_s;
	return i % 8 ? 90 + 40 * (dice(seed) - 0.5) : 7200 + 600 * (dice(seed) - 0.5);
}

static inline double gap_people(uint32_t *seed, size_t i, double at_s)
{
	double hour = fmod(at_s / 3600, 24);

	(void)i;
	return -log(dice(seed)) * (hour >= 8 && hour < 20 ? 300 : 3600);
}

static inline double gap_change(uint32_t *seed, size_t i, double at_s)
{
	(void)i;
	return (at_s < 6 * 3600 ? 30 : 900) * (0.9 + 0.2 * dice(seed));
}

static const struct trace traces[] = {
	{ "timer", 1, 1, gap_timer },
	{ "rounds", 2, 2, gap_rounds },
	{ "people", 3, 2, gap_people },
	{ "change", 4, 1, gap_change },
};
enum { N_TRACES = sizeof traces / sizeof *traces };

struct outcome {
	size_t n, n_cold;
	double idle_s;
};

/* One worker: away at once and back later, or kept; start_s to come. */
static inline void outcome_add(struct outcome *o, const struct warm_plan *p, double gap_s,
			       double start_s)
{
	double back_s = p->away_s > 0 ? p->away_s + start_s : 0;

	o->n++;
	o->n_cold += gap_s > p->keep_s || gap_s < back_s;
	if (gap_s > p->away_s)
		o->idle_s += fmax(0, fmin(gap_s, p->keep_s) - p->away_s);
}

/* The learned policy when fixed is NULL. */
static inline struct outcome trace_run(const struct trace *t, const struct warm_opts *opts,
				       const struct warm_plan *fixed)
{
	double at_s = 0, start_s = opts->start_s;
	uint32_t seed = t->seed;
	struct outcome o = { 0 };
	struct warm w;

	warm_init(&w, opts);
	for (size_t i = 0; at_s < t->days * 86400; i++) {
		double gap_s = t->gap(&seed, i, at_s);
		struct warm_plan p = fixed ? *fixed : warm_plan(&w, at_s);

		outcome_add(&o, &p, gap_s, start_s);
		/* The work itself takes 20 s. */
		at_s += gap_s + 20;
		warm_note(&w, at_s - 20, gap_s);
	}
	return o;
}

#endif
