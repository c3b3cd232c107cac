/* prune.h - a network with fewer weights
 *
 * src/kernels/prune.c (weights that become 0), filters.c (channels that go),
 * select.c (the largest of many).  The same weights always stay: sums and choices have
 * one order, and where magnitudes are equal the lowest index wins.
 */
#ifndef GG_PRUNE_H
#define GG_PRUNE_H

#include "net.h"

/* The k largest magnitudes of n numbers: those whose bits without the sign are
 * above `least`, and the first n_equal of those that have just these.  may, if not
 * NULL: only where it is 1.  k is at most as many; the numbers are no NaN. */
struct largest {
	uint32_t least;
	size_t n_equal;
};
struct largest select_largest(const float *x, const unsigned char *may, size_t n, size_t k);

struct pruning {
	const struct net *net;
	const float *w;
	const unsigned char *owned;     /* a mask: the choice is among these, all else
					 * stays; NULL: all are owned */
	const float *scores;            /* a slab to choose by; NULL: the weights */
	double share;                   /* of each layer, from above 0 to 1, rounded up */
	bool is_whole;                  /* of all layers at once instead */
};

/* stays, a slab of bytes, gets 0 where a weight of a product is to go: of each layer
 * those of least magnitude.  Biases, factors and statistics stay.  ERR_BAD names the
 * layer and the index of a NaN. */
int prune_weights(const struct pruning *p, unsigned char *stays, struct err *e);

/* Channels of conv and fc layers with the least sum of magnitudes go, and all that
 * read them goes with them (Li et al.: Pruning Filters, ICLR'17): a smaller network
 * and its weights, both the caller's, *w to be freed.  owned, scores and is_whole are
 * not for this.  ERR_BAD as above. */
int prune_filters(const struct pruning *p, struct net *out, float **w, struct err *e);
/* Why a conv or fc layer has to keep all its channels; NULL: it need not. */
const char *prune_stays_whole(const struct net *n, size_t layer);

#endif
