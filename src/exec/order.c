/* order.c - the ready ones: which is next, and where is there room
 *
 * Ready nodes stand in lanes, one for each vector of needs and set of engines,
 * each a heap: by priority, gpus before none, urgency (policy.h), fan-out, order
 * of appearance.  A choice looks at the first of each lane, so a full
 * engine costs one look and not one for each node that waits for it.
 *
 * The first that does not fit keeps the room it needs from those behind it, so
 * that it is not starved; others may pass.  One that waits for a GPU keeps
 * nothing: the cpus it needs come free together with the GPU.
 */
#include <math.h>
#include "exec_internal.h"

/* Beyond so many lanes, needs that are alike share one. */
enum { LANES_EXACT = 64, LANES_MATES = 32 };

struct room node_needs(const struct node *n)
{
	return (struct room){ (double)n->cpus, (double)n->gpus, (uint64_t)n->mem_mib << 20,
			      (uint64_t)n->disk_mib << 20 };
}

bool node_is_before(const struct node *a, const struct node *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	if ((a->gpus > 0) != (b->gpus > 0))
		return a->gpus > 0;
	if (a->urgency < b->urgency || a->urgency > b->urgency)
		return a->urgency > b->urgency;
	if (a->fan_out != b->fan_out)
		return a->fan_out > b->fan_out;
	return a->sequence < b->sequence;
}

static void heap_down(struct node_list *h, size_t i)
{
	struct node *n = h->v[i];

	for (size_t kid; (kid = 2 * i + 1) < h->n; i = kid) {
		if (kid + 1 < h->n && node_is_before(h->v[kid + 1], h->v[kid]))
			kid++;
		if (!node_is_before(h->v[kid], n))
			break;
		h->v[i] = h->v[kid];
	}
	h->v[i] = n;
}

void heap_push(struct node_list *h, struct node *n)
{
	size_t i = h->n;

	list_add(h, n);
	for (; i && node_is_before(n, h->v[(i - 1) / 2]); i = (i - 1) / 2)
		h->v[i] = h->v[(i - 1) / 2];
	h->v[i] = n;
}

struct node *heap_pop(struct node_list *h)
{
	struct node *n = h->n ? h->v[0] : NULL;

	if (n && --h->n) {
		h->v[0] = h->v[h->n];
		heap_down(h, 0);
	}
	return n;
}

static void rebuild(struct node_list *h)
{
	for (size_t i = h->n / 2; i-- > 0;)
		heap_down(h, i);
}

void sched_rebuild(struct exec *x)
{
	for (size_t l = 0; l < x->n_lanes; l++)
		rebuild(&x->lanes[l].heap);
	rebuild(&x->elastic);
}

void sched_forget_ready(struct exec *x)
{
	for (size_t l = 0; l < x->n_lanes; l++) {
		x->lanes[l].heap.n = 0;
		x->lanes[l].ready_s = 0;
	}
	x->n_ready = x->elastic.n = 0;
}

static struct lane *find_lane(struct exec *x, const struct lane *like)
{
	for (size_t i = 0; i < x->n_lanes; i++) {
		struct lane *l = &x->lanes[i];

		if (l->sites == like->sites && l->mem_mib == like->mem_mib &&
		    l->disk_mib == like->disk_mib && l->mates == like->mates &&
		    fabsf(l->cpus - like->cpus) < 1e-6f && fabsf(l->gpus - like->gpus) < 1e-6f)
			return l;
	}
	return NULL;
}

/* The next power of two; 0 stays 0. */
static float round_up(float v)
{
	return v > 0 ? exp2f(ceilf(log2f(v))) : 0;
}

/* A lane for those that can go together, one that had others before if there are
 * many; where there are too many, *like is of no such lane any more. */
static struct lane *mates_lane(struct exec *x, struct lane *like)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n_lanes; i++) {
		struct lane *l = &x->lanes[i];

		n += l->mates != 0;
		if (!l->mates || l->heap.n)
			continue;
		like->heap = l->heap;
		*l = *like;
		return l;
	}
	if (n >= LANES_MATES)
		like->mates = 0;
	return NULL;
}

