/* worker_api.c - events from the AWS Lambda Runtime API
 *
 * GET next waits until there is an event; its answer, or what was wrong with
 * it, is posted under the event's own id.  The same program thus serves on
 * Lambda and wherever somebody else speaks this API.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "worker_private.h"

#define VERSION RUNTIME_API_VERSION

enum { EVENT_MAX = 64 << 20, TRIES = 5, PAUSE_MS = 200 };

/* What is left of the time until the caller stops listening, for the answer. */
#define ANSWER_S 0.5

struct api {
	struct worker *w;
	struct http *h;
	const char *base;               /* http://HOST/2018-06-01/runtime */
	struct arena *a;                /* of one event */
	struct worker_stop *stop;
};

struct event {
	struct bytes body;
	const char *id;
	double limit_s;
};

double runtime_seconds_left(const struct http_answer *event)
{
	const char *deadline = http_header(event, "Lambda-Runtime-Deadline-Ms");
	double ms = deadline ? strtod(deadline, NULL) : 0, left;
	struct timespec now;

	if (ms <= 0)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	left = ms / 1000 - ((double)now.tv_sec + (double)now.tv_nsec / 1e9) - ANSWER_S;
	return left > 0.1 ? left : 0.1;
}

bool runtime_id_is_good(const char *id)
{
	static const char good[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

	return id && *id && strspn(id, good) == strlen(id);
}

static int post(struct api *x, const char *url, const char *header, struct bytes body,
		struct err *e)
{
	bool is_json = !body.n || body.p[0] == '{';
	const char *headers[] = { is_json ? "Content-Type: " MESSAGE_TYPE_JSON :
				  "Content-Type: " MESSAGE_TYPE_PARTS, header, NULL };
	struct http_request q = { .method = "POST", .url = url, .headers = headers,
				  .body = body };
	struct http_answer a;

	if (http_fetch(x->h, &q, x->a, &a, e) < 0)
		return -1;
	if (a.status / 100 == 2 || a.status == 413)
		return a.status == 413;
	return err_set(e, ERR_RETRY, "runtime API: an answer was refused with status %d",
		       a.status);
}

/* Only our own words, which are plain, and what may stand in JSON of them. */
static int post_error(struct api *x, const char *url, const char *text, struct err *e)
{
	struct buf b = { 0 };
	int rc;

	buf_str(&b, "{\"errorType\":\"gg.BadRequest\",\"errorMessage\":\"");
	for (; *text; text++)
		buf_char(&b, *text == '"' || *text == '\\' || (unsigned char)*text < 0x20 ||
			 (unsigned char)*text > 0x7e ? '?' : *text);
	buf_str(&b, "\"}");
	rc = post(x, url, "Lambda-Runtime-Function-Error-Type: gg.BadRequest", buf_bytes(&b), e);
	buf_release(&b);
	return rc < 0 ? -1 : 0;
}

/* What is too large inside the answer goes to the remotes. */
static int answer_shrunk(struct api *x, const struct event *event, const char *url,
			 const char *bad, struct bytes too_large, struct err *e)
{
	struct buf out = { 0 };
	struct err why;
	int rc = worker_shrink(x->w, event->body, too_large, &out, &why);

	if (rc == 0)
		rc = post(x, url, NULL, buf_bytes(&out), e);
	else
		rc = post_error(x, bad, why.text, e);
	if (rc == 1)
		rc = post_error(x, bad, "the answer is too large for this API, even without "
				"what the outputs hold", e);
	buf_release(&out);
	return rc;
}

static int answer(struct api *x, const struct event *event, struct err *e)
{
	const char *id = event->id, *url, *bad;
	struct buf out = { 0 };
	struct err why;
	int rc;

	if (!runtime_id_is_good(id))
		return err_set(e, ERR_BAD, "runtime API: an event without an id");
	url = arena_printf(x->a, "%s/invocation/%s/response", x->base, id);
	bad = arena_printf(x->a, "%s/invocation/%s/error", x->base, id);
	if (worker_do(x->w, event->body, event->limit_s, &out, &why) < 0)
		rc = post_error(x, bad, why.text, e);
	else if ((rc = post(x, url, NULL, buf_bytes(&out), e)) == 1)
		rc = answer_shrunk(x, event, url, bad, buf_bytes(&out), e);
	buf_release(&out);
	return rc;
}

/* Waiting for an event, or for the wish to stop. */
struct wait {
	struct api *x;
	struct event *out;
	struct err *e;
	bool is_over, has_answer, has_failed;
};

static void on_event(void *arg, const struct http_answer *a, const struct err *e)
{
	struct wait *k = arg;
	const char *id = http_header(a, "Lambda-Runtime-Aws-Request-Id");

	k->is_over = k->has_answer = true;
	if (e)
		*k->e = *e;
	else if (a->status != 200)
		err_set(k->e, ERR_RETRY, "runtime API: status %d instead of an event",
			a->status);
	k->has_failed = e || a->status != 200;
	if (k->has_failed)
		return;
	k->out->body = arena_bytes(k->x->a, a->body);
	k->out->id = id ? arena_str(k->x->a, id) : NULL;
	k->out->limit_s = runtime_seconds_left(a);
}

/* 1 an event, 0 stopped. */
static int next(struct api *x, struct event *out, struct err *e)
{
	struct wait k = { .x = x, .out = out, .e = e };
	struct http_request q = {
		.url = arena_printf(x->a, "%s/invocation/next", x->base),
		.max_bytes = EVENT_MAX, .stall_ms = HTTP_NEVER,
		.done = on_event, .arg = &k,
	};
	struct http_call *call;

	if (http_start(x->h, &q, &call, e) < 0)
		return -1;
	x->stop->wait_is_over = &k.is_over;
	loop_run(http_loop(x->h), &k.is_over);
	x->stop->wait_is_over = NULL;
	if (!k.has_answer)
		http_cancel(call);
	return k.has_failed ? -1 : k.has_answer;
}

struct pause {
	bool is_over, has_fired;
};

static void on_pause_over(void *arg)
{
	struct pause *p = arg;

	p->is_over = p->has_fired = true;
}

static void pause_for(struct api *x, uint64_t ms)
{
	struct pause p = { .is_over = false };
	struct timer *t = loop_after(http_loop(x->h), ms, on_pause_over, &p);

	x->stop->wait_is_over = &p.is_over;
	loop_run(http_loop(x->h), &p.is_over);
	x->stop->wait_is_over = NULL;
	if (!p.has_fired)
		loop_cancel(t);
}

void worker_stop(struct worker_stop *s)
{
	s->is_urgent = s->is_wanted;
	s->is_wanted = true;
	if (s->wait_is_over)
		*s->wait_is_over = true;
}

int worker_serve(struct worker *w, struct http *h, const char *api,
		 struct worker_stop *stop, struct err *e)
{
	struct arena keep = { 0 }, a = { 0 };
	struct api x = { .w = w, .h = h, .a = &a, .stop = stop };
	unsigned n_failed = 0;

	w->stop = stop;
	x.base = arena_printf(&keep, "http://%s/" VERSION "/runtime", api);
	while (!stop->is_wanted && n_failed < TRIES) {
		struct event event;
		int rc = next(&x, &event, e);

		if (rc > 0)
			rc = answer(&x, &event, e);
		n_failed = rc < 0 ? n_failed + 1 : 0;
		arena_reset(&a);
		if (rc < 0 && n_failed < TRIES)
			pause_for(&x, (uint64_t)PAUSE_MS << n_failed);
	}
	w->stop = NULL;
	arena_release(&a);
	arena_release(&keep);
	return stop->is_wanted ? 0 : -1;
}
