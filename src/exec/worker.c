/* worker.c - a worker takes a request, does it and answers
 *
 * What it brings is kept, its steps run one after the other (worker_step.c), and
 * what these gave is the answer.
 * What of the outputs is too large for the answer is put to the remotes at the
 * end, of all steps at once.
 */
#include "worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker_private.h"

enum { MAX_BYTES = 4 << 20, INLINE_BYTES = 64 << 10 };

void worker_tell(struct worker *w, const char *fmt, ...)
{
	char text[1200];
	va_list ap;

	if (!w->o.notice)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	w->o.notice(w->o.notice_arg, text);
}

/* ---- the end of a request */

static void free_errand(struct errand *x)
{
	*x->at = x->next;
	if (x->next)
		x->next->at = x->at;
	loop_cancel(x->timer);
	message_gather_release(&x->gather);
	message_objects_release(&x->q.objects);
	buf_release(&x->answer);
	free(x->lacks.v);
	arena_release(&x->arena);
	free(x);
}

/* What running requests use stays. */
static void trim(struct worker *w, uint64_t max_bytes)
{
	uint64_t since = UINT64_MAX;

	for (struct errand *x = w->errands; x; x = x->next)
		if (x->since < since)
			since = x->since;
	cache_trim(w, max_bytes, since);
}

static void deliver(void *arg)
{
	struct errand *x = arg;
	struct worker *w = x->w;
	struct worker_call *call = x->call;
	struct buf answer = x->answer;

	x->answer = (struct buf){ 0 };
	x->timer = NULL;
	free_errand(x);
	if (w->o.cache_bytes && cache_bytes(w) > w->o.cache_bytes)
		trim(w, w->o.cache_bytes / 10 * 9);
	call->worker_data = NULL;
	call->done(call, buf_bytes(&answer));
	buf_release(&answer);
}

static void finish(struct errand *x)
{
	struct message_answer m = { .reports = x->reports, .n_reports = x->q.n_steps,
				    .objects = x->gather.inside,
				    .elsewhere = x->gather.outside,
				    .n_elsewhere = x->gather.n_outside,
				    .is_json = x->q.is_json };

	x->is_over = true;
	x->reports[0].report.is_cold = !x->w->has_answered;
	x->w->has_answered = true;
	message_put_answer(&m, &x->answer);
	if (x->is_beginning)
		x->timer = loop_after(x->w->o.loop, 0, deliver, x);
	else
		deliver(x);
}

/* Outputs that lie nowhere are no outputs. */
static void on_pushed(struct depot_push *p, const struct err *e)
{
	struct errand *x = p->arg;

	for (size_t i = 0; e && i < x->q.n_steps; i++) {
		struct run_report *r = &x->reports[i].report;

		if (r->status != RUN_OK && r->status != RUN_STOPPED)
			continue;
		r->status = RUN_UNREACHABLE;
		r->text = arena_printf(&x->arena, "its outputs cannot be put to a remote: %s",
				       e->text);
		r->result.n = 0;
	}
	if (e)
		x->gather.n_outside = 0;
	finish(x);
}

static void put_outside(struct errand *x)
{
	size_t n = x->gather.n_outside;

	x->refs = arena_alloc(&x->arena, (n + 1) * sizeof *x->refs);
	for (size_t i = 0; i < n; i++)
		x->refs[i] = (struct ref){ REF_VALUE, x->gather.outside[i], NULL };
	x->push = (struct depot_push){ .refs = x->refs, .n_refs = n, .done = on_pushed,
				       .arg = x };
	depot_push(x->depot, &x->push);
}

void errand_end(struct errand *x)
{
	if (x->gather.n_outside)
		put_outside(x);
	else
		finish(x);
}

/* ---- a request's beginning */

static uint64_t answer_room(const struct errand *x)
{
	uint64_t max = x->w->o.max_bytes ? x->w->o.max_bytes : MAX_BYTES;

	if (x->q.max_bytes && (x->q.max_bytes < max || !x->w->o.max_bytes))
		max = x->q.max_bytes;
	return x->q.is_json ? max / 3 * 2 : max;
}

/* When the disk is full, what is not needed now makes way. */
static int keep_objects(struct errand *x, struct err *e)
{
	struct worker *w = x->w;

	for (size_t i = 0; i < x->q.objects.n; i++) {
		const struct message_object *o = &x->q.objects.v[i];

		if (store_put_named(w->o.store, &o->id, o->bytes, e) < 0) {
			trim(w, cache_bytes(w) / 2);
			if (store_put_named(w->o.store, &o->id, o->bytes, e) < 0)
				return err_wrap(e, "this worker cannot keep what it is sent");
		}
		cache_use(w, &o->id);
	}
	return 0;
}

static void refuse_all(struct errand *x, enum run_status status, const struct err *why)
{
	for (x->i = 0; x->i < x->q.n_steps; x->i++)
		errand_refuse(x, status, why);
}

