/* engines.c - where thunks run, as --engine and GG_ENGINE say */
#include <stdlib.h>
#include <string.h>
#include "gg.h"
#include "prices.h"
#include "wrap.h"

const char *setting_of(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

/* Without --engine: the words of GG_ENGINE, or this machine. */
static void default_engines(struct ctx *c)
{
	const char *given = getenv("GG_ENGINE");
	char *words = arena_str(&c->arena, given ? given : ""), *save = NULL;

	for (char *w = strtok_r(words, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save))
		strs_add(&c->o.engines, w);
	if (!c->o.engines.n)
		strs_add(&c->o.engines, "local");
}

static const struct backend_ops *find(const char *uri, struct err *e)
{
	size_t n = strcspn(uri, ":");
	struct buf all = { 0 };

	for (size_t i = 0; backends[i]; i++)
		if (strlen(backends[i]->name) == n && memcmp(backends[i]->name, uri, n) == 0)
			return backends[i];
	for (size_t i = 0; backends[i]; i++)
		buf_printf(&all, "%s%s", i ? ", " : "", backends[i]->name);
	err_set(e, ERR_USAGE, "--engine %s: there is no engine %.*s, only %s; see gg help engines",
		uri, (int)n, uri, all.p);
	buf_release(&all);
	return NULL;
}

static void room_changed(void *arg)
{
	struct ctx *c = arg;

	if (c->exec)
		exec_room_changed(c->exec);
}

static void gave_too(void *arg, const struct id *reduced, const struct result *r,
		     const char *place)
{
	struct ctx *c = arg;

	if (c->exec)
		exec_gave_too(c->exec, reduced, r, place);
}

static int open_one(struct ctx *c, const struct backend_ops *ops, const char *uri,
		    struct err *e)
{
	struct engine *en = &c->engines[c->n_engines];
	const char *rest = uri + strcspn(uri, ":");
	struct backend_opts o = {
		.loop = c->loop, .store = c->store, .project_root = c->project.root,
		.store_dir = c->project.store_dir, .self = c->self, .jobs = c->o.jobs,
		.is_hermetic = c->o.hermetic, .setting = setting_of,
		.changed = room_changed, .changed_arg = c, .gave_too = gave_too,
	};

	*en = (struct engine){ .ops = ops, .uri = uri };
	/* What is not here is reached over HTTP. */
	if (!en->ops->is_here && !c->http && online_open(c, &c->http, e) < 0)
		return err_wrap(e, "--engine %s", uri);
	o.http = c->http;
	o.depot = c->depot;
	if (en->ops->open(&o, *rest ? rest + 1 : rest, &en->backend, e) < 0)
		return err_wrap(e, "--engine %s", uri);
	c->n_engines++;
	return 0;
}

static bool has_workers(const struct backend_ops *ops)
{
	return ops->demand || ops->why_waiting;
}

static int open_all(struct ctx *c, bool only_idle, struct err *e)
{
	if (!c->o.engines.n)
		default_engines(c);
	c->engines = arena_alloc(&c->arena, c->o.engines.n * sizeof *c->engines);
	for (size_t i = 0; i < c->o.engines.n; i++) {
		const char *uri = c->o.engines.v[i];
		const struct backend_ops *ops = find(uri, e);

		if (!ops)
			return -1;
		if (!(only_idle && has_workers(ops)) && open_one(c, ops, uri, e) < 0)
			return -1;
	}
	return 0;
}

int engines_open(struct ctx *c, struct err *e)
{
	return open_all(c, false, e);
}

int engines_open_idle(struct ctx *c, struct err *e)
{
	return open_all(c, true, e);
}

/* A table that cannot be read is no reason not to run. */
void engines_set_prices(struct ctx *c)
{
	struct prices p;
	struct err e;

	if (!c->project.root)
		return;
	if (prices_load(c->project.root, NULL, &c->arena, &p, &e) < 0) {
		note("%s: costs are not counted by it", e.text);
		return;
	}
	for (size_t i = 0; i < c->n_engines; i++) {
		struct engine *en = &c->engines[i];

		en->cpu_hour_dollars = price_of(&p, en->ops->name, "*", "cpu-hour");
		en->gpu_hour_dollars = price_of(&p, en->ops->name, "*", "gpu-hour");
	}
}

void engines_close(struct ctx *c)
{
	for (size_t i = 0; i < c->n_engines; i++)
		c->engines[i].ops->close(c->engines[i].backend);
	c->n_engines = 0;
}

void engines_notice(const struct ctx *c)
{
	for (size_t i = 0; i < c->n_engines; i++) {
		const struct engine *en = &c->engines[i];
		const char *text = en->ops->notice ? en->ops->notice(en->backend) : NULL;

		if (text)
			note("%s", text);
	}
}

void engines_help(void)
{
	print_wrapped("--engine URI says where thunks run; said more than once, a thunk runs on "
		      "the first that takes it and has room at that moment. GG_ENGINE holds "
		      "such URIs, with spaces between. A URI is the name of an engine, and "
		      "after a colon WORD=VALUE, with commas between.", 0, 0);
	printf("\n    gg force --engine local:jobs=2 --engine container:gpus=2\n");
	for (size_t i = 0; backends[i]; i++) {
		putchar('\n');
		print_wrapped(backends[i]->help, 3, printf("%s:", backends[i]->name));
		for (const struct engine_word *w = backends[i]->words; w && w->name; w++) {
			char text[40];

			snprintf(text, sizeof text, "%s%s", w->name,
				 w->kind == WORD_YES ? "" : "=...");
			printf("  %-18s ", text);
			print_wrapped(w->help, 21, 21);
		}
	}
}