static struct lane *lane_of(struct exec *x, const struct node *n)
{
	uint32_t fresh = n->sites & ~n->avoids;
	struct lane like = { .cpus = n->cpus, .gpus = n->gpus, .mem_mib = n->mem_mib,
			     .disk_mib = n->disk_mib, .mates = n->mates,
			     .sites = fresh ? fresh : n->sites };
	struct lane *l = find_lane(x, &like);

	if (!l && like.mates && !(l = mates_lane(x, &like)))
		l = find_lane(x, &like);
	if (!l && x->n_lanes >= LANES_EXACT && !like.mates) {
		like.cpus = round_up(like.cpus);
		like.gpus = round_up(like.gpus);
		like.mem_mib = (uint32_t)fminf(round_up((float)like.mem_mib), 4e9f);
		like.disk_mib = (uint32_t)fminf(round_up((float)like.disk_mib), 4e9f);
		l = find_lane(x, &like);
	}
	if (l)
		return l;
	if (x->n_lanes == x->lanes_room) {
		x->lanes_room = x->lanes_room ? x->lanes_room * 2 : 8;
		x->lanes = mem_grow(x->lanes, x->lanes_room * sizeof *x->lanes);
	}
	x->lanes[x->n_lanes] = like;
	return &x->lanes[x->n_lanes++];
}

void sched_ready(struct exec *x, struct node *n)
{
	if (!flotilla_takes(x, n))
		sched_ready_now(x, n);
}

void sched_ready_now(struct exec *x, struct node *n)
{
	struct lane *l = lane_of(x, n);

	n->state = NODE_READY;
	heap_push(&l->heap, n);
	l->ready_s += node_seconds(n);
	x->n_ready++;
}

/* Room that one that did not fit keeps from those behind it. */
struct kept {
	const struct site *site;
	struct room needs;
};

static struct site *site_with_room(struct exec *x, const struct lane *l,
				   const struct room *needs, const struct kept *kept)
{
	for (size_t i = 0; i < x->n_sites; i++) {
		struct site *s = &x->sites[i];
		struct room left = s->room;

		if (!(l->sites & (1u << i)) || !site_is_open(x, s))
			continue;
		room_take(&left, &s->used);
		if (kept->site == s)
			room_take(&left, &kept->needs);
		if (room_fits(&left, needs))
			return s;
	}
	return NULL;
}

static void keep_room(struct exec *x, const struct lane *l, const struct room *needs,
		      struct kept *kept)
{
	for (size_t i = 0; i < x->n_sites; i++) {
		const struct site *s = &x->sites[i];

		if (!(l->sites & (1u << i)) || !site_is_open(x, s) ||
		    !room_fits(&s->room, needs))
			continue;
		if (needs->gpus <= s->room.gpus - s->used.gpus + 1e-6)
			*kept = (struct kept){ s, *needs };
		return;
	}
}

struct lane *sched_best_lane(struct exec *x)
{
	struct lane *best = NULL;

	for (size_t i = 0; i < x->n_lanes; i++) {
		struct lane *l = &x->lanes[i];

		if (l->heap.n && l->seen != x->n_picks &&
		    (!best || node_is_before(l->heap.v[0], best->heap.v[0])))
			best = l;
	}
	return best;
}

static struct node *lane_pop(struct exec *x, struct lane *l)
{
	struct node *n = heap_pop(&l->heap);

	if (!n)
		return NULL;
	l->ready_s = l->heap.n ? l->ready_s - node_seconds(n) : 0;
	x->n_ready--;
	return n;
}

size_t sched_mates(const struct exec *x)
{
	const struct lane *l = &x->lanes[x->picked];

	return l->mates ? l->heap.n : 0;
}

struct node *sched_next_mate(struct exec *x)
{
	return lane_pop(x, &x->lanes[x->picked]);
}

struct node *sched_pick(struct exec *x, struct site **where)
{
	struct kept kept = { 0 };
	struct lane *l;

	x->n_picks++;
	while ((l = sched_best_lane(x))) {
		struct node *n = l->heap.v[0];
		struct room needs = node_needs(n);

		*where = site_with_room(x, l, &needs, &kept);
		if (*where) {
			x->picked = (size_t)(l - x->lanes);
			return lane_pop(x, l);
		}
		l->seen = x->n_picks;
		if (!kept.site)
			keep_room(x, l, &needs, &kept);
	}
	return NULL;
}
