/* ahead.c - what an exec still has to run, copied as a graph that a forecast
 * (foresee.c) can run through
 */
#include "ahead.h"

#include <stdlib.h>
#include <string.h>

/* Those that wait for a twin, or for a thunk that they returned, take no time of
 * their own. */
static bool is_to_run(const struct node *n)
{
	return n->shape && (n->state != NODE_WAITING || n->why == WAIT_INPUTS);
}

static void add(struct aheads *g, struct node *n)
{
	struct ahead *a = &g->v[g->n++];

	*a = (struct ahead){ .node = *n, .real = n, .runs = is_to_run(n) };
	a->node.n_waits_for = 0;
	a->node.avoids = 0;
	if (a->runs)
		a->takes_s = node_seconds(n);
	g->at[n->sequence] = (uint32_t)g->n;
}

struct ahead *ahead_of(const struct aheads *all, const struct edge *g)
{
	uint32_t i = all->at[g->waiter->sequence];

	return i ? &all->v[i - 1] : NULL;
}

/* Inputs come first in v, so that one walk back sees all that waits for a step. */
static void measure_paths(struct aheads *g)
{
	for (size_t i = g->n; i-- > 0;) {
		struct ahead *a = &g->v[i], *above;
		double most = 0;

		for (const struct edge *up = a->real->waiters; up; up = up->next) {
			above = ahead_of(g, up);
			if (above && above->path_s > most)
				most = above->path_s;
			if (above)
				above->node.n_waits_for++;
		}
		a->path_s = most + a->takes_s;
	}
}

void aheads_make(const struct exec *x, struct aheads *out)
{
	*out = (struct aheads){ 0 };
	if (!x->n_open)
		return;
	out->v = mem_alloc(x->n_open * sizeof *out->v);
	out->at = mem_alloc(x->n_sequence * sizeof *out->at);
	memset(out->at, 0, x->n_sequence * sizeof *out->at);
	/* One that remotes were asked for stands in the order twice: the later
	 * place is the one after its inputs. */
	for (size_t i = x->order.n; i-- > 0 && out->n < x->n_open;) {
		struct node *n = x->order.v[i];

		if (node_is_open(n) && !out->at[n->sequence])
			add(out, n);
	}
	for (size_t i = 0; i < out->n / 2; i++) {
		struct ahead a = out->v[i];

		out->v[i] = out->v[out->n - 1 - i];
		out->v[out->n - 1 - i] = a;
	}
	for (size_t i = 0; i < out->n; i++)
		out->at[out->v[i].real->sequence] = (uint32_t)i + 1;
	measure_paths(out);
}

void aheads_release(struct aheads *g)
{
	free(g->v);
	free(g->at);
}
