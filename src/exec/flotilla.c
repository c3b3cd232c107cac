/* flotilla.c - steps that may have one GPU or several
 *
 * Where the policy shares GPUs out (policy.h), a ready step whose model names a
 * range stands in no lane but in a list, until GPUs are free: then the policy says
 * who of the list goes and with how many.  How fast a trainer is on how many GPUs
 * is known from its runs of before, whatever policy held then; a trainer is a
 * command without its seed and what it writes.
 */
#include <math.h>
#include <string.h>
#include "exec_internal.h"
#include "file.h"

enum { GPUS_MOST = 16, MEMBERS_MOST = 256, TRAINERS_MOST = 4096, RECORD_VERSION = 1 };

/* One further GPU of those never tried helps so much less than the one before. */
static const double gain_unknown = 0.98;
/* Rates are in the unit of what is published: the fastest there makes so many
 * images a second on one GPU. */
static const double fastest = 176;

struct trainer {
	double seconds[GPUS_MOST];      /* on so many GPUs and one; 0: not known */
	bool is_dirty;
};

/* ---- who is who */

static bool is_written(const struct thunk *t, const char *word)
{
	const char *at = strchr(word, '=');

	for (size_t i = 0; i < t->n_out; i++)
		if (strcmp(t->out[i].path, word) == 0 ||
		    (at && strcmp(t->out[i].path, at + 1) == 0))
			return true;
	return false;
}

/* No shape's name begins so. */
static void name_trainer(const struct thunk *t, struct buf *out)
{
	struct buf all = { 0 };
	struct id id;

	for (size_t i = 0; i < t->n_args; i++) {
		const char *w = t->args[i];
		bool is_seed = strstr(w, "seed") != NULL;

		if (is_seed && !strchr(w, '='))
			i++;
		if (!is_seed && !is_written(t, w))
			buf_add(&all, w, strlen(w) + 1);
	}
	id = id_of(buf_bytes(&all));
	buf_release(&all);
	buf_printf(out, "\x02%s", id_hex(&id).s);
}

static void load(struct exec *x, struct bytes key, struct trainer *t)
{
	struct bytes b;
	struct err e;

	if (store_table_get(x->o.store, TABLE_SHAPE, key, &x->scratch, &b, &e) < 0 ||
	    b.n != 1 + sizeof t->seconds || b.p[0] != RECORD_VERSION)
		return;
	memcpy(t->seconds, b.p + 1, sizeof t->seconds);
	for (int i = 0; i < GPUS_MOST; i++)
		if (!(t->seconds[i] > 0 && t->seconds[i] < 1e9))
			t->seconds[i] = 0;
}

void flotilla_look(struct exec *x, struct node *n, const struct thunk *t)
{
	struct trainer *known;
	struct bytes key;

	n->trainer = NULL;
	if (n->gpus_most <= n->gpus || x->trainers.n >= TRAINERS_MOST)
		return;
	buf_reset(&x->text);
	name_trainer(t, &x->text);
	known = map_get(&x->trainers, buf_bytes(&x->text));
	if (!known) {
		key = arena_bytes(&x->keep, buf_bytes(&x->text));
		known = arena_alloc(&x->keep, sizeof *known);
		*known = (struct trainer){ .is_dirty = false };
		load(x, key, known);
		*map_at(&x->trainers, key) = known;
	}
	n->trainer = known;
}

/* ---- how fast */

static double gain(double gpus)
{
	return gpus * pow(gain_unknown, gpus - 1);
}

/* From what is known of the nearest number of GPUs; 0: nothing is. */
static double seconds_on(const struct trainer *t, int gpus)
{
	for (int d = 0; d < GPUS_MOST; d++)
		for (int side = -1; side <= 1; side += 2) {
			int k = gpus + side * d;

			if (k >= 1 && k <= GPUS_MOST && t->seconds[k - 1] > 0)
				return t->seconds[k - 1] * gain(k) / gain(gpus);
		}
	return 0;
}

double flotilla_seconds(const struct node *n)
{
	return n->trainer ? seconds_on(n->trainer, (int)n->gpus) : 0;
}

void flotilla_learn(const struct run *r, double seconds)
{
	struct trainer *t = r->node->trainer;
	int gpus = (int)r->needs.gpus;
	double *known;

	if (!t || gpus < 1 || gpus > GPUS_MOST || !(seconds > 0))
		return;
	known = &t->seconds[gpus - 1];
	*known = *known > 0 ? *known + (seconds - *known) / 4 : seconds;
	t->is_dirty = true;
}

