/* pool_lease.c - who is alive, and who has what for how long
 *
 * One timer looks at all workers and requests; there are thousands at most.
 */
#include "pool_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LATE_MAX = 4096,                /* requests whose answers may come yet */
	PLAIN_LEASE_S = 900,            /* a client that does not beat: Lambda's limit */
	BEYOND_S = 60,                  /* over a step's own limit, for its objects */
	TICK_MOST_MS = 1000,
	BEATS_PER_S = 250,              /* of all workers together */
	UNNAMED_MAX = 2,
};

/* Many workers beat less often each. */
uint64_t pool_beat_ms(const struct pool *p)
{
	double s = (double)p->n_peers / BEATS_PER_S;

	return (uint64_t)(1000 * (s > p->o.beat_s ? s : p->o.beat_s));
}

static uint64_t lease_ms(const struct pool *p)
{
	uint64_t own = (uint64_t)(1000 * p->o.lease_s), beats = 4 * pool_beat_ms(p);

	return p->o.beat_s * 4 <= p->o.lease_s && beats > own ? beats : own;
}

/* ---- workers */

/* Each slot takes one cpu at least of what exec counts on: what it started beyond
 * would only wait here. */
static void count_room(struct pool_peer *w, int sign)
{
	struct pool *p = w->p;
	struct room has = w->room;

	has.cpus = w->n_slots < has.cpus ? w->n_slots : has.cpus;
	(sign < 0 ? room_take : room_add)(&p->room, &has);
	p->n_slots += (unsigned)sign * w->n_slots;
	p->n_peers += (size_t)sign;
	if (!p->n_peers)
		p->room = (struct room){ 0 };
	pool_think(p);
}

struct pool_peer *pool_peer_new(struct pool *p, const struct pool_hello *h)
{
	struct pool_peer *w = memset(mem_alloc(sizeof *w), 0, sizeof *w);
	struct err ignored;
	uint64_t n;

	w->p = p;
	pool_new_id(p, "w", w->id);
	w->name = mem_str(h->name);
	w->host = mem_str(h->host);
	w->room = h->room;
	w->n_slots = h->n_slots;
	w->heard_ms = w->idle_since_ms = loop_now_ms(p->b.loop);
	w->next = &p->peers;
	w->prev = p->peers.prev;
	w->prev->next = w->next->prev = w;
	*map_at(&p->by_id, bytes_str(w->id)) = w;
	count_room(w, 1);
	w->lease_ms = lease_ms(p);
	for (size_t i = 0; i < h->n_holds; i++)
		if (store_size(p->b.store, &h->holds[i], &n, &ignored) == 0)
			pool_holds_add(w, &h->holds[i], n);
	pool_beat_taken(w, &(struct pool_beat){ .closures = h->closures,
						.n_closures = h->n_closures });
	return w;
}

void pool_peer_told(struct pool_peer *w)
{
	struct pool *p = w->p;

	w->is_told = true;
	for (w = p->peers.next; w != &p->peers; w = w->next)
		if (!w->is_told && !w->is_plain)
			return;
	p->is_deserted = true;
}

static void end_waits(struct pool_peer *w, int status)
{
	if (w->waits && status == 403)
		pool_peer_told(w);
	while (w->waits) {
		pool_say(w->waits->call, status, "");
		pool_wait_end(w->waits);
	}
}

void pool_peer_free(struct pool_peer *w)
{
	struct pool *p = w->p;

	w->prev->next = w->next;
	w->next->prev = w->prev;
	map_drop(&p->by_id, bytes_str(w->id));
	if (!w->is_retired)
		count_room(w, -1);
	pool_holds_release(w);
	free(w->name);
	free(w->host);
	free(w);
}

void pool_peer_retire(struct pool_peer *w)
{
	if (!w->is_retired)
		count_room(w, -1);
	w->is_retired = w->has_news = true;
	end_waits(w, 403);
	pool_answer_beat(w);
}

/* ---- requests */

struct pool_request *pool_request_new(struct pool_peer *w, struct pool_step *const *v, size_t n)
{
	struct pool_request *r = memset(mem_alloc(sizeof *r), 0, sizeof *r);
	uint64_t now = loop_now_ms(w->p->b.loop);
	double limit_s = 0;

