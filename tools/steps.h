/* steps.h - the steps behind outputs; tools/steps.c */
#ifndef GG_STEPS_H
#define GG_STEPS_H

#include "gg.h"

struct step {
	struct id id, reduced;          /* reduced: zero until known */
	bool is_asked, is_reduced_asked;
};

struct steps {
	struct step **v;
	size_t n, room;
	struct map seen;                /* id -> struct step */
	struct arena arena;
};

/* Add a step and all that it needs whose text is in the store. */
void steps_add(struct steps *s, struct store *store, const struct id *thunk);
void steps_release(struct steps *s);
/* Find the reduced name of p, which wants the results of what it reads: true if
 * they are all in the store. */
bool step_reduce(struct store *store, struct step *p);

#endif
