/* node.c - the life of one thunk, from wanted to known or failed
 *
 * A node does one thing whenever it waits for nothing more: reduce itself, or
 * take over what its twin or the thunk that it returned came to.  Whatever
 * gives a result goes through node_gave, whatever fails through node_fail.
 */
#include <math.h>
#include <string.h>
#include "exec_internal.h"

int node_thunk(struct exec *x, const struct node *n, struct arena *a,
	       struct thunk *out, struct bytes *text, struct err *e)
{
	if (store_get(x->o.store, &n->id, a, text, e) < 0) {
		if (e->code != ERR_MISSING)
			return err_wrap(e, "thunk %.12s", id_hex(&n->id).s);
		return err_set(e, ERR_MISSING, "thunk %.12s is not in the store; run the "
			       "command that made it under gg infer again", id_hex(&n->id).s);
	}
	if (thunk_decode(*text, a, out, e) < 0)
		return err_wrap(e, "thunk %.12s", id_hex(&n->id).s);
	return 0;
}

const char *node_label(struct exec *x, const struct node *n, struct arena *a,
		       size_t width)
{
	struct arena scratch = { 0 };
	struct thunk t;
	struct bytes text;
	const char *label;
	struct err e;

	if (node_thunk(x, n, &scratch, &t, &text, &e) == 0)
		label = thunk_label(&t, a, width);
	else
		label = arena_printf(a, "thunk %.12s", id_hex(&n->id).s);
	arena_release(&scratch);
	return label;
}

int node_look(struct exec *x, struct node *n, const struct id *id,
	      struct result *r, struct err *e)
{
	if (store_get_result(x->o.store, id, &x->scratch, r, e) < 0)
		/* A result that cannot be read is made again. */
		return e->code == ERR_MISSING || e->code == ERR_BAD ? 0 : -1;
	if (!n->is_rewound || result_is_whole(x, r))
		return 1;
	if (store_table_delete(x->o.store, TABLE_RESULT, id_key(id), e) < 0 &&
	    e->code != ERR_MISSING)
		return -1;
	return 0;
}

/* n is open no more. */
static void node_close(struct exec *x, struct node *n, enum node_state state)
{
	n->state = state;
	x->n_open--;
	profile_close(x, n);
	if (n->has_claim && !n->is_held)
		exec_drop_claim(x, n);
	graph_queue(x, n);
}

static void node_done(struct exec *x, struct node *n, const struct result *r)
{
	struct exec_event ev = { .kind = EXEC_CACHED, .thunk = &n->id };

	node_close(x, n, NODE_DONE);
	if (n->ran) {
		x->n_forced++;
		away_publish(x, n, r);
		return;
	}
	x->n_cached++;
	x->n_remote += n->is_remote;
	exec_tell(x, &ev);
}

void node_fail_as(struct exec *x, struct node *n, struct exec_event *told,
		  const struct err *e)
{
	struct failure *f = arena_alloc(&x->keep, sizeof(*f));

	f->cause = n->id;
	f->label = told->label ? arena_str(&x->keep, told->label) :
		node_label(x, n, &x->keep, 120);
	f->text = arena_str(&x->keep, e->text);
	n->failure = f;
	x->n_failed++;
	if (!x->o.keeps_going && !x->is_halted && !told->asks_more) {
		x->is_halted = true;
		x->halted_by = f;
	}
	node_close(x, n, NODE_FAILED);
	told->kind = EXEC_FAILED;
	told->thunk = &n->id;
	told->cause = &f->cause;
	told->label = f->label;
	told->text = f->text;
	exec_tell(x, told);
}

void node_fail(struct exec *x, struct node *n, const char *label, struct bytes log,
	       const struct err *e)
{
	struct exec_event told = { .label = label, .log = log };

	node_fail_as(x, n, &told, e);
}

void node_fail_above(struct exec *x, struct node *n, const struct failure *f)
{
	struct exec_event ev = { .kind = EXEC_FAILED, .thunk = &n->id, .cause = &f->cause };

	n->failure = f;
	x->n_unrun++;
	node_close(x, n, NODE_FAILED);
	ev.label = node_label(x, n, &x->scratch, 120);
	ev.text = arena_printf(&x->scratch, "it needs \"%s\", which failed", f->label);
	exec_tell(x, &ev);
}

/* The results of n are put; those that are tails make it wait. */
static void adopt(struct exec *x, struct node *n, const struct result *r)
{
	bool has_tail = false;

	n->state = NODE_WAITING;
	n->why = WAIT_TAIL;
	n->n_waits_for = 0;
	for (size_t i = 0; i < r->n; i++) {
		struct node *dep;

		if (r->v[i].ref.kind != REF_THUNK)
			continue;
		has_tail = true;
		dep = graph_node(x, &r->v[i].ref.id);
		if (!graph_wait(x, n, dep)) {
			node_fail_above(x, n, dep->failure);
			return;
		}
	}
	if (!has_tail)
		node_done(x, n, r);
	else if (!n->n_waits_for)
		graph_queue(x, n);
}

