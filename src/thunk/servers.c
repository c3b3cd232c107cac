/* servers.c - who receives the stopped calls
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
 * owner receives only while no thread does and a call is known to be there.
 * When the mode turns to SINGLE, each thread parks after one call more, and
 * the last one hands over to the owner.
 */
#include "servers.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Newer than the headers of Debian 12; Linux 6.6. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

enum {
	WINDOW = 64,                    /* askers looked at for the mode */
	MULTI_FROM = 6,                 /* A, B, A so often in a window */
	SINGLE_TO = 1,
	MAX_SPARE = 64,                 /* calls kept for reuse */
};

/* Ends a server's wait for a call, and nothing else. */
#define NUDGE (SIGRTMIN + 3)

static const char elf_64, elf_32;

struct call *call_take(struct tracer *t)
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

void call_put(struct tracer *t, struct call *c)
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

void call_let_go(struct tracer *t, const struct call *c)
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
		(void *)(is_32 ? &elf_32 : &elf_64);
	pthread_mutex_unlock(&t->lock);
	return is_32;
}

/* Hand c over to the owner. */
static void enqueue(struct tracer *t, struct call *c)
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
}

static struct call *new_note(struct tracer *t)
{
	struct call *c = call_take(t);

	c->is_note = true;
	c->has_event = false;
	c->why[0] = '\0';
	return c;
}

static void tell_note(void *arg, const struct trace_event *ev)
{
	struct tracer *t = arg;
	struct call *c;

	if (t->ops.quick && t->ops.quick(t->ops.arg, ev))
		return;
	c = new_note(t);
	c->has_event = true;
	c->ev = *ev;
	snprintf(c->text[0], sizeof c->text[0], "%s", ev->path);
	c->ev.path = c->text[0];
	enqueue(t, c);
}

void call_notes(struct tracer *t)
{
	const char *why = notes_take(t->notes, tell_note, t);
	struct call *c;

	if (!why)
		return;
	c = new_note(t);
	snprintf(c->why, sizeof c->why, "%s", why);
	enqueue(t, c);
}

/* Read the call and answer it if no question is left.  What quick is asked
 * may be wrong if the process dies meanwhile and its number is another's: then
 * one path too many was asked about, which harms nothing and saves a check of
 * each call. */
bool call_is_answered(struct tracer *t, struct call *c)
{
	call_read(c, t->wants_all);
	if (notes_answer(t->notes, t->listener, c))
		return true;
	if (c->q.data.nr == SYS_seccomp || c->q.data.nr == SYS_prctl)
		notes_stop(t->notes);
	if (c->has_event && c->ev.kind == TRACE_EXEC)
		notes_exec(t->notes, c);
	if (c->has_event && c->ev.kind == TRACE_EXEC && is_32_bit(t, c->ev.path))
		snprintf(c->why, sizeof c->why,
			 "%.500s is a 32-bit program, whose calls gg does not see",
			 c->ev.path);
	if ((c->has_event && c->ev.kind != TRACE_LOOK && c->ev.kind != TRACE_READ) ||
	    notes_are_many(t->notes))
		call_notes(t);
	if (c->why[0])
		return false;
	if (c->has_event && !(t->ops.quick && t->ops.quick(t->ops.arg, &c->ev)))
		return false;
	if (!c->has_event || !notes_offer(t->notes, t->listener, c))
		call_let_go(t, c);
	return true;
}

void servers_set_sync(struct tracer *t, bool is_on)
{
	uint64_t flags = is_on ? SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP : 0;

	/* Refused before Linux 6.6, which then wakes as it always did. */
	ioctl(t->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags);
}

bool owner_receives(const struct tracer *t)
{
	return atomic_load(&t->mode) == SINGLE && t->n_receiving == 0 &&
	       !t->has_hung_up;
}

/* The epoll set has the listener while the owner receives, but not while it
 * waits in tracer_serve: each waiter costs at each call. */
void owner_set_epoll(struct tracer *t)
{
	struct epoll_event ev = { .events = EPOLLIN };
	bool wanted = owner_receives(t) && !t->is_serving;

	if (wanted == t->is_in_epoll)
		return;
	epoll_ctl(t->epoll, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, t->listener, &ev);
	t->is_in_epoll = wanted;
}