int flotilla_flush(struct exec *x, struct err *e)
{
	struct bytes key;
	size_t pos = 0;
	void *value;

	while (map_each(&x->trainers, &pos, &key, &value)) {
		struct trainer *t = value;
		char record[1 + sizeof t->seconds] = { RECORD_VERSION };

		if (!t->is_dirty)
			continue;
		t->is_dirty = false;
		memcpy(record + 1, t->seconds, sizeof t->seconds);
		if (store_table_put(x->o.store, TABLE_SHAPE, key,
				    (struct bytes){ record, sizeof record }, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- who goes */

struct rates {
	double v[GPUS_MOST + 1];
};

static double rate(const struct node *n, int gpus, double least_s)
{
	double s = n->trainer ? seconds_on(n->trainer, gpus) : 0;

	return fastest * least_s / (s > 0 ? s : profile_seconds(n->shape) / gain(gpus));
}

static int most_of(const struct node *n)
{
	return n->gpus_most < GPUS_MOST ? n->gpus_most : GPUS_MOST;
}

/* Beyond what its model allows no GPU helps. */
static struct fleet_member member_of(const struct node *n, double least_s, struct rates *r)
{
	int most = most_of(n);

	for (int i = 1; i <= most; i++)
		r->v[i - 1] = rate(n, i, least_s);
	r->v[most] = r->v[most - 1];
	return (struct fleet_member){ r->v, (size_t)most + 1 };
}

/* GPUs that nothing has, and that nothing that is ready waits for. */
static unsigned free_gpus(const struct exec *x, const struct site *s)
{
	double left = s->room.gpus - s->used.gpus;

	for (size_t i = 0; i < x->n_lanes; i++)
		if (x->lanes[i].sites & site_bit(x, s))
			left -= (double)x->lanes[i].gpus * (double)x->lanes[i].heap.n;
	return left >= 1 ? (unsigned)(left + 1e-6) : 0;
}

/* The pace of those that run there, or 0. */
static double pace(const struct exec *x, const struct site *s, double least_s)
{
	double least = 0;

	for (size_t i = 0; i < x->training.n; i++) {
		const struct node *n = x->training.v[i];
		double now = rate(n, (int)n->gpus, least_s);

		if (n->trains_on == s - x->sites)
			least = least > 0 ? fmin(least, now) : now;
	}
	return least;
}

void flotilla_starts(struct exec *x, struct node *n, const struct site *s)
{
	if (!n->trainer)
		return;
	n->trains_on = (uint8_t)(s - x->sites);
	list_add(&x->training, n);
}

void flotilla_ends(struct exec *x, const struct node *n)
{
	for (size_t i = 0; n->trainer && i < x->training.n; i++)
		if (x->training.v[i] == n) {
			x->training.v[i] = x->training.v[--x->training.n];
			return;
		}
}

/* Does an engine take n with so many?  Else with as many as it needs at least. */
static void give(struct exec *x, struct node *n, unsigned gpus)
{
	const float least = n->gpus;
	const uint32_t sites = n->sites;
	struct thunk t;
	struct bytes text;
	struct err e;

	n->gpus = (float)gpus;
	if (x->o.store && node_thunk(x, n, &x->scratch, &t, &text, &e) == 0 &&
	    sites_accept(x, n, &t, text, &e) == 0)
		n->sites &= sites;
	else if (x->o.store)
		n->sites = 0;
	if (!n->sites) {
		n->gpus = least;
		n->sites = sites;
	}
	sched_ready_now(x, n);
}

/* Who is chosen goes, the others wait on. */
static void send(struct exec *x, struct node **v, size_t n, unsigned *gpus, unsigned left)
{
	for (size_t i = 0; i < n; i++) {
		unsigned least = (unsigned)v[i]->gpus;

		if (gpus[i] && gpus[i] < least && left >= least - gpus[i]) {
			left -= least - gpus[i];
			gpus[i] = least;
		}
		if (gpus[i] < least) {
			heap_push(&x->elastic, v[i]);
			continue;
		}
		x->n_ready--;
		give(x, v[i], gpus[i]);
	}
}

/* The most urgent of those that may run there, at most one for each GPU, so that
 * what takes longest is not left to the end; FLEET itself knows paces and no
 * lengths.  Those of other engines are looked through, and stay. */
static size_t candidates(struct exec *x, const struct site *s, size_t most, struct node **v)
{
	struct node *others[MEMBERS_MOST], *one;
	size_t n = 0, n_others = 0;

	while (n < most && n_others < MEMBERS_MOST && (one = heap_pop(&x->elastic))) {
		if (one->sites & site_bit(x, s))
			v[n++] = one;
		else
			others[n_others++] = one;
	}
	while (n_others)
		heap_push(&x->elastic, others[--n_others]);
	return n;
}

/* One flotilla. */
static void form(struct exec *x, const struct site *s, unsigned free)
{
	struct node *v[MEMBERS_MOST];
	struct fleet_member members[MEMBERS_MOST];
	struct rates *rates = arena_alloc(&x->scratch, MEMBERS_MOST * sizeof *rates);
	unsigned gpus[MEMBERS_MOST] = { 0 }, used;
	double least_s = INFINITY;
	bool are_few = (double)(x->elastic.n + x->training.n) <= s->room.gpus;
	size_t most = are_few || free > MEMBERS_MOST ? MEMBERS_MOST : free;
	size_t n = candidates(x, s, most, v);

	for (size_t i = 0; i < n; i++)
		least_s = fmin(least_s, 1 / rate(v[i], 1, 1 / fastest));
	for (size_t i = 0; i < n; i++)
		members[i] = member_of(v[i], least_s, &rates[i]);
	used = x->o.policy->share(members, n, NULL, free, FLEET_DELTA, pace(x, s, least_s), gpus);
	send(x, v, n, gpus, free - used);
}

bool flotilla_takes(struct exec *x, struct node *n)
{
	if (!x->o.policy || !x->o.policy->share || n->gpus_most <= n->gpus_least)
		return false;
	/* It may have run with more before. */
	n->gpus = n->gpus_least;
	n->state = NODE_READY;
	heap_push(&x->elastic, n);
	x->n_ready++;
	return true;
}

void flotilla_form(struct exec *x)
{
	for (size_t i = 0; i < x->n_sites && x->elastic.n; i++) {
		const struct site *s = &x->sites[i];
		unsigned free = site_is_open(x, s) ? free_gpus(x, s) : 0, before = 0;

		/* What one cannot use is for the next. */
		for (; free && free != before && x->elastic.n; free = free_gpus(x, s)) {
			before = free;
			form(x, s, free);
		}
	}
}
