/* exec.h - make these targets real
 *
 * src/exec/exec.c (the graph of what is wanted), order.c and site.c (which is
 * next, and where), sched.c (starts, and ends that are well), after.c (what
 * follows a failure), profile.c (observations).
 *
 * Nothing runs twice for the same content: results are looked up for a thunk
 * as written and as reduced, claimed across processes, and an object that is
 * gone is made again by its thunk.  Wants may be added at any time, also from
 * inside call backs.
 */
#ifndef GG_EXEC_H
#define GG_EXEC_H

#include "backend.h"
#include "place.h"
#include "policy.h"
#include "project.h"

struct exec;

enum exec_event_kind {
	EXEC_STARTED,           /* a thunk began to run */
	EXEC_DONE,              /* it ended well; log is what it printed */
	EXEC_FAILED,            /* it or what it needs failed; text says why */
	EXEC_CACHED,            /* a wanted thunk was known already */
	EXEC_NOTICE,            /* of an engine, not of a thunk: text */
	EXEC_RAN,               /* one run ended in whatever way: report; what
				 * follows for the thunk is told after it */
	EXEC_PRINTED,           /* one that runs printed log, at log_at of all */
};

struct exec_event {
	enum exec_event_kind kind;
	const struct id *thunk;         /* as written */
	const char *label;              /* its command line, shortened; NULL
					 * for EXEC_CACHED, which is cheap */
	struct bytes log;
	uint64_t log_at;                /* EXEC_PRINTED */
	const char *text;               /* EXEC_FAILED, EXEC_NOTICE */
	const char *engine;             /* EXEC_STARTED, EXEC_RAN: its URI */
	const struct run_report *report;        /* EXEC_RAN */
	bool continues;                 /* EXEC_STARTED: from a checkpoint */
	bool is_second;                 /* likewise, and EXEC_PRINTED: beside a
					 * run that takes long */
	double seconds;
	const struct id *with;          /* EXEC_STARTED, EXEC_RAN: it goes, as others
					 * do, in the process of this one; else NULL */
	const struct id *cause;         /* EXEC_FAILED: the thunk that itself
					 * failed; others only need it */
	bool is_hushed;                 /* EXEC_DONE: log is for who asks for it */
	bool is_watched;                /* it ran watched (struct hints): its
					 * end says how its model holds */
	bool asks_more;                 /* EXEC_FAILED, and is_watched: its
					 * model says too little or too much.
					 * Such a failure does not keep others
					 * from being started */
	const char *undeclared;         /* asks_more: the path it asked for or
					 * made, as in run_report, or NULL */
};

/* Counts for the status line and the summary.  total = thunks reached; unrun
 * ones need a failed one.  O(1). */
struct exec_counts {
	size_t total, waiting, running, forced, cached, failed, unrun;
	size_t guessed;                 /* waiting or running, of shapes never seen */
	size_t remote;                  /* of the cached: known by remotes only */
	double oldest_running_s;
	const char *oldest_label;       /* borrowed until the next call */
	double remaining_s;             /* a guess; 0 when there is none */
	size_t retried, duplicated;     /* started again; a second time */
	size_t fused, companies;        /* ran with others in one process; those */
	size_t stopped;                 /* ended early, to go on */
};

/* What has run on one of exec_opts.engines. */
struct engine_counts {
	size_t n_running, n_ran;
	double seconds, dollars;
};

struct exec_opts {
	struct loop *loop;
	struct store *store;
	const struct project *project;
	/* A thunk runs on the first of these that accepts it and has room at
	 * that moment; lent until exec_free(). */
	const struct engine *engines;
	size_t n_engines;
	struct depot *depot;            /* NULL: no remotes */
	bool fuses;                     /* steps that can are one process: fuse.h */
	bool keeps_going;               /* after a failure start others still */
	bool is_hermetic;               /* as in backend_opts */
	unsigned retries;               /* of what failed by itself */
	double timeout_s;               /* of thunks without one; 0: none */
	double least_timeout_s;         /* of limits that nobody has said but what
					 * was seen of such steps; 0: half an hour */
	bool preempts;                  /* a more urgent thunk that has no room
					 * gets that of others that can go on */
	double preempt_least_s;         /* none is stopped for that before it ran
					 * so long; 0: 3 s */
	double straggler_s;             /* none is started a second time before
					 * it ran so long; 0: 10 s */
	const struct policy *policy;    /* what is started first; NULL: the usual */
	/* Nothing is started, fetched or placed: for foresee.h. */
	bool only_plans;
	void (*event)(void *arg, const struct exec_event *ev);
	void *arg;
};

/* o is copied, what it points to has to live as long.  ERR_USAGE: no engine, too
 * many, or one that has no room at all. */
int exec_new(const struct exec_opts *o, struct exec **out, struct err *e);
/* For backend_opts.changed: the room of an engine is another now. */
void exec_room_changed(struct exec *x);
/* For backend_opts.gave_too: if the outputs are others than those that this exec has
 * kept, the thunk gives no one result, and fails. */
void exec_gave_too(struct exec *x, const struct id *reduced, const struct result *r,
		   const char *place);
/* Engines are closed first, or nothing runs; the loop is not turned between this
 * and depot_free(), in either order.  Wants that are left end
 * without a word.  Flushes; an error shows at store_close. */
void exec_free(struct exec *x);

/* Want output `out` of `thunk`.  path, if not NULL, is where in the project
 * the real file is to stand (plain); it replaces what is there, atomically,
 * when that is a placeholder, absent, or what gg itself had put there.
 * done() comes exactly once, later: NULL err when it is real.  ERR_FAILED has
 * been told as EXEC_FAILED before; other codes are of this want alone.  A want
 * that fails ends when nothing else runs or will be started, so that what was
 * running is kept. */
