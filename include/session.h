/* session.h - run a command under the tracer, deferring what models explain
 *
 * src/exec/session.c (events and answers), streams.c (standard streams of a
 * command), study.c (commands that are learned from), relearn.c (again),
 * fallback.c (commands that are known to fail), replay.c (those whose output
 * somebody reads).  Joins tracer,
 * inference and forcing on one loop: while one process waits for a placeholder
 * to be made real, the others go on.
 */
#ifndef GG_SESSION_H
#define GG_SESSION_H

#include "exec.h"
#include "infer.h"
#include "learn.h"
#include "memo.h"
#include "tracer.h"
#include "undo.h"

struct session;

/* A command that was deferred and then failed. */
struct step_failure {
	int status;                     /* as a shell says it */
	struct result left;             /* what it had written, as in run_report */
};

struct session_opts {
	struct loop *loop;
	struct store *store;
	struct project *project;
	struct models *models;          /* what is learned is added to them */
	struct exec *exec;
	struct memo *memo;
	const char **args, **env;       /* NULL at their ends */
	const char *cwd;
	int out_fd;                     /* the command's standard output; 0: ours */
	/* Workers or others are to be answered while nothing is being forced, too:
	 * the loop is always served, which costs a traced call a little more. */
	bool stays_on_loop;
	/* Study the first command of each shape that no model explains, defer
	 * later ones by what it taught. */
	bool learns;
	bool learns_root;               /* ... of args themselves, and no other */
	const char *only_shape;         /* ... of this shape, though a model may
					 * explain it; all else runs for real */
	const char **base_env;          /* as in infer_opts; NULL: env */
	bool learns_files;              /* closures of files, not packages */
	/* A study has ended: what was seen and its model's text, or why there
	 * is none (*e; ERR_RETRY if another run may teach something); what is
	 * NULL if it was not studied to its end.  Why a shape runs for real is
	 * told once.  NULL: not wanted. */
	void (*studied)(void *arg, const struct sighting *what, const char *shape,
			struct bytes text, const struct err *e);
	/* One command was judged: its words, the verdict (INFER_DEFERRED,
	 * INFER_FAILED, else it runs for real), the lines that say why.
	 * NULL: not wanted, and cheaper. */
	void (*explain)(void *arg, const struct command *c, enum infer_verdict v,
			const char *why);
	/* How this thunk has failed in an earlier session, or while this one ran,
	 * by its program's own doing; lent.  A command that would become it ends
	 * so.  NULL: it has not; fails NULL: none has. */
	const struct step_failure *(*fails)(void *arg, const struct id *thunk);
	/* A command has waited for its thunk, and prints and ends now as that did: it
	 * has heard if it failed; or one was studied that printed so.  NULL: not
	 * wanted. */
	void (*waited)(void *arg, const struct id *thunk);
	/* As in infer_opts. */
	bool (*asks_more)(void *arg, const struct id *thunk);
	/* Something could not be made for a process that waits; nothing is
	 * being forced now.  True: it was mended (session_relearn), and is to
	 * be tried again.  NULL: never. */
	bool (*mend)(void *arg, struct session *s);
	/* Something the person must know; the command that asked for it ends
	 * with status 2 (refused) or 1 (a placeholder could not be made). */
	void (*complain)(void *arg, const struct err *e);
	void *arg;
};

/* Start the command, whose watched calls wait for session_serve().  o is
 * copied, what it points to has to live as long.  Errors of tracer_start(). */
int session_start(const struct session_opts *o, struct session **out,
		  struct err *e);
/* Serve the command, and the loop where needed, until it and all below it
 * have gone. */
void session_serve(struct session *s);
/* Exit status of the command as a shell says it; commands deferred, run, and
 * studied with success (those are not among the deferred). */
struct session_counts {
	int status;
	size_t n_deferred, n_real, n_learned;
	/* The script saw what learning again has made untrue, so that it has to
	 * be run again: what that is, lent; or NULL. */
	const char *untrue;
};
void session_counts(const struct session *s, struct session_counts *out);
/* A thunk that a learned model made, in this session, asked for more than it
 * was given: run its command for real once more, widen the model, and make all
 * thunks of that shape and what depends on them anew, in place.  moved() tells
 * which thunk stands for which.  ERR_REFUSED if that taught nothing new,
 * ERR_FAILED if it fails for real too, with *status; ERR_MISSING if it is not of
 * this session. */
int session_relearn(struct session *s, const struct id *thunk,
		    void (*moved)(void *arg, const struct id *was,
				  const struct id *now),
		    int *status, struct err *e);
/* Does the command of this thunk wait for it to be made, so that it can run for real
 * instead? */
bool session_awaits(struct session *s, const struct id *thunk);
/* Did a command of this session become this thunk? */
bool session_has(struct session *s, const struct id *thunk);
/* Send sig to what still runs. */
void session_kill(struct session *s, int sig);
void session_free(struct session *s);

/* What standard stream fd of a stopped process is, from a (streams.c). */
void stream_of(pid_t pid, int fd, struct arena *a, struct stream *out);
/* The name a process goes by; false if it has died. */
bool stream_comm(pid_t pid, char *name, size_t room);
/* The parent of a process, 0 if it has died. */
pid_t stream_parent(pid_t pid);
/* By which number a process has this file open, first that number; -1: it has
 * not. */
struct stat;
int stream_fd_of(pid_t pid, const struct stat *st, int first);

#endif
