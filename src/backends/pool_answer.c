/* pool_answer.c - what workers answer: steps end, or go to another worker
 *
 * Nothing that comes is believed before it was checked: that the request is
 * the caller's, that objects have their names, that a step gives the outputs
 * that it declares.
 */
#include "pool_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "exec.h"
#include "parcel.h"

enum { BAD_ANSWERS_MAX = 3, ELSEWHERE_MAX = 8 };

/* Taking one answer: r is out of all lists, steps end one by one. */
struct taking {
	struct pool *p;
	struct pool_request *r;
	const char *place;
	struct pool_peer *w;            /* who says it; NULL: nobody known */
	unsigned n_elsewhere;
};

/* Does the answer give what the step declares?  Workers may lie. */
static bool is_whole(const struct pool_given *g, const struct run_report *r)
{
	struct arena a = { 0 };
	struct thunk t;
	struct err ignored;
	bool is = thunk_decode(g->text, &a, &t, &ignored) == 0 && t.n_out == r->result.n;

	for (size_t i = 0; is && i < t.n_out; i++)
		is = strcmp(t.out[i].name, r->result.v[i].name) == 0 &&
			t.out[i].is_dir == (r->result.v[i].ref.kind == REF_TREE);
	arena_release(&a);
	return is;
}

/* Thunks that it returned instead of a value become what its result names. */
static int follow(struct pool *p, const struct pool_given *g, struct ref *ref, struct arena *a,
		  struct err *e)
{
	const struct hints h = { .cpus = g->needs.cpus, .gpus = g->needs.gpus,
				 .mem_bytes = g->needs.mem_bytes,
				 .disk_bytes = g->needs.disk_bytes, .is_watched = g->is_watched };

	/* What rests elsewhere is large, and tails are not. */
	if (ref->kind == REF_TREE || (p->b.depot && !store_has(p->b.store, &ref->id)))
		return 0;
	return tail_follow(p->b.store, ref, &h, a, e);
}

/* Nobody waits for it any more, but it is true all the same: unless somebody else
 * was faster, with other bytes perhaps. */
static void keep_result(struct taking *t, const struct pool_given *g, const struct run_report *r)
{
	struct pool *p = t->p;
	struct store *s = p->b.store;
	struct arena a = { 0 };
	struct result known, kept = { arena_alloc(&a, (r->result.n + 1) * sizeof *kept.v),
				      r->result.n };
	struct err e;
	bool is_good = r->status == RUN_OK && is_whole(g, r);
	bool is_known = is_good && store_get_result(s, &g->reduced, &a, &known, &e) == 0;
	int rc = is_good && !is_known ? 0 : -1;

	if (is_known && p->b.gave_too)
		p->b.gave_too(p->b.changed_arg, &g->reduced, &r->result, t->place);

	for (size_t i = 0; rc == 0 && i < kept.n; i++) {
		kept.v[i] = r->result.v[i];
		rc = follow(p, g, &kept.v[i].ref, &a, &e);
	}
	/* What cannot be kept is made again. */
	if (rc == 0)
		(void)store_put_result(s, &g->reduced, &kept, &e);
	arena_release(&a);
}

/* Steps that this worker cannot begin may be for others. */
static bool goes_elsewhere(struct taking *t, struct pool_given *g, const struct run_report *r)
{
	struct pool_step *s = g->s;

	if (r->status == RUN_NOT_STARTED) {
		if (!t->w || !pool_cannot(t->w, s) || !pool_can_somebody(s))
			return false;
	} else if (r->status != RUN_THROTTLED || s->n_elsewhere == ELSEWHERE_MAX) {
		return false;
	}
	s->n_elsewhere++;
	s->r = NULL;
	g->s = NULL;
	t->r->n_live--;
	t->n_elsewhere++;
	pool_requeue(s);
	return true;
}

static void end_step(struct taking *t, struct pool_given *g, const struct run_report *r)
{
	struct run_report told = *r;
	struct job *j = g->s->job;

	if (goes_elsewhere(t, g, r))
		return;
	told.place = t->place;
	told.waited_s = g->waited_s;
	told.dollars = 0;
	if (r->status == RUN_OK && !is_whole(g, r)) {
		told.status = RUN_CELL_FAILED;
		told.text = "the worker's answer does not give the outputs that the step declares";
	}
	pool_step_free(g->s);
	g->s = NULL;
	t->r->n_live--;
	j->done(j, &told);
}

