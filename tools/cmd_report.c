/* cmd_report.c - gg report: a run as one page for a browser
 *
 * What the page shows is gathered here as one JSON value; how, is the script's
 * in report.html.  Nothing from a command or a log can become markup: the
 * value has no "<" in it, the script only makes text of it, and by its policy
 * the page runs no other script.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base64.h"
#include "gg.h"
#include "journal.h"
#include "report.h"
#include "shown.h"

enum { LOG_MAX = 16 << 10, LOGS_MAX = 200, CURVES_MAX = 300, LABEL_COLUMNS = 200,
       TAILS_MAX = 1000 };

struct node {
	struct id id;
	size_t index, needed_by;        /* needed_by: the last one + 1 */
	json_t *o, *needs;              /* borrowed */
	const char *log;                /* of its last run, or NULL */
};

struct report {
	struct ctx *c;
	struct arena *a;
	struct map nodes;               /* id -> struct node */
	struct node **v;
	size_t n, room, n_logs;
	struct map begun;               /* "SLOT ENGINE" -> its start */
	json_t *data, *thunks, *runs, *failed, *notices, *targets, *curves;
	json_int_t n_more_curves;
};

static struct node *reach(struct report *r, const struct id *id)
{
	struct node *n = map_get(&r->nodes, id_key(id));

	if (n)
		return n;
	n = arena_alloc(r->a, sizeof *n);
	*n = (struct node){ .id = *id, .index = r->n, .needs = json_array(),
			    .o = json_object() };
	json_object_set_new(n->o, "id", json_string(id_hex(id).s));
	json_object_set_new(n->o, "label", json_string(""));
	json_object_set_new(n->o, "needs", n->needs);
	json_object_set_new(n->o, "outs", json_array());
	json_array_append_new(r->thunks, n->o);
	*map_at(&r->nodes, id_key(&n->id)) = n;
	if (r->n == r->room) {
		r->room = r->room ? 2 * r->room : 256;
		r->v = mem_grow(r->v, r->room * sizeof *r->v);
	}
	r->v[r->n++] = n;
	return n;
}

/* The thunk that an event is about, or NULL. */
static struct node *reach_hex(struct report *r, json_t *hex)
{
	const char *s = json_string_value(hex);
	struct id id;

	return s && id_parse(bytes_str(s), &id) ? reach(r, &id) : NULL;
}

/* ---- events */

static void put_run(struct report *r, const struct node *n, json_t *begun, json_t *ran)
{
	json_t *o = json_copy(ran ? ran : begun);

	json_object_del(o, "event");
	json_object_del(o, "label");
	json_object_del(o, "log");
	json_object_del(o, "t");
	json_object_set_new(o, "thunk", json_integer((json_int_t)n->index));
	json_object_set(o, "from", json_object_get(begun ? begun : ran, "t"));
	if (begun && json_object_get(begun, "second"))
		json_object_set_new(o, "second", json_true());
	if (ran)
		json_object_set(o, "to", json_object_get(ran, "t"));
	json_array_append_new(r->runs, o);
}

static void on_start(struct report *r, json_t *o)
{
	struct node *n = reach_hex(r, json_object_get(o, "thunk"));
	void **at;

	if (!n || !json_is_string(json_object_get(o, "engine")))
		return;
	json_object_set(n->o, "label", json_object_get(o, "label"));
	at = map_at(&r->begun, bytes_str(arena_printf(r->a, "%lld %s",
			(long long)json_integer_value(json_object_get(o, "slot")),
			json_string_value(json_object_get(o, "engine")))));
	json_decref(*at);
	*at = json_incref(o);
}

static void on_ran(struct report *r, json_t *o)
{
	struct node *n = reach_hex(r, json_object_get(o, "thunk"));
	const char *log = json_string_value(json_object_get(o, "log"));
	const char *engine = json_string_value(json_object_get(o, "engine"));
	void **at;

	if (!n || !engine)
		return;
	n->log = log ? arena_str(r->a, log) : NULL;
	at = map_at(&r->begun, bytes_str(arena_printf(r->a, "%lld %s",
			(long long)json_integer_value(json_object_get(o, "slot")), engine)));
	put_run(r, n, *at, o);
	json_decref(*at);
	*at = NULL;
}

static void add_log(struct report *r, const struct node *n, json_t *o)
{
	struct arena a = { 0 };
	struct bytes b;
	struct err e;
	struct id id;

	if (!n->log || r->n_logs == LOGS_MAX || !id_parse(bytes_str(n->log), &id))
		return;
	if (store_get(r->c->store, &id, &a, &b, &e) < 0) {
		json_object_set_new(o, "gone", json_true());
	} else {
		if (b.n > LOG_MAX)
			b = (struct bytes){ b.p + b.n - LOG_MAX, LOG_MAX };
		json_object_set_new(o, "log", json_text(b));
		r->n_logs++;
	}
	arena_release(&a);
}

