/* thunk_diff.h - what differs between two thunks, in words; tools/thunk_diff.c */
#ifndef GG_THUNK_DIFF_H
#define GG_THUNK_DIFF_H

#include "store.h"

/* The caller fills in store, arena, tell and arg; the rest starts as zeros.  It
 * releases told.  Strings handed to tell() live in the arena. */
struct thunk_diff {
	struct store *store;
	struct arena *arena;
	/* One change: where, an output's path, and what. */
	void (*tell)(void *arg, const char *where, const char *what);
	void *arg;
	/* While tell() runs: the step it is of, and how far it is from the first. */
	const char *label;
	unsigned depth;
	struct map told;                /* thunks that were compared, by new id */
	size_t n_told;
};

/* Tell all that differs; where names what the thunks are for.  Pairs that were
 * compared before are passed over.  ERR_MISSING when a text is gone. */
int thunk_diff(struct thunk_diff *d, const struct id *old, const struct id *new_id,
	       const char *where, struct err *e);

#endif
