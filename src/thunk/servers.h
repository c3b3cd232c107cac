/* servers.h - what tracer.c and servers.c share: the tracer, and its modes */
#ifndef GG_SERVERS_H
#define GG_SERVERS_H

#include <pthread.h>
#include <stdatomic.h>
#include "notes.h"
#include "tracee.h"

enum mode { SINGLE, MULTI, DONE };

enum { MAX_SERVERS = 4 };               /* each call wakes all that wait */

/* A thread that receives in MULTI. */
struct server {
	struct tracer *t;
	struct call *call;
	pthread_t thread;
	int cpu;
};

/* Who asked of late. */
struct pattern {
	atomic_uint last, before, seen, turns;
};

struct tracer {
	struct tracer_ops ops;
	int listener, sock, wake, epoll;
	pid_t keeper;
	int status, no_exec;            /* wait status; errno of the first exec */
	bool has_hung_up, is_ended, is_serving, wants_all;
	char *program;
	struct call *call;              /* the owner's, being received */
	struct call **open;             /* event() was asked, no answer yet */
	size_t n_open, room_open;

	struct notes *notes;            /* NULL: each call stops */

	atomic_int mode, broken;        /* broken: errno that nothing can mend */
	struct pattern askers;
	struct server servers[MAX_SERVERS];
	unsigned n_servers;

	pthread_mutex_t lock;           /* of what follows */
	pthread_cond_t unpark;
	unsigned n_receiving;           /* servers that are not parked */
	unsigned n_living;              /* ... that have not ended */
	bool is_in_epoll;               /* the listener */
	struct call *queue, **queue_end;
	struct call *spare;
	unsigned n_spare;
	struct map elf;                 /* path to elf_64 or elf_32 */
	struct arena elf_paths;
};

/* A call to fill, and back. */
struct call *call_take(struct tracer *t);
void call_put(struct tracer *t, struct call *c);

/* Receive one call, which has to be there if this must not wait.  False: it
 * has gone. */
bool call_receive(struct tracer *t, struct call *c);
/* Read a received call and answer it if no question is left. */
bool call_is_answered(struct tracer *t, struct call *c);
/* Tell what programs have noted.  A question that is left goes to the queue. */
void call_notes(struct tracer *t);
/* Let it happen, and note if the kernel refuses. */
void call_let_go(struct tracer *t, const struct call *c);

/* Is the listener the owner's now?  Under lock. */
bool owner_receives(const struct tracer *t);
/* Let the epoll set be what it is to be now.  Under lock. */
void owner_set_epoll(struct tracer *t);

/* Wake as SINGLE wants it, or as MULTI does. */
void servers_set_sync(struct tracer *t, bool is_on);
/* At the end, when no call can come any more. */
void servers_stop(struct tracer *t);

#endif
