/* pool.h - workers that come by themselves and ask for work
 *
 * src/backends/pool.c (jobs, room), pool_place.c (who gets what), pool_lease.c
 * (who is alive), pool_holds.c, pool_cannot.c (what is known of workers),
 * pool_serve.c, pool_words.c (what they ask), pool_answer.c, pool_cas.c
 * (objects for them).
 *
 * An engine that starts workers somewhere embeds a pool and hands them its
 * ticket.  What a worker says:
 *
 *     POST /gg/1/hello          what it is and holds: JSON, see pool_private.h
 *     GET  /2018-06-01/runtime/invocation/next         waits for work
 *     POST /2018-06-01/runtime/invocation/ID/response  or /error
 *     POST /gg/1/beat           alive, what it dropped; told what to cancel
 *     GET, HEAD, PUT /cas/HEX   objects, as any HTTP cache
 *
 * Who never says hello is a plain Runtime API client: one step at a time.
 * A request leases its steps for lease_s; each beat renews.  When a lease ends
 * its steps end as RUN_LOST_WORKER, and an answer that comes all the same is
 * put into the store and told to nobody.
 */
#ifndef GG_POOL_H
#define GG_POOL_H

#include "backend.h"
#include "serve.h"
#include "ticket.h"

struct pool;

/* One worker, for those who started it. */
struct pool_worker {
	const char *name;               /* as it said in hello: what the engine
					 * passed by --name */
	const char *host;
	struct room room;
	unsigned n_running;
	bool is_idle;
	uint64_t idle_since_ms;
};

struct pool_opts {
	const struct backend_opts *o;   /* copied */
	const char *name;               /* of the engine: the ticket's pool */
	const char *unix_path;          /* where to listen; or */
	const char *address;
	struct room worst_room;         /* what one worker has at least, for the
					 * question whether a thunk ever fits */
	double lease_s, beat_s;         /* 0: 30 s, and a sixth of the lease, 5 s
					 * at most */
	unsigned steps_per_request;     /* at most, of short ones; 0: 16 */
	/* A worker came, went, or became idle or busy: think again. */
	void (*changed)(void *arg);
	void *arg;
};

/* Listen for workers.  o is copied, and its name; errors of serve_open(). */
int pool_open(const struct pool_opts *o, struct pool **out, struct err *e);
/* Workers are told to end, which may take some tenths of a second of the loop's
 * time; what runs ends as cancelled, and nobody is called back. */
void pool_close(struct pool *p);
void pool_ticket(const struct pool *p, struct ticket *out);

/* As in backend_ops: room is what the workers that are here have in all, of cpus
 * no more than they have slots, and more while short steps run, which are fed
 * ahead.  A step that no worker that is here can begin, for lack of its runtime,
 * ends as RUN_NOT_STARTED; one that is too large for all of them waits for
 * another. */
struct room pool_room(const struct pool *p);
int pool_start(struct pool *p, struct job *j, struct err *e);
void pool_cancel(struct pool *p, struct job *j);
void pool_stop(struct pool *p, struct job *j);

/* A step waits that is too large for each worker that is here: one line, lent
 * until the next call, or NULL. */
const char *pool_why_waiting(struct pool *p);

/* Workers that are here. */
size_t pool_n_workers(const struct pool *p);
/* Steps that were started and wait for a worker. */
size_t pool_n_queued(const struct pool *p);
void pool_each(struct pool *p, void (*fn)(void *arg, const struct pool_worker *w), void *arg);
/* Let this worker end once it is idle; it gets no more work. */
void pool_retire(struct pool *p, const char *name);
/* The engine knows that it is gone, before its lease says so, and whether that
 * was for lack of memory or not: RUN_OUT_OF_MEMORY, RUN_LOST_WORKER.  A name
 * that never said hello is fine. */
void pool_lost(struct pool *p, const char *name, enum run_status how, const char *why);

#endif
