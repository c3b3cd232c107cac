/* tracer.c - the owner's side: start, questions, answers, end
 *
 * The owner waits in ppoll for four things at once: a stopped call (while no
 * thread of servers.c receives), the queue of what those threads leave to it,
 * the keeper's news, and signals.  A question stays open until it is answered,
 * by the call back or later, and its process stays stopped so long.
 *
 * A known limit of the kernel: a signal whose handler has no SA_RESTART makes
 * a call that stops fail with EINTR as long as nobody has received it (5.19
 * and later: only until then, and that is microseconds).
 */
#include "servers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- calls */

static void free_calls(struct call *c)
{
	while (c) {
		struct call *next = c->next;

		free(c);
		c = next;
	}
}

/* ---- the owner's part */

static void open_add(struct tracer *t, struct call *c)
{
	if (t->n_open == t->room_open) {
		t->room_open = t->room_open ? 2 * t->room_open : 16;
		t->open = mem_grow(t->open, t->room_open * sizeof *t->open);
	}
	t->open[t->n_open++] = c;
}

static struct call *open_find(const struct tracer *t, uint64_t cookie, size_t *at)
{
	for (size_t i = t->n_open; i-- > 0;)
		if (t->open[i]->q.id == cookie) {
			*at = i;
			return t->open[i];
		}
	return NULL;
}

void tracer_answer(struct tracer *t, uint64_t cookie, enum trace_answer a,
		   int status)
{
	size_t i;
	struct call *c = open_find(t, cookie, &i);

	if (!c || a == TRACE_LATER)
		return;
	t->open[i] = t->open[--t->n_open];
	if (a != TRACE_EXIT || !call_end(t->listener, c, status))
		call_let_go(t, c);
	call_put(t, c);
}

/* What a program noted: there is nothing to answer. */
static void ask_note(struct tracer *t, struct call *c)
{
	int status = 0;

	if (c->why[0] && t->ops.blind)
		t->ops.blind(t->ops.arg, c->why);
	if (c->has_event)
		t->ops.event(t->ops.arg, t, &c->ev, &status);
	call_put(t, c);
}

/* Ask the owner's call backs about c, which is theirs until it is answered. */
static void ask(struct tracer *t, struct call *c)
{
	uint64_t cookie = c->q.id;
	enum trace_answer a;
	int status = 0;

	if (c->is_note) {
		ask_note(t, c);
		return;
	}
	/* What was read may be of another process, if this one has died. */
	if (!call_waits(t->listener, c)) {
		call_put(t, c);
		return;
	}
	if (c->why[0] && t->ops.blind)
		t->ops.blind(t->ops.arg, c->why);
	if (!c->has_event ||
	    (c->why[0] && t->ops.quick && t->ops.quick(t->ops.arg, &c->ev))) {
		call_let_go(t, c);
		call_put(t, c);
		return;
	}
	open_add(t, c);
	a = t->ops.event(t->ops.arg, t, &c->ev, &status);
	tracer_answer(t, cookie, a, status);
}

/* ---- serving */

static void serve_queue(struct tracer *t)
{
	struct call *c;

	pthread_mutex_lock(&t->lock);
	c = t->queue;
	t->queue = NULL;
	t->queue_end = &t->queue;
	pthread_mutex_unlock(&t->lock);
	while (c) {
		struct call *next = c->next;

		ask(t, c);
		c = next;
	}
}

static void serve_wake(struct tracer *t)
{
	uint64_t n;

	if (read(t->wake, &n, sizeof n) > 0)
		serve_queue(t);
}

/* Serve one call that is there. */
static void serve_one(struct tracer *t)
{
	struct call *c = t->call;

	if (!call_receive(t, c))
		return;
	if (call_is_answered(t, c))
		return;
	t->call = call_take(t);
	serve_queue(t);                 /* what was noted before this call */
	ask(t, c);
}

/* All processes have gone. */
static void take_last_notes(struct tracer *t)
{
	call_notes(t);
	serve_queue(t);
	if (notes_are_lost(t->notes) && t->ops.blind)
		t->ops.blind(t->ops.arg, "a process was killed while it told what it looked at");
}

/* What the keeper says.  -1 if it has died, which it never does of itself. */
static int hear_keeper(struct tracer *t, struct err *e)
{
	struct news n;
	int fd, rc;

	while (!t->is_ended && (rc = keeper_news(t->sock, false, &n, &fd)) != 0) {
		if (rc < 0)
			return err_set(e, ERR_IO,
				       "%s: the process that gg put above it was killed",
				       t->program);
		if (n.kind == NEWS_STATUS)
			t->status = n.value;
		if (n.kind == NEWS_NO_EXEC)
			t->no_exec = n.value;
		t->is_ended = n.kind == NEWS_END;
	}
	if (!t->is_ended)
		return 0;
	servers_stop(t);
	take_last_notes(t);
	if (!t->no_exec)
		return 0;
	return err_set(e, t->no_exec == ENOENT ? ERR_MISSING : ERR_REFUSED,
		       "%s: cannot be executed: %s", t->program, strerror(t->no_exec));
}

