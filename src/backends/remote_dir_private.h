/* remote_dir_private.h - what the two threads of a folder's remote share */
#ifndef GG_REMOTE_DIR_PRIVATE_H
#define GG_REMOTE_DIR_PRIVATE_H

#include <pthread.h>
#include "remote.h"

enum { NAME_ROOM = 4096 };

struct remote {
	struct loop *loop;
	char *path, *uri;
	unsigned n_calls;               /* with threads; the last one frees a
					 * closed remote */
	bool is_closed;
	struct dir_call *calls;
};

/* One call, or one listing, on its way through a thread. */
struct dir_call {
	struct remote *r;
	struct dir_call *next, **at;
	struct remote_call *c;          /* one of the two */
	struct remote_listing *l;
	pthread_mutex_t lock;
	pthread_cond_t rested;
	bool is_busy, is_cancelled;     /* under lock */
	char path[NAME_ROOM], temp[NAME_ROOM], prefix[REMOTE_KEY_MAX + 1];
	char *body;                     /* of a GET, ours */
	struct buf keys;                /* of a listing: struct found, key, NUL */
	struct remote_answer answer;
	struct err err;
};

/* One key of a listing, before its name. */
struct found {
	uint64_t n_bytes;
	int64_t modified_s;
};

/* remote_dir_work.c, on another thread: do what d asks. */
void dir_work(void *arg);

#endif
