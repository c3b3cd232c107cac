/* s3_request.c - one signed request, as often as it takes
 *
 * How many run at once is a window, as TCP has one: it halves when the server
 * is slow, busy or away, and grows with each answer.  A request that failed in
 * a way that passes waits, longer each time and by chance, up to 30 s in all,
 * or 5 s where nobody has answered yet.
 * When one has waited that long for nothing, the others wait no longer, until
 * some request has an answer again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "id.h"
#include "s3.h"

enum {
	WINDOW_MAX = 64,
	SHRINK_MS = 200,                /* one loss of many is one loss */
	PATIENCE_MS = 30000,
	FIRST_PATIENCE_MS = 5000,       /* with who never answered yet */
	PAUSE_MS = 100,
	PAUSE_MAX_MS = 4000,
	ASKED_PAUSE_MAX_S = 10,
	CONNECT_MS = 5000,
	STALL_MS = 20000,
	HASHED_MAX = 1 << 20,           /* larger bodies are not hashed for signing */
	ERROR_MAX = 1 << 20,
};

/* ---- the window */

static uint64_t random_below(struct remote *r, uint64_t n)
{
	r->seed ^= r->seed << 13;
	r->seed ^= r->seed >> 7;
	r->seed ^= r->seed << 17;
	return r->seed % n;
}

static void grow(struct remote *r)
{
	r->is_down = false;
	r->has_answered = true;
	r->window += r->window < r->slow_start_to ? 1 : 1 / r->window;
	if (r->window > WINDOW_MAX)
		r->window = WINDOW_MAX;
}

static void shrink(struct remote *r)
{
	uint64_t now = loop_now_ms(r->loop);

	if (now < r->shrunk_ms + SHRINK_MS)
		return;
	r->shrunk_ms = now;
	r->window = r->window / 2 < 1 ? 1 : r->window / 2;
	r->slow_start_to = r->window;
}

static void send_try(struct s3_request *q);

static void pump(struct remote *r)
{
	while (r->first && r->n_running < (unsigned)r->window && !r->is_closing) {
		struct s3_request *q = r->first;

		r->first = q->next;
		if (!r->first)
			r->last = &r->first;
		q->is_queued = false;
		q->is_running = true;
		r->n_running++;
		send_try(q);
	}
}

static void queue(struct s3_request *q)
{
	struct remote *r = q->r;

	q->next = NULL;
	q->is_queued = true;
	*r->last = q;
	r->last = &q->next;
	pump(r);
}

static void unqueue(struct s3_request *q)
{
	struct remote *r = q->r;
	struct s3_request **at = &r->first;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	if (!q->next)
		r->last = at;
	q->is_queued = false;
}

static void rest(struct s3_request *q)
{
	q->is_running = false;
	q->r->n_running--;
}

/* ---- the end of a try */

static void pause_over(void *arg)
{
	struct s3_request *q = arg;

	q->pause = NULL;
	queue(q);
}

static bool has_patience(const struct s3_request *q, uint64_t more_ms)
{
	uint64_t most = q->r->has_answered ? PATIENCE_MS : FIRST_PATIENCE_MS;

	return !q->r->is_down && loop_now_ms(q->r->loop) - q->began_ms + more_ms < most;
}

static void try_later(struct s3_request *q, const struct http_answer *a)
{
	unsigned n = q->n_tries > 6 ? 6 : q->n_tries;
	uint64_t most = (uint64_t)PAUSE_MS << n;
	const char *asked = http_header(a, "Retry-After");
	long asked_s = asked ? strtol(asked, NULL, 10) : 0;
	uint64_t ms;

	if (most > PAUSE_MAX_MS)
		most = PAUSE_MAX_MS;
	ms = most / 2 + random_below(q->r, most / 2);
	if (asked_s > 0 && asked_s <= ASKED_PAUSE_MAX_S)
		ms += (uint64_t)asked_s * 1000;
	q->is_aside = q->mended_region = false;
	q->pause = loop_after(q->r->loop, ms, pause_over, q);
}

static const char *shown_key(const struct s3_request *q)
{
	return q->key ? q->key : "";
}

