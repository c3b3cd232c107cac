/* container.c - workers in containers of this machine
 *
 * A pool whose workers are containers.  Each is shut in: no network but the
 * pool's socket, nothing to write but memory, no powers.  What waits decides how
 * many there are; the closures of what waits are the image they are made of,
 * unless one is named.  Steps of a closure that the image lacks wait until there
 * is another image, and those who run the old one end.
 */
#include "container_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	MOST_AT_ONCE = 4,               /* containers that are being started */
	MOST_FAILURES = 3,              /* in a row, without one that said hello */
	MOST_SILENT = 5,                /* of those because nobody answered,
					 * or somebody removed the image */
	AGAIN_MS = 500, LOOK_MS = 1000, LEAVE_MS = 2000, KILL_MS = 10000,
	BREATH_MS = 2000,
	START_S = 3,                    /* what a container takes to come, on a busy machine */
};

static void think(struct backend *b);

static void tell_changed(struct backend *b)
{
	if (!b->is_closing && b->o.changed)
		b->o.changed(b->o.changed_arg);
}

static void think_now(void *arg)
{
	struct backend *b = arg;

	b->later = NULL;
	think(b);
}

static void think_later(struct backend *b, uint64_t ms)
{
	if (b->later)
		loop_cancel(b->later);
	b->later = loop_after(b->o.loop, ms, think_now, b);
}

/* From now on every step is refused, so that it goes elsewhere or fails with
 * these words. */
static void break_down(struct backend *b, const struct err *e)
{
	b->broken = *e;
	tell_changed(b);
}

/* ---- containers come and go */

/* One that never said hello shows that the next would not either: what the
 * container engine refuses it refuses again, the rest is tried a few times.  An
 * image that was there may have been removed by somebody. */
static void never_came(struct backend *b, const struct container *c, const struct err *e)
{
	bool stays = !c->lacks_image && (e->code == ERR_MISSING || e->code == ERR_BAD ||
					 e->code == ERR_USAGE || e->code == ERR_REFUSED);
	bool passes = e->code == ERR_RETRY;
	uint64_t now = loop_now_ms(b->o.loop);
	struct err why = *e;

	err_wrap(&why, "container");
	/* Of several that lacked it the first has told: it is brought again. */
	if (b->broken.code || (c->lacks_image && !container_image_forget(b->image)))
		return;
	snprintf(b->notice, sizeof b->notice, "%.490s", why.text);
	/* Those that were begun together fail together. */
	if (passes && now < b->rests_until_ms)
		return;
	if (stays || ++b->n_failures >= (passes || c->lacks_image ? MOST_SILENT : MOST_FAILURES))
		break_down(b, &why);
	b->rests_until_ms = now + ((uint64_t)AGAIN_MS << b->n_failures);
}

static void on_gone(void *arg, struct container *c, enum run_status how, const struct err *e)
{
	struct backend *b = arg;

	b->is_over = b->all.n == 1;
	if (b->is_closing)
		return;
	if (c->has_said_hello)
		pool_lost(b->pool, c->name, how, e->text);
	else if (!c->is_retired)
		never_came(b, c, e);
	think_later(b, 0);
}

/* ---- how many */

static struct container *find(const struct backend *b, const char *name)
{
	struct container *c = b->all.first;

	while (c && strcmp(c->name, name) != 0)
		c = c->next;
	return c;
}

static void retire(struct backend *b, struct container *c)
{
	if (c->is_retired)
		return;
	c->is_retired = true;
	if (c->has_said_hello)
		pool_retire(b->pool, c->name);
	else
		container_end(c);
}

struct looking {
	struct backend *b;
	uint64_t since_ms;              /* who is idle since then may end */
	const char *idle[256];
	size_t n_idle;
};

static void look_at(void *arg, const struct pool_worker *w)
{
	struct looking *l = arg;
	struct container *c = find(l->b, w->name);

	if (!c)
		return;
	c->has_said_hello = true;
	l->b->n_failures = 0;
	if (!c->is_retired && w->is_idle && l->n_idle < sizeof l->idle / sizeof *l->idle &&
	    w->idle_since_ms <= l->since_ms)
		l->idle[l->n_idle++] = c->name;
}

