/* message.c - requests to workers, and their answers */
#include "message.h"

#include <stdlib.h>
#include <string.h>
#include "message_fields.h"

enum { VERSION = 1, STEPS_MAX = 100000 };

static const char *const statuses[RUN_STATUS_COUNT] = {
	[RUN_OK] = "ok", [RUN_EXITED] = "exited", [RUN_SIGNALED] = "signaled",
	[RUN_TIMED_OUT] = "timed-out", [RUN_NOT_STARTED] = "not-started",
	[RUN_NO_OUTPUT] = "no-output", [RUN_BAD_OUTPUT] = "bad-output",
	[RUN_WROTE_INPUT] = "wrote-input", [RUN_UNDECLARED] = "undeclared",
	[RUN_LOST_INPUT] = "lost-input", [RUN_CELL_FAILED] = "cell-failed",
	[RUN_OUT_OF_MEMORY] = "out-of-memory", [RUN_LOST_WORKER] = "lost-worker",
	[RUN_THROTTLED] = "throttled", [RUN_UNREACHABLE] = "unreachable",
	[RUN_OUT_OF_REACH] = "out-of-reach",
	[RUN_STOPPED] = "stopped", [RUN_DISK_FULL] = "disk-full",
};

const char *run_status_name(enum run_status s)
{
	return (unsigned)s < RUN_STATUS_COUNT ? statuses[s] : "unknown";
}

/* ---- writing */

static json_t *step_json(const struct message_step *s)
{
	json_t *o = json_object();

	field_put(o, "thunk", s->thunk);
	field_put(o, "host", s->host);
	field_put_number(o, "timeout", s->timeout_s);
	if (s->is_watched)
		json_object_set_new(o, "watched", json_true());
	if (s->checkpoint)
		field_put(o, "checkpoint", bytes_str(s->checkpoint));
	field_put_number(o, "gpus", s->gpus);
	return o;
}

static void put_remotes(json_t *o, const char *const *uris)
{
	json_t *list = json_array();

	for (; *uris; uris++)
		json_array_append_new(list, json_string(*uris));
	json_object_set_new(o, "remotes", list);
}

void message_put_request(const struct message_request *r, struct buf *out)
{
	json_t *steps = json_array(), *o = json_pack("{s:i}", "gg", VERSION);

	if (r->root)
		field_put(o, "root", bytes_str(r->root));
	for (size_t i = 0; i < r->n_steps; i++)
		json_array_append_new(steps, step_json(&r->steps[i]));
	json_object_set_new(o, "steps", steps);
	if (r->remotes && *r->remotes)
		put_remotes(o, r->remotes);
	field_put_number(o, "max_bytes", (double)r->max_bytes);
	field_put_message(o, &r->objects, r->is_json, out);
}

static void put_result(json_t *o, const struct result *r)
{
	struct buf text = { 0 };
	struct err e;

	if (result_encode(r, &text, &e) < 0)
		abort();                /* a cell has made it */
	field_put(o, "result", buf_bytes(&text));
	buf_release(&text);
}

static json_t *report_json(const struct message_report *m)
{
	const struct run_report *r = &m->report;
	json_t *o = json_pack("{s:s s:s s:i}", "step", id_hex(&m->step).s,
			      "status", statuses[r->status], "code", r->code);

	if (r->status == RUN_OK || (r->status == RUN_STOPPED && r->result.n))
		put_result(o, &r->result);
	field_put(o, "log", r->log);
	field_put_number(o, "log_dropped", (double)r->log_dropped_bytes);
	if (r->text)
		field_put(o, "text", bytes_str(r->text));
	if (r->undeclared)
		field_put(o, "undeclared", bytes_str(r->undeclared));
	if (r->is_blamed)
		json_object_set_new(o, "blamed", json_true());
	if (!id_is_zero(&r->missing))
		field_put(o, "missing", bytes_str(id_hex(&r->missing).s));
	field_put_number(o, "seconds", r->seconds);
	field_put_number(o, "cpu", r->cpu_seconds);
	field_put_number(o, "rss", (double)r->max_rss_bytes);
	if (r->is_cold)
		json_object_set_new(o, "cold", json_true());
	return o;
}

