/* cell.h - what the two ends of a cell's socket say to each other, and what
 * the parts of a cell share
 *
 * Private to src/exec and src/backends.  frame.c (the socket), sandbox.c
 * (walls), layout.c (inputs in), collect.c (outputs out), run.c (one thunk),
 * blame.c (what went wrong, in words), cell.c (the process).
 */
#ifndef GG_CELL_H
#define GG_CELL_H

#include <sys/types.h>
#include "run.h"
#include "store.h"

/* ---- frames: one end is never believed by the other about sizes
 *
 *     u32 bytes that follow the kind | u32 kind | body
 *
 * Numbers are in this machine's own order: both ends are one program. */
enum frame_kind {
	FRAME_HELLO = 1,        /* cell: u32 walls, why not all of them */
	FRAME_REQUEST,          /* struct request */
	FRAME_CANCEL,           /* end what runs */
	FRAME_NEED,             /* cell: id; answered by OBJECT or LOST */
	FRAME_OBJECT,           /* id, bytes: to keep, or as an answer */
	FRAME_LOST,             /* id */
	FRAME_DONE,             /* cell: struct run_report */
};

enum { FRAME_MAX = 1 << 30, CELL_FD = 3, CELL_LOG_MAX = 256 << 10 };

struct frame {
	enum frame_kind kind;
	struct bytes body;
};

/* Take the first frame off the front of *b: 1 and *out (borrowed), 0 if it is
 * not all there yet, -1 with ERR_BAD if it cannot be a frame. */
int frame_next(struct bytes *b, struct frame *out, struct err *e);
/* Add a frame of what is added between the two. */
size_t frame_begin(struct buf *b, enum frame_kind kind);
void frame_end(struct buf *b, size_t begun);
void frame_object(struct buf *b, const struct id *id, struct bytes object);
void frame_id(struct buf *b, enum frame_kind kind, const struct id *id);
void frame_hello(struct buf *b, unsigned walls, const char *why);

struct object {
	struct id id;
	struct bytes bytes;
};

struct request {
	double timeout_s;               /* 0: none */
	struct bytes text, host;
	struct object *objects;         /* that the store may not show yet */
	size_t n_objects;
};

void frame_request(struct buf *b, const struct request *r);
void frame_done(struct buf *b, const struct run_report *r);
/* Read a body; what *out holds lives in a or is borrowed.  ERR_BAD. */
int frame_read_request(struct bytes body, struct arena *a, struct request *out,
		       struct err *e);
int frame_read_done(struct bytes body, struct arena *a, struct run_report *out,
		    struct err *e);
int frame_read_object(struct bytes body, struct object *out, struct err *e);
int frame_read_hello(struct bytes body, unsigned *walls, struct bytes *why,
		     struct err *e);

/* ---- walls */
enum {
	WALL_MOUNT = 1,         /* own view of the file system */
	WALL_PID = 2,           /* own processes; none survives */
	WALL_NET = 4,           /* no network */
	WALL_MISC = 8,          /* own IPC and host name */
};

/* The folders of a cell.  "Original" descriptors were opened before the walls
 * stood and go through the mounts as they were: they may write, and rename
 * from one to another.  "Seen" ones go through the cell's own mounts. */
struct sandbox {
	const char *project;            /* absolute path of the project's root */
	const char *seen_root;          /* where a program finds it */
	const char *tmp;                /* where a program finds TMPDIR */
	unsigned walls;
	bool uses_network;
	int work, root, tmps[2], objects, real_project; /* original */
	int seen_root_fd, seen_objects, shm;            /* seen, or -1 */
};

enum { TMP_TMP, TMP_VAR };

/* Open the folders of a cell: work_dir (absolute) is its own and is made. */
int sandbox_open(struct sandbox *b, const char *store_dir, const char *work_dir,
		 struct err *e);
/* Go behind as many walls as this machine permits and call inside() there; it
 * never returns.  This process waits outside; its exit status is returned. */
int sandbox_enter(struct sandbox *b, const char *store_dir,
		  void (*inside)(void *arg, const char *why), void *arg);
/* End every process that is not this one and descends from it, and wait for
 * them.  group is the process group of the program. */
void sandbox_kill_all(const struct sandbox *b, pid_t group);

/* ---- inputs */
enum item_kind { ITEM_DIR, ITEM_FILE, ITEM_LINK, ITEM_MOUNT };

/* One thing that stands in the private folder. */
struct item {
	const char *path;
	const char *target;             /* ITEM_LINK */
	struct id id;                   /* of a file's bytes, of a tree's text */
	struct stamp stamp;             /* of files, as they were laid */
	enum item_kind kind;
	bool is_exec;
	bool is_input;                  /* must not change */
	bool is_tree;                   /* top of a tree that is an input */
	bool in_tree;                   /* below one */
	bool is_out;                    /* an output: writable, leaves afterwards */
	bool is_laid;                   /* stands as described */
};

/* In order of path, so that what holds comes before what it holds. */
struct layout {
	struct item *v;
	size_t n, room;
	struct arena arena;
};

/* A host file laid over with an object, or one below a private /tmp. */
struct over {
	const char *path;
	bool is_mount;
	struct over *next;
};

struct cell {
	struct sandbox box;
	struct store *store;
	int fd;                         /* CELL_FD */
	int null_fd, log_fd;
	struct buf in, out;             /* frames received, frames to send */
	size_t taken;                   /* of in */
	bool is_cancelled, is_cut_off;
	bool has_fine_stamps;           /* two changes never have one stamp */
	struct layout layouts[2], *now, *next;
	struct over *overs;             /* in arena */
	struct map hosts;               /* id -> struct host_known */
	struct arena host_arena;
	struct arena arena;             /* of the thunk that runs */
	const struct request *request;
	struct thunk thunk;
	const char *program;            /* what execve gets */
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
/* Look at what came on the socket without waiting. */
void cell_poll(struct cell *c);

/* Make the private folder show the thunk's inputs and no others.
 * ERR_MISSING: an input is lost; ERR_REFUSED: the host differs or cannot show
 * it; ERR_IO. */
int layout_make(struct cell *c, struct err *e);
/* The first input that is not as it was laid, or NULL. */
const char *layout_changed(struct cell *c);
/* Remove all but what the next thunk may use again.  -1: cannot, and the cell
 * must end. */
int layout_tidy(struct cell *c, struct err *e);

/* Open path below dirfd, never by way of a symlink.  -1 with errno. */
int beneath_open(int dirfd, const char *path, int flags, mode_t mode);

/* Take every output into report.result; bytes go out as frames or into the
 * store's folder.  Sets report.status and text where an output is amiss. */
int collect_outputs(struct cell *c, struct err *e);

/* Do c->request and fill c->report. */
void run_thunk(struct cell *c);

/* What a failed program's log says of an input that was not declared or a
 * write that was not allowed, in words; NULL if nothing. */
const char *blame_log(struct cell *c);
const char *blame_status(struct arena *a, enum run_status status, int code);
/* Where a missing output went instead: ends in a full sentence or "". */
const char *blame_missing(struct cell *c, const struct output *o);
/* "train.py", "cat": what people call this thunk's program. */
const char *blame_who(const struct cell *c);

#endif
