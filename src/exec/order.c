/* order.c - the ready ones: which is next, is there room
 *
 * A heap by priority, then longest remaining path, then fan-out, then order
 * of appearance.  The first that does not fit keeps the room it needs from
 * those behind it, so that it is not starved; others may pass.
 */
#include "exec_internal.h"

enum { LOOK_AHEAD = 64 };

struct room node_needs(const struct node *n)
{
	return (struct room){ (double)n->cpus, (double)n->gpus, (uint64_t)n->mem_mib << 20 };
}

/* Sums of fractions are not exact. */
static const double slack = 1e-6;

static bool fits(const struct room *left, const struct room *needs)
{
	return needs->cpus <= left->cpus + slack && needs->gpus <= left->gpus + slack &&
		needs->mem_bytes <= left->mem_bytes;
}

void room_take(struct room *left, const struct room *needs)
{
	left->cpus -= needs->cpus;
	left->gpus -= needs->gpus;
	left->mem_bytes -= needs->mem_bytes < left->mem_bytes ? needs->mem_bytes :
		left->mem_bytes;
}

static bool is_before(const struct node *a, const struct node *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (a->remaining_s < b->remaining_s || a->remaining_s > b->remaining_s)
		return a->remaining_s > b->remaining_s;
	if (a->fan_out != b->fan_out)
		return a->fan_out > b->fan_out;
	return a->sequence < b->sequence;
}

static void heap_down(struct node_list *h, size_t i)
{
	struct node *n = h->v[i];

	for (size_t kid; (kid = 2 * i + 1) < h->n; i = kid) {
		if (kid + 1 < h->n && is_before(h->v[kid + 1], h->v[kid]))
			kid++;
		if (!is_before(h->v[kid], n))
			break;
		h->v[i] = h->v[kid];
	}
	h->v[i] = n;
}

static void heap_push(struct node_list *h, struct node *n)
{
	size_t i = h->n;

	list_add(h, n);
	for (; i && is_before(n, h->v[(i - 1) / 2]); i = (i - 1) / 2)
		h->v[i] = h->v[(i - 1) / 2];
	h->v[i] = n;
}

static struct node *heap_pop(struct node_list *h)
{
	struct node *n = h->n ? h->v[0] : NULL;

	if (n && --h->n) {
		h->v[0] = h->v[h->n];
		heap_down(h, 0);
	}
	return n;
}

void sched_rebuild(struct exec *x)
{
	for (size_t i = x->ready.n / 2; i-- > 0;)
		heap_down(&x->ready, i);
}

void sched_ready(struct exec *x, struct node *n)
{
	struct room needs = node_needs(n);
	struct err e;

	n->state = NODE_READY;
	if (fits(&x->room, &needs)) {
		if (n->cpus < x->least_cpus)
			x->least_cpus = n->cpus;
		heap_push(&x->ready, n);
		return;
	}
	err_set(&e, ERR_REFUSED, "it can never fit: it needs %g cpus, %g gpus and %llu MiB, and "
		"there are %g, %g and %llu here; change its hints in gg.models or -j",
		needs.cpus, needs.gpus, (unsigned long long)n->mem_mib, x->room.cpus,
		x->room.gpus, (unsigned long long)(x->room.mem_bytes >> 20));
	node_fail(x, n, NULL, (struct bytes){ 0 }, &e);
}

struct node *sched_pick(struct exec *x)
{
	struct node *passed[LOOK_AHEAD], *n = NULL;
	struct room left = x->room;
	size_t n_passed = 0;

	room_take(&left, &x->used);
	while (n_passed < LOOK_AHEAD && left.cpus + slack >= (double)x->least_cpus &&
	       (n = heap_pop(&x->ready))) {
		struct room needs = node_needs(n);

		if (fits(&left, &needs))
			break;
		if (!n_passed)
			room_take(&left, &needs);
		passed[n_passed++] = n;
		n = NULL;
	}
	for (size_t i = 0; i < n_passed; i++)
		heap_push(&x->ready, passed[i]);
	return n;
}
