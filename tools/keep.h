/* keep.h - what gg remote gc is to leave alone for a project; tools/keep.c */
#ifndef GG_KEEP_H
#define GG_KEEP_H

#include "gg.h"

/* Names of thunks, in any order, some more than once. */
struct kept {
	struct id *v;
	size_t n, room;
};
void kept_release(struct kept *k);

/* Add those that gg.lock names, if there is one. */
int keep_locked(struct ctx *c, struct kept *k, struct err *e);
/* After a run: write down at each remote what the project's outputs rest on, if the
 * run gave anything there or took anything.  What fails is told. */
void keep_at_remotes(struct ctx *c);

#endif
