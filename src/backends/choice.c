/* choice.c - which of several sizes of a function a step goes to */
#include "choice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* On Lambda that much memory buys a whole processor. */
static const double mb_per_cpu = 1769;
/* An unseen size is tried when it may cost up to that much of the best. */
static const double try_below = 1.25;
/* Costs this close are the same: what was measured is no better than that. */
static const double same_cost = 1.02;

enum { RECORD_VERSION = 1, SEEN_BEFORE_TRYING = 3, SEEN_MAX = 1000 };

struct seen {
	double log_seconds;
	uint32_t n_seen, n_trying;
};

struct shape_times {
	double floor_mb;                /* runs of this shape burst here or below */
	struct seen v[];                /* one for each size */
};

struct choice {
	struct store *store;
	struct choice_size *sizes;
	size_t n;
	struct map shapes;
	struct arena arena;
};

struct choice *choice_new(struct store *store, const struct choice_size *v, size_t n)
{
	struct choice *c = memset(mem_alloc(sizeof *c), 0, sizeof *c);

	c->store = store;
	c->n = n;
	c->sizes = arena_alloc(&c->arena, n * sizeof *v);
	memcpy(c->sizes, v, n * sizeof *v);
	return c;
}

void choice_free(struct choice *c)
{
	if (!c)
		return;
	map_release(&c->shapes);
	arena_release(&c->arena);
	free(c);
}

void choice_resize(struct choice *c, size_t i, double mem_mb)
{
	c->sizes[i].mem_mb = mem_mb;
}

/* ---- what was seen, also by earlier runs */

struct record {
	double log_seconds;
	uint64_t n_seen;
};

/* No shape's name begins so. */
static struct bytes record_key(const struct choice *c, size_t i, const char *shape,
			       struct arena *a)
{
	return bytes_str(arena_printf(a, "\x01" "function %.0f\n%s", c->sizes[i].mem_mb, shape));
}

static void load(struct choice *c, const char *shape, struct shape_times *t)
{
	struct arena a = { 0 };
	struct record r;
	struct bytes b;
	struct err e;

	for (size_t i = 0; c->store && i < c->n; i++) {
		if (store_table_get(c->store, TABLE_SHAPE, record_key(c, i, shape, &a), &a, &b,
				    &e) < 0 ||
		    b.n != sizeof r + 1 || b.p[0] != RECORD_VERSION)
			continue;
		memcpy(&r, b.p + 1, sizeof r);
		if (!isfinite(r.log_seconds) || fabs(r.log_seconds) > 20)
			continue;
		t->v[i].log_seconds = r.log_seconds;
		t->v[i].n_seen = r.n_seen < SEEN_MAX ? (uint32_t)r.n_seen : SEEN_MAX;
	}
	arena_release(&a);
}

/* What cannot be kept is observed again. */
static void keep(struct choice *c, const char *shape, size_t i, const struct seen *s)
{
	struct record r = { s->log_seconds, s->n_seen };
	char space[sizeof r + 1] = { RECORD_VERSION };
	struct arena a = { 0 };
	struct err ignored;

	memcpy(space + 1, &r, sizeof r);
	if (c->store)
		store_table_put(c->store, TABLE_SHAPE, record_key(c, i, shape, &a),
				(struct bytes){ space, sizeof space }, &ignored);
	arena_release(&a);
}

static struct shape_times *times_of(struct choice *c, const char *shape)
{
	struct shape_times *t = map_get(&c->shapes, bytes_str(shape));

	if (t)
		return t;
	t = arena_alloc(&c->arena, sizeof *t + c->n * sizeof *t->v);
	*map_at(&c->shapes, bytes_str(arena_str(&c->arena, shape))) = t;
	load(c, shape, t);
	return t;
}

void choice_learn(struct choice *c, const char *shape, size_t i, double seconds)
{
	struct seen *s = &times_of(c, shape)->v[i];
	double step;

	s->n_trying -= s->n_trying > 0;
	if (!(seconds > 0))
		return;
	if (s->n_seen < SEEN_MAX)
		s->n_seen++;
	/* One odd run counts for little once the shape is known. */
	step = log(seconds > 1e-4 ? seconds : 1e-4) - s->log_seconds;
	if (s->n_seen > 3)
		step = step > 1 ? 1 : step < -1 ? -1 : step;
	s->log_seconds += step / (s->n_seen < 8 ? s->n_seen : 8);
	keep(c, shape, i, s);
}

void choice_burst(struct choice *c, const char *shape, size_t i)
{
	struct shape_times *t = times_of(c, shape);

	choice_learn(c, shape, i, 0);
	if (c->sizes[i].mem_mb > t->floor_mb)
		t->floor_mb = c->sizes[i].mem_mb;
}

/* ---- time, cost, worth */

static double share(const struct choice_size *z, double cpus)
{
	return fmin(z->mem_mb / mb_per_cpu, cpus > 0 ? cpus : 1);
}

