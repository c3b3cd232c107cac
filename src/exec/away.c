/* away.c - before a thunk is run: what remotes know of it, and hold for it
 *
 * A thunk whose result is not known here is asked for, as written and then as
 * reduced, before anything is done for it; thousands may be under way while
 * others run.  Objects are fetched when they are needed: to stand in the
 * project, or to be read by a run on this machine, before it takes room there.
 * What cannot be had that way is made here, as if no remote had ever spoken of
 * it.
 */
#include <stdlib.h>
#include <string.h>
#include "exec_internal.h"

/* Nodes of one site whose inputs are on their way while others have its room.
 * Where there are other sites these could take more than it will run. */
enum { AHEAD_MAX = 64, AHEAD_OF_MANY = 2 };

/* A question or a transfer, for a node or for a want. */
struct errand {
	struct exec *x;
	struct node *node;              /* NULL: nobody waits for it any more */
	struct want_kept *want;
	struct site *site;              /* where it is to run */
	struct room needs;              /* kept there meanwhile */
	bool is_holding;
	struct errand *prev, *next;
	struct depot_ask ask;
	struct depot_fetch fetch;
	struct arena arena;
};

static struct errand *errand_new(struct exec *x, struct node *n)
{
	struct errand *d = mem_alloc(sizeof *d);

	*d = (struct errand){ .x = x, .node = n, .next = x->errands };
	if (d->next)
		d->next->prev = d;
	x->errands = d;
	x->n_away++;
	if (n) {
		n->errand = d;
		n->state = NODE_AWAY;
	}
	return d;
}

static void leave_site(struct errand *d)
{
	if (d->site && d->is_holding) {
		room_take(&d->site->used, &d->needs);
		d->site->n_holding--;
	} else if (d->site) {
		d->site->n_fetching--;
	}
	d->site = NULL;
}

/* The end of d: the node that still waits for it, or NULL. */
static struct node *errand_end(struct errand *d)
{
	struct exec *x = d->x;
	struct node *n = d->node;

	*(d->prev ? &d->prev->next : &x->errands) = d->next;
	if (d->next)
		d->next->prev = d->prev;
	leave_site(d);
	if (n || d->want)
		x->n_away--;
	if (n)
		n->errand = NULL;
	arena_release(&d->arena);
	free(d);
	return n;
}

/* ---- results */

static bool is_final(const struct result *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].ref.kind == REF_THUNK)
			return false;
	return r->n > 0;
}

static void answered(struct depot_ask *q, const struct result *r, const struct err *e)
{
	struct errand *d = q->arg;
	struct exec *x = d->x;
	struct node *n = errand_end(d);

	(void)e;
	if (!n)
		return;
	arena_reset(&x->scratch);
	if (r && is_final(r)) {
		struct result given = *r;

		n->is_remote = true;
		n->state = NODE_WAITING;
		x->is_unflushed = true;
		exec_flush_later(x);
		node_gave(x, n, &given, true);
	} else {
		node_go_on(x, n);
	}
	exec_pump_later(x);
}

bool away_ask(struct exec *x, struct node *n, const struct id *name)
{
	struct errand *d;

	/* What it said before turned out to be gone. */
	if (!x->o.depot || n->is_rewound)
		return false;
	d = errand_new(x, n);
	d->ask = (struct depot_ask){ .thunk = *name, .done = answered, .arg = d };
	depot_ask(x->o.depot, &d->ask);
	return true;
}

/* ---- objects */

/* Trees are long to look through: those that were whole once are known. */
static bool is_here(struct exec *x, const struct ref *r)
{
	struct bytes key;

	if (r->kind != REF_TREE || map_get(&x->whole, id_key(&r->id)))
		return r->kind == REF_TREE || ref_is_whole(x, r);
	if (!ref_is_whole(x, r))
		return false;
	key = arena_bytes(&x->keep, id_key(&r->id));
	*map_at(&x->whole, key) = (void *)key.p;
	return true;
}

/* Objects have come, or the first that did not is named. */
static void fetched(struct depot_fetch *f, const struct id *missing, const struct err *e)
{
	struct errand *d = f->arg;
	struct exec *x = d->x;
	struct id gone = missing ? *missing : (struct id){ { 0 } };
	struct node *n = errand_end(d);
	struct err why;

	if (!n)
		return;
	arena_reset(&x->scratch);
	if (!e || resume_lost(x, n)) {
		sched_ready(x, n);
	} else if (e->code != ERR_MISSING && e->code != ERR_RETRY) {
		node_fail(x, n, NULL, (struct bytes){ 0 }, e);
	} else if (node_make_inputs(x, n, &gone, &why) < 0) {
		/* No remote has it now: it is made here, as far as that goes. */
		node_fail(x, n, NULL, (struct bytes){ 0 }, &why);
	}
	exec_pump_later(x);
}

