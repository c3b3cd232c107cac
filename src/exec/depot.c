/* depot.c - which remote, and whether it is well
 *
 * A remote tries a failed request again by itself.  When it still fails the
 * place rests: nobody asks it for a while that doubles with each failure, so
 * that thousands of objects do not each wait for what is not there.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "depot_private.h"

enum {
	REST_MS = 2000, REST_MAX_MS = 60000,
	REFUSALS = 8,                   /* in a row: it refuses everything */
	REFUSED_MS = 600000,
	NOTICE_MAX = 1400,
};

/* ---- places */

bool place_is_up(const struct depot *d, size_t i, enum way w)
{
	return d->places[i].rests_until_ms[w] <= loop_now_ms(d->loop);
}

bool place_takes(const struct place *p, uint64_t n_bytes)
{
	return !p->nature.small_bytes || n_bytes <= p->nature.small_bytes;
}

void place_answered(struct depot *d, size_t i, enum way w)
{
	struct place *p = &d->places[i];

	p->rests_until_ms[w] = 0;
	p->rest_ms[w] = 0;
	p->n_refused[w] = 0;
}

void depot_tell(struct depot *d, size_t i, enum cause c, const char *fmt, ...)
{
	struct place *p = &d->places[i];
	char text[NOTICE_MAX];
	int n;
	va_list ap;

	if ((p->told & 1u << c) || !d->notice)
		return;
	p->told |= 1u << c;
	n = snprintf(text, sizeof text, "remote %.300s: ", p->r.ops->uri(p->r.remote));
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof text - (size_t)n, fmt, ap);
	va_end(ap);
	d->notice(d->notice_arg, text);
}

static void rest(struct depot *d, struct place *p, enum way w, uint32_t ms, const struct err *e)
{
	uint64_t now = loop_now_ms(d->loop);

	/* Of many in flight that fail together the first one counts. */
	if (p->rests_until_ms[w] > now)
		return;
	p->rest_ms[w] = ms ? ms : p->rest_ms[w] ? 2 * p->rest_ms[w] : REST_MS;
	if (!ms && p->rest_ms[w] > REST_MAX_MS)
		p->rest_ms[w] = REST_MAX_MS;
	p->rests_until_ms[w] = now + p->rest_ms[w];
	p->why[w] = *e;
}

void place_failed(struct depot *d, size_t i, enum way w, const struct err *e)
{
	static const char *const does[WAYS] = { "reading", "writing" };
	struct place *p = &d->places[i];

	switch (e->code) {
	case ERR_RETRY:
		rest(d, p, WAY_IN, 0, e);
		rest(d, p, WAY_OUT, 0, e);
		depot_tell(d, i, CAUSE_DOWN, "%s; going on without it, and asking again later",
			   e->text);
		break;
	case ERR_REFUSED:
		if (++p->n_refused[w] >= REFUSALS)
			rest(d, p, w, REFUSED_MS, e);
		depot_tell(d, i, w == WAY_IN ? CAUSE_REFUSED_IN : CAUSE_REFUSED_OUT,
			   "%s is refused: %s; gg remote check says more", does[w], e->text);
		break;
	case ERR_IO:
		rest(d, p, w, 0, e);
		depot_tell(d, i, CAUSE_ILL, "%s fails: %s", does[w], e->text);
		break;
	default:
		depot_tell(d, i, CAUSE_ILL, "%s fails: %s", does[w], e->text);
	}
}

/* ---- what rests where */

struct known *known_at(struct depot *d, const struct id *id)
{
	struct known *k = map_get(&d->known, id_key(id));

	if (k)
		return k;
	k = arena_alloc(&d->arena, sizeof *k);
	k->id = *id;
	*map_at(&d->known, id_key(&k->id)) = k;
	return k;
}

uint32_t known_places(const struct depot *d, const struct id *id)
{
	const struct known *k = map_get(&d->known, id_key(id));

	return k ? k->at : 0;
}

void depot_note(struct depot *d, const struct id *id)
{
	/* Where is not said: wherever workers can write. */
	for (size_t i = 0; i < d->n_places; i++)
		if (!d->places[i].r.is_read_only) {
			known_at(d, id)->at |= 1u << i;
			return;
		}
}

