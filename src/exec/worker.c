/* worker.c - a request, step by step
 *
 * Each step goes the same way: is it one for this machine, are its inputs here
 * (what is not is fetched), does it run, what did it give.  What of all the
 * outputs is too large for the answer is put to the remotes at the end.  A step
 * runs as gg force would run it, by an engine for the project's root that the
 * request names.
 */
#include "worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker_private.h"

enum { MAX_BYTES = 4 << 20, INLINE_BYTES = 64 << 10 };

struct errand {
	struct worker *w;
	struct worker_call *call;
	struct arena arena;
	struct message_request q;
	struct message_report *reports;
	size_t i;                       /* the step that it is at */
	struct thunk thunk;
	struct job job;
	struct backend *backend;        /* while a step runs */
	struct depot *depot;            /* NULL: nowhere to fetch from */
	struct depot_fetch fetch;
	struct depot_push push;
	struct ids lacks;
	struct ref *refs;               /* of what is fetched or put */
	struct message_gather gather;   /* what the outputs hold */
	uint64_t since, began_ms;
	unsigned n_fetches;             /* of this step */
	bool wants_runtime;             /* what lacks are texts of its closure */
	bool is_cancelled, is_beginning, is_over;
	struct timer *timer;            /* that delivers */
	struct buf answer;
	struct errand *next, **at;
};

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

		if (r->status != RUN_OK)
			continue;
		r->status = RUN_UNREACHABLE;
		r->text = arena_printf(&x->arena, "its outputs cannot be put to a remote: %s",
				       e->text);
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

/* ---- one step's end */

static struct run_report *report(struct errand *x)
{
	return &x->reports[x->i].report;
}

/* The machinery's word instead of the step's. */
static void refuse(struct errand *x, enum run_status status, const struct err *why)
{
	struct run_report *r = report(x);

	r->status = status;
	r->text = arena_str(&x->arena, why->text);
}

static void copy_result(struct arena *a, struct result *r)
{
	struct result_out *v = arena_alloc(a, (r->n + 1) * sizeof *v);

	for (size_t i = 0; i < r->n; i++) {
		v[i] = r->v[i];
		v[i].name = arena_str(a, v[i].name);
		if (v[i].ref.out)
			v[i].ref.out = arena_str(a, v[i].ref.out);
	}
	r->v = v;
}

static void take_outputs(struct errand *x)
{
	size_t n_inside = x->gather.inside.n, n_outside = x->gather.n_outside;
	struct run_report *r = report(x);
	struct err e;

	for (size_t i = 0; i < r->result.n; i++)
		if (message_gather(&x->gather, &r->result.v[i].ref, &e) < 0) {
			err_wrap(&e, "output %s", r->result.v[i].name);
			refuse(x, RUN_CELL_FAILED, &e);
			return;
		}
	for (size_t i = n_inside; i < x->gather.inside.n; i++)
		cache_use(x->w, &x->gather.inside.v[i].id);
	for (size_t i = n_outside; i < x->gather.n_outside; i++)
		cache_use(x->w, &x->gather.outside[i]);
}

static void go_on(struct errand *x);

static void next_step(struct errand *x)
{
	x->i++;
	x->n_fetches = 0;
	x->lacks.n = 0;
	go_on(x);
}

static bool fetch(struct errand *x);

static void on_done(struct job *j, const struct run_report *r)
{
	struct errand *x = j->arg;
	struct run_report *copy = report(x);

	room_left(x->w, x->backend);
	x->backend = NULL;
	if (r->status == RUN_LOST_INPUT && !x->n_fetches && !x->is_cancelled) {
		ids_add(&x->lacks, &r->missing);
		if (fetch(x))
			return;
	}
	*copy = *r;
	copy_result(&x->arena, &copy->result);
	copy->log = arena_bytes(&x->arena, r->log);
	copy->text = r->text ? arena_str(&x->arena, r->text) : NULL;
	copy->undeclared = r->undeclared ? arena_str(&x->arena, r->undeclared) : NULL;
	copy->place = NULL;
	if (r->status == RUN_OK)
		take_outputs(x);
	next_step(x);
}

/* ---- what it needs */

static void find_lacking(struct errand *x, const struct id *id, bool is_tree, struct arena *a)
{
	struct worker *w = x->w;
	struct bytes b;
	struct tree t;
	struct err e;

	if (!cache_use(w, id)) {
		ids_add(&x->lacks, id);
		return;
	}
	if (!is_tree || store_get(w->o.store, id, a, &b, &e) < 0 ||
	    tree_decode(b, a, &t, &e) < 0)
		return;
	for (size_t i = 0; i < t.n; i++)
		if (t.v[i].kind != ENTRY_LINK)
			find_lacking(x, &t.v[i].id, t.v[i].kind == ENTRY_TREE, a);
}

static void refuse_lacking(struct errand *x, const struct id *missing)
{
	struct err e;

	if (x->wants_runtime) {
		err_set(&e, ERR_REFUSED, "the closure %.12s is not in this worker's image, and "
			"which files it has is not to be found here either: make an image of "
			"it (gg image), or name a remote (--remote)",
			id_hex(&x->thunk.runtime_id).s);
		refuse(x, RUN_NOT_STARTED, &e);
		return;
	}
	err_set(&e, ERR_MISSING, "the object %.12s is not on this worker, and no remote has "
		"it", id_hex(missing).s);
	refuse(x, RUN_LOST_INPUT, &e);
	report(x)->missing = *missing;
}

