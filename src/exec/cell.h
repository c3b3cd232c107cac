/* cell.h - what the two ends of a cell's socket say to each other; frame.c
 *
 * Private to src/exec and src/backends.  One end is cell.c, the other
 * whoever feeds cells.
 */
#ifndef GG_CELL_H
#define GG_CELL_H

#include "run.h"

/* Neither end believes the other about sizes.
 *
 *     u32 bytes that follow the kind | u32 kind | body
 *
 * Numbers are in this machine's own order: both ends are one program. */
enum frame_kind {
	FRAME_HELLO = 1,        /* cell: u32 walls, why not all of them */
	FRAME_REQUEST,          /* struct request */
	FRAME_CANCEL,           /* end what runs */
	FRAME_STOP,             /* ask it to leave its checkpoint and end */
	FRAME_NEED,             /* cell: id; answered by OBJECT or LOST */
	FRAME_OBJECT,           /* id, bytes: to keep, or as an answer */
	FRAME_LOST,             /* id */
	FRAME_LOG,              /* cell: u64 place, what was printed there */
	FRAME_DONE,             /* cell: struct run_report */
};

/* What stands between a program and the machine; HELLO tells. */
enum {
	WALL_MOUNT = 1,         /* own view of the file system */
	WALL_PID = 2,           /* own processes; none survives */
	WALL_NET = 4,           /* no network */
	WALL_MISC = 8,          /* own IPC and host name */
};

enum { FRAME_MAX = 1 << 30, CELL_FD = 3, CELL_LOG_MAX = 256 << 10 };

/* Exit status of a cell that ended by itself between two thunks, since it
 * could not clear its folder: what was sent to it since has not begun. */
enum { CELL_RETIRED = 5 };

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
	bool is_watched;
	struct bytes text, host;
	struct object *objects;         /* that the store may not show yet */
	size_t n_objects;
	double stop_s;                  /* asked to end by itself then; 0: never */
	const char *checkpoint;         /* as in struct job; or NULL */
	const char *gpus;               /* CUDA_VISIBLE_DEVICES; "": none is said */
};

void frame_request(struct buf *b, const struct request *r);
void frame_done(struct buf *b, const struct run_report *r);
/* Read a body; what *out holds lives in a or is borrowed.  ERR_BAD. */
int frame_read_request(struct bytes body, struct arena *a, struct request *out,
		       struct err *e);
int frame_read_done(struct bytes body, struct arena *a, struct run_report *out,
		    struct err *e);
int frame_read_object(struct bytes body, struct object *out, struct err *e);
void frame_log(struct buf *b, uint64_t at, struct bytes text);
int frame_read_log(struct bytes body, uint64_t *at, struct bytes *text, struct err *e);
int frame_read_hello(struct bytes body, unsigned *walls, struct bytes *why,
		     struct err *e);

#endif
