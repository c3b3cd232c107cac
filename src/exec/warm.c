/* warm.c - keep-alive and pre-warming by the idle times that were seen
 *
 * Percentiles are taken of the idle times themselves, of which there are at
 * most a thousand, instead of a histogram's bins: no bin width has to suit both
 * seconds and hours.
 */
#include "warm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_VERSION = 1, BREATH_MS = 2000 };

static double or_default(double v, double otherwise)
{
	return v > 0 ? v : otherwise;
}

void warm_init(struct warm *w, const struct warm_opts *o)
{
	memset(w, 0, sizeof *w);
	w->o = (struct warm_opts){
		.gamma = or_default(o->gamma, 0.5), .long_s = or_default(o->long_s, 86400),
		.short_s = or_default(o->short_s, 3600), .head = or_default(o->head, 0.05),
		.tail = or_default(o->tail, 0.99), .margin = or_default(o->margin, 0.1),
		.start_s = or_default(o->start_s, 60),
		.keep_s = or_default(o->keep_s, 60), .n_least = o->n_least ? o->n_least : 4,
	};
}

void warm_note(struct warm *w, double at_s, double idle_s)
{
	if (!isfinite(at_s) || !isfinite(idle_s) || idle_s < 0)
		return;
	w->seen[w->next].at_s = at_s;
	w->seen[w->next].idle_s = idle_s;
	w->next = (w->next + 1) % WARM_MOST;
	w->n += w->n < WARM_MOST;
	w->n_noted++;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct window {
	double v[WARM_MOST];
	size_t n;
};

/* The idle times of arrivals since then, sorted. */
static void look_back(const struct warm *w, double since_s, struct window *out)
{
	out->n = 0;
	for (size_t i = 0; i < w->n; i++)
		if (w->seen[i].at_s >= since_s)
			out->v[out->n++] = w->seen[i].idle_s;
	qsort(out->v, out->n, sizeof *out->v, by_size);
}

/* The smallest value that is not below this share of them. */
static double percentile(const struct window *l, double share)
{
	size_t i = (size_t)ceil(share * (double)l->n);

	return l->v[i ? (i < l->n ? i - 1 : l->n - 1) : 0];
}

struct warm_plan warm_plan(const struct warm *w, double now_s)
{
	struct warm_plan p = { .keep_s = w->o.keep_s };
	struct window l, s;
	double gamma = w->o.gamma;

	look_back(w, now_s - w->o.long_s, &l);
	look_back(w, now_s - w->o.short_s, &s);
	if (l.n < w->o.n_least)
		return p;
	/* A short window with nothing to say leaves it to the long one. */
	if (s.n < w->o.n_least)
		gamma = 1;
	p.is_learned = true;
	p.away_s = gamma * percentile(&l, w->o.head);
	p.keep_s = gamma * percentile(&l, w->o.tail);
	if (gamma < 1) {
		p.away_s += (1 - gamma) * percentile(&s, w->o.head);
		p.keep_s += (1 - gamma) * percentile(&s, w->o.tail);
	}
	p.away_s *= 1 - w->o.margin;
	p.keep_s *= 1 + w->o.margin;
	/* To be back in time it has to be called for as long as it takes. */
	p.away_s = p.away_s < 2 * w->o.start_s ? 0 : p.away_s - w->o.start_s;
	return p;
}

static struct bytes key_of(const char *place, struct arena *a)
{
	return bytes_str(arena_printf(a, "warm %s", place));
}

int warm_load(struct warm *w, struct store *s, const char *place, struct err *e)
{
	struct arena a = { 0 };
	struct bytes b;
	int rc = store_table_get(s, TABLE_RUN, key_of(place, &a), &a, &b, e);

	if (rc < 0 && e->code == ERR_MISSING)
		rc = 0;
	else if (rc == 0 && b.n && b.p[0] == RECORD_VERSION)
		for (size_t at = 1; at + 16 <= b.n && at < 16 * WARM_MOST; at += 16) {
			double v[2];

			memcpy(v, b.p + at, sizeof v);
			warm_note(w, v[0], v[1]);
		}
	arena_release(&a);
	return rc;
}

int warm_save(const struct warm *w, struct store *s, const char *place, struct err *e)
{
	size_t first = w->n < WARM_MOST ? 0 : w->next;
	struct buf b = { 0 };
	struct arena a = { 0 };
	double newest = 0;
	int rc;

	buf_char(&b, RECORD_VERSION);
	for (size_t i = 0; i < w->n; i++)
		newest = fmax(newest, w->seen[i].at_s);
	for (size_t i = 0; i < w->n; i++) {
		size_t k = (first + i) % WARM_MOST;
		const double v[2] = { w->seen[k].at_s, w->seen[k].idle_s };

		if (v[0] >= newest - w->o.long_s)
			buf_add(&b, v, sizeof v);
	}
	rc = store_table_put(s, TABLE_RUN, key_of(place, &a), buf_bytes(&b), e);
	buf_release(&b);
	arena_release(&a);
	return rc;
}

/* ---- as time passes */

void warm_idle_begins(struct warm_watch *w, uint64_t now_ms, double at_s, size_t n_up)
{
	if (w->idle_since_ms)
		return;
	w->idle_since_ms = now_ms;
	w->n_before = n_up;
	w->plan = warm_plan(&w->warm, at_s);
	if (w->keep_s > 0)
		w->plan = (struct warm_plan){ .keep_s = w->keep_s };
}

void warm_idle_ends(struct warm_watch *w, uint64_t now_ms, double at_s)
{
	uint64_t idle_ms = now_ms - w->idle_since_ms;

	/* A breath between two steps is no idle time. */
	if (w->idle_since_ms && idle_ms >= BREATH_MS)
		warm_note(&w->warm, at_s, (double)idle_ms / 1000);
	w->idle_since_ms = 0;
}

size_t warm_least(const struct warm_watch *w, uint64_t now_ms, size_t least)
{
	double idle_s = (double)(now_ms - w->idle_since_ms) / 1000;
	bool is_expected = w->idle_since_ms && idle_s >= w->plan.away_s &&
		idle_s < w->plan.keep_s;

	return is_expected && w->n_before > least ? w->n_before : least;
}

bool warm_is_expected(const struct warm_watch *w, uint64_t now_ms)
{
	return w->idle_since_ms && w->n_before &&
		(double)(now_ms - w->idle_since_ms) / 1000 < w->plan.keep_s;
}
