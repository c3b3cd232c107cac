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

static const struct message_step two_steps[] = {
	{ .thunk = { "gg-thunk 1\narg \xff\n", 17 }, .host = { "gg-host 1\n", 10 },
	  .timeout_s = 1.5, .is_watched = true },
	{ .thunk = { "gg-thunk 1\n", 11 } },
};

static void same_request(const struct message_request *q, bool is_json)
{
	struct message_request r, w = *q;
	struct buf out = { 0 };

	w.is_json = is_json;
	message_put_request(&w, &out);
	MUST(message_read_request(buf_bytes(&out), &arena, &r, &e), e);
	CHECK(r.is_json == is_json && r.n_steps == 2);
	for (size_t i = 0; i < 2; i++) {
		CHECK(bytes_equal(r.steps[i].thunk, two_steps[i].thunk));
		CHECK(bytes_equal(r.steps[i].host, two_steps[i].host));
		CHECK(r.steps[i].timeout_s == two_steps[i].timeout_s);
		CHECK(r.steps[i].is_watched == two_steps[i].is_watched);
	}
	CHECK_STR(r.root, q->root);
	CHECK_STR(r.remotes[0], "s3://b");
	CHECK_STR(r.remotes[1], "dir:/d");
	CHECK(!r.remotes[2] && r.max_bytes == 1000000);
	CHECK(r.objects.n == 2 && r.objects.n_bytes == 4);
	for (size_t i = 0; i < 2; i++)
		CHECK(id_equal(&r.objects.v[i].id, &q->objects.v[i].id) &&
		      bytes_equal(r.objects.v[i].bytes, q->objects.v[i].bytes));
	message_objects_release(&r.objects);
	/* No shorter part of it is one. */
	for (size_t n = 0; n < out.n; n++)
		CHECK(message_read_request((struct bytes){ out.p, n }, &arena, &r, &e) < 0);
	buf_char(&out, 'x');
	CHECK(message_read_request(buf_bytes(&out), &arena, &r, &e) < 0);
	buf_release(&out);
}

static void request(void)
{
	struct message_object v[] = { object("", 0), object("\0\xff\n\"", 4) };
	static const char *const remotes[] = { "s3://b", "dir:/d", NULL };
	struct message_request q = {
		.steps = two_steps, .n_steps = 2, .root = "/home/\xe4nn",
		.remotes = remotes, .max_bytes = 1000000, .objects = { v, 2, 2, 4 },
	};

	same_request(&q, true);
	same_request(&q, false);
}

static void same_answer(struct message_answer *m, bool is_json)
{
	const struct message_report *w = m->reports, *r;
	struct message_answer back;
	struct buf out = { 0 };

	m->is_json = is_json;
	message_put_answer(m, &out);
	MUST(message_read_answer(buf_bytes(&out), &arena, &back, &e), e);
	CHECK(back.is_json == is_json && back.n_reports == m->n_reports);
	CHECK(back.n_elsewhere == 1 && id_equal(back.elsewhere, m->elsewhere));
	r = back.reports;
	CHECK(id_equal(&r->step, &w->step) && r->report.status == RUN_OK);
	CHECK(r->report.seconds == 2.5 && r->report.cpu_seconds == 2);
	CHECK(r->report.max_rss_bytes == 7 && r->report.log_dropped_bytes == 3);
	CHECK(bytes_equal(r->report.log, w->report.log));
	CHECK(r->report.result.n == 1 && id_equal(&r->report.result.v[0].ref.id,
						  &w->report.result.v[0].ref.id));
	for (size_t i = 1; i < m->n_reports; i++) {
		r = &back.reports[i];
		CHECK(r->report.status == m->reports[i].report.status && r->report.code == -7);
		CHECK_STR(r->report.text, "why");
		CHECK_STR(r->report.undeclared, "a\xff/b");
		CHECK(id_equal(&r->report.missing, &w->report.result.v[0].ref.id));
	}
	CHECK(back.objects.n == 1);
	message_objects_release(&back.objects);
	buf_release(&out);
}

