/* parcel.c - steps on their way to a worker and back, the dispatcher's side
 *
 * Small objects travel inside, so that a step of small inputs costs one round
 * trip; the others are named as `outside`, to be put to a remote first.
 */
#include "parcel.h"

#include <stdlib.h>
#include <string.h>

enum { INLINE_BYTES = 64 << 10, REQUEST_MAX = 256 << 20, SLACK = 4096 };

static bool depot_has(void *arg, const struct id *id)
{
	const struct parcel_opts *o = arg;

	return o->depot && depot_knows(o->depot, id);
}

static bool worker_has(void *arg, const struct id *id)
{
	const struct parcel_opts *o = arg;

	return o->holds && o->holds(o->arg, id);
}

/* What may stand in the message besides steps, in bytes as they are: JSON
 * wants four letters for three, and a name for each. */
static uint64_t room_for_objects(const struct parcel_opts *o, uint64_t steps_bytes)
{
	uint64_t max = o->max_bytes ? o->max_bytes : REQUEST_MAX;

	steps_bytes += SLACK;
	max = max > steps_bytes ? max - steps_bytes : 0;
	return o->is_json ? max / 3 * 2 : max;
}

static int add_job(const struct parcel_opts *o, const struct job *j, struct arena *a,
		   struct message_gather *g, struct err *e)
{
	struct thunk t;

	if (thunk_decode(j->text, a, &t, e) < 0)
		return -1;
	for (size_t i = 0; i < t.n_in; i++)
		if (message_gather(g, &t.in[i].ref, e) < 0)
			return err_wrap(e, "input %s", t.in[i].path);
	if (t.runtime == RUNTIME_CLOSURE && !worker_has((void *)o, &t.runtime_id)) {
		struct ref closure = { REF_TREE, t.runtime_id, NULL };
		int rc;

		g->texts_only = true;
		rc = message_gather(g, &closure, e);
		g->texts_only = false;
		if (rc < 0)
			return err_wrap(e, "the closure");
	}
	return 0;
}

/* Trees are walked here, so that each object is named for itself. */
static void take_outside(struct parcel *p, const struct message_gather *g)
{
	p->outside = arena_alloc(&p->arena, (g->n_outside + 1) * sizeof *p->outside);
	for (size_t i = 0; i < g->n_outside; i++)
		p->outside[i] = (struct ref){ REF_VALUE, g->outside[i], NULL };
	p->n_outside = g->n_outside;
	p->n_input_bytes = g->n_bytes;
}

int parcel_pack(const struct parcel_opts *o, struct job *const *jobs, size_t n,
		struct parcel *out, struct id *missing, struct err *e)
{
	struct message_step *steps;
	struct message_request q = { .root = o->root, .n_steps = n, .is_json = o->is_json,
				     .max_bytes = o->answer_bytes };
	struct message_gather g = { .store = o->store, .takes_all = !o->depot && !o->asks_us,
				    .holds = worker_has, .knows = depot_has,
				    .arg = (void *)o };
	uint64_t steps_bytes = 0;
	int rc = 0;

	*out = (struct parcel){ .n_outside = 0 };
	g.arena = &out->arena;
	g.each_max = o->inline_bytes ? o->inline_bytes : INLINE_BYTES;
	q.steps = steps = arena_alloc(&out->arena, n * sizeof *steps);
	for (size_t i = 0; i < n; i++) {
		steps[i] = (struct message_step){ jobs[i]->text, jobs[i]->host,
						  jobs[i]->timeout_s, jobs[i]->is_watched,
						  jobs[i]->checkpoint, jobs[i]->needs.gpus };
		/* Each line end takes two letters. */
		steps_bytes += 2 * (jobs[i]->text.n + jobs[i]->host.n);
	}
	g.all_max = room_for_objects(o, steps_bytes);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_job(o, jobs[i], &out->arena, &g, e);
	if (rc == 0) {
		q.objects = g.inside;
		q.remotes = o->depot ? depot_uris(o->depot) : NULL;
		message_put_request(&q, &out->body);
		take_outside(out, &g);
	} else {
		*missing = g.missing;
		parcel_release(out);
	}
	message_gather_release(&g);
	return rc;
}

void parcel_release(struct parcel *p)
{
	buf_release(&p->body);
	arena_release(&p->arena);
	*p = (struct parcel){ .n_outside = 0 };
}

/* ---- what comes back */

static int keep_objects(const struct parcel_opts *o, const struct message_answer *m,
			struct err *e)
{
	for (size_t i = 0; i < m->objects.n; i++)
		if (store_put_named(o->store, &m->objects.v[i].id, m->objects.v[i].bytes, e) < 0)
			return err_wrap(e, "an output cannot be kept");
	for (size_t i = 0; o->depot && i < m->n_elsewhere; i++)
		if (!store_has(o->store, &m->elsewhere[i]))
			depot_note(o->depot, &m->elsewhere[i]);
	return 0;
}

static bool is_somewhere(const struct parcel_opts *o, const struct result *r,
			 struct arena *a, struct message_gather *g, struct err *e)
{
	*g = (struct message_gather){ .store = o->store, .arena = a, .knows = depot_has,
				      .arg = (void *)o };
	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i].ref.kind == REF_THUNK) {
			err_set(e, ERR_BAD, "output %s: a worker gives values, not steps",
				r->v[i].name);
			return false;
		}
		if (message_gather(g, &r->v[i].ref, e) < 0) {
			err_wrap(e, "output %s", r->v[i].name);
			return false;
		}
	}
	return true;
}

static void tell(const struct parcel_opts *o, const struct message_report *m,
		 struct arena *a,
		 void (*each)(void *arg, const struct id *reduced, const struct run_report *r),
		 void *arg)
{
	struct run_report lost = m->report;
	struct message_gather g = { 0 };
	struct err e;

	if (!m->report.result.n || is_somewhere(o, &m->report.result, a, &g, &e)) {
		each(arg, &m->step, &m->report);
	} else {
		lost.status = RUN_CELL_FAILED;
		lost.text = arena_printf(a, "the worker's answer lacks what it names: %s",
					 e.text);
		each(arg, &m->step, &lost);
	}
	message_gather_release(&g);
}

int parcel_open(const struct parcel_opts *o, struct bytes text,
		void (*each)(void *arg, const struct id *reduced, const struct run_report *r),
		void *arg, struct err *e)
{
	struct arena a = { 0 };
	struct message_answer m;
	int rc = message_read_answer(text, &a, &m, e);

	if (rc == 0) {
		rc = keep_objects(o, &m, e);
		for (size_t i = 0; i < m.n_reports && rc == 0; i++)
			tell(o, &m.reports[i], &a, each, arg);
		message_objects_release(&m.objects);
	}
	arena_release(&a);
	return rc;
}
