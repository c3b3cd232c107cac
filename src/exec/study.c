/* study.c - a command is watched while it runs; others of its shape wait
 *
 * A study begins when an execve is let go, and ends with the exit of that
 * process, before anybody can have seen it: what the command left is then as
 * it left it.  Whatever way it ends, those that waited are asked again, and
 * find a model, or a reason to run for real, or become the next study.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "closure.h"
#include "file.h"
#include "session_private.h"
#include "when.h"

double study_seconds(const struct study *st)
{
	return (double)(when_steady_ms() - st->begun_ms - st->waited_ms) / 1e3;
}

/* Several may wait at a time. */
void study_waited(struct session *s, pid_t tid, uint64_t since_ms)
{
	struct study *st = study_of(s, tid);
	uint64_t now = when_steady_ms();

	if (!st)
		return;
	if (since_ms < st->waited_until_ms)
		since_ms = st->waited_until_ms;
	st->waited_ms += now - since_ms;
	st->waited_until_ms = now;
}

void studies_init(struct session *s)
{
	pthread_rwlock_init(&s->studies.lock, NULL);
	kin_init(&s->studies.kin);
}

bool studies_are_awaited(const struct session *s)
{
	for (const struct study *st = s->studies.first; st; st = st->next)
		if (st->waiting)
			return true;
	return s->studies.again != NULL;
}

struct study *study_of(struct session *s, pid_t tid)
{
	return s->studies.first ? kin_find(&s->studies.kin, tid) : NULL;
}

/* ---- begin */

static const char **copy_strs(struct arena *a, const char **v, size_t n)
{
	const char **copy = arena_alloc(a, (n + 1) * sizeof *copy);

	for (size_t i = 0; i < n; i++)
		copy[i] = arena_str(a, v[i]);
	return copy;
}

static struct command copy_command(struct arena *a, const struct command *c)
{
	struct command to = *c;

	to.program = arena_str(a, c->program);
	to.args = copy_strs(a, c->args, c->n_args);
	to.env = copy_strs(a, c->env, c->n_env);
	to.cwd = arena_str(a, c->cwd);
	for (int fd = 0; fd < 3; fd++)
		if (c->std[fd].path)
			to.std[fd].path = arena_str(a, c->std[fd].path);
	return to;
}

static void was_killed(void *arg);

static void add_study(struct session *s, struct study *st)
{
	struct studies *all = &s->studies;

	kin_put(&all->kin, st->root, st);
	pthread_rwlock_wrlock(&all->lock);
	st->next = all->first;
	all->first = st;
	atomic_fetch_add(&all->n, 1);
	pthread_rwlock_unlock(&all->lock);
}

/* Both streams into one pipe are one text.  What teaches nothing is left as it is. */
static void begin_taps(struct study *st, const struct ask *k)
{
	const struct stream *std = st->command.std;
	bool is_one = std[1].kind == STREAM_PIPE && std[2].kind == STREAM_PIPE &&
		      strcmp(std[1].path, std[2].path) == 0;

	if (st->why_not)
		return;
	for (int fd = 1; fd < 3; fd++)
		if (std[fd].kind == STREAM_PIPE && !(fd == 2 && is_one))
			st->taps[fd] = tap_begin(st->s, k, is_one ? 6 : 1u << fd);
}

static void study_begin(struct session *s, const struct ask *k, const struct command *c,
			const struct command *as_called, const char *shape)
{
	struct study *st = mem_alloc(sizeof *st);
	struct trace_event ev = { .kind = TRACE_EXEC, .path = k->path, .pid = k->pid };

	*st = (struct study){ .s = s, .root = trace_process(k->pid, NULL),
			      .begun_ms = when_steady_ms(), .is_hasty = k->is_hasty };
	st->waited_until_ms = st->begun_ms;
	st->waiting_end = &st->waiting;
	st->command = copy_command(&st->arena, c);
	st->as_called = copy_command(&st->arena, as_called);
	st->shape = arena_str(&st->arena, shape);
	st->memo = memo_new(s->o.store, s->o.project);
	deeds_init(&st->deeds, s->o.project);
	st->pidfd = (int)syscall(SYS_pidfd_open, st->root, 0);
	if (st->pidfd >= 0)
		st->watch = loop_watch(s->o.loop, st->pidfd, was_killed, st);
	st->ahead = closure_ahead_begin(s->o.store, c->program);
	study_note_given(st);
	add_study(s, st);
	if (k->pid != st->root)
		kin_put(&s->studies.kin, k->pid, st);
	study_note(st, &ev);
	begin_taps(st, k);
}

/* ---- end */

/* Nobody finds it any more, on any thread. */
static void take_out(struct study *st)
{
	struct studies *all = &st->s->studies;
	struct study **p = &all->first;

	pthread_rwlock_wrlock(&all->lock);
	while (*p != st)
		p = &(*p)->next;
	*p = st->next;
	atomic_fetch_sub(&all->n, 1);
	kin_forget(&all->kin, all->first ? st : NULL);
	pthread_rwlock_unlock(&all->lock);
	if (st->watch)
		loop_unwatch(st->watch);
	if (st->pidfd >= 0)
		close(st->pidfd);
}

