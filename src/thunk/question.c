/* question.c - from what a model says of a command to a thunk
 *
 * Everything here makes sure that deferring it is right: its streams, its
 * paths, its inputs.  What cannot be expressed runs for real rather than wrong.
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
#include "learn_private.h"
#include "question.h"

enum infer_verdict question_real(struct question *q, const char *reason)
{
	if (q->b.rule)
		buf_printf(q->why, "%s: ", q->b.rule);
	buf_printf(q->why, "runs for real: %s\n", reason);
	q->reason = arena_str(q->g.a, reason);
	return INFER_REAL;
}

static bool env_is_named(const struct question *q, const char *name)
{
	for (size_t k = 0; k < q->b.n_env; k++)
		if (fnmatch(q->b.env[k], name, 0) == 0)
			return true;
	return false;
}

/* Did the script set it?  Of a learned command nobody said which variables
 * count. */
static bool env_was_set(const struct question *q, const char *name_value)
{
	const char **base = q->g.in->o.base_env;

	if (!q->b.is_learned || !base || env_is_local(name_value))
		return false;
	for (; *base; base++)
		if (strcmp(*base, name_value) == 0)
			return false;
	return true;
}

static const char *env_value(const struct command *c, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < c->n_env; i++)
		if (strncmp(c->env[i], name, n) == 0 && c->env[i][n] == '=')
			return c->env[i] + n + 1;
	return NULL;
}

static bool has_env(const struct thunk *t, const char *name)
{
	for (size_t i = 0; i < t->n_env; i++)
		if (strncmp(t->env[i], name, strlen(name)) == 0 &&
		    t->env[i][strlen(name)] == '=')
			return true;
	return false;
}

/* Python's modules of one person (pip install --user) are found by HOME, which
 * a forced step has elsewhere.  Where the closure holds some, it is told where
 * they lie. */
static void bind_user_base(struct question *q)
{
	static const char name[] = "PYTHONUSERBASE", pip[] = "pip:";
	const char *base = env_value(q->g.c, name), *home = env_value(q->g.c, "HOME");

	if (!q->b.is_learned || has_env(&q->t, name) || (!base && (!home || *home != '/')))
		return;
	base = path_clean(q->g.a, "/", base ? base : arena_printf(q->g.a, "%s/.local", home));
	for (size_t i = 0; i < q->b.n_uses; i++) {
		const char *use = q->b.uses[i];

		use += strncmp(use, pip, strlen(pip)) == 0 ? strlen(pip) : 0;
		if (!path_is_below(arena_printf(q->g.a, "%s/lib", base), use))
			continue;
		q->t.env[q->t.n_env++] = arena_printf(q->g.a, "%s=%s", name, base);
		return;
	}
}