static void each_answer(void *arg, const struct id *reduced, const struct run_report *r)
{
	struct taking *t = arg;

	for (size_t i = 0; i < t->r->n; i++) {
		struct pool_given *g = &t->r->v[i];

		if (g->is_answered || !id_equal(&g->reduced, reduced))
			continue;
		g->is_answered = true;
		if (g->s)
			end_step(t, g, r);
		else
			keep_result(t, g, r);
		return;
	}
}

static void end_others(struct taking *t, enum run_status how, const char *text)
{
	struct run_report r = { .status = how, .text = text };

	for (size_t i = 0; i < t->r->n; i++)
		if (t->r->v[i].s)
			end_step(t, &t->r->v[i], &r);
}

/* The whole body, wherever it rests; *map is to be unmapped. */
static struct bytes whole_body(const struct serve_call *c, void **map)
{
	*map = NULL;
	if (c->body_fd < 0)
		return c->body;
	*map = mmap(NULL, (size_t)c->n_bytes, PROT_READ, MAP_PRIVATE, c->body_fd, 0);
	if (*map == MAP_FAILED) {
		*map = NULL;
		return (struct bytes){ "", 0 };
	}
	return (struct bytes){ *map, (size_t)c->n_bytes };
}

static int take_answer(struct taking *t, struct serve_call *c, struct err *e)
{
	struct pool *p = t->p;
	struct parcel_opts o = { .store = p->b.store, .depot = p->b.depot };
	void *map;
	struct bytes body = whole_body(c, &map);
	int rc = parcel_open(&o, body, each_answer, t, e);

	if (map)
		munmap(map, (size_t)c->n_bytes);
	if (rc < 0) {
		struct err why = *e;

		err_wrap(&why, "worker %s gave no answer that can be taken", t->place);
		end_others(t, RUN_CELL_FAILED, why.text);
	} else {
		end_others(t, RUN_CELL_FAILED, "the worker's answer leaves this step out");
	}
	return rc;
}

static void take_error(struct taking *t, struct serve_call *c)
{
	struct arena a = { 0 };
	const char *said = pool_read_error(c->body, &a);

	end_others(t, RUN_CELL_FAILED, arena_printf(&a, "worker %s: %s", t->place, said));
	arena_release(&a);
}

/* The request that the call is about, if it is the caller's, taken out of all
 * lists; else the call is answered. */
static struct pool_request *take_request(struct pool *p, struct serve_call *c, const char *id,
					 size_t n)
{
	struct pool_request *r = map_get(&p->requests, (struct bytes){ id, n });
	const char *worker = serve_header(c, "Gg-Worker");
	bool is_his = r && (r->w && r->w->is_plain ? !worker :
			    worker && strcmp(worker, r->worker) == 0);

	if (r && !r->w && !worker)      /* a late one of a plain client */
		is_his = true;
	if (!is_his) {
		pool_say(c, 404, "there is no such request of this worker\n");
		return NULL;
	}
	if (!r->w)
		pool_late_drop(p, r);
	else
		pool_request_detach(r);
	map_drop(&p->requests, bytes_str(r->id));
	return r;
}

/* A worker that answers nonsense again and again gets no more work. */
static void judge(struct pool *p, struct serve_call *c, bool is_bad)
{
	struct pool_peer *w = pool_peer_of(p, c);

	if (!w)
		return;
	pool_heard(w);
	w->n_bad = is_bad ? w->n_bad + 1 : 0;
	if (w->n_bad >= BAD_ANSWERS_MAX)
		pool_peer_retire(w);
}

void pool_answered(struct pool *p, struct serve_call *c, const char *rest)
{
	const char *verb = strchr(rest, '/');
	bool is_error = verb && strcmp(verb, "/error") == 0;
	struct taking t = { .p = p };
	struct pool_peer *w;
	struct arena a = { 0 };
	struct err e;
	int rc = 0;

	if (!verb || (!is_error && strcmp(verb, "/response") != 0)) {
		pool_say(c, 404, "");
		return;
	}
	w = pool_peer_of(p, c);
	t.w = w;
	t.place = arena_str(&a, w ? w->name : "of before");
	t.r = take_request(p, c, rest, (size_t)(verb - rest));
	if (t.r) {
		if (is_error)
			take_error(&t, c);
		else
			rc = take_answer(&t, c, &e);
		pool_request_free(t.r);
		judge(p, c, rc < 0);
		pool_say(c, rc < 0 ? 400 : 202, rc < 0 ? arena_printf(&a, "%s\n", e.text) :
			 "{\"status\":\"OK\"}\n");
		/* There is room now for what did not fit. */
		w = pool_peer_of(p, c);
		while (w && w->waits && p->n_queued && pool_feed(p, w->waits))
			;
		if (t.n_elsewhere)
			pool_feed_all(p);
	}
	arena_release(&a);
}
