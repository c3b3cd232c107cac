/* run.h - execute one reduced thunk on this machine, shut in;
 * src/exec/sandbox.c (namespaces), layout.c (inputs in), collect.c (outputs
 * out), run.c (the four in order), cell.c (a process that does it on demand)
 *
 * A cell is a long-lived small process with namespaces of its own: the
 * project's root is a private folder there, the rest of the machine is read
 * only, /tmp is private, there is no network.  Between thunks only the
 * private folder changes, so that isolation costs microseconds a thunk.
 * Cells know nothing of scheduling; the one who feeds them does.
 */
#ifndef GG_RUN_H
#define GG_RUN_H

#include "thunk.h"

/* Every forced program finds in its environment, before the thunk's own env, a
 * fixed locale, time zone, hash seed, PATH, HOME and TMPDIR, and GG_RUNTIME, the
 * fields of its own thunk's runtime line ("host 6030..."), so that it can write
 * thunks for the same runtime.  Is NAME of this NAME=VALUE one of these, which a
 * thunk cannot set? */
bool run_env_is_fixed(const char *name_value);
/* The folders of that PATH. */
const char *run_search(void);

enum run_status {
	RUN_OK,
	RUN_EXITED,             /* the program ended with another status than 0 */
	RUN_SIGNALED,
	RUN_TIMED_OUT,
	RUN_NOT_STARTED,        /* program absent, not executable, host differs */
	RUN_NO_OUTPUT,          /* ended well but a declared output is missing */
	RUN_BAD_OUTPUT,         /* a device, a link that leaves, wrong kind */
	RUN_WROTE_INPUT,        /* an input changed while it ran */
	RUN_UNDECLARED,         /* it asked for what the project has and the
				 * thunk does not name (see is_watched) */
	RUN_LOST_INPUT,         /* an object it needs is not in the store */
	RUN_CELL_FAILED,        /* the machinery: no disk, no memory */
	RUN_OUT_OF_MEMORY,      /* killed because it wanted more than it may have */
	RUN_LOST_WORKER,        /* whoever had it is gone, or says nothing more */
	RUN_THROTTLED,          /* the place takes no more just now: it never began */
	RUN_UNREACHABLE,        /* objects could not be brought or taken away */
	RUN_OUT_OF_REACH,       /* the place itself is down or cannot be reached */
	RUN_STOPPED,            /* it was ended early and can go on: its checkpoint
				 * is the one entry of the result, or there is
				 * none, and it begins anew */
	RUN_DISK_FULL,          /* the program failed, and no room was left where it
				 * writes */
	RUN_STATUS_COUNT
};

/* "ok", "timed-out", ...: as messages and journals say it. */
const char *run_status_name(enum run_status s);

/* With this status a program says that it was told to end and has left its
 * checkpoint (EX_TEMPFAIL of sysexits.h). */
enum { RUN_EXIT_STOPPED = 75 };
/* What the entry of RUN_STOPPED is called. */
#define RUN_CHECKPOINT "checkpoint"

/* What one run gave.  Strings and arrays are lent by whoever fills it. */
struct run_report {
	enum run_status status;
	int code;               /* exit status or signal number */
	double seconds, cpu_seconds;
	uint64_t max_rss_bytes;
	struct result result;   /* RUN_OK: every output, ids set; RUN_STOPPED; of a
				 * program that failed on this machine what it
				 * had written by then */
	struct bytes log;       /* stdout and stderr as they came, last 256 KiB */
	uint64_t log_dropped_bytes;
	struct id missing;      /* RUN_LOST_INPUT */
	const char *place;      /* the worker that ran it, for people; or NULL */
	double dollars;         /* what the place charges for it */
	double waited_s;        /* in the place, before it began; cold starts too */
	bool is_cold;           /* a new worker was made for it */
	const char *text;       /* not RUN_OK: thing, cause and remedy */
	bool is_blamed;         /* RUN_EXITED: text says what its model or its
				 * cell lacks; outside it might not have failed */
	const char *undeclared; /* RUN_UNDECLARED: the path, plain; a / at its
				 * end: the names in that folder.  Else NULL */
};

/* Remove the folders that --hermetic has made of closures that are not kept;
 * for gc.  ERR_IO. */
int roots_sweep(const char *store_dir,
		bool (*is_kept)(void *arg, const struct id *closure), void *arg,
		struct err *e);

/* Serve requests on fd 3 until its end: the body of the cell process.
 * args: store folder, project root, options.  Returns the exit status. */
int cell_main(int argc, char **argv);

#endif