static void on_failed(struct report *r, json_t *o)
{
	struct node *n = reach_hex(r, json_object_get(o, "thunk"));
	struct node *cause = reach_hex(r, json_object_get(o, "cause"));
	json_t *f;

	if (!n)
		return;
	cause = cause ? cause : n;
	f = json_pack("{s:I s:I s:O* s:O*}", "thunk", (json_int_t)n->index, "cause",
		      (json_int_t)cause->index, "t", json_object_get(o, "t"), "text",
		      json_object_get(o, "text"));
	if (cause == n)
		add_log(r, n, f);
	if (json_is_string(json_object_get(o, "label")))
		json_object_set(n->o, "label", json_object_get(o, "label"));
	json_array_append_new(r->failed, f);
}

static void on_targets(struct report *r, json_t *o)
{
	json_t *paths = json_object_get(o, "paths");
	struct node *n;

	for (size_t i = 0; i < json_array_size(paths); i++) {
		json_t *x = json_array_get(paths, i);

		if ((n = reach_hex(r, json_array_get(x, 1))))
			json_array_append_new(r->targets, json_pack("[O,I]", json_array_get(x, 0),
					(json_int_t)n->index));
	}
}

static void on_run(struct report *r, json_t *o)
{
	json_object_update(r->data, o);
	json_object_del(r->data, "event");
}

static void on_end(struct report *r, json_t *o)
{
	json_object_set(r->data, "end", o);
}

static void on_notice(struct report *r, json_t *o)
{
	json_array_append(r->notices, o);
}

static int take(void *arg, const char *event, json_t *o)
{
	static const struct {
		const char *name;
		void (*fn)(struct report *r, json_t *o);
	} on[] = {
		{ "run", on_run }, { "start", on_start }, { "ran", on_ran },
		{ "failed", on_failed }, { "notice", on_notice }, { "targets", on_targets },
		{ "end", on_end },
	};

	for (size_t i = 0; i < sizeof on / sizeof *on; i++)
		if (strcmp(event, on[i].name) == 0)
			on[i].fn(arg, o);
	return 0;
}

/* What was begun and has no end: gg was killed, or is at it still. */
static void take_open(struct report *r)
{
	size_t pos = 0;
	struct bytes key;
	void *begun;

	while (map_each(&r->begun, &pos, &key, &begun)) {
		if (begun)
			put_run(r, reach_hex(r, json_object_get(begun, "thunk")), begun, NULL);
		json_decref(begun);
	}
}

/* ---- thunks */

static void need(struct node *n, struct node *on)
{
	if (on == n || on->needed_by == n->index + 1)
		return;
	on->needed_by = n->index + 1;
	json_array_append_new(n->needs, json_integer((json_int_t)on->index));
}

/* n reads an output of a thunk, and of those that stood in for it. */
static void need_value(struct report *r, struct node *n, const struct ref *from, struct arena *a)
{
	struct ref ref = *from;
	struct result result;
	const struct ref *next = &ref;
	struct err ignored;

	for (int i = 0; i < TAILS_MAX && next && next->kind == REF_THUNK; i++) {
		ref = *next;
		need(n, reach(r, &ref.id));
		next = store_get_result(r->c->store, &ref.id, a, &result, &ignored) == 0 ?
			result_output(&result, ref.out) : NULL;
	}
}

static void add_curves(struct report *r, const struct node *n, const struct thunk *t,
		       const struct result *result)
{
	json_t *found = json_array(), *o;

	report_curves(r->c->store, t, result, found);
	for (size_t i = 0; i < json_array_size(found); i++) {
		o = json_array_get(found, i);
		json_object_set_new(o, "thunk", json_integer((json_int_t)n->index));
		if (json_array_size(r->curves) < CURVES_MAX)
			json_array_append(r->curves, o);
		else
			r->n_more_curves++;
	}
	json_decref(found);
}

static void describe(struct report *r, struct node *n, const struct thunk *t, struct arena *a)
{
	json_t *outs = json_object_get(n->o, "outs");
	struct result result;
	struct err ignored;

	json_object_set_new(n->o, "label", json_name(thunk_label(t, a, LABEL_COLUMNS)));
	for (size_t i = 0; i < t->n_out; i++)
		json_array_append_new(outs, json_name(t->out[i].path));
	for (size_t i = 0; i < t->n_in; i++)
		need_value(r, n, &t->in[i].ref, a);
	if (store_get_result(r->c->store, &n->id, a, &result, &ignored) < 0)
		return;
	json_object_set_new(n->o, "done", json_true());
	add_curves(r, n, t, &result);
}