static void *serve(void *arg);

static void nudged(int sig)
{
	(void)sig;
}

/* The threads, when they are needed for the first time.  Signals are the
 * owner's.  On a single processor they would only be in the way. */
static bool start_servers(struct tracer *t)
{
	/* Without SA_RESTART: who waits is to look up. */
	const struct sigaction nudge = { .sa_handler = nudged };
	sigset_t all, before;
	cpu_set_t cpus;

	if (t->n_servers)
		return true;
	if (sched_getaffinity(0, sizeof cpus, &cpus) < 0 || CPU_COUNT(&cpus) < 2 ||
	    sigaction(NUDGE, &nudge, NULL) < 0)
		return false;
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
		t->n_living++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return t->n_servers > 0;
}

static void set_mode(struct tracer *t, enum mode m)
{
	pthread_mutex_lock(&t->lock);
	if (atomic_load(&t->mode) != DONE && atomic_load(&t->mode) != (int)m &&
	    (m != MULTI || start_servers(t))) {
		if (m == MULTI)
			servers_set_sync(t, false);
		atomic_store(&t->mode, m);
		owner_set_epoll(t);
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

bool call_receive(struct tracer *t, struct call *c)
{
	memset(&c->q, 0, sizeof c->q);  /* or the kernel refuses */
	c->is_note = false;
	if (ioctl(t->listener, SECCOMP_IOCTL_NOTIF_RECV, &c->q) == 0) {
		count_asker(t, c->q.pid);
		return true;
	}
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

/* Wait until there is work for threads; false at the end. */
static bool park(struct tracer *t)
{
	pthread_mutex_lock(&t->lock);
	if (--t->n_receiving == 0 && atomic_load(&t->mode) == SINGLE) {
		servers_set_sync(t, true);
		owner_set_epoll(t);
		wake_owner(t);
	}
	while (atomic_load(&t->mode) == SINGLE)
		pthread_cond_wait(&t->unpark, &t->lock);
	t->n_receiving++;
	pthread_mutex_unlock(&t->lock);
	return atomic_load(&t->mode) != DONE;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	struct tracer *t = s->t;
	sigset_t nudge;
	cpu_set_t one;

	sigemptyset(&nudge);
	sigaddset(&nudge, NUDGE);
	pthread_sigmask(SIG_UNBLOCK, &nudge, NULL);
	CPU_ZERO(&one);
	CPU_SET((unsigned)s->cpu, &one);
	sched_setaffinity(0, sizeof one, &one);
	sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
	while (!atomic_load(&t->broken)) {
		int mode = atomic_load(&t->mode);

		if (mode == DONE || (mode == SINGLE && !park(t)))
			break;
		if (!call_receive(t, s->call)) {
			if (has_hung_up(t))
				break;
			continue;
		}
		if (!call_is_answered(t, s->call)) {
			enqueue(t, s->call);
			s->call = call_take(t);
		}
	}
	pthread_mutex_lock(&t->lock);
	t->n_living--;
	pthread_cond_broadcast(&t->unpark);
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static struct timespec after_ns(long ns)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += ns;
	at.tv_sec += at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	return at;
}

/* At the end, when no call can come any more.  A thread may still wait for one (it
 * does before Linux 6.11), or be about to, so it is nudged until it has seen the
 * mode.  It is not cancelled: glibc 2.36 may cancel one in the midst of its own end,
 * which then leaves the allocator locked. */
void servers_stop(struct tracer *t)
{
	set_mode(t, DONE);
	pthread_mutex_lock(&t->lock);
	while (t->n_living) {
		const struct timespec soon = after_ns(1000000);

		for (unsigned i = 0; i < t->n_servers; i++)
			pthread_kill(t->servers[i].thread, NUDGE);
		pthread_cond_clockwait(&t->unpark, &t->lock, CLOCK_MONOTONIC, &soon);
	}
	pthread_mutex_unlock(&t->lock);
	for (unsigned i = 0; i < t->n_servers; i++) {
		pthread_join(t->servers[i].thread, NULL);
		free(t->servers[i].call);
	}
	t->n_servers = 0;
}

