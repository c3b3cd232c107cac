/* inside.h - what the parts of a cell share
 *
 * Private to src/exec.  cell.c (the process), run.c (one thunk), items.c,
 * layout.c, tidy.c and spare.c (inputs in), collect.c (outputs out),
 * stop.c (early ends), verify.c
 * (is the machine as the thunk says), guard.c (watched programs), blame.c and
 * astray.c (what went wrong, in words).
 */
#ifndef GG_INSIDE_H
#define GG_INSIDE_H

#include "cell.h"
#include "sandbox.h"
#include "store.h"

enum item_kind { ITEM_DIR, ITEM_FILE, ITEM_LINK };

/* One thing that stands in the private folder, at a plain path. */
struct item {
	const char *path;
	const char *target;             /* ITEM_LINK */
	struct id id;                   /* of a file's bytes, of a tree's text */
	struct stamp stamp;             /* of files, as they were laid */
	enum item_kind kind;
	bool is_exec;
	bool is_writable;               /* an output too: leaves afterwards */
	bool is_tree;                   /* the top of a tree */
	bool is_mount;                  /* the object itself is bound here */
	bool is_laid;                   /* stands, as described */
	bool is_seen;                   /* by the walk that tidies */
};

enum { CELL_CHILD_STACK = 1 << 16, WAITING_MAX = 8 };

/* Files that count what was killed for lack of memory: memory_limit.c. */
struct memory_kills {
	int fd[2];
	size_t n;
};

/* Small files under their numbers in a folder, to be written anew. */
struct spares {
	struct spare {
		uint32_t size;
		mode_t mode;
	} *v;
	size_t n, room, max;
	const char *folder;             /* below the work folder */
};

/* In order of path, so that what holds comes before what it holds. */
struct layout {
	struct item *v;
	size_t n, room;
	struct arena arena;
};

struct cell {
	struct sandbox box;
	struct err unfit;               /* code: why it can run nothing */
	struct store *store;
	int null_fd, log_fd;
	struct buf in, out;             /* frames received, frames to send */
	size_t taken;                   /* of in */
	struct memory_kills kills;
	uint64_t n_kills;               /* before this step */
	bool is_cancelled;              /* the thunk that runs */
	bool is_stopping;               /* likewise: it is to leave its checkpoint */
	bool is_cut_off;                /* the other end is gone */
	bool is_spoiled;                /* the folder: serve no more */
	bool has_fine_stamps;           /* two changes never have one stamp */
	bool has_no_reflink;
	bool is_volatile;               /* outputs need not survive a power cut */
	struct layout layouts[2], *now, *next;
	struct spares few, many;        /* used again, and only kept */
	struct item waiting[WAITING_MAX]; /* old files whose place is not needed */
	size_t n_waiting;
	uint64_t kept_bytes;            /* of many, on the disk */
	struct stamp swept[3];          /* folders for temporary files, empty */
	uid_t uid;
	struct strs overs;              /* host paths that objects cover now */
	bool has_jail_files;            /* the jail shows some of those */
	struct map hosts;               /* host id -> struct host */
	struct map closures;            /* closure id -> struct known_closure */
	struct map files;               /* path -> struct known_file */
	struct arena known;             /* what these two hold */
	struct arena arena;             /* of the thunk that runs */
	struct map given;               /* objects that came with the request */
	const struct request *request;
	struct thunk thunk;
	struct output checkpoint;       /* where it leaves one; path NULL: nowhere */
	const char *program;            /* what execve gets */
	const char *search;             /* where it finds others, as in PATH */
	char *stack;                    /* of the child until it executes */
	char *small;                    /* STORE_SMALL + 1 bytes */
	struct guard *guard;            /* made for the first watched thunk */
	struct run_report report;
};

/* An object's bytes, from the request, the store, or the other end: in the
 * cell's arena.  ERR_MISSING with report.missing set. */
int cell_object(struct cell *c, const struct id *id, struct bytes *out,
		struct err *e);
/* The same as an open file when it is large, else *fd = -1 and *out. */
int cell_object_open(struct cell *c, const struct id *id, struct bytes *out,
		     int *fd, struct err *e);
/* Send what is gathered once it is much, or all of it. */
void cell_send(struct cell *c, bool all);
/* Take in what has come on the socket while a thunk runs. */
void cell_listen(struct cell *c);

/* List in c->next what the thunk is to find, with c->now at hand. */
int items_want(struct cell *c, struct err *e);
/* The item of that path or the first after it. */
size_t items_find(const struct layout *l, struct bytes path);

/* Make the private folder show the thunk's inputs and no others.
 * ERR_MISSING: an input is lost; ERR_REFUSED: the host differs or cannot show
 * it; ERR_IO. */