/* A step that has been started waits as well while no worker has it. */
static struct demand all_demand(const struct backend *b)
{
	struct demand d = b->demand;
	size_t n_queued = pool_n_queued(b->pool);

	d.n_ready += n_queued;
	d.n_running -= d.n_running < n_queued ? d.n_running : n_queued;
	return d;
}

static size_t count_up(const struct backend *b)
{
	size_t n = 0;

	for (const struct container *c = b->all.first; c; c = c->next)
		n += !c->is_retired;
	return n;
}

/* When nothing is to be done warm_least() says who stays; beside others that work an
 * idle one stays for a while. */
static void watch_idle(struct backend *b, struct looking *l)
{
	double keep_s = b->idle.keep_s > 0 ? b->idle.keep_s : b->idle.warm.o.keep_s;
	uint64_t now = loop_now_ms(b->o.loop), keep_ms = (uint64_t)(keep_s * 1000);
	double at_s = (double)time(NULL);

	if (b->demand.n_ready || b->demand.n_running)
		warm_idle_ends(&b->idle, now, at_s);
	else
		warm_idle_begins(&b->idle, now, at_s, count_up(b));
	b->scale.min = warm_least(&b->idle, now, b->opt.min);
	/* A chain has a breath between its steps, for which nobody goes. */
	if (b->idle.idle_since_ms)
		l->since_ms = now - b->idle.idle_since_ms < BREATH_MS ? 0 : now;
	else
		l->since_ms = now > keep_ms ? now - keep_ms : 0;
}

static void scale(struct backend *b, struct looking *l)
{
	struct demand d = all_demand(b);
	size_t n_up = count_up(b), n_coming = 0, n_start, n_end;

	for (struct container *c = b->all.first; c; c = c->next)
		n_coming += !c->is_retired && !c->has_said_hello;
	n_start = autoscale_start(&b->scale, &d, n_up);
	/* A slot is free once its container has gone. */
	while (n_start-- && n_coming++ < MOST_AT_ONCE && b->all.n < b->opt.workers)
		container_begin_next(b);
	n_end = autoscale_end(&b->scale, &d, n_up, l->n_idle);
	for (size_t i = 0; i < n_end; i++)
		retire(b, find(b, l->idle[i]));
}

/* ---- from what */

static void on_image(void *arg, const struct err *e)
{
	struct backend *b = arg;
	const char *told;

	b->is_image_coming = false;
	if (e) {
		break_down(b, e);
		return;
	}
	told = container_image_told(b->image);
	if (told)
		snprintf(b->notice, sizeof b->notice, "container: %s", told);
	think(b);
}

static bool is_made_of_closures(const struct backend *b)
{
	return !b->opt.image && !b->opt.base;
}

/* Is there an image for all that is known?  No: one is asked for. */
static bool has_image(struct backend *b)
{
	bool is_old = is_made_of_closures(b) && b->n_in_image < b->known->n;

	if (b->is_image_coming)
		return false;
	if (container_image_id(b->image) && !is_old)
		return true;
	if (!b->known->n && is_made_of_closures(b))
		return false;
	b->is_image_coming = true;
	for (struct container *c = b->all.first; c; c = c->next)
		retire(b, c);
	b->n_in_image = b->known->n;
	if (is_made_of_closures(b))
		container_image_make(b->image, b->known->v, b->known->n);
	else
		container_image_get(b->image, b->opt.image ? b->opt.image : b->opt.base);
	return false;
}

