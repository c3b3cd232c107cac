/* session.c - one traced command, from its first process to its last
 *
 * Each event of the tracer gets an answer: go on, end with a status, or wait.
 * A wait is a struct ask; it is asked again when what it waits for is there.
 * Most events need no thread in particular: quick() answers them.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "file.h"
#include "session_private.h"

static int build_command(struct session *s, struct ask *k, bool is_script,
			 struct command *c)
{
	struct trace_exec x;
	struct err e;

	if (tracer_exec(k->t, k->cookie, &s->arena, &x, &e) < 0)
		return -1;
	if (is_script)
		watch_see_through(s, k->path, &x);
	*c = (struct command){
		.program = is_script ? x.args[0] :
			   path_clean(&s->arena, x.cwd, k->path),
		.args = x.args, .n_args = x.n_args, .env = x.env, .n_env = x.n_env,
		.cwd = x.cwd, .root = s->o.project->root,
	};
	for (int fd = 0; fd < 3; fd++)
		stream_of(k->pid, fd, &s->arena, &c->std[fd]);
	return 0;
}

static enum infer_verdict infer(struct session *s, struct ask *k, struct command *c,
				struct infer_helper *helper, struct err *e)
{
	struct held *held[3] = { NULL };
	struct buf why = { 0 };
	enum infer_verdict v;

	for (int fd = 1; fd < 3; fd++)
		if (c->std[fd].kind == STREAM_FILE && c->std[fd].is_shared &&
		    !c->std[fd].appends && !held_find(s, k->pid, fd))
			held[fd] = held_keep(s, k->pid, fd, c->std[fd].path);
	v = infer_command(s->infer, c, &s->arena, &why, helper, e);
	for (int fd = 1; fd < 3; fd++)
		held_decide(s, held[fd], v == INFER_DEFERRED);
	if (s->o.explain && v != INFER_HELPER && v != INFER_FORCE)
		s->o.explain(s->o.arg, c, v, why.p ? why.p : "");
	buf_release(&why);
	return v;
}

/* The program itself is still to be made: where, and by what. */
static bool is_promised(struct session *s, const struct ask *k, const char **at,
			struct placeholder *ph)
{
	const struct trace_event ev = { .kind = k->kind, .pid = k->pid, .path = k->path,
					.is_relative = k->is_relative };

	return watch_placeholder(s, &s->arena, &ev, at, ph) && ph->out && !held_at(s, *at);
}

/* No model explains it: is it to be learned from?  A script is learned as what
 * its interpreter is given, whatever it was looked up as. */
static enum trace_answer consider(struct session *s, struct ask *k, bool is_script,
				  const struct command *c, int *status)
{
	struct command called = *c, learned = *c;
	struct placeholder ph;
	const char *at;

	if (s->o.learns && is_promised(s, k, &at, &ph))
		return ask_force(s, k, at, &ph, status);
	if (is_script && build_command(s, k, false, &called) < 0)
		return TRACE_GO;
	memcpy(called.std, c->std, sizeof called.std);
	if (!is_script)
		watch_as_script(s, &learned);
	return study_consider(s, k, &learned, &called);
}

/* An execve of a program that may have a model. */
static enum trace_answer judge_command(struct session *s, struct ask *k,
				       bool is_script, int *status)
{
	struct study *outer = study_of(s, k->pid);
	struct infer_helper helper = { 0 };
	struct command c;
	enum trace_answer a = held_before(s, k, status);
	struct err e;

	if (a != TRACE_GO || build_command(s, k, is_script, &c) < 0)
		return a;
	k->is_hasty = c.std[1].is_hasty || c.std[2].is_hasty;
	if (outer && learn_is_part(&outer->command, &c))
		return TRACE_GO;
	if (outer)
		study_is_driver(outer, &c);
	if (s->o.learns_root || s->o.only_shape)
		return consider(s, k, is_script, &c, status);
	switch (infer(s, k, &c, &helper, &e)) {
	case INFER_DEFERRED:
		s->counts.n_deferred++;
		looks_note_starter(s, k->pid);
		if (helper.prints)
			return replay_known(s, k, &helper.first.thunk, status);
		session_keep(s, &c);
		return TRACE_EXIT;
	case INFER_FAILED:
		return fallback_answer(s, k, status);
	case INFER_HELPER:
		return helper_start(s, k, &helper, status);
	case INFER_FORCE:
		if (helper.prints)
			replay_await(s, k, &helper.first.thunk);
		return ask_force(s, k, helper.path, &helper.first, status);
	case INFER_REFUSED:
		s->o.complain(s->o.arg, &e);
		*status = 2;
		return TRACE_EXIT;
	case INFER_UNKNOWN:
		return consider(s, k, is_script, &c, status);
	case INFER_REAL:
		break;
	}
	return TRACE_GO;
}

