/* pool_cannot.c - which worker lacks which runtime
 *
 * Machines differ: what one lacks another has.  A worker says so when it is
 * given a step that it cannot begin, and is not asked again for that runtime.
 */
#include "pool_private.h"

enum { SWEEP_MAX = 64 };

static const struct id *runtime_of(struct pool_step *s)
{
	struct arena a = { 0 };
	struct err ignored;
	struct thunk t;

	if (id_is_zero(&s->runtime) && thunk_decode(s->job->text, &a, &t, &ignored) == 0)
		s->runtime = t.runtime_id;
	arena_release(&a);
	return &s->runtime;
}

bool pool_cannot(struct pool_peer *w, struct pool_step *s)
{
	struct bytes key = id_key(runtime_of(s));

	if (id_is_zero(&s->runtime))
		return false;
	if (!map_get(&w->cannot, key)) {
		*map_at(&w->cannot, arena_bytes(&w->names, key)) = w;
		w->p->n_cannot++;
	}
	return true;
}

bool pool_can(const struct pool_peer *w, struct pool_step *s)
{
	return !w->cannot.n || !map_get(&w->cannot, id_key(runtime_of(s)));
}

bool pool_can_somebody(struct pool_step *s)
{
	const struct pool_peer *end = &s->p->peers;
	const struct room none = { 0 };

	for (const struct pool_peer *w = end->next; w != end; w = w->next)
		if (!w->is_retired && room_holds(&w->room, &none, &s->job->needs) &&
		    pool_can(w, s))
			return true;
	return false;
}

/* All that are here have said so of its runtime, whatever their room. */
static bool all_cannot(struct pool_step *s)
{
	const struct pool_peer *end = &s->p->peers;
	size_t n = 0;

	for (const struct pool_peer *w = end->next; w != end; w = w->next) {
		if (w->is_retired)
			continue;
		if (pool_can(w, s))
			return false;
		n++;
	}
	return n > 0;
}

void pool_cannot_sweep(struct pool *p)
{
	struct pool_step *next;
	int left = SWEEP_MAX;

	for (struct pool_step *s = p->queue.next; p->n_cannot && s != &p->queue && left--;
	     s = next) {
		next = s->next;
		if (!all_cannot(s))
			continue;
		pool_unqueue(s);
		pool_end(s, RUN_NOT_STARTED, "no worker that is here has what it runs with: start "
			 "workers in an image of its closure (gg image), or on machines like "
			 "this one");
	}
}
