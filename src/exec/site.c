/* site.c - engines: their room, who rests, what they are told
 *
 * An engine that takes no more just now is left alone for a while, longer each
 * time in a row and never for exactly as long as another; when it says that its
 * room has changed it is asked at once.
 */
#include <stdlib.h>
#include "exec_internal.h"

enum {
	REST_LEAST_MS = 50, REST_MOST_MS = 10000,
	BUSY_TOLD = 8,                  /* 6 to 12 s of that */
	ILL_MOST = 8,                   /* failures in a row: it rests */
	ILL_REST_MS = 30000, ILL_REST_MOST_MS = 600000,
	DEMAND_MS = 200,                /* between two words on what waits */
};

uint32_t site_bit(const struct exec *x, const struct site *s)
{
	return 1u << (s - x->sites);
}

double exec_random(struct exec *x)
{
	x->random ^= x->random << 13;
	x->random ^= x->random >> 7;
	x->random ^= x->random << 17;
	return (double)(x->random >> 11) / 9007199254740992.0;
}

static void read_room(struct site *s)
{
	s->room = s->engine->ops->room(s->engine->backend);
}

int sites_open(struct exec *x, struct err *e)
{
	if (!x->o.n_engines || x->o.n_engines > SITES_MAX)
		return err_set(e, ERR_USAGE, "%zu engines: say one at least and %d at most",
			       x->o.n_engines, SITES_MAX);
	x->n_sites = x->o.n_engines;
	x->sites = arena_alloc(&x->keep, x->n_sites * sizeof *x->sites);
	for (size_t i = 0; i < x->n_sites; i++) {
		struct site *s = &x->sites[i];

		s->engine = &x->o.engines[i];
		read_room(s);
		if (s->room.cpus <= 0 && !s->engine->ops->accepts)
			return err_set(e, ERR_USAGE, "%s: there is no room to run anything",
				       s->engine->uri);
	}
	return 0;
}

void sites_close(struct exec *x)
{
	for (size_t i = 0; i < x->n_lanes; i++)
		free(x->lanes[i].heap.v);
	free(x->lanes);
}

double sites_cpus(const struct exec *x)
{
	double n = 0;

	for (size_t i = 0; i < x->n_sites; i++)
		n += x->sites[i].room.cpus;
	return n > 0 ? n : 1;
}

/* ---- who may take what */

bool engine_takes(const struct engine *en, const struct room *all, const struct job *j,
		  struct err *e)
{
	if (en->ops->accepts)
		return en->ops->accepts(en->backend, j, e);
	if (room_fits(all, &j->needs))
		return true;
	err_set(e, ERR_REFUSED, "there are %s", room_words(all, &j->needs).s);
	return false;
}

static bool takes(const struct site *s, const struct job *j, struct err *e)
{
	return engine_takes(s->engine, &s->room, j, e);
}

static int refuse(struct exec *x, const struct job *j, struct err *e)
{
	struct buf why = { 0 };
	struct err one;

	for (size_t i = 0; i < x->n_sites; i++)
		if (!takes(&x->sites[i], j, &one))
			buf_printf(&why, "; %s: %s", x->sites[i].engine->uri, one.text);
	err_set(e, ERR_REFUSED, "it can never run: it needs %s%s; change its hints in gg.models, "
		"-j or --engine", room_words(&j->needs, NULL).s, why.p ? why.p : "");
	buf_release(&why);
	return -1;
}

int sites_accept(struct exec *x, struct node *n, const struct thunk *t,
		 struct bytes text, struct err *e)
{
	struct job j = { .reduced = n->id, .text = text, .needs = node_needs(n) };
	struct err why;

	n->sites = 0;
	for (size_t i = 0; i < x->n_sites; i++) {
		if (x->sites[i].engine->ops->accepts && !j.host.p &&
		    exec_runtime_host(x, t, &j.host, e) < 0)
			return -1;
		if (takes(&x->sites[i], &j, &why))
			n->sites |= 1u << i;
	}
	return n->sites ? 0 : refuse(x, &j, e);
}

