/* pool.c - jobs that workers fetch: what is started, what ends, how much room
 *
 * Nothing of a job's end is told from inside pool_start() or pool_cancel():
 * such ends are gathered and told later in the same turn of the loop.
 */
#include "pool_private.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { LEASE_S = 30, BEAT_S = 5, STEPS_PER_REQUEST = 16, GRACE_MS = 400 };

/* A step this long or shorter may share a request with others. */
#define SHORT_S 0.05

/* ---- ids */

static uint64_t random_bits(struct pool *p)
{
	uint64_t v;

	if (p->n_random < sizeof v) {
		if (getrandom(p->random, sizeof p->random, 0) != (ssize_t)sizeof p->random)
			abort();
		p->n_random = sizeof p->random;
	}
	p->n_random -= sizeof v;
	memcpy(&v, p->random + p->n_random, sizeof v);
	return v;
}

/* Nobody can guess those of others. */
void pool_new_id(struct pool *p, const char *kind, char out[POOL_ID_ROOM])
{
	snprintf(out, POOL_ID_ROOM, "%.1s%llu-%016llx", kind, ++p->n_ids % 100000000000,
		 (unsigned long long)random_bits(p));
}

/* ---- steps */

static void queue_step(struct pool *p, struct pool_step *s)
{
	s->next = &p->queue;
	s->prev = p->queue.prev;
	s->prev->next = s->next->prev = s;
	p->n_queued++;
}

void pool_unqueue(struct pool_step *s)
{
	s->prev->next = s->next;
	s->next->prev = s->prev;
	s->next = s->prev = NULL;
	s->p->n_queued--;
}

void pool_requeue(struct pool_step *s)
{
	queue_step(s->p, s);
}

void pool_step_free(struct pool_step *s)
{
	struct room *used = &s->p->short_used;

	if (s->is_short) {
		room_take(used, &s->job->needs);
		pool_think(s->p);
	}
	free(s->wants);
	free(s->text);
	free(s);
}

void pool_end(struct pool_step *s, enum run_status status, const char *text)
{
	struct pool *p = s->p;

	s->has_ended = true;
	s->status = status;
	s->text = text ? mem_str(text) : NULL;
	s->next = &p->ended;
	s->prev = p->ended.prev;
	s->prev->next = s->next->prev = s;
	pool_think(p);
}

static void tell_end(struct pool_step *s)
{
	struct job *j = s->job;
	char *text = s->text;
	struct run_report r = { .status = s->status, .text = text, .missing = s->missing };

	s->prev->next = s->next;
	s->next->prev = s->prev;
	s->text = NULL;
	if (r.status == RUN_SIGNALED)
		r.code = SIGTERM;
	pool_step_free(s);
	j->done(j, &r);
	free(text);
}

int pool_start(struct pool *p, struct job *j, struct err *e)
{
	struct pool_step *s;

	if (p->is_closing)
		return err_set(e, ERR_REFUSED, "the pool %s is closing", p->name);
	s = memset(mem_alloc(sizeof *s), 0, sizeof *s);
	s->p = p;
	s->job = j;
	s->started_ms = loop_now_ms(p->b.loop);
	s->is_short = j->expected_s > 0 && j->expected_s <= SHORT_S;
	j->backend_data = s;
	if (s->is_short) {
		room_add(&p->short_used, &j->needs);
		pool_think(p);
	}
	queue_step(p, s);
	pool_place(p, s);
	return 0;
}

void pool_cancel(struct pool *p, struct job *j)
{
	struct pool_step *s = j->backend_data;
	struct pool_request *r = s->r;

	(void)p;
	if (s->has_ended)
		return;
	if (r) {
		r->v[s->at].s = NULL;
		s->r = NULL;
		if (--r->n_live == 0)
			pool_request_tell(r);
	} else {
		pool_unqueue(s);
	}
	pool_end(s, RUN_SIGNALED, NULL);
}

void pool_stop(struct pool *p, struct job *j)
{
	struct pool_step *s = j->backend_data;

	(void)p;
	if (s->has_ended)
		return;
	if (s->r) {
		s->r->is_stopping = true;
		pool_request_tell(s->r);
		return;
	}
	pool_unqueue(s);
	pool_end(s, RUN_THROTTLED, "it was asked to make room before it began");
}

/* ---- room */

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* Short steps are fed beyond what runs, so that there is always one more for a
 * worker whose request ends. */
struct room pool_room(const struct pool *p)
{
	double more = p->o.steps_per_request - 1;
	const struct room *all = &p->room, *s = &p->short_used;

	return (struct room){
		all->cpus + least(s->cpus, more * all->cpus),
		all->gpus + least(s->gpus, more * all->gpus),
		all->mem_bytes + (uint64_t)least((double)s->mem_bytes,
						 more * (double)all->mem_bytes),
		all->disk_bytes + (uint64_t)least((double)s->disk_bytes,
						  more * (double)all->disk_bytes),
	};
}

static void tell_room(struct pool *p)
{
	struct room now = pool_room(p);

	if (p->b.changed && (now.cpus != p->told.cpus || now.gpus != p->told.gpus ||
			     now.mem_bytes != p->told.mem_bytes ||
			     now.disk_bytes != p->told.disk_bytes)) {
		p->told = now;
		p->b.changed(p->b.changed_arg);
	}
}

