/* infer.c - one command becomes a thunk, or runs for real
 *
 * A model says what the command reads and writes; everything else here makes
 * sure that deferring it is right: its streams, its paths, its inputs.  What
 * cannot be expressed runs for real rather than wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "builtin.h"
#include "file.h"
#include "gather.h"

/* One question to infer_command(). */
struct question {
	struct gather g;
	struct binding b;
	struct thunk t;
	struct output *out;             /* t.out, writable */
	struct buf *why;
	struct buf text;
};

int infer_new(const struct infer_opts *o, struct infer **out, struct err *e)
{
	struct infer *in = mem_alloc(sizeof *in);

	(void)e;
	memset(in, 0, sizeof *in);
	in->o = *o;
	*out = in;
	return 0;
}

void infer_free(struct infer *in)
{
	if (!in)
		return;
	machine_release(&in->machine);
	map_release(&in->output_dirs);
	map_release(&in->failed);
	arena_release(&in->arena);
	free(in);
}

static enum infer_verdict real(struct question *q, const char *fmt, const char *what)
{
	if (q->b.rule)
		buf_printf(q->why, "%s: ", q->b.rule);
	buf_str(q->why, "runs for real: ");
	buf_printf(q->why, fmt, what);
	buf_char(q->why, '\n');
	return INFER_REAL;
}

/* The thunk's own environment: the variables the model names that are set. */
static void bind_env(struct question *q)
{
	const struct command *c = q->g.c;
	struct thunk *t = &q->t;
	bool has_pwd = false;

	if (!q->b.n_env)
		return;
	t->env = arena_alloc(q->g.a, (c->n_env + 1) * sizeof *t->env);
	for (size_t i = 0; i < c->n_env; i++) {
		size_t n = strcspn(c->env[i], "=");
		char *name;

		if (!c->env[i][n] || !n || q->g.in->o.env_is_fixed(c->env[i]))
			continue;
		name = arena_strn(q->g.a, c->env[i], n);
		has_pwd |= strcmp(name, "PWD") == 0;
		for (size_t k = 0; k < q->b.n_env; k++)
			if (fnmatch(q->b.env[k], name, 0) == 0) {
				t->env[t->n_env++] = c->env[i];
				break;
			}
	}
	for (size_t k = 0; !has_pwd && k < q->b.n_env; k++)
		if (strcmp(q->b.env[k], "PWD") == 0)
			t->env[t->n_env++] = arena_printf(q->g.a, "PWD=%s", c->cwd);
}

/* Outputs: inside the project, no path twice, none inside another. */
static int bind_outputs(struct question *q, struct err *e)
{
	const struct project *p = q->g.in->o.project;
	const struct command *c = q->g.c;
	size_t n = q->b.n_writes;

	q->out = arena_alloc(q->g.a, (n + 2) * sizeof *q->out);
	for (size_t i = 0; i < n + 2; i++) {
		const struct bound_write *w = i < n ? &q->b.writes[i] : NULL;
		int fd = i < n ? 0 : (int)(i - n) + 1;
		const char *path = w ? w->path : c->std[fd].path;
		struct output *o = &q->out[q->t.n_out];
		bool inside;

		if (!w && c->std[fd].kind != STREAM_FILE)
			continue;
		o->path = project_path(p, q->g.a, c->cwd, path, &inside);
		if (!inside || strcmp(o->path, ".") == 0)
			return err_set(e, ERR_REFUSED,
				       "%s: would write %s, which is outside the "
				       "project %s; gg keeps outputs inside it",
				       path_base(c->args[0]), o->path, p->root);
		o->name = w ? w->name : fd == 1 ? "stdout" : "stderr";
		o->is_dir = w && w->is_dir;
		if (!w && fd == 2 && q->t.std[1] && strcmp(q->t.std[1], o->path) == 0) {
			q->t.std[2] = q->t.std[1];
			continue;
		}
		if (!w)
			q->t.std[fd] = o->path;
		q->t.n_out++;
	}
	q->t.out = q->out;
	return 0;
}

/* Build tools read such a file as soon as the command has ended, one after
 * another. */
