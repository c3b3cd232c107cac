/* depot_push.c - objects to where workers can read them, results to where all can
 *
 * A result is written only once its objects rest at a remote, and only to the
 * remotes where they do, so that who reads a result finds what it names.
 */
#include <stdlib.h>
#include <string.h>
#include "depot_private.h"

/* A push that somebody waits for, or the objects of a result. */
struct pushing {
	struct depot *d;
	struct depot_push *p;           /* NULL: a result, written behind */
	struct pushing *next, **at;
	struct depot_hint hint;
	struct id *names;               /* of the result */
	size_t n_names;
	struct bytes text;
	uint32_t places;                /* where its objects have come to rest */
	struct map seen;
	struct arena arena;
	size_t n_open;
	struct err err;
};

struct push_wait {
	struct put_wait w;
	struct pushing *x;
};

struct drain {
	struct drain *next;
	void (*done)(void *arg, const struct err *e);
	void *arg;
};

/* ---- draining */

static void tell_drained(void *arg)
{
	struct depot *d = arg;

	while (d->drains && !d->n_behind) {
		struct drain *w = d->drains;
		struct err e = d->behind;

		d->drains = w->next;
		if (!d->drains)
			d->behind.code = ERR_NONE;
		w->done(w->arg, e.code ? &e : NULL);
		free(w);
	}
}

void behind_ended(struct depot *d, const struct err *e)
{
	if (e && !d->behind.code)
		d->behind = *e;
	if (--d->n_behind == 0 && d->drains)
		depot_soon(d, tell_drained, d);
}

void depot_drain(struct depot *d, void (*done)(void *arg, const struct err *e), void *arg)
{
	struct drain *w = mem_alloc(sizeof *w);

	*w = (struct drain){ d->drains, done, arg };
	d->drains = w;
	puts_hurry(d);
	if (!d->n_behind)
		depot_soon(d, tell_drained, d);
}

/* ---- objects */

static void free_pushing(struct pushing *x)
{
	*x->at = x->next;
	if (x->next)
		x->next->at = x->at;
	map_release(&x->seen);
	arena_release(&x->arena);
	free(x);
}

static int put_result(struct pushing *x, size_t i, uint32_t trusting, struct err *e)
{
	struct depot *d = x->d;
	struct buf text = { 0 };
	int rc = 0;

	if (d->keys && keyring_can_sign(d->keys)) {
		rc = signed_write(d->keys, &x->names[i], x->text, &text, e);
		if (rc == 0)
			put_text(d, &x->names[i], buf_bytes(&text), x->places);
	} else if (x->places & trusting) {
		put_text(d, &x->names[i], x->text, x->places & trusting);
	}
	buf_release(&text);
	return rc;
}

static void put_results(struct pushing *x)
{
	struct depot *d = x->d;
	uint32_t trusting = 0;

	for (size_t i = 0; i < d->n_places; i++)
		trusting |= d->places[i].r.trusts_results ? 1u << i : 0;
	/* A result without objects goes where small things go. */
	if (!x->seen.n)
		x->places = depot_targets(d, 0, &x->hint);
	for (size_t i = 0; i < x->n_names && !x->err.code; i++)
		put_result(x, i, trusting, &x->err);
}

static void finish(struct pushing *x)
{
	struct depot *d = x->d;
	struct depot_push *p = x->p;
	struct err e = x->err;

	if (p) {
		p->done(p, e.code ? &e : NULL);
		free_pushing(x);
		return;
	}
	if (!e.code)
		put_results(x);
	free_pushing(x);
	behind_ended(d, e.code ? &e : NULL);
}

static void one_less(void *arg)
{
	struct pushing *x = arg;

	if (--x->n_open == 0)
		finish(x);
}

static void one_went(struct put_wait *w, const struct id *id, uint32_t at, const struct err *e)
{
	struct pushing *x = ((struct push_wait *)w)->x;

	(void)id;
	x->places |= at;
	if (!at && e && !x->err.code)
		x->err = *e;
	one_less(x);
}

static void want(void *arg, const struct ref *r);

static void put_one(struct pushing *x, const struct id *id)
{
	struct depot *d = x->d;
	uint32_t to, known = known_places(d, id);
	struct push_wait *m;
	uint64_t n_bytes;
	struct err e;

	x->places |= known;
	if (store_size(d->store, id, &n_bytes, &e) < 0) {
		if (!known && !x->err.code)
			x->err = e;
		return;
	}
	if (x->p && known)
		return;
	to = x->p ? depot_next_target(d, n_bytes, 0) : depot_targets(d, n_bytes, &x->hint);
	if (!(to & ~known)) {
		if (!to && !x->err.code)
			err_set(&x->err, ERR_REFUSED, "there is no remote that may be written to");
		return;
	}
	m = arena_alloc(&x->arena, sizeof *m);
	*m = (struct push_wait){ { .done = one_went }, x };
	x->n_open++;
	put_object(d, id, to, x->p != NULL, &m->w);
}

static void want(void *arg, const struct ref *r)
{
	struct pushing *x = arg;
	char *key = arena_alloc(&x->arena, ID_BYTES + 1);
	struct bytes k = { key, ID_BYTES + 1 };

	memcpy(key, r->id.b, ID_BYTES);
	key[ID_BYTES] = r->kind == REF_EXEC ? REF_VALUE : (char)r->kind;
	if (map_get(&x->seen, k))
		return;
	*map_at(&x->seen, k) = x;
	put_one(x, &r->id);
	below_each(x->d->store, r, want, x);
}

static struct pushing *new_pushing(struct depot *d, const struct depot_hint *hint)
{
	struct pushing *x = memset(mem_alloc(sizeof *x), 0, sizeof *x);

	x->d = d;
	if (hint)
		x->hint = *hint;
	x->next = d->pushings;
	x->at = &d->pushings;
	if (x->next)
		x->next->at = &x->next;
	d->pushings = x;
	x->n_open = 1;
	return x;
}

void depot_push(struct depot *d, struct depot_push *p)
{
	struct pushing *x = new_pushing(d, &p->hint);

	x->p = p;
	p->depot_data = x;
	for (size_t i = 0; i < p->n_refs; i++)
		want(x, &p->refs[i]);
	depot_soon(d, one_less, x);
}

/* ---- results */

static bool can_publish(const struct depot *d)
{
	if (d->keys && keyring_can_sign(d->keys))
		return true;
	for (size_t i = 0; i < d->n_places; i++)
		if (d->places[i].r.trusts_results && !d->places[i].r.is_read_only)
			return true;
	return false;
}

void depot_publish(struct depot *d, const struct id *names, size_t n_names,
		   const struct result *r, const struct depot_hint *hint)
{
	struct buf text = { 0 };
	struct pushing *x;
	struct err e;

	if (!depot_next_target(d, 0, 0) || !can_publish(d) || result_encode(r, &text, &e) < 0) {
		buf_release(&text);
		return;
	}
	x = new_pushing(d, hint);
	x->text = arena_bytes(&x->arena, buf_bytes(&text));
	buf_release(&text);
	x->names = arena_alloc(&x->arena, n_names * sizeof *names);
	memcpy(x->names, names, n_names * sizeof *names);
	x->n_names = n_names;
	d->n_behind++;
	for (size_t i = 0; i < r->n; i++)
		want(x, &r->v[i].ref);
	depot_soon(d, one_less, x);
}

void pushings_free(struct depot *d)
{
	while (d->pushings)
		free_pushing(d->pushings);
	while (d->drains) {
		struct drain *w = d->drains;

		d->drains = w->next;
		free(w);
	}
}