int layout_make(struct cell *c, struct err *e);
/* The first input that is not as it was laid, or NULL. */
const char *layout_changed(struct cell *c);
/* Remove all but what the next thunk may use again.  -1: cannot, and the cell
 * must end. */
int layout_tidy(struct cell *c, struct err *e);

/* Small files that no thunk needs are kept to be written anew.  spare_put:
 * keep name of dirfd (st is of it); false if it has to be removed.
 * spare_take: lay b at path of the private folder by one of them; open for
 * writing, or -1 if there is none. */
bool spare_put(struct cell *c, int dirfd, const char *name, const struct stat *st);
int spare_take(struct cell *c, struct bytes b, mode_t mode, const char *path);
/* Leave an item's file where it is until another takes its bytes; false if
 * too many wait.  spare_settle ends the waiting of those that are left. */
bool spare_wait(struct cell *c, const struct item *it);
int spare_settle(struct cell *c, struct err *e);
void spare_open(struct cell *c);
void spare_release(struct cell *c);

/* Is the machine as the thunk's host text and absolute inputs say?  Sets
 * c->program; covers host files where they differ.  ERR_REFUSED. */
int verify_machine(struct cell *c, struct err *e);
/* The same of a step with a closure, for its program and c->search. */
int verify_closure(struct cell *c, struct err *e);
/* Show its inputs outside the project where the closure is the root. */
int verify_jail(struct cell *c, struct err *e);
/* Write an input's bytes at path below dirfd; or into a folder that is private
 * here, if it belongs into one: 1, 0 if not. */
int verify_write(struct cell *c, const struct input *in, int dirfd,
		 const char *path, struct err *e);
int verify_private(struct cell *c, const struct input *in, struct err *e);
/* Take the covers away again. */
int verify_undo(struct cell *c, struct err *e);
void verify_release(struct cell *c);

/* Open path below dirfd, never by way of a symlink.  -1 with errno. */
int beneath_open(int dirfd, const char *path, int flags, mode_t mode);
/* Open for reading what path leads to, if that is below dirfd. */
int inside_open(int dirfd, const char *path);

/* Take every output into report.result; bytes go out as frames or into the
 * store's folder.  Sets report.status and text where an output is amiss. */
int collect_outputs(struct cell *c, struct err *e);
/* The program has failed: what of its outputs is there. */
void collect_left(struct cell *c);

/* The same of its checkpoint, as the one entry of the result: 1; 0 if there is
 * none that can be kept. */
int collect_checkpoint(struct cell *c, struct err *e);

/* stop.c.  c->checkpoint as the request has it: ERR_BAD. */
int stop_prepare(struct cell *c, struct err *e);
/* The program has ended with this status, asked to stop or not: 1 it has ended
 * early and can go on, which the report says; 0 it ended in another way. */
int stop_judge(struct cell *c, int status, bool is_asked, struct err *e);

/* Do c->request and fill c->report. */
void run_thunk(struct cell *c);

/* A watched program.  guard_open, then in the child guard_enter (its errno),
 * and guard_fail if it cannot execute; here guard_meet.  From then on each
 * readiness of guard_fd is one guard_serve: false once the program has to be
 * ended, which the report says why.  guard_close takes the decoys away. */
int guard_open(struct cell *c, struct err *e);
int guard_enter(struct guard *g);
void guard_fail(struct guard *g, int errnum);
int guard_meet(struct guard *g, struct err *e);
int guard_fd(const struct guard *g);
bool guard_serve(struct guard *g);
/* Why the child could not execute, or 0. */
int guard_errno(struct guard *g);
void guard_close(struct guard *g);
void guard_free(struct guard *g);

/* What a failed program's log says of an input that was not declared or a
 * write that was not allowed, in words; NULL if nothing. */
const char *blame_log(struct cell *c);
/* The same of a disk that was full.  It is so still: the report's status says so. */
const char *blame_disk(struct cell *c);
/* "exit status 3", "killed by SIGSEGV (segmentation fault)". */
const char *blame_status(struct arena *a, enum run_status status, int code);
/* Where a missing output went instead: the rest of a sentence, or "". */
const char *blame_missing(struct cell *c, const struct output *o);
/* A file that the program left and that nothing declares, or NULL. */
const char *astray_first(struct cell *c);
/* That the program asked for what the project has at path and the thunk does
 * not name: all below it, if it is a folder; or left a file there. */
const char *blame_undeclared(struct cell *c, const char *path, bool is_folder);
const char *blame_stray(struct cell *c, const char *path);
/* "train.py", "cat": what people call this thunk's program. */
const char *blame_who(const struct cell *c);

/* memory_limit.c.  How often the kernel has killed for lack of memory where this
 * process is counted, its group alone.  Opened before /sys may be covered. */
void memory_kills_open(struct memory_kills *m);
void memory_kills_close(struct memory_kills *m);
uint64_t memory_kills(const struct memory_kills *m);

#endif