int sites_check_runtime(struct exec *x, struct node *n, const struct thunk *t,
			struct err *e)
{
	bool asked = false, is_here = false;

	for (size_t i = 0; i < x->n_sites; i++) {
		if (!x->sites[i].engine->ops->is_here || !(n->sites & (1u << i)))
			continue;
		if (!asked)
			is_here = exec_runtime_is_here(x, t, e) == 0;
		asked = true;
		if (!is_here)
			n->sites &= ~(1u << i);
	}
	return n->sites ? 0 : -1;
}

/* ---- rest */

bool site_is_open(const struct exec *x, const struct site *s)
{
	uint64_t now;

	if (!s->busy_until_ms && !s->ill_until_ms)
		return true;
	now = loop_now_ms(x->o.loop);
	return s->busy_until_ms <= now && s->ill_until_ms <= now;
}

static void rest_is_over(void *arg)
{
	struct exec *x = arg;

	x->rest_timer = NULL;
	exec_pump(x);
}

/* Wake up when the first of those that rest may be asked again. */
static void wait_for_rest(struct exec *x)
{
	uint64_t now = loop_now_ms(x->o.loop), first = UINT64_MAX;

	for (size_t i = 0; i < x->n_sites; i++) {
		const struct site *s = &x->sites[i];
		uint64_t until = s->busy_until_ms > s->ill_until_ms ? s->busy_until_ms :
			s->ill_until_ms;

		if (until > now && until < first)
			first = until;
	}
	if (x->rest_timer)
		loop_cancel(x->rest_timer);
	x->rest_timer = first == UINT64_MAX ? NULL :
		loop_after(x->o.loop, first - now + 1, rest_is_over, x);
}

/* Somebody should know when it goes on and on. */
static void tell_busy(struct exec *x, const struct site *s, const char *why)
{
	struct exec_event ev = { .kind = EXEC_NOTICE };

	if (s->n_busy != BUSY_TOLD)
		return;
	ev.text = arena_printf(&x->scratch, "%s has taken nothing %u times in a row (last: %s); "
			       "it goes on being asked", s->engine->uri, s->n_busy, why);
	exec_tell(x, &ev);
}

void site_is_busy(struct exec *x, struct site *s, const char *why)
{
	double ms = REST_LEAST_MS * (double)(1u << (s->n_busy < 10 ? s->n_busy : 10));

	/* Of many in flight that are turned away together the first one counts. */
	if (s->busy_until_ms > loop_now_ms(x->o.loop))
		return;
	s->n_busy++;
	ms = ms < REST_MOST_MS ? ms : REST_MOST_MS;
	s->busy_until_ms = loop_now_ms(x->o.loop) + 1 +
		(uint64_t)(ms * (0.5 + exec_random(x) / 2));
	wait_for_rest(x);
	tell_busy(x, s, why);
}

void site_failed(struct exec *x, struct site *s, const char *why)
{
	struct exec_event ev = { .kind = EXEC_NOTICE };
	uint64_t ms = ILL_REST_MS;
	unsigned times;

	/* With nowhere else to go it goes on being tried. */
	if (x->n_sites < 2 || s->ill_until_ms > loop_now_ms(x->o.loop) ||
	    ++s->n_ill % ILL_MOST)
		return;
	times = s->n_ill / ILL_MOST;
	while (--times && ms < ILL_REST_MOST_MS)
		ms *= 2;
	s->ill_until_ms = loop_now_ms(x->o.loop) + ms;
	ev.text = arena_printf(&x->scratch, "%s failed %u times in a row (last: %s): others "
			       "take its work, it is tried again in %llu s", s->engine->uri,
			       s->n_ill, why, (unsigned long long)ms / 1000);
	exec_tell(x, &ev);
	wait_for_rest(x);
}

