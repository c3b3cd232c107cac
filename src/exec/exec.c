/* exec.c - make these targets real: opening, wanting, ending
 *
 * A want is looked at, waits at its thunk's node, is placed once the result
 * is safe, and ends with one call.  pump.c moves it along.
 */
#include <stdlib.h>
#include <string.h>
#include "exec_internal.h"
#include "file.h"

/* For those that leave a checkpoint, beyond the grace that all have. */
enum { PATIENCE_MS = 30000 };

void exec_tell(struct exec *x, const struct exec_event *ev)
{
	if (x->o.event)
		x->o.event(x->o.arg, ev);
}

static void list_push(struct want_list *l, struct want_kept *w)
{
	w->next = NULL;
	*l->last = w;
	l->last = &w->next;
}

static struct want_kept *list_pop(struct want_list *l)
{
	struct want_kept *w = l->first;

	if (w) {
		l->first = w->next;
		if (!l->first)
			l->last = &l->first;
	}
	return w;
}

static void list_move(struct want_list *from, struct want_list *to)
{
	if (!from->first)
		return;
	*to->last = from->first;
	to->last = from->last;
	*from = (struct want_list){ .last = &from->first };
}

static void end_want(struct exec *x, struct want_kept *w, const struct err *e)
{
	x->n_wants--;
	if (w->w.done)
		w->w.done(w->w.arg, e);
	free(w);
}

void wants_end_failing(struct exec *x)
{
	struct want_kept *w;
	struct err e;

	while ((w = list_pop(&x->failing))) {
		const struct failure *f = w->node->failure;

		err_set(&e, ERR_FAILED, "%s: %s", f->label, f->text);
		end_want(x, w, &e);
	}
}

void wants_place_again(struct exec *x, struct want_kept *w)
{
	list_push(&x->known, w);
}

void exec_end_wants(struct exec *x, struct node *n)
{
	struct want_kept *w;

	while ((w = n->wants)) {
		n->wants = w->next;
		list_push(n->state == NODE_FAILED ? &x->failing : &x->known, w);
	}
}

/* A want's node is known now or later. */
static void attach(struct exec *x, struct want_kept *w)
{
	struct node *n = w->node;

	w->next = n->wants;
	n->wants = w;
	if (n->state == NODE_NEW)
		graph_load_later(x, n);
	else if (!node_is_open(n))
		graph_queue(x, n);
}

bool wants_look(struct exec *x)
{
	struct want_kept *w = list_pop(&x->wanted);
	struct err e;

	if (!w)
		return false;
	if (x->is_stopped) {
		err_set(&e, ERR_REFUSED, "stopped before it was made");
		end_want(x, w, &e);
		return true;
	}
	w->node = graph_node(x, &w->w.thunk);
	attach(x, w);
	return true;
}

/* 0 placed, 1 the node is made again first, 2 it is fetched first, -1. */
static int try_place(struct exec *x, struct want_kept *w, struct err *e)
{
	const struct placeholder ph = { w->w.thunk, w->w.out };
	struct store *s = x->o.store;
	const struct ref *ref = NULL;
	struct result r;
	struct id missing;
	struct err gone;

	if (store_get_result(s, &w->node->id, &x->scratch, &r, e) == 0) {
		ref = result_output(&r, w->w.out);
		if (!ref)
			return err_set(e, ERR_USAGE, "%.12s gives no output called %s",
				       id_hex(&w->w.thunk).s, w->w.out);
		if (w->w.path) {
			if (place_real(s, x->o.project, w->w.path, &ph, ref, &missing, e) == 0) {
				exec_flush_later(x);
				return 0;
			}
		} else if (store_has(s, &ref->id)) {
			return 0;
		} else {
			e->code = ERR_MISSING;
		}
	}
	if (e->code != ERR_MISSING)
		return -1;
	if (ref && away_fetch_want(x, w, ref))
		return 2;
	w->has_fetched = false;
	if (node_rewind(x, w->node, &gone) == 0)
		return 1;
	*e = gone;
	return -1;
}

/* Was it made again, after it had been safe? */
static bool is_unsafe(const struct exec *x, const struct node *n)
{
	return x->is_unflushed && n->is_held && n->state == NODE_DONE;
}

