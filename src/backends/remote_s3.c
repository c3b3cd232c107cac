/* remote_s3.c - objects in a bucket of S3, or of what speaks like it
 *
 * This file has the table and the calls that are one request; the others are
 * listed in s3.h.
 */
#include <stdlib.h>
#include <string.h>
#include "s3.h"
#include "when.h"

enum { GET_MAX = 16 << 20 };

/* ---- jobs */

void s3_job_add(struct remote *r, struct s3_job *j)
{
	j->r = r;
	j->next = r->jobs;
	j->at = &r->jobs;
	if (j->next)
		j->next->at = &j->next;
	r->jobs = j;
}

void s3_job_remove(struct s3_job *j)
{
	*j->at = j->next;
	if (j->next)
		j->next->at = j->at;
}

void s3_answer_of(const struct http_answer *a, struct remote_answer *out)
{
	const char *length = http_header(a, "Content-Length");
	const char *range = http_header(a, "Content-Range");
	const char *modified = http_header(a, "Last-Modified");

	range = range ? strchr(range, '/') : NULL;
	if (range && range[1] >= '0' && range[1] <= '9')
		length = range + 1;
	out->n_bytes = length ? strtoull(length, NULL, 10) : 0;
	if (modified)
		when_http(modified, &out->modified_s);
}

/* ---- calls of one request */

struct call {
	struct s3_job job;
	struct s3_request q;
	struct remote_call *c;
	bool is_looking;                /* a HEAD before a PUT */
	unsigned n_tries;               /* of requests before this one */
};

static void drop(struct s3_job *j)
{
	struct call *k = (struct call *)j;

	s3_cancel(&k->q);
	s3_job_remove(j);
	free(k);
}

static void finish(struct call *k, struct remote_answer *a, const struct err *e)
{
	struct remote_call *c = k->c;

	a->n_tries = k->n_tries + k->q.n_tries;
	s3_job_remove(&k->job);
	free(k);
	c->done(c, a, e);
}

static void put(struct call *k)
{
	static const char only_new[] = "If-None-Match: *";

	k->is_looking = false;
	k->n_tries += k->q.n_tries;
	k->q.method = "PUT";
	k->q.body = k->c->body;
	k->q.from = k->c->from;
	k->q.headers[0] = k->c->only_new && k->job.r->has_if_none_match != S3_NO ?
			  only_new : NULL;
	s3_begin(&k->q);
}

static void look_first(struct call *k)
{
	k->is_looking = true;
	k->n_tries += k->q.n_tries;
	k->q.method = "HEAD";
	k->q.body = (struct bytes){ 0 };
	k->q.from = NULL;
	k->q.headers[0] = NULL;
	s3_begin(&k->q);
}

/* Did a PUT with If-None-Match end in a way that says something of it? */
static bool learnt(struct call *k, const struct http_answer *a, const struct err *e)
{
	struct remote *r = k->job.r;
	bool lacks = a->status == 501 || strcmp(k->q.code, "NotImplemented") == 0;

	if (!k->q.headers[0])
		return false;
	if (lacks)
		r->has_if_none_match = S3_NO;
	else if (!e || a->status == 412)
		r->has_if_none_match = S3_YES;
	return lacks;
}

static void done_put(struct call *k, const struct http_answer *a, const struct err *e)
{
	struct remote_answer answer = { 0 };

	if (k->is_looking && e && e->code == ERR_MISSING) {
		put(k);
		return;
	}
	if (!k->is_looking && learnt(k, a, e)) {
		look_first(k);
		return;
	}
	answer.was_there = k->is_looking ? !e : a->status == 412;
	finish(k, &answer, a->status == 412 ? NULL : e);
}

static void done_get(struct call *k, const struct http_answer *a, const struct err *e)
{
	uint64_t max = k->c->max_bytes ? k->c->max_bytes : GET_MAX;
	struct remote_answer answer = { 0 };
	struct err large;

	if (a->status / 100 == 2)
		s3_answer_of(a, &answer);
	if (!e && k->c->verb == REMOTE_GET && !k->c->to && a->body.n > max) {
		err_set(&large, ERR_REFUSED, "%s is larger than %llu bytes", k->c->key,
			(unsigned long long)max);
		e = &large;
	}
	if (!e)
		answer.body = a->body;
	finish(k, &answer, e);
}

static void done_delete(struct call *k, const struct http_answer *a, const struct err *e)
{
	struct remote_answer answer = { 0 };

	(void)a;
	finish(k, &answer, e && e->code == ERR_MISSING ? NULL : e);
}