static void think(struct backend *b)
{
	struct looking l = { .b = b };
	bool is_expected;

	if (b->is_closing || b->broken.code)
		return;
	watch_idle(b, &l);
	pool_each(b->pool, look_at, &l);
	is_expected = warm_is_expected(&b->idle, loop_now_ms(b->o.loop));
	if ((!all_demand(b).n_ready && !b->opt.min && !b->all.n && !is_expected) ||
	    !has_image(b))
		return;
	if (b->rests_until_ms > loop_now_ms(b->o.loop)) {
		think_later(b, b->rests_until_ms - loop_now_ms(b->o.loop) + 1);
		return;
	}
	scale(b, &l);
	if ((b->all.n || is_expected) && !b->later)
		think_later(b, LOOK_MS);
}

static void on_pool(void *arg)
{
	struct backend *b = arg;

	if (b->is_closing)
		return;
	think_later(b, 0);
	tell_changed(b);
}

/* ---- what the scheduler asks */

static struct room container_most(const struct backend *b)
{
	struct room all = b->scale.worker;

	all.cpus *= b->opt.workers;
	all.gpus *= b->opt.workers;
	all.mem_bytes = all.mem_bytes ? all.mem_bytes * b->opt.workers : ROOM_UNKNOWN;
	all.disk_bytes = all.disk_bytes ? all.disk_bytes * b->opt.workers : ROOM_UNKNOWN;
	return all;
}

static struct room container_room(const struct backend *b)
{
	/* Broken: steps have to come here to be told. */
	return b->broken.code ? container_most(b) : pool_room(b->pool);
}

/* Its closure, if it has one. */
static bool closure_of(const struct job *j, struct id *out)
{
	static const char line[] = "\nruntime closure ";
	const char *at = memmem(j->text.p, j->text.n, line, sizeof line - 1);

	return at && j->text.p + j->text.n - (at + sizeof line - 1) >= ID_HEX &&
		id_parse((struct bytes){ at + sizeof line - 1, ID_HEX }, out);
}

static bool knows(const struct backend *b, const struct id *closure, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (id_equal(&b->known->v[i], closure))
			return true;
	return false;
}

static bool refuse(struct err *e, const char *text)
{
	err_set(e, ERR_REFUSED, "%s", text);
	return false;
}

static bool container_accepts(const struct backend *b, const struct job *j, struct err *e)
{
	const char *satisfied = container_image_closures(b->image);
	struct id closure;

	if (b->broken.code)
		return refuse(e, b->broken.text);
	if (!autoscale_fits(&b->scale, &j->needs))
		return refuse(e, "it wants more than one worker has; say more by cpus=, gpus=, "
			      "mem=, disk=");
	if (j->needs.disk_bytes && !b->scale.worker.disk_bytes)
		return refuse(e, "files are kept in memory there: disk= says how much of mem= is "
			      "for them");
	if (!closure_of(j, &closure))
		return b->opt.base ? true :
			refuse(e, "it has no closure, so no image holds what it needs");
	if (b->opt.image && satisfied && !strstr(satisfied, id_hex(&closure).s))
		return refuse(e, "its closure is not in that image");
	if (is_made_of_closures(b) && !knows(b, &closure, b->known->n)) {
		b->known->v = mem_grow(b->known->v, (b->known->n + 1) * sizeof closure);
		b->known->v[b->known->n++] = closure;
	}
	return true;
}

static void container_demand(struct backend *b, const struct demand *d)
{
	b->demand = *d;
	think(b);
}

static int container_job(struct backend *b, struct job *j, struct err *e)
{
	struct id closure;

	if (b->broken.code)
		return err_set(e, ERR_REFUSED, "%s", b->broken.text);
	if (is_made_of_closures(b) && closure_of(j, &closure) &&
	    (b->is_image_coming || !knows(b, &closure, b->n_in_image))) {
		think_later(b, 0);
		return err_set(e, ERR_RETRY, "container: an image for this step is still made");
	}
	return pool_start(b->pool, j, e);
}

static void container_cancel(struct backend *b, struct job *j)
{
	pool_cancel(b->pool, j);
}

static void container_stop(struct backend *b, struct job *j)
{
	pool_stop(b->pool, j);
}

static const char *container_notice(const struct backend *b)
{
	return b->notice[0] ? b->notice : NULL;
}