bool wants_place(struct exec *x)
{
	struct want_kept *w;
	struct err e;
	int rc = 1;

	if (!x->is_unflushed)
		list_move(&x->known, &x->placing);
	w = list_pop(&x->placing);
	if (!w)
		return false;
	if (is_unsafe(x, w->node)) {
		list_push(&x->known, w);
		return true;
	}
	if (w->node->state == NODE_DONE)
		rc = x->o.only_plans ? 0 : try_place(x, w, &e);
	if (rc == 1)
		attach(x, w);
	else if (rc <= 0)
		end_want(x, w, rc < 0 ? &e : NULL);
	return true;
}

void wants_end_placing(struct exec *x, const struct err *e)
{
	struct want_kept *w;

	list_move(&x->known, &x->placing);
	while ((w = list_pop(&x->placing)))
		end_want(x, w, e);
}

/* Nothing new may start and nothing runs: what is open ends here. */
void wants_give_up(struct exec *x)
{
	struct want_kept *first = away_give_up(x, !x->is_halted || x->is_stopped ||
					       x->broken.code), **last = &first, *w;
	struct err e;

	while (*last)
		last = &(*last)->next;
	for (size_t i = 0; i < x->order.n; i++) {
		struct node *n = x->order.v[i];

		if (!node_is_open(n) || !n->wants)
			continue;
		*last = n->wants;
		while (*last)
			last = &(*last)->next;
		n->wants = NULL;
	}
	graph_reset(x);
	if (x->broken.code)
		e = x->broken;
	else if (x->is_stopped)
		err_set(&e, ERR_REFUSED, "stopped before it was made");
	else
		err_set(&e, ERR_FAILED, "not made, because nothing more was started after "
			"\"%s\" had failed", x->halted_by->label);
	x->is_halted = x->broken.code != ERR_NONE;
	while ((w = first)) {
		first = w->next;
		end_want(x, w, &e);
	}
}

int exec_new(const struct exec_opts *o, struct exec **out, struct err *e)
{
	struct exec *x = mem_alloc(sizeof(*x));

	*x = (struct exec){ .o = *o };
	x->queue_end = &x->queue;
	x->wanted.last = &x->wanted.first;
	x->known.last = &x->known.first;
	x->placing.last = &x->placing.first;
	x->failing.last = &x->failing.first;
	if (!x->o.policy)
		x->o.policy = policies[0];
	x->other.name = "other";
	/* Only spreads waiting: it may be anything but 0. */
	x->random = loop_now_ms(o->loop) * 0x9e3779b97f4a7c15u | 1;
	if (sites_open(x, e) < 0) {
		arena_release(&x->keep);
		free(x);
		return -1;
	}
	*out = x;
	return 0;
}

static void free_wants(struct want_kept *w)
{
	for (struct want_kept *next; w; w = next) {
		next = w->next;
		free(w);
	}
}

void exec_free(struct exec *x)
{
	struct timer *timers[9];

	if (!x)
		return;
	free_wants(x->wanted.first);
	free_wants(x->failing.first);
	free_wants(x->known.first);
	free_wants(x->placing.first);
	away_close(x);
	x->known.first = x->placing.first = NULL;
	exec_flush(x);
	memcpy(timers, (struct timer *[]){ x->pump_timer, x->flush_timer, x->poll_timer,
					   x->grace_timer, x->rest_timer, x->demand_timer,
					   x->pause_timer, x->twice_timer, x->preempt_timer },
	       sizeof(timers));
	for (size_t i = 0; i < 9; i++)
		if (timers[i])
			loop_cancel(timers[i]);
	for (size_t i = 0; i < x->by_id.room; i++) {
		struct node *n = x->by_id.v[i];

		if (n)
			free_wants(n->wants);
		if (n && n->has_claim)
			exec_drop_claim(x, n);
	}
	sched_free_runs(x);
	sites_close(x);
	free(x->by_id.v);
	free(x->by_reduced.v);
	free(x->loads);
	free(x->order.v);
	free(x->paused);
	free(x->polling.v);
	free(x->held.v);
	map_release(&x->closures);
	free(x->elastic.v);
	free(x->training.v);
	map_release(&x->trainers);
	map_release(&x->fuses);
	map_release(&x->hosts);
	map_release(&x->shapes);
	buf_release(&x->text);
	arena_release(&x->scratch);
	arena_release(&x->keep);
	free(x);
}

