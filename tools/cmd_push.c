/* cmd_push.c - gg push, gg pull: results and what they name, to remotes and back
 *
 * What was pushed is written down at the remote as a ref, so that gg remote gc
 * keeps it.
 */
#include <stdlib.h>
#include <string.h>
#include "keep.h"
#include "remote_gc.h"
#include "steps.h"
#include "targets.h"

static int needs_remotes(const struct ctx *c, struct err *e)
{
	if (c->depot)
		return 0;
	return err_set(e, ERR_USAGE, "no remote is named: say --remote URI, or set GG_REMOTE; see "
		       "gg help remotes");
}

static void print_mib(const char *what, uint64_t n_bytes, uint64_t wire)
{
	printf(", %s %.1f MiB (%.1f MiB on the way)\n", what, (double)n_bytes / 1048576,
	       (double)wire / 1048576);
}

/* ---- push */

struct push {
	struct ctx *c;
	struct steps steps;
	size_t n_results, n_without;
	struct id *roots;
	size_t n_roots;
};

static void publish(struct push *p, struct step *s)
{
	struct arena a = { 0 };
	struct id names[2] = { s->id };
	size_t n = 1;
	struct result r;
	struct err e;

	if (store_get_result(p->c->store, &s->id, &a, &r, &e) == 0) {
		if (step_reduce(p->c->store, s) && !id_equal(&s->reduced, &s->id))
			names[n++] = s->reduced;
		depot_publish(p->c->depot, names, n, &r, NULL);
		memcpy(p->roots + p->n_roots, names, n * sizeof *names);
		p->n_roots += n;
		p->n_results++;
	} else {
		p->n_without++;
	}
	arena_release(&a);
}

/* A push of everything is what the project keeps, with what gg.lock names; one of
 * some outputs adds to it. */
static int write_refs(struct push *p, bool adds, struct err *e)
{
	struct ctx *c = p->c;
	char name[REF_NAME_ROOM];
	struct kept locked = { 0 };

	if (!adds && keep_locked(c, &locked, e) < 0)
		return -1;
	p->roots = mem_grow(p->roots, (p->n_roots + locked.n + 1) * sizeof *p->roots);
	if (locked.n)
		memcpy(p->roots + p->n_roots, locked.v, locked.n * sizeof *p->roots);
	p->n_roots += locked.n;
	kept_release(&locked);
	remote_ref_name(c->project.root, name);
	for (size_t i = 0; i < c->n_remotes; i++) {
		const struct depot_remote *r = &c->remotes[i];
		struct id *old = NULL, *all;
		size_t n = 0;
		int rc;

		if (adds && remote_ref_get(c->loop, r->ops, r->remote, name, &c->arena, &old, &n,
					   e) < 0)
			return -1;
		all = mem_alloc((n + p->n_roots + 1) * sizeof *all);
		memcpy(all, p->roots, p->n_roots * sizeof *all);
		if (n)
			memcpy(all + p->n_roots, old, n * sizeof *all);
		rc = remote_ref_write(c->loop, r->ops, r->remote, name, all, n + p->n_roots, e);
		free(all);
		if (rc < 0)
			return -1;
	}
	return 0;
}

int cmd_push(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct push p = { .c = c };
	struct targets t = { 0 };
	struct depot_counts n;
	int rc = needs_remotes(c, e);

	if (rc == 0 && !keyring_can_sign(c->keys))
		rc = err_set(e, ERR_USAGE, "there is no key to sign results with, and unsigned "
			     "ones are not believed; gg key new makes one");
	if (rc == 0)
		rc = targets_find(c, argc, argv, &t, e);
	for (size_t i = 0; rc == 0 && i < t.n; i++)
		steps_add(&p.steps, c->store, &t.v[i].ph.thunk);
	p.roots = mem_alloc((2 * p.steps.n + 1) * sizeof *p.roots);
	for (size_t i = 0; rc == 0 && i < p.steps.n; i++)
		publish(&p, p.steps.v[i]);
	if (rc == 0)
		rc = remotes_drain(c, e);
	if (rc == 0)
		rc = write_refs(&p, argc > 0, e);
	if (rc == 0) {
		depot_counts(c->depot, &n);
		printf("%zu results, %llu new objects", p.n_results,
		       (unsigned long long)n.n_pushed);
		print_mib("of", n.pushed_bytes, n.wire_out_bytes);
		if (p.n_without)
			note("%zu steps have no result yet: gg force makes them", p.n_without);
	}
	free(p.roots);
	free(t.v);
	steps_release(&p.steps);
	return rc < 0 ? -1 : EXIT_FINE;
}

/* ---- pull */

struct pull {
	struct ctx *c;
	struct steps steps;
	struct targets targets;
	size_t n_open, n_known, n_placed, n_unknown;
	bool is_idle;
	struct err err;
};

struct question {
	struct depot_ask q;
	struct pull *p;
	struct step *s;
};

static void answered(struct depot_ask *q, const struct result *r, const struct err *e)
{
	struct question *k = q->arg;
	struct pull *p = k->p;
	struct err bad;

	if (r) {
		p->n_known++;
		if (store_put_result(p->c->store, &k->s->id, r, &bad) < 0 ||
		    (!id_equal(&q->thunk, &k->s->id) &&
		     store_put_result(p->c->store, &q->thunk, r, &bad) < 0))
			p->err = bad;
		/* The value may be that of another step. */
		for (size_t i = 0; i < r->n; i++)
			if (r->v[i].ref.kind == REF_THUNK)
				steps_add(&p->steps, p->c->store, &r->v[i].ref.id);
	} else if (e && !p->err.code) {
		p->err = *e;
	}
	free(k);
	p->is_idle = --p->n_open == 0;
}

