/* drive.c - want outputs, serve the loop until they are there, say how it went */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "gg.h"
#include "locked.h"

/* What runs may end by itself for so long after the first Ctrl-C. */
enum { GRACE_MS = 3000 };
/* How often engines are asked why nothing comes. */
enum { WHY_MS = 2000 };

struct open_want {
	struct drive *d;
	struct id thunk;
	char *path;
};

void drive_saw(struct drive *d, const struct id *thunk)
{
	struct id *own;

	if (map_get(&d->seen, id_key(thunk)))
		return;
	own = arena_alloc(&d->arena, sizeof *own);
	*own = *thunk;
	*map_at(&d->seen, id_key(own)) = own;
	d->n_thunks++;
}

static void on_event(void *arg, const struct exec_event *ev)
{
	struct drive *d = arg;

	if (ev->thunk)
		drive_saw(d, ev->thunk);
	if (ev->kind == EXEC_STARTED)
		forecast_look(d);
	record_event(d->record, ev);
	prometheus_event(d->prometheus, ev);
	tally_note(d, ev);
	fallback_note(d, ev);
	if (!relearn_note(d, ev))
		ui_event(d->ui, ev);
}

static void interrupted(void *arg)
{
	struct drive *d = arg;

	if (d->n_interrupts++ == 0) {
		ui_clear(d->ui);
		note("stopping: what runs has %d s to end; once more, and it is ended now",
		     GRACE_MS / 1000);
		exec_stop(d->c->exec, GRACE_MS);
	} else {
		exec_stop(d->c->exec, 0);
	}
	if (d->draining)
		*d->draining = true;
	if (d->session)
		session_kill(d->session, d->n_interrupts == 1 ? SIGINT : SIGKILL);
}

/* Reasons are told once, until there are others. */
static void look_why(void *arg)
{
	struct drive *d = arg;
	struct ctx *c = d->c;
	struct buf all = { 0 };
	bool is_new;

	/* While a script is busy by itself nothing waits. */
	for (size_t i = 0; i < c->n_engines && exec_is_busy(c->exec); i++) {
		const struct engine *en = &c->engines[i];
		const char *why = en->ops->why_waiting ? en->ops->why_waiting(en->backend) : NULL;

		if (why)
			buf_printf(&all, "%s%s", all.n ? "\n" : "", why);
	}
	/* Between two looks room may just have come. */
	if (!all.n && exec_is_stuck(c->exec, &all) && !d->was_stuck) {
		d->was_stuck = true;
		buf_reset(&all);
	} else if (!all.n) {
		d->was_stuck = false;
	}
	is_new = all.n && (!d->told_why || strcmp(d->told_why, all.p) != 0);
	if (all.n ? is_new || !d->is_why_open : d->is_why_open)
		record_waits(d->record, all.n ? all.p : "");
	d->is_why_open = all.n > 0;
	if (is_new) {
		free(d->told_why);
		d->told_why = mem_str(all.p);
		if (!c->o.quiet) {
			ui_clear(d->ui);
			note("%s", all.p);
		}
	}
	buf_release(&all);
	d->why_timer = loop_after(c->loop, WHY_MS, look_why, d);
}

void drive_begin(struct drive *d, struct ctx *c)
{
	struct exec_opts o = {
		.loop = c->loop, .store = c->store, .project = &c->project,
		.engines = c->engines, .n_engines = c->n_engines,
		.depot = c->depot, .retries = c->o.retries, .timeout_s = c->o.timeout_s,
		.keeps_going = c->o.keep_going, .is_hermetic = c->o.hermetic,
		.policy = c->o.policy, .fuses = !c->o.no_fuse,
		.preempts = c->o.preempt,
		.event = on_event, .arg = d,
	};
	struct err e;

	*d = (struct drive){ .c = c, .begun_ms = loop_now_ms(c->loop) };
	engines_set_prices(c);
	if ((c->o.locked && locked_open(c, &d->locked, &e) < 0) ||
	    (c->o.metrics && prometheus_open(c, &d->prometheus, &e) < 0) ||
	    exec_new(&o, &c->exec, &e) < 0) {
		note("%s", e.text);
		exit(e.code == ERR_USAGE ? EXIT_USAGE : EXIT_STORE);
	}
	d->ui = ui_new(c);
	d->record = record_begin(c);
	d->why_timer = loop_after(c->loop, WHY_MS, look_why, d);
	d->sigint = loop_signal(c->loop, SIGINT, interrupted, d);
	d->sigterm = loop_signal(c->loop, SIGTERM, interrupted, d);
}

/* Thunks are counted, not their outputs: one that is made after all counts
 * once less. */
static void note_unmade(struct drive *d, const struct id *thunk)
{
	struct id *own;

	if (map_get(&d->unmade, id_key(thunk)))
		return;
	d->n_unmade++;
	own = arena_alloc(&d->arena, sizeof *own);
	*own = *thunk;
	*map_at(&d->unmade, id_key(own)) = own;
}

