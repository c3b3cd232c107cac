/* room.h - how much a thunk wants, how much a place has; src/exec/room.c
 *
 * Engines, workers and thunks speak the same vector.
 */
#ifndef GG_ROOM_H
#define GG_ROOM_H

#include "base.h"

struct room {
	double cpus, gpus;
	uint64_t mem_bytes;
	uint64_t disk_bytes;            /* for what a step writes while it runs */
};

/* What stands for an amount that nobody knows, as room: a few of them add up. */
#define ROOM_UNKNOWN (UINT64_MAX / 1024)

/* Does needs fit into what is left?  Sums of fractions may be a little off. */
bool room_fits(const struct room *left, const struct room *needs);
/* The same beside what is used. */
bool room_holds(const struct room *all, const struct room *used, const struct room *needs);
void room_add(struct room *sum, const struct room *more);
/* Never below nothing. */
void room_take(struct room *left, const struct room *needs);
/* As much of each as the larger of both has. */
void room_widen(struct room *most, const struct room *needs);

/* "2 cpus, 0 gpus and 512 MiB", and of disk too if asks, or r itself, wants any:
 * asks NULL for r alone. */
struct room_words {
	char s[160];
};
struct room_words room_words(const struct room *r, const struct room *asks);

#endif
