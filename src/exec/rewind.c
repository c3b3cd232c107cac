/* rewind.c - what was known and is gone is made again
 *
 * A result names objects; when one of them is not in the store any more the
 * result is dropped, the thunk is loaded again and whoever needs it waits for
 * it as if it had never been known.  What no thunk gives, a source file, is
 * put again from the project if it still has the same content.
 */
#include <fcntl.h>
#include <stdlib.h>
#include "exec_internal.h"

enum { REWINDS_MAX = 3 };

/* Is the object there, with the content its name says?  Files of any size are
 * taken at their word; a run that finds one lying names it. */
static bool has(struct exec *x, const struct id *id)
{
	return store_has(x->o.store, id);
}

/* Trees still to be looked at. */
struct ids {
	struct id *v;
	size_t n, room;
};

static void ids_push(struct ids *l, const struct id *id)
{
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 16;
		l->v = mem_grow(l->v, l->room * sizeof(*l->v));
	}
	l->v[l->n++] = *id;
}

static bool tree_is_whole(struct exec *x, const struct id *id)
{
	struct arena a = { 0 };
	struct ids todo = { 0 };
	bool is_whole = true;

	ids_push(&todo, id);
	while (is_whole && todo.n) {
		struct id at = todo.v[--todo.n];
		struct bytes b;
		struct tree t;
		struct err e;

		arena_reset(&a);
		is_whole = store_get(x->o.store, &at, &a, &b, &e) == 0 &&
			tree_decode(b, &a, &t, &e) == 0;
		for (size_t i = 0; is_whole && i < t.n; i++) {
			if (t.v[i].kind == ENTRY_TREE)
				ids_push(&todo, &t.v[i].id);
			else if (t.v[i].kind != ENTRY_LINK)
				is_whole = has(x, &t.v[i].id);
		}
	}
	free(todo.v);
	arena_release(&a);
	return is_whole;
}

bool ref_is_whole(struct exec *x, const struct ref *r)
{
	if (r->kind == REF_THUNK)
		return true;
	return r->kind == REF_TREE ? tree_is_whole(x, &r->id) : has(x, &r->id);
}

bool result_is_whole(struct exec *x, const struct result *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (!ref_is_whole(x, &r->v[i].ref))
			return false;
	return true;
}

static int forget_result(struct exec *x, const struct id *id, struct err *e)
{
	if (store_table_delete(x->o.store, TABLE_RESULT, id_key(id), e) < 0 &&
	    e->code != ERR_MISSING)
		return -1;
	return 0;
}

int node_forget(struct exec *x, const struct node *n, struct err *e)
{
	if (forget_result(x, &n->id, e) < 0)
		return -1;
	return id_is_zero(&n->reduced) ? 0 : forget_result(x, &n->reduced, e);
}

int node_rewind(struct exec *x, struct node *n, struct err *e)
{
	struct arena *a = &x->scratch;

	if (n->n_rewinds >= REWINDS_MAX)
		return err_set(e, ERR_IO, "what \"%s\" gives was made again %d times and is "
			       "gone from the store each time", node_label(x, n, a, 120),
			       REWINDS_MAX);
	n->n_rewinds++;
	if (node_forget(x, n, e) < 0)
		return -1;
	if (n->ran)
		x->n_forced--;
	else
		x->n_cached--;
	x->n_remote -= n->is_remote;
	n->ran = n->is_remote = n->is_asked = false;
	n->is_rewound = true;
	n->state = NODE_NEW;
	return 0;
}

/* A source that is gone from the store: put it again from where it was. */
static int restore(struct exec *x, const struct node *n, const struct input *in,
		   struct err *e)
{
	struct store *s = x->o.store;
	int root = x->o.project->root_fd, rc;
	struct err why;
	struct id id;

