/* lineage.h - thunks behind outputs, each once; tools/lineage.c */
#ifndef GG_LINEAGE_H
#define GG_LINEAGE_H

#include "id.h"

/* Starts as zeros.  Whoever goes through v by index and reaches on from each
 * has seen all when the index is n; v may move meanwhile. */
struct lineage {
	struct id *v;
	size_t n, room;
	struct map seen;
	struct arena arena;
};
void lineage_reach(struct lineage *l, const struct id *thunk);
void lineage_release(struct lineage *l);

#endif
