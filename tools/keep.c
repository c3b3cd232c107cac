/* keep.c - what a project needs of its remotes, written down there as a ref
 *
 * Each run that gave something to remotes or took something from them says anew
 * what the project's outputs rest on, and what gg.lock names.  gg remote gc keeps
 * that for as long as runs go on saying so, and for some weeks after.
 */
#include <stdlib.h>
#include <string.h>
#include "keep.h"
#include "locked.h"
#include "remote_gc.h"
#include "steps.h"
#include "targets.h"

static void add(struct kept *k, const struct id *thunk)
{
	if (k->n == k->room) {
		k->room = k->room ? 2 * k->room : 256;
		k->v = mem_grow(k->v, k->room * sizeof *k->v);
	}
	k->v[k->n++] = *thunk;
}

int keep_locked(struct ctx *c, struct kept *k, struct err *e)
{
	struct lock lock;

	if (lock_read(c, &lock, e) < 0)
		return e->code == ERR_MISSING ? 0 : -1;
	for (size_t i = 0; i < lock.n; i++)
		add(k, &lock.v[i].ph.thunk);
	return 0;
}

static int keep_outputs(struct ctx *c, struct kept *k, struct err *e)
{
	struct targets t = { 0 };
	struct steps steps = { 0 };
	int rc = targets_find(c, 0, NULL, &t, e);

	for (size_t i = 0; rc == 0 && i < t.n; i++)
		steps_add(&steps, c->store, &t.v[i].ph.thunk);
	for (size_t i = 0; i < steps.n; i++) {
		struct step *s = steps.v[i];

		add(k, &s->id);
		if (step_reduce(c->store, s) && !id_equal(&s->id, &s->reduced))
			add(k, &s->reduced);
	}
	free(t.v);
	steps_release(&steps);
	return rc;
}

static int write_refs(struct ctx *c, struct kept *k, bool is_owed, struct err *e)
{
	char name[REF_NAME_ROOM + sizeof REF_RUN];
	int rc = 0;

	remote_ref_name(c->project.root, name);
	strcat(name, REF_RUN);
	for (size_t i = 0; i < c->n_remotes; i++) {
		const struct depot_remote *r = &c->remotes[i];
		struct err why;

		if (r->is_read_only || remote_ref_write(c->loop, r->ops, r->remote, name, k->v,
							k->n, &why) == 0)
			continue;
		/* One where nothing is collected need not take refs. */
		if (is_owed && r->ops->list && rc == 0) {
			*e = why;
			rc = -1;
		}
	}
	return rc;
}

void keep_at_remotes(struct ctx *c)
{
	struct kept k = { 0 };
	struct depot_counts n;
	struct err e;

	depot_counts(c->depot, &n);
	if (!n.n_results && !n.n_published)
		return;
	if (keep_locked(c, &k, &e) < 0 || keep_outputs(c, &k, &e) < 0 ||
	    write_refs(c, &k, n.n_published > 0, &e) < 0)
		note("gg remote gc may remove what this run needs: that could not be written to "
		     "a remote: %s", e.text);
	kept_release(&k);
}

void kept_release(struct kept *k)
{
	free(k->v);
}