static void hang_up(struct tracer *t)
{
	pthread_mutex_lock(&t->lock);
	t->has_hung_up = true;
	owner_set_epoll(t);
	pthread_mutex_unlock(&t->lock);
}

enum { POLL_SOCK, POLL_WAKE, POLL_LISTENER, N_POLL };
enum { NOTES_WAIT_NS = 5000000 };       /* a program may fill the ring */

/* One round: wait, if timeout is NULL, and serve what there is.  1 to go on, 0
 * at the end or if there was nothing; EINTR is -1 without a word in *e. */
static int serve_round(struct tracer *t, const struct timespec *timeout,
		       const sigset_t *mask, struct err *e)
{
	struct pollfd p[N_POLL] = { { .fd = t->sock, .events = POLLIN },
				    { .fd = t->wake, .events = POLLIN },
				    { .fd = t->listener, .events = POLLIN } };
	static const struct timespec soon = { .tv_nsec = NOTES_WAIT_NS };
	bool receives;
	int n;

	pthread_mutex_lock(&t->lock);
	receives = owner_receives(t);
	pthread_mutex_unlock(&t->lock);
	if (!timeout && notes_are_there(t->notes))
		timeout = &soon;
	n = ppoll(p, receives ? N_POLL : POLL_LISTENER, timeout, mask);
	if (n == 0 && timeout == &soon)
		call_notes(t);
	if (n <= 0)
		return timeout == &soon ? n == 0 : n;
	if (p[POLL_LISTENER].revents & POLLIN)
		serve_one(t);
	else if (p[POLL_LISTENER].revents & POLLHUP)
		hang_up(t);
	if (p[POLL_WAKE].revents)
		serve_wake(t);
	if (atomic_load(&t->broken))
		return err_set(e, ERR_IO, "%s: watching its calls: %s", t->program,
			       strerror(atomic_load(&t->broken)));
	if (p[POLL_SOCK].revents && hear_keeper(t, e) < 0)
		return -1;
	return !t->is_ended;
}

int tracer_step(struct tracer *t, struct err *e)
{
	const struct timespec now = { 0 };
	int rc = 1;

	e->code = ERR_NONE;
	while (!t->is_ended && rc > 0)
		rc = serve_round(t, &now, NULL, e);
	return rc < 0 && e->code ? -1 : !t->is_ended;
}

static void set_serving(struct tracer *t, bool is_serving)
{
	pthread_mutex_lock(&t->lock);
	t->is_serving = is_serving;
	owner_set_epoll(t);
	pthread_mutex_unlock(&t->lock);
}

/* Signals stay blocked but in ppoll, so that none comes unnoticed between a
 * look at *leave and the wait. */
int tracer_serve(struct tracer *t, const volatile bool *leave, struct err *e)
{
	sigset_t all, before;
	int rc = 1;

	e->code = ERR_NONE;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	set_serving(t, true);
	while (!t->is_ended && rc > 0 && !*leave)
		rc = serve_round(t, NULL, &before, e);
	set_serving(t, false);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc < 0 && e->code ? -1 : !t->is_ended;
}

int tracer_fd(const struct tracer *t)
{
	return t->epoll;
}

int tracer_give(struct tracer *t, uint64_t cookie, int own, int fd)
{
	struct seccomp_notif_addfd give = {
		.id = cookie, .flags = SECCOMP_ADDFD_FLAG_SETFD,
		.srcfd = (__u32)own, .newfd = (__u32)fd,
	};

	return ioctl(t->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &give) < 0 ? -1 : 0;
}

int tracer_exec(struct tracer *t, uint64_t cookie, struct arena *a,
		struct trace_exec *out, struct err *e)
{
	size_t i;
	const struct call *c = open_find(t, cookie, &i);

	if (!c)
		return err_set(e, ERR_MISSING, "no such call waits");
	if (call_exec(c, a, out, e) < 0)
		return -1;
	/* Else it has died, and what was read may be another's. */
	if (!call_waits(t->listener, c))
		return err_set(e, ERR_MISSING, "process %d has died", c->ev.pid);
	return 0;
}

int tracer_status(const struct tracer *t)
{
	return WIFSIGNALED(t->status) ? 128 + WTERMSIG(t->status)
				      : WEXITSTATUS(t->status);
}

void tracer_kill(struct tracer *t, int sig)
{
	keeper_kill_below(t->keeper, sig);
}

/* ---- start and end */

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static const char *in_cwd(struct arena *a, const char *cwd, struct bytes path)
{
	if (path.n && *path.p == '/')
		return arena_strn(a, path.p, path.n);
	return arena_printf(a, "%s/%.*s", cwd, (int)path.n, path.p);
}

