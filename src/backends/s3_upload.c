/* s3_upload.c - a large object in parts side by side
 *
 * Begun, its parts put in any order, completed by the list of their ETags.
 * Whatever goes wrong in between, the upload is aborted before that is told, so
 * that no parts lie there to be paid for.
 */
#include <stdlib.h>
#include <string.h>
#include "s3.h"

struct part {
	struct upload *u;
	struct s3_request q;
	struct http_file from;
	unsigned number;                /* 1 is the first */
	bool is_busy;
};

struct upload {
	struct s3_job job;
	struct remote_call *c;          /* NULL: nobody waits any more */
	struct s3_request q;            /* all but parts */
	bool is_busy;                   /* q is under way */
	struct part parts[S3_ABREAST];
	struct arena arena;
	char *key;                      /* c may be gone while it is aborted */
	const char *query;              /* uploadId=..., once there is an upload */
	const char **tags;
	struct buf list;
	uint64_t n_bytes, part_bytes;
	unsigned n_parts, n_asked, n_put, n_tries;
	struct err err;
};

static void release(struct upload *u)
{
	s3_job_remove(&u->job);
	buf_release(&u->list);
	arena_release(&u->arena);
	free(u);
}

static void finish(struct upload *u, bool was_there, const struct err *e)
{
	struct remote_answer a = { .was_there = was_there, .n_tries = u->n_tries + u->q.n_tries };
	struct remote_call *c = u->c;
	struct err mine;

	if (e)
		mine = *e;
	release(u);
	if (c)
		c->done(c, &a, e ? &mine : NULL);
}

static void cancel_all(struct upload *u)
{
	if (u->is_busy)
		s3_cancel(&u->q);
	u->is_busy = false;
	for (size_t i = 0; i < S3_ABREAST; i++)
		if (u->parts[i].is_busy) {
			u->parts[i].is_busy = false;
			s3_cancel(&u->parts[i].q);
		}
}

static void ask(struct upload *u, const char *method, const char *query, struct bytes body,
		void (*done)(struct s3_request *q, const struct http_answer *a,
			     const struct err *e))
{
	u->is_busy = true;
	u->n_tries += u->q.n_tries;
	u->q = (struct s3_request){ .r = u->job.r, .method = method, .key = u->key,
				    .query = query, .body = body, .done = done, .arg = u };
	s3_begin(&u->q);
}

/* ---- giving it up */

static void aborted(struct s3_request *q, const struct http_answer *a, const struct err *e)
{
	struct upload *u = q->arg;

	(void)a;
	(void)e;                        /* the first error is what is told */
	finish(u, false, &u->err);
}

static void fail(struct upload *u, const struct err *e)
{
	u->err = *e;
	cancel_all(u);
	if (!u->query) {
		finish(u, false, &u->err);
		return;
	}
	ask(u, "DELETE", u->query, (struct bytes){ 0 }, aborted);
}

static void drop(struct s3_job *j)
{
	struct upload *u = (struct upload *)j;
	bool is_aborting = u->is_busy && u->q.done == aborted;

	u->c = NULL;
	if (j->r->is_closing) {
		cancel_all(u);
		release(u);
	} else if (!is_aborting) {
		err_set(&u->err, ERR_RETRY, "cancelled");
		fail(u, &u->err);
	}
}

/* ---- its end */

/* The answer to the first try was lost, and it had worked. */
static void looked(struct s3_request *q, const struct http_answer *a, const struct err *e)
{
	struct upload *u = q->arg;
	struct remote_answer there = { 0 };

	u->is_busy = false;
	if (!e)
		s3_answer_of(a, &there);
	if (!e && there.n_bytes == u->n_bytes)
		finish(u, false, NULL);
	else
		fail(u, &u->err);
}

static void completed(struct s3_request *q, const struct http_answer *a, const struct err *e)
{
	struct upload *u = q->arg;
	const char *code = e ? q->code : s3_xml_text(a->body, "Code", &u->arena);
	struct err mine;

	u->is_busy = false;
	/* The status is sent before the parts are put together. */
	if (!e && code)
		e = (err_set(&mine, s3_meaning_of(500, code)->err, "%s could not be put together "
			     "there: %.40s", u->c->key, aws_is_plain(code) ? code : ""), &mine);
	if (!e) {
		finish(u, false, NULL);
		return;
	}
	u->err = *e;
	if (q->n_tries > 1 && strcmp(q->code, "NoSuchUpload") == 0)
		ask(u, "HEAD", NULL, (struct bytes){ 0 }, looked);
	else
		fail(u, &u->err);
}

static void xml_text(const char *s, struct buf *out)
{
	for (; *s; s++) {
		if (*s == '&' || *s == '<' || *s == '>' || *s == '"')
			buf_printf(out, "&#%d;", *s);
		else
			buf_char(out, *s);
	}
}

