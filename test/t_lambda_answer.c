/* what an invocation came to, by the words of AWS and of serverless-offline; zips */
#include <zlib.h>
#include "../src/backends/lambda_answer.h"
#include "../src/backends/zip.h"
#include "base64.h"
#include "id.h"
#include "test.h"

static struct arena arena;

/* An answer as it may come: headers parted by newlines. */
static struct lambda_said said(int status, const char *headers, const char *body,
			       const struct err *why)
{
	struct http_answer a = { .status = status, .body = bytes_str(body),
				 .was_sent = status != 0 };
	struct lambda_said s;
	char *save = NULL, *copy = arena_str(&arena, headers);

	for (char *h = strtok_r(copy, "\n", &save); h; h = strtok_r(NULL, "\n", &save))
		strs_add(&a.headers, h);
	lambda_answer_read(&a, why, &arena, &s);
	strs_release(&a.headers);
	return s;
}

/* With a log, in base64 as it travels. */
static struct lambda_said logged(const char *log, const char *headers, const char *body)
{
	struct buf b = { 0 };
	struct lambda_said s;

	buf_printf(&b, "%s\nX-Amz-Log-Result: ", headers);
	base64_encode(bytes_str(log), &b);
	s = said(200, b.p, body, NULL);
	buf_release(&b);
	return s;
}

static const struct telling {
	int status;
	const char *headers, *body;
	enum lambda_end end;
	enum run_status run;
} tellings[] = {
	{ 200, "X-Amz-Executed-Version: $LATEST", "{\"gg\":1}", LAMBDA_ANSWERED, RUN_OK },
	{ 200, "X-Amz-Function-Error: Unhandled",
	  "{\"errorMessage\":\"2026-11-21T09:00:00.000Z 4a1 Task timed out after 3.00 seconds\"}",
	  LAMBDA_TIMED_OUT, RUN_LOST_WORKER },
	{ 200, "X-Amz-Function-Error: Unhandled",
	  "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"RequestId: 4a1 Error: Task "
	  "timed out after 3.00 seconds\"}", LAMBDA_TIMED_OUT, RUN_LOST_WORKER },
	{ 200, "X-Amz-Function-Error: Unhandled",
	  "{\"errorMessage\":\"[504] - Lambda timeout.\",\"errorType\":\"Error\"}",
	  LAMBDA_TIMED_OUT, RUN_LOST_WORKER },
	{ 200, "X-Amz-Function-Error: Unhandled",
	  "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: 4a1 Error: Runtime "
	  "exited with error: signal: killed\"}", LAMBDA_OUT_OF_MEMORY, RUN_OUT_OF_MEMORY },
	{ 200, "X-Amz-Function-Error: Unhandled",
	  "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: 4a1 Error: Runtime "
	  "exited with error: exit status 3\"}", LAMBDA_EXITED, RUN_LOST_WORKER },
	{ 200, "X-Amz-Function-Error: Unhandled",
	  "{\"errorType\":\"Function.ResponseSizeTooLarge\",\"errorMessage\":\"Response payload "
	  "size exceeded maximum allowed payload size (6291556 bytes).\"}",
	  LAMBDA_ANSWER_TOO_LARGE, RUN_UNREACHABLE },
	{ 200, "x-amz-function-error: Handled", "{\"errorMessage\":\"boom\",\"trace\":[]}",
	  LAMBDA_THREW, RUN_CELL_FAILED },
	{ 200, "x-amz-function-error: Unhandled", "no JSON", LAMBDA_THREW, RUN_CELL_FAILED },
	{ 429, "x-amzn-ErrorType: TooManyRequestsException\nRetry-After: 2",
	  "{\"Reason\":\"ConcurrentInvocationLimitExceeded\",\"Type\":\"User\",\"message\":\"Rate "
	  "Exceeded.\"}", LAMBDA_THROTTLED, RUN_THROTTLED },
	{ 413, "x-amzn-ErrorType: RequestEntityTooLargeException",
	  "{\"Type\":null,\"message\":\"Request must be smaller than 6291456 bytes\"}",
	  LAMBDA_TOO_LARGE, RUN_UNREACHABLE },
	{ 403, "x-amzn-ErrorType: InvalidSignatureException",
	  "{\"message\":\"Signature expired: 20261121T080000Z is now earlier than "
	  "20261121T085500Z\"}", LAMBDA_CLOCK, RUN_UNREACHABLE },
	{ 403, "x-amzn-ErrorType: ExpiredTokenException",
	  "{\"message\":\"The security token included in the request is expired\"}",
	  LAMBDA_EXPIRED, RUN_UNREACHABLE },
	{ 403, "x-amzn-ErrorType: AccessDeniedException",
	  "{\"Message\":\"User is not authorized to perform: lambda:InvokeFunction\"}",
	  LAMBDA_DENIED, RUN_CELL_FAILED },
	{ 404, "x-amzn-ErrorType: ResourceNotFoundException",
	  "{\"Message\":\"Function not found: gg\",\"Type\":\"User\"}", LAMBDA_ABSENT,
	  RUN_CELL_FAILED },
	{ 409, "x-amzn-ErrorType: ResourceConflictException",
	  "{\"Message\":\"The function is currently in the following state: Pending\"}",
	  LAMBDA_BUSY, RUN_OUT_OF_REACH },
	{ 502, "", "", LAMBDA_BUSY, RUN_OUT_OF_REACH },
	{ 400, "x-amzn-ErrorType: InvalidParameterValueException", "{\"Message\":\"no\"}",
	  LAMBDA_REFUSED, RUN_CELL_FAILED },
};

