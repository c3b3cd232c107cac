/* verify_places.c - on which engine a thunk is run again
 *
 * Another than the one that its kept result is from, and than those that it has
 * run on for this check, shows most: a machine that is wrong is so each time.
 * Where there is none, or it does not come about, any will do.
 */
#include <stdlib.h>
#include <string.h>
#include "verify.h"

enum { ELSEWHERE_MS = 30000, REST_MS = 500, DEMAND_MS = 200 };

static uint32_t bit(const struct verify *v, const struct place *p)
{
	return 1u << (p - v->places);
}

void verify_places_open(struct verify *v)
{
	const struct ctx *c = v->d.c;

	v->n_places = c->n_engines < PLACES_MAX ? c->n_engines : PLACES_MAX;
	for (size_t i = 0; i < v->n_places; i++)
		v->places[i] = (struct place){ .engine = &c->engines[i] };
}

/* Where its kept result is from: the name of an engine, or NULL. */
static const char *made_on(struct check *k)
{
	struct observation o;
	struct err e;

	if (!k->has_kept || observation_get(k->v->d.c->store, &k->id, &o, &e) < 0 || !o.place[0])
		return NULL;
	return arena_strn(&k->v->arena, o.place, strcspn(o.place, " "));
}

int verify_places_of(struct check *k, struct err *e)
{
	struct verify *v = k->v;
	struct job j = { .reduced = k->runs, .text = k->text_to_run, .host = k->host,
			 .needs = k->needs };
	struct err why = { .code = ERR_NONE };

	k->made_on = made_on(k);
	for (size_t i = 0; i < v->n_places; i++) {
		const struct engine *en = v->places[i].engine;
		struct room all = en->ops->room(en->backend);

		/* One step alone may have all that there is. */
		if (!en->ops->accepts || engine_takes(en, &all, &j, &why))
			k->may |= bit(v, &v->places[i]);
		if (en->ops->is_here && exec_runtime_is_here(v->d.c->exec, &k->thunk, &why) < 0)
			k->may &= ~bit(v, &v->places[i]);
		if (k->made_on && strcmp(en->ops->name, k->made_on) == 0)
			k->known |= bit(v, &v->places[i]);
	}
	if (k->may)
		return 0;
	*e = why;
	return -1;
}

static bool has_room(const struct verify *v, const struct place *p, const struct room *n)
{
	const struct engine *en = p->engine;
	struct room all = en->ops->room(en->backend);

	if (p->rests_until_ms > loop_now_ms(v->d.c->loop))
		return false;
	if (!p->n_running && !en->ops->accepts)
		return true;
	return room_holds(&all, &p->used, n);
}

static struct place *first_of(struct check *k, uint32_t among)
{
	struct verify *v = k->v;

	for (size_t i = 0; i < v->n_places; i++)
		if ((among & bit(v, &v->places[i])) && has_room(v, &v->places[i], &k->needs))
			return &v->places[i];
	return NULL;
}

/* Among these is one whose workers may yet come, or finish something. */
static bool may_come(const struct check *k, uint32_t among)
{
	const struct verify *v = k->v;

	for (size_t i = 0; i < v->n_places; i++) {
		const struct place *p = &v->places[i];
		const struct backend_ops *ops = p->engine->ops;

		if ((among & bit(v, p)) && (p->n_running || ops->demand || ops->why_waiting))
			return true;
	}
	return false;
}

struct place *verify_place(struct check *k)
{
	uint64_t now = loop_now_ms(k->v->d.c->loop);
	uint32_t fresh = k->may & ~k->known;
	struct place *p = first_of(k, fresh);

	if (p || !(k->may & k->known))
		return p;
	if (!k->waits_since_ms)
		k->waits_since_ms = now;
	if (may_come(k, fresh) && now < k->waits_since_ms + ELSEWHERE_MS)
		return NULL;
	return first_of(k, k->may);
}

void verify_place_used(struct trial *t, struct place *p)
{
	t->place = p;
	p->n_running++;
	room_add(&p->used, &t->job.needs);
}

void verify_place_free(struct trial *t)
{
	struct place *p = t->place;

	p->n_running--;
	room_take(&p->used, &t->job.needs);
	if (!p->n_running)
		p->used = (struct room){ 0 };
}

void verify_place_rests(struct verify *v, struct place *p)
{
	p->rests_until_ms = loop_now_ms(v->d.c->loop) + REST_MS;
}

void verify_place_refused(struct check *k, const struct place *p)
{
	k->may &= ~bit(k->v, p);
}

void verify_place_known(struct check *k, const struct place *p)
{
	k->known |= bit(k->v, p);
	k->waits_since_ms = 0;
}

/* What could run on p, for those engines that start workers by need. */
static struct demand demand_of(const struct verify *v, const struct place *p)
{
	struct demand d = { .n_running = p->n_running };

	for (const struct check *k = v->checks; k; k = k->next) {
		uint32_t fresh = k->may & ~k->known, wanted = fresh ? fresh : k->may;

		if (k->verdict != VERDICT_OPEN || !(wanted & bit(v, p)) ||
		    k->n_begun + k->has_kept >= v->n_wanted)
			continue;
		d.n_ready++;
		room_widen(&d.widest, &k->needs);
	}
	return d;
}

void verify_tell_demand(struct verify *v)
{
	uint64_t now = loop_now_ms(v->d.c->loop);

	if (v->told_demand_ms && now < v->told_demand_ms + DEMAND_MS)
		return;
	v->told_demand_ms = now;
	for (size_t i = 0; i < v->n_places; i++) {
		const struct engine *en = v->places[i].engine;
		struct demand d;

		if (!en->ops->demand)
			continue;
		d = demand_of(v, &v->places[i]);
		en->ops->demand(en->backend, &d);
	}
}