static const char *rules_file(const struct question *q)
{
	for (size_t i = 0; i < q->b.n_writes; i++) {
		size_t n = strlen(q->b.writes[i].path);

		if (n > 2 && strcmp(q->b.writes[i].path + n - 2, ".d") == 0)
			return q->b.writes[i].path;
	}
	return NULL;
}

static const char *bad_stream(const struct question *q)
{
	static const char *const names[] = { "standard input", "standard output",
					     "standard error" };
	const struct command *c = q->g.c;

	for (int i = 0; i < 3; i++) {
		if (c->std[i].kind == STREAM_GATHERED && rules_file(q))
			return arena_printf(q->g.a, "what started it reads %s at once",
					    rules_file(q));
		if (c->std[i].kind == STREAM_OTHER)
			return arena_printf(q->g.a, "its %s is %s", names[i],
					    c->std[i].path);
		if (i && c->std[i].kind == STREAM_FILE && c->std[i].appends)
			return arena_printf(q->g.a, "its %s adds to %s", names[i],
					    c->std[i].path);
	}
	return NULL;
}

static int gather_reads(struct question *q, struct err *e)
{
	struct gather *g = &q->g;

	for (size_t i = 0; i < q->b.n_reads; i++) {
		const struct bound_read *r = &q->b.reads[i];

		if ((r->is_glob ? gather_glob(g, r->path, e) :
		     gather_path(g, r->path, e)) == 0)
			continue;
		if (e->code != ERR_MISSING || g->must_force || !r->is_optional)
			return -1;
		gather_tell(g, path_clean(g->a, g->c->cwd, r->path), INPUT_ABSENT);
	}
	for (size_t i = 0; i < q->b.n_system; i++)
		if (machine_add(g, q->b.system[i], e) < 0 && e->code != ERR_MISSING)
			return -1;
	if (g->c->std[0].kind == STREAM_FILE) {
		bool inside;

		if (gather_path(g, g->c->std[0].path, e) < 0)
			return -1;
		q->t.std[0] = project_path(g->in->o.project, g->a, g->c->cwd,
					   g->c->std[0].path, &inside);
	}
	return 0;
}

/* A link that stands where an output is to be, or on the way there, would be
 * written through. */
static const char *through_link(struct question *q)
{
	for (size_t i = 0; i < q->t.n_out; i++) {
		const char *path = q->out[i].path;
		const char *spelled = i < q->b.n_writes ?
				      gather_spelled(&q->g, q->b.writes[i].path) : NULL;
		struct stat st;

		if ((spelled && strcmp(spelled, path) != 0) ||
		    (fstatat(q->g.in->o.project->root_fd, path, &st,
			     AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode)))
			return arena_printf(q->g.a, "it writes %s through a link",
					    spelled ? spelled : path);
	}
	return NULL;
}

/* An output may lie inside a directory that is read: then the model cannot
 * say what was read before and what after. */
static const char *overlap(const struct question *q)
{
	for (size_t i = 0; i < q->t.n_out; i++) {
		const char *path = q->out[i].path;

		for (size_t k = 0; k < q->g.n; k++)
			if (strcmp(q->g.v[k].path, path) != 0 &&
			    (path_is_below(q->g.v[k].path, path) ||
			     path_is_below(path, q->g.v[k].path)))
				return arena_printf(q->g.a, "it reads %s and writes %s",
						    q->g.v[k].path, path);
		for (size_t k = 0; k < q->t.n_out; k++)
			if (k != i && path_is_below(q->out[k].path, path))
				return arena_printf(q->g.a, "it writes %s twice", path);
	}
	return NULL;
}

static int build(struct question *q, struct err *e)
{
	struct infer *in = q->g.in;
	const struct command *c = q->g.c;
	bool inside;

	q->t.args = c->args;
	q->t.n_args = c->n_args;
	q->t.cwd = project_path(in->o.project, q->g.a, c->cwd, ".", &inside);
	q->t.uses_network = q->b.uses_network;
	q->t.runtime = RUNTIME_HOST;
	if (machine_host(&q->g, &q->t.runtime_id, e) < 0)
		return -1;
	gather_finish(&q->g);
	q->t.in = q->g.v;
	q->t.n_in = q->g.n;
	return 0;
}

