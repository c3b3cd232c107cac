/* fleet.h - which of many networks train together, on how many GPUs each
 *
 * src/exec/fleet.c: pure functions, no state.
 *
 * FLEET (Guan et al., MLSys 2020).  Networks that train together, a flotilla, read
 * the same prepared batches and so go at the pace of the slowest; those with slow
 * networks get more GPUs, until all are about as fast as the fastest is on one.
 */
#ifndef GG_FLEET_H
#define GG_FLEET_H

#include <stdbool.h>
#include <stddef.h>

/* One network: images a second on 1, 2, ... n_rates GPUs as measured, n_rates at
 * least 1 and best twice the GPUs of a machine. */
struct fleet_member {
	const double *rates;
	size_t n_rates;
};

/* The setting published: how far rates in a flotilla may be apart, in images a
 * second, and the share of GPUs that must be busy before all is planned anew. */
#define FLEET_DELTA 20.0
#define FLEET_ALPHA 0.8

/* Images a second on so many GPUs; beyond what was measured each further GPU gains
 * or loses what the last one did:
 *
 *     r(m) = m r(b)/b (r(b)/r(b-1) (b-1)/b)^(m-b),     b = n_rates
 */
double fleet_rate(const struct fleet_member *d, unsigned gpus);

/* Choose a flotilla among those of v[0..n) for which gpus_of[i] is 0 and taken[i]
 * is false (taken NULL: all), for so many free GPUs: gpus_of[i] becomes how many i
 * has, 0 for those left out.  The fastest on one GPU sets the pace; a target
 * above 0 sets it instead, and then at least one joins however far it is from it.
 * GPUs left over go one by one to the slowest as long as they make it faster.
 * Returns how many GPUs are in use of those given. */
unsigned fleet_choose(const struct fleet_member *v, size_t n, const bool *taken,
		      unsigned gpus, double delta, double target, unsigned *gpus_of);

/* Lay members with so many GPUs each (0: none) side by side over machines of
 * per_machine GPUs: first[i] is the first GPU of i.  What is least is the sum over
 * members of machines touched by GPUs had; that sum is returned.  Members that
 * fill machines come first, then pairs that do so together; of the rest all orders
 * are tried, but no more than FLEET_ORDERS. */
enum { FLEET_ORDERS = 1024 };
double fleet_assign(const unsigned *gpus_of, size_t n, unsigned per_machine,
		    unsigned *first);

#endif
