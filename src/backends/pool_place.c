/* pool_place.c - which worker gets which step
 *
 * A step goes to the waiting worker that holds most of its large inputs, else
 * to the one that asked last, which is the warmest.  A worker that asks gets,
 * of the first steps in the queue, the one it holds most of.
 */
#include "pool_private.h"

#include <stdio.h>

enum { LOOK_AHEAD = 64 };

/* Steps that share a request take about this long, so that no other worker
 * idles for long beside it. */
#define TOGETHER_S 0.1

static bool fits(const struct pool_peer *w, struct pool_step *s)
{
	return w->n_requests < w->n_slots && room_holds(&w->room, &w->used, &s->job->needs) &&
		pool_can(w, s);
}

/* ---- more than one step at a time */

/* How many steps one request may hold now: each slot's share of the queue. */
static size_t share(const struct pool *p)
{
	size_t n = p->n_slots ? p->n_queued / p->n_slots : 0;
	size_t most = p->o.steps_per_request < POOL_TOGETHER_MAX ?
		p->o.steps_per_request : POOL_TOGETHER_MAX;

	return n < 1 ? 1 : n < most ? n : most;
}

static bool give(struct pool_wait *k, struct pool_step *first)
{
	struct pool *p = k->w->p;
	struct pool_step *v[POOL_TOGETHER_MAX] = { first }, *next;
	size_t n = 1, most = first->is_short ? share(p) : 1, looks = LOOK_AHEAD;
	double sum_s = first->job->expected_s;

	for (struct pool_step *s = p->queue.next; s != &p->queue && n < most && looks; s = next) {
		next = s->next;
		looks--;
		if (s == first || !s->is_short || sum_s + s->job->expected_s > TOGETHER_S ||
		    !fits(k->w, s))
			continue;
		sum_s += s->job->expected_s;
		v[n++] = s;
	}
	for (size_t i = 0; i < n; i++)
		pool_unqueue(v[i]);
	return pool_hand(k, v, n);
}

/* ---- a step looks for a worker */

struct search {
	struct pool_step *s;
	struct pool_peer *best;
	uint64_t best_bytes;
};

static void consider(void *arg, struct pool_peer *w)
{
	struct search *f = arg;
	uint64_t held;

	if (w == f->best || !w->waits || w->is_retired || !fits(w, f->s))
		return;
	held = pool_held_bytes(f->s, w);
	if (held <= f->best_bytes)
		return;
	f->best = w;
	f->best_bytes = held;
}

void pool_place(struct pool *p, struct pool_step *s)
{
	struct search f = { .s = s };
	struct pool_wait *k = NULL;

	if (p->idle.next == &p->idle)
		return;
	if (p->n_held)
		pool_each_holder(s, consider, &f);
	if (f.best)
		k = f.best->waits;
	for (struct pool_wait *i = p->idle.next; !k && i != &p->idle; i = i->next)
		if (fits(i->w, s))
			k = i;
	if (k)
		give(k, s);
}

/* ---- a worker looks for a step */

static struct pool_step *choose(struct pool *p, struct pool_peer *w)
{
	struct pool_step *best = NULL;
	uint64_t best_bytes = 0;
	size_t looks = LOOK_AHEAD;

	for (struct pool_step *s = p->queue.next; s != &p->queue && (looks || !best);
	     s = s->next) {
		uint64_t held;

		looks -= looks > 0;
		if (!fits(w, s))
			continue;
		if (!w->holds.n)
			return s;
		held = pool_held_bytes(s, w);
		if (best && held <= best_bytes)
			continue;
		best = s;
		best_bytes = held;
	}
	return best;
}

bool pool_feed(struct pool *p, struct pool_wait *k)
{
	struct pool_step *s;

	while ((s = choose(p, k->w)))
		if (give(k, s))
			return true;
	return false;
}

void pool_feed_all(struct pool *p)
{
	struct pool_wait *next;

	for (struct pool_wait *k = p->idle.next; p->n_queued && k != &p->idle; k = next) {
		next = k->next;
		pool_feed(p, k);
	}
}

static bool is_too_large(const struct pool *p, const struct room *needs)
{
	const struct room none = { 0 };

	for (const struct pool_peer *w = p->peers.next; w != &p->peers; w = w->next)
		if (!w->is_retired && room_holds(&w->room, &none, needs))
			return false;
	return p->n_peers > 0;
}

const char *pool_why_waiting(struct pool *p)
{
	int looks = LOOK_AHEAD;

	for (const struct pool_step *s = p->queue.next; s != &p->queue && looks--; s = s->next) {
		const struct room *n = &s->job->needs;

		if (!is_too_large(p, n))
			continue;
		snprintf(p->why, sizeof p->why, "a step waits for a worker with %s: none of those "
			 "that are here is so large", room_words(n, NULL).s);
		return p->why;
	}
	return NULL;
}