static void end(struct s3_request *q, const struct http_answer *a, const struct err *e)
{
	rest(q);
	pump(q->r);
	q->done(q, a, e);
}

static void give_up(void *arg)
{
	struct s3_request *q = arg;
	struct http_answer none = { 0 };

	q->pause = NULL;
	q->done(q, &none, &q->err);
}

/* Nothing comes of waiting: those that wait are told so too, later. */
static void flush(struct remote *r, const struct err *e)
{
	struct s3_request *q;

	r->is_down = true;
	while ((q = r->first)) {
		unqueue(q);
		q->err = *e;
		q->pause = loop_after(r->loop, 0, give_up, q);
	}
}

static void fail_for_now(struct s3_request *q, const struct http_answer *a, struct err *e)
{
	shrink(q->r);
	if (has_patience(q, PAUSE_MS)) {
		rest(q);
		try_later(q, a);
		pump(q->r);
		return;
	}
	if (q->n_tries > 1)
		err_wrap(e, "after %u tries", q->n_tries);
	flush(q->r, e);
	end(q, a, e);
}

static void at_once(struct s3_request *q)
{
	rest(q);
	queue(q);
}

/* ---- refusals that can be put right */

static bool mend_clock(struct s3_request *q, const struct http_answer *a)
{
	struct sigv4 *s = &q->r->sign;

	return s->skew_s != q->skew_s ||
	       sigv4_learn_clock(s, http_header(a, "Date"), (int64_t)time(NULL));
}

static bool mend_keys(struct s3_request *q, const struct http_answer *a)
{
	bool first = !q->mended_keys;

	(void)a;
	q->mended_keys = true;
	return first && aws_renew(q->r->aws, q->keys_version);
}

static bool mend(struct s3_request *q, enum s3_remedy remedy, const struct http_answer *a)
{
	static bool (*const mends[])(struct s3_request *, const struct http_answer *) = {
		[S3_CLOCK] = mend_clock, [S3_KEYS] = mend_keys, [S3_REGION] = s3_follow,
		[S3_ASIDE] = s3_step_aside,
	};

	return remedy > S3_AGAIN && mends[remedy](q, a);
}

static void refused(struct s3_request *q, const struct http_answer *a)
{
	struct arena work = { 0 };
	const char *code = s3_xml_text(a->body, "Code", &work);
	const struct s3_meaning *m;
	struct err e;

	snprintf(q->code, sizeof q->code, "%s", code && aws_is_plain(code) ? code : "");
	m = s3_meaning_of(a->status, q->code);
	/* A refused HEAD does not say why: the same as a GET does. */
	if (!q->code[0] && strcmp(q->method, "HEAD") == 0 && !q->is_explaining &&
	    (a->status == 400 || a->status == 403)) {
		q->is_explaining = true;
		arena_release(&work);
		at_once(q);
		return;
	}
	err_set(&e, m->err, "%s s3://%s/%s%s: %s%s (%d%s%s)", q->method, q->r->place.bucket,
		q->r->place.prefix, shown_key(q), m->text,
		m->remedy == S3_REGION ? s3_whereabouts(a, &work) : "", a->status,
		q->code[0] ? " " : "", q->code);
	arena_release(&work);
	if (mend(q, m->remedy, a)) {
		q->is_explaining = false;
		at_once(q);
	} else if (m->remedy == S3_AGAIN || m->remedy == S3_ASIDE) {
		fail_for_now(q, a, &e);
	} else {
		grow(q->r);
		end(q, a, &e);
	}
}

static void answered(void *arg, const struct http_answer *a, const struct err *failed)
{
	struct s3_request *q = arg;

	q->call = NULL;
	q->code[0] = 0;
	if (failed && failed->code == ERR_RETRY) {
		struct err e = *failed;

		err_wrap(&e, "s3://%s", q->r->place.bucket);
		fail_for_now(q, a, &e);
	} else if (failed) {
		end(q, a, failed);
	} else if (a->status / 100 == 2) {
		grow(q->r);
		end(q, a, NULL);
	} else {
		refused(q, a);
	}
}

/* ---- a try */

