/* tracer.c - who serves the stopped calls, and when
 *
 * The kernel hands over a stopped call in 6 us if the server is the only one
 * and runs on the asker's processor, and in 40 us if another processor has to
 * wake up.  So there are two ways, by what is seen of the askers:
 *
 * SINGLE  One process asks at a time.  The owner's thread receives, with the
 *         kernel's SYNC_WAKE_UP: it runs where the asker ran.
 * MULTI   Askers alternate: A, B, A.  A thread pinned to each processor
 *         receives, the one on the asker's processor is there at once, and
 *         SCHED_BATCH keeps it from pushing aside another asker.  What
 *         ops.quick declines goes to the owner over a queue.
 *
 * Receiving waits when there is nothing, and cannot be told not to.  So the
 * owner receives only while no thread does and a call is known to be there; it
 * waits in ppoll, where a signal, the queue and the end can wake it too.  When
 * the mode turns to SINGLE, each thread parks after one call more, and the
 * last one hands over to the owner.
 *
 * A known limit of the kernel: a signal whose handler has no SA_RESTART makes
 * a call that stops fail with EINTR as long as nobody has received it (5.19
 * and later: only until then, and that is microseconds).
 */
#include "tracee.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
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

/* Newer than the headers of Debian 12; Linux 6.6. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

enum mode { SINGLE, MULTI, DONE };

enum {
	MAX_SERVERS = 4,                /* each call wakes all that wait */
	WINDOW = 64,                    /* askers looked at for the mode */
	MULTI_FROM = 6,                 /* A, B, A so often in a window */
	SINGLE_TO = 1,
	MAX_SPARE = 64,                 /* calls kept for reuse */
};

/* A thread that receives in MULTI. */
struct server {
	struct tracer *t;
	struct call *call;
	pthread_t thread;
	int cpu;
};

/* Who asked of late. */
struct pattern {
	atomic_uint last, before, seen, turns;
};

struct tracer {
	struct tracer_ops ops;
	int listener, sock, wake, epoll;
	pid_t keeper;
	int status, no_exec;            /* wait status; errno of the first exec */
	bool has_hung_up, is_ended, is_serving;
	char *program;
	struct call *call;              /* the owner's, being received */
	struct call **open;             /* event() was asked, no answer yet */
	size_t n_open, room_open;

	atomic_int mode, broken;        /* broken: errno that nothing can mend */
	struct pattern askers;
	struct server servers[MAX_SERVERS];
	unsigned n_servers;

	pthread_mutex_t lock;           /* of what follows */
	pthread_cond_t unpark;
	unsigned n_receiving;           /* servers that are not parked */
	bool is_in_epoll;               /* the listener */
	struct call *queue, **queue_end;
	struct call *spare;
	unsigned n_spare;
	struct map elf;                 /* path to elf_64 or elf_32 */
	struct arena elf_paths;
};

static char elf_64, elf_32;

/* ---- calls */

static struct call *call_take(struct tracer *t)
{
	struct call *c;

	pthread_mutex_lock(&t->lock);
	c = t->spare;
	if (c) {
		t->spare = c->next;
		t->n_spare--;
	}
	pthread_mutex_unlock(&t->lock);
	return c ? c : mem_alloc(sizeof *c);
}

static void call_put(struct tracer *t, struct call *c)
{
	pthread_mutex_lock(&t->lock);
	if (t->n_spare < MAX_SPARE) {
		c->next = t->spare;
		t->spare = c;
		t->n_spare++;
		c = NULL;
	}
	pthread_mutex_unlock(&t->lock);
	free(c);
}

static void free_calls(struct call *c)
{
	while (c) {
		struct call *next = c->next;

		free(c);
		c = next;
	}
}

static void wake_owner(struct tracer *t)
{
	uint64_t one = 1;

	/* Full means that it is readable already. */
	if (write(t->wake, &one, sizeof one) < 0)
		return;
}

static void fail(struct tracer *t, int err)
{
	atomic_store(&t->broken, err);
	wake_owner(t);
}

static void go(struct tracer *t, const struct call *c)
{
	if (call_go(t->listener, c) < 0)
		fail(t, errno);
}

