/* kmeans.h - clusters of examples; src/kernels/kmeans.c */
#ifndef GG_KMEANS_H
#define GG_KMEANS_H

#include "train.h"

struct kmeans {
	const struct dataset *data;
	struct team *team;
	size_t n_middles;       /* at least 1 */
	size_t rounds_max;
	uint64_t seed;
	bool continues;         /* middles are given to begin with */
};

struct kmeans_end {
	double cost;            /* mean squared distance to the nearest middle */
	size_t rounds;
	bool is_settled;        /* no example would change its cluster */
};

/* Move middles, n_middles x features, until no example changes its cluster or
 * the rounds are over.  The same bits for any team. */
struct kmeans_end kmeans_run(const struct kmeans *k, float *middles);

#endif
