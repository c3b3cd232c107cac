/* flight.c - one step on its way to a function and back */
#include "flight.h"

#include <stdlib.h>
#include <string.h>

/* Of an answer a quarter is base64, and it has a log too. */
static struct parcel_opts parcel_opts(const struct flights *in)
{
	return (struct parcel_opts){
		.store = in->o->store, .depot = in->o->depot, .root = in->o->project_root,
		.is_json = true, .max_bytes = in->max_bytes, .answer_bytes = in->max_bytes / 3 * 2,
	};
}

static void unlink_flight(struct flight *f)
{
	*f->at = f->next;
	if (f->next)
		f->next->at = f->at;
}

static void release(struct flight *f)
{
	parcel_release(&f->parcel);
	arena_release(&f->arena);
}

/* The depot may still be reading what it was asked to push. */
static void forget(struct flight *f)
{
	unlink_flight(f);
	loop_cancel(f->timer);
	f->is_dead = true;
	if (f->is_pushing)
		return;
	release(f);
	f->in->free(f);
}

static void end(struct flight *f, const struct run_report *r)
{
	struct run_report whole = *r;
	struct job *j = f->job;

	f->is_answered = true;
	f->in->ended(f, &whole);
	j->done(j, &whole);
}

void flight_fail(struct flight *f, enum run_status status, const char *text,
		 struct bytes log)
{
	const struct run_report r = { .status = status, .text = text, .log = log };

	end(f, &r);
	forget(f);
}

static void end_now(void *arg)
{
	struct flight *f = arg;

	f->timer = NULL;
	end(f, &f->end);
	forget(f);
}

/* From inside start() nobody may be told. */
static void end_soon(struct flight *f, enum run_status status, const char *text)
{
	f->state = FLIGHT_ENDING;
	f->end.status = status;
	f->end.text = arena_str(&f->arena, text);
	f->timer = loop_after(f->in->o->loop, 0, end_now, f);
}

/* ---- there */

static void on_pushed(struct depot_push *p, const struct err *e)
{
	struct flight *f = p->arg;
	struct err why;

	f->is_pushing = false;
	f->in->is_quiet = --f->in->n_pushing == 0;
	if (f->is_dead) {
		release(f);
		f->in->free(f);
		return;
	}
	if (f->state == FLIGHT_ENDING)
		return;
	if (e) {
		flight_fail(f, RUN_UNREACHABLE, e->text, (struct bytes){ "", 0 });
		return;
	}
	f->state = FLIGHT_SENT;
	if (f->in->send(f, &why) < 0)
		flight_fail(f, RUN_CELL_FAILED, why.text, (struct bytes){ "", 0 });
}

/* Functions somewhere else open neither our folders nor our own loopback. */
static bool is_reachable(const char *uri)
{
	const char *host = strstr(uri, "://"), *end;
	const char *endpoint = strstr(uri, "endpoint=");

	if (!host)
		return false;
	if (endpoint && strstr(endpoint, "://"))
		host = strstr(endpoint, "://");
	host += 3;
	end = host + strcspn(host, "/:?&,");
	return end == host || !http_host_is_local((struct bytes){ host, (size_t)(end - host) });
}

static int check_remotes(const struct flights *in, const struct flight *f, struct err *e)
{
	const char *const *uris = in->o->depot ? depot_uris(in->o->depot) : NULL;
	bool is_one = in->is_near && uris && *uris;

	for (; uris && *uris; uris++)
		is_one = is_one || is_reachable(*uris);
	return is_one ? 0 : err_set(e, ERR_REFUSED, "%llu bytes of inputs are too much for a "
		"request to %s (%llu), and no remote is named that functions can reach: give "
		"one with --remote s3://...", (unsigned long long)f->parcel.n_input_bytes,
		in->place, (unsigned long long)in->max_bytes);
}

static int pack(struct flights *in, struct flight *f, struct id *missing, struct err *e)
{
	const struct parcel_opts o = parcel_opts(in);

	if (parcel_pack(&o, &f->job, 1, &f->parcel, missing, e) == 0)
		return f->parcel.n_outside ? check_remotes(in, f, e) : 0;
	if (e->code != ERR_REFUSED || in->o->depot)
		return -1;
	err_wrap(e, "a request to %s takes %llu bytes, and no remote is named for more (--remote "
		 "s3://...)", in->place, (unsigned long long)in->max_bytes);
	return -1;
}

int flight_begin(struct flights *in, struct flight *f, struct job *j, struct err *e)
{
	struct id missing = { { 0 } };
	int rc;

	f->in = in;
	f->job = j;
	rc = pack(in, f, &missing, e);
	if (rc < 0 && e->code != ERR_MISSING) {
		release(f);
		return -1;
	}
	f->next = in->first;
	f->at = &in->first;
	if (f->next)
		f->next->at = &f->next;
	in->first = f;
	j->backend_data = f;
	if (rc < 0) {
		f->end.missing = missing;
		end_soon(f, RUN_LOST_INPUT, e->text);
		return 0;
	}
	if (f->parcel.n_outside) {
		f->state = FLIGHT_PUSHING;
		f->is_pushing = true;
		in->n_pushing++;
		f->push = (struct depot_push){
			.refs = f->parcel.outside, .n_refs = f->parcel.n_outside,
			.hint = { .is_passing = true, .n_readers = 1 },
			.done = on_pushed, .arg = f,
		};
		depot_push(in->o->depot, &f->push);
		return 0;
	}
	f->state = FLIGHT_SENT;
	if (in->send(f, e) == 0)
		return 0;
	unlink_flight(f);
	release(f);
	return -1;
}

/* ---- back */

static void on_step(void *arg, const struct id *reduced, const struct run_report *r)
{
	struct flight *f = arg;

	if (!f->is_answered && id_equal(reduced, &f->job->reduced))
		end(f, r);
}

void flight_answer(struct flight *f, struct bytes text)
{
	const struct parcel_opts o = parcel_opts(f->in);
	struct run_report r = { .status = RUN_LOST_WORKER };
	struct err e;

	err_set(&e, ERR_BAD, "the answer of %s is about another step", f->in->place);
	if (parcel_open(&o, text, on_step, f, &e) < 0) {
		r.status = e.code == ERR_IO ? RUN_CELL_FAILED : RUN_LOST_WORKER;
		err_wrap(&e, "the answer of %s", f->in->place);
	}
	if (!f->is_answered) {
		r.text = e.text;
		end(f, &r);
	}
	forget(f);
}

/* ---- an early end */

void flight_cancel(struct flight *f)
{
	if (f->state == FLIGHT_ENDING)
		return;
	if (f->state == FLIGHT_SENT)
		f->in->cut(f);
	end_soon(f, RUN_SIGNALED, "it was cancelled");
	f->end.code = 15;
}

void flights_close(struct flights *in)
{
	while (in->first) {
		if (in->first->state == FLIGHT_SENT)
			in->cut(in->first);
		forget(in->first);
	}
	in->is_quiet = in->n_pushing == 0;
	if (in->n_pushing)
		loop_run(in->o->loop, &in->is_quiet);
}
