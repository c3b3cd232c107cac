/* pool_private.h - what the files of the pool share
 *
 * A job that was started is a step.  It waits in the queue until a worker asks
 * for work; then one or more steps become a request, which the worker holds on
 * a lease.  A request whose lease ended is kept for a while, since its answer
 * may come yet.
 */
#ifndef GG_POOL_PRIVATE_H
#define GG_POOL_PRIVATE_H

#include "pool.h"

enum {
	POOL_NAME_MAX = 64,             /* of workers, in bytes */
	POOL_SLOTS_MAX = 4096,
	POOL_LIST_MAX = 1 << 16,        /* names in one list of a hello or a beat */
	POOL_JSON_MAX = 8 << 20,        /* bytes of a hello or a beat */
	POOL_ANSWER_MAX = 512 << 20,    /* bytes of an answer */
	POOL_LARGE = 64 << 10,          /* objects beyond do not travel inside */
	POOL_ID_ROOM = 40,
	POOL_TOGETHER_MAX = 64,         /* steps in one request */
};

/* What a worker says of itself; lists live in the arena it was read to. */
struct pool_hello {
	const char *name, *host;
	struct room room;
	unsigned n_slots;
	struct id *closures, *holds;
	size_t n_closures, n_holds;
};

struct pool_beat {
	const char **running;           /* ids of requests */
	size_t n_running;
	bool tells_running, ends;       /* ends: it asks for no more */
	struct id *dropped, *added, *closures;
	size_t n_dropped, n_added, n_closures;
};

/* pool_words.c.  ERR_BAD says what is wrong. */
int pool_read_hello(struct bytes json, struct arena *a, struct pool_hello *out, struct err *e);
int pool_read_beat(struct bytes json, struct arena *a, struct pool_beat *out, struct err *e);
/* What a worker says instead of an answer: for people, one line, in a. */
const char *pool_read_error(struct bytes json, struct arena *a);

/* A large object that workers hold, and some of those. */
struct pool_object {
	struct id id;
	uint64_t n_bytes;
	struct pool_peer **v;
	size_t n, room;
};

/* A call that is answered later: what c->data points to. */
enum pool_wait_kind { WAIT_NEXT, WAIT_BEAT, WAIT_OBJECT };
struct pool_wait {
	enum pool_wait_kind kind;
	struct serve_call *call;
	struct pool_peer *w;
	struct pool_wait *next, *prev;  /* WAIT_NEXT: in pool.idle */
	struct pool_wait *own_next, **own_at;   /* likewise, of w */
};

/* A worker. */
struct pool_peer {
	struct pool *p;
	struct pool_peer *next, *prev;
	char id[POOL_ID_ROOM];
	char *name, *host;
	struct room room, used;
	unsigned n_slots, n_waits, n_requests, n_bad;
	uint64_t heard_ms, idle_since_ms, lease_ms;
	struct pool_request *requests;
	struct pool_wait *waits;
	struct map holds;               /* name -> struct pool_object */
	struct map closures, cannot;    /* names; cannot: runtimes it lacks */
	struct arena names;             /* of both */
	struct pool_wait *beat;         /* one that is held back */
	uint64_t beat_until_ms;
	uint64_t suspect_ms;            /* a connection broke then; 0: all is well */
	bool is_plain, is_retired, has_news;
	bool is_told;                   /* it knows that it is retired */
};

struct pool_want {
	struct id id;
	uint64_t n_bytes;
};

struct pool_step {
	struct pool *p;
	struct job *job;
	struct pool_step *next, *prev;  /* in the queue, or among the ended */
	struct pool_request *r;         /* that has it; or NULL */
	size_t at;                      /* there */
	struct pool_want *wants;        /* large inputs */
	size_t n_wants;
	uint64_t started_ms;
	struct id runtime;              /* zero: not looked at yet */
	unsigned n_elsewhere;           /* workers that could not begin it */
	bool is_short, has_looked, has_ended;
	enum run_status status;         /* has_ended */
	struct id missing;
	char *text;
};

/* One step of a request: s is NULL once it has ended for whoever wanted it. */
struct pool_given {
	struct pool_step *s;
	struct id reduced;
	struct bytes text;
	struct room needs;
	double waited_s;
	bool is_answered, is_watched;
};

struct pool_request {
	struct pool_request *next, **at;        /* of the worker's, or of pool.late */
	char id[POOL_ID_ROOM], worker[POOL_ID_ROOM];
	struct pool_peer *w;            /* NULL: late */
	struct pool_given *v;
	size_t n, n_live;
	struct room needs;
	uint64_t renewed_ms, given_ms, last_ms; /* last_ms: no beat renews beyond */
	bool is_stopping;               /* its steps are to leave their checkpoints */
	unsigned n_unnamed;             /* beats that did not name it */
	struct arena arena;
};

