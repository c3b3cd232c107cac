/* pool_serve.c - what workers ask and say: the Runtime API, hello, beat
 *
 * Each kind of call is a row of a table.  A worker shows the name it got for
 * its hello; nobody can guess those of others, so that nobody can answer for
 * them.
 */
#include "pool_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "message.h"
#include "parcel.h"

#define INVOCATION "/2018-06-01/runtime/invocation/"

enum { HOLD_MOST_S = 60 };

void pool_say(struct serve_call *c, int status, const char *text)
{
	serve_answer(c, &(struct serve_answer){ .status = status, .body = bytes_str(text) });
}

struct pool_peer *pool_peer_of(struct pool *p, const struct serve_call *c)
{
	const char *id = serve_header(c, "Gg-Worker");

	return id ? map_get(&p->by_id, bytes_str(id)) : NULL;
}

void pool_heard(struct pool_peer *w)
{
	w->heard_ms = loop_now_ms(w->p->b.loop);
	w->suspect_ms = 0;
}

/* The worker of a call that only workers make, or the call is answered. */
static struct pool_peer *known_peer(struct pool *p, struct serve_call *c)
{
	struct pool_peer *w = pool_peer_of(p, c);

	if (w)
		pool_heard(w);
	else
		pool_say(c, 410, "this worker is not known here (any more): say hello\n");
	return w;
}

/* ---- hello */

static void hello(struct pool *p, struct serve_call *c, const char *rest)
{
	const char *headers[] = { "Content-Type: application/json", NULL };
	struct arena a = { 0 };
	struct pool_hello h;
	struct pool_peer *w;
	struct buf b = { 0 };
	struct err e;

	(void)rest;
	if (p->is_closing) {
		pool_say(c, 403, "");
		return;
	}
	if (pool_read_hello(c->body, &a, &h, &e) < 0) {
		pool_say(c, 400, arena_printf(&a, "%s\n", e.text));
	} else {
		w = pool_peer_new(p, &h);
		buf_printf(&b, "{\"worker\":\"%s\",\"beat_s\":%g,\"lease_s\":%g}\n", w->id,
			   (double)pool_beat_ms(p) / 1000, (double)w->lease_ms / 1000);
		serve_answer(c, &(struct serve_answer){ .status = 200, .headers = headers,
							.body = buf_bytes(&b) });
		buf_release(&b);
	}
	arena_release(&a);
}

/* ---- beat */

static bool is_unwanted(const struct pool_request *r)
{
	return r->n_live == 0;
}

static bool is_to_stop(const struct pool_request *r)
{
	return r->is_stopping && r->n_live > 0;
}

static void put_ids(const struct pool_peer *w, bool (*picks)(const struct pool_request *r),
		    struct buf *b)
{
	const char *comma = "";

	for (const struct pool_request *r = w->requests; r; r = r->next) {
		if (!picks(r))
			continue;
		buf_printf(b, "%s\"%s\"", comma, r->id);
		comma = ",";
	}
}

static void say_news(struct pool_peer *w, struct serve_call *c)
{
	const char *headers[] = { "Content-Type: application/json", NULL };
	struct buf b = { 0 };

	buf_str(&b, "{\"cancel\":[");
	put_ids(w, is_unwanted, &b);
	buf_str(&b, "],\"stop\":[");
	put_ids(w, is_to_stop, &b);
	buf_printf(&b, "],\"retire\":%s}\n", w->is_retired ? "true" : "false");
	serve_answer(c, &(struct serve_answer){ .status = 200, .headers = headers,
						.body = buf_bytes(&b) });
	buf_release(&b);
	w->has_news = false;
	if (w->is_retired)
		pool_peer_told(w);
}

void pool_answer_beat(struct pool_peer *w)
{
	struct pool_wait *k = w->beat;

	if (!k)
		return;
	w->beat = NULL;
	say_news(w, k->call);
	free(k);
}

/* "wait=S": how long the answer may be held back. */
static double hold_s(const struct serve_call *c, const struct pool_peer *w)
{
	double s = strncmp(c->query, "wait=", 5) == 0 ? strtod(c->query + 5, NULL) : 0;
	double most = (double)w->lease_ms / 2000;

	most = most < HOLD_MOST_S ? most : HOLD_MOST_S;
	return s > 0 ? s < most ? s : most : 0;
}

