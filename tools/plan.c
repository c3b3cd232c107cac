/* plan.c - what a force would run and take: the graph is loaded as for a force by
 * an exec that starts nothing, and foresee.h runs the clock */
#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "foresee.h"
#include "prices.h"
#include "shown.h"

/* Workers of one cpu that a pool without any may come to have. */
enum { POOL_MOST = 64, ROWS_MAX = 32, PATH_SHOWN = 20, SHAPES_SHOWN = 8 };

struct plan {
	struct ctx *c;
	struct map known;               /* id -> any */
	size_t n_known, n_failed;
	struct prices prices;
	struct foresight all;           /* with room for everything */
	struct foreseen *path;
	size_t n_path;
	struct strs unseen;
	json_t *rows;
};

/* One row of the table: an engine with so many cpus. */
struct row {
	const struct engine *engine;
	double cpus, dollars;           /* dollars: NAN for no idea */
	struct foresight seen;
};

void plan_add(struct plan_wants *w, const struct id *thunk, const char *out, bool is_known)
{
	if (w->n == w->room) {
		w->room = w->room ? 2 * w->room : 64;
		w->v = mem_grow(w->v, w->room * sizeof *w->v);
	}
	w->v[w->n++] = (struct plan_want){ *thunk, out, is_known };
}

static void add_known(struct plan *p, const struct id *thunk)
{
	struct id *own;

	if (map_get(&p->known, id_key(thunk)))
		return;
	own = arena_alloc(&p->c->arena, sizeof *own);
	*own = *thunk;
	*map_at(&p->known, id_key(own)) = own;
	p->n_known++;
}

static void on_event(void *arg, const struct exec_event *ev)
{
	struct plan *p = arg;

	if (ev->kind == EXEC_CACHED)
		add_known(p, ev->thunk);
	if (ev->kind != EXEC_FAILED)
		return;
	p->n_failed++;
	if (id_equal(ev->cause, ev->thunk))
		note("%s: %s", ev->label, ev->text);
}

/* ---- looking */

static int load(struct plan *p, const struct plan_wants *w, struct err *e)
{
	struct ctx *c = p->c;
	struct exec_opts o = {
		.loop = c->loop, .store = c->store, .project = &c->project,
		.engines = c->engines, .n_engines = c->n_engines, .depot = c->depot,
		.keeps_going = true, .is_hermetic = c->o.hermetic, .only_plans = true,
		.policy = c->o.policy, .timeout_s = c->o.timeout_s,
		.event = on_event, .arg = p,
	};

	exec_free(c->exec);
	c->exec = NULL;
	if (exec_new(&o, &c->exec, e) < 0)
		return -1;
	for (size_t i = 0; i < w->n; i++) {
		struct want want = { .thunk = w->v[i].thunk, .out = w->v[i].out };

		if (w->v[i].is_known)
			add_known(p, &want.thunk);
		else if (exec_want(c->exec, &want, e) < 0)
			return -1;
	}
	while (!exec_is_loaded(c->exec))
		loop_turn(c->loop);
	return 0;
}

static double dollars_of(struct plan *p, size_t i, const struct foresight *f)
{
	const char *name = p->c->engines[i].ops->name;
	double cpu = price_of(&p->prices, name, "*", "cpu-hour");
	double gpu = price_of(&p->prices, name, "*", "gpu-hour"), dollars;

	if (exec_foresee_dollars(p->c->exec, i, &dollars))
		return dollars;
	return cpu > 0 || gpu > 0 ? (f->cpu_s * cpu + f->gpu_s * gpu) / 3600 : NAN;
}

/* So much of an engine's room as goes with so many of its cpus; a pool that has
 * none yet gets workers as large as what they are for. */
static struct room part_of(const struct engine *en, const struct room *all, double cpus,
			   const struct room *widest)
{
	struct room r = { cpus, all->gpus, all->mem_bytes, all->disk_bytes };
	double share = cpus / (all->cpus > 0 ? all->cpus : 1);

	if (all->cpus <= 0) {
		r.gpus = widest->gpus > 0 ? ceil(widest->gpus) * cpus : 0;
		r.mem_bytes = r.disk_bytes = ROOM_UNKNOWN;
	} else if (!en->ops->is_here) {
		r.gpus = ceil(all->gpus * share);
		r.mem_bytes = (uint64_t)((double)all->mem_bytes * share);
		r.disk_bytes = (uint64_t)((double)all->disk_bytes * share);
	}
	return r;
}

/* ---- saying */

/* "9.1 s", "12.5 min", "3.0 h" */
static const char *span(struct arena *a, double s)
{
	if (s < 120)
		return arena_printf(a, "%.1f s", s);
	return s < 7200 ? arena_printf(a, "%.1f min", s / 60) :
		arena_printf(a, "%.1f h", s / 3600);
}

static void say_row(struct plan *p, const struct row *r)
{
	struct arena *a = &p->c->arena;
	double busy = r->seen.seconds > 0 ? r->seen.cpu_s / (r->seen.seconds * r->cpus) : 0;

	json_array_append_new(p->rows, json_pack(
		"{s:s s:f s:f s:f s:I s:o}", "engine", r->engine->uri, "cpus", r->cpus,
		"seconds", r->seen.seconds, "busy", busy, "refused",
		(json_int_t)r->seen.n_refused, "dollars",
		isnan(r->dollars) ? json_null() : json_real(r->dollars)));
	if (p->c->o.json)
		return;
	printf("%-20.60s %6g  %12s  %4.0f%%  %10s", r->engine->uri, r->cpus,
	       span(a, r->seen.seconds), 100 * fmin(busy, 1),
	       isnan(r->dollars) ? "-" : arena_printf(a, "$%.4f", r->dollars));
	if (r->seen.n_refused)
		printf("  without %zu that it does not take", r->seen.n_refused);
	putchar('\n');
}