static void answer(void)
{
	struct message_object v = object("model", 5);
	struct result_out o = { "out.txt", { REF_VALUE, v.id, NULL } };
	struct message_report all[RUN_STATUS_COUNT] = { { .step = v.id } };
	struct message_answer m = { .reports = all, .n_reports = RUN_STATUS_COUNT,
				    .objects = { &v, 1, 1, 5 }, .elsewhere = &v.id,
				    .n_elsewhere = 1 };

	all[0].report = (struct run_report){ .seconds = 2.5, .cpu_seconds = 2,
					     .max_rss_bytes = 7, .result = { &o, 1 },
					     .log = { "said\0\xff", 6 },
					     .log_dropped_bytes = 3 };
	for (int i = RUN_EXITED; i < RUN_STATUS_COUNT; i++) {
		all[i].step = v.id;
		all[i].report = (struct run_report){ .status = (enum run_status)i, .code = -7,
						     .text = "why", .undeclared = "a\xff/b",
						     .missing = v.id };
	}
	same_answer(&m, true);
	same_answer(&m, false);
}

#define STEP "\"steps\":[{\"thunk\":\"t\"}]"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* What a step that ended early has left, and what is none of that. */
static void checkpoints(void)
{
	static const struct message_step step = {
		.thunk = { "gg-thunk 1\n", 11 }, .checkpoint = "out/\xffm.ckpt",
	};
	struct message_request q = { .steps = &step, .n_steps = 1 }, back;
	struct message_object v = object("left", 4);
	struct result_out o = { RUN_CHECKPOINT, { REF_VALUE, v.id, NULL } };
	struct message_report r = { .step = v.id, .report = { .status = RUN_STOPPED,
				    .text = "t", .result = { &o, 1 } } };
	struct message_answer m = { .reports = &r, .n_reports = 1, .objects = { &v, 1, 1, 4 } },
			      got;
	const struct result *left;
	struct buf out = { 0 };

	message_put_request(&q, &out);
	MUST(message_read_request(buf_bytes(&out), &arena, &back, &e), e);
	CHECK_STR(back.steps[0].checkpoint, "out/\xffm.ckpt");
	message_objects_release(&back.objects);
	buf_reset(&out);
	message_put_answer(&m, &out);
	MUST(message_read_answer(buf_bytes(&out), &arena, &got, &e), e);
	left = &got.reports[0].report.result;
	CHECK(got.reports[0].report.status == RUN_STOPPED && left->n == 1 &&
	      id_equal(&left->v[0].ref.id, &v.id));
	message_objects_release(&got.objects);
	o.name = "out";
	buf_reset(&out);
	message_put_answer(&m, &out);
	CHECK(message_read_answer(buf_bytes(&out), &arena, &got, &e) < 0 && e.code == ERR_BAD);
	o = (struct result_out){ RUN_CHECKPOINT, { REF_THUNK, v.id, "out" } };
	buf_reset(&out);
	message_put_answer(&m, &out);
	CHECK(message_read_answer(buf_bytes(&out), &arena, &got, &e) < 0 && e.code == ERR_BAD);
	buf_release(&out);
}

