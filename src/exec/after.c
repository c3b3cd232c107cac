/* after.c - what follows a run that ended badly: again, elsewhere, or the end
 *
 * One table, keyed by how it ended; no other place knows.  A try that is worth
 * making again is made at once the first time, and later after a pause that
 * doubles, on another engine where the fault may be this one's.
 */
#include <string.h>
#include "exec_internal.h"

enum {
	PAUSE_MS = 100, PAUSE_MOST_MS = 30000,
	MEM_LEAST_MIB = 256,            /* doubled when nothing was said */
};

static const struct rule {
	unsigned tries;         /* starts in all, of its own failures or of others' */
	bool is_program;        /* --retries adds to them */
	bool is_free;           /* it never began: no try, the engine rests */
	bool elsewhere;         /* the next start is on another engine */
	bool is_ill;            /* the engine's fault, or its workers' */
	bool rewinds;           /* what is gone is made again first */
	bool grows;             /* again with twice the memory */
	bool asks_more;         /* of a watched one: its model is at fault */
	const char *text;       /* when the engine gives none */
} rules[RUN_STATUS_COUNT] = {
	[RUN_OK]          = { .tries = 1 },
	[RUN_EXITED]      = { .tries = 1, .is_program = true,
			      .text = "it ended with exit status" },
	[RUN_SIGNALED]    = { .tries = 1, .is_program = true,
			      .text = "it was killed by signal" },
	[RUN_TIMED_OUT]   = { .tries = 1, .is_program = true,
			      .text = "it took longer than its time hint" },
	[RUN_NOT_STARTED] = { .tries = 1, .text = "it could not be started" },
	[RUN_NO_OUTPUT]   = { .tries = 1, .is_program = true, .asks_more = true,
			      .text = "a declared output is missing" },
	[RUN_BAD_OUTPUT]  = { .tries = 1, .asks_more = true,
			      .text = "an output is no file or directory" },
	[RUN_WROTE_INPUT] = { .tries = 1, .asks_more = true,
			      .text = "it changed one of its inputs" },
	[RUN_UNDECLARED]  = { .tries = 1, .asks_more = true,
			      .text = "it asked for what it does not name" },
	[RUN_LOST_INPUT]  = { .tries = 4, .rewinds = true, .text = "an input is gone" },
	[RUN_CELL_FAILED] = { .tries = 3, .elsewhere = true, .is_ill = true,
			      .text = "the place it ran in failed" },
	[RUN_OUT_OF_MEMORY] = { .tries = 3, .grows = true,
				.text = "it wanted more memory than it may have" },
	/* What it wrote itself, and others that ran beside it, may be gone by then. */
	[RUN_DISK_FULL] = { .tries = 2, .elsewhere = true,
			    .text = "no room was left on the disk that it writes to" },
	[RUN_LOST_WORKER] = { .tries = 4, .elsewhere = true, .is_ill = true,
			      .text = "the worker that had it is gone" },
	[RUN_THROTTLED]   = { .is_free = true, .text = "the place takes no more just now" },
	[RUN_STOPPED]     = { .tries = 1, .text = "it is ended early each time, before it gets "
			      "any further" },
	[RUN_UNREACHABLE] = { .tries = 4, .elsewhere = true, .is_ill = true,
			      .text = "its objects could not be moved" },
	/* Half a minute without a network is no reason to give up a night's work. */
	[RUN_OUT_OF_REACH] = { .tries = 10, .elsewhere = true, .is_ill = true,
			       .text = "the place it was to run in could not be reached" },
};

/* ---- again */

static void rest_is_over(void *arg)
{
	struct exec *x = arg;
	uint64_t now = loop_now_ms(x->o.loop), first = UINT64_MAX;
	size_t kept = 0;

	x->pause_timer = NULL;
	for (size_t i = 0; i < x->n_paused; i++) {
		struct paused p = x->paused[i];

		if (p.due_ms <= now) {
			sched_ready(x, p.node);
			continue;
		}
		first = p.due_ms < first ? p.due_ms : first;
		x->paused[kept++] = p;
	}
	x->n_paused = kept;
	if (kept)
		x->pause_timer = loop_after(x->o.loop, first - now, rest_is_over, x);
	exec_pump(x);
}

static void pause_node(struct exec *x, struct node *n)
{
	unsigned doubled = n->n_tries > 2 ? n->n_tries - 2u : 0;
	double ms = PAUSE_MS * (double)(1u << (doubled < 12 ? doubled : 12));
	uint64_t wait;

	ms = ms < PAUSE_MOST_MS ? ms : PAUSE_MOST_MS;
	wait = (uint64_t)(ms * (0.5 + exec_random(x) / 2));
	if (x->n_paused == x->paused_room) {
		x->paused_room = x->paused_room ? x->paused_room * 2 : 16;
		x->paused = mem_grow(x->paused, x->paused_room * sizeof *x->paused);
	}
	n->state = NODE_PAUSED;
	x->paused[x->n_paused++] = (struct paused){ n, loop_now_ms(x->o.loop) + wait };
	if (x->pause_timer)
		loop_cancel(x->pause_timer);
	/* Whoever is first is found when it fires. */
	x->pause_timer = loop_after(x->o.loop, wait < PAUSE_MS ? wait : PAUSE_MS,
				    rest_is_over, x);
}

