/* team.h - threads that share one loop; src/kernels/team.c
 *
 * A team runs a loop whose turns do not depend on each other.  Which thread
 * takes which turn is left to chance; every output belongs to one turn, so that
 * the numbers do not depend on the number of threads.
 */
#ifndef GG_TEAM_H
#define GG_TEAM_H

#include "base.h"

struct team;

/* Instructions that the kernels may use.  All give the same bits. */
enum isa {
	ISA_SCALAR,             /* fmaf() of the C library */
	ISA_AVX2,               /* with FMA */
	ISA_AVX512,
	ISA_COUNT
};

/* n_threads 0: one for each processor this process may use; 1024 at most.  isa at most what
 * team_best_isa() says. */
struct team *team_new(unsigned n_threads, enum isa isa);
void team_free(struct team *t);
enum isa team_best_isa(void);
enum isa team_isa(const struct team *t);
unsigned team_size(const struct team *t);

/* Call fn(arg, i, thread) for each i below n, in any order, and return when all
 * have returned; thread, below team_size() and n, tells apart those that run at
 * the same time.  fn must not call team_for on the same team. */
void team_for(struct team *t, size_t n,
	      void (*fn)(void *arg, size_t i, unsigned thread), void *arg);

#endif
