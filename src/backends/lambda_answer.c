/* lambda_answer.c - what an invocation came to
 *
 * Errors are known by the words that AWS has for them, kept in one table.
 */
#include "lambda_answer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base64.h"

static const struct ending {
	const char *name;
	enum run_status status;
	const char *remedy;
} endings[LAMBDA_END_COUNT] = {
	[LAMBDA_ANSWERED] = { "answered", RUN_OK, NULL },
	[LAMBDA_THROTTLED] = { "throttled", RUN_THROTTLED, NULL },
	[LAMBDA_BUSY] = { "busy", RUN_OUT_OF_REACH, NULL },
	[LAMBDA_TIMED_OUT] = { "timed out", RUN_LOST_WORKER,
		"the function's own limit struck: gg lambda deploy --timeout gives it up to "
		"15 minutes" },
	[LAMBDA_OUT_OF_MEMORY] = { "out of memory", RUN_OUT_OF_MEMORY,
		"deploy a function with more memory (gg lambda deploy --memory) and name it too" },
	[LAMBDA_EXITED] = { "ended early", RUN_LOST_WORKER, NULL },
	[LAMBDA_THREW] = { "function errors", RUN_CELL_FAILED, NULL },
	[LAMBDA_TOO_LARGE] = { "too large", RUN_UNREACHABLE,
		"name a remote that functions can reach (--remote s3://...)" },
	[LAMBDA_ANSWER_TOO_LARGE] = { "answers too large", RUN_UNREACHABLE,
		"name a remote that functions can reach (--remote s3://...)" },
	[LAMBDA_CLOCK] = { "clock", RUN_UNREACHABLE, "set this machine's clock" },
	[LAMBDA_EXPIRED] = { "expired", RUN_UNREACHABLE,
		"get new credentials, as you did those (aws sso login, or the like)" },
	[LAMBDA_DENIED] = { "denied", RUN_CELL_FAILED,
		"look at the key, its secret, the region, and whether lambda:InvokeFunction is "
		"allowed" },
	[LAMBDA_ABSENT] = { "absent", RUN_CELL_FAILED,
		"gg lambda list shows what is there, gg lambda deploy makes one" },
	[LAMBDA_REFUSED] = { "refused", RUN_CELL_FAILED, NULL },
	[LAMBDA_UNREACHED] = { "unreached", RUN_OUT_OF_REACH, NULL },
	[LAMBDA_CUT] = { "cut off", RUN_LOST_WORKER, NULL },
};

const char *lambda_end_name(enum lambda_end end)
{
	return endings[end].name;
}

enum run_status lambda_end_status(enum lambda_end end)
{
	return endings[end].status;
}

const char *lambda_end_remedy(enum lambda_end end)
{
	return endings[end].remedy;
}

/* ---- words */

/* Found anywhere in "TYPE: MESSAGE"; the first that is there counts.  status 0:
 * of a function that failed, else of the API. */
static const struct word {
	int status;
	const char *text;
	enum lambda_end end;
} words[] = {
	{ 0, "Task timed out after", LAMBDA_TIMED_OUT },
	{ 0, "Sandbox.Timedout", LAMBDA_TIMED_OUT },
	{ 0, "[504] - Lambda timeout", LAMBDA_TIMED_OUT },      /* serverless-offline's */
	{ 0, "OutOfMemory", LAMBDA_OUT_OF_MEMORY },
	{ 0, "signal: killed", LAMBDA_OUT_OF_MEMORY },
	{ 0, "ResponseSizeTooLarge", LAMBDA_ANSWER_TOO_LARGE },
	{ 0, "response payload size", LAMBDA_ANSWER_TOO_LARGE },
	{ 0, "Runtime.ExitError", LAMBDA_EXITED },
	{ 0, "Runtime exited", LAMBDA_EXITED },
	{ 403, "ExpiredToken", LAMBDA_EXPIRED },
	{ 403, "token included in the request is expired", LAMBDA_EXPIRED },
	{ 403, "Signature expired", LAMBDA_CLOCK },
	{ 403, "Signature not yet current", LAMBDA_CLOCK },
	{ 400, "RequestTooLarge", LAMBDA_TOO_LARGE },
	{ 403, "", LAMBDA_DENIED },
	{ 401, "", LAMBDA_DENIED },
	{ 404, "", LAMBDA_ABSENT },
	{ 409, "", LAMBDA_BUSY },       /* it is being made or changed */
	{ 410, "", LAMBDA_BUSY },       /* its image is being fetched */
	{ 413, "", LAMBDA_TOO_LARGE },
	{ 429, "", LAMBDA_THROTTLED },
};