/* Room first: a step that ends with its worker is not to be started again on what
 * has gone with it. */
static void think(void *arg)
{
	struct pool *p = arg;

	p->soon = NULL;
	if (p->ended.next != &p->ended)
		tell_room(p);
	while (p->ended.next != &p->ended)
		tell_end(p->ended.next);
	if (p->o.changed)
		p->o.changed(p->o.arg);
	tell_room(p);
}

void pool_think(struct pool *p)
{
	if (!p->soon && !p->is_closing)
		p->soon = loop_after(p->b.loop, 0, think, p);
}

/* ---- who is here */

size_t pool_n_workers(const struct pool *p)
{
	return p->n_peers;
}

size_t pool_n_queued(const struct pool *p)
{
	return p->n_queued;
}

void pool_each(struct pool *p, void (*fn)(void *arg, const struct pool_worker *w), void *arg)
{
	for (struct pool_peer *w = p->peers.next, *next; w != &p->peers; w = next) {
		struct pool_worker told = { w->name, w->host, w->room, w->n_requests,
					    !w->n_requests, w->idle_since_ms };

		next = w->next;
		fn(arg, &told);
	}
}

void pool_retire(struct pool *p, const char *name)
{
	for (struct pool_peer *w = p->peers.next; w != &p->peers; w = w->next)
		if (strcmp(w->name, name) == 0)
			pool_peer_retire(w);
}

void pool_lost(struct pool *p, const char *name, enum run_status how, const char *why)
{
	for (struct pool_peer *w = p->peers.next, *next; w != &p->peers; w = next) {
		next = w->next;
		if (strcmp(w->name, name) == 0)
			pool_peer_lose(w, how, why);
	}
}

/* ---- opening and closing */

static int serve_it(struct pool *p, struct err *e)
{
	char *spool = NULL;
	struct buf path = { 0 };
	struct serve_opts so = { .loop = p->b.loop, .unix_path = p->o.unix_path,
				 .address = p->o.address, .token = p->token,
				 .request = pool_request_came, .gone = pool_call_gone,
				 .accepts = pool_accepts, .arg = p };
	int rc;

	/* On the store's own file system, so that objects need not be copied. */
	if (p->b.store_dir) {
		buf_printf(&path, "%s/objects", p->b.store_dir);
		spool = path.p;
	}
	so.spool_dir = spool;
	rc = serve_open(&so, &p->serve, e);
	buf_release(&path);
	return rc;
}

int pool_open(const struct pool_opts *o, struct pool **out, struct err *e)
{
	struct pool *p = memset(mem_alloc(sizeof *p), 0, sizeof *p);

	p->o = *o;
	p->b = *o->o;
	p->o.o = &p->b;
	p->name = mem_str(o->name);
	p->o.lease_s = o->lease_s > 0 ? o->lease_s : LEASE_S;
	p->o.beat_s = o->beat_s > 0 ? o->beat_s : least(p->o.lease_s / 6, BEAT_S);
	p->o.steps_per_request = o->steps_per_request ? o->steps_per_request : STEPS_PER_REQUEST;
	p->peers.next = p->peers.prev = &p->peers;
	p->queue.next = p->queue.prev = &p->queue;
	p->ended.next = p->ended.prev = &p->ended;
	p->idle.next = p->idle.prev = &p->idle;
	p->late_end = &p->late;
	if (ticket_token(p->token, e) < 0 || serve_it(p, e) < 0) {
		free(p->name);
		free(p);
		return -1;
	}
	pool_tick_start(p);
	*out = p;
	return 0;
}

static void drop_steps(struct pool_step *list)
{
	while (list->next != list) {
		struct pool_step *s = list->next;

		list->next = s->next;
		s->next->prev = list;
		pool_step_free(s);
	}
}

static void grace_over(void *arg)
{
	struct pool *p = arg;

	p->grace = NULL;
	p->is_deserted = true;
}

/* A worker between its answer and its next call is told when that comes; else it
 * would look for a dispatcher for as long as its patience lasts. */
static void tell_all(struct pool *p)
{
	bool any = false;

	for (struct pool_peer *w = p->peers.next; w != &p->peers; w = w->next) {
		pool_peer_retire(w);
		any |= !w->is_told && !w->is_plain;
	}
	if (!any)
		return;
	p->is_deserted = false;
	p->grace = loop_after(p->b.loop, GRACE_MS, grace_over, p);
	loop_run(p->b.loop, &p->is_deserted);
	loop_cancel(p->grace);
}

void pool_close(struct pool *p)
{
	if (!p)
		return;
	p->is_closing = true;
	loop_cancel(p->soon);
	p->soon = NULL;
	tell_all(p);
	pool_cas_close(p);
	serve_close(p->serve);
	pool_lease_close(p);
	drop_steps(&p->queue);
	drop_steps(&p->ended);
	pool_objects_close(p);
	explicit_bzero(p->token, sizeof p->token);
	free(p->name);
	free(p);
}

void pool_ticket(const struct pool *p, struct ticket *out)
{
	*out = (struct ticket){ .url = "" };
	serve_ticket(p->serve, out);
	snprintf(out->pool, sizeof out->pool, "%s", p->name);
}
