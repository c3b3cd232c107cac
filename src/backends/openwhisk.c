/* openwhisk.c - steps as invocations of an OpenWhisk action
 *
 * An invocation is blocking, so that a short step costs one request; when the
 * controller stops waiting before the action ends it gives an id, and the
 * activation is asked for until it is there.  No OpenWhisk could be had to try
 * this on: requests and answers are those of its published API.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backend.h"
#include "base64.h"
#include "file.h"
#include "flight.h"
#include "limit.h"
#include "openwhisk_answer.h"

/* Both ways, in a standard installation. */
enum { PAYLOAD_MAX = (1 << 20) - 4096, ANSWER_MAX = 4 << 20, JOBS_MAX = 10000,
	PROPS_MAX = 65536, POLL_FIRST_MS = 100, POLL_LONGEST_MS = 2000, NOTICE_MAX = 400 };

static const double grace_s = 30;

struct whisk_words {
	unsigned jobs;
	const char *action, *namespace, *endpoint;
	double limit_s;
	uint64_t mem_bytes, disk_bytes;
};

#define AT(field) offsetof(struct whisk_words, field)

static const struct engine_word whisk_words[] = {
	{ "jobs", WORD_COUNT, AT(jobs), "at most so many invocations at once (30)" },
	{ "action", WORD_TEXT, AT(action), "NAME or PACKAGE/NAME of an action that is the worker" },
	{ "namespace", WORD_TEXT, AT(namespace), "whose action it is (_, your own)" },
	{ "endpoint", WORD_TEXT, AT(endpoint), "URL of the API (else APIHOST of ~/.wskprops)" },
	{ "limit", WORD_SECONDS, AT(limit_s), "the action's own time limit (5m)" },
	{ "mem", WORD_BYTES, AT(mem_bytes), "the action's own memory limit (256M)" },
	{ "disk", WORD_BYTES, AT(disk_bytes),
	  "what a container of it may write (none is promised)" },
	{ 0 }
};

struct backend {
	struct backend_opts o;
	struct flights flights;
	struct whisk_words words;
	struct http *http;
	const char *base;               /* URL/api/v1/namespaces/NS */
	const char *auth;               /* header; a secret */
	struct limit limit;
	struct timer *pause;
	uint64_t n_ends[WHISK_END_COUNT], n_cold, n_polls;
	char *notice;
	struct arena arena;
};

struct activation {
	struct flight f;                /* first */
	struct backend *b;
	struct http_call *call;
	struct timer *poll;
	const char *id;                 /* once the controller gave one */
	uint64_t serial, begun_ms, poll_ms;
	bool is_counted;
	double total_s;
	struct whisk_said said;
};

/* ---- what is open at once */

static void on_pause_over(void *arg)
{
	struct backend *b = arg;

	b->pause = NULL;
	if (b->o.changed)
		b->o.changed(b->o.changed_arg);
}

static void landed(struct activation *v)
{
	struct backend *b = v->b;
	uint64_t now = loop_now_ms(b->o.loop);

	if (!v->is_counted)
		return;
	v->is_counted = false;
	if (v->said.end == WHISK_THROTTLED)
		limit_refused(&b->limit, v->serial, now);
	else if (v->said.end == WHISK_ANSWERED || v->said.end == WHISK_FAILED)
		limit_taken(&b->limit);
	else
		limit_dropped(&b->limit);
	if (b->limit.paused_until_ms > now && !b->pause)
		b->pause = loop_after(b->o.loop, b->limit.paused_until_ms - now, on_pause_over,
				      b);
}

static struct room whisk_room(const struct backend *b)
{
	unsigned n = limit_room(&b->limit, loop_now_ms(b->o.loop));

	return (struct room){ .cpus = n, .mem_bytes = n * b->words.mem_bytes,
			      .disk_bytes = n * b->words.disk_bytes };
}

/* ---- an activation ends */

