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

struct trace {
	json_t *events;
	struct arena a;
	struct map begun;               /* "ENGINE SLOT" -> its start event */
	struct map pids;                /* engine -> its number + 1, as a pointer */
	struct map tids;                /* "ENGINE SLOT" that have their name */
	int n_engines;
};

static int pid_of(struct trace *t, const char *engine)
{
	int *pid = map_get(&t->pids, bytes_str(engine));

	if (pid)
		return *pid;
	pid = arena_alloc(&t->a, sizeof *pid);
	*pid = ++t->n_engines;
	*map_at(&t->pids, bytes_str(arena_str(&t->a, engine))) = pid;
	json_array_append_new(t->events, json_pack("{s:s s:s s:i s:{s:s}}", "ph", "M", "name",
			"process_name", "pid", *pid, "args", "name", engine));
	return *pid;
}

static const char *place_of(struct trace *t, const char *engine, json_int_t slot)
{
	const char *key = arena_printf(&t->a, "%s %lld", engine, (long long)slot);

	if (map_get(&t->tids, bytes_str(key)))
		return key;
	*map_at(&t->tids, bytes_str(key)) = t;
	json_array_append_new(t->events, json_pack("{s:s s:s s:i s:I s:{s:s}}", "ph", "M",
			"name", "thread_name", "pid", pid_of(t, engine), "tid", slot, "args",
			"name", arena_printf(&t->a, "slot %lld", (long long)slot)));
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

static void put_run(struct trace *t, json_t *begun, json_t *ran)
{
	double from = number(begun, "t"), to = number(ran, "t");
	json_t *args = json_copy(ran);

	json_object_del(args, "event");
	json_object_del(args, "t");
	json_array_append_new(t->events, json_pack(
		"{s:s s:s s:s s:i s:I s:f s:f s:o}", "ph", "X", "name", text(begun, "label"), "cat",
		text(ran, "status"), "pid", pid_of(t, text(ran, "engine")), "tid",
		json_integer_value(json_object_get(ran, "slot")), "ts", from * 1e6, "dur",
		(to - from) * 1e6, "args", args));
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
		json_array_append_new(t->events, json_pack(
			"{s:s s:s s:s s:i s:i s:f s:{s:s}}", "ph", "i", "name",
			text(o, "label"), "s", "g", "pid", 0, "tid", 0, "ts", number(o, "t") * 1e6,
			"args", "failed", text(o, "text")));
	}
	return 0;
}

int trace_write(struct bytes journal, const char *file, struct err *e)
{
	struct trace t = { .events = json_array() };
	json_t *all = json_pack("{s:O s:s}", "traceEvents", t.events, "displayTimeUnit", "ms");
	int rc = journal_each(journal, take, &t, e);
	size_t pos = 0;
	struct bytes key;
	void *begun;
	char *json;

	while (map_each(&t.begun, &pos, &key, &begun))
		json_decref(begun);
	if (rc == 0) {
		json = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(12));
		rc = output_write(file, bytes_str(json), e);
		free(json);
	}
	json_decref(all);
	json_decref(t.events);
	map_release(&t.begun);
	map_release(&t.pids);
	map_release(&t.tids);
	arena_release(&t.a);
	return rc;
}