static void complete(struct upload *u)
{
	buf_str(&u->list, "<CompleteMultipartUpload>");
	for (unsigned i = 0; i < u->n_parts; i++) {
		buf_printf(&u->list, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
		xml_text(u->tags[i], &u->list);
		buf_str(&u->list, "</ETag></Part>");
	}
	buf_str(&u->list, "</CompleteMultipartUpload>");
	ask(u, "POST", u->query, buf_bytes(&u->list), completed);
}

/* ---- its parts */

static void feed(struct upload *u);

static void part_put(struct s3_request *q, const struct http_answer *a, const struct err *e)
{
	struct part *p = q->arg;
	struct upload *u = p->u;
	const char *tag = http_header(a, "ETag");
	struct err mine;

	p->is_busy = false;
	u->n_tries += q->n_tries;
	if (!e && !tag)
		e = (err_set(&mine, ERR_BAD, "the server took a part of %s and gave it no ETag",
			     u->key), &mine);
	if (e) {
		mine = *e;
		fail(u, &mine);
		return;
	}
	u->tags[p->number - 1] = arena_str(&u->arena, tag);
	if (++u->n_put == u->n_parts)
		complete(u);
	else
		feed(u);
}

static void put_part(struct part *p, unsigned number)
{
	struct upload *u = p->u;
	const struct http_file *whole = u->c->from;
	uint64_t at = (uint64_t)(number - 1) * u->part_bytes;
	uint64_t left = u->n_bytes - at;
	uint64_t n = left < u->part_bytes ? left : u->part_bytes;

	p->is_busy = true;
	p->number = number;
	p->q = (struct s3_request){ .r = u->job.r, .method = "PUT", .key = u->key,
				    .query = arena_printf(&u->arena, "partNumber=%u&%s",
							  number, u->query),
				    .done = part_put, .arg = p };
	if (whole) {
		p->from = (struct http_file){ whole->fd, whole->offset + at, n };
		p->q.from = &p->from;
	} else {
		p->q.body = (struct bytes){ u->c->body.p + at, (size_t)n };
	}
	s3_begin(&p->q);
}

static void feed(struct upload *u)
{
	for (size_t i = 0; i < S3_ABREAST; i++)
		if (!u->parts[i].is_busy && u->n_asked < u->n_parts)
			put_part(&u->parts[i], ++u->n_asked);
}

/* ---- its beginning */

static void begun(struct s3_request *q, const struct http_answer *a, const struct err *e)
{
	struct upload *u = q->arg;
	const char *id = e ? NULL : s3_xml_text(a->body, "UploadId", &u->arena);
	struct buf encoded = { 0 };
	struct err mine;

	u->is_busy = false;
	if (!e && (!id || !*id))
		e = (err_set(&mine, ERR_BAD, "the server began an upload of %s and gave it no name",
			     u->key), &mine);
	if (e) {
		fail(u, e);
		return;
	}
	sigv4_encode(bytes_str(id), false, &encoded);
	u->query = arena_printf(&u->arena, "uploadId=%s", encoded.p);
	buf_release(&encoded);
	feed(u);
}

static void begin(struct upload *u)
{
	ask(u, "POST", "uploads=", (struct bytes){ 0 }, begun);
}

static void looked_first(struct s3_request *q, const struct http_answer *a, const struct err *e)
{
	struct upload *u = q->arg;

	(void)a;
	u->is_busy = false;
	if (!e)
		finish(u, true, NULL);
	else if (e->code == ERR_MISSING)
		begin(u);
	else
		fail(u, e);
}

void s3_upload(struct remote *r, struct remote_call *c)
{
	struct upload *u = memset(mem_alloc(sizeof *u), 0, sizeof *u);
	uint64_t least;

	u->c = c;
	u->key = arena_str(&u->arena, c->key);
	u->job.drop = drop;
	u->n_bytes = c->from ? c->from->n_bytes : c->body.n;
	least = u->n_bytes / S3_PARTS_MAX + 1;
	u->part_bytes = least > S3_PART_BYTES ? least : S3_PART_BYTES;
	u->n_parts = (unsigned)((u->n_bytes + u->part_bytes - 1) / u->part_bytes);
	u->tags = arena_alloc(&u->arena, u->n_parts * sizeof *u->tags);
	for (size_t i = 0; i < S3_ABREAST; i++)
		u->parts[i].u = u;
	c->remote_data = u;
	s3_job_add(r, &u->job);
	/* Not for If-None-Match: what is there need not be sent at all. */
	if (c->only_new)
		ask(u, "HEAD", NULL, (struct bytes){ 0 }, looked_first);
	else
		begin(u);
}
