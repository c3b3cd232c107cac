/* company.c - ready steps of one kind as one process
 *
 * Where the model says how (fuse.h), steps that are ready at once and differ in
 * nothing but what it names stand in one lane.  The first of them that is picked
 * takes others along: as many as leave work for every other slot.  What runs is a
 * thunk of its own, whose outputs are handed out to the steps; each has its own
 * result under its own name, and its share of the time.
 *
 * The run that was picked carries the job and is the one that sites and lists
 * know; those that it takes along wait for its end.  Where the process fails by
 * itself, each of them runs alone.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "exec_internal.h"
#include "fuse.h"

enum { COMPANY_MOST = 64, ELSEWHERE_MOST_S = 600, UNSTOPPED_MOST_S = 3 };

struct company {
	const struct fuse *fuse;
	struct run **v;                 /* v[0] is the one that carries */
	size_t n;
	struct job own;                 /* of v[0], as if it were alone */
};

const struct fuse *company_words(struct exec *x, const char *words)
{
	struct fuse *f = map_get(&x->fuses, bytes_str(words));
	struct err ignored;

	if (f)
		return f;
	/* They were checked when the model was read. */
	if (fuse_read(words, &x->keep, &f, &ignored) < 0)
		return NULL;
	*map_at(&x->fuses, bytes_str(arena_str(&x->keep, words))) = f;
	return f;
}

void company_look(struct exec *x, struct node *n, const struct thunk *t)
{
	struct id common;

	n->mates = 0;
	if (!n->fuse || resume_goes_alone(x, n) ||
	    !fuse_common(n->fuse, t, &common))
		return;
	memcpy(&n->mates, common.b, sizeof n->mates);
	n->mates |= 1;
}

/* ---- how many */

static double times(double room, double need)
{
	return need > 0 ? floor(room / need + 1e-6) : INFINITY;
}

static double fits(const struct room *room, const struct room *needs)
{
	return fmin(fmin(times(room->cpus, needs->cpus), times(room->gpus, needs->gpus)),
		    fmin(times((double)room->mem_bytes, (double)needs->mem_bytes),
			 times((double)room->disk_bytes, (double)needs->disk_bytes)));
}

/* Processes of this kind that could run at once, beside those that do. */
static double slots(const struct exec *x, const struct node *n, const struct room *needs)
{
	double sum = 0;

	for (size_t i = 0; i < x->n_sites; i++) {
		const struct site *s = &x->sites[i];
		struct room room = s->engine->ops->most ?
			s->engine->ops->most(s->engine->backend) : s->room;

		if ((n->sites & (1u << i)) && site_is_open(x, s))
			sum += fits(&room, needs);
	}
	for (const struct run *r = x->runs; r; r = r->next)
		sum -= r->node->mates == n->mates;
	return sum;
}

/* Of all the ready work there, in runs of n: what others do keeps slots busy too. */
static double all_ready(const struct exec *x, const struct node *n)
{
	double sum = node_seconds(n);

	for (size_t i = 0; i < x->n_lanes; i++) {
		const struct lane *l = &x->lanes[i];

		if (l->heap.n && l->sites & n->sites && (l->gpus > 0) == (n->gpus > 0))
			sum += (double)l->heap.n * node_seconds(l->heap.v[0]);
	}
	return sum / node_seconds(n);
}

static size_t how_many(const struct exec *x, const struct run *r, size_t n_ready)
{
	const struct node *n = r->node;
	const struct site *s = r->site;
	struct room left = s->room, each = { .mem_bytes = r->needs.mem_bytes,
					     .disk_bytes = r->needs.disk_bytes };
	double work = fmax(all_ready(x, n), (double)n_ready);
	double most = fmin(ceil(work / fmax(slots(x, n, &r->needs), 1)), (double)n_ready);

	room_take(&left, &s->used);
	if (!each.mem_bytes && n->shape)
		each.mem_bytes = (uint64_t)n->shape->mem_bytes;
	most = fmin(fmin(most, COMPANY_MOST), fits(&left, &each));
	/* Others would have to wait until all of them are done. */
	if (x->o.preempts && !(n->is_resumable && fuse_can_stop(n->fuse)))
		most = n->shape && n->shape->n_seen ?
			fmin(most, UNSTOPPED_MOST_S / node_seconds(n)) : 1;
	if (!s->engine->ops->is_here && n->shape && n->shape->n_seen)
		most = fmin(most, ELSEWHERE_MOST_S / node_seconds(n));
	return most > 1 ? (size_t)most : 1;
}