/* They are asked when nothing else is being asked any more: see
 * studies_ask_again(). */
static void let_go(struct study *st, bool is_released)
{
	struct ask **p = &st->s->studies.again;

	while (*p)
		p = &(*p)->next;
	*p = st->waiting;
	for (struct ask *k = st->waiting; k; k = k->next)
		k->is_released |= is_released;
	st->waiting = NULL;
	st->waiting_end = &st->waiting;
}

void study_release_waiting(struct study *st)
{
	let_go(st, true);
}

void studies_ask_again(struct session *s)
{
	struct studies *all = &s->studies;

	while (all->again && !all->is_asking) {
		struct ask *k = all->again;

		all->again = k->next;
		all->is_asking = true;
		ask_again(k);
		all->is_asking = false;
	}
}

/* What it saw counts as a real command's unless its result was adopted. */
static void study_end(struct study *st, bool is_adopted)
{
	struct session *s = st->s;

	let_go(st, false);
	if (is_adopted)
		memo_free(st->memo);
	else
		memo_join(s->o.memo, st->memo);
	s->counts.n_real += !is_adopted;
	s->counts.n_learned += is_adopted;
	closure_ahead_free(st->ahead);
	tap_leave(st->taps[1]);
	tap_leave(st->taps[2]);
	strs_release(&st->bound);
	deeds_release(&st->deeds);
	arena_release(&st->arena);
	free(st);
	session_note_idle(s);
}

static void study_ended(struct study *st, int status)
{
	if (status == 0 && !st->why_real)
		st->why_real = study_left(st);
	if (!st->why_real)
		st->why_real = study_sends(st);
	take_out(st);
	study_end(st, status == 0 && study_teach(st));
}

static bool has_died(const struct study *st)
{
	struct pollfd p = { .fd = st->pidfd, .events = POLLIN };

	return st->pidfd >= 0 && poll(&p, 1, 0) == 1;
}

/* Its process has gone without a word: that teaches nothing. */
static void bury(struct study *st)
{
	take_out(st);
	study_end(st, false);
}

static void was_killed(void *arg)
{
	struct study *st = arg;
	struct session *s = st->s;

	bury(st);
	studies_ask_again(s);
}

static void bury_dead(struct session *s)
{
	struct study *st = s->studies.first;

	while (st) {
		struct study *next = st->next;

		if (has_died(st))
			bury(st);
		st = next;
	}
}

static void free_asks(struct ask *k)
{
	while (k) {
		struct ask *next = k->next;

		ask_free(k);
		k = next;
	}
}

void studies_finish(struct session *s)
{
	struct studies *all = &s->studies;

	while (all->first)
		bury(all->first);
	free_asks(all->again);
	all->again = NULL;
	if (all->timer)
		loop_cancel(all->timer);
	all->timer = NULL;
}

void studies_release(struct session *s)
{
	struct studies *all = &s->studies;

	studies_finish(s);
	kin_release(&all->kin);
	map_release(&all->told);
	study_forget_doubts(s);
	arena_release(&all->arena);
	pthread_rwlock_destroy(&all->lock);
}

void study_is_driver(struct study *st, const struct command *c)
{
	struct err e;
	const char *why;
	const char *shape = learn_shape(c, &st->arena, &why);

	err_set(&e, ERR_REFUSED, "it starts %s, a command of its own",
		shape ? shape : path_base(c->args[0]));
	take_out(st);
	if (st->s->o.learns_root)
		study_tell(st->s, NULL, st->shape, (struct bytes){ 0 }, &e);
	study_never(st, e.text);
	study_rests(st, true);
	study_end(st, false);
}

/* ---- which commands */

/* Is it somebody's own program, not a script that a tool of the system uses? */
static bool is_of_interest(const char *shape)
{
	return !strstr(shape, " /");
}

/* A program of the system that is to read nothing of the project, and whose output
 * somebody reads: there is nothing to be learned, and nothing to be told. */
static bool is_small_talk(const struct command *c, const char *shape, struct arena *a)
{
	if (is_of_interest(shape) || !command_prints_to(c, STREAM_PIPE))
		return false;
	for (size_t i = 1; i < c->n_args; i++)
		if (model_names_file(c, c->args[i], a))
			return false;
	return true;
}

/* Streams that a thunk cannot have; told once for a shape, and not again of what
 * the same process becomes: Rscript is R a moment later. */
static bool has_odd_stream(struct session *s, pid_t pid, const struct command *c,
			   const char *shape)
{
	static const char *const names[] = { "standard input", "standard output",
					     "standard error" };
	struct err e;

	for (int i = 0; i < 3; i++) {
		const struct stream *t = &c->std[i];
		bool adds = i && t->kind == STREAM_FILE && t->appends;

		if (t->kind != STREAM_OTHER && !adds)
			continue;
		err_set(&e, ERR_REFUSED, adds ? "its %s adds to %s" : "its %s is %s",
			names[i], t->path);
		if (is_of_interest(shape) && s->studies.told_of != pid)
			study_tell(s, NULL, shape, (struct bytes){ 0 }, &e);
		s->studies.told_of = pid;
		return true;
	}
	return false;
}

