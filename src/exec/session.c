/* session.c - one traced command, from its first process to its last
 *
 * Each event of the tracer gets an answer: go on, end with a status, or wait.
 * A wait is a struct ask; it is asked again when what it waits for is there.
 * Most events need no thread in particular: quick() answers them.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "session.h"

/* After so many waits of one call something is wrong with it. */
enum { MAX_WAITS = 64 };

struct session {
	struct session_opts o;
	struct infer *infer;
	struct tracer *tracer;
	struct watch *watch;
	struct session_counts counts;
	struct helper *helpers;
	struct arena arena;             /* of one event */
	size_t root_len;
	atomic_size_t n_quick;          /* real commands that quick() let go */
	bool is_done, is_idle;
	volatile bool must_wait;        /* for the loop, not the tracer alone */
};

/* A call that was left for later. */
struct ask {
	struct session *s;
	struct tracer *t;
	uint64_t cookie;
	enum trace_kind kind;
	pid_t pid;
	char *path;
	unsigned n_waits;
};

/* A command of ours, traced for placeholders only; its output is kept. */
struct helper {
	struct helper *next;
	struct session *s;
	struct tracer *t;
	struct watch *watch;
	struct infer_helper what;
	struct arena arena;
	int out_fd;
	struct ask *ask;
};

static enum trace_answer judge(struct session *s, struct ask *k, int *status);

static void ask_free(struct ask *k)
{
	free(k->path);
	free(k);
}

static struct ask *ask_keep(const struct ask *k)
{
	struct ask *kept = mem_alloc(sizeof *kept);

	*kept = *k;
	kept->path = mem_str(k->path);
	kept->n_waits++;
	return kept;
}

/* With nothing else to wait for, the tracer is served without the loop. */
static void note_idle(struct session *s)
{
	s->is_idle = !s->helpers && !exec_is_busy(s->o.exec);
}

static void ask_again(struct ask *k)
{
	int status = 0;
	enum trace_answer a = judge(k->s, k, &status);

	arena_reset(&k->s->arena);
	if (a != TRACE_LATER)
		tracer_answer(k->t, k->cookie, a, status);
	note_idle(k->s);
	ask_free(k);
}

static void forced(void *arg, const struct err *e)
{
	struct ask *k = arg;

	if (!e) {
		ask_again(k);
		return;
	}
	k->s->o.complain(k->s->o.arg, e);
	tracer_answer(k->t, k->cookie, TRACE_EXIT, 1);
	note_idle(k->s);
	ask_free(k);
}

/* Make what stands at path real, then ask again. */
static enum trace_answer force_first(struct session *s, const struct ask *k,
				     const char *path, const struct placeholder *ph,
				     int *status)
{
	struct ask *kept = ask_keep(k);
	struct want w = { .thunk = ph->thunk, .out = ph->out, .path = path,
			  .done = forced, .arg = kept };
	struct err e;

	if (kept->n_waits > MAX_WAITS)
		err_set(&e, ERR_BAD, "%s: still a placeholder after it was made", path);
	else if (exec_want(s->o.exec, &w, &e) == 0)
		return TRACE_LATER;
	s->o.complain(s->o.arg, &e);
	ask_free(kept);
	*status = 1;
	return TRACE_EXIT;
}

/* The path as the project knows it, or NULL if it is outside. */
static const char *inside(const struct session *s, struct arena *a,
			  const char *path)
{
	const char *root = s->o.project->root, *rest = path + s->root_len;

	if (strncmp(path, root, s->root_len) != 0 || (*rest && *rest != '/'))
		return NULL;
	while (*rest == '/')
		rest++;
	if (strstr(rest, "./") || strstr(rest, "//"))
		rest = path_clean(a, "/", rest) + 1;
	if (strncmp(rest, PROJECT_DIR, sizeof PROJECT_DIR - 1) == 0 &&
	    (!rest[sizeof PROJECT_DIR - 1] || rest[sizeof PROJECT_DIR - 1] == '/'))
		return NULL;
	return *rest ? rest : NULL;
}