static void again(struct exec *x, struct run *r, const struct rule *p)
{
	struct node *n = r->node;

	x->n_retried++;
	if (p->elsewhere)
		n->avoids = site_bit(x, r->site);
	if (n->n_tries > 1)
		pause_node(x, n);
	else
		sched_ready(x, n);
}

/* Twice the memory, if any engine has as much. */
static bool grow(struct exec *x, struct run *r, const struct run_report *rep)
{
	uint64_t seen = rep->max_rss_bytes >> 20;
	struct node *n = r->node;
	uint32_t before = n->mem_mib;
	struct thunk t;
	struct err e;

	if (seen < MEM_LEAST_MIB / 2)
		seen = MEM_LEAST_MIB / 2;
	if (before > seen)
		seen = before;
	if (seen > UINT32_MAX / 2 || thunk_decode(r->job.text, &x->scratch, &t, &e) < 0)
		return false;
	n->mem_mib = (uint32_t)seen * 2;
	if (sites_accept(x, n, &t, r->job.text, &e) == 0 &&
	    sites_check_runtime(x, n, &t, &e) == 0)
		return true;
	n->mem_mib = before;
	return false;
}

bool after_is_own_fault(enum run_status s)
{
	const struct rule *p = &rules[s];

	return s != RUN_OK && !p->is_free && !p->is_ill && !p->rewinds;
}

/* ---- or the end */

static void fail_run(struct exec *x, struct run *r, const struct run_report *rep)
{
	struct err e = { .code = ERR_FAILED };
	const struct rule *p = &rules[rep->status];
	const struct run_report all = resume_whole(x, r, rep);
	struct node *n = r->node;
	struct exec_event told = {
		.label = r->label, .log = all.log, .is_watched = r->job.is_watched,
		.asks_more = r->job.is_watched && p->asks_more,
		.undeclared = rep->undeclared,
	};

	if (rep->status == RUN_TIMED_OUT && r->timeout_is_guess)
		err_set(&e, ERR_FAILED, "%s", defaults_why_late(x, r));
	else if (rep->text && *rep->text && rep->status != RUN_STOPPED)
		err_set(&e, ERR_FAILED, "%s", rep->text);
	else if (rep->status == RUN_EXITED || rep->status == RUN_SIGNALED)
		err_set(&e, ERR_FAILED, "%s %d", p->text, rep->code);
	else
		err_set(&e, ERR_FAILED, "%s", p->text);
	if (p->grows && n->n_tries > 1)
		err_wrap(&e, "with %u MiB too", n->mem_mib);
	else if (n->n_tries > 1 && !p->rewinds)
		err_wrap(&e, "tried %u times", n->n_tries);
	profile_observe(x, r, &all, NULL);
	node_fail_as(x, n, &told, &e);
}

void after_blame(struct exec *x, struct site *s, const struct run_report *rep)
{
	const struct rule *p = &rules[rep->status];
	const char *text = rep->text && *rep->text ? rep->text : p->text;

	if (p->is_ill)
		site_failed(x, s, text);
	if (p->is_free)
		site_is_busy(x, s, text);
}

/* Count one more.  What a step did itself uses up nothing of what engines and
 * workers may do to it, nor they of its own. */
static bool has_tries_left(const struct exec *x, struct node *n, const struct rule *p)
{
	n->n_tries++;
	if (!p->is_program)
		return (unsigned)n->n_tries - n->n_own < p->tries;
	return ++n->n_own < p->tries + x->o.retries;
}

void after_failure(struct exec *x, struct run *r, const struct run_report *rep)
{
	const struct rule *p = &rules[rep->status];
	struct run_report lost = *rep;
	struct node *n = r->node;
	struct err e;

	/* Another has it still. */
	if (n->n_runs)
		return;
	n->state = NODE_READY;
	if (rep->status == RUN_STOPPED && resume_stopped(x, r, rep)) {
		if (!x->is_stopped)
			sched_ready(x, n);
		return;
	}
	if (x->is_stopped)
		return;
	if (resume_rejected(x, r, rep) ||
	    (rep->status == RUN_TIMED_OUT && defaults_again(x, r))) {
		sched_ready(x, n);
		return;
	}
	if (p->is_free) {
		sched_ready(x, n);
		return;
	}
	if (p->rewinds && n->n_rewinds < p->tries) {
		if (node_lost_input(x, n, &rep->missing, &e) == 0)
			return;
		lost.text = e.text;
	} else if (!p->rewinds && has_tries_left(x, n, p) && (!p->grows || grow(x, r, rep))) {
		again(x, r, p);
		return;
	}
	fail_run(x, r, &lost);
}
