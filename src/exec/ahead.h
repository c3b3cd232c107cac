/* ahead.h - what an exec still has to run, as a graph for a forecast; ahead.c
 *
 * Private to foresee.c and ahead.c.
 */
#ifndef GG_AHEAD_H
#define GG_AHEAD_H

#include "exec_internal.h"

/* One open step.  Its node is a copy, so that a lane of another exec may hold it;
 * its edges are those of the real one. */
struct ahead {
	struct node node;               /* first: a lane gives it back */
	struct node *real;
	struct site *site;
	double takes_s, end_s;
	double path_s;                  /* of the longest way from it to a target */
	bool runs;                      /* else it only waits for others */
};

struct aheads {
	struct ahead *v;                /* inputs first */
	size_t n;
	uint32_t *at;                   /* sequence of a node -> 1 + index */
};

void aheads_make(const struct exec *x, struct aheads *out);
void aheads_release(struct aheads *g);
/* The one that waits for another by edge g, or NULL: it has ended. */
struct ahead *ahead_of(const struct aheads *all, const struct edge *g);

#endif
