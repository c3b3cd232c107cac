/* parcel.h - steps on their way to a worker and back; src/exec/parcel.c
 *
 * What a dispatcher does around message.h: which objects travel inside the
 * request, which have to be at a remote first, and what to do with an answer.
 */
#ifndef GG_PARCEL_H
#define GG_PARCEL_H

#include "backend.h"
#include "depot.h"
#include "message.h"

struct parcel_opts {
	struct store *store;
	struct depot *depot;            /* NULL: everything travels inside,
					 * unless: */
	bool asks_us;                   /* the worker can fetch what is in the store
					 * from here: as if there were a depot */
	const char *root;               /* where steps see the project; or NULL */
	bool is_json;                   /* for those who take nothing else (functions);
					 * else message.h's form with parts */
	uint64_t max_bytes;             /* of the request; 6 MB less some on Lambda;
					 * 0: 256 MiB */
	uint64_t answer_bytes;          /* likewise; 0: the worker's own limit */
	uint64_t inline_bytes;          /* larger objects go by the depot; 0: 64 KiB */
	/* Does the worker hold it already, so that it need not travel at all?
	 * Asked of values, trees' texts and closures (whose texts travel to a
	 * worker that does not hold them).  NULL: no. */
	bool (*holds)(void *arg, const struct id *id);
	void *arg;
};

struct parcel {
	struct buf body;                /* of the POST or the event */
	struct ref *outside;            /* in the store; must be at a remote before
					 * it is sent, unless the worker can ask
					 * us.  Each one object, REF_VALUE */
	size_t n_outside;
	uint64_t n_input_bytes;
	struct arena arena;
};

/* Pack n jobs, at least one.  ERR_REFUSED: too large for max_bytes without a
 * depot; ERR_MISSING: an input is neither in the store nor known to the depot
 * (*missing). */
int parcel_pack(const struct parcel_opts *o, struct job *const *jobs, size_t n,
		struct parcel *out, struct id *missing, struct err *e);
void parcel_release(struct parcel *p);

/* Take an answer: objects inside are checked and put into the store, those that
 * rest at a remote are noted in the depot.  each() is called once for every
 * step answered, in order; a report that names objects that are nowhere is
 * turned into RUN_CELL_FAILED.  ERR_BAD: no such answer; ERR_IO: the store cannot
 * keep it.  text may be of either form. */
int parcel_open(const struct parcel_opts *o, struct bytes text,
		void (*each)(void *arg, const struct id *reduced, const struct run_report *r),
		void *arg, struct err *e);

#endif