static void tell_streamed(struct session *s, const struct command *c)
{
	struct err e;

	if (s->o.learns_root || !learn_is_streamed(c))
		return;
	err_set(&e, ERR_REFUSED, "its program comes on its standard input; in a file it "
		"could be learned");
	study_tell(s, NULL, arena_printf(&s->arena, "%s -", path_base(c->args[0])),
		   (struct bytes){ 0 }, &e);
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* It was seen to, and nothing that made it so has changed since. */
static bool must_run(struct session *s, const struct command *c, const char *shape)
{
	bool is_quiet;
	struct learned l;
	struct err e;

	if (learned_text(s->o.store, shape, &s->arena, &l, &e) < 0 ||
	    !learned_stands(s->o.store, shape, c, &is_quiet))
		return false;
	/* One way of calling it alone, told when it was seen. */
	if (!l.never)
		return true;
	err_set(&e, ERR_REFUSED, "%s", l.never);
	if (!is_quiet && is_of_interest(shape))
		study_tell(s, NULL, shape, (struct bytes){ 0 }, &e);
	return true;
}

static struct study *study_of_shape(struct session *s, const char *shape)
{
	for (struct study *st = s->studies.first; st; st = st->next)
		if (strcmp(st->shape, shape) == 0)
			return st;
	return NULL;
}

static enum trace_answer wait_for(struct study *st, const struct ask *k)
{
	struct ask *kept = ask_keep(k);

	kept->next = NULL;
	*st->waiting_end = kept;
	st->waiting_end = &kept->next;
	study_watch_idle(st->s);
	return TRACE_LATER;
}

enum trace_answer study_consider(struct session *s, struct ask *k,
				 const struct command *c,
				 const struct command *as_called)
{
	bool is_root = k->cookie == s->studies.root_cookie;
	const char *why, *shape;
	struct study *same;

	if (!s->o.learns || (s->o.learns_root && !is_root) || !is_program(k->path))
		return TRACE_GO;
	if (is_root && !s->o.learns_root && learn_is_shell(c))
		return TRACE_GO;
	shape = learn_shape(c, &s->arena, &why);
	if (!shape)
		tell_streamed(s, c);
	if (s->o.only_shape && (!shape || strcmp(shape, s->o.only_shape) != 0))
		return TRACE_GO;
	if (!shape || k->is_released || k->n_waits > MAX_WAITS ||
	    (!s->o.learns_root && !s->o.only_shape && must_run(s, as_called, shape)) ||
	    has_odd_stream(s, k->pid, c, shape) || is_small_talk(c, shape, &s->arena))
		return TRACE_GO;
	bury_dead(s);
	/* What waits would keep others waiting that could start the next. */
	same = k->is_hasty ? NULL : study_of_shape(s, shape);
	if (same && !same->why_real)
		return wait_for(same, k);
	if (!same)
		study_begin(s, k, c, as_called, shape);
	return TRACE_GO;
}

/* ---- what it does */

void study_note(struct study *st, const struct trace_event *ev)
{
	char line[256], *save = NULL, *word;

	deeds_note(&st->deeds, ev);
	if (ev->kind == TRACE_EXEC && file_shebang(ev->path, line, sizeof line)) {
		word = strtok_r(line, " \t", &save);
		if (word && *word == '/')
			deeds_note_program(&st->deeds, word);
	}
}

static bool is_network(const struct trace_event *ev)
{
	return ev->kind == TRACE_CONNECT && strncmp(ev->path, "inet ", 5) == 0;
}

/* On any thread: true if there is nothing to be done about it. */
bool study_quick(struct session *s, const struct trace_event *ev)
{
	struct study *st;
	bool is_done = true;

	if (is_network(ev))
		return false;
	if (!atomic_load(&s->studies.n))
		return true;
	pthread_rwlock_rdlock(&s->studies.lock);
	st = study_of(s, ev->pid);
	if (st && ev->kind == TRACE_END && trace_process(ev->pid, NULL) != st->root)
		kin_put_children(&s->studies.kin, ev->pid, st);
	else
		is_done = !st;
	pthread_rwlock_unlock(&s->studies.lock);
	return is_done;
}

void study_hear(struct session *s, const struct trace_event *ev)
{
	struct study *st = study_of(s, ev->pid);

	if (is_network(ev) && !st)
		memo_spoil(s->o.memo, "it speaks to the network");
	if (!st)
		return;
	if (ev->kind != TRACE_END) {
		study_meets(st, ev);
		return;
	}
	kin_put_children(&s->studies.kin, ev->pid, st);
	if (trace_process(ev->pid, NULL) == st->root)
		study_ended(st, ev->status);
}

void study_blind(struct session *s, const char *why)
{
	struct study *of = NULL;
	int pid;

	if (sscanf(why, "process %d:", &pid) == 1 && !(of = study_of(s, pid)))
		return;
	for (struct study *st = s->studies.first; st; st = st->next)
		if ((!of || st == of) && !st->why_not)
			st->why_not = arena_str(&st->arena, why);
}
