/* running.h - what a force that goes on does just now, as its journal says; tools/running.c */
#ifndef GG_RUNNING_H
#define GG_RUNNING_H

#include "gg.h"

struct running {
	const char *run;                /* its name; NULL: none goes on */
	long pid;
	const char *waits;              /* why workers do not come; or NULL */
	struct map engines;             /* thunk in hex -> where it runs */
};

/* Does the gg of a run, or another process of its number, live? */
bool running_is_alive(const char *run);
/* The newest run whose gg is alive and has not said its end, if there is one; its
 * strings live in c->arena. */
void running_look(struct ctx *c, struct running *out);
void running_release(struct running *r);
/* The engine that has a thunk, or NULL. */
const char *running_on(const struct running *r, const struct id *thunk);
/* How many it runs. */
size_t running_count(const struct running *r);

#endif