void node_gave(struct exec *x, struct node *n, struct result *r, bool put_reduced)
{
	bool differs = !id_is_zero(&n->reduced) && !id_equal(&n->reduced, &n->id);
	struct err e;
	int rc = 0;

	if (put_reduced && differs)
		rc = store_put_result(x->o.store, &n->reduced, r, &e);
	if (rc == 0 && (put_reduced || differs))
		rc = store_put_result(x->o.store, &n->id, r, &e);
	if (rc < 0)
		node_fail(x, n, NULL, (struct bytes){ 0 }, &e);
	else
		adopt(x, n, r);
}

static uint32_t whole_mib(uint64_t bytes)
{
	uint64_t mib = (bytes >> 20) + (bytes % (1 << 20) != 0);

	return mib < UINT32_MAX ? (uint32_t)mib : UINT32_MAX;
}

static void read_hints(struct exec *x, struct node *n)
{
	struct hints h = { 0 };
	struct err e;

	if (hints_get(x->o.store, &n->id, &x->scratch, &h, &e) < 0)
		h = (struct hints){ 0 };
	n->cpus = h.cpus > 0 ? (float)h.cpus : 1;
	n->gpus = h.gpus > 0 ? (float)h.gpus : 0;
	n->timeout_s = h.time_s > 0 ? (float)h.time_s : 0;
	n->mem_mib = whole_mib(h.mem_bytes);
	n->disk_mib = whole_mib(h.disk_bytes);
	n->priority = h.priority;
	n->is_watched = h.is_watched;
	n->gpus_least = h.gpus_most ? (uint8_t)n->gpus : 0;
	n->gpus_most = (uint8_t)h.gpus_most;
	n->fuse = h.fuse && x->o.fuses ? company_words(x, h.fuse) : NULL;
	n->has_aside = h.n_aside > 0;
	n->is_hushed = h.is_hushed;
	n->is_resumable = h.resume != NULL;
}

/* Nobody knows what n gives: what it needs is loaded. */
static void load_inputs(struct exec *x, struct node *n)
{
	struct thunk t;
	struct bytes text;
	struct err e;

	if (node_thunk(x, n, &x->scratch, &t, &text, &e) < 0) {
		node_fail(x, n, NULL, (struct bytes){ 0 }, &e);
		return;
	}
	read_hints(x, n);
	n->shape = profile_shape(x, &t);
	flotilla_look(x, n, &t);
	profile_open(x, n);
	if (profile_is_sized(n->shape))
		profile_size(x, n, &t);
	defaults_memory(x, n, &t, text);
	if (!n->mem_is_guess && sites_accept(x, n, &t, text, &e) < 0) {
		node_fail(x, n, NULL, (struct bytes){ 0 }, &e);
		return;
	}
	for (size_t i = 0; i < t.n_in; i++) {
		struct node *dep;

		if (t.in[i].ref.kind != REF_THUNK)
			continue;
		dep = graph_node(x, &t.in[i].ref.id);
		if (!graph_wait(x, n, dep)) {
			node_fail_above(x, n, dep->failure);
			return;
		}
	}
	if (!n->n_waits_for)
		graph_queue(x, n);
}

void node_load(struct exec *x, struct node *n)
{
	struct result r;
	struct err e;
	int found;

	n->state = NODE_WAITING;
	n->why = WAIT_INPUTS;
	n->n_waits_for = 0;
	x->n_open++;
	x->n_total += !n->is_counted;
	n->is_counted = true;
	found = node_look(x, n, &n->id, &r, &e);
	if (found > 0) {
		adopt(x, n, &r);
		return;
	}
	if (found < 0)
		node_fail(x, n, NULL, (struct bytes){ 0 }, &e);
	else if (!away_ask(x, n, &n->id))
		load_inputs(x, n);
}

void node_go_on(struct exec *x, struct node *n)
{
	n->state = NODE_WAITING;
	n->why = WAIT_INPUTS;
	if (n->shape) {
		/* It was asked for as reduced. */
		n->is_asked = true;
		graph_queue(x, n);
		return;
	}
	graph_load_below(x, n);
	load_inputs(x, n);
}

/* What output `out` of dep came to: 1, 0 when dep must be waited for. */
static int value_of(struct exec *x, struct node *dep, const char *out,
		    struct arena *a, struct ref *value, struct err *e)
{
	struct result r;
	const struct ref *found;

	if (dep->state != NODE_DONE)
		return 0;
	if (store_get_result(x->o.store, &dep->id, a, &r, e) < 0) {
		if (e->code != ERR_MISSING && e->code != ERR_BAD)
			return -1;
		return node_rewind(x, dep, e);
	}
	found = result_output(&r, out);
	if (!found)
		return err_set(e, ERR_BAD, "output %s of \"%s\" is needed, but it gives "
			       "none of that name", out, node_label(x, dep, a, 120));
	*value = *found;
	/* Somebody else put it again and its tail is not known yet. */
	return found->kind == REF_THUNK ? node_rewind(x, dep, e) : 1;
}