	pool_new_id(w->p, "r", r->id);
	memcpy(r->worker, w->id, sizeof r->worker);
	r->w = w;
	r->n = r->n_live = n;
	r->v = arena_alloc(&r->arena, n * sizeof *r->v);
	for (size_t i = 0; i < n; i++) {
		const struct job *j = v[i]->job;

		r->v[i] = (struct pool_given){ .s = v[i], .reduced = j->reduced,
					       .text = arena_bytes(&r->arena, j->text),
					       .needs = j->needs,
					       .is_watched = j->is_watched };
		r->v[i].waited_s = (double)(now - v[i]->started_ms) / 1000;
		v[i]->r = r;
		v[i]->at = i;
		room_widen(&r->needs, &j->needs);
		limit_s = j->timeout_s > 0 && limit_s >= 0 ? limit_s + j->timeout_s : -1;
	}
	r->renewed_ms = r->given_ms = now;
	r->last_ms = limit_s < 0 ? UINT64_MAX : now + (uint64_t)(1000 * (limit_s + BEYOND_S));
	room_add(&w->used, &r->needs);
	w->n_requests++;
	r->at = &w->requests;
	r->next = w->requests;
	if (r->next)
		r->next->at = &r->next;
	w->requests = r;
	*map_at(&w->p->requests, bytes_str(r->id)) = r;
	return r;
}

void pool_request_detach(struct pool_request *r)
{
	struct pool_peer *w = r->w;

	*r->at = r->next;
	if (r->next)
		r->next->at = r->at;
	r->next = NULL;
	r->w = NULL;
	room_take(&w->used, &r->needs);
	if (--w->n_requests == 0) {
		w->used = (struct room){ 0 };
		w->idle_since_ms = loop_now_ms(w->p->b.loop);
		pool_think(w->p);
	}
}

void pool_request_free(struct pool_request *r)
{
	arena_release(&r->arena);
	free(r);
}

void pool_request_tell(struct pool_request *r)
{
	if (!r->w)
		return;
	r->w->has_news = true;
	pool_answer_beat(r->w);
}

/* Its answer may come yet. */
static void keep_late(struct pool *p, struct pool_request *r)
{
	pool_request_detach(r);
	r->at = p->late_end;
	*r->at = r;
	p->late_end = &r->next;
	p->n_late++;
}

void pool_late_drop(struct pool *p, struct pool_request *r)
{
	*r->at = r->next;
	if (r->next)
		r->next->at = r->at;
	if (p->late_end == &r->next)
		p->late_end = r->at;
	r->next = NULL;
	p->n_late--;
}

static void lose_request(struct pool *p, struct pool_request *r, enum run_status how,
			 const char *why)
{
	for (size_t i = 0; i < r->n; i++) {
		struct pool_step *s = r->v[i].s;

		r->v[i].s = NULL;
		if (!s)
			continue;
		s->r = NULL;
		pool_end(s, how, why);
	}
	r->n_live = 0;
	keep_late(p, r);
}

void pool_peer_lose(struct pool_peer *w, enum run_status how, const char *why)
{
	while (w->requests)
		lose_request(w->p, w->requests, how, why);
	end_waits(w, 410);
	pool_answer_beat(w);
	pool_peer_free(w);
}

/* ---- beats */

static void take_closures(struct pool_peer *w, const struct pool_beat *b)
{
	for (size_t i = 0; i < b->n_closures; i++) {
		struct bytes key = id_key(&b->closures[i]);

		if (w->closures.n < POOL_LIST_MAX && !map_get(&w->closures, key))
			*map_at(&w->closures, arena_bytes(&w->names, key)) = w;
	}
}

static bool is_named(const struct pool_beat *b, const char *id)
{
	for (size_t i = 0; i < b->n_running; i++)
		if (strcmp(b->running[i], id) == 0)
			return true;
	return false;
}

/* What the worker has with what it was given.  One that ends will not ask for
 * what is still on its way. */