int exec_want(struct exec *x, const struct want *w, struct err *e)
{
	size_t n_out, n_path;
	struct want_kept *k;
	char *strings;

	if (!w->out || !*w->out)
		return err_set(e, ERR_USAGE, "an output's name is needed");
	if (w->path && !path_is_plain(w->path))
		return err_set(e, ERR_REFUSED, "%s: not a path inside the project", w->path);
	n_out = strlen(w->out) + 1;
	n_path = w->path ? strlen(w->path) + 1 : 0;
	k = mem_alloc(sizeof(*k) + n_out + n_path);
	*k = (struct want_kept){ .w = *w };
	strings = (char *)(k + 1);
	k->w.out = memcpy(strings, w->out, n_out);
	if (w->path)
		k->w.path = memcpy(strings + n_out, w->path, n_path);
	list_push(&x->wanted, k);
	x->n_wants++;
	exec_pump_later(x);
	return 0;
}

static void grace_is_over(void *arg)
{
	struct exec *x = arg;

	x->grace_timer = NULL;
	sched_cancel_all(x);
	if (x->is_patient && x->n_running)
		x->grace_timer = loop_after(x->o.loop, PATIENCE_MS, grace_is_over, x);
	x->is_patient = false;
}

void exec_stop(struct exec *x, uint64_t grace_ms)
{
	x->is_stopped = true;
	x->is_patient = grace_ms && resume_stop_all(x);
	if (x->grace_timer)
		loop_cancel(x->grace_timer);
	x->grace_timer = NULL;
	if (x->n_running)
		x->grace_timer = loop_after(x->o.loop, grace_ms, grace_is_over, x);
	exec_pump_later(x);
}

bool exec_is_busy(const struct exec *x)
{
	return x->n_wants || x->n_running;
}

/* What is open takes what its shapes took before, less what has run of it,
 * spread over the cpus; no guess while most of it is of unknown shape. */
static double guess_remaining(const struct exec *x, uint64_t now_ms)
{
	double gone_s = ((double)x->n_linked * (double)now_ms -
			 (double)x->started_sum_ms) / 1000;
	double left_s = (x->work_s - gone_s) / sites_cpus(x);

	if (x->n_unknown * 2 > x->n_open)
		return 0;
	return left_s > 0 ? left_s : 0;
}

void exec_each_running(const struct exec *x,
		       bool (*fn)(void *arg, const struct exec_running *r), void *arg)
{
	uint64_t now = loop_now_ms(x->o.loop);

	for (const struct run *r = x->runs; r; r = r->next) {
		const struct exec_running one = { r->label, r->site->engine->uri,
						  (double)(now - r->started_ms) / 1e3,
						  company_size(r) };

		if (!fn(arg, &one))
			return;
	}
}

void exec_counts(struct exec *x, struct exec_counts *out)
{
	uint64_t now_ms = loop_now_ms(x->o.loop);

	*out = (struct exec_counts){
		.total = x->n_total, .waiting = x->n_open - x->n_running,
		.running = x->n_running, .forced = x->n_forced, .cached = x->n_cached,
		.remote = x->n_remote, .guessed = x->n_unknown,
		.failed = x->n_failed, .unrun = x->n_unrun,
		.remaining_s = guess_remaining(x, now_ms),
		.retried = x->n_retried, .duplicated = x->n_duplicated,
		.fused = x->n_fused, .companies = x->n_companies,
		.stopped = x->n_stopped,
	};
	if (x->runs) {
		out->oldest_running_s = (double)(now_ms - x->runs->started_ms) / 1000;
		out->oldest_label = x->runs->label;
	}
}

enum exec_stage exec_stage(const struct exec *x, const struct id *thunk)
{
	const struct node *n = graph_find(x, thunk);

	if (!n || n->state == NODE_NEW)
		return EXEC_UNMET;
	return n->state == NODE_DONE || n->state == NODE_FAILED ? EXEC_ENDED : EXEC_OPEN;
}

void exec_engine_counts(const struct exec *x, size_t engine, struct engine_counts *out)
{
	const struct site *s = &x->sites[engine];

	*out = (struct engine_counts){ s->n_running, s->n_ran, s->seconds, s->dollars };
}
