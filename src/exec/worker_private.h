/* worker_private.h - what the files of the worker share
 *
 * Private to src/exec.
 */
#ifndef GG_WORKER_PRIVATE_H
#define GG_WORKER_PRIVATE_H

#include "depot.h"
#include "worker.h"

struct cache;
struct errand;
struct runtimes;
struct source;
struct site_engine;

struct ids {
	struct id *v;
	size_t n, room;
};
void ids_add(struct ids *l, const struct id *id);

struct worker {
	struct worker_opts o;
	struct cache *cache;
	struct runtimes *runtimes;
	struct source *sources;
	struct site_engine *engines;
	struct errand *errands;         /* requests on their way */
	const struct remote_ops *home_ops;
	struct remote *home;
	struct ids added, dropped, closures;    /* not told yet */
	uint64_t clock;                 /* counts uses of objects */
	char trouble[600];              /* the last with remotes, in words */
	bool winds_up;
	struct worker_stop *stop;       /* while it serves; or NULL */
	bool has_answered;              /* what comes first is a cold start */
};

/* One request on its way. */
struct errand {
	struct worker *w;
	struct worker_call *call;
	struct arena arena;
	struct message_request q;
	struct message_report *reports;
	size_t i;                       /* the step that it is at */
	struct thunk thunk;
	struct job job;
	struct backend *backend;        /* while a step runs */
	struct depot *depot;            /* NULL: nowhere to fetch from */
	struct depot_fetch fetch;
	struct depot_push push;
	struct ids lacks;
	struct ref *refs;               /* of what is fetched or put */
	struct message_gather gather;   /* what the outputs hold */
	uint64_t since, began_ms;
	unsigned n_fetches;             /* of this step */
	bool wants_runtime;             /* what lacks are texts of its closure */
	bool is_stopping;               /* its steps are to go on elsewhere */
	bool is_cancelled, is_beginning, is_over;
	struct timer *timer;            /* that delivers, or see worker_step.c */
	struct buf answer;
	struct errand *next, **at;
};

/* Was this worker itself asked to end? */
static inline bool worker_ends(const struct worker *w)
{
	return w->winds_up || (w->stop && w->stop->is_wanted);
}

/* worker_step.c: do the steps from x->i on; then comes errand_end(). */
void errand_go_on(struct errand *x);
void errand_end(struct errand *x);
/* The machinery's word for the step at x->i instead of the step's own. */
void errand_refuse(struct errand *x, enum run_status status, const struct err *why);

void worker_tell(struct worker *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Whatever runs is cut off, and nobody is told. */
void worker_abandon(struct worker *w);

/* worker_cache.c: objects by when they were used last. */
struct cache *cache_new(struct worker *w);
void cache_free(struct cache *c);
/* id is used now: false if it is not in the store. */
bool cache_use(struct worker *w, const struct id *id);
/* Drop what was not used for the longest time until no more than max_bytes are
 * left; nothing that was used since `since`. */
void cache_trim(struct worker *w, uint64_t max_bytes, uint64_t since);
uint64_t cache_bytes(const struct worker *w);

/* worker_runtime.c: may this step run here?  0 it may; 1 once what *lacks names
 * (in a) is here; -1 no, and why. */
struct runtimes *runtimes_new(struct worker *w);
void runtimes_free(struct runtimes *r);
int runtime_check(struct worker *w, const struct message_step *step, const struct thunk *t,
		  struct ids *lacks, struct err *e);
/* A path of t's closure that is not on this machine any more, in a; or NULL. */
const char *runtime_lost(struct worker *w, const struct thunk *t, struct arena *a);
/* Objects were dropped: look again. */
void runtimes_doubt(struct runtimes *r);

/* worker_source.c: the depot for the remotes of a request; NULL if it has none. */
struct source;
int source_find(struct worker *w, const char *const *uris, struct depot **out,
		struct err *e);
void sources_free(struct worker *w);

/* worker_room.c: the engine for steps that see the project at root. */
int room_find(struct worker *w, const char *root, struct backend **out, struct err *e);
void room_left(struct worker *w, struct backend *b);
void room_tend(struct worker *w);
void room_free(struct worker *w);

/* worker_api.c: until the caller of an event stops listening; 0: no limit. */
#define RUNTIME_API_VERSION "2018-06-01"
double runtime_seconds_left(const struct http_answer *event);
bool runtime_id_is_good(const char *id);

/* worker_words.c: what a worker and its dispatcher tell each other, as JSON. */
struct welcome {
	char name[64];                  /* for the header Gg-Worker */
	double beat_s, lease_s;
};
void words_hello(struct worker *w, const struct connect_opts *o, struct buf *out);
int words_read_welcome(struct bytes json, struct welcome *out, struct err *e);
void words_beat(const struct worker_news *news, const char *const *running, size_t n,
		bool ends, struct buf *out);
/* Request ids, in a. */
struct orders {
	struct strs cancel, stop;
	bool retire;
};
int words_read_beat(struct bytes json, struct arena *a, struct orders *out, struct err *e);

#endif