/* 1, 2, 4, ... and all there are; as few as the widest step needs at least. */
static void say_engine(struct plan *p, size_t i)
{
	const struct engine *en = &p->c->engines[i];
	struct room all = en->ops->room(en->backend);
	double most = all.cpus > 0 ? all.cpus : POOL_MOST, cpus = 1;
	struct row r = { .engine = en };
	unsigned n = 0;

	r.dollars = dollars_of(p, i, &p->all);
	for (; n < ROWS_MAX; n++, cpus *= 2) {
		struct room part;

		cpus = fmin(cpus, most);
		part = part_of(en, &all, cpus, &p->all.widest);
		exec_foresee(p->c->exec, i, &part, &r.seen);
		r.cpus = cpus;
		if (r.seen.n_refused == r.seen.n_steps) {
			note("%s takes none of them", en->uri);
			return;
		}
		if (r.seen.seconds >= 0)
			say_row(p, &r);
		/* More makes no difference any more. */
		if (cpus >= most || (r.seen.seconds >= 0 && all.cpus <= 0 &&
				     r.seen.seconds <= p->all.path_s * 1.001))
			break;
	}
	if (r.seen.seconds < 0)
		note("%s: one step needs more room than there is: %s", en->uri,
		     room_words(&p->all.widest, NULL).s);
}

static double guessed_share(const struct plan *p)
{
	return p->all.step_s > 0 ? p->all.guessed_s / p->all.step_s : 0;
}

static void say_guesses(const struct plan *p)
{
	if (!p->all.n_guessed)
		return;
	printf("guessed: %.0f%% of that: %zu thunks of shapes never seen, taken for 1 s each:\n",
	       100 * guessed_share(p), p->all.n_guessed);
	for (size_t i = 0; i < p->unseen.n && i < SHAPES_SHOWN; i++)
		printf("  %s\n", shown(&p->c->arena, p->unseen.v[i]));
	if (p->unseen.n > SHAPES_SHOWN)
		printf("  and %zu more\n", p->unseen.n - SHAPES_SHOWN);
}

static void say_text(const struct plan *p)
{
	struct arena *a = &p->c->arena;

	printf("%zu thunks would run, %zu are known\n", p->all.n_steps, p->n_known);
	if (!p->all.n_steps)
		return;
	printf("work: %.1f core-seconds", p->all.cpu_s);
	if (p->all.gpu_s > 0)
		printf(", %.1f gpu-seconds", p->all.gpu_s);
	putchar('\n');
	say_guesses(p);
	printf("critical path: %s\n", span(a, p->all.path_s));
	for (size_t i = 0; i < p->n_path && i < PATH_SHOWN; i++)
		printf("  %10s  %s%s\n", span(a, p->path[i].seconds), shown(a, p->path[i].label),
		       p->path[i].is_guess ? "  (a guess)" : "");
	if (p->n_path > PATH_SHOWN)
		printf("  and %zu more\n", p->n_path - PATH_SHOWN);
	printf("%-20s %6s  %12s  %5s  %10s\n", "engine", "cpus", "time", "busy", "dollars");
}

static json_t *json_of(const struct plan *p)
{
	json_t *path = json_array(), *shapes = json_array();

	for (size_t i = 0; i < p->n_path; i++)
		json_array_append_new(path, json_pack(
			"{s:s s:o s:f s:b}", "thunk", id_hex(&p->path[i].thunk).s, "label",
			json_text(bytes_str(p->path[i].label)), "seconds", p->path[i].seconds,
			"guessed", p->path[i].is_guess));
	for (size_t i = 0; i < p->unseen.n; i++)
		json_array_append_new(shapes, json_text(bytes_str(p->unseen.v[i])));
	return json_pack(
		"{s:I s:I s:I s:f s:f s:{s:I s:f s:o} s:{s:f s:o} s:O}", "run",
		(json_int_t)p->all.n_steps, "cached", (json_int_t)p->n_known, "refused",
		(json_int_t)p->n_failed, "core_seconds", p->all.cpu_s, "gpu_seconds",
		p->all.gpu_s, "guessed", "thunks", (json_int_t)p->all.n_guessed, "share",
		guessed_share(p), "shapes", shapes, "critical_path", "seconds", p->all.path_s,
		"thunks", path, "engines", p->rows);
}

static void say(struct plan *p)
{
	struct exec *x = p->c->exec;
	json_t *o;

	exec_foresee(x, 0, NULL, &p->all);
	exec_foresee_path(x, &p->c->arena, &p->path, &p->n_path);
	exec_foresee_unseen(x, &p->c->arena, &p->unseen);
	if (!p->c->o.json)
		say_text(p);
	for (size_t i = 0; i < p->c->n_engines && p->all.n_steps; i++)
		say_engine(p, i);
	if (!p->c->o.json)
		return;
	o = json_of(p);
	json_dumpf(o, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(o);
}

int plan_say(struct ctx *c, struct plan_wants *w, struct err *e)
{
	struct plan p = { .c = c, .rows = json_array() };
	int rc = prices_load(c->project.root, NULL, &c->arena, &p.prices, e);

	if (rc == 0)
		rc = load(&p, w, e);
	if (rc == 0)
		say(&p);
	free(w->v);
	json_decref(p.rows);
	strs_release(&p.unseen);
	map_release(&p.known);
	exec_free(c->exec);
	c->exec = NULL;
	return rc < 0 ? -1 : p.n_failed ? EXIT_THUNK : EXIT_FINE;
}
