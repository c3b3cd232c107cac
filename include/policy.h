/* policy.h - in which order steps that are ready are started
 *
 * src/exec/policy.c (the table), policy_NAME.c, one for each row.
 *
 * A policy gives each step one number, its urgency: of those that are ready the
 * one with the most goes first; between equals the one that more wait for, then
 * the one that appeared first.  It is asked from the targets down, so that it
 * knows the urgency of all that waits for a step, and gives an order of the
 * whole graph in one walk.  Two rules are above every policy: a step's priority,
 * and that one for a GPU never waits behind those that need none.
 *
 * Real engines, simulated ones and the plan (foresee.h) all go by it.
 */
#ifndef GG_POLICY_H
#define GG_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "fleet.h"

/* One step, as a policy sees it. */
struct policy_step {
	double seconds;                 /* expected, by observations */
	bool is_known;                  /* its shape was seen before */
	double cpus, gpus;              /* what it needs */
	uint32_t sequence;              /* when it appeared: 0 first */
	size_t n_above;                 /* steps that wait for it */
	double most_above, sum_above;   /* of their urgencies; 0: there are none */
};

struct policy {
	const char *name, *help;
	double (*urgency)(const struct policy_step *s);
	/* Steps that may have several GPUs (gpus A-B in gg.models): who of the ready
	 * ones goes now, and with how many; as fleet_choose(), rates being such that
	 * the fastest on one GPU has 176.  NULL: each has the least it can do with. */
	unsigned (*share)(const struct fleet_member *v, size_t n, const bool *taken,
			  unsigned gpus, double delta, double target, unsigned *gpus_of);
};

extern const struct policy policy_longest, policy_fifo, policy_widest, policy_shortest,
	policy_fleet;
/* All of them, the usual one first, NULL at the end. */
extern const struct policy *const policies[];
/* NULL: there is none of that name. */
const struct policy *policy_find(const char *name);

#endif