static void told_apart(void)
{
	for (size_t i = 0; i < sizeof tellings / sizeof *tellings; i++) {
		const struct telling *t = &tellings[i];
		struct lambda_said s = said(t->status, t->headers, t->body, NULL);

		if (s.end != t->end || lambda_end_status(s.end) != t->run)
			printf("# %s %s: %s\n", t->headers, t->body, lambda_end_name(s.end));
		CHECK(s.end == t->end);
		CHECK(lambda_end_status(s.end) == t->run);
	}
	CHECK(said(429, "Retry-After: 2", "", NULL).pause_s == 2);
	CHECK(said(429, "Retry-After: -2", "", NULL).pause_s == 0);
	CHECK_STR(said(404, "x-amzn-ErrorType: ResourceNotFoundException",
		       "{\"Message\":\"Function not found: gg\"}", NULL).error,
		  "ResourceNotFoundException: Function not found: gg");
}

static void no_answer(void)
{
	struct err e;

	err_set(&e, ERR_RETRY, "POST h/f: nobody answers there");
	CHECK(said(0, "", "", &e).end == LAMBDA_UNREACHED);
	CHECK(said(200, "", "", &e).end == LAMBDA_CUT);
	CHECK_STR(said(0, "", "", &e).error, e.text);
	err_set(&e, ERR_REFUSED, "POST h/f: the answer is larger than 9 bytes");
	CHECK(said(200, "", "", &e).end == LAMBDA_ANSWER_TOO_LARGE);
}

static void report_line(void)
{
	static const char log[] =
		"START RequestId: 4a1 Version: $LATEST\n"
		"REPORT RequestId: a lie\tBilled Duration: 1 ms\tMemory Size: 128 MB\n"
		"END RequestId: 4a1\n"
		"REPORT RequestId: 4a1\tDuration: 3.53 ms\tBilled Duration: 134 ms\tMemory Size: "
		"512 MB\tMax Memory Used: 70 MB\tInit Duration: 129.75 ms\t\n";
	struct lambda_said s = logged(log, "X-Amz-Executed-Version: 1", "{}");

	CHECK(s.end == LAMBDA_ANSWERED);
	CHECK(s.billed_s == 0.134 && s.mem_mb == 512 && s.used_mb == 70);
	CHECK(s.init_s > 0.1297 && s.init_s < 0.1298);
	CHECK(s.log.n == sizeof log - 1);
	s = logged("REPORT RequestId: 1\tMemory Size: nan MB\tBilled Duration: -4 ms", "", "{}");
	CHECK(s.billed_s == 0 && s.mem_mb == 0);
	s = said(200, "X-Amz-Log-Result: !!!", "{}", NULL);
	CHECK(s.log.n == 0);
}

static void full_memory(void)
{
	static const char died[] = "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":"
		"\"RequestId: 4a1 Error: Runtime exited without providing a reason\"}";
	static const char error[] = "X-Amz-Function-Error: Unhandled";

	CHECK(logged("REPORT RequestId: 4a1\tDuration: 9 ms\tMemory Size: 128 MB\tMax Memory "
		     "Used: 128 MB\t", error, died).end == LAMBDA_OUT_OF_MEMORY);
	CHECK(logged("REPORT RequestId: 4a1\tDuration: 9 ms\tMemory Size: 128 MB\tMax Memory "
		     "Used: 40 MB\t", error, died).end == LAMBDA_EXITED);
}

/* ---- zips */

static unsigned u32(const char *p)
{
	const unsigned char *b = (const unsigned char *)p;

	return b[0] | b[1] << 8 | b[2] << 16 | (unsigned)b[3] << 24;
}

static void zip_is_whole(void)
{
	char body[100000], back[sizeof body];
	struct zip_file files[] = { { "bootstrap", { body, sizeof body }, 0755 },
				    { "note", { "hi\n", 3 }, 0644 } };
	struct buf a = { 0 }, b = { 0 };
	z_stream z = { 0 };
	struct err e;

	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (char)(i * i >> 7);
	MUST(zip_write(files, 2, &a, &e), e);
	MUST(zip_write(files, 2, &b, &e), e);
	CHECK(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
	CHECK(memcmp(a.p, "PK\3\4", 4) == 0 && u32(a.p + 22) == sizeof body);
	CHECK(u32(a.p + 14) == crc32(0, (unsigned char *)body, sizeof body));
	CHECK(memcmp(a.p + 30, "bootstrap", 9) == 0);
	CHECK(inflateInit2(&z, -15) == Z_OK);
	z.next_in = (unsigned char *)a.p + 39;
	z.avail_in = u32(a.p + 18);
	z.next_out = (unsigned char *)back;
	z.avail_out = sizeof back;
	CHECK(inflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out == sizeof body);
	inflateEnd(&z);
	CHECK(memcmp(body, back, sizeof body) == 0);
	CHECK(memcmp(a.p + a.n - 22, "PK\5\6", 4) == 0);
	CHECK(memcmp(a.p + u32(a.p + a.n - 6), "PK\1\2", 4) == 0);
	buf_release(&a);
	buf_release(&b);
}

static const struct test tests[] = {
	{ "every way an invocation ends is known by the words of its answer", told_apart },
	{ "no connection is told from one that broke", no_answer },
	{ "the last REPORT line says what was billed and used; nonsense says nothing",
	  report_line },
	{ "a worker that ended with its memory full ran out of it", full_memory },
	{ "a zip is the same bytes each time, and holds what was put in", zip_is_whole },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&arena);
	return rc;
}
