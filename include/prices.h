/* prices.h - what places charge; src/backends/prices.c
 *
 * A table that people may edit, gg.prices at the project's root; what it does not
 * say is as built in.  A line is
 *
 *     PLACE  REGION  UNIT  DOLLARS         # REGION may be *
 *     lambda *       gb-second 0.0000166667
 *     slurm  *       cpu-hour  0.04
 *
 * PLACE is the name of an engine.  gb-second and request are for functions;
 * cpu-hour and gpu-hour, for any other engine, are for what a step wants, as long as it
 * runs: gg plan goes by them, and so do the costs of a run.
 *
 * The line that names the region goes before the one with the star, and a later
 * line before an earlier one.
 */
#ifndef GG_PRICES_H
#define GG_PRICES_H

#include "base.h"

#define PRICES_FILE "gg.prices"

struct price {
	const char *place, *region, *unit;
	double dollars;
};

struct prices {
	const struct price *v;
	size_t n;
};

/* Read a table; *out lives in a.  ERR_BAD names the line. */
int prices_read(struct bytes text, struct arena *a, struct prices *out, struct err *e);
/* The same from a file; file NULL: root/gg.prices, which may be absent. */
int prices_load(const char *root, const char *file, struct arena *a, struct prices *out,
		struct err *e);
/* 0 where nothing is said. */
double price_of(const struct prices *p, const char *place, const char *region,
		const char *unit);

#endif
