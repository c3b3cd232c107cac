/* running.c - what a force that goes on does just now, as its journal says */
#include "running.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "journal.h"

struct reading {
	struct running *r;
	struct arena *a;
	bool has_ended;
};

static const char *text_of(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static int on_event(void *arg, const char *event, json_t *o)
{
	struct reading *d = arg;
	struct running *r = d->r;
	struct bytes thunk = bytes_str(text_of(o, "thunk"));

	if (strcmp(event, "start") == 0)
		*map_at(&r->engines, arena_bytes(d->a, thunk)) =
			(void *)arena_str(d->a, text_of(o, "engine"));
	else if (strcmp(event, "ran") == 0)
		map_drop(&r->engines, thunk);
	else if (strcmp(event, "waits") == 0)
		r->waits = *text_of(o, "text") ? arena_str(d->a, text_of(o, "text")) : NULL;
	d->has_ended |= strcmp(event, "end") == 0;
	return 0;
}

static long pid_of(const char *run)
{
	const char *pid = strrchr(run, '-');

	return pid ? strtol(pid + 1, NULL, 10) : 0;
}

bool running_is_alive(const char *run)
{
	long pid = pid_of(run);

	return pid > 0 && pid != getpid() && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

static bool read_run(struct ctx *c, const char *run, struct running *r)
{
	struct reading d = { .r = r, .a = &c->arena };
	struct bytes text;
	struct err ignored;

	*r = (struct running){ .pid = pid_of(run) };
	if (!running_is_alive(run) ||
	    journal_read(c->project.store_dir, run, &c->arena, &text, &ignored) < 0)
		return false;
	journal_each(text, on_event, &d, &ignored);
	r->run = arena_str(&c->arena, run);
	return !d.has_ended;
}

void running_look(struct ctx *c, struct running *out)
{
	struct strs runs = { 0 };
	struct err ignored;

	*out = (struct running){ .run = NULL };
	if (journal_list(c->project.store_dir, &c->arena, &runs, &ignored) < 0)
		runs.n = 0;
	for (size_t i = runs.n; i-- > 0 && !read_run(c, runs.v[i], out);)
		running_release(out);
	strs_release(&runs);
}

void running_release(struct running *r)
{
	map_release(&r->engines);
	*r = (struct running){ .run = NULL };
}

const char *running_on(const struct running *r, const struct id *thunk)
{
	return r->run ? map_get(&r->engines, bytes_str(id_hex(thunk).s)) : NULL;
}

size_t running_count(const struct running *r)
{
	struct bytes thunk;
	size_t pos = 0, n = 0;
	void *engine;

	while (r->run && map_each(&r->engines, &pos, &thunk, &engine))
		n += engine != NULL;
	return n;
}
