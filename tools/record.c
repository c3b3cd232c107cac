/* record.c - what a drive writes down of its run, and says as it goes with --json */
#include <stdlib.h>
#include <string.h>
#include "gg.h"
#include "journal.h"
#include "live.h"
#include "trace.h"

enum { PROGRESS_MS = 1000, FEW_TARGETS = 1000, TARGETS_MAX = 20000 };

struct record {
	struct ctx *c;
	struct journal *journal;
	struct live *live;
	struct timer *timer;
	struct journal_target *targets;
	size_t n_targets, room;
	bool has_run;                   /* something ran: targets are worth a line,
					 * however many */
	const char **engines;
};

static void say(void *arg, struct bytes line)
{
	(void)arg;
	fwrite(line.p, 1, line.n, stdout);
	fflush(stdout);
}

static void progress(void *arg)
{
	struct record *r = arg;
	struct exec_counts n;

	r->timer = loop_after(r->c->loop, PROGRESS_MS, progress, r);
	if (!r->c->exec)
		return;
	exec_counts(r->c->exec, &n);
	if (n.running || n.waiting)
		journal_progress(r->journal, &n);
}

struct record *record_begin(struct ctx *c)
{
	struct record *r = mem_alloc(sizeof *r);
	struct journal_opts o = { .loop = c->loop, .store = c->store,
				  .store_dir = c->project.store_dir, .command = c->command };

	*r = (struct record){ .c = c };
	r->engines = arena_alloc(&c->arena, (c->n_engines + 1) * sizeof *r->engines);
	for (size_t i = 0; i < c->n_engines; i++)
		r->engines[i] = c->engines[i].uri;
	r->engines[c->n_engines] = NULL;
	o.engines = r->engines;
	if (c->o.json && c->o.events) {
		o.line = say;
		r->timer = loop_after(c->loop, PROGRESS_MS, progress, r);
	}
	r->journal = journal_open(&o);
	r->live = live_new(c->project.store_dir, journal_run(r->journal));
	return r;
}

void record_event(struct record *r, const struct exec_event *ev)
{
	r->has_run |= ev->kind == EXEC_STARTED;
	live_event(r->live, ev);
	journal_event(r->journal, ev);
}

void record_waits(struct record *r, const char *text)
{
	journal_waits(r->journal, text);
}

void record_want(struct record *r, const char *path, const struct placeholder *ph)
{
	struct arena *a = &r->c->arena;

	if (r->n_targets == TARGETS_MAX)
		return;
	if (r->n_targets == r->room) {
		r->room = r->room ? 2 * r->room : 64;
		r->targets = mem_grow(r->targets, r->room * sizeof *r->targets);
	}
	r->targets[r->n_targets++] = (struct journal_target){
		arena_str(a, path), { ph->thunk, arena_str(a, ph->out) } };
}

static void write_trace(struct ctx *c, const char *run)
{
	struct bytes text;
	struct err e;

	if (journal_read(c->project.store_dir, run, &c->arena, &text, &e) < 0 ||
	    trace_write(text, c->o.trace, &e) < 0)
		note("--trace: %s", e.text);
}

void record_end(struct record *r, json_t *end)
{
	const bool has_end = end;
	const char *run;
	struct err e;

	if (!r) {
		json_decref(end);
		return;
	}
	if (r->timer)
		loop_cancel(r->timer);
	if (end && (r->has_run || r->n_targets <= FEW_TARGETS))
		journal_targets(r->journal, r->targets, r->n_targets);
	run = arena_str(&r->c->arena, journal_run(r->journal));
	if (journal_close(r->journal, end, &e) < 0)
		note("this run cannot be looked at later: %s", e.text);
	else if (r->c->o.trace && has_end)
		write_trace(r->c, run);
	live_free(r->live);
	free(r->targets);
	free(r);
}
