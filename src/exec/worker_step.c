/* worker_step.c - one step of a request
 *
 * Each goes the same way: is it one for this machine, are its inputs here (what
 * is not is fetched), does it run, what did it give.
 *
 * Who takes a machine away sends SIGTERM to all that runs there, in any order.
 * A program that it ended has not failed, its worker is lost; one that ended so by
 * itself has.  Which it was shows in whether the worker hears of it, too.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "worker_private.h"

enum { HEARS_MS = 400 };

/* ---- its end */

static struct run_report *report(struct errand *x)
{
	return &x->reports[x->i].report;
}

/* The machinery's word instead of the step's. */
void errand_refuse(struct errand *x, enum run_status status, const struct err *why)
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

/* What stands for another's value is read at once where it comes to, and so it
 * travels inside, however large. */
static int take_output(struct errand *x, const struct ref *ref, struct err *e)
{
	bool takes_all = x->gather.takes_all;
	struct bytes text;
	int rc = ref->kind == REF_TREE ? 0 :
		store_get_tail(x->w->o.store, &ref->id, &x->arena, &text, e);

	if (rc < 0)
		return -1;
	x->gather.takes_all |= rc > 0;
	rc = message_gather(&x->gather, ref, e);
	x->gather.takes_all = takes_all;
	return rc;
}

static void take_outputs(struct errand *x)
{
	size_t n_inside = x->gather.inside.n, n_outside = x->gather.n_outside;
	struct run_report *r = report(x);
	struct err e;

	for (size_t i = 0; i < r->result.n; i++)
		if (take_output(x, &r->result.v[i].ref, &e) < 0) {
			err_wrap(&e, "output %s", r->result.v[i].name);
			errand_refuse(x, RUN_CELL_FAILED, &e);
			return;
		}
	for (size_t i = n_inside; i < x->gather.inside.n; i++)
		cache_use(x->w, &x->gather.inside.v[i].id);
	for (size_t i = n_outside; i < x->gather.n_outside; i++)
		cache_use(x->w, &x->gather.outside[i]);
}

static void next_step(struct errand *x)
{
	x->i++;
	x->n_fetches = 0;
	x->lacks.n = 0;
	errand_go_on(x);
}

static bool fetch(struct errand *x);

static bool is_cut_off(const struct worker *w)
{
	return w->stop && w->stop->is_urgent;
}

static void judge_signal(void *arg)
{
	struct errand *x = arg;
	struct err e;

	x->timer = NULL;
	if (worker_ends(x->w)) {
		err_set(&e, ERR_RETRY, "it was ended together with its worker, which was asked to "
			"go");
		errand_refuse(x, RUN_LOST_WORKER, &e);
	}
	next_step(x);
}

/* What it ran on is gone, as when its image is removed by force: then it did not
 * fail by itself, and the next would fail alike. */
static bool is_unfounded(struct errand *x, const struct run_report *r)
{
	const char *gone;
	struct err e;

	if ((r->status != RUN_EXITED && r->status != RUN_SIGNALED) || x->is_cancelled)
		return false;
	gone = runtime_lost(x->w, &x->thunk, &x->arena);
	if (!gone)
		return false;
	err_set(&e, ERR_RETRY, "%s, which it ran on, was removed from the worker's machine or "
		"image meanwhile", gone);
	errand_refuse(x, RUN_LOST_WORKER, &e);
	runtimes_doubt(x->w->runtimes);
	/* An image is not made whole again. */
	if (x->w->o.n_closures && x->w->stop && !x->w->stop->is_wanted)
		worker_stop(x->w->stop);
	return true;
}

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
	if (is_unfounded(x, r)) {
		next_step(x);
		return;
	}
	*copy = *r;
	copy_result(&x->arena, &copy->result);
	copy->log = arena_bytes(&x->arena, r->log);
	copy->text = r->text ? arena_str(&x->arena, r->text) : NULL;
	copy->undeclared = r->undeclared ? arena_str(&x->arena, r->undeclared) : NULL;
	copy->place = NULL;
	if (r->status == RUN_OK || r->status == RUN_STOPPED)
		take_outputs(x);
	if (r->status == RUN_SIGNALED && !x->is_cancelled &&
	    (r->code == SIGTERM || is_cut_off(x->w)))
		x->timer = loop_after(x->w->o.loop, worker_ends(x->w) ? 0 : HEARS_MS,
				      judge_signal, x);
	else
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
		errand_refuse(x, RUN_NOT_STARTED, &e);
		return;
	}
	err_set(&e, ERR_MISSING, "the object %.12s is not on this worker, and no remote has "
		"it", id_hex(missing).s);
	errand_refuse(x, RUN_LOST_INPUT, &e);
	report(x)->missing = *missing;
}

static void refuse_unreachable(struct errand *x, const struct err *why)
{
	const char *trouble = x->w->trouble;
	struct err e;

	err_set(&e, ERR_RETRY, "%.300s%s%s", why->text, *trouble ? "; its trouble with remotes: " :
		"", trouble);
	errand_refuse(x, RUN_UNREACHABLE, &e);
}

static void on_fetched(struct depot_fetch *f, const struct id *missing, const struct err *e)
{
	struct errand *x = f->arg;

	if (!e) {
		errand_go_on(x);
		return;
	}
	if (e->code != ERR_MISSING)
		refuse_unreachable(x, e);
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
		errand_refuse(x, RUN_NOT_STARTED, &e);
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

/* So long before the time is over it is asked to stop: what it leaves has to be
 * brought away as well. */
static double stop_after(double left_s)
{
	double margin = left_s / 10;

	margin = margin < 1 ? 1 : margin > 30 ? 30 : margin;
	return left_s > margin ? left_s - margin : left_s / 2;
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
	double left_s = seconds_left(x);
	struct worker *w = x->w;

	if (room_find(w, x->q.root, &x->backend, e) < 0)
		return -1;
	x->job = (struct job){ .reduced = x->reports[x->i].step, .text = step->thunk,
			       .host = step->host, .is_watched = step->is_watched,
			       .timeout_s = shorter(step->timeout_s, left_s),
			       .checkpoint = step->checkpoint, .needs.gpus = step->gpus,
			       .stop_s = left_s > 0 ? stop_after(left_s) : 0,
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

	if (x->is_cancelled || x->is_stopping || worker_ends(x->w)) {
		err_set(&e, ERR_RETRY, "%s was asked to end before this step began",
			x->is_stopping ? "it" : "the worker");
		errand_refuse(x, RUN_THROTTLED, &e);
		return false;
	}
	if (!x->n_fetches && decode(x, step, &e) < 0) {
		errand_refuse(x, RUN_NOT_STARTED, &e);
		return false;
	}
	rc = make_ready(x, step);
	if (rc == 0 && (rc = run(x, step, &e)) < 0)
		errand_refuse(x, RUN_CELL_FAILED, &e);
	return rc >= 0;
}

void errand_go_on(struct errand *x)
{
	while (x->i < x->q.n_steps) {
		size_t at = x->i;

		if (begin_step(x))
			return;
		x->n_fetches = 0;
		x->i = at + 1;
	}
	errand_end(x);
}
