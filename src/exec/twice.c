/* twice.c - what takes too long is started a second time
 *
 * A run that takes much longer than its like ever did, while somewhere there
 * is room that nothing else can use, is started once more there: elsewhere, or
 * at another worker of the same engine.  On one machine it would only be in its
 * own way.  The first result counts and the other run is cancelled.  If that one
 * ends well all the same, with other bytes, the thunk gives no one result: it
 * fails, and neither is kept.
 */
#include <string.h>
#include "exec_internal.h"

enum { LOOK_MS = 500 };

static const double least_s = 10;

static bool is_late(const struct exec *x, const struct run *r, uint64_t now)
{
	double least = x->o.straggler_s > 0 ? x->o.straggler_s : least_s;
	double ran_s = (double)(now - r->started_ms) / 1000, most;

	if (r->node->n_runs != 1 || r->is_second || r->company || !r->node->shape)
		return false;
	most = profile_plausible_s(r->node->shape);
	return most > 0 && ran_s > (most > least ? most : least);
}

/* Where there is room that no ready node can use: they have been started. */
static struct site *idle_site(struct exec *x, const struct run *r, bool elsewhere)
{
	uint64_t seen = (uint64_t)r->node->shape->mem_bytes;
	struct room needs = r->needs;

	/* Nobody may have said how much memory it takes. */
	if (needs.mem_bytes < seen)
		needs.mem_bytes = seen;
	for (size_t i = 0; i < x->n_sites; i++) {
		struct site *s = &x->sites[i];
		struct room left = s->room;

		if (!(r->node->sites & (1u << i)) || !site_is_open(x, s) ||
		    (s == r->site && (elsewhere || s->engine->ops->is_here)))
			continue;
		room_take(&left, &s->used);
		if (room_fits(&left, &needs))
			return s;
	}
	return NULL;
}

static void look(void *arg)
{
	struct exec *x = arg;
	uint64_t now = loop_now_ms(x->o.loop);

	x->twice_timer = NULL;
	if (x->is_halted || x->is_stopped)
		return;
	for (struct run *r = x->runs, *next; r; r = next) {
		struct site *s = NULL;

		next = r->next;
		if (is_late(x, r, now))
			s = idle_site(x, r, true);
		if (!s && is_late(x, r, now))
			s = idle_site(x, r, false);
		if (s)
			sched_start_second(x, r, s);
	}
	twice_watch(x);
}

void twice_watch(struct exec *x)
{
	double least = x->o.straggler_s;
	uint64_t ms = least > 0 && least * 500 < LOOK_MS ? (uint64_t)(least * 500) + 1 : LOOK_MS;

	if (!x->twice_timer && x->n_running)
		x->twice_timer = loop_after(x->o.loop, ms, look, x);
}

/* ---- ends */

static void copy_result(struct arena *a, const struct result *from, struct result *to)
{
	*to = (struct result){ arena_alloc(a, (from->n + 1) * sizeof *to->v), from->n };
	for (size_t i = 0; i < from->n; i++) {
		to->v[i] = from->v[i];
		to->v[i].name = arena_str(a, from->v[i].name);
	}
}

void twice_won(struct exec *x, const struct run *winner, const struct result *given)
{
	for (struct run *r = x->runs, *next; winner->node->n_runs && r; r = next) {
		const struct engine *en = r->site->engine;

		next = r->next;
		if (r->node != winner->node || r->is_beaten)
			continue;
		r->is_beaten = true;
		r->node->n_beaten++;
		run_counts_no_more(x, r);
		r->winner = winner->site;
		copy_result(&r->arena, given, &r->first);
		en->ops->cancel(en->backend, &r->job);
	}
}

static const struct result_out *difference(const struct result *a, const struct result *b,
					   const struct ref **other)
{
	for (size_t i = 0; i < a->n; i++) {
		*other = result_output(b, a->v[i].name);
		if (*other && !id_equal(&a->v[i].ref.id, &(*other)->id))
			return &a->v[i];
	}
	return NULL;
}

/* n has given two results: it has none. */
static void fail_as_random(struct exec *x, struct node *n, struct exec_event *told, struct err *e)
{
	struct err why = *e;

	if (node_forget(x, n, e) < 0)
		return;
	if (n->state == NODE_DONE) {
		x->n_forced -= n->ran;
		n->state = NODE_WAITING;
		x->n_open++;
	}
	n->ran = false;
	node_fail_as(x, n, told, &why);
}

void twice_lost(struct exec *x, struct run *r, const struct run_report *rep)
{
	const struct result_out *out;
	const struct ref *other;
	struct node *n = r->node;
	struct exec_event told = { .label = r->label, .log = rep->log };
	struct err e;

	n->n_beaten--;
	out = rep->status == RUN_OK ? difference(&r->first, &rep->result, &other) : NULL;
	if (!out || (n->state != NODE_DONE && n->why != WAIT_TAIL)) {
		away_publish_late(x, n);
		return;
	}
	err_set(&e, ERR_FAILED, "it is not deterministic: output %s is %s from %s and %s from %s; "
		"neither is kept. gg verify says where they differ", out->name,
		id_hex(&out->ref.id).s, r->winner->engine->uri, id_hex(&other->id).s,
		r->site->engine->uri);
	fail_as_random(x, n, &told, &e);
}

/* Thunks that a step returned are named otherwise once they are followed. */
static bool returns_thunk(struct exec *x, const struct ref *first, const struct ref *other)
{
	struct bytes text;
	struct err ignored;

	return first->kind == REF_THUNK || other->kind == REF_THUNK ||
		(other->kind != REF_TREE && store_has(x->o.store, &other->id) &&
		 store_get_tail(x->o.store, &other->id, &x->scratch, &text, &ignored) != 0);
}

void exec_gave_too(struct exec *x, const struct id *reduced, const struct result *r,
		   const char *place)
{
	struct node *n = graph_leader(x, reduced);
	const struct result_out *out;
	const struct ref *other;
	struct result first;
	struct exec_event told = { .label = NULL };
	struct err e;

	arena_reset(&x->scratch);
	if (!n || n->state != NODE_DONE || !n->ran ||
	    store_get_result(x->o.store, reduced, &x->scratch, &first, &e) < 0)
		return;
	out = difference(&first, r, &other);
	if (!out || returns_thunk(x, &out->ref, other))
		return;
	err_set(&e, ERR_FAILED, "it is not deterministic: output %s is %s, and %s from %s, which "
		"answered late; neither is kept. gg verify says where they differ", out->name,
		id_hex(&out->ref.id).s, id_hex(&other->id).s, place);
	fail_as_random(x, n, &told, &e);
	exec_pump_later(x);
}