struct run_report site_charged(const struct site *s, const struct job *j,
			       const struct run_report *rep)
{
	const struct engine *en = s->engine;
	struct run_report all = *rep;

	if (all.dollars <= 0 && !en->ops->dollars)
		all.dollars = all.seconds / 3600 * (j->needs.cpus * en->cpu_hour_dollars +
						    j->needs.gpus * en->gpu_hour_dollars);
	return all;
}

void site_ended(struct exec *x, struct site *s, const struct run_report *rep)
{
	(void)x;
	s->dollars += rep->dollars;
	s->seconds += rep->seconds;
	s->n_ran += rep->status == RUN_OK;
	if (rep->status == RUN_OK)
		s->n_ill = s->n_busy = 0;
}

void exec_room_changed(struct exec *x)
{
	for (size_t i = 0; i < x->n_sites; i++) {
		struct site *s = &x->sites[i];

		read_room(s);
		s->busy_until_ms = 0;
	}
	exec_pump_later(x);
}

bool exec_is_stuck(const struct exec *x, struct buf *out)
{
	const struct lane *l = NULL;
	struct room needs;

	if (x->n_running || !x->n_ready || x->n_away || x->is_halted || x->is_stopped)
		return false;
	for (size_t i = 0; i < x->n_lanes && !l; i++)
		l = x->lanes[i].heap.n ? &x->lanes[i] : NULL;
	if (!l)
		return false;
	needs = node_needs(l->heap.v[0]);
	buf_printf(out, "%zu steps wait for room: one needs %s", x->n_ready,
		   room_words(&needs, NULL).s);
	for (size_t i = 0; i < x->n_sites; i++) {
		const struct site *s = &x->sites[i];

		if (l->sites & (1u << i))
			buf_printf(out, "; %s has %s now%s", s->engine->uri,
				   room_words(&s->room, &needs).s,
				   site_is_open(x, s) ? "" : ", and rests");
	}
	return true;
}

/* ---- demand */

static struct demand demand_of(const struct exec *x, size_t i)
{
	struct demand d = { .n_running = x->sites[i].n_running };

	for (size_t k = 0; k < x->n_lanes; k++) {
		const struct lane *l = &x->lanes[k];
		struct room needs = { (double)l->cpus, (double)l->gpus,
				      (uint64_t)l->mem_mib << 20, (uint64_t)l->disk_mib << 20 };

		if (!l->heap.n || !(l->sites & (1u << i)))
			continue;
		d.n_ready += l->heap.n;
		d.ready_s += l->ready_s;
		room_widen(&d.widest, &needs);
	}
	for (size_t k = 0; k < x->elastic.n; k++) {
		const struct node *n = x->elastic.v[k];

		if (!(n->sites & (1u << i)))
			continue;
		d.n_ready++;
		d.ready_s += node_seconds(n);
		d.widest.gpus = (double)n->gpus > d.widest.gpus ? (double)n->gpus :
			d.widest.gpus;
	}
	return d;
}

static void demand_is_due(void *arg)
{
	struct exec *x = arg;

	x->demand_timer = NULL;
	sites_tell_demand(x);
}

void sites_tell_demand(struct exec *x)
{
	uint64_t now = loop_now_ms(x->o.loop), due = x->told_demand_ms + DEMAND_MS;
	bool listens = false;

	for (size_t i = 0; i < x->n_sites && !x->o.only_plans; i++)
		listens |= x->sites[i].engine->ops->demand != NULL;
	if (!listens || x->demand_timer)
		return;
	if (x->told_demand_ms && now < due) {
		x->demand_timer = loop_after(x->o.loop, due - now, demand_is_due, x);
		return;
	}
	x->told_demand_ms = now;
	for (size_t i = 0; i < x->n_sites; i++) {
		const struct engine *en = x->sites[i].engine;
		struct demand d = demand_of(x, i);

		if (en->ops->demand)
			en->ops->demand(en->backend, &d);
	}
}
