/* what an activation came to, by answers as OpenWhisk's API documents them */
#include "../src/backends/openwhisk_answer.h"
#include "test.h"

static struct arena arena;

static struct whisk_said said(int status, const char *body, bool is_poll)
{
	const struct http_answer a = { .status = status, .body = bytes_str(body),
				       .was_sent = true };
	struct whisk_said s;

	whisk_answer_read(&a, NULL, is_poll, &arena, &s);
	return s;
}

static void succeeded(void)
{
	static const char body[] =
		"{\"activationId\":\"1e0ba7f5c4a9432f8ba7f5c4a9b32fdd\",\"annotations\":["
		"{\"key\":\"path\",\"value\":\"guest/gg\"},{\"key\":\"waitTime\",\"value\":33},"
		"{\"key\":\"kind\",\"value\":\"blackbox\"},{\"key\":\"initTime\",\"value\":410}],"
		"\"duration\":421,\"end\":1732180000421,\"logs\":[\"a\",\"b\"],\"name\":\"gg\","
		"\"namespace\":\"guest\",\"publish\":false,\"response\":{\"result\":{\"gg\":1},"
		"\"size\":8,\"status\":\"success\",\"success\":true},\"start\":1732180000000,"
		"\"subject\":\"guest\",\"version\":\"0.0.1\"}";
	struct whisk_said s = said(200, body, false);

	CHECK(s.end == WHISK_ANSWERED);
	CHECK(bytes_equal(s.result, bytes_str("{\"gg\":1}")));
	CHECK(bytes_equal(s.log, bytes_str("a\nb\n")));
	CHECK(s.duration_s == 0.421 && s.init_s == 0.410 && s.wait_s == 0.033);
	CHECK_STR(s.activation, "1e0ba7f5c4a9432f8ba7f5c4a9b32fdd");
	CHECK(said(200, body, true).end == WHISK_ANSWERED);
}

static void pending(void)
{
	struct whisk_said s = said(202, "{\"activationId\":\"44794bd6aab74415b4e42a308d880727\"}",
				   false);

	CHECK(s.end == WHISK_PENDING);
	CHECK_STR(s.activation, "44794bd6aab74415b4e42a308d880727");
	CHECK(said(404, "{\"code\":\"x\",\"error\":\"The requested resource does not exist.\"}",
		   true).end == WHISK_PENDING);
	/* An id that would lead elsewhere is none. */
	CHECK(said(202, "{\"activationId\":\"../../x\"}", false).end == WHISK_REFUSED);
}

#define FAILED(status, error) "{\"activationId\":\"aa\",\"duration\":5,\"logs\":[]," \
	"\"response\":{\"status\":\"" status "\",\"success\":false,\"result\":{\"error\":" error "}}}"

static void failed(void)
{
	static const struct {
		int status;
		const char *body;
		enum whisk_end end;
		enum run_status run;
	} all[] = {
		{ 502, FAILED("action developer error", "\"The action exceeded its time limits of "
			      "60000 milliseconds.\""), WHISK_TIMED_OUT, RUN_LOST_WORKER },
		{ 502, FAILED("action developer error", "\"The action exhausted its memory and was "
			      "aborted.\""), WHISK_OUT_OF_MEMORY, RUN_OUT_OF_MEMORY },
		{ 502, FAILED("action developer error", "\"The action did not initialize or exited "
			      "unexpectedly\""), WHISK_LOST, RUN_LOST_WORKER },
		{ 502, FAILED("whisk internal error", "\"anything\""), WHISK_LOST,
		  RUN_LOST_WORKER },
		{ 502, FAILED("application error", "{\"error\":\"boom\"}"), WHISK_FAILED,
		  RUN_CELL_FAILED },
		{ 429, "{\"code\":\"1\",\"error\":\"Too many concurrent requests in flight (count: "
		  "31, allowed: 30).\"}", WHISK_THROTTLED, RUN_THROTTLED },
		{ 413, "{\"error\":\"Request larger than allowed: 1048577 > 1048576 bytes.\"}",
		  WHISK_TOO_LARGE, RUN_UNREACHABLE },
		{ 401, "{\"error\":\"The supplied authentication is invalid\"}", WHISK_DENIED,
		  RUN_CELL_FAILED },
		{ 404, "{\"error\":\"The requested resource does not exist.\"}", WHISK_ABSENT,
		  RUN_CELL_FAILED },
		{ 503, "no JSON", WHISK_BUSY, RUN_OUT_OF_REACH },
		{ 200, "[]", WHISK_REFUSED, RUN_CELL_FAILED },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct whisk_said s = said(all[i].status, all[i].body, false);

		if (s.end != all[i].end)
			printf("# %s: %s\n", all[i].body, whisk_end_name(s.end));
		CHECK(s.end == all[i].end && whisk_end_status(s.end) == all[i].run);
	}
	CHECK_STR(said(502, FAILED("application error", "{\"error\":\"boom\"}"), false).error,
		  "boom");
}

static const struct test tests[] = {
	{ "an activation that succeeded holds the answer, its log and how it waited", succeeded },
	{ "one that is not over is asked for again", pending },
	{ "ways to fail are told apart by documented words", failed },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&arena);
	return rc;
}
