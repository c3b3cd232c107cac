/* devices.h - which of a machine's GPUs a step gets; src/exec/devices.c
 *
 * Steps that run side by side would all take the first GPU.  Each is given
 * whole ones of its own, or its share of one, in CUDA_VISIBLE_DEVICES, whose
 * numbers enter no name.
 */
#ifndef GG_DEVICES_H
#define GG_DEVICES_H

#include "base.h"

enum { DEVICES_MAX = 64 };

/* How many GPUs this process may use: as many as visible lists, which is what
 * CUDA_VISIBLE_DEVICES says, or NULL; else NVIDIA's devices of this machine. */
unsigned devices_count(const char *visible);

struct devices;
/* n of them, at most DEVICES_MAX; called as visible calls them, else by number. */
struct devices *devices_new(double n, const char *visible);
void devices_free(struct devices *d);

/* What one step holds; zeroed: nothing. */
struct devices_held {
	uint64_t which;                 /* a bit each */
	double of_each;
};

/* Hold so many, or a fraction of one: those that are used least, and for a
 * fraction the one that is used most and has as much left. */
void devices_take(struct devices *d, double gpus, struct devices_held *out);
void devices_give(struct devices *d, struct devices_held *h);
/* "0,2"; in a.  "" when nothing is held. */
const char *devices_list(const struct devices *d, const struct devices_held *h,
			 struct arena *a);

#endif
