/* report_curves.c - learning curves in what thunks have made
 *
 * A metrics file is JSON, or one JSON object a line, in one of two shapes:
 *
 *     [{"step": 10, "loss": 0.5, "accuracy": 0.8}, ...]
 *     {"step": [10, ...], "loss": [0.5, ...], "accuracy": [0.8, ...]}
 *
 * and may be a member of objects around it ({"history": [...]}).  Without a
 * step (or epoch, ...) it is the place in the list.
 */
#include <stdlib.h>
#include <string.h>
#include "report.h"
#include "shown.h"

enum { FILE_MAX = 4 << 20, POINTS_MAX = 400, SERIES_MAX = 12, DEPTH_MAX = 3, FOLDER_MAX = 200 };

static bool is_step(const char *name)
{
	static const char *const names[] = { "step", "epoch", "iteration", "iter", "global_step" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* ---- the two shapes, as a question: the value of `name` at place i */

struct source {
	json_t *list;                   /* of objects, or an object of lists */
	bool has_rows;
	size_t n;
	const char *step;               /* or NULL */
};

static json_t *value_at(const struct source *s, const char *name, size_t i)
{
	return s->has_rows ? json_object_get(json_array_get(s->list, i), name) :
		json_array_get(json_object_get(s->list, name), i);
}

static json_t *points_of(const struct source *s, const char *name)
{
	json_t *points = json_array(), *x, *y;
	size_t n = 0, k = 0;

	for (size_t i = 0; i < s->n; i++)
		n += json_is_number(value_at(s, name, i));
	/* Of very many an even choice, with the last one. */
	for (size_t i = 0; i < s->n; i++) {
		y = value_at(s, name, i);
		x = s->step ? value_at(s, s->step, i) : NULL;
		if (!json_is_number(y))
			continue;
		if (++k < n && n > POINTS_MAX && k % (n / POINTS_MAX + 1))
			continue;
		json_array_append_new(points, json_pack("[f,f]", json_is_number(x) ?
				json_number_value(x) : (double)i, json_number_value(y)));
	}
	return points;
}

static void add_series(const struct source *s, const char *name, json_t *out)
{
	json_t *points = points_of(s, name);

	if (json_array_size(points) > 1 && json_array_size(out) < SERIES_MAX)
		json_array_append_new(out, json_pack("{s:o s:O}", "name", json_name(name),
						     "points", points));
	json_decref(points);
}

static bool is_like(const struct source *s, json_t *value)
{
	return s->has_rows ? json_is_number(value) :
		json_is_number(json_array_get(value, 0));
}

static void take_source(struct source *s, json_t *named, json_t *out)
{
	const char *name;
	json_t *value;

	json_object_foreach(named, name, value)
		if (is_like(s, value) && is_step(name) && !s->step)
			s->step = name;
	json_object_foreach(named, name, value) {
		if (!is_like(s, value) || is_step(name))
			continue;
		if (!s->has_rows)
			s->n = json_array_size(value);
		add_series(s, name, out);
	}
}

static void look(json_t *o, int depth, json_t *out)
{
	struct source s = { .list = o, .has_rows = json_is_array(o) };
	const char *name;
	json_t *value;

	if (depth > DEPTH_MAX)
		return;
	if (s.has_rows) {
		s.n = json_array_size(o);
		/* The first row may lack what is measured now and then. */
		take_source(&s, json_array_get(o, s.n - 1), out);
		return;
	}
	take_source(&s, o, out);
	json_object_foreach(o, name, value)
		if (json_is_object(value) || json_is_object(json_array_get(value, 0)))
			look(value, depth + 1, out);
}

/* ---- texts */

static json_t *read_lines(struct bytes text)
{
	json_t *list = json_array();

	while (text.n) {
		const char *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;
		json_t *row = json_loadb(text.p, n, 0, NULL);

		if (n && !json_is_object(row)) {
			json_decref(row);
			json_decref(list);
			return NULL;
		}
		if (row)
			json_array_append_new(list, row);
		text.p += n + (end != NULL);
		text.n -= n + (end != NULL);
	}
	return list;
}

json_t *report_series(struct bytes text)
{
	json_t *o, *out = json_array();

	if (!text.n || !strchr("[{ \n\r\t", text.p[0]))
		o = NULL;
	else if (!(o = json_loadb(text.p, text.n, 0, NULL)))
		o = read_lines(text);
	look(o, 0, out);
	json_decref(o);
	if (json_array_size(out))
		return out;
	json_decref(out);
	return NULL;
}

/* ---- outputs */

static bool is_json(const char *path)
{
	static const char *const endings[] = { ".json", ".jsonl", ".ndjson" };
	size_t n = strlen(path);

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (n > strlen(endings[i]) &&
		    strcmp(path + n - strlen(endings[i]), endings[i]) == 0)
			return true;
	return false;
}

static void take_file(struct store *s, const char *path, const struct id *id, json_t *out)
{
	struct arena a = { 0 };
	struct bytes text;
	struct err ignored;
	json_t *series = NULL;
	uint64_t n;

	if (is_json(path) && store_size(s, id, &n, &ignored) == 0 && n <= FILE_MAX &&
	    store_get(s, id, &a, &text, &ignored) == 0)
		series = report_series(text);
	if (series)
		json_array_append_new(out, json_pack("{s:o s:o}", "file", json_name(path),
						     "series", series));
	arena_release(&a);
}

static void take_folder(struct store *s, const char *path, const struct id *id, int depth,
			json_t *out)
{
	struct arena a = { 0 };
	struct bytes text;
	struct tree tree = { 0 };
	struct err ignored;

	if (store_get(s, id, &a, &text, &ignored) == 0 &&
	    tree_decode(text, &a, &tree, &ignored) == 0)
		for (size_t i = 0; i < tree.n && i < FOLDER_MAX; i++) {
			const struct entry *x = &tree.v[i];
			const char *below = arena_printf(&a, "%s/%s", path, x->name);

			if (x->kind == ENTRY_FILE)
				take_file(s, below, &x->id, out);
			else if (x->kind == ENTRY_TREE && depth < DEPTH_MAX)
				take_folder(s, below, &x->id, depth + 1, out);
		}
	arena_release(&a);
}

void report_curves(struct store *s, const struct thunk *t, const struct result *r,
		   json_t *out)
{
	for (size_t i = 0; i < t->n_out; i++) {
		const struct ref *ref = result_output(r, t->out[i].name);

		if (ref && ref->kind == REF_VALUE)
			take_file(s, t->out[i].path, &ref->id, out);
		else if (ref && ref->kind == REF_TREE)
			take_folder(s, t->out[i].path, &ref->id, 0, out);
	}
}