	if (in->ref.kind == REF_TREE)
		rc = stat_tree(s, root, in->path, STAT_KEEP, PROJECT_DIR, &id, &why);
	else
		rc = stat_name(s, root, in->path, STAT_KEEP, &id, NULL, &why);
	if (rc == 0 && id_equal(&id, &in->ref.id) && ref_is_whole(x, &in->ref))
		return 0;
	return err_set(e, ERR_MISSING, "%s: what \"%s\" was inferred to read there is gone from "
		       "the store, and the project %s; run gg infer again", in->path,
		       node_label(x, n, &x->scratch, 120),
		       rc < 0 ? "has it no more" : "has other content there now");
}

/* Must dep be waited for?  If its output has gone, and is `only`, it is made
 * again: 1, or 0. */
static int check_dep(struct exec *x, struct node *dep, const char *out, const struct id *only,
		     struct err *e)
{
	const struct ref *ref = NULL;
	struct result r;

	if (dep->state != NODE_DONE)
		return 1;
	if (store_get_result(x->o.store, &dep->id, &x->scratch, &r, e) == 0)
		ref = result_output(&r, out);
	else if (e->code != ERR_MISSING && e->code != ERR_BAD)
		return -1;
	if (ref && ((only && !id_equal(only, &ref->id)) || ref_is_whole(x, ref)))
		return 0;
	return node_rewind(x, dep, e) < 0 ? -1 : 1;
}

int node_lost_input(struct exec *x, struct node *n, const struct id *missing,
		    struct err *e)
{
	int rc;

	n->n_rewinds++;
	/* One that is there but lies is removed by the check. */
	if (!id_is_zero(missing))
		store_check(x->o.store, missing, e);
	rc = away_fetch_lost(x, n, e);
	return rc ? (rc < 0 ? -1 : 0) : node_make_inputs(x, n, missing, e);
}

/* n waits for those of its inputs that are not here; `only`, if not NULL, for no
 * other.  1 if there was one; 0 if not, or if n has failed with it; -1. */
static int wait_for_inputs(struct exec *x, struct node *n, const struct thunk *t,
			   const struct id *only, struct err *e)
{
	int found = 0;

	n->state = NODE_WAITING;
	n->why = WAIT_INPUTS;
	n->n_waits_for = 0;
	for (size_t i = 0; i < t->n_in; i++) {
		const struct input *in = &t->in[i];
		struct node *dep;
		int rc;

		if (in->ref.kind != REF_THUNK) {
			if ((only && !id_equal(only, &in->ref.id)) || ref_is_whole(x, &in->ref))
				continue;
			found = 1;
			if (restore(x, n, in, e) < 0)
				return -1;
			continue;
		}
		dep = graph_node(x, &in->ref.id);
		rc = check_dep(x, dep, in->ref.out, only, e);
		if (rc < 0)
			return -1;
		found |= rc;
		if (!graph_wait(x, n, dep)) {
			node_fail_above(x, n, dep->failure);
			return 1;
		}
	}
	return found;
}

int node_make_inputs(struct exec *x, struct node *n, const struct id *missing,
		     struct err *e)
{
	struct thunk t;
	struct bytes text;
	int rc = 0;

	if (node_thunk(x, n, &x->scratch, &t, &text, e) < 0)
		return -1;
	/* What else is not here may still be fetched. */
	if (x->o.depot && !id_is_zero(missing))
		rc = wait_for_inputs(x, n, &t, missing, e);
	if (rc == 0)
		rc = wait_for_inputs(x, n, &t, NULL, e);
	if (rc >= 0 && n->state == NODE_WAITING && !n->n_waits_for)
		graph_queue(x, n);
	return rc < 0 ? -1 : 0;
}

void exec_revive(struct exec *x, const struct id *cause,
		 void (*fn)(void *arg, const struct id *thunk), void *arg)
{
	for (size_t i = 0; i < x->by_id.room; i++) {
		struct node *n = x->by_id.v[i];

		if (!n || n->state != NODE_FAILED || !id_equal(&n->failure->cause, cause))
			continue;
		n->state = NODE_NEW;
		n->failure = NULL;
		fn(arg, &n->id);
	}
}
