/* fisher.h - what the loss owes to each weight; src/kernels/fisher.c */
#ifndef GG_FISHER_H
#define GG_FISHER_H

#include "train.h"

struct importance {
	const struct net *net;
	const float *w;
	const struct dataset *data;
	const enum loss *losses;        /* of each head */
	struct team *team;
};

/* out, a slab: the diagonal of Fisher's information times the weight's square, half
 * of which the loss rises by, about, if the weight becomes 0 (LeCun, Denker, Solla:
 * Optimal Brain Damage, NeurIPS'89).  The mean is over all examples, each by itself,
 * in order; layers do what they do when they predict, and of a batch ensemble's members
 * the next is asked each time.  Statistics get 0. */
void fisher(const struct importance *of, float *out);

#endif
