/* foresee.c - how long the rest will take: what is open is run by a clock alone
 *
 * A second exec that has nothing but lanes and sites: the choice of what is next
 * and where is order.c's, as when it is real.
 */
#include "foresee.h"

#include <stdlib.h>
#include "ahead.h"

/* Those that run, by their ends. */
struct ends {
	struct ahead **v;
	size_t n;
};

struct clock {
	struct exec x;                  /* lanes and sites */
	struct site sites[SITES_MAX];
	struct aheads g;
	struct ends ends;
	struct ahead **free_now;        /* wait for nothing: to be started, or over */
	size_t n_free, n_over;
	double now_s;
};

bool exec_is_loaded(const struct exec *x)
{
	return !x->wanted.first && !x->n_loads && !x->queue && !x->n_away && !x->pump_timer;
}

/* ---- the heap of ends */

static void push(struct ends *h, struct ahead *a)
{
	size_t i = h->n++;

	for (; i && a->end_s < h->v[(i - 1) / 2]->end_s; i = (i - 1) / 2)
		h->v[i] = h->v[(i - 1) / 2];
	h->v[i] = a;
}

static struct ahead *pop(struct ends *h)
{
	struct ahead *first = h->v[0], *last = h->v[--h->n];
	size_t i = 0;

	for (size_t kid; (kid = 2 * i + 1) < h->n; i = kid) {
		if (kid + 1 < h->n && h->v[kid + 1]->end_s < h->v[kid]->end_s)
			kid++;
		if (last->end_s <= h->v[kid]->end_s)
			break;
		h->v[i] = h->v[kid];
	}
	h->v[i] = last;
	return first;
}

/* ---- the clock */

/* Those above a hear that it is over. */
static void over(struct clock *c, struct ahead *a)
{
	c->n_over++;
	for (const struct edge *up = a->real->waiters; up; up = up->next) {
		struct ahead *above = ahead_of(&c->g, up);

		if (above && --above->node.n_waits_for == 0)
			c->free_now[c->n_free++] = above;
	}
}

static void start_all(struct clock *c)
{
	struct site *site;
	struct node *n;

	while (c->n_free) {
		struct ahead *a = c->free_now[--c->n_free];

		if (a->runs && a->node.sites)
			sched_ready(&c->x, &a->node);
		else
			over(c, a);
	}
	flotilla_form(&c->x);
	while ((n = sched_pick(&c->x, &site))) {
		struct ahead *a = (struct ahead *)n;
		struct room needs = node_needs(n);

		a->site = site;
		a->end_s = c->now_s + (n->trainer ? node_seconds(n) : a->takes_s);
		room_add(&site->used, &needs);
		site->n_running++;
		flotilla_starts(&c->x, n, site);
		push(&c->ends, a);
	}
}

static void end_one(struct clock *c)
{
	struct ahead *a = pop(&c->ends);
	struct room needs = node_needs(&a->node);

	c->now_s = a->end_s;
	room_take(&a->site->used, &needs);
	flotilla_ends(&c->x, &a->node);
	/* Sums of fractions drift. */
	if (!--a->site->n_running)
		a->site->used = (struct room){ 0 };
	over(c, a);
}

static void run_clock(struct clock *c)
{
	for (size_t i = 0; i < c->g.n; i++)
		if (!c->g.v[i].node.n_waits_for)
			c->free_now[c->n_free++] = &c->g.v[i];
	/* Ends of one instant come before what is started in it. */
	for (;;) {
		start_all(c);
		if (!c->ends.n)
			return;
		end_one(c);
		while (c->ends.n && c->ends.v[0]->end_s <= c->now_s)
			end_one(c);
	}
}

/* ---- one question */

static double more(double a, double b)
{
	return a > b ? a : b;
}

/* The copies stand for steps of sites that may differ from the real ones. */
static void place(struct clock *c, const struct exec *x, size_t engine,
		  const struct room *room)
{
	c->x.o.policy = x->o.policy;
	c->x.sites = c->sites;
	c->x.n_sites = room ? 1 : x->n_sites;
	for (size_t i = 0; i < c->x.n_sites; i++)
		c->sites[i] = (struct site){ .engine = x->sites[i].engine,
					     .room = room ? *room : x->sites[i].room };
	for (size_t i = 0; i < c->g.n && room; i++) {
		struct node *n = &c->g.v[i].node;

		n->sites = n->sites >> engine & 1;
	}
}

