/* tracer.h - watch every process below a command, without root;
 * src/thunk/tracer.c
 *
 * One seccomp filter in the command, inherited by all below it, stops only
 * the calls that matter, and hands each to this process by user notification
 * before it happens.  Nothing is attached by ptrace except, for an instant, a
 * process that is to end instead of executing.
 *
 * One thread owns a tracer: the one that called tracer_start.
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
	TRACE_LOOK,             /* stat, access, readlink: exists? what? */
	TRACE_MAKE_DIR,
	TRACE_REMOVE,           /* unlink, rmdir */
	TRACE_RENAME,           /* path to path2 */
	TRACE_LINK,             /* hard link, path2 is the new name */
	TRACE_CHANGE,           /* chmod, truncate, utimes, mknod, symlink, ... */
};

struct trace_event {
	enum trace_kind kind;
	pid_t pid;              /* the thread that makes the call */
	const char *path;       /* absolute, as given and not tidied; borrowed */
	const char *path2;
	uint64_t cookie;        /* names the stopped call */
};

enum trace_answer {
	TRACE_GO,               /* the call happens */
	TRACE_EXIT,             /* the process ends with the status given */
	TRACE_LATER,            /* stays stopped until tracer_answer() */
};

struct tracer_ops {
	/* Called for every event from tracer_step(), never elsewhere.  For
	 * TRACE_EXIT *status is the exit status, 0 at the start. */
	enum trace_answer (*event)(void *arg, struct tracer *t,
				   const struct trace_event *ev, int *status);
	void *arg;
};

/* Start args (looked up in PATH) with env in cwd.  out_fd, if not -1, is its
 * standard output.  *out is the caller's.  ERR_MISSING if there is no such
 * program, ERR_REFUSED if this kernel has no user notification. */
struct tracer_opts {
	const char **args, **env;
	const char *cwd;
	int out_fd;
};
int tracer_start(const struct tracer_opts *o, const struct tracer_ops *ops,
		 struct tracer **out, struct err *e);

/* Readable when tracer_step has work; the same fd until tracer_free. */
int tracer_fd(const struct tracer *t);
/* Serve all calls that wait now.  1 while any traced process lives, 0 once
 * all have gone. */
int tracer_step(struct tracer *t, struct err *e);
/* Answer what was left for later.  That its process has died is fine. */
void tracer_answer(struct tracer *t, uint64_t cookie, enum trace_answer a,
		   int status);

/* How the command itself ended: exit status, or 128 + signal, as a shell
 * says it.  Valid after tracer_step gave 0. */
int tracer_status(const struct tracer *t);
/* Send sig to the command's process group. */
void tracer_kill(struct tracer *t, int sig);
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

#endif
