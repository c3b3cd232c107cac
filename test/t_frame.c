/* Frames come through as they were sent, and lies are refused. */
#include "../src/exec/cell.h"
#include "test.h"

static struct arena arena;
static struct err e;

static struct run_report sample(void)
{
	static struct result_out outs[2] = {
		{ "a b", { REF_EXEC, { { 1, 2 } }, NULL } },
		{ "t", { REF_TREE, { { 3 } }, NULL } },
	};
	struct run_report r = { .status = RUN_EXITED, .code = 3, .seconds = 1.5,
				.cpu_seconds = 0.25, .max_rss_bytes = 1 << 20,
				.log_dropped_bytes = 9, .text = "why", .undeclared = "data/x",
				.log = { "x\0y", 3 }, .result = { outs, 2 } };

	r.missing.b[5] = 6;
	return r;
}

static struct frame only(const struct buf *b)
{
	struct bytes left = buf_bytes(b);
	struct frame f = { .kind = 0 };

	CHECK(frame_next(&left, &f, &e) == 1 && left.n == 0);
	return f;
}

static void reports(void)
{
	struct run_report r = sample(), s;
	struct buf b = { 0 };

	frame_done(&b, &r);
	CHECK(only(&b).kind == FRAME_DONE);
	MUST(frame_read_done(only(&b).body, &arena, &s, &e), e);
	CHECK(s.status == r.status && s.code == 3 && s.seconds == 1.5 &&
	      s.cpu_seconds == 0.25 && s.max_rss_bytes == 1 << 20 &&
	      s.log_dropped_bytes == 9 && id_equal(&s.missing, &r.missing));
	CHECK(bytes_equal(s.log, r.log));
	CHECK_STR(s.text, "why");
	CHECK_STR(s.undeclared, "data/x");
	CHECK(s.result.n == 2 && s.result.v[0].ref.kind == REF_EXEC &&
	      id_equal(&s.result.v[1].ref.id, &r.result.v[1].ref.id));
	CHECK_STR(s.result.v[0].name, "a b");
	buf_release(&b);
}

static void logs(void)
{
	struct buf b = { 0 };
	struct bytes text;
	uint64_t at = 0;

	frame_log(&b, UINT64_C(1) << 40, (struct bytes){ "a\0b", 3 });
	CHECK(only(&b).kind == FRAME_LOG);
	MUST(frame_read_log(only(&b).body, &at, &text, &e), e);
	CHECK(at == UINT64_C(1) << 40 && bytes_equal(text, (struct bytes){ "a\0b", 3 }));
	CHECK(frame_read_log((struct bytes){ "1234567", 7 }, &at, &text, &e) < 0);
	buf_release(&b);
}

static void requests(void)
{
	struct object objects[2] = { { { { 1 } }, { "one", 3 } }, { { { 2 } }, { "", 0 } } };
	struct request r = { 2.5, true, bytes_str("text"), bytes_str("host"), objects, 2, 1.5,
			     "out/m.ckpt", "0,2" };
	struct request s;
	struct buf b = { 0 };

	frame_request(&b, &r);
	MUST(frame_read_request(only(&b).body, &arena, &s, &e), e);
	CHECK(s.timeout_s == 2.5 && s.is_watched && bytes_equal(s.text, r.text) &&
	      bytes_equal(s.host, r.host) && s.n_objects == 2 && s.stop_s == 1.5);
	CHECK_STR(s.checkpoint, "out/m.ckpt");
	CHECK_STR(s.gpus, "0,2");
	CHECK(bytes_equal(s.objects[0].bytes, objects[0].bytes) &&
	      id_equal(&s.objects[1].id, &objects[1].id));
	buf_release(&b);
}

/* Every shorter body is refused, and every longer one. */
static void cut_bodies(void)
{
	struct run_report r = sample(), s;
	struct object object = { { { 1 } }, { "one", 3 } };
	struct request q = { 1, false, bytes_str("t"), bytes_str("h"), &object, 1, 0, NULL, "0,2" }, p;
	struct buf b = { 0 }, c = { 0 };
	struct bytes body;

	frame_done(&b, &r);
	buf_char(&b, '!');
	body = (struct bytes){ b.p + 8, b.n - 8 };
	CHECK(frame_read_done(body, &arena, &s, &e) < 0 && e.code == ERR_BAD);
	for (body.n -= 2; body.n; body.n--)
		CHECK(frame_read_done(body, &arena, &s, &e) < 0);
	frame_request(&c, &q);
	buf_char(&c, '!');
	body = (struct bytes){ c.p + 8, c.n - 8 };
	CHECK(frame_read_request(body, &arena, &p, &e) < 0 && e.code == ERR_BAD);
	for (body.n -= 2; body.n; body.n--)
		CHECK(frame_read_request(body, &arena, &p, &e) < 0);
	buf_release(&b);
	buf_release(&c);
}

/* No single changed byte makes a reader run over the end: the sanitizers see
 * to it. */
static void changed_bytes(void)
{
	struct run_report r = sample(), s;
	struct buf b = { 0 };
	unsigned accepted = 0;

	frame_done(&b, &r);
	for (size_t i = 8; i < b.n; i++)
		for (int v = 0; v < 256; v += 17) {
			char *copy = mem_alloc(b.n - 8), old = b.p[i];

			b.p[i] = (char)v;
			memcpy(copy, b.p + 8, b.n - 8);
			accepted += frame_read_done((struct bytes){ copy, b.n - 8 },
						    &arena, &s, &e) == 0;
			b.p[i] = old;
			free(copy);
			arena_reset(&arena);
		}
	CHECK(accepted > 0);
	buf_release(&b);
}

static void heads(void)
{
	uint32_t too_long[2] = { FRAME_MAX + 1u, FRAME_DONE }, no_kind[2] = { 0, 0 },
		 other_kind[2] = { 0, FRAME_DONE + 1 }, open_end[2] = { 4, FRAME_NEED };
	struct bytes b;
	struct frame f;

	b = (struct bytes){ (char *)too_long, 8 };
	CHECK(frame_next(&b, &f, &e) < 0 && e.code == ERR_BAD);
	b = (struct bytes){ (char *)no_kind, 8 };
	CHECK(frame_next(&b, &f, &e) < 0);
	b = (struct bytes){ (char *)other_kind, 8 };
	CHECK(frame_next(&b, &f, &e) < 0);
	b = (struct bytes){ (char *)open_end, 8 };
	CHECK(frame_next(&b, &f, &e) == 0 && b.n == 8);
	b.n = 3;
	CHECK(frame_next(&b, &f, &e) == 0);
}

static const struct test tests[] = {
	{ "a report read is the report sent", reports },
	{ "what was printed keeps its place, and a cut one is refused", logs },
	{ "a request read is the request sent", requests },
	{ "a body cut short or grown is refused", cut_bodies },
	{ "a body with a changed byte is read within its bounds", changed_bytes },
	{ "a head that cannot be is refused, half of one is waited for", heads },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&arena);
	return rc;
}