/* ---- together */

static bool all_resumable(const struct company *c)
{
	bool are = true;

	for (size_t i = 0; i < c->n; i++)
		are = are && c->v[i]->node->is_resumable;
	return are;
}

static int make(struct exec *x, struct run *r, struct company *c, struct err *e)
{
	const struct thunk **v = arena_alloc(&r->arena, c->n * sizeof *v);
	struct buf text = { 0 };
	struct thunk whole, *one;
	int rc = 0;

	(void)x;
	for (size_t i = 0; i < c->n && rc == 0; i++) {
		v[i] = one = arena_alloc(&r->arena, sizeof *one);
		rc = thunk_decode(c->v[i]->job.text, &r->arena, one, e);
	}
	if (rc == 0)
		rc = fuse_make(c->fuse, v, c->n, &r->arena, &whole, e);
	if (rc == 0)
		rc = thunk_encode(&whole, &text, e);
	if (rc == 0) {
		c->own = r->job;
		if (all_resumable(c))
			r->job.checkpoint = fuse_checkpoints(c->fuse, &whole, &r->arena);
		r->job.text = arena_bytes(&r->arena, buf_bytes(&text));
		r->job.reduced = id_of(r->job.text);
		r->job.needs.mem_bytes *= c->n;
		r->job.needs.disk_bytes *= c->n;
		r->job.timeout_s *= (double)c->n;
		r->job.expected_s *= (double)c->n;
	}
	buf_release(&text);
	return rc;
}

/* They go on as the one that carries them does. */
static void part(struct exec *x, struct run *r, struct company *c)
{
	for (size_t i = 1; i < c->n; i++) {
		c->v[i]->node->mates = r->node->mates;
		sched_ready(x, c->v[i]->node);
		run_free(c->v[i]);
	}
	free(c->v);
	r->company = NULL;
}

void company_gather(struct exec *x, struct run *r)
{
	size_t n_ready = sched_mates(x) + 1, most;
	struct company *c;
	struct node *n;
	struct err ignored;

	if (!r->node->mates || n_ready < 2)
		return;
	most = how_many(x, r, n_ready);
	c = arena_alloc(&r->arena, sizeof *c);
	*c = (struct company){ .fuse = r->node->fuse, .v = mem_alloc(most * sizeof *c->v) };
	c->v[c->n++] = r;
	while (c->n < most && (n = sched_next_mate(x))) {
		struct run *with = sched_prepare(x, n, r->site);

		if (with)
			c->v[c->n++] = with;
	}
	r->company = c;
	if (c->n < 2 || make(x, r, c, &ignored) < 0 ||
	    !engine_takes(r->site->engine, &r->site->room, &r->job, &ignored)) {
		if (c->n > 1 && c->own.text.p)
			r->job = c->own;
		r->node->mates = 0;
		part(x, r, c);
		return;
	}
	r->needs = r->job.needs;
}

size_t company_size(const struct run *r)
{
	return r->company ? r->company->n : 1;
}

void company_starts(struct exec *x, const struct run *r)
{
	const struct company *c = r->company;

	for (size_t i = 1; c && i < c->n; i++) {
		struct run *with = c->v[i];

		with->node->state = NODE_RUNNING;
		x->n_running += with->node->n_runs++ == 0;
		exec_tell(x, &(struct exec_event){
			.kind = EXEC_STARTED, .thunk = &with->node->id, .label = with->label,
			.engine = r->site->engine->uri, .with = &r->node->id });
	}
	x->n_companies += c != NULL;
}

void company_not_started(struct exec *x, struct run *r)
{
	struct company *c = r->company;

	if (!c)
		return;
	r->job = c->own;
	r->needs = r->job.needs;
	part(x, r, c);
}

void company_free(struct run *r)
{
	struct company *c = r->company;

	for (size_t i = 1; c && i < c->n; i++)
		run_free(c->v[i]);
	if (c)
		free(c->v);
}

/* ---- ends */

/* What one of them took and gave. */
static int share(const struct company *c, size_t i, const struct run_report *all,
		 struct arena *a, struct run_report *out, struct err *e)
{
	double n = (double)c->n;
	struct thunk t;

	*out = *all;
	out->seconds /= n;
	out->cpu_seconds /= n;
	out->dollars /= n;
	out->max_rss_bytes = 0;
	out->is_cold = all->is_cold && !i;
	if (all->status != RUN_OK)
		return 0;
	if (thunk_decode(c->v[i]->job.text, a, &t, e) < 0)
		return -1;
	return fuse_part(c->fuse, &t, i, &all->result, a, &out->result, e);
}

