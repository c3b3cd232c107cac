/* worker.c - one step at a time on behalf of somebody else
 *
 * The step runs as gg force would run it: by an engine that is opened for the
 * project's root that the request names.
 */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "closure.h"
#include "file.h"

enum { MAX_BYTES = 4 << 20 };

struct worker {
	struct worker_opts o;
	struct backend *backend;
	char *root;                     /* that the backend is open for */
};

/* One request on its way. */
struct doing {
	struct worker *w;
	struct arena *a;
	const struct message_request *q;
	struct message_gather gather;   /* what the outputs hold */
	struct message_report *report;  /* of the step that runs */
	struct err err;                 /* of its outputs; code 0: none */
	bool is_done;
};

struct worker *worker_new(const struct worker_opts *o)
{
	struct worker *w = mem_alloc(sizeof *w);

	*w = (struct worker){ .o = *o };
	return w;
}

static void close_engine(struct worker *w)
{
	if (w->backend)
		w->o.engine->close(w->backend);
	free(w->root);
	w->backend = NULL;
	w->root = NULL;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	close_engine(w);
	free(w);
}

static int open_engine(struct worker *w, const char *root, struct err *e)
{
	struct backend_opts o = { .loop = w->o.loop, .store = w->o.store,
				  .store_dir = w->o.store_dir, .self = w->o.self };
	struct err ignored;

	if (!root || dir_make(AT_FDCWD, root, &ignored) < 0)
		root = w->o.spare_root;
	if (w->backend && strcmp(w->root, root) == 0)
		return 0;
	close_engine(w);
	w->root = mem_str(root);
	o.project_root = w->root;
	return w->o.engine->open(&o, "", &w->backend, e);
}

/* ---- before it runs */

static bool satisfies(const struct worker *w, const struct id *closure)
{
	for (size_t i = 0; i < w->o.n_closures; i++)
		if (id_equal(&w->o.closures[i], closure))
			return true;
	return false;
}

static int keep_objects(struct worker *w, const struct message_request *q, struct err *e)
{
	for (size_t i = 0; i < q->objects.n; i++)
		if (store_put_named(w->o.store, &q->objects.v[i].id, q->objects.v[i].bytes,
				    e) < 0)
			return -1;
	return store_flush(w->o.store, e);
}

static int check_step(struct worker *w, const struct message_step *step, struct arena *a,
		      struct err *e)
{
	struct thunk t;

	if (thunk_decode(step->thunk, a, &t, e) < 0)
		return err_wrap(e, "thunk");
	if (!thunk_is_reduced(&t))
		return err_set(e, ERR_BAD, "thunk: an input is another step's output still");
	if (t.runtime != RUNTIME_CLOSURE)
		return err_set(e, ERR_REFUSED, "a worker runs steps that have a closure; this "
			       "one belongs to one machine");
	if (!satisfies(w, &t.runtime_id))
		return err_set(e, ERR_REFUSED, "the closure %.12s is not in this image: make "
			       "one with gg image for this step", id_hex(&t.runtime_id).s);
	return 0;
}

/* ---- after it */

static void copy_result(struct arena *a, struct result *r)
{
	struct result_out *v = arena_alloc(a, (r->n + 1) * sizeof *v);

	for (size_t i = 0; i < r->n; i++) {
		v[i] = r->v[i];
		v[i].name = arena_str(a, v[i].name);
		if (v[i].ref.out)
			v[i].ref.out = arena_str(a, v[i].ref.out);
	}
	r->v = v;
}

static void on_done(struct job *j, const struct run_report *r)
{
	struct doing *d = j->arg;
	struct run_report *copy = &d->report->report;

	*copy = *r;
	copy_result(d->a, &copy->result);
	copy->log = arena_bytes(d->a, r->log);
	copy->text = r->text ? arena_str(d->a, r->text) : NULL;
	copy->undeclared = r->undeclared ? arena_str(d->a, r->undeclared) : NULL;
	for (size_t i = 0; r->status == RUN_OK && i < copy->result.n && !d->err.code; i++)
		if (message_gather(&d->gather, &copy->result.v[i].ref, &d->err) < 0)
			err_wrap(&d->err, "output %s", copy->result.v[i].name);
	d->is_done = true;
}

