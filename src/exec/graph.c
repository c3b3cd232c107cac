/* graph.c - which thunk waits for which
 *
 * Edges point only up, from a node to those that wait for it: an ended node
 * tells them, and urgencies are read along them.  What a node itself
 * waits for is a count.  Names are hashes, so honest thunks cannot form a
 * ring; one made by returned thunks or by a lying store shows as open nodes
 * when nothing is left to run.
 *
 * Nothing recurses: a chain may be 100,000 long.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "exec_internal.h"

void list_add(struct node_list *l, struct node *n)
{
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->v = mem_grow(l->v, l->room * sizeof(*l->v));
	}
	l->v[l->n++] = n;
}

/* The id a node has in an index: one of the two, by offset. */
static const struct id *key_at(const struct node *n, size_t offset)
{
	return (const struct id *)((const char *)n + offset);
}

static struct node **index_slot(const struct node_index *x, const struct id *id,
				size_t offset)
{
	uint64_t hash;

	memcpy(&hash, id->b, sizeof(hash));
	for (size_t i = hash & (x->room - 1);; i = (i + 1) & (x->room - 1))
		if (!x->v[i] || id_equal(key_at(x->v[i], offset), id))
			return &x->v[i];
}

/* The slot for id, with room to fill it. */
static struct node **index_at(struct node_index *x, const struct id *id, size_t offset)
{
	struct node_index old = *x;

	if (x->n * 3 >= x->room * 2) {
		x->room = old.room ? old.room * 2 : 64;
		x->v = mem_alloc(x->room * sizeof(*x->v));
		memset(x->v, 0, x->room * sizeof(*x->v));
		x->n = 0;
		for (size_t i = 0; i < old.room; i++) {
			struct node **slot;

			if (!old.v[i])
				continue;
			slot = index_slot(x, key_at(old.v[i], offset), offset);
			x->n += !*slot;
			*slot = old.v[i];
		}
		free(old.v);
	}
	return index_slot(x, id, offset);
}

struct node *graph_node(struct exec *x, const struct id *id)
{
	struct node **slot = index_at(&x->by_id, id, offsetof(struct node, id));

	if (!*slot) {
		*slot = arena_alloc(&x->keep, sizeof(**slot));
		(*slot)->id = *id;
		(*slot)->sequence = x->n_sequence++;
		x->by_id.n++;
	}
	return *slot;
}

const struct node *graph_find(const struct exec *x, const struct id *id)
{
	if (!x->by_id.room)
		return NULL;
	return *index_slot(&x->by_id, id, offsetof(struct node, id));
}

struct node *graph_leader(struct exec *x, const struct id *reduced)
{
	if (!x->by_reduced.room)
		return NULL;
	return *index_slot(&x->by_reduced, reduced, offsetof(struct node, reduced));
}

void graph_lead(struct exec *x, struct node *n)
{
	struct node **slot = index_at(&x->by_reduced, &n->reduced,
				      offsetof(struct node, reduced));

	x->by_reduced.n += !*slot;
	*slot = n;
}

bool node_is_open(const struct node *n)
{
	return n->state != NODE_NEW && n->state < NODE_DONE;
}

bool graph_wait(struct exec *x, struct node *n, struct node *dep)
{
	struct edge *g = x->free_edges;

	if (dep->state == NODE_FAILED)
		return false;
	if (dep->state == NODE_DONE)
		return true;
	if (g)
		x->free_edges = g->next;
	else
		g = arena_alloc(&x->keep, sizeof(*g));
	*g = (struct edge){ n, dep->waiters };
	dep->waiters = g;
	dep->fan_out++;
	n->n_waits_for++;
	if (dep->state == NODE_NEW)
		graph_load_later(x, dep);
	return true;
}

void graph_queue(struct exec *x, struct node *n)
{
	if (n->is_queued)
		return;
	n->is_queued = true;
	n->next = NULL;
	*x->queue_end = n;
	x->queue_end = &n->next;
}

struct node *graph_unqueue(struct exec *x)
{
	struct node *n = x->queue;

	if (!n)
		return NULL;
	x->queue = n->next;
	if (!x->queue)
		x->queue_end = &x->queue;
	n->next = NULL;
	n->is_queued = false;
	return n;
}

static void load_push(struct exec *x, struct node *n, bool is_end)
{
	if (x->n_loads == x->loads_room) {
		x->loads_room = x->loads_room ? x->loads_room * 2 : 64;
		x->loads = mem_grow(x->loads, x->loads_room * sizeof(*x->loads));
	}
	x->loads[x->n_loads++] = (struct load_step){ n, is_end };
}

void graph_load_later(struct exec *x, struct node *n)
{
	load_push(x, n, false);
}

/* It stands in the order already, as what was not known: it comes once more,
 * and what it takes is seen. */
void graph_load_below(struct exec *x, struct node *n)
{
	n->is_ordered = false;
	load_push(x, n, true);
}

