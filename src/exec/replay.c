/* replay.c - what a step printed goes into the pipes of its command
 *
 * A command whose output somebody reads at once waits until its thunk is known.
 * Then its text is written for it, and it ends as the step did.  A reader takes
 * what it wants when it wants, and may itself wait for gg: so each pipe is
 * written as it has room, and the process is held until all is there.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "session_private.h"

enum { AT_ONCE = 1 << 16, TURNS = 512, SOCKET_MS = 2 };

struct pour {
	struct replay *of;
	struct watch *watch;            /* of a pipe */
	struct timer *timer;            /* of a socket */
	struct bytes left;
	int fd;
	bool is_socket, is_hasty;       /* ... all of it fits at once */
};

struct replay {
	struct replay *next;
	struct session *s;
	struct tracer *t;
	uint64_t cookie;
	struct arena arena;             /* of what is to be printed */
	pid_t pid;
	int status, pidfd;
	struct watch *gone;             /* of pidfd */
	struct pour v[2];
	size_t n_open;
};

bool session_awaits(struct session *s, const struct id *thunk)
{
	return map_get(&s->printing, id_key(thunk)) != NULL;
}

void replay_await(struct session *s, struct ask *k, const struct id *id)
{
	struct id *own;

	k->prints = true;
	if (session_awaits(s, id))
		return;
	own = arena_alloc(&s->keep, sizeof *own);
	*own = *id;
	*map_at(&s->printing, id_key(own)) = own;
}

/* Does it only print, and has said so in this run?  Who asks again, as a loop that
 * waits does, wants to hear what is true now. */
static bool is_said(struct session *s, const struct id *id, const struct thunk *t)
{
	for (size_t i = 0; i < t->n_out; i++)
		if (!output_is_printed(&t->out[i]))
			return false;
	if (map_get(&s->said, id_key(id)))
		return true;
	replay_said(s, id);
	return false;
}

void replay_said(struct session *s, const struct id *id)
{
	struct id *own = arena_alloc(&s->keep, sizeof *own);

	*own = *id;
	*map_at(&s->said, id_key(own)) = own;
}

static void pour_close(struct pour *p)
{
	if (p->watch)
		loop_unwatch(p->watch);
	if (p->timer)
		loop_cancel(p->timer);
	if (p->fd >= 0)
		close(p->fd);
	*p = (struct pour){ .fd = -1 };
}

static void replay_free(struct replay *r)
{
	struct replay **at = &r->s->replays;

	while (*at && *at != r)
		at = &(*at)->next;
	if (*at)
		*at = r->next;
	for (size_t i = 0; i < 2; i++)
		pour_close(&r->v[i]);
	if (r->gone)
		loop_unwatch(r->gone);
	if (r->pidfd >= 0)
		close(r->pidfd);
	arena_release(&r->arena);
	free(r);
}

void replays_drop(struct session *s)
{
	while (s->replays)
		replay_free(s->replays);
}

static void replay_end(struct replay *r)
{
	struct session *s = r->s;

	tracer_answer(r->t, r->cookie, TRACE_EXIT, r->status);
	replay_free(r);
	session_note_idle(s);
}

/* It was killed: nobody prints any more. */
static void process_gone(void *arg)
{
	replay_end(arg);
}

/* True: all is there, or nobody reads any more. */
static bool pour_some(struct pour *p)
{
	for (int i = 0; i < TURNS && p->left.n; i++) {
		struct bytes b = { p->left.p, p->left.n < AT_ONCE ? p->left.n : AT_ONCE };
		ssize_t n = p->is_socket ? send(p->fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL) :
			    pipe_write(p->fd, p->is_hasty ? p->left : pipe_part(b));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0) {
			p->of->status = 128 + SIGPIPE;
			return true;
		}
		p->left.p += n;
		p->left.n -= (size_t)n;
	}
	return p->left.n == 0;
}

static void pour_on(struct pour *p)
{
	struct replay *r = p->of;

	if (!pour_some(p))
		return;
	pour_close(p);
	if (--r->n_open == 0)
		replay_end(r);
}

static void pipe_ready(void *arg, unsigned ready)
{
	(void)ready;
	pour_on(arg);
}

