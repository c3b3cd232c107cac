/* pump.c - what turns everything, and what is flushed when
 *
 * A small step at a time: load what is newly wanted, move nodes that wait for
 * nothing more, start what fits, then place what is known and safe.  It runs until
 * nothing moves or its slice of time is over, so that the loop is never held
 * for long.
 *
 * What is put is flushed in batches.  Only then do claims fall, so that
 * another process finds the result, and only then do targets appear in the
 * project: whatever a person sees is already safe.
 */
#include "exec_internal.h"
#include "when.h"

enum {
	SLICE_MS = 20, PLACE_FEW = 16,
	POLL_MS = 50, POLL_TAKES = 64,
	FLUSH_LEAST_MS = 20, FLUSH_MOST_MS = 1000,
	FLUSH_SHARE = 30,               /* a flush takes one part in 30 */
	HELD_MOST = 16384,              /* each dirties pages of its own until then */
	PENDING_MOST = 8 << 20,
};

/* The smallest piece of work there is; false when there is none. */
static bool step(struct exec *x)
{
	struct node *n;

	arena_reset(&x->scratch);
	if (graph_load_step(x) || wants_look(x))
		return true;
	graph_order(x);
	n = graph_unqueue(x);
	if (n)
		node_step(x, n);
	return n;
}

/* Last, and few at a time: a program that ends meanwhile makes room for the next,
 * which is not to wait for files that are written. */
static bool place_few(struct exec *x)
{
	unsigned n = 0;

	do
		arena_reset(&x->scratch);
	while (wants_place(x) && ++n < PLACE_FEW);
	return n;
}

void exec_drop_claim(struct exec *x, struct node *n)
{
	n->has_claim = false;
	store_unclaim(x->o.store, &n->reduced);
}

/* The store cannot be written: nothing that is still wanted can be made. */
static void break_down(struct exec *x, const struct err *e)
{
	if (!x->broken.code)
		x->broken = *e;
	x->is_halted = true;
	wants_end_placing(x, &x->broken);
}

void exec_flush(struct exec *x)
{
	uint64_t from = when_steady_ms();
	size_t kept = 0;
	struct err e;
	int rc = profile_flush(x, &e);

	loop_cancel(x->flush_timer);
	x->flush_timer = NULL;
	if (rc == 0)
		rc = store_flush(x->o.store, &e);
	x->flushed_ms = when_steady_ms();
	x->flush_took_ms = x->flushed_ms - from;
	for (size_t i = 0; i < x->held.n; i++) {
		struct node *n = x->held.v[i];

		/* One that runs again under the same claim keeps it. */
		n->is_held = n->state == NODE_RUNNING;
		if (n->is_held)
			x->held.v[kept++] = n;
		else if (n->has_claim)
			exec_drop_claim(x, n);
	}
	x->held.n = kept;
	x->is_unflushed = false;
	if (rc < 0)
		break_down(x, &e);
}

static void flush_is_due(void *arg)
{
	struct exec *x = arg;

	x->flush_timer = NULL;
	exec_flush(x);
	exec_pump(x);
}

void exec_flush_later(struct exec *x)
{
	uint64_t every = x->flush_took_ms * FLUSH_SHARE, now = loop_now_ms(x->o.loop), due;

	if (x->flush_timer)
		return;
	every = every < FLUSH_LEAST_MS ? FLUSH_LEAST_MS : every;
	every = every > FLUSH_MOST_MS ? FLUSH_MOST_MS : every;
	due = x->flushed_ms + every;
	x->flush_timer = loop_after(x->o.loop, due > now + FLUSH_LEAST_MS ? due - now :
				    FLUSH_LEAST_MS, flush_is_due, x);
}

void exec_hold(struct exec *x, struct node *n)
{
	if (!n->is_held)
		list_add(&x->held, n);
	n->is_held = true;
	x->is_unflushed = true;
	exec_flush_later(x);
}

