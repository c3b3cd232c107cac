/* loop.c - one thread that waits for everything, on libuv
 *
 * The only file that knows libuv.  Every handle is the first member of a
 * struct of its own on the heap, so that one close call back frees any of
 * them.  A child's socket is not a libuv stream: it is read and written here
 * with plain recv and send, which cannot raise SIGPIPE and costs one call a
 * message.
 */
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { READ_BYTES = 1 << 18, CHILD_FD = 3 };

struct loop {
	uv_loop_t uv;
	char *in;                       /* READ_BYTES, shared by all sockets */
	uv_idle_t *idle;                /* runs while there is any of those due soon */
	struct timer *soon, *last_soon;
	uint64_t turn;
};

/* What is due at once is kept apart, in order.  libuv would run it among the timers
 * that are due now, and what is put off again and again would keep the loop from
 * looking at anything else. */
struct timer {
	uv_timer_t uv;
	void (*fn)(void *arg);
	void *arg;
	struct loop *loop;              /* where it is due soon, or NULL */
	struct timer *prev, *next;
	uint64_t turn;                  /* in which it was put there */
};

struct work {
	uv_work_t uv;
	void (*work)(void *arg), (*done)(void *arg);
	void *arg;
};

/* A descriptor or a signal; both begin with a uv_handle_t. */
struct watch {
	union {
		uv_handle_t handle;
		uv_poll_t poll;
		uv_signal_t signal;
	} uv;
	void (*fn)(void *arg);
	void (*io)(void *arg, unsigned ready);
	void *arg;
	unsigned events;                /* that io waits for */
};

/* The process handle, the socket handle, and what both share. */
struct proc {
	uv_process_t uv;
	uv_poll_t *poll;
	struct loop *loop;
	struct proc_ops ops;
	struct buf queue;               /* not yet taken by the kernel */
	size_t sent;                    /* of queue */
	int fd, status;
	bool has_exited, is_at_end, closes, in_bytes;
};

static void free_handle(uv_handle_t *h)
{
	free(h);
}

int loop_new(struct loop **out, struct err *e)
{
	struct loop *l = mem_alloc(sizeof *l);
	int rc = uv_loop_init(&l->uv);

	if (rc < 0) {
		free(l);
		return err_set(e, ERR_IO, "event loop: %s", uv_strerror(rc));
	}
	l->in = mem_alloc(READ_BYTES);
	l->idle = mem_alloc(sizeof *l->idle);
	l->soon = l->last_soon = NULL;
	l->turn = 0;
	uv_idle_init(&l->uv, l->idle);
	l->idle->data = l;
	*out = l;
	return 0;
}

static void close_left(uv_handle_t *h, void *arg)
{
	const struct loop *l = arg;

	if (!uv_is_closing(h) && h != (uv_handle_t *)l->idle)
		uv_close(h, free_handle);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->soon)
		loop_cancel(l->soon);
	uv_walk(&l->uv, close_left, l);
	while (uv_run(&l->uv, UV_RUN_DEFAULT))
		;
	uv_close((uv_handle_t *)l->idle, free_handle);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	if (uv_loop_close(&l->uv) < 0)
		abort();
	free(l->in);
	free(l);
}

void loop_run(struct loop *l, const bool *stop)
{
	while (!(stop && *stop) && uv_run(&l->uv, UV_RUN_ONCE))
		;
}

void loop_turn(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_NOWAIT);
}

uint64_t loop_now_ms(const struct loop *l)
{
	return uv_now(&l->uv);
}

/* ---- children */

static void proc_check(struct proc *p)
{
	if (!p->has_exited || !p->is_at_end || p->in_bytes)
		return;
	p->ops.gone(p->ops.arg, p->status);
	buf_release(&p->queue);
	uv_close((uv_handle_t *)&p->uv, free_handle);
}

static void proc_end(struct proc *p)
{
	if (p->is_at_end)
		return;
	p->is_at_end = true;
	uv_close((uv_handle_t *)p->poll, free_handle);
	close(p->fd);
}

static void proc_polled(uv_poll_t *h, int status, int events);

static void proc_want(struct proc *p)
{
	int events = UV_READABLE | (p->sent < p->queue.n ? UV_WRITABLE : 0);

	uv_poll_start(p->poll, events, proc_polled);
}