/* The class of a program is remembered by its path: asking the file costs
 * more than all else that is done for an execve. */
static bool is_32_bit(struct tracer *t, const char *path)
{
	const char *known;
	int is_32;

	pthread_mutex_lock(&t->lock);
	known = map_get(&t->elf, bytes_str(path));
	pthread_mutex_unlock(&t->lock);
	if (known)
		return known == &elf_32;
	is_32 = elf_is_32_bit(path);
	if (is_32 < 0)
		return false;
	pthread_mutex_lock(&t->lock);
	*map_at(&t->elf, bytes_str(arena_str(&t->elf_paths, path))) =
		is_32 ? &elf_32 : &elf_64;
	pthread_mutex_unlock(&t->lock);
	return is_32;
}

/* Read the call and answer it if no question is left.  What quick is asked
 * may be wrong if the process dies meanwhile and its number is another's: then
 * one path too many was asked about, which harms nothing and saves a check of
 * each call. */
static bool is_answered(struct tracer *t, struct call *c)
{
	call_read(c);
	if (c->has_event && c->ev.kind == TRACE_EXEC && is_32_bit(t, c->ev.path))
		snprintf(c->why, sizeof c->why,
			 "%.500s is a 32-bit program, whose calls gg does not see",
			 c->ev.path);
	if (c->why[0])
		return false;
	if (c->has_event && !(t->ops.quick && t->ops.quick(t->ops.arg, &c->ev)))
		return false;
	go(t, c);
	return true;
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
		go(t, c);
	call_put(t, c);
}

/* Ask the owner's call backs about c, which is theirs until it is answered. */
static void ask(struct tracer *t, struct call *c)
{
	uint64_t cookie = c->q.id;
	enum trace_answer a;
	int status = 0;

	/* What was read may be of another process, if this one has died. */
	if (!call_waits(t->listener, c)) {
		call_put(t, c);
		return;
	}
	if (c->why[0] && t->ops.blind)
		t->ops.blind(t->ops.arg, c->why);
	if (!c->has_event ||
	    (c->why[0] && t->ops.quick && t->ops.quick(t->ops.arg, &c->ev))) {
		go(t, c);
		call_put(t, c);
		return;
	}
	open_add(t, c);
	a = t->ops.event(t->ops.arg, t, &c->ev, &status);
	tracer_answer(t, cookie, a, status);
}

static void set_sync(struct tracer *t, bool is_on)
{
	uint64_t flags = is_on ? SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP : 0;

	/* Refused before Linux 6.6, which then wakes as it always did. */
	ioctl(t->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags);
}

/* Is the listener the owner's now?  Under lock. */
static bool owner_receives(const struct tracer *t)
{
	return atomic_load(&t->mode) == SINGLE && t->n_receiving == 0 &&
	       !t->has_hung_up;
}

/* The epoll set has the listener while the owner receives, but not while it
 * waits in tracer_serve: each waiter costs at each call.  Under lock. */
static void set_epoll(struct tracer *t)
{
	struct epoll_event ev = { .events = EPOLLIN };
	bool wanted = owner_receives(t) && !t->is_serving;

	if (wanted == t->is_in_epoll)
		return;
	epoll_ctl(t->epoll, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, t->listener, &ev);
	t->is_in_epoll = wanted;
}

/* ---- modes and servers */

static void count_asker(struct tracer *t, unsigned pid);

/* Receive one call, which has to be there if this must not wait.  False: it
 * has gone. */
static bool receive(struct tracer *t, struct call *c)
{
	memset(&c->q, 0, sizeof c->q);  /* or the kernel refuses */
	if (ioctl(t->listener, SECCOMP_IOCTL_NOTIF_RECV, &c->q) == 0)
		return true;
	/* ENOENT: the asker has died, or all have. */
	if (errno != EINTR && errno != ENOENT)
		fail(t, errno);
	return false;
}

static bool has_hung_up(const struct tracer *t)
{
	struct pollfd p = { .fd = t->listener };

	return poll(&p, 1, 0) > 0 && p.revents & POLLHUP;
}

