/* worker.h - steps on behalf of somebody else, one after the other
 *
 * src/exec/worker.c (one step), worker_api.c (the AWS Lambda Runtime API).
 *
 * A worker knows the closures that the place where it runs satisfies (in an
 * image: image.h) and refuses steps of others.  It keeps objects and results
 * in a store of its own.
 */
#ifndef GG_WORKER_H
#define GG_WORKER_H

#include "backend.h"
#include "http.h"
#include "message.h"

struct worker_opts {
	struct loop *loop;
	struct store *store;
	const char *store_dir, *self;
	const char *spare_root;         /* for a project whose own path cannot
					 * be made here; is there */
	const struct backend_ops *engine;
	const struct id *closures;      /* whose trees are in the store */
	size_t n_closures;
	uint64_t max_bytes;             /* of outputs in an answer; 0: 4 MiB,
					 * what Lambda takes as base64 */
};

struct worker;
struct worker *worker_new(const struct worker_opts *o);
void worker_free(struct worker *w);

/* Do what the JSON asks and append the answer; serves the loop meanwhile.  A
 * step that fails is an answer; ERR_BAD is a request that makes no sense.
 * limit_s, when not 0, is when the one who asked stops listening. */
int worker_do(struct worker *w, struct bytes request, double limit_s, struct buf *out,
	      struct err *e);

/* Asking a worker to end: at once when it waits, else after its step.  A zeroed
 * struct is ready; worker_stop() may be called from a signal's call back. */
struct worker_stop {
	bool is_wanted;
	bool *wait_is_over;
};
void worker_stop(struct worker_stop *s);

/* Take events from the Runtime API at host:port and answer them, until asked to
 * stop.  ERR_RETRY once the API has been silent for several tries. */
int worker_serve(struct worker *w, struct http *h, const char *api,
		 struct worker_stop *stop, struct err *e);

/* The lists that an image holds: names of closures one on a line, and tree
 * texts with an empty line between them, which are put into s. */
int worker_read_closures(struct bytes text, struct arena *a, struct id **out, size_t *n,
			 struct err *e);
int worker_read_trees(struct store *s, struct bytes text, struct err *e);

#endif
