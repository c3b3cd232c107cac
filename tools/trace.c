/* trace.c - a journal as Chrome trace events
 *
 * The form is that of the Trace Event Format: "X" a slice with its begin and
 * length in microseconds, "i" a marker, "M" the name of a process or thread.
 */
#include "trace.h"

#include <stdlib.h>
#include <string.h>
#include "gg.h"
#include "journal.h"
#include "line.h"
#include "shown.h"

struct trace {
	struct buf out;
	struct arena a;
	struct map begun;               /* "ENGINE SLOT" -> its start event */
	struct map pids;                /* engine -> its number + 1, as a pointer */
	struct map tids;                /* "ENGINE SLOT" that have their name */
	int n_engines;
};

/* NULL: the journal lacks it. */
static void dump(struct trace *t, const json_t *o)
{
	if (!o)
		buf_str(&t->out, "\"\"");
	json_add(&t->out, o, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
}

static void next(struct trace *t)
{
	buf_str(&t->out, t->out.n ? ",\n" : "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
}

/* o is released. */
static void put(struct trace *t, json_t *o)
{
	next(t);
	dump(t, o);
	json_decref(o);
}

static int pid_of(struct trace *t, const char *engine)
{
	int *pid = map_get(&t->pids, bytes_str(engine));

	if (pid)
		return *pid;
	pid = arena_alloc(&t->a, sizeof *pid);
	*pid = ++t->n_engines;
	*map_at(&t->pids, bytes_str(arena_str(&t->a, engine))) = pid;
	put(t, json_pack("{s:s s:s s:i s:{s:s}}", "ph", "M", "name", "process_name", "pid", *pid,
			 "args", "name", engine));
	return *pid;
}

static const char *place_of(struct trace *t, const char *engine, json_int_t slot)
{
	const char *key = arena_printf(&t->a, "%s %lld", engine, (long long)slot);

	if (map_get(&t->tids, bytes_str(key)))
		return key;
	*map_at(&t->tids, bytes_str(key)) = t;
	put(t, json_pack("{s:s s:s s:i s:I s:{s:s}}", "ph", "M", "name", "thread_name", "pid",
			 pid_of(t, engine), "tid", slot, "args", "name",
			 arena_printf(&t->a, "slot %lld", (long long)slot)));
	return key;
}

static double number(json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static const char *text(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* There is one for each step, and a tree of objects for each would cost more than
 * all that the run itself notes of it. */
static void put_run(struct trace *t, json_t *begun, json_t *ran)
{
	double from = number(begun, "t"), to = number(ran, "t");
	int pid = pid_of(t, text(ran, "engine"));
	struct buf *b = &t->out;

	json_object_del(ran, "event");
	json_object_del(ran, "t");
	next(t);
	buf_str(b, "{\"ph\":\"X\"");
	line_int(b, "pid", pid);
	line_int(b, "tid", json_integer_value(json_object_get(ran, "slot")));
	line_real(b, "ts", from * 1e6);
	line_real(b, "dur", (to - from) * 1e6);
	buf_str(b, ",\"cat\":");
	dump(t, json_object_get(ran, "status"));
	buf_str(b, ",\"name\":");
	dump(t, json_object_get(begun, "label"));
	buf_str(b, ",\"args\":");
	dump(t, ran);
	buf_char(b, '}');
}

static int take(void *arg, const char *event, json_t *o)
{
	struct trace *t = arg;
	bool is_start = strcmp(event, "start") == 0;
	const char *place;
	json_t *begun;

	/* One slice for all that go in one process. */
	if (json_object_get(o, "with"))
		return 0;
	if (is_start || strcmp(event, "ran") == 0) {
		place = place_of(t, text(o, "engine"),
				 json_integer_value(json_object_get(o, "slot")));
		begun = map_get(&t->begun, bytes_str(place));
		if (!is_start && begun)
			put_run(t, begun, o);
		json_decref(begun);
		*map_at(&t->begun, bytes_str(place)) = is_start ? json_incref(o) : NULL;
	} else if (strcmp(event, "failed") == 0) {
		put(t, json_pack("{s:s s:s s:s s:i s:i s:f s:{s:s}}", "ph", "i", "name",
				 text(o, "label"), "s", "g", "pid", 0, "tid", 0, "ts",
				 number(o, "t") * 1e6, "args", "failed", text(o, "text")));
	}
	return 0;
}

int trace_write(struct bytes journal, const char *file, struct err *e)
{
	struct trace t = { 0 };
	int rc = journal_each(journal, take, &t, e);
	size_t pos = 0;
	struct bytes key;
	void *begun;

	while (map_each(&t.begun, &pos, &key, &begun))
		json_decref(begun);
	if (!t.out.n)
		next(&t);
	buf_str(&t.out, "\n]}\n");
	if (rc == 0)
		rc = output_write(file, (struct bytes){ t.out.p, t.out.n }, e);
	buf_release(&t.out);
	map_release(&t.begun);
	map_release(&t.pids);
	map_release(&t.tids);
	arena_release(&t.a);
	return rc;
}