/* Calls that see the bytes of what they name, or what is below it. */
static const bool sees[] = {
	[TRACE_EXEC] = true, [TRACE_READ] = true, [TRACE_UPDATE] = true,
	[TRACE_LINK] = true, [TRACE_LOOK] = true, [TRACE_CHANGE] = false,
};

/* Is path a placeholder, or below one that stands for a directory? */
/* For the calls that would see what it holds.  *at and *ph live in a. */
static bool find_placeholder(struct session *s, struct arena *a,
			     const struct trace_event *ev, const char **at,
			     struct placeholder *ph)
{
	const char *path = inside(s, a, ev->path);
	char *dir, *slash;
	struct stat st;
	struct err e;

	if (!path || !sees[ev->kind])
		return false;
	dir = arena_str(a, path);
	*at = dir;
	if (ev->kind != TRACE_LOOK &&
	    placeholder_at(s->o.project->root_fd, dir, a, ph, &e) == 1)
		return true;
	if (!strchr(dir, '/') ||
	    fstatat(s->o.project->root_fd, dir, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return false;
	while ((slash = strrchr(dir, '/'))) {
		*slash = 0;
		if (placeholder_at(s->o.project->root_fd, dir, a, ph, &e) == 1)
			return true;
	}
	return false;
}

/* A script whose interpreter may have a model: its arguments are then those
 * that the kernel would give to the interpreter. */
static bool is_script_known(struct session *s, const char *path,
			    struct trace_exec *x)
{
	char line[256], *word, *save = NULL;
	const char **args;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : file_read_fd(fd, line, sizeof line - 1);
	size_t n_args = 0;

	if (fd >= 0)
		close(fd);
	if (n < 3 || line[0] != '#' || line[1] != '!')
		return false;
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	word = strtok_r(line + 2, " \t", &save);
	if (!word || !models_know(s->o.models, path_base(word)))
		return false;
	if (!x)
		return true;
	args = arena_alloc(&s->arena, (x->n_args + 4) * sizeof *args);
	args[n_args++] = arena_str(&s->arena, word);
	word = strtok_r(NULL, "", &save);
	if (word)
		args[n_args++] = arena_str(&s->arena, word + strspn(word, " \t"));
	args[n_args++] = path;
	for (size_t i = 1; i < x->n_args; i++)
		args[n_args++] = x->args[i];
	x->args = args;
	x->n_args = n_args;
	return true;
}

static void helper_ready(void *arg);
static bool helper_quick(void *arg, const struct trace_event *ev);
static enum trace_answer helper_event(void *arg, struct tracer *t,
				      const struct trace_event *ev, int *status);

static void helper_free(struct helper *h)
{
	struct helper **p = &h->s->helpers;

	while (*p != h)
		p = &(*p)->next;
	*p = h->next;
	loop_unwatch(h->watch);
	tracer_free(h->t);
	close(h->out_fd);
	arena_release(&h->arena);
	free(h);
}

static void copy_strs(struct arena *a, const char ***v)
{
	size_t n = 0;
	const char **copy;

	while ((*v)[n])
		n++;
	copy = arena_alloc(a, (n + 1) * sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = arena_str(a, (*v)[i]);
	*v = copy;
}

/* What a probe prints is on both its streams. */
static void join_streams(struct helper *h)
{
	static const char *const shell[] = { "/bin/sh", "-c", "exec \"$@\" 2>&1", "sh" };
	const char **old = h->what.args;
	size_t n = 0;

	while (old[n])
		n++;
	h->what.args = arena_alloc(&h->arena, (n + 5) * sizeof *old);
	memcpy(h->what.args, shell, sizeof shell);
	memcpy(h->what.args + 4, old, n * sizeof *old);
	h->what.program = arena_str(&h->arena, h->what.program);
	h->what.search = arena_str(&h->arena, h->what.search);
}

static enum trace_answer start_helper(struct session *s, const struct ask *k,
				      const struct infer_helper *what, int *status)
{
	struct helper *h = mem_alloc(sizeof *h);
	struct tracer_ops ops = { .quick = helper_quick, .event = helper_event,
				  .arg = h };
	struct tracer_opts o;
	struct err e;

	*h = (struct helper){ .s = s, .what = *what };
	copy_strs(&h->arena, &h->what.args);
	copy_strs(&h->arena, &h->what.env);
	h->what.cwd = arena_str(&h->arena, what->cwd);
	if (what->program)
		join_streams(h);
	h->out_fd = memfd_create("gg-helper", MFD_CLOEXEC);
	o = (struct tracer_opts){ .args = h->what.args, .env = h->what.env,
				  .cwd = h->what.cwd, .out_fd = h->out_fd };
	if (k->n_waits > MAX_WAITS || h->out_fd < 0 ||
	    tracer_start(&o, &ops, &h->t, &e) < 0) {
		infer_helper_done(s->infer, &h->what, 1, (struct bytes){ 0 });
		if (h->out_fd >= 0)
			close(h->out_fd);
		arena_release(&h->arena);
		free(h);
		return judge(s, &(struct ask){ .s = s, .t = k->t, .cookie = k->cookie,
					       .kind = k->kind, .pid = k->pid,
					       .path = k->path,
					       .n_waits = k->n_waits + 1 }, status);
	}
	h->ask = ask_keep(k);
	h->next = s->helpers;
	s->helpers = h;
	h->watch = loop_watch(s->o.loop, tracer_fd(h->t), helper_ready, h);
	return TRACE_LATER;
}

static void helper_ready(void *arg)
{
	struct helper *h = arg;
	struct err e;
	struct stat st;
	struct bytes out = { 0 };
	struct ask *k = h->ask;
	int rc = tracer_step(h->t, &e);

	if (rc > 0)
		return;
	if (fstat(h->out_fd, &st) == 0 && st.st_size > 0) {
		void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE,
			       h->out_fd, 0);

		if (p != MAP_FAILED)
			out = (struct bytes){ p, (size_t)st.st_size };
	}
	infer_helper_done(h->s->infer, &h->what, rc < 0 ? 1 : tracer_status(h->t), out);
	if (out.p)
		munmap((void *)out.p, out.n);
	helper_free(h);
	ask_again(k);
}

/* An execve of a program that may have a model. */
static enum trace_answer judge_command(struct session *s, struct ask *k,
				       bool is_script, int *status)
{
	struct trace_exec x;
	struct command c = { 0 };
	struct infer_helper helper = { 0 };
	struct buf why = { 0 };
	enum infer_verdict v;
	struct err e;

	if (tracer_exec(k->t, k->cookie, &s->arena, &x, &e) < 0)
		return TRACE_GO;
	if (is_script)
		is_script_known(s, k->path, &x);
	c.program = is_script ? x.args[0] : path_clean(&s->arena, x.cwd, k->path);
	c.args = x.args;
	c.n_args = x.n_args;
	c.env = x.env;
	c.n_env = x.n_env;
	c.cwd = x.cwd;
	c.root = s->o.project->root;
	for (int fd = 0; fd < 3; fd++)
		stream_of(k->pid, fd, &s->arena, &c.std[fd]);
	v = infer_command(s->infer, &c, &s->arena, &why, &helper, &e);
	if (s->o.explain && v != INFER_HELPER && v != INFER_FORCE)
		s->o.explain(s->o.arg, &c, v == INFER_DEFERRED, why.p ? why.p : "");
	buf_release(&why);
	switch (v) {
	case INFER_DEFERRED:
		s->counts.n_deferred++;
		return TRACE_EXIT;
	case INFER_HELPER:
		return start_helper(s, k, &helper, status);
	case INFER_FORCE:
		return force_first(s, k, helper.path, &helper.first, status);
	case INFER_REFUSED:
		s->o.complain(s->o.arg, &e);
		*status = 2;
		return TRACE_EXIT;
	case INFER_REAL:
		break;
	}
	return TRACE_GO;
}

static void moved(struct session *s, const char *path, const char *path2)
{
	const char *from = inside(s, &s->arena, path);
	const char *to = inside(s, &s->arena, path2);
	struct placeholder ph;
	struct ref_record r = { 0 };
	struct err e;

	memo_output_moved(s->o.memo, path, path2);
	if (!from || !to ||
	    placeholder_at(s->o.project->root_fd, from, &s->arena, &ph, &e) != 1)
		return;
	r.thunk = ph.thunk;
	r.out = ph.out;
	r.state = PLACE_PLACEHOLDER;
	if (ref_put(s->o.store, to, &r, &e) < 0 ||
	    ref_delete(s->o.store, from, &e) < 0)
		s->o.complain(s->o.arg, &e);
}

static const enum memo_touch touch_of[] = {
	[TRACE_EXEC] = MEMO_READ,       [TRACE_READ] = MEMO_READ,
	[TRACE_WRITE] = MEMO_WRITE,     [TRACE_UPDATE] = MEMO_UPDATE,
	[TRACE_LOOK] = MEMO_LOOK,       [TRACE_MAKE_DIR] = MEMO_WRITE,
	[TRACE_REMOVE] = MEMO_WRITE,    [TRACE_RENAME] = MEMO_WRITE,
	[TRACE_LINK] = MEMO_READ,       [TRACE_CHANGE] = MEMO_UPDATE,
};

static bool may_be_modelled(struct session *s, const struct trace_event *ev,
			    bool *is_script)
{
	*is_script = false;
	if (ev->kind != TRACE_EXEC)
		return false;
	if (models_know(s->o.models, path_base(ev->path)))
		return true;
	return *is_script = is_script_known(s, ev->path, NULL);
}

/* The answer to a call: what it touches must be real first. */
static enum trace_answer judge(struct session *s, struct ask *k, int *status)
{
	const struct trace_event ev = { .kind = k->kind, .pid = k->pid,
					.path = k->path, .cookie = k->cookie };
	struct placeholder ph;
	const char *at;
	bool is_script;

	if (k->t == s->tracer && may_be_modelled(s, &ev, &is_script)) {
		enum trace_answer a = judge_command(s, k, is_script, status);

		if (a != TRACE_GO)
			return a;
	}
	if (find_placeholder(s, &s->arena, &ev, &at, &ph))
		return force_first(s, k, at, &ph, status);
	if (k->t == s->tracer) {
		s->counts.n_real += k->kind == TRACE_EXEC;
		memo_touch(s->o.memo, k->path, touch_of[k->kind]);
	}
	return TRACE_GO;
}

/* Whatever needs neither store nor engine; on any thread. */
static bool quick(void *arg, const struct trace_event *ev)
{
	struct session *s = arg;
	struct arena a = { 0 };
	struct placeholder ph;
	const char *at;
	bool is_script, goes;

	if (ev->kind == TRACE_RENAME || may_be_modelled(s, ev, &is_script))
		return false;
	goes = !find_placeholder(s, &a, ev, &at, &ph) &&
	       memo_quick(s->o.memo, ev->path, touch_of[ev->kind]) &&
	       (ev->kind != TRACE_LINK ||
		memo_quick(s->o.memo, ev->path2, MEMO_WRITE));
	if (goes && ev->kind == TRACE_EXEC)
		s->n_quick++;
	arena_release(&a);
	return goes;
}

static enum trace_answer event(void *arg, struct tracer *t,
			       const struct trace_event *ev, int *status)
{
	struct session *s = arg;
	struct ask k = { .s = s, .t = t, .cookie = ev->cookie, .kind = ev->kind,
			 .pid = ev->pid, .path = (char *)ev->path };
	enum trace_answer a;

	if (ev->kind == TRACE_RENAME)
		moved(s, ev->path, ev->path2);
	a = judge(s, &k, status);
	if (a == TRACE_GO && (ev->kind == TRACE_RENAME || ev->kind == TRACE_LINK))
		memo_touch(s->o.memo, ev->path2, MEMO_WRITE);
	if (a == TRACE_LATER)
		s->must_wait = true;
	arena_reset(&s->arena);
	return a;
}

static void blind(void *arg, const char *why)
{
	memo_spoil(((struct session *)arg)->o.memo, why);
}

/* A helper's events count for nothing but placeholders. */
static bool helper_quick(void *arg, const struct trace_event *ev)
{
	struct helper *h = arg;
	struct arena a = { 0 };
	struct placeholder ph;
	const char *at;
	bool is_placeholder = find_placeholder(h->s, &a, ev, &at, &ph);

	arena_release(&a);
	return !is_placeholder;
}

static enum trace_answer helper_event(void *arg, struct tracer *t,
				      const struct trace_event *ev, int *status)
{
	struct session *s = ((struct helper *)arg)->s;
	struct ask k = { .s = s, .t = t, .cookie = ev->cookie, .kind = ev->kind,
			 .pid = ev->pid, .path = (char *)ev->path };
	enum trace_answer a = judge(s, &k, status);

	arena_reset(&s->arena);
	return a;
}

static void ended(struct session *s, int rc, const struct err *e)
{
	if (rc < 0)
		s->o.complain(s->o.arg, e);
	s->counts.status = rc < 0 ? 3 : tracer_status(s->tracer);
	s->is_done = true;
}

static void ready(void *arg)
{
	struct session *s = arg;
	struct err e;
	int rc = tracer_step(s->tracer, &e);

	if (rc <= 0 && !s->is_done)
		ended(s, rc, &e);
	s->is_idle |= s->is_done;
}

/* On the loop while something is being made, else by the tracer alone. */
void session_serve(struct session *s)
{
	while (!s->is_done) {
		struct err e;
		int rc;

		s->must_wait = false;
		rc = tracer_serve(s->tracer, &s->must_wait, &e);
		if (rc <= 0) {
			ended(s, rc, &e);
			break;
		}
		loop_turn(s->o.loop);
		if (!s->must_wait)
			continue;
		s->watch = loop_watch(s->o.loop, tracer_fd(s->tracer), ready, s);
		note_idle(s);
		loop_run(s->o.loop, &s->is_idle);
		loop_unwatch(s->watch);
		s->watch = NULL;
	}
}

static void note_output(void *arg, const char *path, const struct placeholder *ph)
{
	memo_output(((struct session *)arg)->o.memo, path, ph);
}

static void note_input(void *arg, const char *path, enum infer_input kind)
{
	memo_input(((struct session *)arg)->o.memo, path, kind);
}

static void note_hints(void *arg, const struct id *thunk, const struct hints *h)
{
	struct session *s = arg;
	struct err e;

	if (hints_put(s->o.store, thunk, h, &e) < 0)
		s->o.complain(s->o.arg, &e);
}

int session_start(const struct session_opts *o, struct session **out,
		  struct err *e)
{
	struct session *s = mem_alloc(sizeof *s);
	struct tracer_opts to = { .args = o->args, .env = o->env, .cwd = o->cwd,
				  .out_fd = -1 };
	struct tracer_ops ops = { .quick = quick, .event = event, .blind = blind,
				  .arg = s };
	struct infer_opts io = {
		.store = o->store, .project = o->project, .models = o->models,
		.output = note_output, .input = note_input, .hints = note_hints,
		.arg = s, .env_is_fixed = run_env_is_fixed,
	};

	*s = (struct session){ .o = *o, .root_len = strlen(o->project->root) };
	if (infer_new(&io, &s->infer, e) < 0 ||
	    tracer_start(&to, &ops, &s->tracer, e) < 0) {
		session_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void session_counts(const struct session *s, struct session_counts *out)
{
	*out = s->counts;
	out->n_real += s->n_quick;
}

void session_kill(struct session *s, int sig)
{
	if (s->tracer)
		tracer_kill(s->tracer, sig);
}

void session_free(struct session *s)
{
	if (!s)
		return;
	while (s->helpers)
		helper_free(s->helpers);
	if (s->watch)
		loop_unwatch(s->watch);
	tracer_free(s->tracer);
	infer_free(s->infer);
	arena_release(&s->arena);
	free(s);
}