static enum lambda_end by_words(int status, const char *error)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].status == status && strstr(error ? error : "", words[i].text))
			return words[i].end;
	if (status == 0)
		return LAMBDA_THREW;
	return status >= 500 ? LAMBDA_BUSY : LAMBDA_REFUSED;
}

/* "TYPE: MESSAGE" of an error's JSON; NULL where there is none. */
static const char *error_text(struct bytes body, const char *type, struct arena *ar)
{
	static const char *const keys[] = { "errorMessage", "message", "Message" };
	json_t *o = json_loadb(body.p, body.n, 0, NULL);
	const char *text = NULL, *kind = json_string_value(json_object_get(o, "errorType"));
	const char *out = NULL;

	for (size_t i = 0; i < sizeof keys / sizeof *keys && !text; i++)
		text = json_string_value(json_object_get(o, keys[i]));
	if (!kind)
		kind = type;
	if (kind || text)
		out = arena_printf(ar, "%.100s%s%.500s", kind ? kind : "",
				   kind && text ? ": " : "", text ? text : "");
	json_decref(o);
	return out;
}

/* ---- the end of the log */

/* The number behind "NAME: " in line, or 0. */
static double field(const char *line, const char *name)
{
	const char *at = strstr(line, name);
	double v = at ? strtod(at + strlen(name), NULL) : 0;

	return v > 0 && v < 1e9 ? v : 0;
}

static void read_report(struct lambda_said *s, struct arena *ar)
{
	char *text = arena_strn(ar, s->log.p, s->log.n), *line = NULL, *next = text;

	/* What a step printed may look like one; the last is the platform's. */
	while ((next = strstr(next, "REPORT RequestId: ")))
		line = next++;
	if (!line)
		return;
	line[strcspn(line, "\n")] = 0;
	s->billed_s = field(line, "\tBilled Duration: ") / 1000;
	s->init_s = field(line, "\tInit Duration: ") / 1000;
	s->mem_mb = field(line, "\tMemory Size: ");
	s->used_mb = field(line, "\tMax Memory Used: ");
	if (s->end == LAMBDA_EXITED && s->mem_mb > 0 && s->used_mb >= s->mem_mb)
		s->end = LAMBDA_OUT_OF_MEMORY;
}

static void read_log(const struct http_answer *a, struct lambda_said *s, struct arena *ar)
{
	const char *text = http_header(a, "X-Amz-Log-Result");
	struct buf b = { 0 };

	if (!text || !base64_decode(bytes_str(text), &b) || !b.n) {
		buf_release(&b);
		return;
	}
	s->log = arena_bytes(ar, buf_bytes(&b));
	buf_release(&b);
	read_report(s, ar);
}

static double seconds(const char *text)
{
	double s = strtod(text, NULL);

	return s > 0 && s < 60 ? s : 0;
}

void lambda_answer_read(const struct http_answer *a, const struct err *e,
			struct arena *ar, struct lambda_said *out)
{
	const char *type = http_header(a, "x-amzn-ErrorType"), *pause, *date;

	*out = (struct lambda_said){ .log = { "", 0 } };
	if (e) {
		out->error = arena_str(ar, e->text);
		out->end = e->code == ERR_REFUSED && a->status / 100 == 2 ?
			LAMBDA_ANSWER_TOO_LARGE : e->code == ERR_REFUSED ? LAMBDA_REFUSED :
			a->was_sent ? LAMBDA_CUT : LAMBDA_UNREACHED;
		return;
	}
	pause = http_header(a, "Retry-After");
	date = http_header(a, "Date");
	out->pause_s = pause ? seconds(pause) : 0;
	out->date = date ? arena_str(ar, date) : NULL;
	if (a->status / 100 != 2) {
		out->error = error_text(a->body, type, ar);
		out->end = by_words(a->status, out->error);
	} else if (http_header(a, "X-Amz-Function-Error")) {
		out->error = error_text(a->body, NULL, ar);
		out->end = by_words(0, out->error);
	}
	read_log(a, out, ar);
}
