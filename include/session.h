/* session.h - run a command under the tracer, deferring what models explain
 *
 * src/exec/session.c (events and answers), streams.c (standard streams of a
 * command).  Joins tracer, inference and forcing on one loop: while one
 * process waits for a placeholder to be made real, the others go on.
 */
#ifndef GG_SESSION_H
#define GG_SESSION_H

#include "exec.h"
#include "infer.h"
#include "memo.h"
#include "tracer.h"

struct session;

struct session_opts {
	struct loop *loop;
	struct store *store;
	struct project *project;
	const struct models *models;
	struct exec *exec;
	struct memo *memo;
	const char **args, **env;       /* NULL at their ends */
	const char *cwd;
	/* One command was judged: its words, the verdict, the lines that say
	 * why.  NULL: not wanted, and cheaper. */
	void (*explain)(void *arg, const struct command *c, bool is_deferred,
			const char *why);
	/* Something the person must know; the command that asked for it ends
	 * with status 2 (refused) or 1 (a placeholder could not be made). */
	void (*complain)(void *arg, const struct err *e);
	void *arg;
};

int session_start(const struct session_opts *o, struct session **out,
		  struct err *e);
/* Serve the command, and the loop where needed, until it and all below it
 * have gone. */
void session_serve(struct session *s);
/* Exit status of the command as a shell says it; commands deferred and run. */
struct session_counts {
	int status;
	size_t n_deferred, n_real;
};
void session_counts(const struct session *s, struct session_counts *out);
/* Send sig to what still runs. */
void session_kill(struct session *s, int sig);
void session_free(struct session *s);

/* What standard stream fd of a stopped process is, from a (streams.c). */
void stream_of(pid_t pid, int fd, struct arena *a, struct stream *out);
/* The name a process goes by; false if it has died. */
bool stream_comm(pid_t pid, char *name, size_t room);
/* The parent of a process, 0 if it has died. */
pid_t stream_parent(pid_t pid);

#endif
