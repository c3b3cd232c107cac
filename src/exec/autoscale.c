/* autoscale.c - how many workers there should be, by NumPyWren's rule
 *
 * up < ceil(0.5 * waiting / width) starts min(ceil(waiting / width) - up,
 * max - up).  The half keeps a short queue from starting what would come too
 * late for it.
 */
#include "autoscale.h"

#include <math.h>

/* Sums of fractions are not exact. */
static const double slack = 1e-6;

static double least(double a, double b)
{
	return a < b ? a : b;
}

size_t autoscale_width(const struct autoscale *a, const struct demand *d)
{
	const struct room *w = &a->worker, *n = &d->widest;
	double width = INFINITY;

	if (n->cpus > 0)
		width = least(width, w->cpus / n->cpus);
	if (n->gpus > 0)
		width = least(width, w->gpus / n->gpus);
	if (n->mem_bytes && w->mem_bytes)
		width = least(width, (double)w->mem_bytes / (double)n->mem_bytes);
	if (n->disk_bytes && w->disk_bytes)
		width = least(width, (double)w->disk_bytes / (double)n->disk_bytes);
	if (!(width < 1e6))
		width = w->cpus;
	return width < 1 ? 1 : (size_t)(width + slack);
}

static size_t parts(double n, size_t width)
{
	return (size_t)ceil(n / (double)width);
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

size_t autoscale_start(const struct autoscale *a, const struct demand *d, size_t n_up)
{
	size_t width = autoscale_width(a, d), wanted = n_up;

	if (n_up < parts(0.5 * (double)d->n_ready, width))
		wanted = parts((double)d->n_ready, width);
	wanted = larger(wanted, a->min);
	if (wanted > a->max)
		wanted = a->max;
	return wanted > n_up ? wanted - n_up : 0;
}

size_t autoscale_end(const struct autoscale *a, const struct demand *d, size_t n_up,
		     size_t n_idle)
{
	size_t keeps = larger(a->min, parts((double)(d->n_ready + d->n_running),
					    autoscale_width(a, d)));

	if (n_up <= keeps)
		return 0;
	return n_up - keeps < n_idle ? n_up - keeps : n_idle;
}

bool autoscale_fits(const struct autoscale *a, const struct room *needs)
{
	const struct room *w = &a->worker;

	return needs->cpus <= w->cpus + slack && needs->gpus <= w->gpus + slack &&
		(!w->mem_bytes || needs->mem_bytes <= w->mem_bytes) &&
		(!w->disk_bytes || needs->disk_bytes <= w->disk_bytes);
}
