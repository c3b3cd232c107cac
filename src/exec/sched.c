/* sched.c - a thunk is started on an engine, and what follows when it ends well
 *
 * A run belongs to its node and to the site it is on.  What follows when it
 * ends badly is in after.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "closure.h"
#include "exec_internal.h"

enum { LABEL_WIDTH = 120 };

void run_free(struct run *r)
{
	company_free(r);
	arena_release(&r->arena);
	free(r);
}

static void run_link(struct exec *x, struct run *r)
{
	struct site *s = r->site;

	r->prev = x->last_run;
	*(r->prev ? &r->prev->next : &x->runs) = r;
	x->last_run = r;
	room_add(&s->used, &r->needs);
	s->n_running++;
	x->n_linked++;
	x->n_running += r->node->n_runs++ == 0;
	x->started_sum_ms += r->started_ms;
	flotilla_starts(x, r->node, s);
}

void run_counts_no_more(struct exec *x, struct run *r)
{
	x->n_running -= --r->node->n_runs == 0;
}

static void run_unlink(struct exec *x, struct run *r)
{
	struct site *s = r->site;

	*(r->prev ? &r->prev->next : &x->runs) = r->next;
	*(r->next ? &r->next->prev : &x->last_run) = r->prev;
	room_take(&s->used, &r->needs);
	flotilla_ends(x, r->node);
	s->n_running--;
	x->n_linked--;
	if (!r->is_beaten)
		run_counts_no_more(x, r);
	x->started_sum_ms -= r->started_ms;
	/* Sums of fractions drift; with nothing running the truth is known. */
	if (!s->n_running && !s->n_holding)
		s->used = (struct room){ 0 };
}

static int read_tail(struct exec *x, const struct node *n, struct ref *ref, struct err *e)
{
	struct hints h = { .cpus = n->cpus, .gpus_most = n->gpus_most,
			   .gpus = n->gpus_most ? (float)n->gpus_least : n->gpus,
			   .time_s = n->timeout_s,
			   .mem_bytes = n->mem_is_guess ? 0 : (uint64_t)n->mem_mib << 20,
			   .disk_bytes = (uint64_t)n->disk_mib << 20,
			   .priority = n->priority, .is_watched = n->is_watched };

	/* What rests elsewhere is large, and tails are not. */
	if (x->o.depot && !store_has(x->o.store, &ref->id) &&
	    depot_knows(x->o.depot, &ref->id))
		return 0;
	return tail_follow(x->o.store, ref, &h, &x->scratch, e);
}

static void ended_well(struct exec *x, struct run *r, const struct run_report *rep)
{
	struct node *n = r->node;
	const struct run_report all = resume_whole(x, r, rep);
	struct exec_event ev = { .kind = EXEC_DONE, .thunk = &n->id, .label = r->label,
				 .log = all.log, .seconds = all.seconds,
				 .is_watched = r->job.is_watched, .is_hushed = n->is_hushed };
	size_t n_bytes = rep->result.n * sizeof(struct result_out);
	struct result given = { arena_alloc(&x->scratch, n_bytes), rep->result.n };
	struct sample took;
	struct err e;

	profile_observe(x, r, &all, &took);
	profile_learn(x, n->shape, &took);
	flotilla_learn(r, took.seconds);
	twice_won(x, r, &rep->result);
	for (size_t i = 0; i < given.n; i++) {
		given.v[i] = rep->result.v[i];
		if (given.v[i].ref.kind != REF_TREE && given.v[i].ref.kind != REF_THUNK &&
		    read_tail(x, n, &given.v[i].ref, &e) < 0) {
			err_wrap(&e, "output %s", given.v[i].name);
			node_fail(x, n, r->label, rep->log, &e);
			return;
		}
	}
	n->ran = true;
	resume_done(x, n);
	exec_tell(x, &ev);
	exec_hold(x, n);
	node_gave(x, n, &given, true);
}

void sched_ended(struct exec *x, struct run *r, const struct run_report *rep)
{
	if (r->is_beaten)
		twice_lost(x, r, rep);
	else if (rep->status == RUN_OK)
		ended_well(x, r, rep);
	else
		after_failure(x, r, rep);
}

