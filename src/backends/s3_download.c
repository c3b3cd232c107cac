/* s3_download.c - a large object into a file, in parts side by side
 *
 * The first part's answer says how large the object is; the others follow, a
 * few at a time, each to its own place in the file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "s3.h"

struct part {
	struct download *d;
	struct s3_request q;
	struct http_file to;
	char range[64];
	bool is_busy;
};

struct download {
	struct s3_job job;
	struct remote_call *c;
	struct part parts[S3_ABREAST];
	struct remote_answer answer;    /* n_bytes: of the whole, once known */
	bool is_known;
	uint64_t asked_bytes, got_bytes;
	unsigned n_tries;
};

static void cancel_parts(struct download *d)
{
	for (size_t i = 0; i < S3_ABREAST; i++)
		if (d->parts[i].is_busy)
			s3_cancel(&d->parts[i].q);
}

static void drop(struct s3_job *j)
{
	struct download *d = (struct download *)j;

	cancel_parts(d);
	s3_job_remove(j);
	free(d);
}

static void finish(struct download *d, const struct err *e)
{
	struct remote_call *c = d->c;
	struct remote_answer a = d->answer;

	cancel_parts(d);
	s3_job_remove(&d->job);
	a.n_tries = d->n_tries;
	free(d);
	c->done(c, &a, e);
}

static void part_done(struct s3_request *q, const struct http_answer *a, const struct err *e);

static void ask(struct part *p, uint64_t n)
{
	struct download *d = p->d;
	const struct http_file *whole = d->c->to;

	p->is_busy = true;
	p->to = (struct http_file){ whole->fd, whole->offset + d->asked_bytes, n };
	snprintf(p->range, sizeof p->range, "Range: bytes=%llu-%llu",
		 (unsigned long long)d->asked_bytes,
		 (unsigned long long)(d->asked_bytes + n - 1));
	p->q = (struct s3_request){ .r = d->job.r, .method = "GET", .key = d->c->key,
				    .headers = { p->range }, .to = &p->to, .done = part_done,
				    .arg = p };
	d->asked_bytes += n;
	s3_begin(&p->q);
}

static void feed(struct download *d)
{
	for (size_t i = 0; i < S3_ABREAST; i++) {
		uint64_t left = d->answer.n_bytes - d->asked_bytes;

		if (left && !d->parts[i].is_busy)
			ask(&d->parts[i], left < S3_PART_BYTES ? left : S3_PART_BYTES);
	}
}

static int learn_size(struct download *d, const struct http_answer *a, struct err *e)
{
	s3_answer_of(a, &d->answer);
	d->is_known = true;
	if (d->answer.n_bytes > d->c->to->n_bytes)
		return err_set(e, ERR_REFUSED, "%s has %llu bytes, and there is room for %llu",
			       d->c->key, (unsigned long long)d->answer.n_bytes,
			       (unsigned long long)d->c->to->n_bytes);
	/* The last of the first part may be nearer than was asked for. */
	if (d->asked_bytes > d->answer.n_bytes)
		d->asked_bytes = d->answer.n_bytes;
	return 0;
}

static void part_done(struct s3_request *q, const struct http_answer *a, const struct err *e)
{
	struct part *p = q->arg;
	struct download *d = p->d;
	struct err mine;

	p->is_busy = false;
	d->n_tries += q->n_tries;
	/* An empty object has no first byte to give. */
	if (e && a->status == 416 && !d->is_known) {
		finish(d, NULL);
		return;
	}
	if (!e && !d->is_known && learn_size(d, a, &mine) < 0)
		e = &mine;
	/* A server that knows no ranges sends all, or what fits in a part. */
	if (!e && a->status == 200 && a->n_bytes != d->answer.n_bytes)
		e = (err_set(&mine, ERR_BAD, "the server sends whole objects only, and %s is too "
			     "large for that", d->c->key), &mine);
	if (!e && a->status == 206 && a->n_bytes != p->to.n_bytes &&
	    a->n_bytes != d->answer.n_bytes)
		e = (err_set(&mine, ERR_RETRY, "a part of %s came with another length than was "
			     "asked for", d->c->key), &mine);
	if (e) {
		finish(d, e);
		return;
	}
	d->got_bytes += a->n_bytes;
	if (d->got_bytes >= d->answer.n_bytes)
		finish(d, NULL);
	else
		feed(d);
}

void s3_download(struct remote *r, struct remote_call *c)
{
	struct download *d = memset(mem_alloc(sizeof *d), 0, sizeof *d);

	d->c = c;
	d->job.drop = drop;
	for (size_t i = 0; i < S3_ABREAST; i++)
		d->parts[i].d = d;
	c->remote_data = d;
	s3_job_add(r, &d->job);
	ask(&d->parts[0], S3_PART_BYTES);
}
