/* guard.h - what guard.c (a watched program) and asks.c (what it asks for) share */
#ifndef GG_GUARD_H
#define GG_GUARD_H

#include "inside.h"
#include "../thunk/tracee.h"

struct guard {
	struct cell *c;
	int sock, theirs, listener;     /* -1: none */
	struct map decoys;              /* plain path -> &decoy_file or _folder */
	struct arena scratch;           /* of one call */
	struct call call;
};

/* May this call happen?  False: the report says why not. */
bool asks_may_go(struct guard *g, const struct trace_event *ev);
/* Take away what was shown to the program and is not. */
void decoys_hide(struct guard *g);

#endif