static void gather_thunks(struct report *r)
{
	struct arena a = { 0 };
	struct bytes text;
	struct thunk t;
	struct err ignored;

	for (size_t i = 0; i < r->n; i++, arena_reset(&a))
		if (store_get(r->c->store, &r->v[i]->id, &a, &text, &ignored) == 0 &&
		    thunk_decode(text, &a, &t, &ignored) == 0)
			describe(r, r->v[i], &t, &a);
	arena_release(&a);
}

/* ---- the page */

static int dump(const char *p, size_t n, void *arg)
{
	for (const char *end = p + n, *at; p < end; p = at) {
		at = memchr(p, '<', (size_t)(end - p));
		at = at ? at : end;
		buf_add(arg, p, (size_t)(at - p));
		if (at < end) {
			buf_str(arg, "\\u003c");
			at++;
		}
	}
	return 0;
}

/* What the policy of the page lets run: the text between the last tags. */
static void add_hash(struct bytes page, struct buf *out)
{
	static const char open[] = "<script>", close[] = "</script>";
	const char *from = memmem(page.p, page.n, open, sizeof open - 1);
	const char *end = page.p + page.n, *to;
	struct id hash;

	from += sizeof open - 1;
	to = memmem(from, (size_t)(end - from), close, sizeof close - 1);
	hash = id_of((struct bytes){ from, (size_t)(to - from) });
	buf_str(out, "sha256-");
	base64_encode((struct bytes){ (const char *)hash.b, ID_BYTES }, out);
}

static void make_page(struct report *r, struct buf *out)
{
	static const char hash[] = "@HASH@", data[] = "@DATA@";
	struct bytes page = { (const char *)report_page, report_page_size };
	const char *hash_at = memmem(page.p, page.n, hash, sizeof hash - 1);
	const char *data_at = memmem(page.p, page.n, data, sizeof data - 1);

	assert(hash_at && data_at && hash_at < data_at);
	buf_add(out, page.p, (size_t)(hash_at - page.p));
	add_hash(page, out);
	hash_at += sizeof hash - 1;
	buf_add(out, hash_at, (size_t)(data_at - hash_at));
	if (json_dump_callback(r->data, dump, out, JSON_COMPACT | JSON_REAL_PRECISION(9)) < 0)
		abort();
	data_at += sizeof data - 1;
	buf_add(out, data_at, (size_t)(page.p + page.n - data_at));
}

static int write_page(struct report *r, struct err *e)
{
	const char *file = r->c->o.output ? r->c->o.output : "report.html";
	struct buf page = { 0 };
	int rc;

	make_page(r, &page);
	rc = output_write(file, buf_bytes(&page), e);
	if (rc == 0 && strcmp(file, "-") != 0)
		printf("%s\n", file);
	buf_release(&page);
	return rc;
}

static json_t *list_in(json_t *data, const char *name)
{
	json_t *list = json_array();

	json_object_set_new(data, name, list);
	return list;
}

static void begin(struct report *r)
{
	r->data = json_pack("{s:s s:s s:[] s:[]}", "run", "", "time", "", "command", "engines");
	r->thunks = list_in(r->data, "thunks");
	r->runs = list_in(r->data, "runs");
	r->failed = list_in(r->data, "failed");
	r->notices = list_in(r->data, "notices");
	r->targets = list_in(r->data, "targets");
	r->curves = list_in(r->data, "curves");
}

int cmd_report(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct report r = { .c = c, .a = &c->arena };
	const char *store_dir = c->project.store_dir, *run;
	struct bytes text;
	int rc;

	if (argc > 1)
		return err_set(e, ERR_USAGE, "gg report takes one run; see gg history");
	if (journal_find(store_dir, argc ? argv[0] : "last", r.a, &run, e) < 0 ||
	    journal_read(store_dir, run, r.a, &text, e) < 0)
		return -1;
	begin(&r);
	rc = journal_each(text, take, &r, e);
	if (rc < 0)
		err_wrap(e, "run %s", run);
	take_open(&r);
	if (rc == 0) {
		gather_thunks(&r);
		json_object_set_new(r.data, "more_curves", json_integer(r.n_more_curves));
		rc = write_page(&r, e);
	}
	json_decref(r.data);
	map_release(&r.nodes);
	map_release(&r.begun);
	free(r.v);
	return rc < 0 ? -1 : EXIT_FINE;
}