static void keys_came(struct aws_wait *w, const struct err *e)
{
	struct s3_request *q = w->arg;
	struct http_answer none = { 0 };

	w->arg = NULL;
	if (e)
		end(q, &none, e);
	else
		send_try(q);
}

static void could_not_send(void *arg)
{
	struct s3_request *q = arg;
	struct http_answer none = { 0 };

	q->pause = NULL;
	end(q, &none, &q->err);
}

static const struct s3_address *goes_to(const struct s3_request *q)
{
	return q->is_aside ? &q->r->aside : &q->r->address;
}

/* Without TLS a small body is signed too; TLS sees to it by itself. */
static const char *payload_of(const struct s3_request *q, struct id_hex *hex)
{
	struct id id;

	if (!q->body.n && !q->from)
		return NULL;
	if (q->from || goes_to(q)->is_tls || q->body.n > HASHED_MAX)
		return SIGV4_UNSIGNED;
	id = id_of(q->body);
	*hex = id_hex(&id);
	return hex->s;
}

static char *path_of(const struct s3_request *q, struct arena *a)
{
	const struct remote *r = q->r;
	struct buf b = { 0 };
	char *s;

	buf_str(&b, goes_to(q)->path);
	if (q->key) {
		sigv4_encode(bytes_str(r->place.prefix), true, &b);
		sigv4_encode(bytes_str(q->key), true, &b);
	}
	s = arena_strn(a, b.p, b.n);
	buf_release(&b);
	return s;
}

static void send_signed(struct s3_request *q, const struct aws_keys *keys)
{
	static const char *const one_byte[] = { "Range: bytes=0-0", NULL };
	struct remote *r = q->r;
	struct arena a = { 0 };
	struct id_hex hex;
	const char *const *own = q->is_explaining ? one_byte : q->headers;
	struct sigv4_request s = {
		.method = q->is_explaining ? "GET" : q->method, .host = goes_to(q)->host,
		.path = path_of(q, &a), .query = q->query, .headers = own,
		.payload = payload_of(q, &hex), .now_s = (int64_t)time(NULL),
	};
	struct http_request h = {
		.method = s.method, .body = q->body, .from = q->from, .to = q->to,
		.max_bytes = q->max_bytes > ERROR_MAX ? q->max_bytes : ERROR_MAX,
		.connect_ms = CONNECT_MS, .stall_ms = STALL_MS, .unix_path = r->unix_path,
		.ca_file = aws_ca_file(r->aws), .done = answered, .arg = q,
	};
	struct strs headers = { 0 };

	q->n_tries++;
	q->skew_s = r->sign.skew_s;
	q->keys_version = aws_version(r->aws);
	h.url = arena_printf(&a, "%s%s%s%s", goes_to(q)->base, s.path, q->query ? "?" : "",
			     q->query ? q->query : "");
	for (size_t i = 0; own[i]; i++)
		strs_add(&headers, own[i]);
	sigv4_sign(&r->sign, keys, &s, &a, &headers);
	h.headers = headers.v;
	if (http_start(r->http, &h, &q->call, &q->err) < 0)
		q->pause = loop_after(r->loop, 0, could_not_send, q);
	strs_release(&headers);
	arena_release(&a);
}

static void send_try(struct s3_request *q)
{
	const struct aws_keys *keys = aws_keys(q->r->aws);

	if (!q->n_tries)
		q->began_ms = loop_now_ms(q->r->loop);
	if (keys) {
		send_signed(q, keys);
		return;
	}
	q->wait = (struct aws_wait){ .done = keys_came, .arg = q };
	aws_wait(q->r->aws, &q->wait);
}

void s3_begin(struct s3_request *q)
{
	q->n_tries = 0;
	q->is_explaining = q->mended_keys = q->mended_region = q->is_aside = false;
	q->code[0] = 0;
	queue(q);
}

void s3_cancel(struct s3_request *q)
{
	if (q->call)
		http_cancel(q->call);
	q->call = NULL;
	loop_cancel(q->pause);
	q->pause = NULL;
	if (q->wait.arg)
		aws_unwait(q->r->aws, &q->wait);
	q->wait.arg = NULL;
	if (q->is_queued)
		unqueue(q);
	if (q->is_running) {
		rest(q);
		pump(q->r);
	}
}