void message_put_answer(const struct message_answer *m, struct buf *out)
{
	json_t *answers = json_array(), *o = json_pack("{s:i}", "gg", VERSION);

	for (size_t i = 0; i < m->n_reports; i++)
		json_array_append_new(answers, report_json(&m->reports[i]));
	json_object_set_new(o, "answers", answers);
	field_put_ids(o, "elsewhere", m->elsewhere, m->n_elsewhere);
	field_put_message(o, &m->objects, m->is_json, out);
}

/* ---- reading */

static int read_step(json_t *o, struct arena *a, struct message_step *out, struct err *e)
{
	if (!json_is_object(o))
		return err_set(e, ERR_BAD, "a step is no object");
	if (field_read(o, "thunk", a, &out->thunk, e) < 0 ||
	    field_read(o, "host", a, &out->host, e) < 0 ||
	    field_read_string(o, "checkpoint", a, &out->checkpoint, e) < 0 ||
	    field_read_number(o, "timeout", &out->timeout_s, e) < 0 ||
	    field_read_number(o, "gpus", &out->gpus, e) < 0)
		return -1;
	out->is_watched = json_is_true(json_object_get(o, "watched"));
	return 0;
}

/* The list called key, of 1 to STEPS_MAX entries. */
static int read_list(json_t *o, const char *key, json_t **out, size_t *n, struct err *e)
{
	if (field_read_array(o, key, out, e) < 0)
		return -1;
	*n = json_array_size(*out);
	if (*n >= 1 && *n <= STEPS_MAX)
		return 0;
	return err_set(e, ERR_BAD, "it has %zu %s", *n, key);
}

static int read_steps(json_t *o, struct arena *a, struct message_request *out,
		      struct err *e)
{
	struct message_step *v;
	json_t *list;

	if (read_list(o, "steps", &list, &out->n_steps, e) < 0)
		return -1;
	out->steps = v = arena_alloc(a, out->n_steps * sizeof *v);
	for (size_t i = 0; i < out->n_steps; i++)
		if (read_step(json_array_get(list, i), a, &v[i], e) < 0)
			return err_wrap(e, "step %zu", i + 1);
	return 0;
}

static int read_remotes(json_t *o, struct arena *a, struct message_request *out,
			struct err *e)
{
	const char **v;
	json_t *list;
	size_t n;

	if (field_read_array(o, "remotes", &list, e) < 0)
		return -1;
	n = json_array_size(list);
	v = arena_alloc(a, (n + 1) * sizeof *v);
	for (size_t i = 0; i < n; i++) {
		json_t *s = json_array_get(list, i);
		const char *uri = json_string_value(s);

		if (!uri || strlen(uri) != json_string_length(s))
			return err_set(e, ERR_BAD, "a remote is no text");
		v[i] = arena_str(a, uri);
	}
	out->remotes = v;
	return 0;
}

static int read_request(json_t *o, struct arena *a, struct message_request *out,
			struct err *e)
{
	double max;

	if (field_read_string(o, "root", a, &out->root, e) < 0 ||
	    read_steps(o, a, out, e) < 0 || read_remotes(o, a, out, e) < 0 ||
	    field_read_number(o, "max_bytes", &max, e) < 0)
		return -1;
	out->max_bytes = (uint64_t)max;
	if (out->root && (out->root[0] != '/' || strcmp(out->root, "/") == 0))
		return err_set(e, ERR_BAD, "\"root\" is no absolute path of a folder");
	return 0;
}

int message_read_request(struct bytes text, struct arena *a,
			 struct message_request *out, struct err *e)
{
	struct bytes behind;
	json_t *o;
	int rc;

	*out = (struct message_request){ .root = NULL };
	o = field_open(text, &out->is_json, &behind, e);
	if (!o)
		return -1;
	rc = read_request(o, a, out, e);
	if (rc == 0)
		rc = field_read_objects(o, out->is_json, behind, a, &out->objects, e);
	json_decref(o);
	return rc < 0 ? err_wrap(e, "message") : 0;
}

