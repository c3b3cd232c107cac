/* cmd_history.c - gg history: runs of before; gg diff: how two of them differ */
#include <stdlib.h>
#include <string.h>
#include "gg.h"
#include "journal.h"
#include "running.h"
#include "shown.h"
#include "thunk_diff.h"

/* ---- all runs, one line each */

struct overview {
	struct arena *a;
	const char *time, *command;
	json_t *end;                    /* NULL: it was killed, or still runs */
};

static const char *joined(struct arena *a, json_t *words)
{
	struct buf b = { 0 };
	const char *out;

	for (size_t i = 0; i < json_array_size(words); i++)
		buf_printf(&b, "%s%s", i ? " " : "", json_string_value(json_array_get(words, i)));
	out = shown(a, b.n ? b.p : "");
	buf_release(&b);
	return out;
}

static int look(void *arg, const char *event, json_t *o)
{
	struct overview *v = arg;

	if (strcmp(event, "run") == 0) {
		v->time = arena_str(v->a, json_string_value(json_object_get(o, "time")));
		v->command = joined(v->a, json_object_get(o, "command"));
	} else if (strcmp(event, "end") == 0) {
		v->end = json_incref(o);
	}
	return 0;
}

static json_int_t count(json_t *end, const char *key)
{
	return json_integer_value(json_object_get(end, key));
}

/* No thunk failed, and yet it did not end well: its script, gg.lock, Ctrl-C. */
static const char *how_else(struct arena *a, json_t *end)
{
	if (json_is_true(json_object_get(end, "interrupted")))
		return ", interrupted";
	return count(end, "status") && !count(end, "failed") ?
	       arena_printf(a, ", exit %lld", (long long)count(end, "status")) : "";
}

static int list_one(struct ctx *c, const char *run, json_t *all, struct err *e)
{
	struct arena a = { 0 };
	struct overview v = { .a = &a, .time = "", .command = "" };
	struct bytes text;
	int rc = journal_read(c->project.store_dir, run, &a, &text, e);

	if (rc == 0 && journal_each(text, look, &v, e) < 0)
		rc = err_wrap(e, "run %s", run);
	if (rc == 0 && c->o.json) {
		json_t *o = json_pack("{s:s s:s s:s}", "run", run, "time", v.time, "command",
				      v.command);

		json_object_update_missing(o, v.end);
		json_object_del(o, "event");
		json_array_append_new(all, o);
	} else if (rc == 0 && v.end) {
		printf("%-26s %8.1f s  forced %lld, cached %lld, failed %lld%s  %.100s\n", run,
		       json_number_value(json_object_get(v.end, "seconds")),
		       (long long)count(v.end, "forced"), (long long)count(v.end, "cached"),
		       (long long)count(v.end, "failed"), how_else(&a, v.end), v.command);
	} else if (rc == 0) {
		printf("%-26s %8s    %s  %.100s\n", run, "",
		       running_is_alive(run) ? "runs still" : "did not end: it was killed",
		       v.command);
	}
	json_decref(v.end);
	arena_release(&a);
	return rc;
}

static int list_all(struct ctx *c, struct err *e)
{
	struct strs runs = { 0 };
	json_t *all = json_array();
	int rc = journal_list(c->project.store_dir, &c->arena, &runs, e);

	for (size_t i = 0; i < runs.n && rc == 0; i++)
		if (list_one(c, runs.v[i], all, e) < 0) {
			rc = e->code == ERR_BAD ? 0 : -1;
			note("%s", e->text);
		}
	if (rc == 0 && c->o.json) {
		json_dumpf(all, stdout, JSON_INDENT(1));
		putchar('\n');
	}
	json_decref(all);
	strs_release(&runs);
	return rc;
}

/* ---- one run, a line for each of its thunks */

struct detail {
	struct arena a;
	struct map labels;              /* thunk -> its command line */
	struct map made;                /* thunks that ended well */
	bool has_lines;
};

static void print_head(struct detail *d)
{
	if (!d->has_lines)
		printf("%10s  %10s  %-12s %-12s %-10s %s\n", "ended", "took", "how", "thunk",
		       "engine", "command");
	d->has_lines = true;
}

/* The second of two runs of one thunk is ended when the first is done. */
static const char *how_it_ended(struct detail *d, const char *thunk, json_t *o)
{
	const char *status = json_string_value(json_object_get(o, "status"));

	if (!status)
		return "";
	if (strcmp(status, "signaled") == 0 && map_get(&d->made, bytes_str(thunk)))
		return "not needed";
	if (strcmp(status, "ok") == 0)
		*map_at(&d->made, bytes_str(arena_str(&d->a, thunk))) = d;
	return status;
}