static void proc_flush(struct proc *p)
{
	while (p->sent < p->queue.n) {
		ssize_t n = send(p->fd, p->queue.p + p->sent, p->queue.n - p->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {            /* the child is gone: gone() will say */
			p->sent = p->queue.n;
			break;
		}
		p->sent += (size_t)n;
	}
	buf_reset(&p->queue);
	p->sent = 0;
	if (p->closes)
		shutdown(p->fd, SHUT_WR);
}

static void proc_read(struct proc *p)
{
	ssize_t n;

	do {
		n = recv(p->fd, p->loop->in, READ_BYTES, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		proc_end(p);
		return;
	}
	p->ops.bytes(p->ops.arg, (struct bytes){ p->loop->in, (size_t)n });
}

static void proc_polled(uv_poll_t *h, int status, int events)
{
	struct proc *p = h->data;
	bool had = p->sent < p->queue.n;

	p->in_bytes = true;
	if (had && (events & UV_WRITABLE))
		proc_flush(p);
	if (status < 0)
		proc_end(p);
	else if (events & (UV_READABLE | UV_DISCONNECT))
		proc_read(p);
	if (!p->is_at_end && had != (p->sent < p->queue.n))
		proc_want(p);
	p->in_bytes = false;
	proc_check(p);
}

static void proc_exited(uv_process_t *h, int64_t code, int sig)
{
	struct proc *p = (struct proc *)h;

	p->has_exited = true;
	p->status = sig ? -sig : (int)code;
	proc_check(p);
}

static int proc_start(struct proc *p, int child_fd, const char **args,
		      const char **env, struct err *e)
{
	bool takes = p->ops.takes_output;
	uv_stdio_container_t io[CHILD_FD + 1] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_INHERIT_FD, .data.fd = takes ? child_fd : 1 },
		{ .flags = UV_INHERIT_FD, .data.fd = takes ? child_fd : 2 },
		{ .flags = UV_INHERIT_FD, .data.fd = child_fd },
	};
	uv_process_options_t o = {
		.exit_cb = proc_exited,
		.file = args[0],
		.args = (char **)args,
		.env = (char **)env,
		.stdio = io,
		.stdio_count = CHILD_FD + 1,
	};
	int rc = uv_spawn(&p->loop->uv, &p->uv, &o);

	if (rc < 0)
		return err_set(e, rc == UV_ENOENT ? ERR_MISSING : ERR_IO,
			       "cannot start %s: %s", args[0], uv_strerror(rc));
	return 0;
}

