/* limit.c - how many requests a place takes at once, learned from its refusals */
#include "limit.h"

enum { PAUSE_FIRST_MS = 50, PAUSE_MAX_MS = 5000 };

void limit_init(struct limit *l, unsigned max)
{
	*l = (struct limit){ .window = max ? max : 1, .max = max ? max : 1 };
}

unsigned limit_room(const struct limit *l, uint64_t now_ms)
{
	return now_ms < l->paused_until_ms ? l->n_flying : (unsigned)l->window;
}

bool limit_may(const struct limit *l, uint64_t now_ms)
{
	return l->n_flying < limit_room(l, now_ms);
}

uint64_t limit_begin(struct limit *l)
{
	l->n_flying++;
	return ++l->n_begun;
}

void limit_dropped(struct limit *l)
{
	l->n_flying--;
}

void limit_taken(struct limit *l)
{
	l->n_flying--;
	l->pause_ms = 0;
	l->window += 1 / l->window;
	if (l->window > l->max)
		l->window = l->max;
}

void limit_refused(struct limit *l, uint64_t serial, uint64_t now_ms)
{
	/* A window that was never filled says nothing: what was flying does. */
	double tried = l->n_flying < l->window ? l->n_flying : l->window;

	l->n_flying--;
	l->n_refused++;
	if (serial <= l->cut_at)
		return;
	l->cut_at = l->n_begun;
	l->window = tried / 2 > 1 ? tried / 2 : 1;
	l->pause_ms = l->pause_ms ? l->pause_ms * 2 : PAUSE_FIRST_MS;
	if (l->pause_ms > PAUSE_MAX_MS)
		l->pause_ms = PAUSE_MAX_MS;
	l->paused_until_ms = now_ms + l->pause_ms;
}
