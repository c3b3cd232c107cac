/* backend.h - a place where thunks run
 *
 * src/backends/local.c (cells on this machine), connect.c, container.c, slurm.c
 * (workers that come to a pool), lambda.c, openwhisk.c (functions), sim.c (a
 * clock of its own), fake.c (answers as told).
 * A backend is a const table of promises and a state of its own.  It lives on
 * the loop's thread and never blocks it.
 */
#ifndef GG_BACKEND_H
#define GG_BACKEND_H

#include "depot.h"
#include "engine_words.h"
#include "loop.h"
#include "model.h"
#include "room.h"
#include "run.h"
#include "store.h"

/* One reduced thunk to run.  It belongs to the scheduler and stays valid until
 * job_done() returns. */
struct job {
	struct id reduced;              /* name of the text */
	struct bytes text;              /* the reduced thunk */
	struct bytes host;              /* the host text it names; empty for a
					 * closure, which has been checked */
	bool is_watched;                /* as in struct hints */
	const char *checkpoint;         /* where it leaves what another run goes
					 * on from, as in struct resume; NULL:
					 * it cannot */
	double stop_s;                  /* it is asked to stop after so long, since
					 * the place ends it soon; 0: never */
	struct room needs;
	double timeout_s;               /* 0: none */
	double expected_s;              /* by observations; 0: no idea */
	uint64_t expected_mem_bytes;    /* likewise */
	void *backend_data;             /* the backend's own, while it runs */
	/* Called once the job has ended in whatever way, on the loop's thread.
	 * All objects that the report names are in the store by then, or the
	 * depot knows them.  The report dies when it returns. */
	void (*done)(struct job *j, const struct run_report *r);
	/* Called by engines that can tell, while a job of a second or more runs:
	 * what it printed at this place of its log, which is lent.  There may be
	 * gaps.  NULL: nobody looks on. */
	void (*printed)(struct job *j, uint64_t at, struct bytes text);
	void *arg;
};

struct backend_opts {
	struct loop *loop;
	struct store *store;
	const char *project_root, *store_dir;
	const char *self;               /* this program's own file */
	unsigned jobs;                  /* cpus to use; 0: all there are */
	bool is_hermetic;               /* a closure is the whole root */
	bool is_volatile;               /* the store is STORE_VOLATILE */
	/* For engines elsewhere; NULL where there is none. */
	struct http *http;
	struct depot *depot;
	setting_fn *setting;            /* as in remote_opts */
	void *setting_arg;
	struct devices *devices;        /* shared with others on this machine;
					 * NULL: its own */
	/* Room has come or gone: the scheduler looks again. */
	void (*changed)(void *arg);
	void *changed_arg;
	/* Of a thunk, reduced, whose result is known, another answer came that nobody
	 * waited for any more, from this place.  NULL: nobody compares. */
	void (*gave_too)(void *changed_arg, const struct id *reduced, const struct result *r,
			 const char *place);
};

/* What waits for an engine, for those that start workers by need. */
struct demand {
	size_t n_ready, n_running;      /* jobs that it could take; has */
	double ready_s;                 /* expected of the ready ones, in all */
	struct room widest;             /* the most that one of them needs */
};

struct backend;

struct backend_ops {
	const char *name;               /* the scheme of its URI */
	const char *help;               /* one line, for the help text */
	const struct engine_word *words;        /* for the same; NULL: none */

	/* Inputs must be in the store before start(); else the depot knowing
	 * them is enough. */
	bool wants_objects_here;
	/* It runs on this machine, which must hold the closure of a step. */
	bool is_here;

	/* Open with what follows the scheme in the URI ("" if nothing), which
	 * is WORD=VALUE with commas between: see words.h.
	 * close() cancels what runs and returns when no process is left. */
	int (*open)(const struct backend_opts *o, const char *rest,
		    struct backend **out, struct err *e);
	void (*close)(struct backend *b);

	/* All the room there is now if nothing ran.  It may change: see
	 * backend_opts.changed. */
	struct room (*room)(const struct backend *b);

	/* All the room there may be once those that are still to come have
	 * come.  NULL: as room(). */
	struct room (*most)(const struct backend *b);

	/* May this job ever run here, perhaps once more workers have come?  No:
	 * why, one line.  Asked early, when j has needs, text and host, and the
	 * text is as written: its inputs may be thunks still.  NULL: whatever
	 * fits into room() may. */
	bool (*accepts)(const struct backend *b, const struct job *j, struct err *e);

	/* What waits has changed; called at leisure.  NULL: not interested. */
	void (*demand)(struct backend *b, const struct demand *d);

	/* Begin j; the scheduler has seen to it that j's needs fit beside what
	 * it has started and not yet heard of.  After 0 the backend owes
	 * exactly one j->done, later and never from inside this call; after -1
	 * it owes none.  ERR_RETRY: not now (throttled, workers still come);
	 * it is left alone for a while, or until `changed`.  ERR_REFUSED: not
	 * this job: the next engine is asked. */
	int (*start)(struct backend *b, struct job *j, struct err *e);

	/* Ask j to end early.  Its done still comes. */
	void (*cancel)(struct backend *b, struct job *j);

	/* Ask j, which has a checkpoint, to leave it and to end.  Its done comes,
	 * with RUN_STOPPED if all goes well; or as if nothing had been asked.
	 * NULL: cannot. */
	void (*stop)(struct backend *b, struct job *j);

	/* Dollars that a run of j will cost here, if it takes j->expected_s; j has
	 * needs and text, as written.  NULL: what gg.prices says of its time. */
	double (*dollars)(const struct backend *b, const struct job *j);

	/* What people should know of this place, such as isolation that is
	 * not permitted here: one line, borrowed, or NULL (the slot too).  To
	 * be asked once a job has ended. */
	const char *(*notice)(const struct backend *b);

	/* Why workers do not come although something waits for them: one line,
	 * borrowed, or NULL (the slot too).  Asked every few seconds. */
	const char *(*why_waiting)(struct backend *b);
};

/* One that is open, among those of a run. */
struct engine {
	const struct backend_ops *ops;
	struct backend *backend;
	const char *uri;                /* as the user wrote it */
	/* What an hour of a core, or of a GPU, that a step wants is charged, where
	 * the engine itself does not know (prices.h); 0: nothing. */
	double cpu_hour_dollars, gpu_hour_dollars;
};

extern const struct backend_ops backend_local, backend_connect, backend_container,
	backend_lambda, backend_openwhisk, backend_slurm, backend_fake, backend_sim;
/* All of them, NULL at the end. */
extern const struct backend_ops *const backends[];

#endif
