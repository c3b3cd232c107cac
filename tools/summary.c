/* summary.c - how a force went: one line, or JSON; and what is still on its way
 *
 * As JSON it is the last line of the journal: forced, cached, remote (of the cached,
 * what only remotes knew), failed, unrun (what needed one that failed), seconds,
 * interrupted, retried (starts that were made again), duplicated (runs that took
 * so long that a second was started), stopped (runs that ended early, to go on
 * from their checkpoint), fused (steps that ran several in one process),
 * companies (those processes), engines (one object each: engine, ran,
 * seconds, dollars), status.  Names are never renamed, and new ones may come.
 */
#include <string.h>
#include "gg.h"
#include "journal.h"
#include "keep.h"

static bool is_plain(const struct ctx *c)
{
	struct engine_counts n;

	if (c->n_engines != 1 || !c->engines[0].ops->is_here)
		return false;
	exec_engine_counts(c->exec, 0, &n);
	return n.dollars <= 0;
}

/* "64 on lambda ($0.0021)", "1 here". */
static void add_engine(const struct ctx *c, size_t i, bool *is_first, struct buf *b)
{
	const struct engine *en = &c->engines[i];
	struct engine_counts n;
	bool shares_name = false;

	exec_engine_counts(c->exec, i, &n);
	if (!n.n_ran)
		return;
	for (size_t k = 0; k < c->n_engines; k++)
		shares_name |= k != i && c->engines[k].ops == en->ops;
	buf_printf(b, "%s%zu %s%s", *is_first ? "; ran " : ", ", n.n_ran,
		   en->ops == &backend_local ? "here" : "on ",
		   en->ops == &backend_local ? "" : shares_name ? en->uri : en->ops->name);
	if (n.dollars > 0)
		buf_printf(b, " ($%.4f)", n.dollars);
	*is_first = false;
}

void summary_print(const struct drive *d, const struct exec_counts *n, size_t cached,
		   double seconds)
{
	struct buf b = { 0 };
	bool is_first = true;

	if (n->fused)
		note("%zu steps ran in %zu process%s (--no-fuse: each in its own)", n->fused,
		     n->companies, n->companies == 1 ? "" : "es");
	buf_printf(&b, "forced %zu, cached %zu", n->forced, cached);
	if (n->remote)
		buf_printf(&b, " (%zu from remotes)", n->remote);
	buf_printf(&b, ", failed %zu, %.1f s", n->failed, seconds);
	for (size_t i = 0; i < d->c->n_engines && !is_plain(d->c); i++)
		add_engine(d->c, i, &is_first, &b);
	puts(b.p);
	buf_release(&b);
}

json_t *summary_json(const struct drive *d, const struct exec_counts *n, size_t cached,
		     double seconds)
{
	json_t *engines = json_array();

	for (size_t i = 0; i < d->c->n_engines; i++) {
		struct engine_counts one;

		exec_engine_counts(d->c->exec, i, &one);
		json_array_append_new(engines, json_pack(
			"{s:s s:I s:f s:f}", "engine", d->c->engines[i].uri, "ran",
			(json_int_t)one.n_ran, "seconds", one.seconds, "dollars", one.dollars));
	}
	return json_pack("{s:I s:I s:I s:I s:I s:f s:b s:I s:I s:I s:I s:I s:o}", "forced",
			 (json_int_t)n->forced, "cached", (json_int_t)cached, "remote",
			 (json_int_t)n->remote, "failed", (json_int_t)n->failed, "unrun",
			 (json_int_t)n->unrun, "seconds", seconds, "interrupted",
			 d->n_interrupts > 0, "retried", (json_int_t)n->retried, "duplicated",
			 (json_int_t)n->duplicated, "stopped", (json_int_t)n->stopped, "fused",
			 (json_int_t)n->fused, "companies", (json_int_t)n->companies, "engines",
			 engines);
}


/* Outlives the drive: it may be called back while engines close. */
struct draining {
	bool is_done;
	struct err e;
};

static void drained(void *arg, const struct err *e)
{
	struct draining *w = arg;

	if (e)
		w->e = *e;
	w->is_done = true;
}

void drive_drain(struct drive *d)
{
	struct draining *w;
	struct depot_counts n;

	if (!d->c->depot)
		return;
	w = arena_alloc(&d->c->arena, sizeof *w);
	d->draining = &w->is_done;
	depot_drain(d->c->depot, drained, w);
	if (!d->n_interrupts && !w->is_done)
		loop_run(d->c->loop, &w->is_done);
	d->draining = NULL;
	depot_counts(d->c->depot, &n);
	ui_clear(d->ui);
	if (n.n_waiting)
		note("%llu objects and results were not written to remotes; gg push does it",
		     (unsigned long long)n.n_waiting);
	else if (w->e.code)
		note("not all could be written to remotes: %s", w->e.text);
	if (!d->n_interrupts)
		keep_at_remotes(d->c);
}
