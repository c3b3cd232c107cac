/* Messages, base64 and names of images are read as they were written, and
 * refused otherwise. */
#include "message.h"

#include "base64.h"
#include "registry.h"
#include "test.h"

static struct arena arena;
static struct err e;

static void base64(void)
{
	/* RFC 4648, 10. */
	static const char *const v[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfb", "//77" },
	};
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "====", "=", "Zm9v=",
		"Z=g=", "Zg==Zg==", "-_77",
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct buf out = { 0 }, back = { 0 };

		base64_encode(bytes_str(v[i][0]), &out);
		CHECK_STR(out.p, v[i][1]);
		CHECK(base64_decode(buf_bytes(&out), &back));
		CHECK(bytes_equal(buf_bytes(&back), bytes_str(v[i][0])));
		buf_release(&out);
		buf_release(&back);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct buf out = { 0 };

		buf_str(&out, "kept");
		if (base64_decode(bytes_str(bad[i]), &out))
			printf("# taken: %s\n", bad[i]);
		CHECK(!base64_decode(bytes_str(bad[i]), &out));
		CHECK_STR(out.p, "kept");
		buf_release(&out);
	}
}

static struct message_object object(const char *p, size_t n)
{
	struct bytes b = { p, n };

	return (struct message_object){ id_of(b), b };
}

static void request(void)
{
	struct message_object v[] = { object("", 0), object("\0\xff\n\"", 4) };
	struct message_request q = {
		.thunk = { "gg-thunk 1\narg \xff\n", 17 }, .root = "/home/\xe4nn",
		.timeout_s = 1.5, .is_watched = true, .objects = { v, 2, 2, 4 },
	}, r;
	struct buf out = { 0 };

	message_put_request(&q, &out);
	MUST(message_read_request(buf_bytes(&out), &arena, &r, &e), e);
	CHECK(bytes_equal(r.thunk, q.thunk) && r.timeout_s == 1.5 && r.is_watched);
	CHECK_STR(r.root, q.root);
	CHECK(r.objects.n == 2 && r.objects.n_bytes == 4);
	for (size_t i = 0; i < 2; i++)
		CHECK(id_equal(&r.objects.v[i].id, &v[i].id) &&
		      bytes_equal(r.objects.v[i].bytes, v[i].bytes));
	message_objects_release(&r.objects);
	buf_release(&out);
}

static void answer(void)
{
	struct message_object v = object("model", 5);
	struct result_out o = { "out.txt", { REF_VALUE, v.id, NULL } };
	struct message_answer m = { .objects = { &v, 1, 1, 5 } }, back;
	struct buf out = { 0 };

	m.report = (struct run_report){ .seconds = 2.5, .cpu_seconds = 2, .max_rss_bytes = 7,
					.result = { &o, 1 }, .log = { "said\0\xff", 6 },
					.log_dropped_bytes = 3 };
	message_put_answer(&m, &out);
	MUST(message_read_answer(buf_bytes(&out), &arena, &back, &e), e);
	CHECK(back.report.status == RUN_OK && back.report.seconds == 2.5);
	CHECK(back.report.max_rss_bytes == 7 && back.report.log_dropped_bytes == 3);
	CHECK(bytes_equal(back.report.log, m.report.log));
	CHECK(back.report.result.n == 1 && id_equal(&back.report.result.v[0].ref.id, &v.id));
	CHECK(back.objects.n == 1);
	message_objects_release(&back.objects);
	for (int i = RUN_EXITED; i < RUN_STATUS_COUNT; i++) {
		m.report = (struct run_report){ .status = (enum run_status)i, .code = -7,
						.text = "why", .undeclared = "a\xff/b",
						.missing = v.id };
		buf_reset(&out);
		message_put_answer(&m, &out);
		MUST(message_read_answer(buf_bytes(&out), &arena, &back, &e), e);
		CHECK((int)back.report.status == i && back.report.code == -7);
		CHECK_STR(back.report.text, "why");
		CHECK_STR(back.report.undeclared, "a\xff/b");
		CHECK(id_equal(&back.report.missing, &v.id));
		message_objects_release(&back.objects);
	}
	buf_release(&out);
}

static void bad_messages(void)
{
	static const char *const v[] = {
		"", "{", "[]", "{}", "{\"gg\":2}", "{\"gg\":\"1\"}", "{\"gg\":1,\"gg\":1}",
		"{\"gg\":1,\"thunk\":3}", "{\"gg\":1,\"thunk64\":\"?\"}",
		"{\"gg\":1,\"root\":\"relative\"}", "{\"gg\":1,\"root\":\"/\"}",
		"{\"gg\":1,\"root\":\"/a\\u0000b\"}", "{\"gg\":1,\"timeout\":-1}",
		"{\"gg\":1,\"timeout\":\"1\"}", "{\"gg\":1,\"timeout\":1e99}",
		"{\"gg\":1,\"objects\":[]}", "{\"gg\":1,\"objects\":{\"ab\":\"\"}}",
		"{\"gg\":1,\"objects\":{\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b"
		"7852b855\":\"AAAA\"}}",
	};
	struct message_request q;
	struct message_answer m;

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		if (message_read_request(bytes_str(v[i]), &arena, &q, &e) == 0)
			printf("# taken: %s\n", v[i]);
		CHECK(message_read_request(bytes_str(v[i]), &arena, &q, &e) < 0);
		CHECK(e.code == ERR_BAD && bytes_start(bytes_str(e.text), "message"));
	}
	CHECK(message_read_answer(bytes_str("{\"gg\":1}"), &arena, &m, &e) < 0);
	CHECK(message_read_answer(bytes_str("{\"gg\":1,\"status\":\"odd\"}"), &arena, &m, &e) < 0);
	CHECK(message_read_answer(bytes_str("{\"gg\":1,\"status\":\"ok\"}"), &arena, &m, &e) < 0);
	CHECK(message_read_answer(bytes_str("{\"gg\":1,\"status\":\"exited\"}"), &arena, &m, &e) < 0);
	CHECK(strstr(e.text, "without a reason") != NULL);
}

static void references(void)
{
	static const char *const bad[] = {
		"", "name", "name:tag", "host/name", "localhost/", "localhost/Name",
		"localhost/a//b", "localhost/a/", "localhost/.a", "localhost/a/.b",
		"localhost/a:", "localhost/a:-x", "localhost/a:b:c", "localhost/a?b",
		"u:p@localhost/a", "localhost/a b", "h.example/a@sha256:00", "h.ex\nample/a",
	};
	struct reference r;

	MUST(reference_parse("registry.example:5000/a/b_c-d.e:v1.2", &arena, &r, &e), e);
	CHECK_STR(r.host, "registry.example:5000");
	CHECK_STR(r.name, "a/b_c-d.e");
	CHECK_STR(r.tag, "v1.2");
	MUST(reference_parse("localhost/a", &arena, &r, &e), e);
	CHECK_STR(r.tag, "latest");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (reference_parse(bad[i], &arena, &r, &e) == 0)
			printf("# taken: %s\n", bad[i]);
		CHECK(reference_parse(bad[i], &arena, &r, &e) < 0 && e.code == ERR_USAGE);
	}
}

static const struct test tests[] = {
	{ "base64 has one spelling", base64 },
	{ "a request read is the request written, odd bytes included", request },
	{ "an answer too, of every status", answer },
	{ "other messages are refused: damaged, of another version, of another shape", bad_messages },
	{ "names of images are taken apart, or refused", references },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&arena);
	return rc;
}