static void start(struct errand *x)
{
	struct worker *w = x->w;
	struct err e;

	x->reports = arena_alloc(&x->arena, x->q.n_steps * sizeof *x->reports);
	for (size_t i = 0; i < x->q.n_steps; i++)
		x->reports[i].step = id_of(x->q.steps[i].thunk);
	if (source_find(w, x->q.remotes, &x->depot, &e) < 0 || keep_objects(x, &e) < 0)
		refuse_all(x, RUN_CELL_FAILED, &e);
	x->gather = (struct message_gather){ .store = w->o.store, .arena = &x->arena,
					     .each_max = INLINE_BYTES,
					     .takes_all = !x->depot };
	x->gather.all_max = answer_room(x);
	errand_go_on(x);
}

int worker_begin(struct worker *w, struct worker_call *c, struct err *e)
{
	struct errand *x = memset(mem_alloc(sizeof *x), 0, sizeof *x);

	if (message_read_request(c->request, &x->arena, &x->q, e) < 0) {
		arena_release(&x->arena);
		free(x);
		return -1;
	}
	x->w = w;
	x->call = c;
	x->since = w->clock + 1;
	x->began_ms = loop_now_ms(w->o.loop);
	c->worker_data = x;
	x->next = w->errands;
	x->at = &w->errands;
	if (x->next)
		x->next->at = &x->next;
	w->errands = x;
	x->is_beginning = true;
	start(x);
	x->is_beginning = false;
	return 0;
}

/* What runs is ended; whether it was wanted still is another matter. */
static void end_step(struct worker *w, struct worker_call *c)
{
	struct errand *x = c->worker_data;

	if (x && !x->is_over && x->backend)
		w->o.engine->cancel(x->backend, &x->job);
}

void worker_call_stop(struct worker *w, struct worker_call *c)
{
	struct errand *x = c->worker_data;

	if (!x || x->is_over || x->is_stopping)
		return;
	x->is_stopping = true;
	if (x->backend && x->job.checkpoint && w->o.engine->stop)
		w->o.engine->stop(x->backend, &x->job);
}

void worker_cancel(struct worker *w, struct worker_call *c)
{
	struct errand *x = c->worker_data;

	if (!x || x->is_over)
		return;
	x->is_cancelled = true;
	end_step(w, c);
}

void worker_wind_up(struct worker *w)
{
	w->winds_up = true;
}

void worker_tend(struct worker *w)
{
	room_tend(w);
}

/* ---- one at a time */

struct waiting {
	struct buf *out;
	bool is_done, wakes;
};

static void on_answer(struct worker_call *c, struct bytes answer)
{
	struct waiting *k = c->arg;

	buf_add(k->out, answer.p, answer.n);
	k->is_done = k->wakes = true;
}

int worker_do(struct worker *w, struct bytes request, double limit_s, struct buf *out,
	      struct err *e)
{
	struct waiting k = { .out = out };
	struct worker_call c = { .request = request, .limit_s = limit_s, .done = on_answer,
				 .arg = &k };

	worker_tend(w);
	if (worker_begin(w, &c, e) < 0)
		return -1;
	if (w->stop)
		w->stop->wait_is_over = &k.wakes;
	while (!k.is_done) {
		loop_run(w->o.loop, &k.wakes);
		k.wakes = false;
		if (w->stop && w->stop->is_wanted)
			worker_call_stop(w, &c);
		if (w->stop && w->stop->is_urgent)
			end_step(w, &c);
	}
	if (w->stop)
		w->stop->wait_is_over = NULL;
	return 0;
}

/* ---- the whole */

struct worker *worker_new(const struct worker_opts *o)
{
	struct worker *w = memset(mem_alloc(sizeof *w), 0, sizeof *w);

	w->o = *o;
	w->runtimes = runtimes_new(w);
	cache_new(w);
	return w;
}

/* First what could call back about them. */
void worker_abandon(struct worker *w)
{
	room_free(w);
	sources_free(w);
	while (w->errands)
		free_errand(w->errands);
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	worker_abandon(w);
	cache_free(w->cache);
	runtimes_free(w->runtimes);
	free(w->added.v);
	free(w->dropped.v);
	free(w->closures.v);
	free(w);
}

void worker_news(struct worker *w, struct worker_news *out)
{
	*out = (struct worker_news){
		.added = w->added.v, .n_added = w->added.n,
		.dropped = w->dropped.v, .n_dropped = w->dropped.n,
		.closures = w->closures.v, .n_closures = w->closures.n,
	};
}

static void forget_first(struct ids *l, size_t n)
{
	if (n)
		memmove(l->v, l->v + n, (l->n - n) * sizeof *l->v);
	l->n -= n;
}

void worker_news_told(struct worker *w, const struct worker_news *told)
{
	forget_first(&w->added, told->n_added);
	forget_first(&w->dropped, told->n_dropped);
	forget_first(&w->closures, told->n_closures);
}