/* Has the process that had n put a result, or gone without one?  false: it
 * is still at it.  *n_taken bounds the claims held by nodes that only wait for
 * room, so that others can share the work of one that died. */
static bool poll_one(struct exec *x, struct node *n, unsigned *n_taken)
{
	struct result r;
	struct err e;
	int rc;

	arena_reset(&x->scratch);
	rc = node_look(x, n, &n->reduced, &r, &e);
	if (rc > 0) {
		node_gave(x, n, &r, false);
		return true;
	}
	if (rc == 0 && *n_taken < POLL_TAKES)
		rc = store_claim(x->o.store, &n->reduced, &e) * 2;
	if (rc == 0)
		return false;
	if (rc > 0) {
		++*n_taken;
		n->has_claim = true;
		sched_ready(x, n);
	} else {
		node_fail(x, n, NULL, (struct bytes){ 0 }, &e);
	}
	return true;
}

static void poll_is_due(void *arg)
{
	struct exec *x = arg;
	unsigned n_taken = 0;
	size_t kept = 0;

	x->poll_timer = loop_after(x->o.loop, POLL_MS, poll_is_due, x);
	for (size_t i = 0; i < x->polling.n; i++)
		if (!poll_one(x, x->polling.v[i], &n_taken))
			x->polling.v[kept++] = x->polling.v[i];
	x->polling.n = kept;
	if (!kept) {
		loop_cancel(x->poll_timer);
		x->poll_timer = NULL;
	}
	exec_pump(x);
}

void exec_poll_later(struct exec *x, struct node *n)
{
	n->state = NODE_POLLING;
	list_add(&x->polling, n);
	if (!x->poll_timer)
		x->poll_timer = loop_after(x->o.loop, POLL_MS, poll_is_due, x);
}

/* All has been moved that could be.  Is anything to be done about it? */
static bool stir(struct exec *x)
{
	bool is_ending = x->is_halted || x->is_stopped;
	bool is_still = !x->n_running && (!x->n_ready || is_ending);

	if (x->is_unflushed && ((is_still && x->known.first) || x->held.n >= HELD_MOST)) {
		exec_flush(x);
		return true;
	}
	/* A failure halts only what was wanted with it. */
	if (!x->n_open && !x->broken.code)
		x->is_halted = false;
	if (!is_still)
		return false;
	if (!x->n_open && x->n_away) {
		if (x->is_stopped)
			wants_give_up(x);
		return x->is_stopped;
	}
	if (!x->n_open) {
		wants_end_failing(x);
		return x->wanted.first;
	}
	if (is_ending) {
		wants_give_up(x);
		return true;
	}
	if (x->polling.n || x->n_paused || x->n_away)
		return false;
	graph_break_ring(x);
	return true;
}

void exec_pump(struct exec *x)
{
	uint64_t until;
	unsigned n = 0;

	if (x->is_pumping)
		return;
	x->is_pumping = true;
	until = when_steady_ms() + SLICE_MS;
	for (;;) {
		bool more, has_placed;

		while ((more = step(x)) && (++n % 64 || when_steady_ms() < until))
			;
		if (store_pending_bytes(x->o.store) > PENDING_MOST) {
			/* What waited for it to be placed goes on. */
			exec_flush(x);
			more = true;
		}
		/* All wants are known before the first choice among them. */
		if (!x->wanted.first && !x->n_loads)
			sched_start(x);
		more = more || x->queue || x->n_loads || x->wanted.first;
		has_placed = !more && place_few(x);
		if (!more && !has_placed && !stir(x))
			break;
		if ((has_placed && x->n_running) || when_steady_ms() >= until) {
			exec_pump_later(x);
			break;
		}
	}
	sites_tell_demand(x);
	x->is_pumping = false;
}

static void pump_is_due(void *arg)
{
	struct exec *x = arg;

	x->pump_timer = NULL;
	exec_pump(x);
}

void exec_pump_later(struct exec *x)
{
	if (!x->pump_timer)
		x->pump_timer = loop_after(x->o.loop, 0, pump_is_due, x);
}
