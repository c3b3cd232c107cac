/* worker_whisk.c - steps by the action protocol of OpenWhisk: POST /init, POST /run
 *
 * The invoker starts a container and speaks plain HTTP to it.  The protocol has no
 * place for a token: the network between the two is the wall.  /init brings the
 * action's code, of which a worker needs none.  After each run a line on both
 * outputs says where its log ends; printing it is for whoever started us.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "serve.h"
#include "worker_private.h"

enum { BODY_MAX = 64 << 20 };

/* What is left of the time until the invoker stops listening, for the answer. */
#define ANSWER_S 0.5

struct whisk {
	struct worker *w;
	const struct whisk_opts *o;
	struct serve *serve;
	struct visit *visits;           /* runs on their way */
	bool has_init, wakes;
};

struct visit {
	struct whisk *k;
	struct serve_call *http;        /* NULL: nobody listens any more */
	struct worker_call call;
	struct buf request;
	struct visit *next, **at;
};

static void visit_free(struct visit *v)
{
	*v->at = v->next;
	if (v->next)
		v->next->at = v->at;
	buf_release(&v->request);
	free(v);
}

/* ---- answers */

static void say(struct serve_call *c, int status, struct bytes json)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };

	serve_answer(c, &(struct serve_answer){ .status = status, .headers = headers,
						.body = json });
}

static int add_text(const char *p, size_t n, void *arg)
{
	buf_add(arg, p, n);
	return 0;
}

static void say_error(struct serve_call *c, int status, const char *text)
{
	json_t *o = json_pack("{s:o}", "error", json_stringn_nocheck(text, strlen(text)));
	struct buf b = { 0 };

	if (!o || json_dump_callback(o, add_text, &b, JSON_COMPACT | JSON_ENSURE_ASCII) < 0)
		buf_str(&b, "{\"error\":\"gg worker\"}");
	say(c, status, buf_bytes(&b));
	buf_release(&b);
	json_decref(o);
}

static void on_done(struct worker_call *call, struct bytes answer)
{
	struct visit *v = call->arg;
	struct whisk *k = v->k;

	if (k->o->ran)
		k->o->ran(k->o->arg);
	if (v->http && answer.n && answer.p[0] == '{')
		say(v->http, 200, answer);
	else if (v->http)
		say_error(v->http, 502, "the request was not in JSON, so that its answer "
			  "cannot be");
	visit_free(v);
	k->wakes = true;
}

/* ---- requests */

static double seconds_left(const json_t *said)
{
	const char *deadline = json_string_value(json_object_get(said, "deadline"));
	double ms = deadline ? strtod(deadline, NULL) : 0, left;
	struct timespec now;

	if (!(ms > 0))
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	left = ms / 1000 - ((double)now.tv_sec + (double)now.tv_nsec / 1e9) - ANSWER_S;
	return left > 0.1 ? left : 0.1;
}

static void begin_run(struct whisk *k, struct serve_call *c, const json_t *said)
{
	const json_t *value = json_object_get(said, "value");
	struct visit *v = memset(mem_alloc(sizeof *v), 0, sizeof *v);
	struct err e;

	v->k = k;
	v->http = c;
	v->at = &k->visits;
	v->next = k->visits;
	if (v->next)
		v->next->at = &v->next;
	k->visits = v;
	if (!json_is_object(value) ||
	    json_dump_callback(value, add_text, &v->request, JSON_COMPACT) < 0) {
		say_error(c, 502, "a run without a value, which is to be a request of gg");
		visit_free(v);
		return;
	}
	v->call = (struct worker_call){ .request = buf_bytes(&v->request), .done = on_done,
					.limit_s = seconds_left(said), .arg = v };
	if (worker_begin(k->w, &v->call, &e) < 0) {
		say_error(c, 502, e.text);
		visit_free(v);
		return;
	}
	c->data = v;
}

static void run(struct whisk *k, struct serve_call *c)
{
	json_t *said = json_loadb(c->body.p, c->body.n, 0, NULL);

	if (k->o->stop->is_wanted)
		say_error(c, 503, "this worker was asked to end");
	else
		begin_run(k, c, said);
	json_decref(said);
}

static void init(struct whisk *k, struct serve_call *c)
{
	if (k->has_init)
		say_error(c, 403, "Cannot initialize the action more than once.");
	else
		say(c, 200, bytes_str("{\"ok\":true}"));
	k->has_init = true;
}

static const struct route {
	const char *path;
	void (*fn)(struct whisk *k, struct serve_call *c);
} routes[] = { { "/init", init }, { "/run", run } };

static void came(void *arg, struct serve_call *c)
{
	if (strcmp(c->method, "POST") != 0) {
		say_error(c, 405, "POST /init and POST /run are all there is");
		return;
	}
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
		if (strcmp(c->path, routes[i].path) == 0) {
			routes[i].fn(arg, c);
			return;
		}
	say_error(c, 404, "POST /init and POST /run are all there is");
}

static void gone(void *arg, struct serve_call *c)
{
	struct whisk *k = arg;
	struct visit *v = c->data;

	if (!v)
		return;
	v->http = NULL;
	worker_cancel(k->w, &v->call);
}

/* ---- the whole */

int worker_serve_whisk(struct worker *w, const struct whisk_opts *o, struct err *e)
{
	struct whisk k = { .w = w, .o = o };
	struct worker_stop *stop = o->stop;
	struct serve_opts so = { .loop = w->o.loop, .address = o->address, .is_open = true,
				 .memory_bytes = BODY_MAX, .max_bytes = BODY_MAX,
				 .request = came, .gone = gone, .arg = &k };

	if (serve_open(&so, &k.serve, e) < 0)
		return -1;
	w->stop = stop;
	stop->wait_is_over = &k.wakes;
	while (!stop->is_urgent && !(stop->is_wanted && !k.visits)) {
		loop_run(w->o.loop, &k.wakes);
		k.wakes = false;
		worker_tend(w);
	}
	stop->wait_is_over = NULL;
	w->stop = NULL;
	serve_close(k.serve);
	worker_abandon(w);
	while (k.visits)
		visit_free(k.visits);
	return 0;
}
