/* tracer.h - watch every process below a command, without root
 *
 * src/thunk/tracer.c (the owner's side), servers.c (who receives, and when),
 * tracee.c (a stopped process: memory and end), peers.c (what it has to do with
 * others), keeper.c (start of the command, and the end of all), filter.c (the
 * calls that are watched).
 *
 * One seccomp filter in the command, inherited by all below it, stops only
 * the calls that matter, and hands each to this process by user notification
 * before it happens.  Nothing is attached by ptrace except, for an instant, a
 * process that is to end instead of executing.
 *
 * While one process at a time asks, the owner's thread serves and the kernel
 * switches to it directly; when several ask at once, a thread on each
 * processor serves what ops.quick can answer, and leaves the rest to the
 * owner: the one thread that called tracer_start.
 */
#ifndef GG_TRACER_H
#define GG_TRACER_H

#include <sys/types.h>
#include "base.h"

struct tracer;

enum trace_kind {
	TRACE_EXEC,             /* execve of path; read the rest on demand */
	TRACE_READ,             /* open for reading, a file or a directory */
	TRACE_WRITE,            /* open that empties or makes a file */
	TRACE_UPDATE,           /* open for reading and writing or appending */
	TRACE_LOOK,             /* stat, access, readlink: exists? what?
				 * status: enum trace_look */
	TRACE_MAKE_DIR,
	TRACE_REMOVE,           /* unlink, rmdir */
	TRACE_RENAME,           /* path to path2 */
	TRACE_LINK,             /* hard link, path2 is the new name */
	TRACE_CHANGE,           /* chmod, truncate, mknod, symlink, ... */
	TRACE_TIMES,            /* utimes: all of it stays but its times */
	TRACE_ENTER,            /* chdir */
	/* Only with tracer_opts.wants_all; without it a connection to the
	 * network is something that was not seen (ops.blind). */
	TRACE_END,              /* exit_group; status says with what */
	TRACE_CONNECT,          /* path is "inet ADDRESS PORT", or the absolute
				 * path of a unix socket, or "abstract NAME",
				 * "family NUMBER", "ipc KEY", "queue NAME";
				 * "datagrams": by none yet, but by this socket
				 * it can speak to any; "interfaces": asks
				 * what the machine has, and speaks to none */
	TRACE_BIND,             /* likewise: it will be called */
	TRACE_SIGNAL,           /* a signal to process `status` (kill(2)'s pid),
				 * not of the caller's own threads, or another
				 * way to lay hands on it */
};

enum trace_look {
	LOOK_STAT,              /* all that is to be had: size, times */
	LOOK_TARGET,            /* where does the link lead? */
	LOOK_THERE,             /* whether it is there, of what kind */
};

struct trace_event {
	enum trace_kind kind;
	pid_t pid;              /* the thread that makes the call */
	const char *path;       /* absolute, as given and not tidied; borrowed;
				 * "" for TRACE_END and TRACE_SIGNAL */
	const char *path2;
	int status;             /* TRACE_END, TRACE_SIGNAL, TRACE_LOOK;
				 * TRACE_WRITE: 1 if what was there is emptied;
				 * TRACE_READ: 1 if it must be a folder */
	uint64_t cookie;        /* names the stopped call */
	bool is_relative;       /* path was given by name alone, from cwd or an
				 * open folder */
	bool is_late;           /* a look or read that has happened, or may
				 * have: nothing is stopped, cookie is 0 */
	int error;              /* is_late: its errno, 0 if it went well, -1 if
				 * that is not known */
};

enum trace_answer {
	TRACE_GO,               /* the call happens */
	TRACE_EXIT,             /* the process ends with the status given */
	TRACE_LATER,            /* stays stopped until tracer_answer() */
};

