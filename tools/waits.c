/* waits.c - why an output is not real yet: what it waits for
 *
 * Only the ends of all chains are told of: steps that could start now, that
 * failed the last time, or that fit nowhere.  What merely waits for those is
 * counted.
 */
#include "waits.h"

#include <stdlib.h>
#include <string.h>
#include "running.h"
#include "steps.h"

enum { TOLD_MOST = 12, NAMED_MOST = 4, LABEL_WIDTH = 60 };

/* A step without a result. */
struct unmade {
	struct id id;
	const char *path;               /* of the output that is wanted of it */
	struct thunk t;
	struct bytes text;
	const char *label;
	struct strs needs;              /* paths that other such steps make */
	const char *failed;             /* how, the last time; or NULL */
	const char *misfit;             /* why no engine takes it; or NULL */
	const char *now;                /* what a force that goes on does with it */
	bool is_made;                   /* it has a result after all */
};

struct look {
	const struct waits *w;
	struct arena *a;
	struct unmade **v;
	size_t n, room;
	struct map seen;                /* id -> struct unmade */
	bool has_engines;
	struct running running;
	const char *ready;              /* what a step is that lacks nothing */
};

static bool has_result(struct look *l, const struct id *thunk)
{
	struct store *s = l->w->c->store;
	struct step p = { .id = *thunk };
	struct result r;
	struct err e;

	return store_get_result(s, thunk, l->a, &r, &e) == 0 ||
		(step_reduce(s, &p) && store_get_result(s, &p.reduced, l->a, &r, &e) == 0);
}

/* 1 unmade, 0 made. */
static int look_at(struct look *l, const struct id *thunk, const char *path, struct err *e)
{
	struct unmade *u = map_get(&l->seen, id_key(thunk));

	if (u)
		return !u->is_made;
	u = arena_alloc(l->a, sizeof *u);
	*u = (struct unmade){ .id = *thunk, .path = path, .is_made = has_result(l, thunk) };
	*map_at(&l->seen, id_key(&u->id)) = u;
	if (u->is_made)
		return 0;
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		l->v = mem_grow(l->v, l->room * sizeof(struct unmade *));
	}
	l->v[l->n++] = u;
	if (store_get(l->w->c->store, thunk, l->a, &u->text, e) < 0)
		return e->code != ERR_MISSING ? -1 :
			err_set(e, ERR_MISSING, "%s: its thunk, %.12s, is gone from the store; run "
				"gg infer again", path, id_hex(thunk).s);
	if (thunk_decode(u->text, l->a, &u->t, e) < 0)
		return err_wrap(e, "%s", path);
	u->label = thunk_label(&u->t, l->a, LABEL_WIDTH);
	return 1;
}

/* All steps without a result that the first one needs. */
static int look_behind(struct look *l, struct err *e)
{
	for (size_t next = 0; next < l->n; next++) {
		struct unmade *u = l->v[next];

		for (size_t i = 0; i < u->t.n_in; i++) {
			const struct input *in = &u->t.in[i];
			int rc = in->ref.kind == REF_THUNK ?
				look_at(l, &in->ref.id, in->path, e) : 0;

			if (rc < 0)
				return -1;
			if (rc)
				strs_add(&u->needs, in->path);
		}
	}
	return 0;
}

/* ---- what happened the last time */

/* As a rule the reason stands there. */
static const char *last_line(struct look *l, const struct id *log)
{
	struct bytes text;
	struct err e;
	const char *from;

	if (id_is_zero(log) || store_get(l->w->c->store, log, l->a, &text, &e) < 0)
		return "it printed nothing";
	while (text.n && strchr("\r\n ", text.p[text.n - 1]))
		text.n--;
	from = memrchr(text.p, '\n', text.n);
	from = from ? from + 1 : text.p;
	return arena_strn(l->a, from, (size_t)(text.p + text.n - from));
}

static const char *how_it_failed(struct look *l, const struct unmade *u)
{
	struct observation o;
	struct err e;

	if (observation_get(l->w->c->store, &u->id, &o, &e) < 0 ||
	    (o.status == RUN_OK && !o.code))
		return NULL;
	if (o.status == RUN_STOPPED)
		return "was ended early the last time, and can go on from there";
	return arena_printf(l->a, "failed the last time (%s %d): %s", run_status_name(o.status),
			    o.code, last_line(l, &o.log));
}

/* ---- where it could run */

