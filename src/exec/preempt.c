/* preempt.c - more urgent steps take the room of others that can go on later
 *
 * A step that is ready and finds no room where it may run is compared with those
 * that run there.  Of those that matter less, and that can leave a checkpoint, as
 * many are asked to as it takes; the least urgent first.  What such a run has done
 * is kept, but it costs a start: it is left alone for a while, each time for twice
 * as long as before, and a longer path ahead counts only if it is twice as long.
 */
#include "exec_internal.h"

enum { LOOK_MS = 200, DOUBLED_MOST = 16 };

static const double least_s = 3;

/* Is it worth a start that v makes room for n? */
static bool matters_more(const struct node *n, const struct node *v)
{
	if (n->priority != v->priority)
		return n->priority > v->priority;
	if ((n->gpus > 0) != (v->gpus > 0))
		return n->gpus > 0;
	return n->urgency > 0 && n->urgency > 2 * v->urgency;
}

static bool yields(const struct exec *x, const struct run *r, const struct node *n)
{
	double least = x->o.preempt_least_s > 0 ? x->o.preempt_least_s : least_s;
	double ran_s = (double)(loop_now_ms(x->o.loop) - r->started_ms) / 1000;
	unsigned doubled = r->node->n_preempted;

	return run_may_stop(r) && matters_more(n, r->node) &&
		ran_s >= least * (double)(1u << (doubled < DOUBLED_MOST ? doubled : DOUBLED_MOST));
}

/* The least urgent run on s that yields to n and is not chosen yet. */
static struct run *least_urgent(struct exec *x, const struct site *s, const struct node *n)
{
	struct run *best = NULL;

	for (struct run *r = x->runs; r; r = r->next)
		if (r->site == s && !r->is_chosen && yields(x, r, n) &&
		    (!best || node_is_before(best->node, r->node)))
			best = r;
	return best;
}

static void ask(struct exec *x, struct run *r, const struct node *n)
{
	const char *who = node_label(x, n, &x->scratch, 60);

	r->node->n_preempted += r->node->n_preempted < DOUBLED_MOST;
	run_stop(r);
	exec_tell(x, &(struct exec_event){
		.kind = EXEC_NOTICE, .text = arena_printf(
			&x->scratch, "%s: is asked to make room for %s", r->label, who) });
}

/* Room on s for n: is there any, or soon, or can there be? */
static bool make_room(struct exec *x, struct site *s, const struct node *n)
{
	const struct room needs = node_needs(n);
	struct room left = s->room;
	struct run *r;
	bool fits;

	room_take(&left, &s->used);
	for (r = x->runs; r; r = r->next) {
		r->is_chosen = false;
		if (r->site == s && r->is_asked)
			room_add(&left, &r->needs);
	}
	while (!(fits = room_fits(&left, &needs)) && (r = least_urgent(x, s, n))) {
		r->is_chosen = true;
		room_add(&left, &r->needs);
	}
	for (r = x->runs; fits && r; r = r->next)
		if (r->is_chosen)
			ask(x, r, n);
	return fits;
}

static void look(void *arg)
{
	struct exec *x = arg;
	struct lane *l;

	x->preempt_timer = NULL;
	if (x->is_halted || x->is_stopped)
		return;
	arena_reset(&x->scratch);
	x->n_picks++;
	while ((l = sched_best_lane(x))) {
		bool has_room = false;

		l->seen = x->n_picks;
		for (size_t i = 0; i < x->n_sites && !has_room; i++)
			has_room = (l->sites & (1u << i)) && site_is_open(x, &x->sites[i]) &&
				make_room(x, &x->sites[i], l->heap.v[0]);
	}
	preempt_watch(x);
}

void preempt_watch(struct exec *x)
{
	if (x->o.preempts && !x->preempt_timer && x->n_ready && x->n_running)
		x->preempt_timer = loop_after(x->o.loop, LOOK_MS, look, x);
}