struct tracer_ops {
	/* May the call go on without further question?  Called first for
	 * every event, on any thread, several at once: it must do its own
	 * locking.  NULL: no. */
	bool (*quick)(void *arg, const struct trace_event *ev);
	/* Called for the others, from tracer_step() and tracer_serve() only.
	 * For TRACE_EXIT *status is the exit status, 0 at the start. */
	enum trace_answer (*event)(void *arg, struct tracer *t,
				   const struct trace_event *ev, int *status);
	/* Something was not seen, so that nothing may be concluded from what
	 * was: a 32-bit program, a process whose memory cannot be read.  On
	 * the owner's thread, before the event if there is one. */
	void (*blind)(void *arg, const char *why);
	void *arg;
};

/* Start args (looked up in PATH) with env in cwd.  out_fd, if not -1, is its
 * standard output.  *out is the caller's.  ERR_MISSING if there is no such
 * program, ERR_REFUSED if this kernel has no user notification or another
 * tracer is at work above.
 *
 * The command shares gg's process group and terminal, and starts with no
 * signal blocked.  Without CAP_SYS_ADMIN it runs with no new privileges, so
 * that sudo and other set-user-id programs fail below it.  Everything below it
 * is killed when the owner's process ends in whatever way. */
struct tracer_opts {
	const char **args, **env;       /* NULL at their ends */
	const char *cwd;
	int out_fd;
	bool wants_all;                 /* ends, connections and signals too;
					 * what is read from a terminal on
					 * standard input is /dev/tty */
	/* Not NULL: looks and reads of what the system's packages hold (/usr/
	 * and the like), and looks at what is missing in this project, may be
	 * told late: before any event of another kind, and at the end.
	 * Programs that look a lot then need not stop each time.  The pid is
	 * that of the program, not of what it forked, and it may be gone. */
	const char *late_outside;
};
int tracer_start(const struct tracer_opts *o, const struct tracer_ops *ops,
		 struct tracer **out, struct err *e);

/* Readable when tracer_step has work; the same fd until tracer_free. */
int tracer_fd(const struct tracer *t);
/* Serve all calls that wait now, without waiting.  1 while any traced process
 * lives, 0 once all have gone; in place of 0 -1 with ERR_MISSING or ERR_REFUSED
 * if the command could not be executed.  Else -1 is ERR_IO and final. */
int tracer_step(struct tracer *t, struct err *e);
/* The same, but wait and go on, for an owner that has nothing else to wait
 * for: cheaper by two thread switches a call.  Returns 1 when *leave has
 * become true (in a call back or a signal handler) or a signal arrived, 0
 * once all have gone, -1 as above.  Call backs run with all signals blocked;
 * one that came meanwhile ends the next wait. */
int tracer_serve(struct tracer *t, const volatile bool *leave, struct err *e);
/* Answer what was left for later.  That its process has died is fine. */
void tracer_answer(struct tracer *t, uint64_t cookie, enum trace_answer a,
		   int status);

/* How the command itself ended: exit status, or 128 + signal, as a shell
 * says it.  Valid after a 0 of tracer_step or tracer_serve. */
int tracer_status(const struct tracer *t);
/* Send sig to the command and all below it. */
void tracer_kill(struct tracer *t, int sig);
/* Ends what still lives, and waits for it. */
void tracer_free(struct tracer *t);

/* During a TRACE_EXEC event (or until it is answered): its arguments and
 * environment, cwd, from a.  ERR_MISSING if the process has died. */
struct trace_exec {
	const char **args, **env;
	size_t n_args, n_env;
	const char *cwd;
};
int tracer_exec(struct tracer *t, uint64_t cookie, struct arena *a,
		struct trace_exec *out, struct err *e);

/* Likewise: give the process our descriptor `own` as its fd, in the place of what that
 * was, for good.  -1 with errno: this kernel cannot, or it has died. */
int tracer_give(struct tracer *t, uint64_t cookie, int own, int fd);

/* The process that a thread belongs to, and its parent if wanted; 0 if it has
 * died.  On any thread, of any process. */
pid_t trace_process(pid_t tid, pid_t *parent);

#endif
