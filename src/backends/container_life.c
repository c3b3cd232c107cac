/* container_life.c - one container: made, waited for, started, gone
 *
 * Whoever waits is told of the end at once; whether it was for lack of memory is
 * asked then, before the container engine has removed it, which it does by
 * itself.  A container engine that is down takes no container with it: the
 * waiting is begun again until somebody answers.
 */
#include "container_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 500, SIGNALED = 128, KILLED = 137 };

static int ask(struct container *c, const char *method, const char *format, struct bytes body,
	       container_done_fn *done, struct http_call **call)
{
	struct container_ask q = { .method = method, .body = body, .done = done, .arg = c,
				   .waits = call == &c->wait };
	struct buf path = { 0 };
	int rc;

	buf_printf(&path, format, c->id ? c->id : c->name);
	q.path = path.p;
	rc = container_start(c->all->client, &q, call, &c->why);
	buf_release(&path);
	return rc;
}

void container_drop(struct container *c)
{
	struct container **at = &c->all->first;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->all->n--;
	if (c->call)
		http_cancel(c->call);
	if (c->wait)
		http_cancel(c->wait);
	if (c->again)
		loop_cancel(c->again);
	buf_release(&c->body);
	free(c->id);
	free(c);
}

static void gone(struct container *c, enum run_status how, const struct err *why)
{
	c->all->gone(c->all->arg, c, how, why);
	container_drop(c);
}

/* ---- its end */

static void say_end(struct container *c, bool ran_out_of_memory)
{
	struct err e;

	if (ran_out_of_memory)
		err_set(&e, ERR_FAILED, "its container ran out of memory: say more by mem=");
	else if (c->code == KILLED)
		err_set(&e, ERR_FAILED, "its container was killed");
	else if (c->code > SIGNALED)
		err_set(&e, ERR_FAILED, "its container ended by signal %d", c->code - SIGNALED);
	else if (c->code >= 0)
		err_set(&e, ERR_FAILED, "its container ended with status %d", c->code);
	else
		err_set(&e, ERR_FAILED, "its container is gone");
	gone(c, ran_out_of_memory ? RUN_OUT_OF_MEMORY : RUN_LOST_WORKER, &e);
}

static void on_state(void *arg, const struct http_answer *a, const struct err *e)
{
	struct container *c = arg;
	bool ran_out_of_memory = false;
	struct err ignored;

	c->call = NULL;
	if (!e && a->status == 200)
		container_read_state(a->body, &ran_out_of_memory, &ignored);
	say_end(c, ran_out_of_memory);
}

static void on_ended(struct container *c, int code)
{
	c->code = code;
	if (c->call) {
		http_cancel(c->call);
		c->call = NULL;
	}
	if (ask(c, "GET", "/v1.41/containers/%s/json", (struct bytes){ 0 }, on_state,
		&c->call) < 0)
		say_end(c, false);
}

static void wait_for(struct container *c);

static void wait_again(void *arg)
{
	struct container *c = arg;

	c->again = NULL;
	wait_for(c);
}

static void on_waited(void *arg, const struct http_answer *a, const struct err *e)
{
	struct container *c = arg;
	int code = -1;
	struct err bad;

	c->wait = NULL;
	if (!e && a->status == 404)
		on_ended(c, -1);
	else if (!e && a->status == 200 &&
		 c->all->client->api->read_wait(a->body, &code, &bad) == 0)
		on_ended(c, code);
	else
		c->again = loop_after(c->all->client->loop, AGAIN_MS, wait_again, c);
}

static void wait_for(struct container *c)
{
	if (ask(c, "POST", c->all->client->api->wait, (struct bytes){ 0 }, on_waited,
		&c->wait) < 0)
		c->again = loop_after(c->all->client->loop, AGAIN_MS, wait_again, c);
}

/* ---- its beginning */

static void on_removed(void *arg, const struct http_answer *a, const struct err *e)
{
	struct container *c = arg;

	(void)a;
	(void)e;
	c->call = NULL;
	gone(c, RUN_LOST_WORKER, &c->why);
}

/* It was made and cannot run: nothing removes it but this. */
static void give_up(struct container *c)
{
	struct err why = c->why;

	if (ask(c, "DELETE", c->all->client->api->remove, (struct bytes){ 0 }, on_removed,
		&c->call) < 0)
		gone(c, RUN_LOST_WORKER, &why);
	else
		c->why = why;
}

static void on_started(void *arg, const struct http_answer *a, const struct err *e)
{
	struct container *c = arg;

	c->call = NULL;
	if (!e && (a->status / 100 == 2 || a->status == 304)) {
		c->is_started = true;
		wait_for(c);
		if (c->is_unwanted)
			container_end(c);
		return;
	}
	if (e)
		container_no_answer(c->all->client, e, &c->why);
	else
		container_refusal("starting a container", a->status, a->body, &c->why);
	/* Whoever removes an image by force removes first what was made of it. */
	c->lacks_image = !e && (a->status == 404 || container_lacks_image(a->body));
	give_up(c);
}

static void on_created(void *arg, const struct http_answer *a, const struct err *e)
{
	struct container *c = arg;
	struct arena arena = { 0 };
	const char *id = NULL;
	int rc = 0;

	c->call = NULL;
	c->lacks_image = !e && a->status / 100 != 2 && container_lacks_image(a->body);
	buf_release(&c->body);
	if (e)
		container_no_answer(c->all->client, e, &c->why);
	else if (a->status != 201)
		rc = container_refusal("making a container", a->status, a->body, &c->why);
	else
		rc = container_read_id(a->body, &arena, &id, &c->why);
	if (rc == 0 && id)
		c->id = mem_str(id);
	arena_release(&arena);
	if (!c->id && !(e && a->was_sent)) {
		gone(c, RUN_LOST_WORKER, &c->why);
		return;
	}
	/* Of one that nobody told of only the name is known. */
	if (!c->id || c->is_unwanted) {
		give_up(c);
		return;
	}
	if (ask(c, "POST", "/v1.41/containers/%s/start", (struct bytes){ 0 }, on_started,
		&c->call) < 0)
		give_up(c);
}

/* gone() must not come from within container_begin(). */
static void never_began(void *arg)
{
	struct container *c = arg;

	c->again = NULL;
	gone(c, RUN_LOST_WORKER, &c->why);
}

struct container *container_begin(struct containers *all, const struct container_spec *s,
				  unsigned slot)
{
	struct container *c = mem_alloc(sizeof *c);

	*c = (struct container){ .all = all, .next = all->first, .slot = slot, .code = -1 };
	all->first = c;
	all->n++;
	snprintf(c->name, sizeof c->name, "%s", s->name);
	all->client->api->put_spec(s, &c->body);
	if (ask(c, "POST", all->client->api->create, buf_bytes(&c->body), on_created,
		&c->call) < 0)
		c->again = loop_after(all->client->loop, 0, never_began, c);
	return c;
}

/* ---- ending it */

static void on_killed(void *arg, const struct http_answer *a, const struct err *e)
{
	struct container *c = arg;

	(void)a;
	(void)e;        /* the waiting tells */
	c->call = NULL;
}

void container_end(struct container *c)
{
	c->is_unwanted = true;
	if (c->is_started && !c->call)
		ask(c, "POST", "/v1.41/containers/%s/kill?signal=KILL", (struct bytes){ 0 },
		    on_killed, &c->call);
}
