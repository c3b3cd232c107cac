/* metrics.h - how good predicted probabilities are; src/kernels/metrics.c */
#ifndef GG_METRICS_H
#define GG_METRICS_H

#include "base.h"

enum { ECE_BINS = 15 };

struct metrics {
	double accuracy;
	double nll;             /* mean of -ln of the label's probability */
	double brier;           /* mean of the squared distance to the label */
	double ece;             /* expected calibration error, 15 equal bins (Guo
				 * et al.: On Calibration of Modern Neural
				 * Networks, ICML'17) */
	struct calibration {    /* of examples by the probability of their
				 * best class, in rising order */
		uint64_t n;
		double confidence, accuracy;    /* means; 0 of none */
	} bins[ECE_BINS];
};

/* p: n x classes probabilities.  confusion, if not NULL, classes x classes, is
 * counted up at [label][predicted].  The lowest class wins a tie. */
void metrics_of(const float *p, const int32_t *labels, size_t n, size_t classes,
		uint64_t *confusion, struct metrics *out);
size_t metrics_best(const float *p, size_t classes);

#endif
