/* openwhisk_answer.c - what an invocation of an OpenWhisk action came to */
#include "openwhisk_answer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct ending {
	const char *name;
	enum run_status status;
	const char *remedy;
} endings[WHISK_END_COUNT] = {
	[WHISK_ANSWERED] = { "answered", RUN_OK, NULL },
	[WHISK_PENDING] = { "pending", RUN_LOST_WORKER, NULL },
	[WHISK_THROTTLED] = { "throttled", RUN_THROTTLED, NULL },
	[WHISK_BUSY] = { "busy", RUN_OUT_OF_REACH, NULL },
	[WHISK_TIMED_OUT] = { "timed out", RUN_LOST_WORKER,
		"the action's own limit struck: wsk action update --timeout gives it more" },
	[WHISK_OUT_OF_MEMORY] = { "out of memory", RUN_OUT_OF_MEMORY,
		"wsk action update --memory gives it more" },
	[WHISK_LOST] = { "lost", RUN_LOST_WORKER, NULL },
	[WHISK_FAILED] = { "action errors", RUN_CELL_FAILED, NULL },
	[WHISK_TOO_LARGE] = { "too large", RUN_UNREACHABLE,
		"name a remote that actions can reach (--remote s3://...)" },
	[WHISK_DENIED] = { "denied", RUN_CELL_FAILED,
		"look at AUTH in ~/.wskprops or WSK_AUTH" },
	[WHISK_ABSENT] = { "absent", RUN_CELL_FAILED,
		"wsk action list shows what is there" },
	[WHISK_REFUSED] = { "refused", RUN_CELL_FAILED, NULL },
	[WHISK_UNREACHED] = { "unreached", RUN_OUT_OF_REACH, NULL },
	[WHISK_CUT] = { "cut off", RUN_LOST_WORKER, NULL },
};

const char *whisk_end_name(enum whisk_end end)
{
	return endings[end].name;
}

enum run_status whisk_end_status(enum whisk_end end)
{
	return endings[end].status;
}

const char *whisk_end_remedy(enum whisk_end end)
{
	return endings[end].remedy;
}

/* ---- an activation */

/* A number of milliseconds among its annotations, [{ "key": ..., "value": ... }]. */
static double annotation_s(json_t *o, const char *key)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(o, "annotations"), i, one) {
		const char *k = json_string_value(json_object_get(one, "key"));
		double ms = json_number_value(json_object_get(one, "value"));

		if (k && strcmp(k, key) == 0)
			return ms > 0 && ms < 1e9 ? ms / 1000 : 0;
	}
	return 0;
}

static int dump(const char *p, size_t n, void *arg)
{
	buf_add(arg, p, n);
	return 0;
}

static struct bytes json_bytes(json_t *o, struct arena *ar)
{
	struct buf b = { 0 };
	struct bytes out = { "", 0 };

	if (o && json_dump_callback(o, dump, &b, JSON_COMPACT) == 0)
		out = arena_bytes(ar, buf_bytes(&b));
	buf_release(&b);
	return out;
}

static struct bytes join_logs(json_t *logs, struct arena *ar)
{
	struct buf b = { 0 };
	struct bytes out;
	json_t *line;
	size_t i;

	json_array_foreach(logs, i, line)
		if (json_is_string(line))
			buf_printf(&b, "%s\n", json_string_value(line));
	out = arena_bytes(ar, buf_bytes(&b));
	buf_release(&b);
	return out;
}

/* An error is a text, or an object with one in it. */
static const char *error_text(json_t *result, struct arena *ar)
{
	json_t *error = json_object_get(result, "error");

	if (json_is_object(error))
		error = json_object_get(error, "error");
	return json_is_string(error) ? arena_printf(ar, "%.500s", json_string_value(error)) : NULL;
}

/* What the words of a failed activation mean; "": any. */
static const struct word {
	const char *text;
	enum whisk_end end;
} words[] = {
	{ "exceeded its time limits", WHISK_TIMED_OUT },
	{ "memory limit", WHISK_OUT_OF_MEMORY },
	{ "exceeded its memory", WHISK_OUT_OF_MEMORY },
	{ "exhausted its memory", WHISK_OUT_OF_MEMORY },
	{ "exceeds allowed", WHISK_TOO_LARGE },
	{ "did not initialize", WHISK_LOST },
	{ "abnormally", WHISK_LOST },
	{ "did not respond", WHISK_LOST },
	{ "internal error", WHISK_LOST },
};

static enum whisk_end failed_end(const char *status, const char *error)
{
	for (size_t i = 0; error && i < sizeof words / sizeof *words; i++)
		if (strstr(error, words[i].text))
			return words[i].end;
	return status && strcmp(status, "whisk internal error") == 0 ? WHISK_LOST : WHISK_FAILED;
}

static void read_activation(json_t *o, struct arena *ar, struct whisk_said *s)
{
	json_t *response = json_object_get(o, "response");
	json_t *result = json_object_get(response, "result");
	const char *status = json_string_value(json_object_get(response, "status"));
	double ms = json_number_value(json_object_get(o, "duration"));

	s->duration_s = ms > 0 && ms < 1e9 ? ms / 1000 : 0;
	s->init_s = annotation_s(o, "initTime");
	s->wait_s = annotation_s(o, "waitTime");
	s->log = join_logs(json_object_get(o, "logs"), ar);
	if (json_is_true(json_object_get(response, "success"))) {
		s->end = WHISK_ANSWERED;
		s->result = json_bytes(result, ar);
		return;
	}
	s->error = error_text(result, ar);
	s->end = failed_end(status, s->error);
}

/* ---- an answer */

static enum whisk_end by_status(int status)
{
	static const struct { int status; enum whisk_end end; } all[] = {
		{ 401, WHISK_DENIED }, { 403, WHISK_DENIED }, { 404, WHISK_ABSENT },
		{ 408, WHISK_BUSY }, { 413, WHISK_TOO_LARGE }, { 429, WHISK_THROTTLED },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i].status == status)
			return all[i].end;
	return status >= 500 ? WHISK_BUSY : WHISK_REFUSED;
}

static bool is_plain_id(const char *s)
{
	return s && *s && strlen(s) <= 64 &&
		strspn(s, "0123456789abcdefABCDEF-") == strlen(s);
}

static void read_body(const struct http_answer *a, bool is_poll, struct arena *ar,
		      struct whisk_said *s)
{
	json_t *o = json_loadb(a->body.p, a->body.n, 0, NULL);
	const char *id = json_string_value(json_object_get(o, "activationId"));

	if (is_plain_id(id))
		s->activation = arena_str(ar, id);
	if (is_poll && a->status == 404)
		s->end = WHISK_PENDING;
	else if (a->status == 202 && s->activation)
		s->end = WHISK_PENDING;
	else if (json_is_object(json_object_get(o, "response")))
		read_activation(o, ar, s);
	else {
		s->end = by_status(a->status);
		s->error = error_text(o, ar);
	}
	json_decref(o);
}

void whisk_answer_read(const struct http_answer *a, const struct err *e, bool is_poll,
		       struct arena *ar, struct whisk_said *out)
{
	*out = (struct whisk_said){ .log = { "", 0 }, .result = { "", 0 } };
	if (!e) {
		read_body(a, is_poll, ar, out);
		return;
	}
	out->error = arena_str(ar, e->text);
	out->end = e->code == ERR_REFUSED ? WHISK_TOO_LARGE :
		a->was_sent ? WHISK_CUT : WHISK_UNREACHED;
}
