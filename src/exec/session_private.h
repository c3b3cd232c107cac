/* session_private.h - what the files of a session share
 *
 * session.c answers events, wait.c lets calls wait for placeholders, watch.c
 * knows what a call would see (looks.c: what a look would), helper.c runs
 * commands of our own, held.c keeps redirected files that several commands may
 * write, replay.c prints what a step printed, tap.c keeps what a studied one prints,
 * study.h what is learned from.
 */
#ifndef GG_SESSION_PRIVATE_H
#define GG_SESSION_PRIVATE_H

#include <stdatomic.h>
#include "session.h"
#include "study.h"

/* After so many waits of one call something is wrong with it. */
enum { MAX_WAITS = 64 };

/* A command that was deferred. */
struct kept {
	struct command c;
	struct id thunk;
};

/* Processes that started what was deferred, and those above them (looks.c). */
struct looks {
	pthread_mutex_t lock;           /* of all that follows */
	struct map starters;
	struct map printers;            /* thunks whose output goes to a file */
	struct arena arena;
};

/* What the script has made under names of chance (temps.c). */
struct temps {
	pthread_mutex_t lock;           /* of all that follows */
	struct temp *first;
	struct arena arena;
};

struct session {
	struct session_opts o;
	struct infer *infer;
	struct tracer *tracer;
	struct watch *watch;
	struct session_counts counts;
	struct helper *helpers;
	struct held *held;
	struct replay *replays;
	struct tap *taps;
	struct map printing;            /* thunks that their commands wait for */
	struct map said;                /* ... that only print, and did */
	struct ask *to_mend;            /* could not be made as things are */
	struct studies studies;
	struct looks looks;
	struct temps temps;
	struct kept *kept;              /* deferred commands in their order */
	size_t n_kept, room_kept;
	struct arena keep;              /* of kept */
	struct map strings, envs;
	struct map moved;               /* thunks to those that replace them */
	struct id last_thunk;           /* that an output was noted of */
	struct id failed_thunk;         /* that was last found to fail */
	struct arena arena;             /* of one event */
	size_t root_len;
	atomic_size_t n_quick;          /* real commands that quick() let go */
	bool is_done, is_idle;
	volatile bool must_wait;        /* for the loop, not the tracer alone */
};

/* A call that was left for later. */
struct ask {
	struct session *s;
	struct tracer *t;
	uint64_t cookie;
	enum trace_kind kind;
	pid_t pid;
	char *path, *path2;
	int look;                       /* the event's status */
	bool is_relative;               /* the event's */
	bool prints;                    /* it waits for what it is to print */
	bool is_hasty;                  /* what started it stands still meanwhile */
	unsigned n_waits;
	struct id thunk;                /* that it waits for */
	uint64_t since_ms;              /* it does so */
	struct err *why;                /* it could not be made */
	bool is_released;               /* it must not wait for a study again */
	struct ask *next;               /* that waits for the same */
};

/* A command of ours, traced for placeholders only; its output is kept. */
struct helper {
	struct helper *next;
	struct session *s;
	struct tracer *t;
	struct watch *watch;
	struct infer_helper what;
	struct arena arena;
	int out_fd;
	struct ask *ask;
};

/* c was deferred as last_thunk; see session_relearn. */
void session_keep(struct session *s, const struct command *c);
void session_drop_kept(struct session *s);

/* The text of a thunk, in s->arena. */
int session_thunk(struct session *s, const struct id *id, struct thunk *t,
		  struct err *e);

/* k executes a command whose thunk, s->failed_thunk, is known to fail: what it
 * had written is put where it would be, and it ends with *status. */
enum trace_answer fallback_answer(struct session *s, const struct ask *k, int *status);
/* k waits for a thunk that has failed: its outputs are put as above.  False: it
 * is not known to have. */
bool fallback_settle(struct session *s, const struct ask *k);

/* The end of a pipe that pid has as fd, for us to write to: it does not block.  A
 * socket is theirs, shared.  -1 with errno: ENXIO, nobody reads. */
int pipe_end(pid_t pid, int fd, bool *is_socket);
/* As much of b as a pipe takes whole or not at all, if it can be whole lines: others may
 * write lines there too. */
struct bytes pipe_part(struct bytes b);
/* EPIPE raises no signal: the command is to hear of that, not gg. */
ssize_t pipe_write(int fd, struct bytes b);

/* Does what started pid stand still until pid executes or has ended, so that it reads
 * nothing before? */
bool pipe_parent_waits(pid_t pid);
/* Has the pipe, which may become larger, room for all that, at once? */
bool pipe_holds(int fd, bool is_socket, size_t n);

/* From now on keep what k, which is about to execute, prints into its pipe: fds has a
 * bit for standard output, standard error or both, that have one pipe.  NULL: that
 * cannot be.  tap_text: it has ended well, this is all that it printed.  tap_leave:
 * its study has ended.  taps_hold: ev is the end of a process, which is to wait until
 * all that it printed is handed on; ev is answered then. */
struct tap *tap_begin(struct session *s, const struct ask *k, unsigned fds);
int tap_text(struct tap *p, struct id *id, struct err *e);
/* Did its reader leave before the end? */
bool tap_is_cut(const struct tap *p);
void tap_leave(struct tap *p);
bool taps_hold(struct session *s, struct tracer *t, const struct trace_event *ev);
void taps_drop(struct session *s);