/* Hand c over to the owner; the call to go on with. */
static struct call *enqueue(struct tracer *t, struct call *c)
{
	bool was_empty;

	pthread_mutex_lock(&t->lock);
	was_empty = !t->queue;
	c->next = NULL;
	*t->queue_end = c;
	t->queue_end = &c->next;
	pthread_mutex_unlock(&t->lock);
	if (was_empty)
		wake_owner(t);
	return call_take(t);
}

/* Wait until there is work for threads; false at the end. */
static bool park(struct tracer *t)
{
	pthread_mutex_lock(&t->lock);
	if (--t->n_receiving == 0 && atomic_load(&t->mode) == SINGLE) {
		set_sync(t, true);
		set_epoll(t);
		wake_owner(t);
	}
	while (atomic_load(&t->mode) == SINGLE)
		pthread_cond_wait(&t->unpark, &t->lock);
	t->n_receiving++;
	pthread_mutex_unlock(&t->lock);
	return atomic_load(&t->mode) != DONE;
}

/* Receive as a server, which may be cancelled only here. */
static bool server_receive(struct server *s)
{
	bool is_there;

	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	is_there = receive(s->t, s->call);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	return is_there;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	struct tracer *t = s->t;
	cpu_set_t one;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	CPU_ZERO(&one);
	CPU_SET((unsigned)s->cpu, &one);
	sched_setaffinity(0, sizeof one, &one);
	sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
	while (!atomic_load(&t->broken)) {
		int mode = atomic_load(&t->mode);

		if (mode == DONE || (mode == SINGLE && !park(t)))
			break;
		if (!server_receive(s)) {
			if (has_hung_up(t))
				break;
			continue;
		}
		count_asker(t, s->call->q.pid);
		if (!is_answered(t, s->call))
			s->call = enqueue(t, s->call);
	}
	return NULL;
}

/* The threads, when they are needed for the first time.  Signals are the
 * owner's. */