static void bad_messages(void)
{
	static const char *const v[] = {
		"", "{", "[]", "{}", "{\"gg\":2," STEP "}", "{\"gg\":\"1\"," STEP "}",
		"{\"gg\":1,\"gg\":1," STEP "}", "{\"gg\":1}", "{\"gg\":1,\"steps\":[]}",
		"{\"gg\":1,\"steps\":{}}", "{\"gg\":1,\"steps\":[1]}",
		"{\"gg\":1,\"steps\":[{\"thunk\":3}]}", "{\"gg\":1,\"steps\":[{\"thunk64\":\"?\"}]}",
		"{\"gg\":1,\"steps\":[{\"timeout\":-1}]}", "{\"gg\":1,\"steps\":[{\"timeout\":\"1\"}]}",
		"{\"gg\":1,\"steps\":[{\"timeout\":1e99}]}", "{\"gg\":1," STEP ",\"root\":\"relative\"}",
		"{\"gg\":1," STEP ",\"root\":\"/\"}", "{\"gg\":1," STEP ",\"root\":\"/a\\u0000b\"}",
		"{\"gg\":1," STEP ",\"remotes\":\"s3:\"}", "{\"gg\":1," STEP ",\"remotes\":[1]}",
		"{\"gg\":1," STEP ",\"remotes\":[\"a\\u0000b\"]}",
		"{\"gg\":1," STEP ",\"max_bytes\":-1}",
		"{\"gg\":1," STEP ",\"objects\":[]}", "{\"gg\":1," STEP ",\"objects\":{\"ab\":\"\"}}",
		"{\"gg\":1," STEP ",\"objects\":{\"" EMPTY "\":\"AAAA\"}}",
		"gg-message 1 ", "gg-message 1 \n", "gg-message 1 9\n{}", "gg-message 1 -1\n{}",
		"gg-message 1 99999999999999999999\n{}", "gg-message 1 2\n{}",
	};
	struct message_request q;

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		if (message_read_request(bytes_str(v[i]), &arena, &q, &e) == 0)
			printf("# taken: %s\n", v[i]);
		CHECK(message_read_request(bytes_str(v[i]), &arena, &q, &e) < 0);
		CHECK(e.code == ERR_BAD && bytes_start(bytes_str(e.text), "message"));
	}
	MUST(message_read_request(bytes_str("{\"gg\":1," STEP "}"), &arena, &q, &e), e);
	message_objects_release(&q.objects);
}

static void bad_parts(void)
{
	static const struct { const char *parts, *behind; bool is_good; } v[] = {
		{ "[\"" EMPTY "\",0]", "", true }, { "[]", "", true },
		{ "[\"" EMPTY "\",0]", "x", false }, { "[\"" EMPTY "\",1]", "x", false },
		{ "[\"" EMPTY "\",9]", "x", false }, { "[\"" EMPTY "\",-1]", "", false },
		{ "[\"" EMPTY "\",\"0\"]", "", false }, { "[\"" EMPTY "\"]", "", false },
		{ "[\"ab\",0]", "", false }, { "{}", "", false }, { "[]", "x", false },
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct buf json = { 0 }, text = { 0 };
		struct message_request q;
		int rc;

		buf_printf(&json, "{\"gg\":1," STEP ",\"parts\":%s}", v[i].parts);
		buf_printf(&text, "gg-message 1 %zu\n%s%s", json.n, json.p, v[i].behind);
		rc = message_read_request(buf_bytes(&text), &arena, &q, &e);
		if ((rc == 0) != v[i].is_good)
			printf("# %s\n", text.p);
		CHECK((rc == 0) == v[i].is_good);
		if (rc == 0)
			message_objects_release(&q.objects);
		buf_release(&json);
		buf_release(&text);
	}
}

static void bad_answers(void)
{
	static const char *const v[] = {
		"{\"gg\":1}", "{\"gg\":1,\"answers\":[]}", "{\"gg\":1,\"answers\":[1]}",
		"{\"gg\":1,\"answers\":[{\"step\":\"" EMPTY "\",\"status\":\"odd\"}]}",
		"{\"gg\":1,\"answers\":[{\"step\":\"" EMPTY "\",\"status\":\"ok\"}]}",
		"{\"gg\":1,\"answers\":[{\"step\":\"ab\",\"status\":\"exited\",\"text\":\"t\"}]}",
		"{\"gg\":1,\"answers\":[{\"status\":\"exited\",\"text\":\"t\"}]}",
		"{\"gg\":1,\"answers\":[{\"step\":\"" EMPTY "\",\"status\":\"exited\",\"text\":\"t\"}],"
			"\"elsewhere\":[\"ab\"]}",
		"{\"gg\":1,\"answers\":[{\"step\":\"" EMPTY "\",\"status\":\"exited\"}]}",
	};
	struct message_answer m;

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		CHECK(message_read_answer(bytes_str(v[i]), &arena, &m, &e) < 0);
		CHECK(e.code == ERR_BAD && bytes_start(bytes_str(e.text), "message"));
	}
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
	{ "a checkpoint comes back, and nothing else as one", checkpoints },
	{ "other messages are refused: damaged, of another version, of another shape", bad_messages },
	{ "so are parts that are not those that are named", bad_parts },
	{ "so are answers that say less than they must", bad_answers },
	{ "names of images are taken apart, or refused", references },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&arena);
	return rc;
}