static void on_fetched(struct depot_fetch *f, const struct id *missing, const struct err *e)
{
	struct errand *x = f->arg;

	if (!e) {
		go_on(x);
		return;
	}
	if (e->code != ERR_MISSING)
		refuse(x, RUN_UNREACHABLE, e);
	else
		refuse_lacking(x, missing ? missing : &x->lacks.v[0]);
	next_step(x);
}

/* Bring what lacks: false if there is nowhere to ask. */
static bool fetch(struct errand *x)
{
	size_t n = x->lacks.n;

	if (!x->depot)
		return false;
	x->n_fetches++;
	x->refs = arena_alloc(&x->arena, (n + 1) * sizeof *x->refs);
	for (size_t i = 0; i < n; i++)
		x->refs[i] = (struct ref){ REF_VALUE, x->lacks.v[i], NULL };
	x->fetch = (struct depot_fetch){ .refs = x->refs, .n_refs = n, .done = on_fetched,
					 .arg = x };
	depot_fetch(x->depot, &x->fetch);
	return true;
}

/* 1 it is on its way, -1 it has failed. */
static int fetch_or_fail(struct errand *x)
{
	/* Each round brings one more level of trees. */
	if (x->n_fetches < 256 && fetch(x))
		return 1;
	refuse_lacking(x, &x->lacks.v[0]);
	return -1;
}

/* 0 all is here, 1 it is on its way, -1 it cannot run. */
static int make_ready(struct errand *x, const struct message_step *step)
{
	struct worker *w = x->w;
	struct arena a = { 0 };
	struct err e;
	int rc;

	x->lacks.n = 0;
	rc = runtime_check(w, step, &x->thunk, &x->lacks, &e);
	x->wants_runtime = rc > 0;
	if (rc > 0)
		return fetch_or_fail(x);
	if (rc < 0) {
		refuse(x, RUN_NOT_STARTED, &e);
		return -1;
	}
	for (size_t i = 0; i < x->thunk.n_in; i++)
		find_lacking(x, &x->thunk.in[i].ref.id,
			     x->thunk.in[i].ref.kind == REF_TREE, &a);
	arena_release(&a);
	return x->lacks.n ? fetch_or_fail(x) : 0;
}

/* ---- running */

static double shorter(double a, double b)
{
	return a > 0 && (b <= 0 || a < b) ? a : b;
}

static double seconds_left(const struct errand *x)
{
	double left;

	if (x->call->limit_s <= 0)
		return 0;
	left = x->call->limit_s -
		(double)(loop_now_ms(x->w->o.loop) - x->began_ms) / 1000;
	return left > 0.1 ? left : 0.1;
}

static int decode(struct errand *x, const struct message_step *step, struct err *e)
{
	if (thunk_decode(step->thunk, &x->arena, &x->thunk, e) < 0)
		return err_wrap(e, "thunk");
	return thunk_is_reduced(&x->thunk) ? 0 :
		err_set(e, ERR_BAD, "thunk: an input is another step's output still");
}

static int run(struct errand *x, const struct message_step *step, struct err *e)
{
	struct worker *w = x->w;

	if (room_find(w, x->q.root, &x->backend, e) < 0)
		return -1;
	x->job = (struct job){ .reduced = x->reports[x->i].step, .text = step->thunk,
			       .host = step->host, .is_watched = step->is_watched,
			       .timeout_s = shorter(step->timeout_s, seconds_left(x)),
			       .done = on_done, .arg = x };
	if (w->o.engine->start(x->backend, &x->job, e) == 0)
		return 0;
	room_left(w, x->backend);
	x->backend = NULL;
	return -1;
}

/* Begin the step at x->i, or go on with it: true if that is to be waited for. */
static bool begin_step(struct errand *x)
{
	const struct message_step *step = &x->q.steps[x->i];
	struct err e;
	int rc;

	if (x->is_cancelled || x->w->winds_up) {
		err_set(&e, ERR_RETRY, "the worker was asked to end before this step began");
		refuse(x, RUN_THROTTLED, &e);
		return false;
	}
	if (!x->n_fetches && decode(x, step, &e) < 0) {
		refuse(x, RUN_NOT_STARTED, &e);
		return false;
	}
	rc = make_ready(x, step);
	if (rc == 0 && (rc = run(x, step, &e)) < 0)
		refuse(x, RUN_CELL_FAILED, &e);
	return rc >= 0;
}

static void go_on(struct errand *x)
{
	while (x->i < x->q.n_steps) {
		size_t at = x->i;

		if (begin_step(x))
			return;
		x->n_fetches = 0;
		x->i = at + 1;
	}
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
		refuse(x, status, why);
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
	go_on(x);
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

void worker_cancel(struct worker *w, struct worker_call *c)
{
	struct errand *x = c->worker_data;

	if (!x || x->is_over)
		return;
	x->is_cancelled = true;
	if (x->backend)
		w->o.engine->cancel(x->backend, &x->job);
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
	bool is_done;
};

static void on_answer(struct worker_call *c, struct bytes answer)
{
	struct waiting *k = c->arg;

	buf_add(k->out, answer.p, answer.n);
	k->is_done = true;
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
	loop_run(w->o.loop, &k.is_done);
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
	memmove(l->v, l->v + n, (l->n - n) * sizeof *l->v);
	l->n -= n;
}

void worker_news_told(struct worker *w, const struct worker_news *told)
{
	forget_first(&w->added, told->n_added);
	forget_first(&w->dropped, told->n_dropped);
	forget_first(&w->closures, told->n_closures);
}