static void tell_ran(struct exec *x, const struct run *r, const struct company *c, size_t i,
		     const struct run_report *rep)
{
	exec_tell(x, &(struct exec_event){
		.kind = EXEC_RAN, .thunk = &c->v[i]->node->id, .label = c->v[i]->label,
		.report = rep, .engine = r->site->engine->uri,
		.with = i ? &r->node->id : NULL });
}

/* The process failed, and who knows by whose fault: each alone. */
static void scatter(struct exec *x, struct run *r, struct company *c, const char *why)
{
	exec_tell(x, &(struct exec_event){
		.kind = EXEC_NOTICE, .text = arena_printf(
			&r->arena, "%zu steps as one process failed (%s): each runs alone now",
			c->n, why) });
	for (size_t i = 0; i < c->n; i++) {
		struct node *n = c->v[i]->node;

		n->fuse = NULL;
		n->mates = 0;
		sched_ready(x, n);
	}
}

/* The one that number i of them has left in the folder of all. */
static bool left_by(const struct company *c, size_t i, const struct tree *all, struct arena *a,
		    struct result_out *out)
{
	const char *name = fuse_checkpoint_name(c->fuse, i, a);

	for (size_t k = 0; k < all->n; k++) {
		const struct entry *n = &all->v[k];

		if (strcmp(n->name, name) != 0 || n->kind == ENTRY_LINK)
			continue;
		*out = (struct result_out){ RUN_CHECKPOINT, {
			n->kind == ENTRY_TREE ? REF_TREE : REF_VALUE, n->id, NULL } };
		return true;
	}
	return false;
}

/* Each goes on from its own, alone. */
static void stopped(struct exec *x, struct run *r, struct company *c, struct run_report *parts)
{
	const struct result *whole = &parts[0].result;
	struct arena *a = &r->arena;
	struct tree all = { 0 };
	struct bytes text;
	struct err ignored;

	if (whole->n && (store_get(x->o.store, &whole->v[0].ref.id, a, &text, &ignored) < 0 ||
			 tree_decode(text, a, &all, &ignored) < 0))
		all.n = 0;
	for (size_t i = 0; i < c->n; i++) {
		struct result_out *out = arena_alloc(a, sizeof *out);

		parts[i].result = (struct result){ out, left_by(c, i, &all, a, out) };
		c->v[i]->job.checkpoint = RUN_CHECKPOINT;
		c->v[i]->is_asked = r->is_asked;
		sched_ended(x, c->v[i], &parts[i]);
	}
}

static const char *why_text(struct run *r, const struct run_report *rep)
{
	return rep->text && *rep->text ? rep->text :
		arena_printf(&r->arena, "%s %d", run_status_name(rep->status), rep->code);
}

void company_done(struct exec *x, struct run *r, const struct run_report *rep)
{
	struct company *c = r->company;
	struct run_report *parts = arena_alloc(&r->arena, c->n * sizeof *parts);
	struct err e = { 0 };
	bool is_whole = true, can_stop = r->job.checkpoint != NULL;

	r->job = c->own;
	for (size_t i = 1; i < c->n; i++)
		run_counts_no_more(x, c->v[i]);
	for (size_t i = 0; i < c->n && is_whole; i++)
		is_whole = share(c, i, rep, &r->arena, &parts[i], &e) == 0;
	for (size_t i = c->n; i-- > 0;) {
		if (!is_whole)
			parts[i] = (struct run_report){ .status = RUN_NO_OUTPUT, .text = e.text };
		tell_ran(x, r, c, i, &parts[i]);
	}
	if (is_whole && rep->status == RUN_OK)
		x->n_fused += c->n;
	r->site->n_ran += is_whole && rep->status == RUN_OK ? c->n - 1 : 0;
	if (rep->status == RUN_STOPPED && can_stop)
		stopped(x, r, c, parts);
	else if (!x->is_stopped && (!is_whole || after_is_own_fault(rep->status)))
		scatter(x, r, c, is_whole ? why_text(r, rep) : e.text);
	else
		for (size_t i = 0; i < c->n; i++)
			sched_ended(x, c->v[i], &parts[i]);
	for (size_t i = 1; i < c->n; i++)
		run_free(c->v[i]);
	free(c->v);
	r->company = NULL;
}