static void enter_site(struct errand *d, struct site *site)
{
	size_t most = d->x->n_sites > 1 ? AHEAD_OF_MANY + (size_t)site->room.cpus : AHEAD_MAX;

	d->site = site;
	d->is_holding = site->n_fetching >= most;
	if (!d->is_holding) {
		site->n_fetching++;
		return;
	}
	d->needs = node_needs(d->node);
	site->n_holding++;
	room_add(&site->used, &d->needs);
}

static bool fetch_inputs(struct exec *x, struct node *n, const struct thunk *t,
			 struct site *site, bool all)
{
	struct ref *refs;
	size_t n_refs = 0;
	struct errand *d;

	for (size_t i = 0; i < t->n_in && !all; i++)
		all = !is_here(x, &t->in[i].ref);
	if (!all)
		return false;
	d = errand_new(x, n);
	refs = arena_alloc(&d->arena, (t->n_in + 1) * sizeof *refs);
	for (size_t i = 0; i < t->n_in; i++)
		refs[n_refs++] = t->in[i].ref;
	if (site)
		enter_site(d, site);
	d->fetch = (struct depot_fetch){ .refs = refs, .n_refs = n_refs, .done = fetched,
					 .arg = d };
	depot_fetch(x->o.depot, &d->fetch);
	return true;
}

bool away_fetch_inputs(struct exec *x, struct node *n, const struct thunk *t,
		       struct site *site)
{
	return x->o.depot && site->engine->ops->wants_objects_here &&
		fetch_inputs(x, n, t, site, false);
}

int away_fetch_lost(struct exec *x, struct node *n, struct err *e)
{
	struct reduced red;
	int rc;

	if (!x->o.depot)
		return 0;
	map_release(&x->whole);
	x->whole = (struct map){ 0 };
	rc = node_reduced(x, n, &x->scratch, &red, e);
	if (rc <= 0)
		return rc < 0 ? -1 : 1;
	return fetch_inputs(x, n, &red.thunk, NULL, true);
}

static void fetched_want(struct depot_fetch *f, const struct id *missing, const struct err *e)
{
	struct errand *d = f->arg;
	struct exec *x = d->x;
	struct want_kept *w = d->want;

	(void)missing;
	(void)e;
	errand_end(d);
	x->is_unflushed = true;
	exec_flush_later(x);
	wants_place_again(x, w);
	exec_pump_later(x);
}

bool away_fetch_want(struct exec *x, struct want_kept *w, const struct ref *ref)
{
	struct errand *d;
	struct ref *own;

	if (!x->o.depot || w->has_fetched)
		return false;
	w->has_fetched = true;
	d = errand_new(x, NULL);
	d->want = w;
	own = arena_alloc(&d->arena, sizeof *own);
	*own = *ref;
	d->fetch = (struct depot_fetch){ .refs = own, .n_refs = 1, .done = fetched_want,
					 .arg = d };
	depot_fetch(x->o.depot, &d->fetch);
	return true;
}

/* ---- what was made here */

void away_publish(struct exec *x, struct node *n, const struct result *r)
{
	struct id names[2] = { n->id, n->reduced };
	bool differs = !id_is_zero(&n->reduced) && !id_equal(&n->reduced, &n->id);
	struct depot_hint hint = { .is_passing = !n->wants, .n_readers = n->fan_out };

	n->is_unpublished = n->n_beaten > 0;
	if (x->o.depot && !n->is_unpublished)
		depot_publish(x->o.depot, names, 1 + differs, r, &hint);
}

void away_publish_late(struct exec *x, struct node *n)
{
	struct result r;
	struct err e;

	if (n->is_unpublished && n->state == NODE_DONE &&
	    store_get_result(x->o.store, &n->id, &x->scratch, &r, &e) == 0)
		away_publish(x, n, &r);
}

/* ---- ends */

struct want_kept *away_give_up(struct exec *x, bool wants_too)
{
	struct want_kept *first = NULL;

	for (struct errand *d = x->errands, *next; d; d = next) {
		next = d->next;
		if (d->want && !wants_too)
			continue;
		if (!d->node && !d->want)
			continue;
		if (d->want) {
			d->want->next = first;
			first = d->want;
		}
		leave_site(d);
		if (d->fetch.done) {
			depot_cancel_fetch(x->o.depot, &d->fetch);
			errand_end(d);
			continue;
		}
		/* A question cannot be taken back. */
		d->node->errand = NULL;
		d->node = NULL;
		x->n_away--;
	}
	return first;
}

void away_close(struct exec *x)
{
	for (struct errand *d = x->errands, *next; d; d = next) {
		next = d->next;
		free(d->want);
		arena_release(&d->arena);
		free(d);
	}
	map_release(&x->whole);
}