static int encode(struct question *q, struct id *id, struct err *e)
{
	struct infer *in = q->g.in;

	buf_reset(&q->text);
	thunk_sort(&q->t);
	if (thunk_encode(&q->t, &q->text, e) < 0)
		return -1;
	return store_put(in->o.store, buf_bytes(&q->text), id, e);
}

/* Binutils that update a file in place give the same when they are run again on
 * what they gave.  Nobody knows that of a program that a pattern explains: a
 * counter counts on each time. */
static const char *updates_in_place(const struct question *q)
{
	if (builtin_find(path_base(q->g.c->args[0])))
		return NULL;
	for (size_t i = 0; i < q->t.n_out; i++)
		if (gather_find(&q->g, q->t.out[i].path))
			return arena_printf(q->g.a, "it updates %s in place",
					    q->t.out[i].path);
	return NULL;
}

/* A tool that updates a file in place (ar, strip) and is run again on what it
 * gave: the thunk that gave it stands for both, so that running a script
 * twice does not make a chain. */
static int settle_in_place(struct question *q, struct id *id, struct err *e)
{
	struct infer *in = q->g.in;
	struct thunk old;
	struct bytes text;
	struct input *at;
	struct ref now;

	if (q->t.n_out != 1 || !(at = (struct input *)
				 gather_find(&q->g, q->out[0].path)) ||
	    at->ref.kind != REF_THUNK)
		return 0;
	now = at->ref;
	if (store_get(in->o.store, &now.id, q->g.a, &text, e) < 0 ||
	    thunk_decode(text, q->g.a, &old, e) < 0)
		return e->code == ERR_MISSING ? 0 : -1;
	if (thunk_input(&old, at->path)) {
		at->ref = thunk_input(&old, at->path)->ref;
		if (encode(q, id, e) < 0)
			return -1;
		if (!id_equal(id, &now.id))
			at->ref = now;
	} else {
		size_t i = (size_t)(at - q->g.v);

		memmove(at, at + 1, (q->t.n_in - i - 1) * sizeof *at);
		q->t.n_in--;
		if (encode(q, id, e) < 0)
			return -1;
		if (!id_equal(id, &now.id)) {
			memmove(at + 1, at, (q->t.n_in - i) * sizeof *at);
			q->t.n_in++;
			at->ref = now;
		}
	}
	return id_equal(id, &now.id) ? 0 : encode(q, id, e);
}

static bool is_in_place(struct infer *in, const char *path,
			const struct placeholder *ph, const struct ref *value)
{
	struct arena a = { 0 };
	struct ref_record r;
	enum place_now now;
	struct err e;
	bool same = ref_get(in->o.store, path, &a, &r, &e) == 0 &&
		    id_equal(&r.thunk, &ph->thunk) && strcmp(r.out, ph->out) == 0 &&
		    r.state == PLACE_REAL && id_equal(&r.value.id, &value->id) &&
		    place_look(in->o.store, in->o.project, path, &r, &now, &e) == 0 &&
		    now == NOW_REAL;

	arena_release(&a);
	return same;
}

/* Put at path what is known of the output: the real file, else a
 * placeholder. */
static int place(struct question *q, const struct output *o, bool is_exec,
		 const struct id *id, const struct result *known, struct err *e)
{
	struct infer *in = q->g.in;
	struct placeholder ph = { .thunk = *id, .out = o->name };
	const struct ref *value = known ? result_output(known, o->name) : NULL;
	struct id missing;

	if (value && value->kind != REF_THUNK && is_in_place(in, o->path, &ph, value))
		return place_touch(in->o.store, in->o.project, o->path, e);
	if (place_placeholder(in->o.store, in->o.project, o->path, &ph, o->is_dir,
			      is_exec, e) < 0)
		return -1;
	/* Only by its record can a directory be told from one of the user's,
	 * which gg would never replace. */
	if (value && value->kind == REF_TREE && store_flush(in->o.store, e) < 0)
		return -1;
	if (value && value->kind != REF_THUNK &&
	    place_real(in->o.store, in->o.project, o->path, &ph, value, &missing,
		       e) < 0 && e->code != ERR_MISSING)
		return -1;
	return 0;
}