static void start_servers(struct tracer *t)
{
	sigset_t all, before;
	cpu_set_t cpus;

	if (t->n_servers || sched_getaffinity(0, sizeof cpus, &cpus) < 0)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (int cpu = 0; cpu < CPU_SETSIZE && t->n_servers < MAX_SERVERS; cpu++) {
		struct server *s = &t->servers[t->n_servers];

		if (!CPU_ISSET((unsigned)cpu, &cpus))
			continue;
		*s = (struct server){ .t = t, .cpu = cpu };
		s->call = mem_alloc(sizeof *s->call);
		if (pthread_create(&s->thread, NULL, serve, s) != 0) {
			free(s->call);
			break;
		}
		t->n_servers++;
		t->n_receiving++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void set_mode(struct tracer *t, enum mode m)
{
	pthread_mutex_lock(&t->lock);
	if (atomic_load(&t->mode) != DONE && atomic_load(&t->mode) != (int)m) {
		if (m == MULTI) {
			start_servers(t);
			set_sync(t, false);
		}
		if (m != MULTI || t->n_servers)
			atomic_store(&t->mode, m);
		set_epoll(t);
		pthread_cond_broadcast(&t->unpark);
	}
	pthread_mutex_unlock(&t->lock);
}

/* Look at who asks.  A chain of short processes, each after the other, does
 * not come back to one that asked before; two at work at once do. */
static void count_asker(struct tracer *t, unsigned pid)
{
	struct pattern *p = &t->askers;
	unsigned last = atomic_load_explicit(&p->last, memory_order_relaxed), turns;

	if (pid != last) {
		if (pid == atomic_load_explicit(&p->before, memory_order_relaxed))
			atomic_fetch_add_explicit(&p->turns, 1, memory_order_relaxed);
		atomic_store_explicit(&p->before, last, memory_order_relaxed);
		atomic_store_explicit(&p->last, pid, memory_order_relaxed);
	}
	if (atomic_fetch_add_explicit(&p->seen, 1, memory_order_relaxed) + 1 < WINDOW)
		return;
	turns = atomic_exchange(&p->turns, 0);
	atomic_store(&p->seen, 0);
	if (turns >= MULTI_FROM && t->ops.quick)
		set_mode(t, MULTI);
	else if (turns <= SINGLE_TO)
		set_mode(t, SINGLE);
}

/* At the end, when no call can come any more: a thread that still waits for
 * one (it does before Linux 6.11) loses nothing. */
static void stop_servers(struct tracer *t)
{
	set_mode(t, DONE);
	for (unsigned i = 0; i < t->n_servers; i++) {
		pthread_cancel(t->servers[i].thread);
		pthread_join(t->servers[i].thread, NULL);
		free(t->servers[i].call);
	}
	t->n_servers = 0;
}

/* ---- serving */

/* Serve one call that is there. */
static void serve_one(struct tracer *t)
{
	struct call *c = t->call;

	if (!receive(t, c))
		return;
	count_asker(t, c->q.pid);
	if (is_answered(t, c))
		return;
	t->call = call_take(t);
	ask(t, c);
}

static void serve_queue(struct tracer *t)
{
	struct call *c;
	uint64_t n;

	if (read(t->wake, &n, sizeof n) < 0)
		return;
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
	stop_servers(t);
	if (!t->no_exec)
		return 0;
	return err_set(e, t->no_exec == ENOENT ? ERR_MISSING : ERR_REFUSED,
		       "%s: cannot be executed: %s", t->program, strerror(t->no_exec));
}

static void hang_up(struct tracer *t)
{
	pthread_mutex_lock(&t->lock);
	t->has_hung_up = true;
	set_epoll(t);
	pthread_mutex_unlock(&t->lock);
}

enum { POLL_SOCK, POLL_WAKE, POLL_LISTENER, N_POLL };

/* One round: wait, if timeout is NULL, and serve what there is.  1 to go on, 0
 * at the end or if there was nothing; EINTR is -1 without a word in *e. */
static int serve_round(struct tracer *t, const struct timespec *timeout,
		       const sigset_t *mask, struct err *e)
{
	struct pollfd p[N_POLL] = { { .fd = t->sock, .events = POLLIN },
				    { .fd = t->wake, .events = POLLIN },
				    { .fd = t->listener, .events = POLLIN } };
	bool receives;
	int n;

	pthread_mutex_lock(&t->lock);
	receives = owner_receives(t);
	pthread_mutex_unlock(&t->lock);
	n = ppoll(p, receives ? N_POLL : POLL_LISTENER, timeout, mask);
	if (n <= 0)
		return n;
	if (p[POLL_LISTENER].revents & POLLIN)
		serve_one(t);
	else if (p[POLL_LISTENER].revents & POLLHUP)
		hang_up(t);
	if (p[POLL_WAKE].revents)
		serve_queue(t);
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
	set_epoll(t);
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
				 .env = o->env, .cwd = o->cwd, .out_fd = o->out_fd };
	struct tracer *t = NULL;
	int rc = -1;

	if (!k.path) {
		err_set(e, ERR_MISSING, "%s: there is no such program", o->args[0]);
		goto out;
	}
	k.sh_args = with_shell(o, k.path, &a);
	t = mem_alloc(sizeof *t);
	*t = (struct tracer){ .ops = *ops, .listener = -1, .sock = -1, .wake = -1,
			      .epoll = -1, .program = mem_str(o->args[0]) };
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->unpark, NULL);
	t->queue_end = &t->queue;
	t->call = mem_alloc(sizeof *t->call);
	if (keeper_start(&k, &t->keeper, &t->sock, e) < 0 ||
	    meet(t, o->cwd, e) < 0 || open_fds(t, e) < 0)
		goto out;
	set_sync(t, true);
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
	stop_servers(t);
	for (size_t i = 0; i < t->n_open; i++)
		free(t->open[i]);
	free(t->open);
	free_calls(t->queue);
	free_calls(t->spare);
	free(t->call);
	map_release(&t->elf);
	arena_release(&t->elf_paths);
	close_fd(t->epoll);
	close_fd(t->listener);
	close_fd(t->sock);
	close_fd(t->wake);
	pthread_cond_destroy(&t->unpark);
	pthread_mutex_destroy(&t->lock);
	free(t->program);
	free(t);
}