/* Why none takes it, or NULL: one does, or some were not asked. */
static const char *why_nowhere(struct look *l, const struct unmade *u)
{
	struct ctx *c = l->w->c;
	struct hints h = { 0 };
	struct job j = { .reduced = u->id, .text = u->text };
	struct buf b = { 0 };
	struct err e;
	const char *out;

	if (!l->has_engines || c->n_engines < c->o.engines.n)
		return NULL;
	if (hints_get(c->store, &u->id, l->a, &h, &e) < 0)
		h = (struct hints){ 0 };
	j.needs = (struct room){ .cpus = h.cpus > 0 ? h.cpus : 1, .gpus = h.gpus,
				 .mem_bytes = h.mem_bytes, .disk_bytes = h.disk_bytes };
	if (u->t.runtime == RUNTIME_HOST &&
	    store_get(c->store, &u->t.runtime_id, l->a, &j.host, &e) < 0)
		return NULL;
	buf_printf(&b, "fits nowhere: it needs %s", room_words(&j.needs, NULL).s);
	for (size_t i = 0; i < c->n_engines; i++) {
		struct room all = c->engines[i].ops->room(c->engines[i].backend);

		if (engine_takes(&c->engines[i], &all, &j, &e)) {
			buf_release(&b);
			return NULL;
		}
		buf_printf(&b, "; %s: %s", c->engines[i].uri, e.text);
	}
	buf_printf(&b, "; change its hints in gg.models, or --engine");
	out = arena_str(l->a, b.p);
	buf_release(&b);
	return out;
}

/* ---- telling */

static const char *names(struct look *l, const struct strs *paths)
{
	struct buf b = { 0 };
	const char *out;

	for (size_t i = 0; i < paths->n && i < NAMED_MOST; i++)
		buf_printf(&b, "%s%s", i ? ", " : "", paths->v[i]);
	if (paths->n > NAMED_MOST)
		buf_printf(&b, " and %zu more", paths->n - NAMED_MOST);
	out = arena_str(l->a, b.p ? b.p : "");
	buf_release(&b);
	return out;
}

static void tell(struct look *l, const struct unmade *u, const char *what)
{
	l->w->tell(l->w->arg, u->path, arena_printf(l->a, "%s (%s)", what, u->label));
}

/* Those that run, those that failed, those that fit nowhere, those that could start. */
static const char *state(const struct look *l, const struct unmade *u, int turn)
{
	const char *first[] = { u->now, u->failed, u->misfit };

	for (int i = 0; i < 3; i++)
		if (first[i])
			return i == turn ? first[i] : NULL;
	return u->needs.n || turn < 3 ? NULL : l->ready;
}

static const char *what_is_done(struct look *l, const struct unmade *u)
{
	const struct running *r = &l->running;
	const char *engine = running_on(r, &u->id);

	if (engine)
		return arena_printf(l->a, "runs just now on %s, for the gg with the number %ld",
				    engine, r->pid);
	if (!r->run || !r->waits || u->needs.n)
		return NULL;
	return arena_printf(l->a, "waits for room in the gg with the number %ld: %s", r->pid,
			    r->waits);
}

static void tell_all(struct look *l)
{
	const struct unmade *top = l->v[0];
	size_t n_told = 0, n_ends = 0;

	l->w->tell(l->w->arg, top->path, arena_printf(l->a, "is not made yet: %zu step%s would "
		   "run; gg force %s runs %s", l->n, l->n == 1 ? "" : "s", top->path,
		   l->n == 1 ? "it" : "them"));
	if (top->needs.n)
		tell(l, top, arena_printf(l->a, "waits for %s", names(l, &top->needs)));
	for (int turn = 0; turn < 4; turn++)
		for (size_t i = 0; i < l->n; i++) {
			const char *what = state(l, l->v[i], turn);

			n_ends += what != NULL;
			if (what && n_told < TOLD_MOST) {
				tell(l, l->v[i], what);
				n_told++;
			}
		}
	if (n_ends > n_told)
		l->w->tell(l->w->arg, top->path,
			   arena_printf(l->a, "and %zu more like these", n_ends - n_told));
}

static void look_at_engines(struct look *l)
{
	struct ctx *c = l->w->c;
	struct err e;
	size_t n;

	running_look(c, &l->running);
	l->ready = "has all that it reads, and could start now";
	n = running_count(&l->running);
	if (n)
		l->ready = arena_printf(l->a, "has all that it reads; %zu other%s just now, for "
				"the gg with the number %ld", n, n == 1 ? " runs" : "s run",
				l->running.pid);
	l->has_engines = c->n_engines ||
		((c->loop || loop_new(&c->loop, &e) == 0) && engines_open_idle(c, &e) == 0);
	if (!l->has_engines)
		l->w->tell(l->w->arg, l->v[0]->path, arena_str(l->a, e.text));
	for (size_t i = 0; i < l->n; i++) {
		l->v[i]->failed = how_it_failed(l, l->v[i]);
		l->v[i]->misfit = why_nowhere(l, l->v[i]);
		l->v[i]->now = what_is_done(l, l->v[i]);
	}
}

int waits_tell(const struct waits *w, const char *path, const struct id *thunk,
	       struct err *e)
{
	struct look l = { .w = w, .a = &w->c->arena };
	int rc = look_at(&l, thunk, path, e);

	if (rc == 0)
		w->tell(w->arg, path, arena_printf(l.a, "its result is known: gg force %s puts it "
						   "there, and runs nothing", path));
	if (rc > 0)
		rc = look_behind(&l, e);
	if (rc == 0 && l.n) {
		look_at_engines(&l);
		tell_all(&l);
	}
	for (size_t i = 0; i < l.n; i++)
		strs_release(&l.v[i]->needs);
	free(l.v);
	map_release(&l.seen);
	running_release(&l.running);
	return rc < 0 ? -1 : 0;
}