/* k, whose command is t, ends with *status once what r says that t printed is in its
 * pipes; at once if that is all there already.  TRACE_GO: it has to run for real, or it
 * would wait for itself, or says once more what it has said (replay.c). */
enum trace_answer replay_begin(struct session *s, const struct ask *k, const struct id *id,
			       const struct thunk *t, const struct result *r, int *status);
/* A command of this thunk has printed in this run. */
void replay_said(struct session *s, const struct id *id);
/* The same for a thunk that has ended well. */
enum trace_answer replay_known(struct session *s, const struct ask *k, const struct id *id,
			       int *status);
/* Nobody is left to read. */
void replays_drop(struct session *s);
/* k waits for this thunk, which is to print. */
void replay_await(struct session *s, struct ask *k, const struct id *id);

/* The answer to a call, now or once more after it waited. */
enum trace_answer session_judge(struct session *s, struct ask *k, int *status);

/* Make what stands at path real, then ask again. */
enum trace_answer ask_force(struct session *s, const struct ask *k, const char *path,
			    const struct placeholder *ph, int *status);
/* What it (a struct ask) waited for was made, or could not be: a want's done. */
void ask_forced(void *ask, const struct err *e);
/* A copy that waits, and the end of the wait: k is freed. */
struct ask *ask_keep(const struct ask *k);
void ask_again(struct ask *k);
void ask_free(struct ask *k);
/* Those that could not be made: mend it and ask again, or end them. */
void asks_mend(struct session *s);
/* With nothing else to wait for, the tracer is served without the loop. */
void session_note_idle(struct session *s);

/* The path as the project knows it, or NULL if it is outside. */
const char *watch_inside(const struct session *s, struct arena *a, const char *path);
/* Would the call see a placeholder: what stands at its path, or above it?
 * *at and *ph live in a.  On any thread. */
bool watch_placeholder(struct session *s, struct arena *a, const struct trace_event *ev,
		       const char **at, struct placeholder *ph);
/* May the call be an execve of a program that has a model?  A script whose
 * interpreter has one counts too. */
bool watch_may_be_modelled(struct session *s, const struct trace_event *ev,
			   bool *is_script);
/* With learning: may it be one that is worth learning? */
bool watch_may_be_learned(struct session *s, const struct trace_event *ev,
			  bool *is_script);
/* Then the arguments are those that the kernel would give the interpreter. */
void watch_see_through(struct session *s, const char *path, struct trace_exec *x);
/* The same for a command that is worth learning; what it lends is the session's. */
void watch_as_script(struct session *s, struct command *c);
/* Does this execve start a program that prints where links lead?  The calls by
 * which it finds out are not watched, so its arguments count as looked at. */
bool watch_follows_links(const struct trace_event *ev);

/* Would this look at a placeholder be misled by it?  On any thread. */
bool looks_closely(struct session *s, const struct trace_event *ev,
		   const struct placeholder *ph);
/* ph became an output. */
void looks_note_output(struct session *s, const struct placeholder *ph);
/* What tid was to run is deferred. */
void looks_note_starter(struct session *s, pid_t tid);
void looks_init(struct looks *l);
void looks_release(struct looks *l);

/* Something may be made under such a name; on any thread. */
void temps_note(struct session *s, const struct trace_event *ev);
/* Is that the name at the front of this absolute path? */
bool temps_find(struct session *s, const char *path, struct temp_name *out);
void temps_init(struct temps *t);
void temps_release(struct temps *t);

/* The folder of the project that a program which packs it looks at, or NULL; on
 * any thread.  below_force: begin to make all below it, and k, which waits, is
 * asked again then; false: there is nothing to be made. */
const char *below_packed(struct session *s, struct arena *a, const struct trace_event *ev);
bool below_force(struct session *s, const struct ask *k, const char *dir);

/* Run the helper that infer asked for; k is asked again when it has ended. */
enum trace_answer helper_start(struct session *s, const struct ask *k,
			       const struct infer_helper *what, int *status);
void helper_free(struct helper *h);

/* A deferred command's standard stream goes to c->std[fd], which its parent has
 * open too.  held_find: the file that was kept so before, or NULL.
 * held_settle: others wrote it as well, so what the thunk gives, known by now,
 * is put before that, and the file is nobody's output any more. */
struct held *held_find(struct session *s, pid_t pid, int fd);
struct held *held_at(struct session *s, const char *path);
bool held_is_known(struct session *s, const struct held *h);
int held_settle(struct session *s, struct held *h, struct err *e);
/* k's command has a stream that goes to a file which an earlier command of the same
 * shell was to write: that one's part comes first.  TRACE_GO: all is well. */
enum trace_answer held_before(struct session *s, struct ask *k, int *status);
/* Keep the file at c->std[fd] before a placeholder takes its place, and say
 * after the verdict what thunk that is, or forget it (NULL). */
struct held *held_keep(struct session *s, pid_t pid, int fd, const char *path);
void held_decide(struct session *s, struct held *h, bool is_deferred);
const struct placeholder *held_placeholder(const struct held *h);
/* At the end: settle those that others wrote, drop the rest.  held_drop only
 * drops. */
void held_finish(struct session *s);
void held_drop(struct session *s);

#endif
