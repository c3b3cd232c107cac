/* message.c - one step to a worker, and what it gave, as JSON */
#include "message.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base64.h"

enum { VERSION = 1 };

static const char *const statuses[RUN_STATUS_COUNT] = {
	[RUN_OK] = "ok", [RUN_EXITED] = "exited", [RUN_SIGNALED] = "signaled",
	[RUN_TIMED_OUT] = "timed-out", [RUN_NOT_STARTED] = "not-started",
	[RUN_NO_OUTPUT] = "no-output", [RUN_BAD_OUTPUT] = "bad-output",
	[RUN_WROTE_INPUT] = "wrote-input", [RUN_UNDECLARED] = "undeclared",
	[RUN_LOST_INPUT] = "lost-input", [RUN_CELL_FAILED] = "cell-failed",
	[RUN_OUT_OF_MEMORY] = "out-of-memory", [RUN_LOST_WORKER] = "lost-worker",
	[RUN_THROTTLED] = "throttled", [RUN_UNREACHABLE] = "unreachable",
};

/* ---- writing */

static void put64(json_t *o, const char *key, struct bytes b)
{
	struct buf text = { 0 };

	base64_encode(b, &text);
	json_object_set_new(o, key, json_stringn(text.p, text.n));
	buf_release(&text);
}

/* As it is where JSON can hold it, else under key64. */
static void put_text(json_t *o, const char *key, struct bytes b)
{
	json_t *s = b.n ? json_stringn(b.p, b.n) : NULL;
	char key64[32];

	if (s) {
		json_object_set_new(o, key, s);
	} else if (b.n) {
		snprintf(key64, sizeof key64, "%s64", key);
		put64(o, key64, b);
	}
}

static void put_number(json_t *o, const char *key, double value)
{
	if (value > 0)
		json_object_set_new(o, key, json_real(value));
}

static void put_objects(json_t *o, const struct message_objects *list)
{
	json_t *all = json_object();

	for (size_t i = 0; i < list->n; i++)
		put64(all, id_hex(&list->v[i].id).s, list->v[i].bytes);
	json_object_set_new(o, "objects", all);
}

static int dump(const char *p, size_t n, void *arg)
{
	buf_add(arg, p, n);
	return 0;
}

static void put_json(json_t *o, struct buf *out)
{
	if (!o || json_dump_callback(o, dump, out, JSON_COMPACT) < 0)
		abort();
	json_decref(o);
}

void message_put_request(const struct message_request *r, struct buf *out)
{
	json_t *o = json_pack("{s:i}", "gg", VERSION);

	put_text(o, "thunk", r->thunk);
	put_objects(o, &r->objects);
	if (r->root)
		put_text(o, "root", bytes_str(r->root));
	put_number(o, "timeout", r->timeout_s);
	if (r->is_watched)
		json_object_set_new(o, "watched", json_true());
	put_json(o, out);
}

static void put_result(json_t *o, const struct result *r)
{
	struct buf text = { 0 };
	struct err e;

	if (result_encode(r, &text, &e) < 0)
		abort();                /* a cell has made it */
	put_text(o, "result", buf_bytes(&text));
	buf_release(&text);
}

void message_put_answer(const struct message_answer *m, struct buf *out)
{
	const struct run_report *r = &m->report;
	json_t *o = json_pack("{s:i s:s s:i}", "gg", VERSION, "status", statuses[r->status],
			      "code", r->code);

	if (r->status == RUN_OK)
		put_result(o, &r->result);
	put_objects(o, &m->objects);
	put64(o, "log", r->log);
	json_object_set_new(o, "log_dropped", json_integer((json_int_t)r->log_dropped_bytes));
	if (r->text)
		put_text(o, "text", bytes_str(r->text));
	if (r->undeclared)
		put_text(o, "undeclared", bytes_str(r->undeclared));
	if (!id_is_zero(&r->missing))
		put_text(o, "missing", bytes_str(id_hex(&r->missing).s));
	put_number(o, "seconds", r->seconds);
	put_number(o, "cpu", r->cpu_seconds);
	json_object_set_new(o, "rss", json_integer((json_int_t)r->max_rss_bytes));
	put_json(o, out);
}

/* ---- reading */

static int read64(json_t *s, const char *what, struct arena *a, struct bytes *out,
		  struct err *e)
{
	struct buf b = { 0 };
	bool is_good = json_is_string(s) &&
		base64_decode((struct bytes){ json_string_value(s), json_string_length(s) }, &b);

	if (is_good)
		*out = arena_bytes(a, buf_bytes(&b));
	buf_release(&b);
	return is_good ? 0 : err_set(e, ERR_BAD, "%s is no base64", what);
}

/* Absent is empty. */
static int read_text(json_t *o, const char *key, struct arena *a, struct bytes *out,
		     struct err *e)
{
	json_t *s = json_object_get(o, key);
	char key64[32];

	*out = (struct bytes){ "", 0 };
	if (json_is_string(s)) {
		*out = arena_bytes(a, (struct bytes){ json_string_value(s),
						      json_string_length(s) });
		return 0;
	}
	if (s)
		return err_set(e, ERR_BAD, "\"%s\" is no text", key);
	snprintf(key64, sizeof key64, "%s64", key);
	s = json_object_get(o, key64);
	return s ? read64(s, key64, a, out, e) : 0;
}