static void ask(struct pull *p, struct step *s, const struct id *name)
{
	struct question *k = mem_alloc(sizeof *k);

	*k = (struct question){ .q = { .thunk = *name, .done = answered, .arg = k }, .p = p,
				.s = s };
	p->n_open++;
	p->is_idle = false;
	depot_ask(p->c->depot, &k->q);
}

/* Ask what can be asked for now: the result as written, then as reduced. */
static void ask_wave(struct pull *p)
{
	for (size_t i = 0; i < p->steps.n; i++) {
		struct step *s = p->steps.v[i];
		struct arena a = { 0 };
		struct result r;
		struct err e;

		if (store_get_result(p->c->store, &s->id, &a, &r, &e) < 0) {
			if (!s->is_asked) {
				s->is_asked = true;
				ask(p, s, &s->id);
			} else if (!s->is_reduced_asked && step_reduce(p->c->store, s)) {
				s->is_reduced_asked = true;
				if (!id_equal(&s->reduced, &s->id))
					ask(p, s, &s->reduced);
			}
		}
		arena_release(&a);
	}
}

static void ask_all(struct pull *p)
{
	do {
		ask_wave(p);
		if (p->n_open)
			loop_run(p->c->loop, &p->is_idle);
		else
			break;
	} while (!p->err.code);
}

/* The value of an output, by way of tails. */
static bool value_of(struct store *s, const struct placeholder *ph, struct arena *a,
		     struct ref *out)
{
	struct result r;
	const struct ref *v;
	struct err e;

	*out = (struct ref){ .kind = REF_THUNK, .id = ph->thunk, .out = ph->out };
	for (int i = 0; i < 1000 && out->kind == REF_THUNK; i++) {
		if (store_get_result(s, &out->id, a, &r, &e) < 0)
			return false;
		v = result_output(&r, out->out);
		if (!v)
			return false;
		*out = *v;
	}
	return out->kind != REF_THUNK;
}

static void fetched(struct depot_fetch *f, const struct id *missing, const struct err *e)
{
	struct pull *p = f->arg;

	(void)missing;
	if (e)
		p->err = *e;
	p->is_idle = true;
}

static int bring(struct pull *p, const struct ref *refs, size_t n, struct err *e)
{
	struct depot_fetch f = { .refs = refs, .n_refs = n, .done = fetched, .arg = p };

	p->is_idle = false;
	p->err.code = ERR_NONE;
	depot_fetch(p->c->depot, &f);
	loop_run(p->c->loop, &p->is_idle);
	if (!p->err.code)
		return 0;
	*e = p->err;
	return -1;
}

static int place_one(struct pull *p, const struct target *t, const struct ref *value,
		     struct err *e)
{
	struct id missing;

	if (place_real(p->c->store, &p->c->project, t->path, &t->ph, value, &missing, e) < 0)
		return err_wrap(e, "%s", t->path);
	if (!p->c->o.quiet)
		printf("%s\n", t->path);
	p->n_placed++;
	return 0;
}

/* All objects first, so that they come many at a time; then the files. */
static int place_all(struct pull *p, struct err *e)
{
	struct ref *refs = mem_alloc((p->targets.n + 1) * sizeof *refs);
	size_t *which = mem_alloc((p->targets.n + 1) * sizeof *which), n = 0;
	struct arena a = { 0 };
	int rc = 0;

	for (size_t i = 0; i < p->targets.n; i++) {
		const struct target *t = &p->targets.v[i];

		if (t->now == NOW_REAL || t->now == NOW_EDITED)
			continue;
		if (value_of(p->c->store, &t->ph, &a, &refs[n]))
			which[n++] = i;
		else
			p->n_unknown++;
	}
	if (n)
		rc = bring(p, refs, n, e);
	if (rc < 0 && e->code == ERR_MISSING)
		err_wrap(e, "a result is known whose objects are gone (gg force makes them "
			 "again)");
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = place_one(p, &p->targets.v[which[i]], &refs[i], e);
	arena_release(&a);
	free(which);
	free(refs);
	return rc;
}

int cmd_pull(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct pull p = { .c = c };
	struct depot_counts n;
	int rc = needs_remotes(c, e);

	if (rc == 0)
		rc = targets_find(c, argc, argv, &p.targets, e);
	for (size_t i = 0; rc == 0 && i < p.targets.n; i++)
		if (p.targets.v[i].now != NOW_REAL && p.targets.v[i].now != NOW_EDITED)
			steps_add(&p.steps, c->store, &p.targets.v[i].ph.thunk);
	if (rc == 0)
		ask_all(&p);
	if (rc == 0 && p.err.code) {
		*e = p.err;
		rc = -1;
	}
	if (rc == 0)
		rc = place_all(&p, e);
	if (rc == 0) {
		depot_counts(c->depot, &n);
		printf("%zu results, %zu outputs placed", p.n_known, p.n_placed);
		print_mib("objects of", n.fetched_bytes, n.wire_in_bytes);
		if (p.n_unknown)
			note("%zu outputs are not known there: gg force makes them", p.n_unknown);
	}
	free(p.targets.v);
	steps_release(&p.steps);
	return rc < 0 ? -1 : EXIT_FINE;
}