static void sum_up(const struct clock *c, struct foresight *out)
{
	for (size_t i = 0; i < c->g.n; i++) {
		const struct ahead *a = &c->g.v[i];
		struct room needs = node_needs(&a->node);

		out->path_s = more(out->path_s, a->path_s);
		if (!a->runs)
			continue;
		out->n_steps++;
		out->n_refused += !a->node.sites;
		out->step_s += a->takes_s;
		out->cpu_s += a->takes_s * needs.cpus;
		out->gpu_s += a->takes_s * needs.gpus;
		room_widen(&out->widest, &needs);
		if (!a->node.shape->n_seen) {
			out->n_guessed++;
			out->guessed_s += a->takes_s;
		}
	}
}

void exec_foresee(struct exec *x, size_t engine, const struct room *room,
		  struct foresight *out)
{
	struct clock *c = mem_alloc(sizeof *c);

	*out = (struct foresight){ 0 };
	*c = (struct clock){ 0 };
	aheads_make(x, &c->g);
	if (c->g.n) {
		c->ends.v = mem_alloc(c->g.n * sizeof *c->ends.v);
		c->free_now = mem_alloc(c->g.n * sizeof *c->free_now);
		place(c, x, engine, room);
		sum_up(c, out);
		run_clock(c);
		out->seconds = c->n_over == c->g.n ? c->now_s : -1;
	}
	sites_close(&c->x);
	free(c->x.elastic.v);
	free(c->x.training.v);
	arena_release(&c->x.scratch);
	free(c->ends.v);
	free(c->free_now);
	aheads_release(&c->g);
	free(c);
}

bool exec_foresee_dollars(struct exec *x, size_t engine, double *out)
{
	const struct engine *en = &x->o.engines[engine];
	struct arena a = { 0 };
	struct aheads g;

	*out = 0;
	if (!en->ops->dollars)
		return false;
	aheads_make(x, &g);
	for (size_t i = 0; i < g.n; i++, arena_reset(&a)) {
		const struct node *n = g.v[i].real;
		struct job j = { .reduced = n->id, .needs = node_needs(n),
				 .timeout_s = (double)n->timeout_s, .expected_s = g.v[i].takes_s };
		struct thunk t;
		struct err e;

		if (g.v[i].runs && node_thunk(x, n, &a, &t, &j.text, &e) == 0)
			*out += en->ops->dollars(en->backend, &j);
	}
	arena_release(&a);
	aheads_release(&g);
	return true;
}

/* ---- by name */

static struct ahead *longest(struct ahead *a, struct ahead *b)
{
	return !a || (b && b->path_s > a->path_s) ? b : a;
}

void exec_foresee_path(struct exec *x, struct arena *a, struct foreseen **v, size_t *n)
{
	enum { LABEL_WIDTH = 100 };
	struct ahead *at = NULL, *next;
	struct aheads g;

	aheads_make(x, &g);
	*v = arena_alloc(a, (g.n ? g.n : 1) * sizeof **v);
	*n = 0;
	for (size_t i = 0; i < g.n; i++)
		at = longest(at, &g.v[i]);
	for (; at; at = next) {
		if (at->runs)
			(*v)[(*n)++] = (struct foreseen){
				at->real->id, node_label(x, at->real, a, LABEL_WIDTH),
				at->takes_s, !at->real->shape->n_seen };
		next = NULL;
		for (const struct edge *up = at->real->waiters; up; up = up->next)
			next = longest(next, ahead_of(&g, up));
	}
	aheads_release(&g);
}

void exec_foresee_unseen(struct exec *x, struct arena *a, struct strs *out)
{
	struct bytes key;
	size_t pos = 0;
	void *value;

	while (map_each(&x->shapes, &pos, &key, &value)) {
		const struct shape *s = value;

		if (!s->n_seen && s->n_open)
			strs_add(out, arena_str(a, s->name));
	}
	strs_sort(out);
}
