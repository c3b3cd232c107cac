/* prune.c - which weights stay (Han et al.: Learning both Weights and Connections,
 * NeurIPS'15; one task after another: Mallya, Lazebnik: PackNet, CVPR'18)
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "numbers.h"
#include "prune.h"

/* 1 where a weight may go: of products, and owned. */
static unsigned char *choice(const struct pruning *p)
{
	const struct net *n = p->net;
	unsigned char *may = memset(mem_alloc(n->n_weights + 1), 0, n->n_weights + 1);

	for (size_t i = 0; i < n->n_layers; i++) {
		const struct layer *l = &n->layers[i];
		const struct param *w = &n->params[l->first_param];

		if (l->kind == LAYER_CONV || l->kind == LAYER_FC)
			memset(may + w->at, 1, w->n);
	}
	for (size_t i = 0; p->owned && i < n->n_weights; i++)
		may[i] &= p->owned[i];
	return may;
}

static int check(const struct pruning *p, const unsigned char *may, struct err *e)
{
	const struct net *n = p->net;

	for (size_t k = 0; k < n->n_params; k++)
		for (size_t i = 0; i < n->params[k].n; i++) {
			size_t at = n->params[k].at + i;

			if (may[at] && isnan(p->w[at]))
				return err_set(e, ERR_BAD, "%s: number %zu is NaN: nothing is "
					       "larger or smaller than that",
					       n->params[k].name, i);
		}
	return 0;
}

/* A share such as 0.07 of 100 is not to be 8 because it is a little more in binary. */
static size_t count(double share, size_t n)
{
	size_t k = (size_t)ceil(share * (double)n * (1 - 0x1p-51));

	return k < n ? k : n;
}

static void prune_range(const struct pruning *p, const unsigned char *may, size_t from,
			size_t n, unsigned char *stays)
{
	const float *w = (p->scores ? p->scores : p->w) + from;
	struct largest most;
	size_t n_may = 0;

	for (size_t i = 0; i < n; i++)
		n_may += may[from + i];
	most = select_largest(w, may + from, n, count(p->share, n_may));
	for (size_t i = 0; i < n; i++) {
		uint32_t u = number_bits(w[i]) & 0x7fffffffu;
		bool is_equal = may[from + i] && u == most.least && most.n_equal > 0;

		most.n_equal -= is_equal;
		stays[from + i] = !may[from + i] || u > most.least || is_equal;
	}
}

int prune_weights(const struct pruning *p, unsigned char *stays, struct err *e)
{
	unsigned char *may = choice(p);
	int rc = check(p, may, e);

	if (rc == 0 && p->is_whole)
		prune_range(p, may, 0, p->net->n_weights, stays);
	for (size_t k = 0; rc == 0 && !p->is_whole && k < p->net->n_params; k++)
		prune_range(p, may, p->net->params[k].at, p->net->params[k].n, stays);
	free(may);
	return rc;
}