static void on_ended(struct flight *f, struct run_report *r)
{
	struct activation *v = (struct activation *)f;

	r->place = v->b->words.action;
	r->is_cold = r->is_cold || v->said.init_s > 0;
	v->b->n_cold += r->is_cold;
	if (v->total_s > r->seconds)
		r->waited_s = v->total_s - r->seconds;
	landed(v);
}

static void on_free(struct flight *f)
{
	free(f);
}

static void poll_later(struct activation *v);

static void on_answer(void *arg, const struct http_answer *a, const struct err *e)
{
	struct activation *v = arg;
	struct backend *b = v->b;
	const char *remedy, *text;

	v->call = NULL;
	whisk_answer_read(a, e, v->id != NULL, &v->f.arena, &v->said);
	/* What is running is asked for again when one question got lost. */
	if (v->id && (v->said.end == WHISK_UNREACHED || v->said.end == WHISK_CUT ||
		      v->said.end == WHISK_BUSY || v->said.end == WHISK_THROTTLED))
		v->said.end = WHISK_PENDING;
	if (v->said.end == WHISK_PENDING) {
		v->id = v->id ? v->id : v->said.activation;
		poll_later(v);
		return;
	}
	v->total_s = (double)(loop_now_ms(b->o.loop) - v->begun_ms) / 1000;
	b->n_ends[v->said.end]++;
	if (v->said.end == WHISK_ANSWERED) {
		flight_answer(&v->f, v->said.result);
		return;
	}
	remedy = whisk_end_remedy(v->said.end);
	text = arena_printf(&v->f.arena, "action %s: %s%s%s", b->words.action,
			    v->said.error ? v->said.error : whisk_end_name(v->said.end),
			    remedy ? "; " : "", remedy ? remedy : "");
	flight_fail(&v->f, whisk_end_status(v->said.end), text, v->said.log);
}

/* ---- asking */

static int request(struct activation *v, const char *method, const char *url,
		   struct bytes body, struct err *e)
{
	const char *headers[] = { v->b->auth, "Content-Type: application/json", NULL };
	const struct http_request q = {
		.method = method, .url = url, .headers = headers, .body = body,
		.max_bytes = ANSWER_MAX, .stall_ms = HTTP_NEVER,
		.total_ms = (uint32_t)((v->b->words.limit_s + grace_s) * 1000),
		.done = on_answer, .arg = v,
	};

	return http_start(v->b->http, &q, &v->call, e);
}

static void poll_now(void *arg)
{
	struct activation *v = arg;
	struct arena a = { 0 };
	struct err e;

	v->poll = NULL;
	v->b->n_polls++;
	if (request(v, "GET", arena_printf(&a, "%s/activations/%s", v->b->base, v->id),
		    (struct bytes){ "", 0 }, &e) < 0)
		flight_fail(&v->f, RUN_CELL_FAILED, e.text, (struct bytes){ "", 0 });
	arena_release(&a);
}

static void poll_later(struct activation *v)
{
	struct backend *b = v->b;
	double waited_s = (double)(loop_now_ms(b->o.loop) - v->begun_ms) / 1000;

	if (waited_s > b->words.limit_s + grace_s) {
		v->said.end = WHISK_LOST;
		b->n_ends[WHISK_LOST]++;
		flight_fail(&v->f, RUN_LOST_WORKER, "the activation did not end in the action's "
			    "time", (struct bytes){ "", 0 });
		return;
	}
	v->poll_ms = v->poll_ms ? v->poll_ms * 2 : POLL_FIRST_MS;
	if (v->poll_ms > POLL_LONGEST_MS)
		v->poll_ms = POLL_LONGEST_MS;
	v->poll = loop_after(b->o.loop, v->poll_ms, poll_now, v);
}

static int send(struct flight *f, struct err *e)
{
	struct activation *v = (struct activation *)f;
	struct arena a = { 0 };
	int rc = request(v, "POST", arena_printf(&a, "%s/actions/%s?blocking=true&result=false",
						 v->b->base, v->b->words.action),
			 buf_bytes(&f->parcel.body), e);

	arena_release(&a);
	return rc;
}

