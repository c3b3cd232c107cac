/* worker.h - steps on behalf of somebody else
 *
 * src/exec/worker.c (requests), worker_step.c (one step), worker_runtime.c (may it
 * run here), worker_cache.c (what is held), worker_source.c (where the rest is to
 * be had), worker_room.c (engines), worker_image.c (what an image holds),
 * worker_api.c (the AWS Lambda Runtime API, one request at a time),
 * worker_connect.c and worker_slot.c (a pool: several at a time, beats),
 * worker_whisk.c (the container of an OpenWhisk action).
 *
 * A worker runs a step when its closure is one of those that the place where it
 * runs is known to hold (in an image: image.h), when this machine turns out to
 * hold it, or, of a step that belongs to one machine, when this machine is like
 * that one.  It keeps objects in a store of its own, the ones not used for the
 * longest time until they are dropped for others.
 */
#ifndef GG_WORKER_H
#define GG_WORKER_H

#include "backend.h"
#include "http.h"
#include "message.h"
#include "ticket.h"

struct worker_opts {
	struct loop *loop;
	struct store *store;            /* nobody else's */
	const char *store_dir, *self;
	const char *spare_root;         /* for a project whose own path cannot
					 * be made here; is there */
	const struct backend_ops *engine;
	unsigned jobs;                  /* 0: as many as there are cpus */
	struct devices *devices;        /* that its steps share; NULL: none */
	const struct id *closures;      /* whose trees are in the store */
	size_t n_closures;
	uint64_t max_bytes;             /* of outputs in an answer; 0: 4 MiB,
					 * what Lambda takes as base64 */
	uint64_t cache_bytes;           /* of objects kept; 0: no limit */
	struct http *http;              /* NULL: no remotes that speak HTTP */
	setting_fn *setting;            /* as in remote_opts */
	void *setting_arg;
	/* Something that people may want to know; one line.  NULL: nobody. */
	void (*notice)(void *arg, const char *text);
	void *notice_arg;
};

struct worker;
/* o is copied, what it points to is not. */
struct worker *worker_new(const struct worker_opts *o);
/* Nothing runs any more, or is cut off. */
void worker_free(struct worker *w);

/* One request.  The caller keeps it until done(). */
struct worker_call {
	struct bytes request;           /* lent until done() */
	double limit_s;                 /* when the one who asked stops listening;
					 * 0: never */
	/* Called exactly once, later.  A step that fails is an answer. */
	void (*done)(struct worker_call *c, struct bytes answer);
	void *arg;
	void *worker_data;              /* the worker's own, while it runs */
};

/* After 0 the worker owes one done(), never from inside this call.  ERR_BAD: a
 * request that makes no sense. */
int worker_begin(struct worker *w, struct worker_call *c, struct err *e);
/* Let it end early: what runs is ended, what has not begun does not.  done()
 * still comes. */
void worker_cancel(struct worker *w, struct worker_call *c);
/* Let it end soon: what can go on elsewhere is asked to leave its checkpoint,
 * other steps that run end as ever, and none begins.  done() still comes. */
void worker_call_stop(struct worker *w, struct worker_call *c);
/* From now on no step begins; those that run end by themselves. */
void worker_wind_up(struct worker *w);
/* What can be done only outside of call backs; at leisure. */
void worker_tend(struct worker *w);

/* Do what the request asks and append the answer; serves the loop meanwhile. */
int worker_do(struct worker *w, struct bytes request, double limit_s, struct buf *out,
	      struct err *e);
/* An answer that was too large to be taken, with all objects put to the remotes
 * of its request instead; likewise (worker_shrink.c).  ERR_REFUSED: there are
 * none. */
int worker_shrink(struct worker *w, struct bytes request, struct bytes answer,
		  struct buf *out, struct err *e);

/* The nearest place for objects: the dispatcher's own. */
void worker_set_home(struct worker *w, const struct remote_ops *ops, struct remote *r);

/* What has come and gone since it was told last: large objects, and closures
 * that this machine turned out to hold.  Borrowed until the next call here. */
struct worker_news {
	const struct id *added, *dropped, *closures;
	size_t n_added, n_dropped, n_closures;
};
void worker_news(struct worker *w, struct worker_news *out);
void worker_news_told(struct worker *w, const struct worker_news *told);
/* All large objects that are held; *out lives in a. */
size_t worker_holds(const struct worker *w, struct arena *a, const struct id **out);
/* Closures of which it is certain that they are here. */
size_t worker_closures(const struct worker *w, struct arena *a, const struct id **out);

/* Asking a worker to end: when it waits at once, else after the steps that run,
 * of which those that can go on elsewhere are asked to; the second time at once.
 * A zeroed struct is ready; worker_stop() may be called from a signal's call
 * back. */
struct worker_stop {
	bool is_wanted, is_urgent;
	bool *wait_is_over;
};
void worker_stop(struct worker_stop *s);

/* Take events from the Runtime API at host:port and answer them one by one,
 * until asked to stop.  ERR_RETRY once the API has been silent for several
 * tries. */
int worker_serve(struct worker *w, struct http *h, const char *api,
		 struct worker_stop *stop, struct err *e);

struct whisk_opts {
	const char *address;            /* "0.0.0.0:8080" is where an invoker looks */
	struct worker_stop *stop;
	void (*ran)(void *arg);         /* after each run: the log ends here.  NULL: - */
	void *arg;
};

/* Answer /init and /run of an action container of OpenWhisk, until asked to stop.
 * Whoever gets to the address may run steps: only the network keeps others out. */
int worker_serve_whisk(struct worker *w, const struct whisk_opts *o, struct err *e);

struct connect_opts {
	struct http *http;
	const struct ticket *ticket;
	const char *name, *host;        /* of this worker; of this machine */
	unsigned n_slots;               /* requests at a time */
	double cpus, gpus;              /* what there is */
	uint64_t mem_bytes;
	uint64_t disk_bytes;            /* for steps, beside what it keeps */
	double patience_s;              /* without a dispatcher; 0: 60, or 5 once
					 * its socket is gone */
	struct worker_stop *stop;
};

/* Work for the dispatcher of a ticket until it has no more use for this worker,
 * or until asked to stop.  ERR_REFUSED: the ticket is not valid (any more);
 * ERR_RETRY: nobody has answered for patience_s. */
int worker_connect(struct worker *w, const struct connect_opts *o, struct err *e);

/* The lists that an image holds: names of closures one on a line, and tree
 * texts with an empty line between them, which are put into s. */
int worker_read_closures(struct bytes text, struct arena *a, struct id **out, size_t *n,
			 struct err *e);
int worker_read_trees(struct store *s, struct bytes text, struct err *e);

#endif