static double seconds_at(const struct choice *c, const struct shape_times *t,
			 const struct choice_ask *q, size_t i)
{
	const struct choice_size *z = &c->sizes[i];
	double near = INFINITY, at_home = q->expected_s > 0 ? q->expected_s : 1;
	size_t from = c->n;

	if (t->v[i].n_seen)
		return exp(t->v[i].log_seconds);
	for (size_t k = 0; k < c->n; k++) {
		double far = fabs(log(c->sizes[k].mem_mb / z->mem_mb));

		if (t->v[k].n_seen && far < near) {
			near = far;
			from = k;
		}
	}
	if (from == c->n)
		return at_home * (q->cpus > 0 ? q->cpus : 1) / share(z, q->cpus);
	return exp(t->v[from].log_seconds) * share(&c->sizes[from], q->cpus) / share(z, q->cpus);
}

double choice_seconds(struct choice *c, const struct choice_ask *q, size_t i)
{
	return seconds_at(c, times_of(c, q->shape), q, i);
}

double choice_cost(const struct choice_size *z, unsigned n, double seconds)
{
	return n * (z->per_mb_s * z->mem_mb * seconds + z->per_request);
}

double choice_reward(const struct choice_size *z, unsigned n, double seconds, double f)
{
	return f / (choice_cost(z, n, seconds) * seconds);
}

/* ---- the choice */

struct offer {
	size_t i;
	double seconds, cost, reward;
	bool is_late, is_seen;
};

static bool holds(const struct choice *c, const struct shape_times *t,
		  const struct choice_ask *q, size_t i)
{
	return c->sizes[i].mem_mb >= q->mem_mb && c->sizes[i].mem_mb > t->floor_mb;
}

static struct offer offer_of(const struct choice *c, const struct shape_times *t,
			     const struct choice_ask *q, size_t i)
{
	const struct choice_size *z = &c->sizes[i];
	unsigned n = q->n ? q->n : 1;
	double s = seconds_at(c, t, q, i);
	struct offer o = { i, s, choice_cost(z, n, s), choice_reward(z, n, s, 1), false,
			   t->v[i].n_seen > 0 };

	o.is_late = (q->deadline_s > 0 && s > q->deadline_s) ||
		(z->limit_s > 0 && s > z->limit_s);
	return o;
}

static bool is_better(const struct offer *a, const struct offer *b)
{
	if (a->is_late != b->is_late)
		return b->is_late;
	if (a->is_late)
		return a->seconds < b->seconds;
	if (a->cost * same_cost < b->cost || b->cost * same_cost < a->cost)
		return a->cost < b->cost;
	if (!(a->cost > 0))
		return a->seconds < b->seconds;
	return a->reward > b->reward;
}

static int refuse(const struct choice *c, const struct shape_times *t,
		  const struct choice_ask *q, struct err *e)
{
	double most = 0;

	for (size_t i = 0; i < c->n; i++)
		most = fmax(most, c->sizes[i].mem_mb);
	if (q->mem_mb > most)
		return err_set(e, ERR_REFUSED, "it needs %.0f MB of memory and the largest "
			       "function has %.0f: deploy one with more and name it too",
			       q->mem_mb, most);
	return err_set(e, ERR_REFUSED, "its like wanted more than %.0f MB of memory, as much as "
		       "the largest function has: deploy one with more and name it too",
		       t->floor_mb);
}

/* The best of all, or of those that were seen and end in time. */
static struct offer best_of(const struct choice *c, const struct shape_times *t,
			    const struct choice_ask *q, bool is_known)
{
	struct offer best = { .i = c->n };

	for (size_t i = 0; i < c->n; i++) {
		struct offer o = offer_of(c, t, q, i);

		if (!holds(c, t, q, i) ||
		    (is_known && (o.is_late || !o.is_seen)))
			continue;
		if (best.i == c->n || is_better(&o, &best))
			best = o;
	}
	return best;
}

/* One that was never seen and may be better than the best that was. */
static size_t trial_of(const struct choice *c, const struct shape_times *t,
		       const struct choice_ask *q, const struct offer *best)
{
	for (size_t i = 0; i < c->n && t->v[best->i].n_seen >= SEEN_BEFORE_TRYING; i++) {
		struct offer o = offer_of(c, t, q, i);

		if (!o.is_seen && !t->v[i].n_trying && !o.is_late && holds(c, t, q, i) &&
		    o.cost <= best->cost * try_below)
			return i;
	}
	return best->i;
}

int choice_pick(struct choice *c, const struct choice_ask *q, size_t *out, struct err *e)
{
	struct shape_times *t = times_of(c, q->shape);
	struct offer best = best_of(c, t, q, true);

	if (best.i < c->n)
		*out = trial_of(c, t, q, &best);
	else
		*out = best_of(c, t, q, false).i;
	if (*out == c->n)
		return refuse(c, t, q, e);
	t->v[*out].n_trying++;
	return 0;
}

double choice_dollars(struct choice *c, const struct choice_ask *q)
{
	struct offer best = best_of(c, times_of(c, q->shape), q, false);

	return best.i < c->n ? best.cost : 0;
}