static void beat(struct pool *p, struct serve_call *c, const char *rest)
{
	struct pool_peer *w = known_peer(p, c);
	struct arena a = { 0 };
	struct pool_beat b;
	struct err e;
	double s;

	(void)rest;
	if (!w)
		return;
	if (pool_read_beat(c->body, &a, &b, &e) < 0) {
		pool_say(c, 400, arena_printf(&a, "%s\n", e.text));
		arena_release(&a);
		return;
	}
	pool_beat_taken(w, &b);
	arena_release(&a);
	pool_answer_beat(w);            /* one at a time */
	s = hold_s(c, w);
	if (w->has_news || s <= 0) {
		say_news(w, c);
		return;
	}
	w->beat = mem_alloc(sizeof *w->beat);
	*w->beat = (struct pool_wait){ .kind = WAIT_BEAT, .call = c, .w = w };
	w->beat_until_ms = w->heard_ms + (uint64_t)(1000 * s);
	c->data = w->beat;
}

/* ---- next */

void pool_wait_end(struct pool_wait *k)
{
	k->prev->next = k->next;
	k->next->prev = k->prev;
	*k->own_at = k->own_next;
	if (k->own_next)
		k->own_next->own_at = k->own_at;
	k->w->n_waits--;
	free(k);
}

static struct pool_wait *wait_new(struct pool_peer *w, struct serve_call *c)
{
	struct pool_wait *k = mem_alloc(sizeof *k);
	struct pool *p = w->p;

	*k = (struct pool_wait){ .kind = WAIT_NEXT, .call = c, .w = w, .prev = &p->idle,
				 .next = p->idle.next, .own_next = w->waits,
				 .own_at = &w->waits };
	k->prev->next = k->next->prev = k;
	if (k->own_next)
		k->own_next->own_at = &k->own_next;
	w->waits = k;
	w->n_waits++;
	c->data = k;
	return k;
}

/* A client that says no hello runs one step at a time. */
static struct pool_peer *plain_peer(struct pool *p)
{
	struct pool_hello h = { .name = "plain", .host = "unknown", .n_slots = 1,
				.room = p->o.worst_room };
	struct pool_peer *w;

	if (h.room.cpus <= 0)
		h.room = (struct room){ 1, 0, 1 << 30, 0 };
	w = pool_peer_new(p, &h);
	w->is_plain = true;
	return w;
}

static void next(struct pool *p, struct serve_call *c, const char *rest)
{
	bool is_plain = !serve_header(c, "Gg-Worker");
	struct pool_peer *w;

	(void)rest;
	if (is_plain && p->is_closing) {
		pool_say(c, 403, "");
		return;
	}
	w = is_plain ? plain_peer(p) : known_peer(p, c);
	if (!w)
		return;
	if (w->is_retired) {
		pool_say(c, 403, "");
		pool_peer_told(w);
	} else if (w->n_waits >= w->n_slots) {
		pool_say(c, 429, "more calls wait than this worker has slots\n");
	} else {
		pool_feed(p, wait_new(w, c));
	}
}

/* ---- handing out */

static bool worker_holds(void *arg, const struct id *id)
{
	return pool_holds(arg, id);
}

static struct parcel_opts parcel_opts_of(struct pool_peer *w)
{
	struct pool *p = w->p;

	return (struct parcel_opts){ .store = p->b.store, .depot = p->b.depot,
				     .asks_us = !w->is_plain, .root = p->b.project_root,
				     .is_json = w->is_plain, .inline_bytes = POOL_LARGE,
				     .holds = w->is_plain ? NULL : worker_holds, .arg = w };
}

static void cannot_pack(struct pool_step *s, const struct id *missing, const struct err *e)
{
	static const enum run_status ends[] = {
		[ERR_MISSING] = RUN_LOST_INPUT, [ERR_REFUSED] = RUN_NOT_STARTED,
		[ERR_BAD] = RUN_NOT_STARTED, [ERR_USAGE] = RUN_CELL_FAILED,
	};
	enum run_status how = ends[e->code];

	s->missing = *missing;
	pool_end(s, how ? how : RUN_CELL_FAILED, e->text);
}

static void send_parcel(struct pool_wait *k, struct pool_step *const *v, size_t n,
			const struct parcel *parcel)
{
	struct pool_peer *w = k->w;
	struct pool_request *r = pool_request_new(w, v, n);
	char id[96], deadline[96];
	const char *headers[] = { id, w->is_plain ? "Content-Type: " MESSAGE_TYPE_JSON :
				  "Content-Type: " MESSAGE_TYPE_PARTS,
				  w->is_plain ? deadline : NULL, NULL };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(id, sizeof id, "Lambda-Runtime-Aws-Request-Id: %s", r->id);
	snprintf(deadline, sizeof deadline, "Lambda-Runtime-Deadline-Ms: %lld",
		 ((long long)now.tv_sec + 900) * 1000);
	serve_answer(k->call, &(struct serve_answer){ .status = 200, .headers = headers,
						      .body = buf_bytes(&parcel->body) });
	pool_wait_end(k);
}