/* The machinery's word instead of the step's. */
static void refuse(struct doing *d, enum run_status status, const struct err *why)
{
	d->report->report.status = status;
	d->report->report.text = arena_str(d->a, why->text);
}

static double shorter(double a, double b)
{
	return a > 0 && (b <= 0 || a < b) ? a : b;
}

static void run_step(struct doing *d, const struct message_step *step, double limit_s)
{
	struct worker *w = d->w;
	struct job j = { .reduced = id_of(step->thunk), .text = step->thunk,
			 .host = step->host, .is_watched = step->is_watched,
			 .timeout_s = shorter(step->timeout_s, limit_s),
			 .done = on_done, .arg = d };
	struct err e;

	d->report->step = j.reduced;
	d->is_done = false;
	d->err.code = ERR_NONE;
	if (check_step(w, step, d->a, &e) < 0) {
		refuse(d, RUN_NOT_STARTED, &e);
		return;
	}
	if (keep_objects(w, d->q, &e) < 0 || open_engine(w, d->q->root, &e) < 0 ||
	    w->o.engine->start(w->backend, &j, &e) < 0) {
		refuse(d, RUN_CELL_FAILED, &e);
		return;
	}
	loop_run(w->o.loop, &d->is_done);
	if (d->err.code)
		refuse(d, RUN_CELL_FAILED, &d->err);
}

static uint64_t answer_room(const struct worker *w, const struct message_request *q)
{
	uint64_t max = w->o.max_bytes ? w->o.max_bytes : MAX_BYTES;

	return q->max_bytes && q->max_bytes < max ? q->max_bytes : max;
}

int worker_do(struct worker *w, struct bytes request, double limit_s, struct buf *out,
	      struct err *e)
{
	struct arena a = { 0 };
	struct message_request q;
	struct message_answer m;
	struct message_report *reports;
	struct doing d = { .w = w, .a = &a, .q = &q };
	int rc = message_read_request(request, &a, &q, e);

	if (rc == 0) {
		reports = arena_alloc(&a, q.n_steps * sizeof *reports);
		d.gather = (struct message_gather){ .store = w->o.store, .arena = &a,
						    .takes_all = true };
		d.gather.all_max = answer_room(w, &q);
		for (size_t i = 0; i < q.n_steps; i++) {
			d.report = &reports[i];
			run_step(&d, &q.steps[i], limit_s);
		}
		m = (struct message_answer){ .reports = reports, .n_reports = q.n_steps,
					     .objects = d.gather.inside,
					     .is_json = q.is_json };
		message_put_answer(&m, out);
		message_gather_release(&d.gather);
		message_objects_release(&q.objects);
	}
	arena_release(&a);
	return rc;
}

/* ---- what an image holds */

int worker_read_closures(struct bytes text, struct arena *a, struct id **out, size_t *n,
			 struct err *e)
{
	*n = 0;
	*out = arena_alloc(a, (text.n / ID_HEX + 1) * sizeof **out);
	for (size_t at = 0; at < text.n; at += ID_HEX + 1) {
		if (text.n - at <= ID_HEX || text.p[at + ID_HEX] != '\n' ||
		    !id_parse((struct bytes){ text.p + at, ID_HEX }, &(*out)[*n]))
			return err_set(e, ERR_BAD, "line %zu is no name of a closure", *n + 1);
		(*n)++;
	}
	return 0;
}

int worker_read_trees(struct store *s, struct bytes text, struct err *e)
{
	struct arena a = { 0 };
	int rc = 0;

	while (text.n && rc == 0) {
		const char *gap = memmem(text.p, text.n, "\n\n", 2);
		struct bytes one = { text.p, gap ? (size_t)(gap - text.p) + 1 : text.n };
		struct tree t;
		struct id id;

		rc = tree_decode(one, &a, &t, e);
		if (rc == 0)
			rc = store_put(s, one, &id, e);
		text.p += one.n + (gap != NULL);
		text.n -= one.n + (gap != NULL);
		arena_reset(&a);
	}
	arena_release(&a);
	return rc < 0 ? -1 : store_flush(s, e);
}