/* The thunk's own environment: the variables the model names that are set. */
static void bind_env(struct question *q)
{
	const struct command *c = q->g.c;
	struct thunk *t = &q->t;
	bool has_pwd = false;

	if (!q->b.n_env && !q->b.is_learned)
		return;
	t->env = arena_alloc(q->g.a, (c->n_env + 2) * sizeof *t->env);
	for (size_t i = 0; i < c->n_env; i++) {
		size_t n = strcspn(c->env[i], "=");
		char *name;

		if (!c->env[i][n] || !n || q->g.in->o.env_is_fixed(c->env[i]))
			continue;
		name = arena_strn(q->g.a, c->env[i], n);
		has_pwd |= strcmp(name, "PWD") == 0;
		if (env_is_named(q, name) || env_was_set(q, c->env[i]))
			t->env[t->n_env++] = c->env[i];
	}
	if (!has_pwd && env_is_named(q, "PWD"))
		t->env[t->n_env++] = arena_printf(q->g.a, "PWD=%s", c->cwd);
	bind_user_base(q);
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

		if (!w && c->std[fd].kind != STREAM_FILE && c->std[fd].kind != STREAM_PIPE)
			continue;
		inside = !w && c->std[fd].kind == STREAM_PIPE;
		o->path = inside ? path : project_path(p, q->g.a, c->cwd, path, &inside);
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

static int by_str(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

bool question_made(const struct question *q, const char *path)
{
	return q->made && q->made->n &&
	       bsearch(&path, q->made->v, q->made->n, sizeof *q->made->v, by_str);
}

/* Was it the command itself that put there what it may read? */
static bool was_absent(const struct question *q, const struct bound_read *r)
{
	bool inside;

	return q->made && r->is_optional && !r->is_glob &&
	       question_made(q, project_path(q->g.in->o.project, q->g.a, q->g.c->cwd,
					     r->path, &inside));
}

static int gather_reads(struct question *q, struct err *e)
{
	struct gather *g = &q->g;

	for (size_t i = 0; i < q->b.n_reads; i++) {
		const struct bound_read *r = &q->b.reads[i];

		if (was_absent(q, r))
			continue;
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

/* The closure that the model names, or this machine. */
static int bind_runtime(struct question *q, struct err *e)
{
	struct thunk *t = &q->t;
	const char **args;

	t->runtime = q->b.n_uses ? RUNTIME_CLOSURE : RUNTIME_HOST;
	if (t->runtime == RUNTIME_HOST)
		return machine_host(&q->g, &t->runtime_id, e);
	args = arena_alloc(q->g.a, (t->n_args + 1) * sizeof *args);
	memcpy(args, t->args, t->n_args * sizeof *args);
	t->args = args;
	return machine_closure(&q->g, &q->b, &t->runtime_id, &args[0], e);
}

static int build(struct question *q, struct err *e)
{
	struct infer *in = q->g.in;
	const struct command *c = q->g.c;
	bool inside;

	q->t.args = q->b.args ? q->b.args : c->args;
	q->t.n_args = q->b.args ? q->b.n_args : c->n_args;
	q->t.cwd = project_path(in->o.project, q->g.a, c->cwd, ".", &inside);
	q->t.uses_network = q->b.uses_network;
	if (bind_runtime(q, e) < 0)
		return -1;
	gather_finish(&q->g);
	q->t.in = q->g.v;
	q->t.n_in = q->g.n;
	return 0;
}

int question_encode(struct question *q, struct id *id, struct err *e)
{
	struct infer *in = q->g.in;

	buf_reset(&q->text);
	thunk_sort(&q->t);
	if (thunk_encode(&q->t, &q->text, e) < 0)
		return -1;
	return store_put(in->o.store, buf_bytes(&q->text), id, e);
}

bool question_updates(const struct question *q, const struct output *o)
{
	for (size_t i = 0; i < q->b.n_updates; i++) {
		bool inside;

		if (strcmp(project_path(q->g.in->o.project, q->g.a, q->g.c->cwd,
					q->b.updates[i], &inside), o->path) == 0)
			return true;
	}
	return false;
}

void question_tell_updates(const struct question *q)
{
	for (size_t i = 0; i < q->t.n_out; i++)
		if (question_updates(q, &q->t.out[i]))
			gather_tell(&q->g, q->t.out[i].path, INPUT_UPDATED);
}

/* Binutils that update a file in place give the same when they are run again on
 * what they gave.  Nobody knows that of a program that a pattern explains, a
 * counter counts on each time; where the pattern says that it updates the file,
 * that is what is wanted. */
static const char *updates_in_place(const struct question *q)
{
	if (builtin_find(path_base(q->g.c->args[0])))
		return NULL;
	for (size_t i = 0; i < q->t.n_out; i++)
		if (gather_find(&q->g, q->t.out[i].path) && !question_updates(q, &q->t.out[i]))
			return arena_printf(q->g.a, "it updates %s in place",
					    q->t.out[i].path);
	return NULL;
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

static bool has_hints(const struct hints *h)
{
	return h->cpus || h->gpus || h->time_s || h->mem_bytes || h->disk_bytes ||
	       h->priority || h->is_watched || h->is_hushed || h->n_aside || h->fuse ||
	       h->resume;
}

/* What it prints is kept as one log: who throws away its standard output, or
 * whatever of both would go there, is not shown any of it. */
static bool is_hushed(const struct command *c)
{
	return c->std[1].is_dropped ||
	       (c->std[2].is_dropped && (c->std[1].kind == STREAM_FILE ||
					 c->std[1].kind == STREAM_PIPE));
}

/* Why path, a plain one, can be no input of its own beside t's; or NULL. */
static const char *in_the_way(const struct thunk *t, const char *path)
{
	for (size_t i = 0; i < t->n_out; i++)
		if (strcmp(t->out[i].path, path) != 0 &&
		    (path_is_below(t->out[i].path, path) || path_is_below(path, t->out[i].path)))
			return t->out[i].path;
	for (size_t i = 0; i < t->n_in; i++)
		if (strcmp(t->in[i].path, path) != 0 &&
		    (path_is_below(t->in[i].path, path) || path_is_below(path, t->in[i].path)))
			return t->in[i].path;
	return NULL;
}

/* The hint as it is kept: its path from the project's root.  NULL: there can be
 * no checkpoint. */
static const struct resume *plain_resume(const struct question *q, const struct resume *r)
{
	const struct gather *g = &q->g;
	struct resume *own = arena_alloc(g->a, sizeof *own);
	bool inside, is_dir = r->path[strlen(r->path) - 1] == '/';
	const char *path = project_path(g->in->o.project, g->a, g->c->cwd, r->path, &inside);
	const char *other = inside ? in_the_way(&q->t, path) : NULL;

	if (!inside || !path_is_plain(path) || other) {
		buf_printf(q->why, "%s: it cannot go on from %s: %s%s\n", q->b.rule, r->path,
			   other ? "that lies in, or holds, " : "that is outside the project",
			   other ? other : "");
		return NULL;
	}
	*own = *r;
	own->path = is_dir ? arena_printf(g->a, "%s/", path) : path;
	return own;
}

void question_hint(const struct question *q, const struct id *thunk)
{
	const struct infer_opts *o = &q->g.in->o;
	struct hints h = q->b.hints;

	h.is_hushed = is_hushed(q->g.c);
	if (h.resume)
		h.resume = plain_resume(q, h.resume);
	if (o->hints && has_hints(&h))
		o->hints(o->arg, thunk, &h);
}

void question_release(struct question *q)
{
	gather_release(&q->g);
	buf_release(&q->text);
}

enum match question_match(struct question *q)
{
	enum match found = models_match(q->g.in->o.models, q->g.c, q->g.a, &q->b, q->why);

	q->g.is_plain = found == MATCH_BOUND && is_plain(q);
	return found;
}

/* It writes nothing but what somebody reads, and reads nothing of the project:
 * what it says is of the time, or of this machine, and another thing tomorrow. */
static bool only_talks(const struct question *q)
{
	for (size_t i = 0; i < q->t.n_out; i++)
		if (!output_is_printed(&q->t.out[i]))
			return false;
	for (size_t i = 0; i < q->g.n; i++)
		if (q->g.v[i].path[0] != '/')
			return false;
	return true;
}

/* What the machine's part needs: 1, 0 if a helper is to say it, or -1. */
static int ask_machine(struct question *q, struct err *e)
{
	int rc = q->b.n_uses ? 1 : machine_probe(&q->g, &q->b, e);

	return rc > 0 && q->b.n_scan ? scan_gather(&q->g, &q->b, e) : rc;
}

int question_thunk(struct question *q, enum infer_verdict *v, struct err *e)
{
	const char *reason = bad_stream(q);
	int rc;

	*v = INFER_REAL;
	if (reason)
		goto real;
	if (bind_outputs(q, e) < 0)
		return -1;
	reason = q->t.n_out ? through_link(q) : "it writes no file";
	if (reason)
		goto real;
	if (gather_reads(q, e) < 0)
		return -1;
	reason = only_talks(q) ? "it writes no file, and reads none of the project" : NULL;
	if (reason)
		goto real;
	rc = ask_machine(q, e);
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
	if (!reason) {
		question_name_temporary(q);
		*v = INFER_DEFERRED;
		return 0;
	}
real:
	question_real(q, reason);
	return 0;
}