static void cut(struct flight *f)
{
	struct activation *v = (struct activation *)f;

	if (v->call)
		http_cancel(v->call);
	loop_cancel(v->poll);
	v->call = NULL;
	v->poll = NULL;
}

static int whisk_start(struct backend *b, struct job *j, struct err *e)
{
	struct activation *v;

	if (!limit_may(&b->limit, loop_now_ms(b->o.loop)))
		return err_set(e, ERR_RETRY, "actions take %u at once just now",
			       (unsigned)b->limit.window);
	v = memset(mem_alloc(sizeof *v), 0, sizeof *v);
	v->b = b;
	v->said.end = WHISK_CUT;
	v->begun_ms = loop_now_ms(b->o.loop);
	v->serial = limit_begin(&b->limit);
	v->is_counted = true;
	if (flight_begin(&b->flights, &v->f, j, e) == 0)
		return 0;
	limit_dropped(&b->limit);
	free(v);
	return -1;
}

static void whisk_cancel(struct backend *b, struct job *j)
{
	(void)b;
	flight_cancel(j->backend_data);
}

static bool whisk_accepts(const struct backend *b, const struct job *j, struct err *e)
{
	if (j->needs.gpus > 0)
		err_set(e, ERR_REFUSED, "actions have no GPUs");
	else if (j->needs.mem_bytes > b->words.mem_bytes)
		err_set(e, ERR_REFUSED, "the action has %llu MB",
			(unsigned long long)(b->words.mem_bytes >> 20));
	else if (j->needs.disk_bytes > b->words.disk_bytes)
		err_set(e, ERR_REFUSED, "nobody promises so much disk there: say disk=");
	else if (j->needs.cpus > b->words.jobs)
		err_set(e, ERR_REFUSED, "jobs=%u is less than its cpus", b->words.jobs);
	else
		return true;
	return false;
}

/* ---- who we are there */

/* NAME=VALUE in ~/.wskprops; in a, or NULL. */
static const char *property(struct bytes text, const char *name, struct arena *a)
{
	size_t n_name = strlen(name);

	while (text.n) {
		const char *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;

		if (n > n_name && memcmp(text.p, name, n_name) == 0 && text.p[n_name] == '=')
			return arena_strn(a, text.p + n_name + 1, n - n_name - 1);
		text.p += n + (end != NULL);
		text.n -= n + (end != NULL);
	}
	return NULL;
}

static const char *setting(const struct backend *b, const char *name)
{
	const char *s = b->o.setting ? b->o.setting(b->o.setting_arg, name) : NULL;

	return s && *s ? s : NULL;
}

static int read_props(struct backend *b, struct bytes *out, struct err *e)
{
	const char *file = setting(b, "WSK_CONFIG_FILE"), *home = setting(b, "HOME");

	*out = (struct bytes){ "", 0 };
	if (!file && !home)
		return 0;
	if (!file)
		file = arena_printf(&b->arena, "%s/.wskprops", home);
	if (file_read(AT_FDCWD, file, PROPS_MAX, &b->arena, out, e) < 0 &&
	    e->code != ERR_MISSING)
		return -1;
	return 0;
}