static int print_event(void *arg, const char *event, json_t *o)
{
	struct detail *d = arg;
	const char *thunk = json_string_value(json_object_get(o, "thunk")), *label;

	if (strcmp(event, "start") == 0 && thunk) {
		label = json_string_value(json_object_get(o, "label"));
		*map_at(&d->labels, bytes_str(arena_str(&d->a, thunk))) =
			arena_str(&d->a, label ? label : "");
	} else if (strcmp(event, "ran") == 0 && thunk) {
		label = map_get(&d->labels, bytes_str(thunk));
		print_head(d);
		printf("%8.2f s  %8.2f s  %-12s %.12s %-10s %s\n",
		       json_number_value(json_object_get(o, "t")),
		       json_number_value(json_object_get(o, "seconds")),
		       how_it_ended(d, thunk, o), thunk,
		       json_string_value(json_object_get(o, "engine")),
		       shown(&d->a, label ? label : ""));
	} else if (strcmp(event, "failed") == 0 && thunk) {
		print_head(d);
		printf("%8.2f s  %10s  %-12s %.12s %-10s %s: %s\n",
		       json_number_value(json_object_get(o, "t")), "", "failed", thunk, "",
		       shown(&d->a, json_string_value(json_object_get(o, "label"))),
		       shown(&d->a, json_string_value(json_object_get(o, "text"))));
	}
	return 0;
}

static int show_run(struct ctx *c, const char *word, struct err *e)
{
	struct detail d = { 0 };
	struct bytes text = { 0 };
	const char *run;
	int rc = journal_find(c->project.store_dir, word, &c->arena, &run, e);

	if (rc == 0)
		rc = journal_read(c->project.store_dir, run, &c->arena, &text, e);
	if (rc == 0 && c->o.json)
		fwrite(text.p, 1, text.n, stdout);
	else if (rc == 0 && journal_each(text, print_event, &d, e) < 0)
		rc = err_wrap(e, "run %s", run);
	else if (rc == 0 && !d.has_lines)
		note("run %s: no thunk ran in it", run);
	map_release(&d.labels);
	map_release(&d.made);
	arena_release(&d.a);
	return rc;
}

int cmd_history(struct ctx *c, int argc, char **argv, struct err *e)
{
	int rc = argc ? 0 : list_all(c, e);

	for (int i = 0; i < argc && rc == 0; i++)
		rc = show_run(c, argv[i], e);
	return rc < 0 ? -1 : EXIT_FINE;
}

/* ---- two runs */

struct two {
	struct ctx *c;
	const char *run[2];
	struct map targets[2];          /* path -> struct id of its thunk */
	struct strs paths;              /* of both, in order */
	int side;
};

static int take_targets(void *arg, const char *event, json_t *o)
{
	struct two *t = arg;
	struct arena *a = &t->c->arena;
	json_t *paths = json_object_get(o, "paths");

	if (strcmp(event, "targets") != 0)
		return 0;
	for (size_t i = 0; i < json_array_size(paths); i++) {
		json_t *x = json_array_get(paths, i);
		const char *path = json_string_value(json_array_get(x, 0));
		const char *hex = json_string_value(json_array_get(x, 1));
		struct id *id = arena_alloc(a, sizeof *id);

		if (!path || !hex || !id_parse(bytes_str(hex), id))
			continue;
		path = arena_str(a, path);
		*map_at(&t->targets[t->side], bytes_str(path)) = id;
		if (!t->side || !map_get(&t->targets[0], bytes_str(path)))
			strs_add(&t->paths, path);
	}
	return 0;
}

static void tell(void *arg, const char *where, const char *what)
{
	struct two *t = arg;

	printf("%s: %s\n", shown(&t->c->arena, where), shown(&t->c->arena, what));
}

/* A run that found all outputs in place wanted none of them. */
static int check_targets(const struct two *t, struct err *e)
{
	for (int i = 0; i < 2; i++)
		if (!t->targets[i].n)
			return err_set(e, ERR_USAGE, "run %s wanted no output that was not there "
				       "already: take the one that made them; see gg history",
				       t->run[i]);
	return 0;
}

static int compare_targets(struct two *t, struct err *e)
{
	struct thunk_diff d = { .store = t->c->store, .arena = &t->c->arena, .tell = tell,
				.arg = t };
	size_t n_other = 0;
	int rc = 0;

	for (size_t i = 0; i < t->paths.n && rc == 0; i++) {
		const char *path = t->paths.v[i];
		const struct id *x = map_get(&t->targets[0], bytes_str(path));
		const struct id *y = map_get(&t->targets[1], bytes_str(path));

		if (!x || !y) {
			n_other++;
			tell(t, path, arena_printf(&t->c->arena, "only in run %s", t->run[!x]));
		} else if (!id_equal(x, y)) {
			n_other++;
			rc = thunk_diff(&d, x, y, path, e);
		}
	}
	map_release(&d.told);
	if (rc == 0)
		printf("%zu of %zu outputs differ\n", n_other, t->paths.n);
	return rc < 0 ? -1 : n_other ? EXIT_THUNK : EXIT_FINE;
}

int cmd_diff(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct two t = { .c = c };
	struct bytes text;
	int rc = 0;

	if (argc != 2)
		return err_set(e, ERR_USAGE, "gg diff takes two runs; see gg history");
	for (t.side = 0; t.side < 2 && rc == 0; t.side++)
		if (journal_find(c->project.store_dir, argv[t.side], &c->arena, &t.run[t.side],
				 e) < 0 ||
		    journal_read(c->project.store_dir, t.run[t.side], &c->arena, &text, e) < 0 ||
		    journal_each(text, take_targets, &t, e) < 0)
			rc = -1;
	strs_sort(&t.paths);
	if (rc == 0)
		rc = check_targets(&t, e);
	if (rc == 0)
		rc = compare_targets(&t, e);
	map_release(&t.targets[0]);
	map_release(&t.targets[1]);
	strs_release(&t.paths);
	return rc;
}
