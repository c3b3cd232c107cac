/* frame.c - frames between a cell and the process that feeds it
 *
 * Reading goes through one cursor that remembers whether it ever ran over the
 * end, so that a lying peer costs one check per frame and can harm nothing.
 */
#include "cell.h"

#include <string.h>

enum { HEAD_BYTES = 8 };

struct cursor {
	struct bytes left;
	bool is_over;
};

static void take(struct cursor *c, void *p, size_t n)
{
	if (n > c->left.n) {
		c->is_over = true;
		memset(p, 0, n);
		return;
	}
	memcpy(p, c->left.p, n);
	c->left.p += n;
	c->left.n -= n;
}

static uint32_t take_u32(struct cursor *c)
{
	uint32_t n;

	take(c, &n, sizeof n);
	return n;
}

static struct bytes take_bytes(struct cursor *c)
{
	size_t n = take_u32(c);
	struct bytes b = { c->left.p, n };

	if (n > c->left.n) {
		c->is_over = true;
		return (struct bytes){ "", 0 };
	}
	c->left.p += n;
	c->left.n -= n;
	return b;
}

static const char *take_str(struct cursor *c, struct arena *a)
{
	struct bytes b = take_bytes(c);

	if (b.n && memchr(b.p, '\0', b.n))
		c->is_over = true;
	return arena_strn(a, b.p, b.n);
}

static int bad(struct err *e)
{
	return err_set(e, ERR_BAD, "a cell and its feeder disagree about a frame");
}

static void add_u32(struct buf *b, size_t n)
{
	uint32_t u = (uint32_t)n;

	buf_add(b, &u, sizeof u);
}

static void add_bytes(struct buf *b, struct bytes v)
{
	add_u32(b, v.n);
	buf_add(b, v.p, v.n);
}

static void add_str(struct buf *b, const char *s)
{
	add_bytes(b, bytes_str(s ? s : ""));
}

int frame_next(struct bytes *b, struct frame *out, struct err *e)
{
	uint32_t head[2];

	if (b->n < HEAD_BYTES)
		return 0;
	memcpy(head, b->p, HEAD_BYTES);
	if (head[0] > FRAME_MAX || head[1] < FRAME_HELLO || head[1] > FRAME_DONE)
		return bad(e);
	if (b->n - HEAD_BYTES < head[0])
		return 0;
	out->kind = (enum frame_kind)head[1];
	out->body = (struct bytes){ b->p + HEAD_BYTES, head[0] };
	b->p += HEAD_BYTES + head[0];
	b->n -= HEAD_BYTES + head[0];
	return 1;
}

size_t frame_begin(struct buf *b, enum frame_kind kind)
{
	size_t begun = b->n;

	add_u32(b, 0);
	add_u32(b, (size_t)kind);
	return begun;
}

void frame_end(struct buf *b, size_t begun)
{
	uint32_t n = (uint32_t)(b->n - begun - HEAD_BYTES);

	memcpy(b->p + begun, &n, sizeof n);
}

void frame_object(struct buf *b, const struct id *id, struct bytes object)
{
	size_t at = frame_begin(b, FRAME_OBJECT);

	buf_add(b, id->b, ID_BYTES);
	buf_add(b, object.p, object.n);
	frame_end(b, at);
}

void frame_id(struct buf *b, enum frame_kind kind, const struct id *id)
{
	size_t at = frame_begin(b, kind);

	buf_add(b, id->b, ID_BYTES);
	frame_end(b, at);
}

void frame_hello(struct buf *b, unsigned walls, const char *why)
{
	size_t at = frame_begin(b, FRAME_HELLO);

	add_u32(b, walls);
	buf_str(b, why);
	frame_end(b, at);
}

void frame_request(struct buf *b, const struct request *r)
{
	size_t at = frame_begin(b, FRAME_REQUEST);

	buf_add(b, &r->timeout_s, sizeof r->timeout_s);
	add_u32(b, r->is_watched);
	add_bytes(b, r->text);
	add_bytes(b, r->host);
	add_u32(b, r->n_objects);
	for (size_t i = 0; i < r->n_objects; i++) {
		buf_add(b, r->objects[i].id.b, ID_BYTES);
		add_bytes(b, r->objects[i].bytes);
	}
	buf_add(b, &r->stop_s, sizeof r->stop_s);
	add_str(b, r->checkpoint);
	add_str(b, r->gpus);
	frame_end(b, at);
}

int frame_read_request(struct bytes body, struct arena *a, struct request *out,
		       struct err *e)
{
	struct cursor c = { .left = body };
	struct request r = { 0 };

