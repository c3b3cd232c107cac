/* worker_slot.c - one request at a time: waiting for it, doing it, answering
 *
 * An answer that is not taken is offered again; it may be late, and is welcome
 * all the same.
 */
#include <stdio.h>
#include <string.h>
#include "worker_link.h"

enum { REQUEST_MAX = 1 << 30 };

static void send_answer(struct slot *s);

static void pause_over(void *arg)
{
	struct slot *s = arg;

	s->timer = NULL;
	if (s->state == SLOT_ANSWERING)
		send_answer(s);
	else
		slot_wait(s);
}

static void pause_slot(struct slot *s, const struct err *e)
{
	struct link *k = s->link;
	uint32_t ms = link_pause(k, e);

	if (!ms)
		return;
	if (s->state != SLOT_ANSWERING)
		s->state = SLOT_PAUSED;
	s->timer = loop_after(k->loop, ms, pause_over, s);
}

static void next_request(struct slot *s)
{
	s->state = SLOT_IDLE;
	if (s->link->ends)
		link_look_for_end(s->link);
	else if (s->link->is_welcome)
		slot_wait(s);
}

static void on_answered(void *arg, const struct http_answer *a, const struct err *e)
{
	struct slot *s = arg;
	struct link *k = s->link;
	struct err late;

	s->http = NULL;
	if (e) {
		pause_slot(s, e);
		return;
	}
	link_heard(k);
	if (a->status == 401) {
		link_is_about_us(k, a->status);
		return;
	}
	if (a->status / 100 == 5) {
		err_set(&late, ERR_RETRY, "an answer was refused with status %d", a->status);
		pause_slot(s, &late);
		return;
	}
	if (a->status / 100 != 2)
		worker_tell(k->w, "an answer was not wanted (status %d)", a->status);
	next_request(s);
	if (a->status == 410)
		link_join_again(k);
}

static void send_answer(struct slot *s)
{
	struct http_request q = { .method = "POST", .done = on_answered, .arg = s };
	struct arena a = { 0 };

	s->state = SLOT_ANSWERING;
	link_send(s->link, &q,
		  arena_printf(&a, "/" RUNTIME_API_VERSION "/runtime/invocation/%s/%s", s->id,
			       s->is_error ? "error" : "response"),
		  buf_bytes(&s->answer), &s->http);
	arena_release(&a);
}

static void on_done(struct worker_call *c, struct bytes answer)
{
	struct slot *s = c->arg;

	buf_reset(&s->answer);
	buf_add(&s->answer, answer.p, answer.n);
	buf_reset(&s->request);
	s->is_error = false;
	send_answer(s);
}

/* The question made no sense: our own words, which are plain. */
static void send_error(struct slot *s, const char *text)
{
	buf_reset(&s->answer);
	buf_str(&s->answer, "{\"errorType\":\"gg.BadRequest\",\"errorMessage\":\"");
	for (; *text; text++)
		buf_char(&s->answer, *text == '"' || *text == '\\' ||
			 (unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e ?
			 '?' : *text);
	buf_str(&s->answer, "\"}");
	s->is_error = true;
	send_answer(s);
}

static void take_request(struct slot *s, const struct http_answer *a)
{
	const char *id = http_header(a, "Lambda-Runtime-Aws-Request-Id");
	struct err e;

	if (!runtime_id_is_good(id) || strlen(id) >= sizeof s->id) {
		err_set(&e, ERR_BAD, "a request without an id");
		pause_slot(s, &e);
		return;
	}
	snprintf(s->id, sizeof s->id, "%s", id);
	buf_reset(&s->request);
	buf_add(&s->request, a->body.p, a->body.n);
	s->call = (struct worker_call){ .request = buf_bytes(&s->request), .done = on_done,
					.limit_s = runtime_seconds_left(a), .arg = s };
	s->state = SLOT_WORKING;
	if (worker_begin(s->link->w, &s->call, &e) < 0)
		send_error(s, e.text);
}

static void on_request(void *arg, const struct http_answer *a, const struct err *e)
{
	struct slot *s = arg;
	struct link *k = s->link;
	struct err why;

	s->http = NULL;
	s->state = SLOT_IDLE;
	if (e) {
		pause_slot(s, e);
		return;
	}
	link_heard(k);
	if (link_is_about_us(k, a->status))
		return;
	if (a->status == 200) {
		k->has_rejoined = false;
		take_request(s, a);
	} else if (a->status == 204) {
		slot_wait(s);
	} else if (a->status == 410) {
		link_join_again(k);
	} else {
		err_set(&why, ERR_RETRY, "status %d instead of work", a->status);
		pause_slot(s, &why);
	}
}

void slot_wait(struct slot *s)
{
	struct http_request q = {
		.method = "GET", .max_bytes = REQUEST_MAX, .stall_ms = HTTP_NEVER,
		.done = on_request, .arg = s,
	};

	s->state = SLOT_WAITING;
	link_send(s->link, &q, "/" RUNTIME_API_VERSION "/runtime/invocation/next",
		  (struct bytes){ 0 }, &s->http);
}
