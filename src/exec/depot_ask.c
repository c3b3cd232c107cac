/* depot_ask.c - what is known at remotes of a thunk, and may be believed
 *
 * The first result that a trusted key has signed counts.  Others are as good as
 * absent: who can write to a remote may waste time, but changes nothing.
 */
#include <stdlib.h>
#include <string.h>
#include "depot_private.h"

enum { RESULT_MAX = 1 << 20 };

struct asking {
	struct depot *d;
	struct depot_ask *q;
	struct asking *queued;
	struct asking *next, **at;      /* among all */
	struct remote_call call;
	char key[KEY_ROOM];
	size_t i;
	uint32_t missed;                /* places without one */
	bool is_calling;
	unsigned n_asked;
	struct err down;
};

static void ask_next(struct asking *a);
static void pump_soon(struct depot *d);

static void free_asking(struct asking *a)
{
	*a->at = a->next;
	if (a->next)
		a->next->at = a->at;
	free(a);
}

static void end(struct asking *a, const struct result *r, const struct err *e)
{
	struct depot *d = a->d;

	a->q->done(a->q, r, e);
	free_asking(a);
	d->n_asks--;
	pump_soon(d);
}

/* The result text in what came, or false: it is as good as absent. */
static bool believe(struct asking *a, struct bytes body, struct bytes *text)
{
	struct depot *d = a->d;
	const struct place *p = &d->places[a->i];
	struct public_key by;
	struct err e;

	if (p->r.trusts_results && bytes_start(body, "gg-result ")) {
		*text = body;
		return true;
	}
	if (!d->keys)
		return false;
	if (signed_read(d->keys, &a->q->thunk, body, text, &by, &e) == 0)
		return true;
	if (e.code == ERR_REFUSED) {
		depot_tell(d, a->i, CAUSE_UNTRUSTED, "results by %s are not used: that key is not "
			   "trusted; gg key trust does that", public_key_hex(&by).s);
	} else {
		d->counts.n_bad++;
		depot_tell(d, a->i, CAUSE_UNSIGNED, "%s is not used: %s", a->key, e.text);
	}
	return false;
}

/* Nearer places that had none get it too. */
static void fill(struct asking *a, struct bytes body)
{
	struct depot *d = a->d;
	uint32_t to = 0;

	for (size_t j = 0; j < a->i; j++)
		if (!d->places[j].r.is_read_only && (a->missed & 1u << j))
			to |= 1u << j;
	if (to)
		put_text(d, &a->q->thunk, body, to);
}

static bool take(struct asking *a, struct bytes body)
{
	struct arena arena = { 0 };
	struct bytes text;
	struct result r;
	struct err e;
	bool is_good = believe(a, body, &text) && result_decode(text, &arena, &r, &e) == 0;

	if (is_good) {
		a->d->counts.n_results++;
		fill(a, body);
		end(a, &r, NULL);
	}
	arena_release(&arena);
	return is_good;
}

static void answered(struct remote_call *c, const struct remote_answer *w, const struct err *e)
{
	struct asking *a = c->arg;

	a->is_calling = false;
	if (!e || e->code == ERR_MISSING) {
		place_answered(a->d, a->i, WAY_IN);
		a->n_asked++;
	}
	if (!e && take(a, w->body))
		return;
	if (!e || e->code == ERR_MISSING) {
		a->missed |= 1u << a->i;
	} else {
		place_failed(a->d, a->i, WAY_IN, e);
		a->down = *e;
	}
	a->i++;
	ask_next(a);
}

static void ask_next(struct asking *a)
{
	struct depot *d = a->d;
	struct err e;

	for (; a->i < d->n_places; a->i++) {
		struct place *p = &d->places[a->i];

		if (!d->keys && !p->r.trusts_results)
			continue;
		if (!place_is_up(d, a->i, WAY_IN)) {
			a->down = p->why[WAY_IN];
			continue;
		}
		a->call = (struct remote_call){ .verb = REMOTE_GET, .key = a->key,
						.max_bytes = RESULT_MAX, .done = answered,
						.arg = a };
		if (p->r.ops->start(p->r.remote, &a->call, &e) == 0) {
			a->is_calling = true;
			return;
		}
		place_failed(d, a->i, WAY_IN, &e);
		a->down = e;
	}
	end(a, NULL, a->n_asked || !a->down.code ? NULL : &a->down);
}

static void pump(void *arg)
{
	struct depot *d = arg;

	d->asks_soon = false;
	while (d->ask_first && d->n_asks < ASKS_MAX) {
		struct asking *a = d->ask_first;

		d->ask_first = a->queued;
		if (!d->ask_first)
			d->ask_end = &d->ask_first;
		d->n_asks++;
		ask_next(a);
	}
}

static void pump_soon(struct depot *d)
{
	if (d->asks_soon || !d->ask_first)
		return;
	d->asks_soon = true;
	depot_soon(d, pump, d);
}

void depot_ask(struct depot *d, struct depot_ask *q)
{
	struct asking *a = memset(mem_alloc(sizeof *a), 0, sizeof *a);

	a->d = d;
	a->q = q;
	a->next = d->asked;
	a->at = &d->asked;
	if (a->next)
		a->next->at = &a->next;
	d->asked = a;
	q->depot_data = a;
	object_key(a->key, "ac", &q->thunk);
	*d->ask_end = a;
	d->ask_end = &a->queued;
	pump_soon(d);
}

void askings_free(struct depot *d)
{
	while (d->asked) {
		struct asking *a = d->asked;

		if (a->is_calling)
			d->places[a->i].r.ops->cancel(d->places[a->i].r.remote, &a->call);
		free_asking(a);
	}
}
