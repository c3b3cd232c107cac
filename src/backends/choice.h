/* choice.h - which of several sizes of a function a step goes to; choice.c
 *
 * Private to src/backends.  For n workers of memory z that take t(z) seconds,
 * each at p dollars per MB and second (Feng et al., CLOUD'18):
 *
 *     C(z) = p n z t(z)              what it costs
 *     R(z) = f / (C(z) t(z))         what a dollar and a second are worth
 *
 * A step goes to the size of least C among those that hold it and end before
 * its deadline; between equals, to the one of most R.  t(z) is a running mean of
 * what steps of the same shape took there; where none was seen it follows from
 * the nearest size that was, by the share of a processor that memory buys, and
 * such a size is tried once when it might be the cheapest.
 */
#ifndef GG_CHOICE_H
#define GG_CHOICE_H

#include "store.h"

struct choice;

struct choice_size {
	double mem_mb;
	double per_mb_s;                /* p, dollars */
	double per_request;             /* dollars */
	double limit_s;                 /* no run may take longer; 0: none */
};

/* store: where observations of earlier runs are and those of this one go; NULL:
 * nowhere.  Sizes are copied. */
struct choice *choice_new(struct store *store, const struct choice_size *v, size_t n);
void choice_free(struct choice *c);
/* A size turned out to be another than was said. */
void choice_resize(struct choice *c, size_t i, double mem_mb);

/* What is known of a step beforehand; zero: nothing. */
struct choice_ask {
	const char *shape;
	double mem_mb;                  /* it needs that much */
	double cpus;                    /* that many help it; 0: 1 */
	double expected_s;              /* on a whole processor */
	double deadline_s;
	unsigned n;                     /* workers; 0: 1 */
};

/* The index of a size.  ERR_REFUSED: none holds it. */
int choice_pick(struct choice *c, const struct choice_ask *q, size_t *out, struct err *e);
/* What it will cost there; 0 when none holds it. */
double choice_dollars(struct choice *c, const struct choice_ask *q);
/* A step of this shape took that long, or could not be told (0). */
void choice_learn(struct choice *c, const char *shape, size_t i, double seconds);
/* It wanted more memory than that: the next of its shape goes elsewhere. */
void choice_burst(struct choice *c, const char *shape, size_t i);

/* t, C and R of one size, for tests and reports. */
double choice_seconds(struct choice *c, const struct choice_ask *q, size_t i);
double choice_cost(const struct choice_size *z, unsigned n, double seconds);
double choice_reward(const struct choice_size *z, unsigned n, double seconds, double f);

#endif