static bool is_header_text(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

static int find_place(struct backend *b, struct err *e)
{
	const char *url = b->words.endpoint, *auth = setting(b, "WSK_AUTH");
	struct buf b64 = { 0 };
	struct bytes props;

	if (read_props(b, &props, e) < 0)
		return -1;
	url = url ? url : property(props, "APIHOST", &b->arena);
	auth = auth ? auth : property(props, "AUTH", &b->arena);
	if (!url)
		return err_set(e, ERR_MISSING, "no API host is known: say endpoint=URL, or set it "
			       "with wsk property set --apihost");
	if (!auth || !strchr(auth, ':') || !is_header_text(auth))
		return err_set(e, ERR_MISSING, "no credentials are known: set WSK_AUTH to "
			       "UUID:KEY, or use wsk property set --auth");
	if (!is_header_text(url))
		return err_set(e, ERR_USAGE, "the endpoint is no URL");
	b->base = arena_printf(&b->arena, "%s%s/api/v1/namespaces/%s",
			       strstr(url, "://") ? "" : "https://", url, b->words.namespace);
	base64_encode(bytes_str(auth), &b64);
	b->auth = arena_printf(&b->arena, "Authorization: Basic %s", b64.p);
	buf_release(&b64);
	return 0;
}

static bool is_name(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "_-.@/") == strlen(s) && !strstr(s, "..") && *s != '/';
}

/* Actions there open the remotes that this machine does. */
static bool is_near(const struct backend *b)
{
	const char *host = strstr(b->base, "://") + 3;

	return http_host_is_local((struct bytes){ host, strcspn(host, ":/") });
}

static int open_all(struct backend *b, const char *rest, struct err *e)
{
	struct whisk_words *w = &b->words;

	if (engine_words_read("openwhisk", rest, whisk_words, &b->arena, w, e) < 0)
		return -1;
	if (!w->jobs || w->jobs > JOBS_MAX)
		return err_set(e, ERR_USAGE, "jobs must be from 1 to %d", JOBS_MAX);
	if (!w->action || !is_name(w->action) || !is_name(w->namespace))
		return err_set(e, ERR_USAGE, "say which action: openwhisk:action=NAME");
	if (find_place(b, e) < 0 || http_like(b->o.http, w->jobs, 0, &b->http, e) < 0)
		return -1;
	limit_init(&b->limit, w->jobs);
	b->flights = (struct flights){
		.o = &b->o, .place = "an action", .max_bytes = PAYLOAD_MAX, .send = send,
		.cut = cut, .ended = on_ended, .free = on_free, .is_near = is_near(b),
	};
	return 0;
}

static void whisk_close(struct backend *b)
{
	if (!b)
		return;
	flights_close(&b->flights);
	loop_cancel(b->pause);
	http_free(b->http);
	arena_release(&b->arena);
	free(b);
}

static int whisk_open(const struct backend_opts *o, const char *rest, struct backend **out,
		      struct err *e)
{
	struct backend *b = memset(mem_alloc(sizeof *b), 0, sizeof *b);

	b->o = *o;
	b->notice = arena_alloc(&b->arena, NOTICE_MAX);
	b->words = (struct whisk_words){ .jobs = 30, .namespace = "_", .limit_s = 300,
					 .mem_bytes = 256 << 20 };
	if (open_all(b, rest, e) < 0) {
		whisk_close(b);
		return -1;
	}
	*out = b;
	return 0;
}

static const char *whisk_notice(const struct backend *b)
{
	size_t n = 0;

	for (int i = WHISK_THROTTLED; i < WHISK_END_COUNT && n < NOTICE_MAX; i++)
		if (b->n_ends[i])
			n += (size_t)snprintf(b->notice + n, NOTICE_MAX - n, "%s%llu %s",
					      n ? ", " : "openwhisk: ",
					      (unsigned long long)b->n_ends[i],
					      whisk_end_name((enum whisk_end)i));
	if (n && n < NOTICE_MAX && b->n_cold)
		snprintf(b->notice + n, NOTICE_MAX - n, ", %llu cold starts",
			 (unsigned long long)b->n_cold);
	return n ? b->notice : NULL;
}

const struct backend_ops backend_openwhisk = {
	.name = "openwhisk",
	.help = "run steps as actions of OpenWhisk (tested against recorded shapes of its API "
		"only: no server could be had)",
	.words = whisk_words,
	.open = whisk_open,
	.close = whisk_close,
	.room = whisk_room,
	.accepts = whisk_accepts,
	.start = whisk_start,
	.cancel = whisk_cancel,
	.notice = whisk_notice,
};