static void want_done(void *arg, const struct err *e)
{
	struct open_want *w = arg;
	struct drive *d = w->d;

	if (e) {
		note_unmade(d, &w->thunk);
		if (e->code != ERR_FAILED && !d->n_interrupts) {
			ui_clear(d->ui);
			if (strncmp(e->text, w->path, strlen(w->path)) == 0)
				note("%s", e->text);
			else
				note("%s: %s", w->path, e->text);
		}
	}
	d->is_idle = --d->n_open == 0;
	free(w->path);
	free(w);
}

bool drive_may_want(struct drive *d, const char *path, const struct placeholder *ph)
{
	return !d->locked || locked_allows(d->locked, path, ph);
}

int drive_want(struct drive *d, const struct memo_want *mw, struct err *e)
{
	struct open_want *w;
	struct want want = { .thunk = mw->ph.thunk, .out = mw->ph.out, .path = mw->path,
			     .done = want_done };

	if (!drive_may_want(d, mw->path, &mw->ph))
		return 0;
	w = want.arg = mem_alloc(sizeof *w);
	record_want(d->record, mw->path, &mw->ph);
	*w = (struct open_want){ d, mw->ph.thunk, mem_str(mw->path) };
	drive_saw(d, &mw->ph.thunk);
	if (exec_want(d->c->exec, &want, e) < 0) {
		free(w->path);
		free(w);
		return -1;
	}
	d->n_open++;
	d->is_idle = false;
	return 0;
}

void drive_finish(struct drive *d)
{
	d->is_finishing = true;
	if (d->n_open)
		loop_run(d->c->loop, &d->is_idle);
	d->is_finishing = false;
}

/* Nothing more is to come: put the line away, and what was made on disk. */
static int settle(struct drive *d)
{
	struct err e;
	int rc = EXIT_FINE;

	loop_turn(d->c->loop);
	drive_drain(d);
	ui_free(d->ui);
	loop_cancel(d->why_timer);
	free(d->told_why);
	loop_unwatch(d->sigint);
	loop_unwatch(d->sigterm);
	tally_keep(d);
	if (d->has_asked && !d->relearns)
		note("a learned model says too little: gg run of the script that wants this "
		     "learns it again");
	if (store_settle(d->c->store, &e) < 0) {
		note("%s", e.text);
		d->c->has_told = true;
		rc = EXIT_STORE;
	}
	engines_notice(d->c);
	return rc;
}

static void free_maps(struct drive *d)
{
	prometheus_close(d->prometheus);
	map_release(&d->seen);
	map_release(&d->unmade);
	map_release(&d->gone);
	map_release(&d->insatiable);
	map_release(&d->ended);
	locked_free(d->locked);
	arena_release(&d->arena);
}

/* Neither made before nor now, nor tried: left out after a failure or an
 * interruption, or only promised. */
static bool is_left(struct drive *d, const struct id *thunk)
{
	enum exec_stage stage = exec_stage(d->c->exec, thunk);
	struct arena a = { 0 };
	struct result r;
	struct err e;
	bool is_known;

	if (stage != EXEC_UNMET)
		return stage == EXEC_OPEN;
	is_known = store_get_result(d->c->store, thunk, &a, &r, &e) == 0;
	arena_release(&a);
	return !is_known;
}

static size_t count_cached(struct drive *d, const struct exec_counts *n)
{
	size_t others = n->forced + n->failed + n->unrun, pos = 0;
	struct bytes key;
	struct id id;
	void *is_seen;

	while (map_each(&d->seen, &pos, &key, &is_seen)) {
		memcpy(id.b, key.p, sizeof id.b);
		others += is_seen && is_left(d, &id);
	}
	return d->n_thunks > others ? d->n_thunks - others : 0;
}

int drive_end(struct drive *d)
{
	struct exec_counts n;
	size_t cached;
	double seconds;
	json_t *end, *predicted;
	bool has_failed;
	int rc;

	loop_turn(d->c->loop);
	exec_counts(d->c->exec, &n);
	n.failed += d->n_answered - d->n_failed_gone;
	n.unrun -= d->n_unrun_gone;
	rc = settle(d);
	seconds = (double)(loop_now_ms(d->c->loop) - d->begun_ms) / 1e3;
	cached = count_cached(d, &n);
	forecast_end(d);
	if (!d->c->o.json)
		summary_print(d, &n, cached, seconds);
	has_failed = n.failed > d->n_heard && !d->is_answered;
	if (rc == EXIT_FINE && (has_failed || d->n_unmade || d->n_interrupts || d->script_failed))
		rc = EXIT_THUNK;
	if (d->locked && locked_end(d->locked, d->is_script && rc == EXIT_FINE) &&
	    rc == EXIT_FINE)
		rc = EXIT_THUNK;
	end = summary_json(d, &n, cached, seconds);
	predicted = forecast_json(d);
	if (predicted)
		json_object_set_new(end, "predicted", predicted);
	json_object_set_new(end, "status", json_integer(rc));
	record_end(d->record, end);
	free_maps(d);
	return rc;
}

void drive_quit(struct drive *d)
{
	settle(d);
	record_end(d->record, NULL);
	free_maps(d);
}
