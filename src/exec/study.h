/* study.h - commands that are learned from while they run
 *
 * study.c (begin, wait, give up, end), study_teach.c (from what one did to a
 * model), study_peers.c (whom one meets), study_idle.c (no waiting without
 * end), study_given.c (what it has open from the start), study_left.c (what
 * outlives it), study_doubt.c (whether one run is enough), deeds.c and kin.c
 * beneath.
 *
 * A command that nobody explains runs for real once and is watched; others of
 * its shape wait for what it teaches.  The owner's thread begins and ends
 * studies; any thread notes what they do, under the read lock.
 */
#ifndef GG_STUDY_H
#define GG_STUDY_H

#include <stdatomic.h>
#include "deeds.h"
#include "kin.h"
#include "session.h"

struct session;
struct ask;

struct study {
	struct study *next;
	struct session *s;
	struct arena arena;
	struct command command;
	struct command as_called;       /* the same; of a script that is executed
					 * itself without its interpreter, as
					 * later ones are judged */
	const char *shape;
	pid_t root;
	int pidfd;
	struct watch *watch;            /* of pidfd */
	uint64_t begun_ms;
	uint64_t waited_ms, waited_until_ms;    /* for what gg made */
	struct deeds deeds;
	struct memo *memo;              /* what it saw, until it is known how
					 * that counts */
	struct closure_ahead *ahead;    /* closure.h */
	struct tap *taps[3];            /* of what it prints, by its stream */
	bool is_hasty;                  /* as its ask */
	struct strs bound;              /* names by which it can be called */
	const char *why_real;           /* it must run for real each time */
	const char *why_not;            /* this run teaches nothing */
	pid_t senders[8];               /* have a socket for datagrams and did not
					 * connect it */
	size_t n_senders;
	struct given *given;            /* files that it was started with */
	size_t n_given;
	struct ask *waiting, **waiting_end;
	uint64_t idle_since_ms, stale_since_ms, idle_cpu;
	size_t idle_news;
};

struct studies {
	pthread_rwlock_t lock;          /* of first, for who is not the owner */
	atomic_size_t n;
	struct study *first;
	struct kin kin;
	struct ask *again;              /* to be asked again */
	bool is_asking;
	struct map told;                /* shapes, by what was told of them */
	pid_t told_of;                  /* of whose streams was last told */
	struct map writers;             /* see study_doubt.c */
	struct arena arena;
	struct timer *timer;            /* while any waits */
	uint64_t root_cookie;           /* the execve of the session's command */
	atomic_bool has_root;
};

void studies_init(struct session *s);
/* The command and all below it have gone: what did not end well teaches
 * nothing. */
void studies_finish(struct session *s);
void studies_release(struct session *s);
/* Ask those whose study has ended; where nothing of session.arena is in use. */
void studies_ask_again(struct session *s);
/* Does a call wait for a study? */
bool studies_are_awaited(const struct session *s);

/* The study that a thread belongs to, or NULL.  For who is not the owner only
 * under lock. */
struct study *study_of(struct session *s, pid_t tid);

/* A command that no model explains, c, is about to run: study it, let it wait
 * for the study of another, or let it go.  as_called: as execve was given it. */
enum trace_answer study_consider(struct session *s, struct ask *k,
				 const struct command *c,
				 const struct command *as_called);
/* c, which is about to run below st, is a command of its own. */
void study_is_driver(struct study *st, const struct command *c);
/* A thread, if of a study, has waited since then for what gg made. */
void study_waited(struct session *s, pid_t tid, uint64_t since_ms);
/* A path's call of st is about to happen. */
void study_note(struct study *st, const struct trace_event *ev);
/* An event of TRACE_END or later, when quick could not answer it. */
void study_hear(struct session *s, const struct trace_event *ev);
bool study_quick(struct session *s, const struct trace_event *ev);
/* Something of a process was not seen. */
void study_blind(struct session *s, const char *why);

/* ---- among the files of a study */

/* That it ran; what it waited for gg to make is no time of its own. */
double study_seconds(const struct study *st);
/* It meets others: those that wait may be among them. */
void study_release_waiting(struct study *st);
/* It has ended well: teach, and adopt its result.  True if adopted. */
bool study_teach(struct study *st);
/* Commands of its shape run for real, later and in this session. */
void study_never(struct study *st, const char *why);
/* As long as what it was seen to do that by is the same.  is_quiet: nobody need
 * hear of it again. */
void study_rests(struct study *st, bool is_quiet);
/* Files that it has open beside its streams when it begins; what it did to one
 * of them, or NULL: then nobody but it could do the same (study_given.c). */
void study_note_given(struct study *st);
const char *study_used_given(struct study *st, struct arena *a);
/* Its process is about to end: does one that it started go on with anything but
 * waiting for that?  Then why it must run for real, else NULL (study_left.c). */
const char *study_left(struct study *st);
/* Was what c would write by the learned model b seen once only, of another
 * command?  What is learned makes all this anew (study_doubt.c). */
bool study_doubts(struct session *s, const struct command *c, const struct binding *b);
void study_forget_doubts(struct session *s);
/* Say once in this session what became of a shape. */
void study_tell(struct session *s, const struct sighting *what, const char *shape,
		struct bytes text, const struct err *e);
/* Say that a command runs for real although a learned model explains it. */
void study_tell_once(struct session *s, const char *rule, const struct err *e);
/* A connection, a name, a signal. */
void study_meets(struct study *st, const struct trace_event *ev);
/* It has ended: why it may have spoken to the network unseen, or NULL. */
const char *study_sends(const struct study *st);
void study_watch_idle(struct session *s);

#endif
