/* metrics.c - how good predictions are
 *
 * Sums go over examples in their order, in double: the same on every machine.
 */
#include <math.h>
#include "metrics.h"

size_t metrics_best(const float *p, size_t classes)
{
	size_t best = 0;

	for (size_t c = 1; c < classes; c++)
		best = p[c] > p[best] ? c : best;
	return best;
}

/* A probability of 0 would cost infinitely much. */
static const float least = 1e-30f;

void metrics_of(const float *p, const int32_t *labels, size_t n, size_t classes,
		uint64_t *confusion, struct metrics *out)
{
	*out = (struct metrics){ 0 };
	for (size_t i = 0; i < n; i++, p += classes) {
		size_t best = metrics_best(p, classes), label = (size_t)labels[i];
		float mine = label < classes && p[label] > least ? p[label] : least;
		size_t bin = (size_t)(p[best] * ECE_BINS);

		bin = bin < ECE_BINS ? bin : ECE_BINS - 1;
		out->bins[bin].n++;
		out->bins[bin].confidence += (double)p[best];
		out->bins[bin].accuracy += best == label;
		out->accuracy += best == label;
		out->nll -= log((double)mine);
		for (size_t c = 0; c < classes; c++) {
			double d = (double)p[c] - (c == label);

			out->brier += d * d;
		}
		if (confusion && label < classes)
			confusion[label * classes + best]++;
	}
	for (size_t b = 0; b < ECE_BINS; b++) {
		struct calibration *c = &out->bins[b];

		out->ece += fabs(c->confidence - c->accuracy);
		c->confidence = c->n ? c->confidence / (double)c->n : 0;
		c->accuracy = c->n ? c->accuracy / (double)c->n : 0;
	}
	out->accuracy /= (double)n;
	out->nll /= (double)n;
	out->brier /= (double)n;
	out->ece /= (double)n;
}