static int read_status(json_t *o, struct run_report *r, struct err *e)
{
	const char *s = json_string_value(json_object_get(o, "status"));
	json_t *code = json_object_get(o, "code");

	r->code = (int)json_integer_value(code);
	for (int i = 0; s && i < RUN_STATUS_COUNT; i++)
		if (strcmp(statuses[i], s) == 0) {
			r->status = (enum run_status)i;
			return 0;
		}
	return err_set(e, ERR_BAD, "no status that is known");
}

static int read_checkpoint(struct bytes text, struct arena *a, struct run_report *r,
			   struct err *e)
{
	const struct result *given = &r->result;

	if (result_decode(text, a, &r->result, e) < 0)
		return err_wrap(e, "result");
	if (given->n == 1 && strcmp(given->v[0].name, RUN_CHECKPOINT) == 0 &&
	    given->v[0].ref.kind != REF_THUNK)
		return 0;
	return err_set(e, ERR_BAD, "what it has left is no checkpoint");
}

static int read_report(json_t *o, struct arena *a, struct run_report *r, struct err *e)
{
	double dropped, rss;
	struct bytes result;

	if (read_status(o, r, e) < 0 || field_read(o, "result", a, &result, e) < 0 ||
	    field_read(o, "log", a, &r->log, e) < 0 ||
	    field_read_string(o, "text", a, &r->text, e) < 0 ||
	    field_read_string(o, "undeclared", a, &r->undeclared, e) < 0 ||
	    field_read_id(o, "missing", &r->missing, e) < 0 ||
	    field_read_number(o, "log_dropped", &dropped, e) < 0 ||
	    field_read_number(o, "seconds", &r->seconds, e) < 0 ||
	    field_read_number(o, "cpu", &r->cpu_seconds, e) < 0 ||
	    field_read_number(o, "rss", &rss, e) < 0)
		return -1;
	r->log_dropped_bytes = (uint64_t)dropped;
	r->max_rss_bytes = (uint64_t)rss;
	r->is_blamed = json_is_true(json_object_get(o, "blamed"));
	r->is_cold = json_is_true(json_object_get(o, "cold"));
	if (r->status == RUN_OK)
		return result_decode(result, a, &r->result, e) < 0 ? err_wrap(e, "result") : 0;
	if (r->status == RUN_STOPPED && result.n && read_checkpoint(result, a, r, e) < 0)
		return -1;
	return r->text ? 0 : err_set(e, ERR_BAD, "a failure without a reason");
}

static int read_reports(json_t *o, struct arena *a, struct message_answer *out,
			struct err *e)
{
	struct message_report *v;
	json_t *list;

	if (read_list(o, "answers", &list, &out->n_reports, e) < 0)
		return -1;
	out->reports = v = arena_alloc(a, out->n_reports * sizeof *v);
	for (size_t i = 0; i < out->n_reports; i++) {
		json_t *one = json_array_get(list, i);

		if (!json_is_object(one))
			return err_set(e, ERR_BAD, "an answer is no object");
		if (field_read_id(one, "step", &v[i].step, e) < 0 ||
		    read_report(one, a, &v[i].report, e) < 0)
			return err_wrap(e, "answer %zu", i + 1);
		if (id_is_zero(&v[i].step))
			return err_set(e, ERR_BAD, "an answer does not name its step");
	}
	return 0;
}

int message_read_answer(struct bytes text, struct arena *a,
			struct message_answer *out, struct err *e)
{
	struct bytes behind;
	json_t *o;
	int rc;

	*out = (struct message_answer){ .objects.n = 0 };
	o = field_open(text, &out->is_json, &behind, e);
	if (!o)
		return -1;
	rc = read_reports(o, a, out, e);
	if (rc == 0)
		rc = field_read_ids(o, "elsewhere", a, &out->elsewhere, &out->n_elsewhere, e);
	if (rc == 0)
		rc = field_read_objects(o, out->is_json, behind, a, &out->objects, e);
	json_decref(o);
	return rc < 0 ? err_wrap(e, "message") : 0;
}
