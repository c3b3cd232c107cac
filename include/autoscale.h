/* autoscale.h - how many workers there should be; src/exec/autoscale.c
 *
 * NumPyWren's rule (SoCC'20): start more when fewer are up than half of what
 * waits could use, then as many as all of it could use; idle ones end by
 * themselves.  Pure functions: an engine that starts workers (container,
 * slurm) asks them whenever something has changed.
 */
#ifndef GG_AUTOSCALE_H
#define GG_AUTOSCALE_H

#include "backend.h"

struct autoscale {
	size_t min, max;                /* workers */
	struct room worker;             /* of one; mem_bytes, disk_bytes 0: not known */
};

/* How many of the widest waiting job one worker runs at once: at least 1. */
size_t autoscale_width(const struct autoscale *a, const struct demand *d);

/* How many to start now.  n_up: those that work, and those that were asked for
 * and still come. */
size_t autoscale_start(const struct autoscale *a, const struct demand *d, size_t n_up);

/* How many of n_idle, which have been idle for long enough, may end: none that
 * min or what waits asks for. */
size_t autoscale_end(const struct autoscale *a, const struct demand *d, size_t n_up,
		     size_t n_idle);

/* Would needs ever fit into one worker? */
bool autoscale_fits(const struct autoscale *a, const struct room *needs);

#endif