bool depot_knows(const struct depot *d, const struct id *id)
{
	return known_places(d, id) != 0;
}

uint32_t depot_next_target(const struct depot *d, uint64_t n_bytes, uint32_t tried)
{
	uint32_t last = 0;

	for (size_t i = 0; i < d->n_places; i++) {
		const struct place *p = &d->places[i];

		if (p->r.is_read_only || (tried & 1u << i))
			continue;
		last = 1u << i;
		if (place_takes(p, n_bytes))
			return last;
	}
	return last;                    /* "better elsewhere" is not "never" */
}

/* What this run alone reads goes to one place, the nearest that is meant for its
 * size.  What is to last goes to each that keeps all sizes, and to a memory on
 * the way as well when somebody is about to read it. */
uint32_t depot_targets(const struct depot *d, uint64_t n_bytes, const struct depot_hint *hint)
{
	uint32_t to = 0;

	if (hint && hint->is_passing)
		return depot_next_target(d, n_bytes, 0);
	for (size_t i = 0; i < d->n_places; i++) {
		const struct place *p = &d->places[i];

		if (!p->r.is_read_only && place_takes(p, n_bytes) &&
		    (!p->nature.small_bytes || (hint && hint->n_readers)))
			to |= 1u << i;
	}
	return to ? to : depot_next_target(d, n_bytes, 0);
}

void object_key(char out[KEY_ROOM], const char *folder, const struct id *id)
{
	snprintf(out, KEY_ROOM, "%s/%s", folder, id_hex(id).s);
}

/* ---- what is called back soon */

struct soon {
	struct soon *next;
	void (*fn)(void *arg);
	void *arg;
};

static void soon_now(void *arg)
{
	struct depot *d = arg;
	struct soon *all = d->soon, *in_order = NULL;

	d->soon_timer = NULL;
	d->soon = NULL;
	while (all) {
		struct soon *s = all;

		all = s->next;
		s->next = in_order;
		in_order = s;
	}
	while (in_order) {
		struct soon *s = in_order;

		in_order = s->next;
		s->fn(s->arg);
		free(s);
	}
}

void depot_soon(struct depot *d, void (*fn)(void *arg), void *arg)
{
	struct soon *s = mem_alloc(sizeof *s);

	*s = (struct soon){ d->soon, fn, arg };
	d->soon = s;
	if (!d->soon_timer)
		d->soon_timer = loop_after(d->loop, 0, soon_now, d);
}

/* ---- the depot */

int depot_new(const struct depot_opts *o, struct depot **out, struct err *e)
{
	struct depot *d;

	if (o->n_remotes > PLACES_MAX)
		return err_set(e, ERR_USAGE, "%zu remotes: %d are enough", o->n_remotes,
			       PLACES_MAX);
	d = memset(mem_alloc(sizeof *d), 0, sizeof *d);
	d->loop = o->loop;
	d->store = o->store;
	d->keys = o->keys;
	d->notice = o->notice;
	d->notice_arg = o->arg;
	d->n_places = o->n_remotes;
	d->get_end = &d->get_first;
	d->put_end = &d->put_first;
	d->ask_end = &d->ask_first;
	for (size_t i = 0; i < o->n_remotes; i++) {
		struct place *p = &d->places[i];

		p->r = o->remotes[i];
		p->nature = p->r.ops->nature(p->r.remote);
		p->r.is_plain |= p->nature.is_plain;
		d->uris[i] = p->r.ops->uri(p->r.remote);
	}
	*out = d;
	return 0;
}

void depot_free(struct depot *d)
{
	if (!d)
		return;
	askings_free(d);
	fetchings_free(d);
	gets_free(d);
	pushings_free(d);
	puts_free(d);
	loop_cancel(d->again);
	loop_cancel(d->soon_timer);
	while (d->soon) {
		struct soon *s = d->soon;

		d->soon = s->next;
		free(s);
	}
	map_release(&d->known);
	arena_release(&d->arena);
	free(d);
}

void depot_counts(const struct depot *d, struct depot_counts *out)
{
	*out = d->counts;
	out->n_waiting = d->n_behind;
}

const char *const *depot_uris(const struct depot *d)
{
	return d->uris;
}
