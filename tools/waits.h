/* waits.h - why an output is not real yet: what it waits for; tools/waits.c */
#ifndef GG_WAITS_H
#define GG_WAITS_H

#include "gg.h"

struct waits {
	struct ctx *c;
	/* One reason: where, an output's path, and what.  Strings live in c->arena. */
	void (*tell)(void *arg, const char *where, const char *what);
	void *arg;
};

/* Tell what the thunk at path waits for.  Nothing runs, and engines are asked only
 * where asking them does nothing else. */
int waits_tell(const struct waits *w, const char *path, const struct id *thunk,
	       struct err *e);

#endif