static void job_done(struct job *j, const struct run_report *told)
{
	struct run *r = (struct run *)j;
	struct exec *x = r->x;
	const struct run_report charged = site_charged(r->site, j, told), *rep = &charged;

	run_unlink(x, r);
	arena_reset(&x->scratch);
	site_ended(x, r->site, rep);
	if (!r->is_beaten)
		after_blame(x, r->site, rep);
	if (r->company) {
		company_done(x, r, rep);
	} else {
		exec_tell(x, &(struct exec_event){
			.kind = EXEC_RAN, .thunk = &r->node->id, .label = r->label,
			.report = rep, .engine = r->site->engine->uri,
			.is_second = r->is_second });
		sched_ended(x, r, rep);
	}
	run_free(r);
	exec_pump(x);
}

static void job_printed(struct job *j, uint64_t at, struct bytes text)
{
	struct run *r = (struct run *)j;

	exec_tell(r->x, &(struct exec_event){
		.kind = EXEC_PRINTED, .thunk = &r->node->id, .label = r->label, .log = text,
		.log_at = at, .engine = r->site->engine->uri, .is_second = r->is_second });
}

/* Does this machine hold the closure?  Asked once.  Cells read its texts from
 * the store by themselves, so that they have to be safe there. */
static int check_closure(struct exec *x, const struct id *closure, struct err *e)
{
	const struct err *known = map_get(&x->closures, id_key(closure));
	struct err *k;

	if (!known) {
		struct bytes key = arena_bytes(&x->keep, id_key(closure));

		k = arena_alloc(&x->keep, sizeof *k);
		if ((x->o.is_hermetic || closure_check(x->o.store, closure, k) == 0) &&
		    store_flush(x->o.store, k) == 0)
			k->code = ERR_NONE;
		*map_at(&x->closures, key) = k;
		known = k;
	}
	if (!known->code)
		return 0;
	*e = *known;
	return -1;
}

int exec_runtime_is_here(struct exec *x, const struct thunk *t, struct err *e)
{
	if (t->runtime == RUNTIME_CLOSURE)
		return check_closure(x, &t->runtime_id, e);
	if (!x->o.is_hermetic)
		return 0;
	return err_set(e, ERR_REFUSED, "it has no closure and cannot run with --hermetic: let "
		       "gg learn it, or give its model a `uses` line");
}

int exec_runtime_host(struct exec *x, const struct thunk *t, struct bytes *host,
		      struct err *e)
{
	const struct bytes *known;
	struct bytes *kept;

	*host = (struct bytes){ 0 };
	if (t->runtime != RUNTIME_HOST)
		return 0;
	known = map_get(&x->hosts, id_key(&t->runtime_id));
	if (known) {
		*host = *known;
		return 0;
	}
	if (store_get(x->o.store, &t->runtime_id, &x->keep, host, e) == 0) {
		kept = arena_alloc(&x->keep, sizeof *kept);
		*kept = *host;
		*map_at(&x->hosts, arena_bytes(&x->keep, id_key(&t->runtime_id))) = kept;
		return 0;
	}
	if (e->code == ERR_MISSING)
		err_set(e, ERR_MISSING, "its runtime, host %.12s, is not in the store; infer it "
			"again", id_hex(&t->runtime_id).s);
	return -1;
}

/* It did not start.  An engine that is busy costs the node nothing, and one
 * that refuses it leaves it to the others. */
static void not_started(struct exec *x, struct run *r, const struct err *e)
{
	struct run_report rep = { .status = RUN_CELL_FAILED, .text = e->text };
	struct node *n = r->node;
	uint32_t others = n->sites & ~site_bit(x, r->site);

	if (e->code == ERR_RETRY)
		rep.status = RUN_THROTTLED;
	else if (e->code == ERR_BAD || e->code == ERR_REFUSED)
		rep.status = RUN_NOT_STARTED;
	if (e->code == ERR_REFUSED && others) {
		n->sites = others;
		if (!n->n_runs)
			sched_ready(x, n);
	} else {
		after_blame(x, r->site, &rep);
		after_failure(x, r, &rep);
	}
	run_free(r);
}

static void launch(struct exec *x, struct run *r)
{
	const struct engine *en = r->site->engine;
	struct exec_event ev = { .kind = EXEC_STARTED, .thunk = &r->node->id,
				 .label = r->label, .engine = en->uri,
				 .is_second = r->is_second,
				 .continues = r->continues };
	struct err e;

	r->started_ms = loop_now_ms(x->o.loop);
	r->node->state = NODE_RUNNING;
	if (en->ops->start(en->backend, &r->job, &e) < 0) {
		company_not_started(x, r);
		not_started(x, r, &e);
		return;
	}
	run_link(x, r);
	twice_watch(x);
	exec_tell(x, &ev);
	company_starts(x, r);
}