/* A node may have been pushed by several; the one reached first from the top
 * loads it, so that it ends before all that wait for it: inputs first. */
bool graph_load_step(struct exec *x)
{
	struct load_step step;

	if (!x->n_loads)
		return false;
	step = x->loads[--x->n_loads];
	if (step.is_end && node_is_open(step.node) && !step.node->is_ordered) {
		step.node->is_ordered = true;
		list_add(&x->order, step.node);
	} else if (!step.is_end && step.node->state == NODE_NEW) {
		load_push(x, step.node, true);
		node_load(x, step.node);
	}
	return true;
}

/* All that waits for n has its urgency. */
static void weigh(const struct policy *p, struct node *n)
{
	struct policy_step s = { .seconds = node_seconds(n), .sequence = n->sequence,
				 .is_known = n->shape && n->shape->n_seen,
				 .cpus = (double)n->cpus, .gpus = (double)n->gpus };

	for (const struct edge *g = n->waiters; g; g = g->next) {
		double u = g->waiter->urgency;

		s.most_above = !s.n_above++ || u > s.most_above ? u : s.most_above;
		s.sum_above += u;
	}
	n->urgency = p->urgency(&s);
}

static void forget_ended(struct exec *x)
{
	size_t kept = 0;

	for (size_t i = 0; i < x->order.n; i++) {
		struct node *n = x->order.v[i];

		if (node_is_open(n))
			x->order.v[kept++] = n;
		else
			n->is_ordered = false;
	}
	x->order.n = x->n_ordered = kept;
}

/* What n is to give comes to the inputs of those whose time goes by them. */
static void hand_up(const struct node *n)
{
	for (const struct edge *g = n->waiters; g && n->shape && n->shape->n_seen; g = g->next)
		if (profile_is_sized(g->waiter->shape))
			g->waiter->in_bytes += (float)n->shape->out_bytes;
}

/* A few new nodes leave the old ones as they were, or a chain of returned
 * thunks would walk over all that is open at each of its steps. */
void graph_order(struct exec *x)
{
	size_t n_new = x->order.n - x->n_ordered, from = x->n_ordered;

	if (!n_new)
		return;
	for (size_t i = from; i < x->order.n; i++)
		hand_up(x->order.v[i]);
	if (n_new > x->n_open / 8)
		from = 0;
	for (size_t i = x->order.n; i-- > from;)
		weigh(x->o.policy, x->order.v[i]);
	x->n_ordered = x->order.n;
	if (!from)
		sched_rebuild(x);
	if (x->order.n > 2 * x->n_open + 1024)
		forget_ended(x);
}

/* Say who is on the ring that n is on, three of them at most. */
static void ring_text(struct exec *x, const struct node *n, struct err *e)
{
	struct arena a = { 0 };
	struct buf b = { 0 };
	const struct node *at = n;
	int shown = 0;

	buf_str(&b, node_label(x, n, &a, 60));
	while (at->next && at->next != n && ++shown < 3) {
		at = at->next;
		buf_printf(&b, "\", which waits for \"%s", node_label(x, at, &a, 60));
	}
	err_set(e, ERR_BAD, "it never ends: \"%s\", which %swaits for the first again; "
		"a thunk may not return what waits for it", b.p,
		at->next == n ? "" : "through others ");
	buf_release(&b);
	arena_release(&a);
}

void graph_break_ring(struct exec *x)
{
	struct node *n = NULL;
	struct err e;

	/* The queue is empty, so next can say which one a node waits for. */
	for (size_t i = 0; i < x->order.n; i++)
		for (struct edge *g = x->order.v[i]->waiters; g; g = g->next)
			if (node_is_open(x->order.v[i]) && node_is_open(g->waiter))
				g->waiter->next = x->order.v[i];
	for (size_t i = 0; i < x->order.n && !n; i++)
		if (node_is_open(x->order.v[i]))
			n = x->order.v[i];
	assert(n);
	for (size_t i = 0; i < x->n_open && n->next; i++)
		n = n->next;
	ring_text(x, n, &e);
	for (size_t i = 0; i < x->order.n; i++)
		x->order.v[i]->next = NULL;
	node_fail(x, n, NULL, (struct bytes){ 0 }, &e);
}

void graph_reset(struct exec *x)
{
	assert(!x->queue && !x->n_loads);
	sched_forget_ready(x);
	x->polling.n = x->n_paused = 0;
	for (size_t i = 0; i < x->order.n; i++) {
		struct node *n = x->order.v[i];
		struct edge *g;

		n->is_ordered = false;
		if (!node_is_open(n))
			continue;
		while ((g = n->waiters)) {
			n->waiters = g->next;
			g->next = x->free_edges;
			x->free_edges = g;
		}
		n->state = NODE_NEW;
		n->n_waits_for = n->fan_out = 0;
		profile_close(x, n);
		if (n->has_claim && !n->is_held)
			exec_drop_claim(x, n);
		x->n_open--;
	}
	x->order.n = x->n_ordered = 0;
}
