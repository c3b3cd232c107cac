/* lineage.c - thunks behind outputs, each once */
#include "lineage.h"

#include <stdlib.h>

void lineage_reach(struct lineage *l, const struct id *thunk)
{
	struct id *key;

	if (map_get(&l->seen, id_key(thunk)))
		return;
	key = arena_alloc(&l->arena, sizeof *key);
	*key = *thunk;
	*map_at(&l->seen, id_key(key)) = key;
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 256;
		l->v = mem_grow(l->v, l->room * sizeof *l->v);
	}
	l->v[l->n++] = *key;
}

void lineage_release(struct lineage *l)
{
	map_release(&l->seen);
	arena_release(&l->arena);
	free(l->v);
}
