/* container_owner.c - containers of a gg that was killed
 *
 * A container names the process that started it.  Whoever comes later removes
 * those whose owner is gone, and touches no others: not those of another
 * machine behind the same socket, nor of a name space where the same number is
 * somebody else.
 */
#include "container_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "process.h"

struct owner {
	char boot[40], space[40];
	long pid;
	unsigned long long start;
};

static void here(struct owner *o)
{
	struct arena a = { 0 };
	struct bytes text;
	struct process me;
	struct err e;
	ssize_t n;

	process_read(getpid(), &me);
	*o = (struct owner){ .pid = getpid(), .start = me.started };
	n = readlink("/proc/self/ns/pid", o->space, sizeof o->space - 1);
	o->space[n > 0 ? n : 0] = 0;
	if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 100, &a, &text, &e) == 0)
		snprintf(o->boot, sizeof o->boot, "%.36s", arena_strn(&a, text.p, text.n));
	arena_release(&a);
}

void container_owner(struct buf *out)
{
	struct owner o;

	here(&o);
	buf_printf(out, "%s %s %ld %llu", o.boot, o.space, o.pid, o.start);
}

bool container_owner_is_gone(const char *label, bool is_up)
{
	struct owner o, mine;
	struct process p;

	here(&mine);
	if (sscanf(label, "%39s %39s %ld %llu", o.boot, o.space, &o.pid, &o.start) != 4)
		return false;
	/* Before this machine was started, or another machine: nothing can be
	 * known but that a container at rest serves nobody. */
	if (strcmp(o.boot, mine.boot) != 0)
		return !is_up;
	if (strcmp(o.space, mine.space) != 0)
		return false;
	process_read((pid_t)o.pid, &p);
	return p.started != o.start;
}

/* ---- looking at a list, and removing */

void container_sweep_end_one(struct container_sweep *w)
{
	w->is_over = --w->n_waiting == 0;
}

static void on_listed(void *arg, const struct http_answer *a, const struct err *e)
{
	struct container_sweep *w = arg;

	if (!e && a->status == 200)
		w->read_list(w, a->body);
	container_sweep_end_one(w);
}

void container_sweep_begin(struct container_sweep *w, const char *list, const char *label)
{
	struct container_ask q = { .method = "GET", .done = on_listed, .arg = w };
	struct buf whole = { 0 }, filter = { 0 };
	struct err ignored;

	buf_printf(&filter, "{\"label\":[\"%s\"]}", label);
	buf_printf(&whole, "%sfilters=", list);
	container_put_query(&whole, filter.p);
	q.path = whole.p;
	w->n_waiting = 1;
	w->is_over = container_start(w->client, &q, NULL, &ignored) < 0;
	buf_release(&whole);
	buf_release(&filter);
}

void container_sweep_remove(struct container_sweep *w, const char *path,
			    container_done_fn *done, void *arg)
{
	struct container_ask q = { .method = "DELETE", .path = path, .done = done, .arg = arg };
	struct err ignored;

	w->n_waiting += container_start(w->client, &q, NULL, &ignored) == 0;
}

size_t container_sweep_finish(struct container_sweep *w)
{
	if (!w->is_over)
		loop_run(w->client->loop, &w->is_over);
	return w->n_removed;
}

/* ---- containers */

static void on_removed(void *arg, const struct http_answer *a, const struct err *e)
{
	struct container_sweep *w = arg;

	/* Whoever comes later tries again. */
	w->n_removed += !e && (a->status / 100 == 2 || a->status == 404);
	container_sweep_end_one(w);
}

static void look_at(void *arg, const char *id, const char *owner, bool is_up)
{
	struct container_sweep *w = arg;
	struct buf path = { 0 };

	if (!container_owner_is_gone(owner, is_up))
		return;
	buf_printf(&path, w->client->api->remove, id);
	container_sweep_remove(w, path.p, on_removed, w);
	buf_release(&path);
}

static void read_list(struct container_sweep *w, struct bytes list)
{
	struct err ignored;

	container_read_list(list, look_at, w, &ignored);
}

void container_sweep(struct container_sweep *w, struct container_client *c)
{
	*w = (struct container_sweep){ .client = c, .read_list = read_list };
	container_sweep_begin(w, "/v1.41/containers/json?all=true&", CONTAINER_OWNER);
}

size_t container_sweep_all(struct container_client *c)
{
	struct container_sweep w;

	container_sweep(&w, c);
	return container_sweep_finish(&w);
}
