/* loop.h - one thread that waits for everything; src/exec/loop.c
 *
 * The verbs: spawn a process, after a time, work off the thread, watch a
 * descriptor or a signal.  src/exec/loop.c is the only file that knows libuv.
 * All call backs run on the loop's thread, from loop_run().
 */
#ifndef GG_LOOP_H
#define GG_LOOP_H

#include "base.h"

struct loop;

int loop_new(struct loop **out, struct err *e);
void loop_free(struct loop *l);
/* Serve until *stop is true or nothing is left that could call back. */
void loop_run(struct loop *l, const bool *stop);
/* Call back for all that has happened, without waiting. */
void loop_turn(struct loop *l);
/* Monotonic milliseconds, cheap, as of the last wake-up. */
uint64_t loop_now_ms(const struct loop *l);

/* A child with a stream socket as its fd 3; stdin is /dev/null, stdout and
 * stderr are ours.  env NULL: our environment.  bytes() may be called with any cut of what it sent.
 * gone() comes exactly once, after the last bytes(): exit code, or -signal. */
struct proc;
struct proc_ops {
	void (*bytes)(void *arg, struct bytes b);
	void (*gone)(void *arg, int status);
	void *arg;
	bool takes_output;      /* its stdout and stderr are the socket too */
};
int loop_spawn(struct loop *l, const char **args, const char **env,
	       const struct proc_ops *ops, struct proc **out, struct err *e);
/* Queue a copy of b for the child. */
void proc_send(struct proc *p, struct bytes b);
/* No more will be sent: the child sees the end of its socket. */
void proc_close(struct proc *p);
void proc_kill(struct proc *p, int sig);

/* Call fn once, ms from now; with 0 soon, but not before what else has happened by
 * then was looked at once.  The timer is gone after fn or loop_cancel. */
struct timer;
struct timer *loop_after(struct loop *l, uint64_t ms, void (*fn)(void *arg),
			 void *arg);
void loop_cancel(struct timer *t);

/* Run work(arg) on another thread, then done(arg) on this one. */
void loop_work(struct loop *l, void (*work)(void *arg), void (*done)(void *arg),
	       void *arg);

/* Call fn whenever fd is readable, until loop_unwatch. */
struct watch;
struct watch *loop_watch(struct loop *l, int fd, void (*fn)(void *arg), void *arg);
void loop_unwatch(struct watch *w);
/* The same for reading, writing or both (WATCH_...); fn gets what fd is ready
 * for, and all that was asked for when fd is in error.  watch_want() asks for
 * something else from now on; 0 rests. */
enum { WATCH_READ = 1, WATCH_WRITE = 2 };
struct watch *loop_watch_io(struct loop *l, int fd, unsigned events,
			    void (*fn)(void *arg, unsigned ready), void *arg);
void watch_want(struct watch *w, unsigned events);
/* Does it keep the loop running?  At first it does. */
void watch_holds(struct watch *w, bool holds);
/* Call fn on each arrival of signal sig. Does not keep the loop running. */
struct watch *loop_signal(struct loop *l, int sig, void (*fn)(void *arg), void *arg);

#endif