struct want {
	struct id thunk;
	const char *out, *path;         /* copied */
	void (*done)(void *arg, const struct err *e);
	void *arg;
};
int exec_want(struct exec *x, const struct want *w, struct err *e);

/* Start nothing new; running ones are cancelled after grace_ms.  Those that can
 * go on (struct resume) are asked to leave their checkpoint, if grace_ms is not
 * 0, and have 30 s more.  Wants that are left end with ERR_REFUSED. */
void exec_stop(struct exec *x, uint64_t grace_ms);
/* Is anything wanted still on its way? */
bool exec_is_busy(const struct exec *x);
void exec_counts(struct exec *x, struct exec_counts *out);
/* A command ran for real in so many seconds and was kept as if forced: that is kept
 * too, and all that is known of a shape never forced. */
void exec_saw(struct exec *x, const struct id *thunk, double seconds);
/* How far is a thunk: not looked at, still to be made, or made or failed? */
enum exec_stage { EXEC_UNMET, EXEC_OPEN, EXEC_ENDED };
enum exec_stage exec_stage(const struct exec *x, const struct id *thunk);
/* Nothing runs, and what is ready fits nowhere now: says in out what it needs. */
bool exec_is_stuck(const struct exec *x, struct buf *out);
/* cause, which failed by itself, has a result after all: it and what failed for
 * want of it are as if they had never been wanted; fn hears of each.  What they
 * counted as is still counted.  Only while nothing is busy. */
void exec_revive(struct exec *x, const struct id *cause,
		 void (*fn)(void *arg, const struct id *thunk), void *arg);
/* What runs now, the oldest first, until fn says no; lent. */
struct exec_running {
	const char *label, *engine;     /* engine: its URI */
	double seconds;                 /* so far */
	size_t n_steps;                 /* in that process, the labelled one first */
};
void exec_each_running(const struct exec *x,
		       bool (*fn)(void *arg, const struct exec_running *r), void *arg);
void exec_engine_counts(const struct exec *x, size_t engine, struct engine_counts *out);

/* Can t, whose runtime this is, run on this machine: does it hold the closure? */
int exec_runtime_is_here(struct exec *x, const struct thunk *t, struct err *e);
/* What an engine has to know of the machine part of t: the host text, which
 * lives as long as x; empty for a closure. */
int exec_runtime_host(struct exec *x, const struct thunk *t, struct bytes *host,
		      struct err *e);

/* Would en, with all this room, ever take j?  No: why, one line.  j as for
 * backend_ops.accepts. */
bool engine_takes(const struct engine *en, const struct room *all, const struct job *j,
		  struct err *e);

/* A short command line for people: "python3 train.py --seed 3", at most
 * `width` columns. */
char *thunk_label(const struct thunk *t, struct arena *a, size_t width);
/* The name of its shape: program, script, option names.  Commands of one shape
 * take about as long as each other. */
void shape_name(const struct thunk *t, struct buf *out);

/* Observations of a thunk, as kept: see profile.c. */
struct observation {
	int64_t date_s;                 /* seconds since 1970 */
	double seconds, cpu_seconds;
	uint64_t max_rss_bytes;
	int code;                       /* 0, exit status, 128 + signal */
	struct id log;                  /* zero: it printed nothing */
	enum run_status status;         /* how it ended */
	uint64_t in_bytes, out_bytes;   /* of values; of a tree its listing */
	double dollars, waited_s;       /* as in run_report */
	char place[48];                 /* engine and worker; "" if unknown */
};
/* The place of those that a script ran for real. */
#define PLACE_OF_SCRIPT "local as the script ran it"
int observation_put(struct store *s, const struct id *thunk,
		    const struct observation *o, struct err *e);
int observation_get(struct store *s, const struct id *thunk,
		    struct observation *out, struct err *e);
/* Hints of a thunk, kept beside it (hints.c); what they lend lives in a. */
int hints_put(struct store *s, const struct id *thunk, const struct hints *h,
	      struct err *e);
int hints_get(struct store *s, const struct id *thunk, struct arena *a, struct hints *out,
	      struct err *e);

/* An output that is marked as a tail stands for the value of another thunk: put the
 * thunks that came with it into s, with these hints, and name that value in ref,
 * whose strings live in a then.  ref as it is: it is none (tail_follow.c). */
int tail_follow(struct store *s, struct ref *ref, const struct hints *h, struct arena *a,
		struct err *e);

/* What a run that was ended early has left, so that another goes on from there
 * (checkpoint.c): kept by the reduced thunk until its result is there. */
struct checkpoint {
	struct ref ref;                 /* no REF_THUNK */
	struct id thunk;                /* as written */
	struct id log;                  /* what was printed so far; zero: nothing */
	double seconds, cpu_seconds;    /* that the runs so far took */
	uint32_t n_stops;
};
int checkpoint_put(struct store *s, const struct id *reduced, const struct checkpoint *c,
		   struct err *e);
/* ERR_MISSING. */
int checkpoint_get(struct store *s, const struct id *reduced, struct checkpoint *out,
		   struct err *e);
/* Fine if there is none. */
int checkpoint_drop(struct store *s, const struct id *reduced, struct err *e);
/* Drop those whose result is there, or of whose thunk is_kept() says no; keep()
 * is told of what the others name.  For gc; only_looks: drop nothing. */
struct checkpoint_sweep {
	bool only_looks;
	bool (*is_kept)(void *arg, const struct id *thunk);
	void (*keep)(void *arg, const struct ref *ref);
	void *arg;
};
int checkpoints_sweep(struct store *s, const struct checkpoint_sweep *w, struct err *e);

#endif