static bool is_link(const struct session *s, const char *path)
{
	struct stat st;

	return fstatat(s->o.project->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISLNK(st.st_mode);
}

/* What gg put at path has another name now. */
static void moved(struct session *s, pid_t pid, const char *path, const char *path2)
{
	struct study *st = study_of(s, pid);
	const char *from = watch_inside(s, &s->arena, path);
	const char *to = watch_inside(s, &s->arena, path2);
	struct placeholder ph;
	struct ref_record r = { 0 };
	enum place_now now;
	struct err e;

	if (s->o.project->undo)
		undo_hear_rename(s->o.project->undo, path, path2);
	memo_touch(st ? st->memo : s->o.memo, path2, MEMO_WRITE);
	memo_output_moved(s->o.memo, path, path2);
	if (!from || !to || is_link(s, from))
		return;
	if (placeholder_at(s->o.project->root_fd, from, &s->arena, &ph, &e) == 1)
		r = (struct ref_record){ .thunk = ph.thunk, .out = ph.out };
	else if (ref_get(s->o.store, from, &s->arena, &r, &e) < 0 ||
		 place_look(s->o.store, s->o.project, from, &r, &now, &e) < 0 ||
		 now != NOW_REAL)
		return;
	if (s->o.project->undo)
		undo_note(s->o.project->undo, to);
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
	[TRACE_ENTER] = MEMO_ENTER,     [TRACE_TIMES] = MEMO_TIMES,
};

/* What the damaged placeholder at path was, when gg knows that it had put one
 * there; else what is to be said of it. */
static int mend(struct session *s, const char *path, struct placeholder *ph,
		struct err *e)
{
	struct ref_record r;

	if (ref_get(s->o.store, path, &s->arena, &r, e) == 0) {
		*ph = (struct placeholder){ .thunk = r.thunk, .out = r.out };
		return 0;
	}
	return placeholder_at(s->o.project->root_fd, path, &s->arena, ph, e) < 0 ? -1 :
	       err_set(e, ERR_BAD, "%s: changes while it is read", path);
}

static void note_arguments(struct session *s, struct memo *m, const struct ask *k)
{
	struct trace_exec x;
	struct err e;

	if (tracer_exec(k->t, k->cookie, &s->arena, &x, &e) < 0)
		return;
	for (size_t i = 1; i < x.n_args; i++)
		if (x.args[i][0] != '-')
			memo_touch(m, x.args[i][0] == '/' ? x.args[i] :
				   arena_printf(&s->arena, "%s/%s", x.cwd, x.args[i]),
				   MEMO_ENTER);
}

/* For the case that the script is run again; on any thread. */
static void hear_change(struct session *s, const struct trace_event *ev)
{
	struct undo *u = s->o.project->undo;

	if (!u)
		return;
	switch (ev->kind) {
	case TRACE_WRITE:
	case TRACE_UPDATE:
		undo_hear(u, ev->path, UNDO_WRITES);
		break;
	case TRACE_MAKE_DIR:
	case TRACE_CHANGE:
	case TRACE_TIMES:
		undo_hear(u, ev->path, UNDO_MAKES);
		break;
	case TRACE_LINK:
		undo_hear(u, ev->path2, UNDO_MAKES);
		break;
	case TRACE_REMOVE:
		undo_hear(u, ev->path, UNDO_REMOVES);
		break;
	default:
		break;
	}
}

/* The call happens. */
static void note_real(struct session *s, const struct ask *k, const struct trace_event *ev)
{
	struct study *st = study_of(s, k->pid);
	struct memo *m = st ? st->memo : s->o.memo;

	s->counts.n_real += ev->kind == TRACE_EXEC && !st;
	memo_touch(m, ev->path, touch_of[ev->kind]);
	if (ev->kind == TRACE_LINK)
		memo_touch(m, ev->path2, MEMO_WRITE);
	hear_change(s, ev);
	temps_note(s, ev);
	if (watch_follows_links(ev))
		note_arguments(s, m, k);
	if (st)
		study_note(st, ev);
}

static bool may_be_judged(struct session *s, const struct trace_event *ev,
			  bool *is_script)
{
	return watch_may_be_modelled(s, ev, is_script) ||
	       (s->o.learns && watch_may_be_learned(s, ev, is_script));
}

enum trace_answer session_judge(struct session *s, struct ask *k, int *status)
{
	const struct trace_event ev = { .kind = k->kind, .pid = k->pid, .path = k->path,
					.path2 = k->path2, .cookie = k->cookie,
					.status = k->look,
					.is_relative = k->is_relative };
	struct placeholder ph;
	const char *at;
	bool is_script;

	if (k->t == s->tracer && may_be_judged(s, &ev, &is_script)) {
		enum trace_answer a = judge_command(s, k, is_script, status);

		if (a != TRACE_GO)
			return a;
	}
	if (watch_placeholder(s, &s->arena, &ev, &at, &ph)) {
		struct held *h = held_at(s, at);
		struct err e;

		if (!ph.out && mend(s, at, &ph, &e) < 0) {
			s->o.complain(s->o.arg, &e);
			*status = 1;
			return TRACE_EXIT;
		}
		if (!h || !held_is_known(s, h))
			return ask_force(s, k, h ? NULL : at, &ph, status);
		if (held_settle(s, h, &e) < 0)
			s->o.complain(s->o.arg, &e);
	}
	at = below_packed(s, &s->arena, &ev);
	if (at && below_force(s, k, at))
		return TRACE_LATER;
	if (k->t == s->tracer)
		note_real(s, k, &ev);
	return TRACE_GO;
}

/* Note a call that sees no placeholder, on any thread; false if that is for the
 * owner. */
static bool note_quickly(struct session *s, const struct trace_event *ev)
{
	bool is_studied = atomic_load(&s->studies.n) > 0, is_noted;
	struct study *st = NULL;
	struct memo *m;

	if (is_studied) {
		pthread_rwlock_rdlock(&s->studies.lock);
		st = study_of(s, ev->pid);
	}
	m = st ? st->memo : s->o.memo;
	if (ev->is_late)
		memo_late(m, ev->path, ev->error);
	is_noted = memo_quick(m, ev->path, touch_of[ev->kind]) &&
		   (ev->kind != TRACE_LINK || memo_quick(m, ev->path2, MEMO_WRITE));
	if (is_noted) {
		hear_change(s, ev);
		temps_note(s, ev);
	}
	if (st && is_noted)
		study_note(st, ev);
	if (is_noted && ev->kind == TRACE_EXEC && !st)
		s->n_quick++;
	if (is_studied)
		pthread_rwlock_unlock(&s->studies.lock);
	return is_noted;
}

static bool is_root(struct session *s, const struct trace_event *ev)
{
	if (ev->kind != TRACE_EXEC || atomic_exchange(&s->studies.has_root, true))
		return false;
	s->studies.root_cookie = ev->cookie;
	return true;
}

/* Whatever needs neither store nor engine; on any thread. */
static bool quick(void *arg, const struct trace_event *ev)
{
	struct session *s = arg;
	struct arena a = { 0 };
	struct placeholder ph;
	const char *at;
	bool is_script, goes;

	if (ev->kind >= TRACE_END)
		return study_quick(s, ev);
	if (is_root(s, ev) || ev->kind == TRACE_RENAME || watch_follows_links(ev) ||
	    may_be_judged(s, ev, &is_script))
		return false;
	goes = !watch_placeholder(s, &a, ev, &at, &ph) && !below_packed(s, &a, ev) &&
	       note_quickly(s, ev);
	arena_release(&a);
	return goes;
}

static enum trace_answer event(void *arg, struct tracer *t,
			       const struct trace_event *ev, int *status)
{
	struct session *s = arg;
	struct ask k = { .s = s, .t = t, .cookie = ev->cookie, .kind = ev->kind,
			 .pid = ev->pid, .path = (char *)ev->path,
			 .path2 = (char *)ev->path2, .look = ev->status,
			 .is_relative = ev->is_relative };
	enum trace_answer a;

	if (ev->kind >= TRACE_END) {
		study_hear(s, ev);
		arena_reset(&s->arena);
		studies_ask_again(s);
		if (ev->kind != TRACE_END || !taps_hold(s, t, ev))
			return TRACE_GO;
		s->must_wait = true;
		return TRACE_LATER;
	}
	if (ev->kind == TRACE_RENAME)
		moved(s, ev->pid, ev->path, ev->path2);
	a = session_judge(s, &k, status);
	if (a == TRACE_LATER) {
		s->must_wait = true;
		/* What came before in this turn of the loop had nothing to wait for. */
		session_note_idle(s);
	}
	arena_reset(&s->arena);
	studies_ask_again(s);
	return a;
}

static void blind(void *arg, const char *why)
{
	struct session *s = arg;

	memo_spoil(s->o.memo, why);
	study_blind(s, why);
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

/* Until nothing is being made.  True: some asks are to be mended, which may have
 * more made. */
static bool wait_on_loop(struct session *s)
{
	s->watch = loop_watch(s->o.loop, tracer_fd(s->tracer), ready, s);
	session_note_idle(s);
	loop_run(s->o.loop, &s->is_idle);
	loop_unwatch(s->watch);
	s->watch = NULL;
	return s->to_mend && !exec_is_busy(s->o.exec) && !s->is_done;
}

/* On the loop while something is being made or others need it, else by the tracer
 * alone. */
void session_serve(struct session *s)
{
	while (!s->is_done) {
		struct err e;
		int rc;

		s->must_wait = s->o.stays_on_loop;
		rc = tracer_serve(s->tracer, &s->must_wait, &e);
		if (rc <= 0) {
			ended(s, rc, &e);
			break;
		}
		loop_turn(s->o.loop);
		if (!s->must_wait && !s->to_mend)
			continue;
		while (wait_on_loop(s))
			asks_mend(s);
	}
	replays_drop(s);
	studies_finish(s);
	taps_drop(s);
	held_finish(s);
}

static void note_output(void *arg, const char *path, const struct placeholder *ph)
{
	struct session *s = arg;

	s->last_thunk = ph->thunk;
	looks_note_output(s, ph);
	memo_output(s->o.memo, path, ph);
}

static void note_input(void *arg, const char *path, enum infer_input kind)
{
	memo_input(((struct session *)arg)->o.memo, path, kind);
}

static void note_closure(void *arg, const char *const *uses, size_t n,
			 const struct id *tree)
{
	memo_closure(((struct session *)arg)->o.memo, uses, n, tree);
}

static void note_hints(void *arg, const struct id *thunk, const struct hints *h)
{
	struct session *s = arg;
	struct err e;

	if (hints_put(s->o.store, thunk, h, &e) < 0)
		s->o.complain(s->o.arg, &e);
}

static bool fails(void *arg, const struct id *thunk)
{
	struct session *s = arg;

	s->failed_thunk = *thunk;
	return s->o.fails(s->o.arg, thunk) != NULL;
}

static bool asks_more(void *arg, const struct id *thunk)
{
	struct session *s = arg;

	return s->o.asks_more && s->o.asks_more(s->o.arg, thunk);
}

static bool doubts(void *arg, const struct command *c, const struct binding *b)
{
	return study_doubts(arg, c, b);
}

static bool temporary(void *arg, const char *path, struct temp_name *out)
{
	return temps_find(arg, path, out);
}

/* Of many such commands of a shape the first is told of. */
static void real(void *arg, const struct command *c, const char *rule, const char *why)
{
	struct session *s = arg;
	struct err e;

	(void)c;
	err_set(&e, ERR_REFUSED, "%s", why);
	study_tell_once(s, rule, &e);
}

int session_start(const struct session_opts *o, struct session **out,
		  struct err *e)
{
	struct session *s = mem_alloc(sizeof *s);
	struct tracer_opts to = { .args = o->args, .env = o->env, .cwd = o->cwd,
				  .out_fd = o->out_fd > 0 ? o->out_fd : -1,
				  .late_outside = o->project->root,
				  .wants_all = o->learns };
	struct tracer_ops ops = { .quick = quick, .event = event, .blind = blind,
				  .arg = s };
	struct infer_opts io = {
		.store = o->store, .project = o->project, .models = o->models,
		.output = note_output, .input = note_input, .hints = note_hints,
		.closure = note_closure, .fails = o->fails ? fails : NULL,
		.asks_more = o->asks_more ? asks_more : NULL,
		.doubts = o->learns ? doubts : NULL, .real = real,
		.search = run_search(), .temporary = temporary,
		.arg = s, .base_env = o->base_env ? o->base_env : o->env,
		.env_is_fixed = run_env_is_fixed,
	};

	*s = (struct session){ .o = *o, .root_len = strlen(o->project->root) };
	studies_init(s);
	looks_init(&s->looks);
	temps_init(&s->temps);
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
	held_drop(s);
	replays_drop(s);
	map_release(&s->printing);
	map_release(&s->said);
	if (s->watch)
		loop_unwatch(s->watch);
	tracer_free(s->tracer);
	studies_release(s);
	taps_drop(s);
	looks_release(&s->looks);
	temps_release(&s->temps);
	infer_free(s->infer);
	session_drop_kept(s);
	map_release(&s->moved);
	arena_release(&s->arena);
	free(s);
}
