/* worker_runtime.c - may a step run on this machine
 *
 * A closure that an image was made of is here.  Of another the texts of its
 * trees are wanted first; then this machine is looked over, file by file, and
 * again after a while, since people install packages.  Either may be taken away
 * from below a step: packages are removed, images by force.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "closure.h"
#include "worker_private.h"

enum { TRUSTED_MS = 60000 };

struct checked {
	struct id id;
	uint64_t at_ms;                 /* 0: not any more */
	struct checked *next;
};

struct runtimes {
	struct worker *w;
	struct checked *all;
};

struct runtimes *runtimes_new(struct worker *w)
{
	struct runtimes *r = mem_alloc(sizeof *r);

	*r = (struct runtimes){ .w = w };
	return r;
}

void runtimes_free(struct runtimes *r)
{
	if (!r)
		return;
	for (struct checked *c = r->all, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(r);
}

void runtimes_doubt(struct runtimes *r)
{
	for (struct checked *c = r->all; c; c = c->next)
		c->at_ms = 0;
}

static bool is_of_image(const struct worker *w, const struct id *closure)
{
	for (size_t i = 0; i < w->o.n_closures; i++)
		if (id_equal(&w->o.closures[i], closure))
			return true;
	return false;
}

static struct checked *find(struct runtimes *r, const struct id *closure)
{
	for (struct checked *c = r->all; c; c = c->next)
		if (id_equal(&c->id, closure))
			return c;
	return NULL;
}

static void remember(struct runtimes *r, const struct id *closure)
{
	struct checked *c = find(r, closure);

	if (!c) {
		c = mem_alloc(sizeof *c);
		*c = (struct checked){ .id = *closure, .next = r->all };
		r->all = c;
		ids_add(&r->w->closures, closure);
	}
	c->at_ms = loop_now_ms(r->w->o.loop) + 1;
}

/* Trees whose texts are not here, and what listed folders hold.  -1: one makes no sense. */
static int find_lacking(struct store *s, const struct id *tree, struct arena *a,
			struct ids *lacks, struct err *e)
{
	uint64_t n_bytes;
	struct bytes b;
	struct tree t;

	if (store_get(s, tree, a, &b, e) < 0) {
		if (e->code != ERR_MISSING)
			return -1;
		ids_add(lacks, tree);
		return 0;
	}
	if (tree_decode(b, a, &t, e) < 0)
		return err_wrap(e, "tree %.12s of its closure", id_hex(tree).s);
	for (size_t i = 0; i < t.n; i++) {
		if (t.v[i].kind == ENTRY_TREE &&
		    find_lacking(s, &t.v[i].id, a, lacks, e) < 0)
			return -1;
		/* Compared with the folders here, as no file's bytes are. */
		if (strcmp(t.v[i].name, CLOSURE_NAMES) == 0 &&
		    store_size(s, &t.v[i].id, &n_bytes, e) < 0)
			ids_add(lacks, &t.v[i].id);
	}
	return 0;
}

static int check_closure(struct worker *w, const struct id *closure, struct ids *lacks,
			 struct err *e)
{
	struct checked *c = find(w->runtimes, closure);
	struct arena a = { 0 };
	int rc;

	if (is_of_image(w, closure) ||
	    (c && c->at_ms && loop_now_ms(w->o.loop) - c->at_ms < TRUSTED_MS))
		return 0;
	rc = find_lacking(w->o.store, closure, &a, lacks, e);
	arena_release(&a);
	if (rc < 0)
		return -1;
	if (lacks->n)
		return 1;
	if (closure_check(w->o.store, closure, e) == 0) {
		remember(w->runtimes, closure);
		/* Cells look for its programs in what is committed. */
		return store_flush(w->o.store, e);
	}
	if (w->o.n_closures)
		err_wrap(e, "the closure %.12s is not in this image, and its files are not "
			 "here: make one with gg image for this step", id_hex(closure).s);
	else
		err_wrap(e, "the closure %.12s is not on this machine: install what lacks, or "
			 "run the worker in an image that gg image makes for this step",
			 id_hex(closure).s);
	return -1;
}

int runtime_check(struct worker *w, const struct message_step *step, const struct thunk *t,
		  struct ids *lacks, struct err *e)
{
	if (t->runtime == RUNTIME_CLOSURE)
		return check_closure(w, &t->runtime_id, lacks, e);
	if (t->runtime == RUNTIME_IMAGE)
		return err_set(e, ERR_REFUSED, "this step is for an image that it names; let it "
			       "have a closure instead (gg learn), which any worker can check");
	/* That the text is right, and this machine like it, is for the cell. */
	return step->host.n ? 0 :
		err_set(e, ERR_REFUSED, "this step belongs to one machine, and the request does "
			"not say what that is like; infer it again, or let it have a closure");
}

/* ---- after a failure */

struct search {
	struct arena *a;
	const char *gone;
};

static int look_for(void *arg, const char *path, const struct entry *ent)
{
	struct search *s = arg;
	const char *full = arena_printf(s->a, "/%s", path);
	struct stat st;

	(void)ent;
	if (strcmp(path, CLOSURE_NAMES) == 0 || strcmp(path, CLOSURE_LOADER) == 0 ||
	    lstat(full, &st) == 0 || errno != ENOENT)
		return 0;
	s->gone = full;
	return 1;
}

const char *runtime_lost(struct worker *w, const struct thunk *t, struct arena *a)
{
	struct search s = { .a = a };
	struct err ignored;

	if (t->runtime == RUNTIME_CLOSURE)
		closure_each(w->o.store, &t->runtime_id, look_for, &s, &ignored);
	return s.gone;
}

size_t worker_closures(const struct worker *w, struct arena *a, const struct id **out)
{
	size_t n = w->o.n_closures, k = 0;
	struct id *v;

	for (struct checked *c = w->runtimes->all; c; c = c->next)
		n++;
	*out = v = arena_alloc(a, (n + 1) * sizeof *v);
	for (size_t i = 0; i < w->o.n_closures; i++)
		v[k++] = w->o.closures[i];
	for (struct checked *c = w->runtimes->all; c; c = c->next)
		v[k++] = c->id;
	return k;
}