static void compare(struct pool_peer *w, const struct pool_beat *b)
{
	struct pool_request *next;

	for (struct pool_request *r = w->requests; r; r = next) {
		bool is = is_named(b, r->id);

		next = r->next;
		r->n_unnamed = is ? 0 : r->n_unnamed + 1;
		if (is)
			r->renewed_ms = loop_now_ms(w->p->b.loop);
		else if (b->ends)
			lose_request(w->p, r, RUN_LOST_WORKER,
				     "its worker ended before it began");
	}
}

void pool_beat_taken(struct pool_peer *w, const struct pool_beat *b)
{
	struct err ignored;
	uint64_t n;

	take_closures(w, b);
	for (size_t i = 0; i < b->n_dropped; i++)
		pool_holds_drop(w, &b->dropped[i]);
	for (size_t i = 0; i < b->n_added; i++)
		if (store_size(w->p->b.store, &b->added[i], &n, &ignored) == 0)
			pool_holds_add(w, &b->added[i], n);
	if (b->tells_running)
		compare(w, b);
	/* What it has it still answers. */
	if (b->ends)
		pool_peer_retire(w);
}

/* ---- time */

static bool is_over(const struct pool_request *r, uint64_t now, const char **why)
{
	uint64_t lease = r->w->is_plain ? PLAIN_LEASE_S * 1000 : r->w->lease_ms;

	*why = "the worker that had it says nothing more";
	if (now > r->renewed_ms + lease)
		return true;
	*why = "the worker never got it, or has lost it";
	if (r->n_unnamed > UNNAMED_MAX)
		return true;
	*why = "its worker goes on beyond the step's own time limit";
	return now > r->last_ms;
}

static void look_at(struct pool_peer *w, uint64_t now)
{
	const char *why;
	struct pool_request *next;

	for (struct pool_request *r = w->requests; r; r = next) {
		next = r->next;
		if (is_over(r, now, &why))
			lose_request(w->p, r, RUN_LOST_WORKER, why);
	}
	if (w->is_plain) {
		if (!w->n_requests && !w->waits)
			pool_peer_free(w);
	} else if (now > w->heard_ms + w->lease_ms) {
		pool_peer_lose(w, RUN_LOST_WORKER, "the worker that had it says nothing more");
	} else if (w->suspect_ms && now > w->suspect_ms + pool_beat_ms(w->p)) {
		pool_peer_lose(w, RUN_LOST_WORKER, "the worker that had it has gone: it was "
			       "killed, or its machine or network failed");
	} else if (w->beat && now >= w->beat_until_ms) {
		pool_answer_beat(w);
	}
}

static uint64_t tick_ms(const struct pool *p)
{
	double s = p->o.lease_s / 4 < p->o.beat_s / 2 ? p->o.lease_s / 4 : p->o.beat_s / 2;
	uint64_t ms = (uint64_t)(1000 * s);

	return ms < 10 ? 10 : ms < TICK_MOST_MS ? ms : TICK_MOST_MS;
}

static void tick(void *arg)
{
	struct pool *p = arg;
	uint64_t now = loop_now_ms(p->b.loop);
	struct pool_peer *next;

	for (struct pool_peer *w = p->peers.next; w != &p->peers; w = next) {
		next = w->next;
		look_at(w, now);
	}
	while (p->n_late > LATE_MAX) {
		struct pool_request *r = p->late;

		pool_late_drop(p, r);
		map_drop(&p->requests, bytes_str(r->id));
		pool_request_free(r);
	}
	pool_feed_all(p);
	pool_cannot_sweep(p);
	pool_tick_start(p);
}

void pool_tick_start(struct pool *p)
{
	p->tick = loop_after(p->b.loop, tick_ms(p), tick, p);
}

void pool_lease_close(struct pool *p)
{
	loop_cancel(p->tick);
	while (p->peers.next != &p->peers)
		pool_peer_lose(p->peers.next, RUN_SIGNALED, NULL);
	while (p->late) {
		struct pool_request *r = p->late;

		p->late = r->next;
		pool_request_free(r);
	}
	map_release(&p->requests);
	map_release(&p->by_id);
}