/* The program that a shell in cwd with that environment would take. */
static const char *find_program(const struct tracer_opts *o, struct arena *a)
{
	const char *name = o->args[0], *path = "/usr/local/bin:/usr/bin:/bin";

	if (strchr(name, '/')) {
		name = in_cwd(a, o->cwd, bytes_str(name));
		return access(name, F_OK) == 0 ? name : NULL;
	}
	for (const char **v = o->env; *v; v++)
		if (strncmp(*v, "PATH=", 5) == 0)
			path = *v + 5;
	for (;;) {
		struct bytes dir = { path, strcspn(path, ":") };
		const char *found = arena_printf(a, "%s/%s", in_cwd(a, o->cwd, dir), name);

		if (is_program(found))
			return found;
		path += dir.n;
		if (!*path++)
			return NULL;
	}
}

static const char **with_shell(const struct tracer_opts *o, const char *path,
			       struct arena *a)
{
	size_t n = 0;
	const char **v;

	while (o->args[n])
		n++;
	v = arena_alloc(a, (n + 2) * sizeof *v);
	v[0] = "sh";
	v[1] = path;
	memcpy(v + 2, o->args + 1, n * sizeof *v);
	return v;
}

static int no_filter(int err, struct err *e)
{
	if (err == EBUSY)
		return err_set(e, ERR_REFUSED,
			       "gg is already watching this command from above: "
			       "run it without a second gg");
	if (err == EINVAL || err == ENOSYS)
		return err_set(e, ERR_REFUSED,
			       "this kernel cannot show gg what a command does: "
			       "Linux 5.5 or newer is needed, with seccomp");
	return err_set(e, ERR_REFUSED, "seccomp is not permitted here: %s",
		       strerror(err));
}

/* Wait for the listener. */
static int meet(struct tracer *t, const char *cwd, struct err *e)
{
	struct news n;

	if (keeper_news(t->sock, true, &n, &t->listener) < 0)
		return err_set(e, ERR_IO, "%s: a process could not be started",
			       t->program);
	if (n.kind == NEWS_NO_FILTER)
		return no_filter(n.value, e);
	if (n.kind == NEWS_NO_DIR)
		return err_set(e, ERR_MISSING, "%s: %s", cwd, strerror(n.value));
	if (n.kind != NEWS_LISTENER || t->listener < 0)
		return err_set(e, ERR_IO, "%s: could not be started", t->program);
	return 0;
}

static int open_fds(struct tracer *t, struct err *e)
{
	struct epoll_event ev = { .events = EPOLLIN };

	t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (t->wake < 0 || t->epoll < 0 ||
	    epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->wake, &ev) < 0 ||
	    epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->sock, &ev) < 0)
		return err_sys(e, "%s: watching it", t->program);
	return 0;
}

int tracer_start(const struct tracer_opts *o, const struct tracer_ops *ops,
		 struct tracer **out, struct err *e)
{
	struct arena a = { 0 };
	struct keeper_opts k = { .path = find_program(o, &a), .args = o->args,
				 .env = o->env, .cwd = o->cwd, .out_fd = o->out_fd,
				 .wants_all = o->wants_all };
	struct tracer *t = NULL;
	int rc = -1;

	if (!k.path) {
		err_set(e, ERR_MISSING, "%s: there is no such program", o->args[0]);
		goto out;
	}
	k.sh_args = with_shell(o, k.path, &a);
	t = mem_alloc(sizeof *t);
	*t = (struct tracer){ .ops = *ops, .listener = -1, .sock = -1, .wake = -1,
			      .epoll = -1, .program = mem_str(o->args[0]),
			      .wants_all = o->wants_all };
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->unpark, NULL);
	t->queue_end = &t->queue;
	t->call = mem_alloc(sizeof *t->call);
	if (o->late_outside)
		t->notes = notes_new(o->late_outside);
	k.gate = notes_gate(t->notes);
	if (keeper_start(&k, &t->keeper, &t->sock, e) < 0 ||
	    meet(t, o->cwd, e) < 0 || open_fds(t, e) < 0)
		goto out;
	servers_set_sync(t, true);
	set_serving(t, false);
	*out = t;
	t = NULL;
	rc = 0;
out:
	tracer_free(t);
	arena_release(&a);
	return rc;
}

/* The keeper kills what still lives when its socket is shut down. */
static void end_keeper(struct tracer *t)
{
	if (t->sock >= 0)
		shutdown(t->sock, SHUT_WR);
	if (t->keeper > 0)
		while (waitpid(t->keeper, NULL, 0) < 0 && errno == EINTR)
			;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void tracer_free(struct tracer *t)
{
	if (!t)
		return;
	end_keeper(t);
	servers_stop(t);
	for (size_t i = 0; i < t->n_open; i++)
		free(t->open[i]);
	free(t->open);
	free_calls(t->queue);
	free_calls(t->spare);
	free(t->call);
	map_release(&t->elf);
	arena_release(&t->elf_paths);
	notes_free(t->notes);
	close_fd(t->epoll);
	close_fd(t->listener);
	close_fd(t->sock);
	close_fd(t->wake);
	pthread_cond_destroy(&t->unpark);
	pthread_mutex_destroy(&t->lock);
	free(t->program);
	free(t);
}
