/* depot_fetch.c - objects into the store, trees with all that is below
 *
 * What a tree needs is known once its text is here; then its entries are wanted
 * in turn, each once however often it is named.
 */
#include <stdlib.h>
#include <string.h>
#include "depot_private.h"

struct fetching {
	struct depot *d;
	struct depot_fetch *f;          /* NULL: told, or cancelled */
	struct fetching *next, **at;
	struct map seen;                /* id and kind -> anything */
	struct arena arena;
	size_t n_open;                  /* waits, and one while it begins */
	struct id missing;
	struct err err;
};

/* One object that a fetch waits for. */
struct fetch_wait {
	struct get_wait w;
	struct fetching *x;
	struct ref ref;
};

static void want(void *arg, const struct ref *r);

void below_each(struct store *s, const struct ref *r,
		void (*fn)(void *arg, const struct ref *below), void *arg)
{
	struct arena a = { 0 };
	struct bytes text;
	struct tree t;
	struct thunk k;
	struct err e;

	if (r->kind == REF_TREE && store_get(s, &r->id, &a, &text, &e) == 0 &&
	    tree_decode(text, &a, &t, &e) == 0)
		for (size_t i = 0; i < t.n; i++) {
			struct ref below = { .kind = t.v[i].kind == ENTRY_TREE ? REF_TREE :
						     REF_VALUE, .id = t.v[i].id };

			if (t.v[i].kind != ENTRY_LINK)
				fn(arg, &below);
		}
	if (r->kind == REF_THUNK && store_get(s, &r->id, &a, &text, &e) == 0 &&
	    thunk_decode(text, &a, &k, &e) == 0)
		for (size_t i = 0; i < k.n_in; i++)
			if (k.in[i].ref.kind == REF_THUNK)
				fn(arg, &k.in[i].ref);
	arena_release(&a);
}

static void free_fetching(struct fetching *x)
{
	*x->at = x->next;
	if (x->next)
		x->next->at = x->at;
	map_release(&x->seen);
	arena_release(&x->arena);
	free(x);
}

/* Tell it once; what is still on its way comes all the same. */
static void tell(struct fetching *x)
{
	struct depot_fetch *f = x->f;

	x->f = NULL;
	if (f)
		f->done(f, &x->missing, x->err.code ? &x->err : NULL);
}

static void one_less(struct fetching *x)
{
	if (--x->n_open)
		return;
	tell(x);
	free_fetching(x);
}

static bool wait_is_wanted(const struct get_wait *w)
{
	return ((const struct fetch_wait *)w)->x->f != NULL;
}

static void one_came(struct get_wait *w, const struct id *id, const struct err *e)
{
	struct fetch_wait *m = (struct fetch_wait *)w;
	struct fetching *x = m->x;

	if (!e && x->f) {
		below_each(x->d->store, &m->ref, want, x);
	} else if (e && !x->err.code) {
		x->err = *e;
		x->missing = *id;
		tell(x);
	}
	one_less(x);
}

/* A value may be wanted as a tree, too: the kind is a part of the key. */
static bool is_new(struct fetching *x, const struct ref *r)
{
	char *key = arena_alloc(&x->arena, ID_BYTES + 1);
	struct bytes k = { key, ID_BYTES + 1 };

	memcpy(key, r->id.b, ID_BYTES);
	key[ID_BYTES] = r->kind == REF_EXEC ? REF_VALUE : (char)r->kind;
	if (map_get(&x->seen, k))
		return false;
	*map_at(&x->seen, k) = x;
	return true;
}

static void want(void *arg, const struct ref *r)
{
	struct fetching *x = arg;
	struct fetch_wait *m;

	if (!is_new(x, r))
		return;
	if (store_has(x->d->store, &r->id)) {
		below_each(x->d->store, r, want, x);
		return;
	}
	m = arena_alloc(&x->arena, sizeof *m);
	*m = (struct fetch_wait){ { .done = one_came, .is_wanted = wait_is_wanted }, x, *r };
	x->n_open++;
	get_object(x->d, &r->id, &m->w);
}

static void begun(void *arg)
{
	one_less(arg);
}

void depot_fetch(struct depot *d, struct depot_fetch *f)
{
	struct fetching *x = memset(mem_alloc(sizeof *x), 0, sizeof *x);

	x->d = d;
	x->f = f;
	x->next = d->fetchings;
	x->at = &d->fetchings;
	if (x->next)
		x->next->at = &x->next;
	d->fetchings = x;
	f->depot_data = x;
	x->n_open = 1;
	for (size_t i = 0; i < f->n_refs; i++)
		want(x, &f->refs[i]);
	depot_soon(d, begun, x);
}

void depot_cancel_fetch(struct depot *d, struct depot_fetch *f)
{
	struct fetching *x = f->depot_data;

	(void)d;
	x->f = NULL;
}

void fetchings_free(struct depot *d)
{
	while (d->fetchings)
		free_fetching(d->fetchings);
}