/* What broke down the steps say themselves. */
static const char *container_why_waiting(struct backend *b)
{
	if (b->broken.code || !all_demand(b).n_ready)
		return NULL;
	if (b->is_image_coming)
		return is_made_of_closures(b) ?
			"container: the image of what its steps use is being made" :
			"container: its image is being fetched";
	if (pool_n_workers(b->pool))
		return pool_why_waiting(b->pool);
	return b->notice[0] ? b->notice : "container: its containers are still starting";
}

/* ---- the whole */

static void container_close(struct backend *b);

static int container_open(const struct backend_opts *o, const char *rest, struct backend **out,
			  struct err *e)
{
	struct backend *b = mem_alloc(sizeof *b);

	*b = (struct backend){ .o = *o, .work.fd = -1 };
	b->known = memset(mem_alloc(sizeof *b->known), 0, sizeof *b->known);
	b->all = (struct containers){ .client = &b->client, .gone = on_gone, .arg = b };
	if (container_setup(b, rest, on_pool, on_image, e) < 0) {
		container_close(b);
		return -1;
	}
	b->idle.keep_s = b->opt.keep_s;
	warm_init(&b->idle.warm, &(struct warm_opts){ .start_s = START_S });
	/* Without it there is no habit yet. */
	warm_load(&b->idle.warm, o->store, "container", e);
	b->n_arrivals = b->idle.warm.n_noted;
	if (b->opt.min)
		think_later(b, 0);
	*out = b;
	return 0;
}

static void time_is_up(void *arg)
{
	struct backend *b = arg;

	b->later = NULL;
	b->is_over = true;
}

static void wait_for_all(struct backend *b, uint64_t ms)
{
	b->is_over = b->all.n == 0;
	if (b->is_over)
		return;
	b->later = loop_after(b->o.loop, ms, time_is_up, b);
	loop_run(b->o.loop, &b->is_over);
	if (b->later)
		loop_cancel(b->later);
	b->later = NULL;
}

static void see_whether_busy(void *arg, const struct pool_worker *w)
{
	*(bool *)arg |= !w->is_idle;
}

/* Idle workers end when they are told, and their containers with them. */
static void let_go(struct backend *b)
{
	bool is_busy = false;

	pool_each(b->pool, see_whether_busy, &is_busy);
	for (struct container *c = b->all.first; c; c = c->next)
		retire(b, c);
	if (!is_busy)
		wait_for_all(b, LEAVE_MS);
}

/* Where nobody listens any more workers notice, and end by themselves. */
static void kill_the_rest(struct backend *b)
{
	bool is_heard = false;

	for (struct container *c = b->all.first; c; c = c->next) {
		is_heard |= c->wait || c->call;
		container_end(c);
	}
	if (is_heard)
		wait_for_all(b, KILL_MS);
	while (b->all.first)
		container_drop(b->all.first);
}

static void container_close(struct backend *b)
{
	struct err e;

	if (!b)
		return;
	b->is_closing = true;
	/* Nothing is wrong when it cannot be kept. */
	if (b->idle.warm.n_noted != b->n_arrivals)
		warm_save(&b->idle.warm, b->o.store, "container", &e);
	if (b->later)
		loop_cancel(b->later);
	b->later = NULL;
	container_image_free(b->image);
	if (b->pool)
		let_go(b);
	pool_close(b->pool);
	kill_the_rest(b);
	container_client_close(&b->client);
	if (b->work.path)
		work_folder_close(&b->work);
	strs_release(&b->opt.devices);
	free(b->known->v);
	free(b->known);
	arena_release(&b->arena);
	free(b);
}

const struct backend_ops backend_container = {
	.name = "container",
	.help = "run steps in containers of podman or Docker on this machine",
	.words = container_words,
	.open = container_open,
	.close = container_close,
	.room = container_room,
	.most = container_most,
	.accepts = container_accepts,
	.demand = container_demand,
	.start = container_job,
	.cancel = container_cancel,
	.stop = container_stop,
	.notice = container_notice,
	.why_waiting = container_why_waiting,
};
