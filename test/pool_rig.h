/* pool_rig.h - a pool, and workers of it that are told what to do
 *
 * Each test is a program of one file, so all of this may be static.
 */
#ifndef GG_POOL_RIG_H
#define GG_POOL_RIG_H

#include <fcntl.h>
#include <unistd.h>
#include "../src/backends/pool.h"
#include "file.h"
#include "http.h"
#include "message.h"
#include "test.h"

#define NEXT "/2018-06-01/runtime/invocation/next"

static struct loop *loop;
static struct http *http;
static struct store *store;
static struct pool *pool;
static struct ticket ticket;
static struct arena arena;
static struct err e;
static char dir[] = "/tmp/gg-pool-XXXXXX";
static char sock[64], objects[64];
static struct id host;

/* A job and how it ended. */
struct work {
	struct job job;
	int n_done;
	enum run_status status;
	int code;
	char text[300], place[80];
	struct id missing, value;
	double waited_s;
};

static inline void turn(int ms)
{
	for (int i = 0; i < ms * 4; i++) {
		loop_turn(loop);
		usleep(250);
	}
}

/* So long by the clock, however slow the machine is. */
static inline void turn_ms(uint64_t ms)
{
	for (uint64_t from = loop_now_ms(loop); loop_now_ms(loop) - from < ms; usleep(1000))
		loop_turn(loop);
}

/* Until it is true, a minute at most. */
#define UNTIL(cond) \
	do { \
		for (uint64_t from_ = loop_now_ms(loop); \
		     !(cond) && loop_now_ms(loop) - from_ < 60000;) { \
			loop_turn(loop); \
			usleep(200); \
		} \
		CHECK(cond); \
	} while (0)

static inline void work_done(struct job *j, const struct run_report *r)
{
	struct work *w = j->arg;

	w->n_done++;
	w->status = r->status;
	w->code = r->code;
	w->missing = r->missing;
	w->waited_s = r->waited_s;
	snprintf(w->text, sizeof w->text, "%s", r->text ? r->text : "");
	snprintf(w->place, sizeof w->place, "%s", r->place ? r->place : "");
	if (r->status == RUN_OK && r->result.n)
		w->value = r->result.v[0].ref.id;
}

/* A step with one output that reads these values or trees. */
static inline void make_work(struct work *w, const char *word, const struct ref *ins, size_t n)
{
	const char *args[] = { "work", word };
	struct output out = { "out", "out", false };
	struct thunk t = { .args = args, .n_args = 2, .out = &out, .n_out = 1,
			   .runtime_id = host };
	struct buf text = { 0 };

	t.in = arena_alloc(&arena, (n + 1) * sizeof *t.in);
	for (size_t i = 0; i < n; i++)
		t.in[t.n_in++] = (struct input){ arena_printf(&arena, "in%zu", i), ins[i] };
	thunk_sort(&t);
	MUST(thunk_encode(&t, &text, &e), e);
	*w = (struct work){ .job = { .text = arena_bytes(&arena, buf_bytes(&text)),
				     .host = bytes_str("a machine\n"), .needs = { 1, 0, 1 << 20 },
				     .done = work_done } };
	w->job.reduced = id_of(w->job.text);
	w->job.arg = w;
	buf_release(&text);
}

static inline void start(struct work *w, const char *word)
{
	make_work(w, word, NULL, 0);
	MUST(pool_start(pool, &w->job, &e), e);
}

/* ---- clients */

struct talk {
	bool is_done;
	int status;                     /* -1: no answer */
	char id[64];                    /* of a request */
	struct bytes body;              /* in arena */
	const char *headers[6];
	struct http_call *call;
};

static inline void talk_done(void *arg, const struct http_answer *a, const struct err *why)
{
	struct talk *t = arg;
	const char *id = http_header(a, "Lambda-Runtime-Aws-Request-Id");

	t->is_done = true;
	t->status = why ? -1 : a->status;
	t->body = arena_bytes(&arena, a->body);
	snprintf(t->id, sizeof t->id, "%s", id ? id : "");
}

static inline void ask(struct talk *t, const char *method, const char *path, const char *worker,
		       struct bytes body)
{
	struct http_request r = { .method = method, .body = body, .unix_path = sock,
				  .max_bytes = 64 << 20, .done = talk_done, .arg = t };

	*t = (struct talk){ .status = 0 };
	t->headers[0] = arena_printf(&arena, "Authorization: Bearer %s", ticket.token);
	if (worker)
		t->headers[1] = arena_printf(&arena, "Gg-Worker: %s", worker);
	r.headers = t->headers;
	r.url = arena_printf(&arena, "http://gg%s", path);
	MUST(http_start(http, &r, &t->call, &e), e);
}

static inline int talk(struct talk *t, const char *method, const char *path, const char *worker,
		       struct bytes body)
{
	ask(t, method, path, worker, body);
	UNTIL(t->is_done);
	return t->status;
}