void sched_start_second(struct exec *x, const struct run *late, struct site *site)
{
	struct run *r = mem_alloc(sizeof(*r));

	*r = (struct run){ .x = x, .node = late->node, .site = site, .needs = late->needs,
			   .is_second = true, .job = late->job };
	r->label = arena_str(&r->arena, late->label);
	r->job.text = arena_bytes(&r->arena, late->job.text);
	if (late->job.checkpoint)
		r->job.checkpoint = arena_str(&r->arena, late->job.checkpoint);
	r->continues = late->continues;
	r->timeout_is_guess = late->timeout_is_guess;
	r->from = late->from;
	r->in_bytes = late->in_bytes;
	r->job.backend_data = NULL;
	r->job.arg = r;
	x->n_duplicated++;
	launch(x, r);
}

/* Claim n, and look once more whether another process was first. */
static int claim(struct exec *x, struct node *n, struct err *e)
{
	struct result r;
	int rc = n->has_claim ? 1 : store_claim(x->o.store, &n->reduced, e);

	if (rc < 0)
		return -1;
	if (rc == 0) {
		exec_poll_later(x, n);
		return 0;
	}
	n->has_claim = true;
	rc = node_look(x, n, &n->reduced, &r, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return 1;
	if (!n->is_held)
		exec_drop_claim(x, n);
	node_gave(x, n, &r, false);
	return 0;
}

struct run *sched_prepare(struct exec *x, struct node *n, struct site *site)
{
	struct run *r = mem_alloc(sizeof(*r));
	struct reduced red;
	struct err e;
	int rc;

	*r = (struct run){ .x = x, .node = n, .site = site, .needs = node_needs(n) };
	rc = node_reduced(x, n, &r->arena, &red, &e);
	if (rc > 0 && !id_equal(&red.id, &n->reduced)) {
		/* An input was made again meanwhile and differs. */
		n->state = NODE_WAITING;
		n->why = WAIT_INPUTS;
		graph_queue(x, n);
		rc = 0;
	}
	if (rc > 0 && away_fetch_inputs(x, n, &red.thunk, site))
		rc = 0;
	if (rc > 0)
		rc = claim(x, n, &e);
	if (rc > 0) {
		r->label = thunk_label(&red.thunk, &r->arena, LABEL_WIDTH);
		r->job = (struct job){ .reduced = red.id, .text = red.text,
				       .needs = r->needs, .done = job_done,
				       .printed = job_printed, .arg = r,
				       .timeout_s = n->timeout_s > 0 ? (double)n->timeout_s :
						    x->o.timeout_s,
				       .is_watched = n->is_watched };
		r->weight = defaults_weight(&red.thunk);
		r->in_bytes = profile_in_bytes(x, &red.thunk);
		profile_expect(n, &r->job);
		if (r->job.timeout_s <= 0) {
			r->job.timeout_s = defaults_timeout(x, r, &red.thunk);
			r->timeout_is_guess = r->job.timeout_s > 0;
		}
		if (exec_runtime_host(x, &red.thunk, &r->job.host, &e) == 0)
			return r;
		rc = -1;
	}
	if (rc < 0)
		node_fail(x, n, r->label, (struct bytes){ 0 }, &e);
	run_free(r);
	return NULL;
}

void sched_start(struct exec *x)
{
	struct site *site;
	struct node *n;
	struct run *r;

	if (!x->o.only_plans && !x->is_halted && !x->is_stopped)
		flotilla_form(x);
	while (!x->o.only_plans && !x->is_halted && !x->is_stopped && (n = sched_pick(x, &site))) {
		arena_reset(&x->scratch);
		r = sched_prepare(x, n, site);
		if (!r)
			continue;
		company_gather(x, r);
		aside_prepare(x, r);
		if (r->company || resume_prepare(x, r))
			launch(x, r);
		else
			run_free(r);
	}
	preempt_watch(x);
}

void sched_cancel_all(struct exec *x)
{
	for (struct run *r = x->runs, *next; r; r = next) {
		const struct engine *en = r->site->engine;

		next = r->next;
		if (r->is_beaten || (x->is_patient && r->is_asked))
			continue;
		en->ops->cancel(en->backend, &r->job);
	}
}

void sched_free_runs(struct exec *x)
{
	for (struct run *r = x->runs, *next; r; r = next) {
		next = r->next;
		run_free(r);
	}
}