bool pool_hand(struct pool_wait *k, struct pool_step **v, size_t n)
{
	struct parcel_opts o = parcel_opts_of(k->w);
	struct job *jobs[POOL_TOGETHER_MAX] = { NULL };
	struct parcel parcel;
	struct id missing = { { 0 } };
	struct err e;

	for (size_t i = 0; i < n; i++)
		jobs[i] = v[i]->job;
	if (parcel_pack(&o, jobs, n, &parcel, &missing, &e) < 0) {
		/* One of several is at fault: each is tried by itself. */
		for (size_t i = 1; i < n; i++)
			pool_requeue(v[i]);
		if (n > 1)
			return pool_hand(k, v, 1);
		cannot_pack(v[0], &missing, &e);
		return false;
	}
	send_parcel(k, v, n, &parcel);
	parcel_release(&parcel);
	return true;
}

/* ---- calls */

static bool read_id(const char *s, struct id *out)
{
	return id_parse(bytes_str(s), out);
}

static void cas(struct pool *p, struct serve_call *c, const char *rest)
{
	struct id id;

	if (read_id(rest, &id))
		pool_cas(p, c, &id);
	else
		pool_say(c, 400, "no name of an object\n");
}

static void ac(struct pool *p, struct serve_call *c, const char *rest)
{
	struct id id;

	if (read_id(rest, &id))
		pool_ac(p, c, &id);
	else
		pool_say(c, 400, "no name of a thunk\n");
}

static const struct route {
	const char *method, *path;
	bool is_prefix;                 /* rest: what follows it */
	uint64_t max_bytes;             /* of a body; 0: of any size */
	void (*fn)(struct pool *p, struct serve_call *c, const char *rest);
} routes[] = {
	{ "GET", INVOCATION "next", false, 1, next },
	{ "POST", INVOCATION, true, POOL_ANSWER_MAX, pool_answered },
	{ "POST", "/gg/1/beat", false, POOL_JSON_MAX, beat },
	{ "POST", "/gg/1/hello", false, POOL_JSON_MAX, hello },
	{ "GET", "/cas/", true, 1, cas },
	{ "HEAD", "/cas/", true, 1, cas },
	{ "PUT", "/cas/", true, 0, cas },
	{ "GET", "/ac/", true, 1, ac },
	{ "HEAD", "/ac/", true, 1, ac },
};

static const struct route *route_of(const struct serve_call *c)
{
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		const struct route *r = &routes[i];

		if (strcmp(c->method, r->method) == 0 &&
		    (r->is_prefix ? bytes_start(bytes_str(c->path), r->path)
				  : strcmp(c->path, r->path) == 0))
			return r;
	}
	return NULL;
}

int pool_accepts(void *arg, const struct serve_call *c, uint64_t n_bytes)
{
	const struct route *r = route_of(c);

	(void)arg;
	if (!r)
		return strcmp(c->method, "PUT") == 0 ? 403 : 404;
	return r->max_bytes && n_bytes > r->max_bytes ? 413 : 0;
}

void pool_request_came(void *arg, struct serve_call *c)
{
	const struct route *r = route_of(c);

	/* Who did not say how much would come is told now. */
	if (r->max_bytes && c->n_bytes > r->max_bytes)
		pool_say(c, 413, "");
	else if (c->body_fd >= 0 && r->max_bytes == POOL_JSON_MAX)
		pool_say(c, 413, "");
	else
		r->fn(arg, c, c->path + (r->is_prefix ? strlen(r->path) : 0));
}

void pool_call_gone(void *arg, struct serve_call *c)
{
	struct pool_wait *k = c->data;
	struct pool_peer *w;

	(void)arg;
	if (!k)
		return;
	w = k->w;
	switch (k->kind) {
	case WAIT_NEXT:
		pool_wait_end(k);
		if (!w->waits && !w->beat)
			w->suspect_ms = loop_now_ms(w->p->b.loop);
		if (w->is_plain && !w->n_requests)
			pool_peer_free(w);
		break;
	case WAIT_BEAT:
		w->beat = NULL;
		w->suspect_ms = loop_now_ms(w->p->b.loop);
		free(k);
		break;
	case WAIT_OBJECT:
		pool_cas_gone(k);
		break;
	}
}