/* What stands after KEY in a JSON text of ours, up to a quote. */
static inline const char *after(struct bytes json, const char *key)
{
	const char *s = strstr(arena_strn(&arena, json.p, json.n), key);

	return s ? arena_strn(&arena, s + strlen(key), strcspn(s + strlen(key), "\"")) : "";
}

/* The name that a worker got for this hello. */
static inline const char *hello(const char *json)
{
	struct talk t;

	CHECK(talk(&t, "POST", "/gg/1/hello", NULL, bytes_str(json)) == 200);
	return after(t.body, "\"worker\":\"");
}

static inline const char *hello_of(const char *name, int cpus, int slots)
{
	return hello(arena_printf(&arena, "{\"gg\":1,\"name\":\"%s\",\"host\":\"h\",\"cpus\":%d,"
				  "\"gpus\":0,\"mem\":8000000000,\"slots\":%d,\"closures\":[],"
				  "\"holds\":[]}", name, cpus, slots));
}

static inline const char *path_of(const struct talk *t, const char *verb)
{
	return arena_printf(&arena, "/2018-06-01/runtime/invocation/%s/%s", t->id, verb);
}

/* The answer to the request in t: each step gives "gave ARG", or whole lines. */
static inline struct bytes answer_to(const struct talk *t, const char *gives)
{
	struct message_request q;
	struct message_answer m = { .n_reports = 0 };
	struct message_report *reports;
	struct buf out = { 0 };
	struct bytes b;

	MUST(message_read_request(t->body, &arena, &q, &e), e);
	m.is_json = q.is_json;
	reports = arena_alloc(&arena, q.n_steps * sizeof *reports);
	for (size_t i = 0; i < q.n_steps; i++) {
		struct result_out *o = arena_alloc(&arena, sizeof *o);
		struct thunk th;
		struct bytes text;

		MUST(thunk_decode(q.steps[i].thunk, &arena, &th, &e), e);
		text = bytes_str(strchr(gives, 0)[-1] == '\n' ? gives :
				 arena_printf(&arena, "%s %s", gives, th.args[1]));
		*o = (struct result_out){ "out", { REF_VALUE, id_of(text), NULL } };
		message_objects_add(&m.objects, &o->ref.id, text);
		reports[i].step = id_of(q.steps[i].thunk);
		reports[i].report = (struct run_report){ .status = RUN_OK, .result = { o, 1 } };
	}
	m.reports = reports;
	m.n_reports = q.n_steps;
	message_put_answer(&m, &out);
	message_objects_release(&m.objects);
	message_objects_release(&q.objects);
	b = arena_bytes(&arena, buf_bytes(&out));
	buf_release(&out);
	return b;
}

static inline size_t steps_in(const struct talk *t)
{
	struct message_request q;
	size_t n;

	MUST(message_read_request(t->body, &arena, &q, &e), e);
	n = q.n_steps;
	message_objects_release(&q.objects);
	return n;
}

/* ---- all of it */

static int n_changed;

static inline void pool_changed(void *arg)
{
	(void)arg;
	n_changed++;
}

static struct id gave_too;              /* the last value that came too late */

static inline void pool_gave_too(void *arg, const struct id *reduced, const struct result *r,
				 const char *place)
{
	(void)arg;
	CHECK(!id_is_zero(reduced) && r->n == 1 && *place);
	gave_too = r->v[0].ref.id;
}

static inline void pool_begin(double lease_s, double beat_s)
{
	static struct backend_opts o;
	struct pool_opts po = { .name = "test", .unix_path = sock, .lease_s = lease_s,
				.beat_s = beat_s, .o = &o };

	o = (struct backend_opts){ .loop = loop, .store = store, .store_dir = dir,
				   .project_root = "/proj", .changed = pool_changed,
				   .gave_too = pool_gave_too };
	MUST(pool_open(&po, &pool, &e), e);
	pool_ticket(pool, &ticket);
}

static inline void pool_end_all(void)
{
	pool_close(pool);
	pool = NULL;
	turn(20);
}

static inline void rig_begin(void)
{
	if (!mkdtemp(dir))
		exit(1);
	snprintf(sock, sizeof sock, "%s/sock", dir);
	snprintf(objects, sizeof objects, "%s/objects", dir);
	MUST(loop_new(&loop, &e), e);
	MUST(http_new(&(struct http_opts){ .loop = loop }, &http, &e), e);
	MUST(store_open(dir, STORE_CREATE, &store, &e), e);
	MUST(store_put(store, bytes_str("a machine\n"), &host, &e), e);
}

static inline void rig_end(void)
{
	http_free(http);
	loop_free(loop);
	MUST(store_close(store, &e), e);
	arena_release(&arena);
	dir_remove(AT_FDCWD, dir, &e);
}

#endif