struct pool {
	struct pool_opts o;
	struct backend_opts b;
	struct serve *serve;
	char *name;
	char token[65];
	struct pool_peer peers;         /* the ends of the list */
	size_t n_peers;
	unsigned n_slots;
	struct map by_id;               /* id -> struct pool_peer */
	struct room room, short_used, told;
	struct pool_step queue, ended;  /* the ends of lists */
	size_t n_queued;
	struct pool_wait idle;          /* likewise; latest first */
	struct map requests;            /* id -> struct pool_request */
	struct pool_request *late, **late_end;
	size_t n_late;
	struct map objects;             /* name -> struct pool_object */
	size_t n_held, n_cannot;        /* entries of all workers */
	struct map trees;               /* name -> struct pool_tree: large files of it */
	struct timer *tick, *soon, *grace;
	unsigned char random[256];
	size_t n_random;                /* left of random */
	unsigned long long n_ids;
	char why[256];                  /* pool_why_waiting() */
	bool is_closing, is_deserted;   /* is_deserted: the grace is over */
	struct pool_fetching *fetching;
};

/* pool.c */
void pool_new_id(struct pool *p, const char *kind, char out[POOL_ID_ROOM]);
/* The step ends, later in this turn of the loop.  text is copied. */
void pool_end(struct pool_step *s, enum run_status status, const char *text);
/* Room or workers may have changed: tell, later in this turn. */
void pool_think(struct pool *p);
void pool_unqueue(struct pool_step *s);
void pool_step_free(struct pool_step *s);
void pool_requeue(struct pool_step *s);

/* pool_place.c */
/* Find a waiting worker for a step that was just queued. */
void pool_place(struct pool *p, struct pool_step *s);
/* Find steps for a worker that has just begun to wait; true: it was answered. */
bool pool_feed(struct pool *p, struct pool_wait *k);
void pool_feed_all(struct pool *p);

/* pool_lease.c */
struct pool_peer *pool_peer_new(struct pool *p, const struct pool_hello *h);
/* Nothing more is heard of it: its steps end as `how`. */
void pool_peer_lose(struct pool_peer *w, enum run_status how, const char *why);
void pool_peer_free(struct pool_peer *w);
void pool_peer_retire(struct pool_peer *w);
/* It has been told that it is to end. */
void pool_peer_told(struct pool_peer *w);
struct pool_request *pool_request_new(struct pool_peer *w, struct pool_step *const *v, size_t n);
/* Take it from its worker; it is the caller's then. */
void pool_request_detach(struct pool_request *r);
void pool_request_free(struct pool_request *r);
/* Its late answer has come, or it is given up. */
void pool_late_drop(struct pool *p, struct pool_request *r);
/* Its worker no longer needs to do it, or is to let it stop: there is news. */
void pool_request_tell(struct pool_request *r);
void pool_beat_taken(struct pool_peer *w, const struct pool_beat *b);
void pool_tick_start(struct pool *p);
void pool_lease_close(struct pool *p);
uint64_t pool_beat_ms(const struct pool *p);

/* pool_holds.c */
void pool_holds_add(struct pool_peer *w, const struct id *id, uint64_t n_bytes);
void pool_holds_drop(struct pool_peer *w, const struct id *id);
bool pool_holds(const struct pool_peer *w, const struct id *id);
void pool_holds_release(struct pool_peer *w);
/* Bytes of the step's large inputs that w holds. */
uint64_t pool_held_bytes(struct pool_step *s, const struct pool_peer *w);
/* Call fn for workers that hold some of it, at most a few dozen. */
void pool_each_holder(struct pool_step *s, void (*fn)(void *arg, struct pool_peer *w), void *arg);
void pool_objects_close(struct pool *p);

/* pool_serve.c */
void pool_request_came(void *arg, struct serve_call *c);
void pool_call_gone(void *arg, struct serve_call *c);
int pool_accepts(void *arg, const struct serve_call *c, uint64_t n_bytes);
void pool_say(struct serve_call *c, int status, const char *text);
struct pool_peer *pool_peer_of(struct pool *p, const struct serve_call *c);
void pool_wait_end(struct pool_wait *k);
/* Hand v[0..n) to the worker that waits; false: it waits still, and a step that
 * cannot be packed has ended. */
bool pool_hand(struct pool_wait *k, struct pool_step **v, size_t n);
void pool_answer_beat(struct pool_peer *w);
void pool_heard(struct pool_peer *w);

/* pool_answer.c: a response or an error; rest: what follows the route. */
void pool_answered(struct pool *p, struct serve_call *c, const char *rest);

/* pool_cannot.c.  The worker has said that it cannot begin this step: it lacks
 * its runtime.  false: nobody knows which that is. */
bool pool_cannot(struct pool_peer *w, struct pool_step *s);
/* May w begin it, for all that is known? */
bool pool_can(const struct pool_peer *w, struct pool_step *s);
/* Is there a worker that may, and is large enough? */
bool pool_can_somebody(struct pool_step *s);
/* End steps that wait although all workers here cannot begin them. */
void pool_cannot_sweep(struct pool *p);

/* pool_cas.c */
void pool_cas(struct pool *p, struct serve_call *c, const struct id *id);
void pool_ac(struct pool *p, struct serve_call *c, const struct id *id);
void pool_cas_gone(struct pool_wait *k);
void pool_cas_close(struct pool *p);

#endif
