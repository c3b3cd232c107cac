/* combine.h - one vector out of several, in a fixed order; src/kernels/combine.c */
#ifndef GG_COMBINE_H
#define GG_COMBINE_H

#include "base.h"

/* out = the mean of n_vectors vectors of n floats: added one after another, or as
 * a binary tree over their positions whose shape depends on their number alone,
 * so that workers who each sum a part get the same bits. */
void combine_average(const float *const *v, size_t n_vectors, size_t n, float *out);
void combine_tree(const float *const *v, size_t n_vectors, size_t n, float *out);

/* Krum (Blanchard et al., NIPS'17): the index of the vector with the least sum of
 * squared distances to its n_vectors - n_faulty - 2 nearest; the lowest index
 * wins a tie.  n_vectors >= 2 n_faulty + 3.  O(n_vectors^2 n). */
size_t combine_krum(const float *const *v, size_t n_vectors, size_t n_faulty, size_t n);

/* The k entries of g + residual of largest magnitude, the lowest index first on
 * ties, go to out, the rest is 0 there; residual (may be NULL, then 0) becomes
 * what was left out: error feedback (Stich et al., NeurIPS'18). */
void combine_topk(const float *g, float *residual, size_t n, size_t k, float *out);

#endif