int node_reduced(struct exec *x, struct node *n, struct arena *a,
		 struct reduced *out, struct err *e)
{
	bool differs = false;

	if (node_thunk(x, n, a, &out->thunk, &out->text, e) < 0)
		return -1;
	n->n_waits_for = 0;
	for (size_t i = 0; i < out->thunk.n_in; i++) {
		struct ref *ref = &out->thunk.in[i].ref;
		struct node *dep;
		int rc;

		if (ref->kind != REF_THUNK)
			continue;
		differs = true;
		dep = graph_node(x, &ref->id);
		rc = value_of(x, dep, ref->out, a, ref, e);
		if (rc < 0)
			return -1;
		if (rc > 0)
			continue;
		n->state = NODE_WAITING;
		n->why = WAIT_INPUTS;
		if (!graph_wait(x, n, dep)) {
			node_fail_above(x, n, dep->failure);
			return 0;
		}
	}
	if (n->n_waits_for)
		return 0;
	out->id = n->id;
	if (!differs)
		return 1;
	buf_reset(&x->text);
	if (thunk_encode(&out->thunk, &x->text, e) < 0)
		return -1;
	out->text = arena_bytes(a, buf_bytes(&x->text));
	out->id = id_of(out->text);
	return 1;
}

/* The inputs are known: take a known result, wait for a twin, or get ready. */
static void reduce(struct exec *x, struct node *n)
{
	struct reduced red;
	struct result r;
	struct node *lead;
	struct err e;
	int rc = node_reduced(x, n, &x->scratch, &red, &e);

	if (rc == 0)
		return;
	if (rc > 0 && !id_equal(&red.id, &n->reduced)) {
		if (n->has_claim && !n->is_held)
			exec_drop_claim(x, n);
		n->reduced = red.id;
		n->is_asked = false;
	}
	if (rc > 0 && !id_equal(&red.id, &n->id))
		rc = node_look(x, n, &red.id, &r, &e) * 2;
	if (rc < 0) {
		node_fail(x, n, NULL, (struct bytes){ 0 }, &e);
		return;
	}
	if (rc == 2) {
		node_gave(x, n, &r, false);
		return;
	}
	if (!n->is_asked && !id_equal(&red.id, &n->id) && away_ask(x, n, &n->reduced))
		return;
	if (sites_check_runtime(x, n, &red.thunk, &e) < 0) {
		node_fail(x, n, NULL, (struct bytes){ 0 }, &e);
		return;
	}
	if (profile_is_sized(n->shape))
		profile_size(x, n, &red.thunk);
	lead = graph_leader(x, &n->reduced);
	if (!lead || lead == n || !(node_is_open(lead) || lead->state == NODE_FAILED)) {
		graph_lead(x, n);
		company_look(x, n, &red.thunk);
		sched_ready(x, n);
		return;
	}
	n->why = WAIT_TWIN;
	if (!graph_wait(x, n, lead))
		node_fail_above(x, n, lead->failure);
}

/* Every thunk that n returned is known: what they gave is what n gave. */
static void take_tail(struct exec *x, struct node *n)
{
	struct result r;
	struct err e;
	int rc = store_get_result(x->o.store, &n->id, &x->scratch, &r, &e);

	for (size_t i = 0; rc == 0 && i < r.n; i++) {
		struct ref *ref = &r.v[i].ref;
		struct node *dep;

		if (ref->kind != REF_THUNK)
			continue;
		dep = graph_node(x, &ref->id);
		rc = value_of(x, dep, ref->out, &x->scratch, ref, &e);
		if (rc == 0 && !graph_wait(x, n, dep)) {
			node_fail_above(x, n, dep->failure);
			return;
		}
		rc = rc < 0 ? -1 : 0;
		if (rc == 0 && !n->n_waits_for && ref->kind == REF_TREE)
			rc = err_set(&e, ERR_BAD, "output %s is a file, but the thunk that it "
				     "returned gives a directory", r.v[i].name);
	}
	if (rc < 0)
		node_fail(x, n, NULL, (struct bytes){ 0 }, &e);
	else if (!n->n_waits_for)
		node_gave(x, n, &r, true);
}

/* Those that wait for n hear of its end. */
static void tell_waiters(struct exec *x, struct node *n)
{
	struct edge *g;

	while ((g = n->waiters)) {
		struct node *w = g->waiter;

		n->waiters = g->next;
		g->next = x->free_edges;
		x->free_edges = g;
		if (w->state != NODE_WAITING)
			continue;
		if (n->state == NODE_FAILED)
			node_fail_above(x, w, n->failure);
		else if (--w->n_waits_for == 0)
			graph_queue(x, w);
	}
}

void node_step(struct exec *x, struct node *n)
{
	if (n->state == NODE_DONE || n->state == NODE_FAILED) {
		tell_waiters(x, n);
		exec_end_wants(x, n);
		return;
	}
	if (n->state != NODE_WAITING || n->n_waits_for)
		return;
	if (n->why == WAIT_TAIL)
		take_tail(x, n);
	else
		reduce(x, n);
}