static int place_all(struct question *q, const struct id *id, struct err *e)
{
	struct infer *in = q->g.in;
	struct result known;
	bool is_known = store_get_result(in->o.store, id, q->g.a, &known, e) == 0;

	if (!is_known && e->code != ERR_MISSING)
		return -1;
	for (size_t i = 0; i < q->t.n_out; i++) {
		const struct output *o = &q->t.out[i];
		struct placeholder ph = { .thunk = *id, .out = o->name };
		bool is_exec = false;

		for (size_t k = 0; k < q->b.n_writes; k++)
			is_exec |= q->b.writes[k].is_exec &&
				   strcmp(q->b.writes[k].name, o->name) == 0;
		if (ref_supersede(in->o.store, o->path, id, e) < 0 ||
		    place(q, o, is_exec, id, is_known ? &known : NULL, e) < 0)
			return -1;
		gather_note_output(in, o->path);
		if (in->o.output)
			in->o.output(in->o.arg, o->path, &ph);
	}
	return 0;
}

static bool has_hints(const struct hints *h)
{
	return h->cpus || h->gpus || h->time_s || h->mem_bytes || h->priority;
}

/* From a binding to a verdict; -1 leaves the reason in *e. */
static int defer(struct question *q, enum infer_verdict *v, struct err *e)
{
	struct infer *in = q->g.in;
	const char *reason = bad_stream(q);
	struct id id;
	int rc;

	if (reason) {
		*v = real(q, "%s", reason);
		return 0;
	}
	if (bind_outputs(q, e) < 0)
		return -1;
	reason = q->t.n_out ? through_link(q) : "it writes no file";
	if (reason) {
		*v = real(q, "%s", reason);
		return 0;
	}
	if (gather_reads(q, e) < 0)
		return -1;
	rc = machine_probe(&q->g, &q->b, e);
	if (rc > 0 && q->b.n_scan)
		rc = scan_gather(&q->g, &q->b, e);
	if (rc < 0)
		return -1;
	if (rc == 0) {
		*v = INFER_HELPER;
		return 0;
	}
	bind_env(q);
	if (build(q, e) < 0)
		return -1;
	reason = overlap(q);
	if (!reason)
		reason = updates_in_place(q);
	if (reason) {
		*v = real(q, "%s", reason);
		return 0;
	}
	if (encode(q, &id, e) < 0 || settle_in_place(q, &id, e) < 0)
		return -1;
	if (has_hints(&q->b.hints))
		in->o.hints(in->o.arg, &id, &q->b.hints);
	if (place_all(q, &id, e) < 0)
		return -1;
	buf_printf(q->why, "%s: deferred as thunk %.12s, %zu in, %zu out\n",
		   q->b.rule, id_hex(&id).s, q->t.n_in, q->t.n_out);
	*v = INFER_DEFERRED;
	return 0;
}

/* What follows when a command that a model explains cannot be deferred.  A
 * missing input or one of an odd kind is the program's own to complain of. */
static enum infer_verdict refuse(struct question *q, const struct err *e)
{
	if (q->g.must_force)
		return INFER_FORCE;
	if (e->code == ERR_MISSING || e->code == ERR_FAILED || e->code == ERR_BAD)
		return real(q, "%s", e->text);
	return INFER_REFUSED;
}

/* Would the command read and write the same paths whatever its inputs hold?
 * Not so with a compiler's headers, nor with lists of arguments. */
static bool is_plain(const struct question *q)
{
	for (size_t i = 1; i < q->g.c->n_args; i++)
		if (q->g.c->args[i][0] == '@')
			return false;
	return !q->b.n_scan && !q->b.n_probe && !builtin_find(path_base(q->g.c->args[0]));
}

enum infer_verdict infer_command(struct infer *in, const struct command *c,
				 struct arena *a, struct buf *why,
				 struct infer_helper *helper, struct err *e)
{
	struct question q = {
		.g = { .in = in, .c = c, .a = a, .helper = helper },
		.why = why,
	};
	enum infer_verdict v = INFER_REAL;

	switch (models_match(in->o.models, c, a, &q.b, why)) {
	case MATCH_NONE:
	case MATCH_REAL:
		return INFER_REAL;
	case MATCH_BOUND:
		break;
	}
	q.g.is_plain = is_plain(&q);
	if (defer(&q, &v, e) < 0)
		v = refuse(&q, e);
	gather_release(&q.g);
	buf_release(&q.text);
	return v;
}