static void socket_again(void *arg)
{
	struct pour *p = arg;

	p->timer = loop_after(p->of->s->o.loop, SOCKET_MS, socket_again, p);
	pour_on(p);
}

static int pour_open(struct replay *r, int fd, const struct ref *what, struct err *e)
{
	struct session *s = r->s;
	struct pour *p = &r->v[fd - 1];
	struct bytes b;

	if (store_get(s->o.store, &what->id, &r->arena, &b, e) < 0)
		return -1;
	if (!b.n)
		return 0;
	*p = (struct pour){ .of = r, .left = b };
	p->fd = pipe_end(r->pid, fd, &p->is_socket);
	if (p->fd < 0 && errno == ENXIO)
		r->status = 128 + SIGPIPE;
	if (p->fd < 0)
		return errno == ENXIO || errno == ESRCH || errno == EBADF ? 0 :
		       err_sys(e, "what it printed cannot be written");
	r->n_open++;
	return 0;
}

/* True: all is there. */
static bool pour_begin(struct pour *p)
{
	struct session *s = p->of->s;

	if (pour_some(p)) {
		pour_close(p);
		return true;
	}
	if (p->is_socket)
		p->timer = loop_after(s->o.loop, SOCKET_MS, socket_again, p);
	else
		p->watch = loop_watch_io(s->o.loop, p->fd, WATCH_WRITE, pipe_ready, p);
	return false;
}

/* What would read it stands still until the command runs: it must fit at once. */
static bool would_hang(const struct replay *r)
{
	bool fits = true;

	for (size_t i = 0; i < 2; i++)
		fits &= r->v[i].fd < 0 ||
			pipe_holds(r->v[i].fd, r->v[i].is_socket, r->v[i].left.n);
	return !fits;
}

static const struct ref *printed_on(const struct thunk *t, const struct result *r, int fd)
{
	if (!t->std[fd] || (fd == 2 && t->std[1] && strcmp(t->std[1], t->std[2]) == 0))
		return NULL;
	for (size_t i = 0; i < t->n_out; i++)
		if (strcmp(t->out[i].path, t->std[fd]) == 0 && output_is_printed(&t->out[i]))
			return result_output(r, t->out[i].name);
	return NULL;
}

enum trace_answer replay_begin(struct session *s, const struct ask *k, const struct id *id,
			       const struct thunk *t, const struct result *left, int *status)
{
	struct replay *r;
	struct err e;

	if (is_said(s, id, t))
		return TRACE_GO;
	r = mem_alloc(sizeof *r);
	*r = (struct replay){ .s = s, .t = k->t, .cookie = k->cookie, .status = *status,
			      .v = { { .fd = -1 }, { .fd = -1 } } };
	r->pid = trace_process(k->pid, NULL);
	r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
	for (int fd = 1; fd < 3; fd++) {
		const struct ref *what = printed_on(t, left, fd);

		if (!what)
			continue;
		memo_read_printed(s->o.memo);
		if (pour_open(r, fd, what, &e) < 0) {
			s->o.complain(s->o.arg, &e);
			r->status = r->status ? r->status : 1;
		}
	}
	if (k->is_hasty && would_hang(r)) {
		replay_free(r);
		return TRACE_GO;
	}
	for (size_t i = 0; i < 2; i++) {
		r->v[i].is_hasty = k->is_hasty;
		r->n_open -= r->v[i].fd >= 0 && pour_begin(&r->v[i]);
	}
	*status = r->status;
	if (!r->n_open) {
		replay_free(r);
		return TRACE_EXIT;
	}
	r->gone = loop_watch(s->o.loop, r->pidfd, process_gone, r);
	r->next = s->replays;
	s->replays = r;
	return TRACE_LATER;
}

enum trace_answer replay_known(struct session *s, const struct ask *k, const struct id *id,
			       int *status)
{
	struct result r;
	struct thunk t;
	struct err e;

	if (s->o.waited)
		s->o.waited(s->o.arg, id);
	if (session_thunk(s, id, &t, &e) < 0 ||
	    store_get_result(s->o.store, id, &s->arena, &r, &e) < 0) {
		s->o.complain(s->o.arg, &e);
		*status = 1;
		return TRACE_EXIT;
	}
	return replay_begin(s, k, id, &t, &r, status);
}