/* The same as a string, or NULL when it is empty; no NUL in it. */
static int read_string(json_t *o, const char *key, struct arena *a, const char **out,
		       struct err *e)
{
	struct bytes b;

	*out = NULL;
	if (read_text(o, key, a, &b, e) < 0)
		return -1;
	if (memchr(b.p, 0, b.n))
		return err_set(e, ERR_BAD, "\"%s\" has a NUL in it", key);
	if (b.n)
		*out = arena_strn(a, b.p, b.n);
	return 0;
}

static int read_number(json_t *o, const char *key, double *out, struct err *e)
{
	json_t *v = json_object_get(o, key);
	double d = json_number_value(v);

	if (v && (!json_is_number(v) || !(d >= 0 && d < 1e15)))
		return err_set(e, ERR_BAD, "\"%s\" is no amount", key);
	*out = d;
	return 0;
}

static int read_object(const char *key, json_t *value, struct arena *a,
		       struct message_object *out, struct err *e)
{
	struct id is;

	if (!id_parse(bytes_str(key), &out->id))
		return err_set(e, ERR_BAD, "\"%.80s\" is no name of an object", key);
	if (read64(value, key, a, &out->bytes, e) < 0)
		return -1;
	is = id_of(out->bytes);
	return id_equal(&is, &out->id) ? 0 :
		err_set(e, ERR_BAD, "the object %.12s holds other bytes: it was damaged on "
			"its way", key);
}

static int read_objects(json_t *o, struct arena *a, struct message_objects *out,
			struct err *e)
{
	json_t *all = json_object_get(o, "objects"), *value;
	const char *key;

	*out = (struct message_objects){ .room = json_object_size(all) };
	if (all && !json_is_object(all))
		return err_set(e, ERR_BAD, "\"objects\" is no object");
	out->v = mem_alloc((out->room + 1) * sizeof *out->v);
	json_object_foreach(all, key, value) {
		if (read_object(key, value, a, &out->v[out->n], e) < 0) {
			message_objects_release(out);
			return -1;
		}
		out->n_bytes += out->v[out->n++].bytes.n;
	}
	return 0;
}

static json_t *open_json(struct bytes text, struct err *e)
{
	json_error_t where;
	json_t *o = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
	json_int_t version = json_integer_value(json_object_get(o, "gg"));

	if (!o)
		err_set(e, ERR_BAD, "message, line %d, column %d: %s", where.line,
			where.column, where.text);
	else if (version == VERSION)
		return o;
	else
		err_set(e, ERR_BAD, "message: it is not of gg's version %d", VERSION);
	json_decref(o);
	return NULL;
}

static int read_request(json_t *o, struct arena *a, struct message_request *out,
			struct err *e)
{
	if (read_text(o, "thunk", a, &out->thunk, e) < 0 ||
	    read_string(o, "root", a, &out->root, e) < 0 ||
	    read_number(o, "timeout", &out->timeout_s, e) < 0)
		return -1;
	if (out->root && (out->root[0] != '/' || strcmp(out->root, "/") == 0))
		return err_set(e, ERR_BAD, "\"root\" is no absolute path of a folder");
	out->is_watched = json_is_true(json_object_get(o, "watched"));
	return read_objects(o, a, &out->objects, e);
}

int message_read_request(struct bytes json, struct arena *a,
			 struct message_request *out, struct err *e)
{
	json_t *o = open_json(json, e);
	int rc;

	*out = (struct message_request){ .root = NULL };
	if (!o)
		return -1;
	rc = read_request(o, a, out, e);
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

static int read_report(json_t *o, struct arena *a, struct run_report *r, struct err *e)
{
	json_t *log = json_object_get(o, "log");
	double dropped, rss;
	const char *missing;
	struct bytes result;

	if (read_status(o, r, e) < 0 || read_text(o, "result", a, &result, e) < 0 ||
	    (log && read64(log, "log", a, &r->log, e) < 0) ||
	    read_string(o, "text", a, &r->text, e) < 0 ||
	    read_string(o, "undeclared", a, &r->undeclared, e) < 0 ||
	    read_string(o, "missing", a, &missing, e) < 0 ||
	    read_number(o, "log_dropped", &dropped, e) < 0 ||
	    read_number(o, "seconds", &r->seconds, e) < 0 ||
	    read_number(o, "cpu", &r->cpu_seconds, e) < 0 || read_number(o, "rss", &rss, e) < 0)
		return -1;
	r->log_dropped_bytes = (uint64_t)dropped;
	r->max_rss_bytes = (uint64_t)rss;
	if (missing && !id_parse(bytes_str(missing), &r->missing))
		return err_set(e, ERR_BAD, "\"missing\" is no name of an object");
	if (r->status == RUN_OK)
		return result_decode(result, a, &r->result, e) < 0 ? err_wrap(e, "result") : 0;
	return r->text ? 0 : err_set(e, ERR_BAD, "a failure without a reason");
}

int message_read_answer(struct bytes json, struct arena *a,
			struct message_answer *out, struct err *e)
{
	json_t *o = open_json(json, e);
	int rc;

	*out = (struct message_answer){ .objects.n = 0 };
	if (!o)
		return -1;
	rc = read_report(o, a, &out->report, e);
	if (rc == 0)
		rc = read_objects(o, a, &out->objects, e);
	json_decref(o);
	return rc < 0 ? err_wrap(e, "message") : 0;
}