int loop_spawn(struct loop *l, const char **args, const char **env,
	       const struct proc_ops *ops, struct proc **out, struct err *e)
{
	struct proc *p;
	int sv[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return err_sys(e, "socket for a child process");
	p = mem_alloc(sizeof *p);
	*p = (struct proc){ .loop = l, .ops = *ops, .fd = sv[0] };
	rc = proc_start(p, sv[1], args, env, e);
	close(sv[1]);
	if (rc < 0) {
		close(sv[0]);
		uv_close((uv_handle_t *)&p->uv, free_handle);
		return -1;
	}
	p->poll = mem_alloc(sizeof *p->poll);
	if (uv_poll_init(&l->uv, p->poll, p->fd) < 0)
		abort();
	p->poll->data = p;
	proc_want(p);
	*out = p;
	return 0;
}

void proc_send(struct proc *p, struct bytes b)
{
	bool had = p->sent < p->queue.n;

	if (p->is_at_end || p->closes)
		return;
	buf_add(&p->queue, b.p, b.n);
	if (had)
		return;
	proc_flush(p);
	if (p->sent < p->queue.n)
		proc_want(p);
}

void proc_close(struct proc *p)
{
	if (p->is_at_end || p->closes)
		return;
	p->closes = true;
	if (p->sent >= p->queue.n)
		shutdown(p->fd, SHUT_WR);
}

void proc_kill(struct proc *p, int sig)
{
	if (!p->has_exited)
		uv_process_kill(&p->uv, sig);
}

/* ---- time, threads, descriptors, signals */

static void timer_fired(uv_timer_t *h)
{
	struct timer *t = (struct timer *)h;
	void (*fn)(void *arg) = t->fn;
	void *arg = t->arg;

	uv_close((uv_handle_t *)h, free_handle);
	fn(arg);
}

static void soon_remove(struct timer *t)
{
	struct loop *l = t->loop;

	*(t->prev ? &t->prev->next : &l->soon) = t->next;
	*(t->next ? &t->next->prev : &l->last_soon) = t->prev;
	if (!l->soon)
		uv_idle_stop(l->idle);
	free(t);
}

/* What they put off in turn waits until the loop has looked at all else. */
static void run_soon(uv_idle_t *h)
{
	struct loop *l = h->data;
	uint64_t turn = ++l->turn;

	while (l->soon && l->soon->turn < turn) {
		void (*fn)(void *arg) = l->soon->fn;
		void *arg = l->soon->arg;

		soon_remove(l->soon);
		fn(arg);
	}
}

static void soon_add(struct loop *l, struct timer *t)
{
	t->loop = l;
	t->turn = l->turn;
	t->next = NULL;
	t->prev = l->last_soon;
	*(t->prev ? &t->prev->next : &l->soon) = t;
	l->last_soon = t;
	uv_idle_start(l->idle, run_soon);
}

struct timer *loop_after(struct loop *l, uint64_t ms, void (*fn)(void *arg),
			 void *arg)
{
	struct timer *t = mem_alloc(sizeof *t);

	t->fn = fn;
	t->arg = arg;
	t->loop = NULL;
	uv_update_time(&l->uv);
	if (!ms) {
		soon_add(l, t);
		return t;
	}
	uv_timer_init(&l->uv, &t->uv);
	uv_timer_start(&t->uv, timer_fired, ms, 0);
	return t;
}

void loop_cancel(struct timer *t)
{
	if (t && t->loop)
		soon_remove(t);
	else if (t)
		uv_close((uv_handle_t *)&t->uv, free_handle);
}

static void work_run(uv_work_t *h)
{
	struct work *w = (struct work *)h;

	w->work(w->arg);
}

static void work_done(uv_work_t *h, int status)
{
	struct work *w = (struct work *)h;

	(void)status;                   /* nothing here cancels work */
	w->done(w->arg);
	free(w);
}

void loop_work(struct loop *l, void (*work)(void *arg), void (*done)(void *arg),
	       void *arg)
{
	struct work *w = mem_alloc(sizeof *w);

	w->work = work;
	w->done = done;
	w->arg = arg;
	if (uv_queue_work(&l->uv, &w->uv, work_run, work_done) < 0)
		abort();
}

static void watch_polled(uv_poll_t *h, int status, int events)
{
	struct watch *w = (struct watch *)h;

	(void)status;                   /* reading will tell the caller */
	(void)events;
	w->fn(w->arg);
}

struct watch *loop_watch(struct loop *l, int fd, void (*fn)(void *arg), void *arg)
{
	struct watch *w = mem_alloc(sizeof *w);

	w->fn = fn;
	w->arg = arg;
	if (uv_poll_init(&l->uv, &w->uv.poll, fd) < 0 ||
	    uv_poll_start(&w->uv.poll, UV_READABLE, watch_polled) < 0)
		abort();
	return w;
}

static void watch_io_polled(uv_poll_t *h, int status, int events)
{
	struct watch *w = (struct watch *)h;
	unsigned ready = (events & UV_READABLE ? WATCH_READ : 0) |
			 (events & UV_WRITABLE ? WATCH_WRITE : 0);

	w->io(w->arg, status < 0 ? w->events : ready);
}

void watch_want(struct watch *w, unsigned events)
{
	int want = (events & WATCH_READ ? UV_READABLE : 0) |
		   (events & WATCH_WRITE ? UV_WRITABLE : 0);

	w->events = events;
	if (want ? uv_poll_start(&w->uv.poll, want, watch_io_polled) < 0
		 : uv_poll_stop(&w->uv.poll) < 0)
		abort();
}

void watch_holds(struct watch *w, bool holds)
{
	(holds ? uv_ref : uv_unref)(&w->uv.handle);
}

struct watch *loop_watch_io(struct loop *l, int fd, unsigned events,
			    void (*fn)(void *arg, unsigned ready), void *arg)
{
	struct watch *w = mem_alloc(sizeof *w);

	w->io = fn;
	w->arg = arg;
	if (uv_poll_init(&l->uv, &w->uv.poll, fd) < 0)
		abort();
	watch_want(w, events);
	return w;
}

static void watch_signaled(uv_signal_t *h, int sig)
{
	struct watch *w = (struct watch *)h;

	(void)sig;
	w->fn(w->arg);
}

struct watch *loop_signal(struct loop *l, int sig, void (*fn)(void *arg), void *arg)
{
	struct watch *w = mem_alloc(sizeof *w);

	w->fn = fn;
	w->arg = arg;
	if (uv_signal_init(&l->uv, &w->uv.signal) < 0 ||
	    uv_signal_start(&w->uv.signal, watch_signaled, sig) < 0)
		abort();
	uv_unref(&w->uv.handle);
	return w;
}

void loop_unwatch(struct watch *w)
{
	if (w)
		uv_close(&w->uv.handle, free_handle);
}