static const struct verb {
	const char *method;
	void (*done)(struct call *k, const struct http_answer *a, const struct err *e);
} verbs[] = {
	[REMOTE_HEAD] = { "HEAD", done_get },
	[REMOTE_GET] = { "GET", done_get },
	[REMOTE_PUT] = { "PUT", done_put },
	[REMOTE_DELETE] = { "DELETE", done_delete },
};

static void done(struct s3_request *q, const struct http_answer *a, const struct err *e)
{
	struct call *k = q->arg;

	verbs[k->c->verb].done(k, a, e);
}

static void one_request(struct remote *r, struct remote_call *c)
{
	struct call *k = memset(mem_alloc(sizeof *k), 0, sizeof *k);

	k->c = c;
	k->job.drop = drop;
	k->q = (struct s3_request){ .r = r, .method = verbs[c->verb].method, .key = c->key,
				    .done = done, .arg = k };
	c->remote_data = k;
	s3_job_add(r, &k->job);
	if (c->verb == REMOTE_PUT && c->only_new && r->has_if_none_match == S3_NO) {
		look_first(k);
		return;
	}
	if (c->verb == REMOTE_PUT) {
		put(k);
		return;
	}
	if (c->verb == REMOTE_GET) {
		k->q.to = c->to;
		k->q.max_bytes = c->max_bytes ? c->max_bytes : GET_MAX;
	}
	s3_begin(&k->q);
}

static int s3_start(struct remote *r, struct remote_call *c, struct err *e)
{
	uint64_t n = c->from ? c->from->n_bytes : c->body.n;

	if (!remote_key_is_good(c->key))
		return err_set(e, ERR_BAD, "s3://%s: no key of ours", r->place.bucket);
	if (c->verb == REMOTE_PUT && n > S3_WHOLE_BYTES)
		s3_upload(r, c);
	else if (c->verb == REMOTE_GET && c->to && c->to->n_bytes > S3_WHOLE_BYTES)
		s3_download(r, c);
	else
		one_request(r, c);
	return 0;
}

static void s3_stop(struct remote *r, struct remote_call *c)
{
	struct s3_job *j = c->remote_data;

	(void)r;
	j->drop(j);
}

/* ---- opening */

static void s3_close(struct remote *r)
{
	if (!r)
		return;
	r->is_closing = true;
	while (r->jobs)
		r->jobs->drop(r->jobs);
	aws_close(r->aws);
	free(r->unix_path);
	arena_release(&r->arena);
	free(r);
}

static int set_up(struct remote *r, const struct remote_opts *o, const char *uri,
		  struct err *e)
{
	struct aws_opts who = { .http = o->http, .setting = o->setting,
				.setting_arg = o->setting_arg };
	const char *region;

	if (s3_place_read(uri, &r->arena, &r->place, e) < 0)
		return -1;
	who.profile = r->place.profile;
	if (aws_open(&who, &r->aws, e) < 0)
		return err_wrap(e, "s3://%s", r->place.bucket);
	region = r->place.region ? r->place.region : aws_region(r->aws);
	region = arena_str(&r->arena, region ? region : "us-east-1");
	if (!*region || strspn(region, "abcdefghijklmnopqrstuvwxyz"
			       "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(region))
		return err_set(e, ERR_USAGE, "s3://%s: \"%.60s\" is no name of a region",
			       r->place.bucket, region);
	r->sign = (struct sigv4){ .region = region, .service = "s3", .flags = SIGV4_OF_S3 };
	return s3_address_of(&r->place, region, &r->arena, &r->address, e);
}

static int s3_open(const struct remote_opts *o, const char *uri, struct remote **out,
		   struct err *e)
{
	struct remote *r = memset(mem_alloc(sizeof *r), 0, sizeof *r);

	r->loop = o->loop;
	r->http = o->http;
	r->unix_path = o->unix_path ? mem_str(o->unix_path) : NULL;
	r->last = &r->first;
	r->window = r->slow_start_to = 32;
	r->seed = (uint64_t)(uintptr_t)r ^ (loop_now_ms(o->loop) << 20) ^ 0x9e3779b97f4a7c15;
	if (set_up(r, o, uri, e) < 0) {
		s3_close(r);
		return -1;
	}
	*out = r;
	return 0;
}

static struct remote_nature s3_nature(const struct remote *r)
{
	(void)r;
	return (struct remote_nature){ .small_bytes = 0 };
}

static const char *s3_uri(const struct remote *r)
{
	return r->place.uri;
}

const struct remote_ops remote_s3 = {
	.scheme = "s3",
	.help = "s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&style=path|virtual&profile=NAME]",
	.needs_http = true,
	.open = s3_open,
	.close = s3_close,
	.start = s3_start,
	.cancel = s3_stop,
	.list = s3_list,
	.nature = s3_nature,
	.uri = s3_uri,
	.check = s3_check,
	.halves = s3_halves,
};