	take(&c, &r.timeout_s, sizeof r.timeout_s);
	r.is_watched = take_u32(&c) != 0;
	r.text = take_bytes(&c);
	r.host = take_bytes(&c);
	r.n_objects = take_u32(&c);
	if (c.is_over || r.n_objects > c.left.n / ID_BYTES)
		return bad(e);
	r.objects = arena_alloc(a, (r.n_objects + 1) * sizeof *r.objects);
	for (size_t i = 0; i < r.n_objects; i++) {
		take(&c, r.objects[i].id.b, ID_BYTES);
		r.objects[i].bytes = take_bytes(&c);
	}
	take(&c, &r.stop_s, sizeof r.stop_s);
	r.checkpoint = take_str(&c, a);
	if (!*r.checkpoint)
		r.checkpoint = NULL;
	r.gpus = take_str(&c, a);
	if (c.is_over || c.left.n || !(r.timeout_s >= 0) || !(r.stop_s >= 0))
		return bad(e);
	*out = r;
	return 0;
}

static void add_ref(struct buf *b, const struct result_out *o)
{
	add_u32(b, o->ref.kind);
	buf_add(b, o->ref.id.b, ID_BYTES);
	add_str(b, o->ref.out);
	add_str(b, o->name);
}

void frame_done(struct buf *b, const struct run_report *r)
{
	size_t at = frame_begin(b, FRAME_DONE);

	add_u32(b, r->status);
	add_u32(b, (size_t)r->code);
	buf_add(b, &r->seconds, sizeof r->seconds);
	buf_add(b, &r->cpu_seconds, sizeof r->cpu_seconds);
	buf_add(b, &r->max_rss_bytes, sizeof r->max_rss_bytes);
	buf_add(b, &r->log_dropped_bytes, sizeof r->log_dropped_bytes);
	buf_add(b, r->missing.b, ID_BYTES);
	add_bytes(b, r->log);
	add_str(b, r->text);
	add_str(b, r->undeclared);
	add_u32(b, r->is_blamed);
	add_u32(b, r->result.n);
	for (size_t i = 0; i < r->result.n; i++)
		add_ref(b, &r->result.v[i]);
	frame_end(b, at);
}

static void take_ref(struct cursor *c, struct arena *a, struct result_out *o)
{
	uint32_t kind = take_u32(c);

	if (kind > REF_THUNK)
		c->is_over = true;
	o->ref.kind = (enum ref_kind)kind;
	take(c, o->ref.id.b, ID_BYTES);
	o->ref.out = take_str(c, a);
	if (kind != REF_THUNK)
		o->ref.out = NULL;
	o->name = take_str(c, a);
}

int frame_read_done(struct bytes body, struct arena *a, struct run_report *out,
		    struct err *e)
{
	struct cursor c = { .left = body };
	struct run_report r = { 0 };
	uint32_t status = take_u32(&c);

	r.status = (enum run_status)status;
	r.code = (int)take_u32(&c);
	take(&c, &r.seconds, sizeof r.seconds);
	take(&c, &r.cpu_seconds, sizeof r.cpu_seconds);
	take(&c, &r.max_rss_bytes, sizeof r.max_rss_bytes);
	take(&c, &r.log_dropped_bytes, sizeof r.log_dropped_bytes);
	take(&c, r.missing.b, ID_BYTES);
	r.log = take_bytes(&c);
	r.text = take_str(&c, a);
	r.undeclared = take_str(&c, a);
	if (!*r.undeclared)
		r.undeclared = NULL;
	r.is_blamed = take_u32(&c) != 0;
	r.result.n = take_u32(&c);
	if (c.is_over || status >= RUN_STATUS_COUNT ||
	    r.result.n > c.left.n / ID_BYTES)
		return bad(e);
	r.result.v = arena_alloc(a, (r.result.n + 1) * sizeof *r.result.v);
	for (size_t i = 0; i < r.result.n; i++)
		take_ref(&c, a, &r.result.v[i]);
	if (c.is_over || c.left.n)
		return bad(e);
	*out = r;
	return 0;
}

int frame_read_object(struct bytes body, struct object *out, struct err *e)
{
	if (body.n < ID_BYTES)
		return bad(e);
	memcpy(out->id.b, body.p, ID_BYTES);
	out->bytes = (struct bytes){ body.p + ID_BYTES, body.n - ID_BYTES };
	return 0;
}

int frame_read_hello(struct bytes body, unsigned *walls, struct bytes *why,
		     struct err *e)
{
	struct cursor c = { .left = body };

	*walls = take_u32(&c);
	*why = c.left;
	return c.is_over ? bad(e) : 0;
}

void frame_log(struct buf *b, uint64_t at, struct bytes text)
{
	size_t begun = frame_begin(b, FRAME_LOG);

	buf_add(b, &at, sizeof at);
	buf_add(b, text.p, text.n);
	frame_end(b, begun);
}

int frame_read_log(struct bytes body, uint64_t *at, struct bytes *text, struct err *e)
{
	struct cursor c = { .left = body };

	take(&c, at, sizeof *at);
	*text = c.left;
	return c.is_over ? bad(e) : 0;
}
