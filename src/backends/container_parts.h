/* container_parts.h - the parts of the engine container, each a file
 *
 * Private to src/backends: container_client.c (the socket), container_owner.c
 * (whose containers), container_life.c (one container), container_image.c (from
 * what), container_setup.c (as the words of its URI say), container_gc.c and
 * container_images.c (later), container.c (how many; the engine).
 */
#ifndef GG_CONTAINER_PARTS_H
#define GG_CONTAINER_PARTS_H

#include "autoscale.h"
#include "backend.h"
#include "container_api.h"
#include "pool.h"
#include "warm.h"
#include "work.h"

/* ---- container_client.c */

struct container_client {
	struct loop *loop;
	struct http *http;              /* its own: waits hold connections */
	char *socket;
	const struct container_api *api;
	bool is_podman;
};

/* Find the socket (said: NULL for the usual places), and who listens there. */
int container_client_open(struct container_client *c, const struct backend_opts *o,
			  const char *said, unsigned n_calls, struct err *e);
void container_client_close(struct container_client *c);

typedef void container_done_fn(void *arg, const struct http_answer *a, const struct err *e);

/* One request, begun.  The body is lent until done(); from NULL: no file. */
struct container_ask {
	const char *method, *path;
	struct bytes body;
	const struct http_file *from;
	bool waits;                     /* may say nothing for ever */
	container_done_fn *done;
	void *arg;
};
int container_start(struct container_client *c, const struct container_ask *q,
		    struct http_call **out, struct err *e);

/* *e of a call that had no answer, in words that name who is silent. */
void container_no_answer(const struct container_client *c, const struct err *e, struct err *out);

/* ---- container_owner.c */

/* This process as its containers' label names it: machine, name space, pid and
 * when it began. */
void container_owner(struct buf *out);
/* Is the process that such a label names known to be gone?  is_up: of the
 * container. */
bool container_owner_is_gone(const char *label, bool is_up);

/* What the engine lists is looked at and some of it removed, in the background; *w
 * is lent as long as the client is open. */
struct container_sweep {
	struct container_client *client;
	/* For what is to go: container_sweep_remove(). */
	void (*read_list)(struct container_sweep *w, struct bytes list);
	size_t n_waiting, n_removed;
	bool is_over;
};
/* Ask for what list, which takes more of a query, has of that label; client and
 * read_list are set. */
void container_sweep_begin(struct container_sweep *w, const char *list, const char *label);
/* done() ends by container_sweep_end_one(). */
void container_sweep_remove(struct container_sweep *w, const char *path,
			    container_done_fn *done, void *arg);
void container_sweep_end_one(struct container_sweep *w);
/* To its end: how many. */
size_t container_sweep_finish(struct container_sweep *w);

/* Remove what owners that are gone have left. */
void container_sweep(struct container_sweep *w, struct container_client *c);
/* The same, to its end: how many. */
size_t container_sweep_all(struct container_client *c);

/* ---- container_life.c */

struct container;
struct containers {
	struct container_client *client;
	/* It has ended, or never began (e then says why, and how is
	 * RUN_LOST_WORKER).  Once for each; c is freed afterwards. */
	void (*gone)(void *arg, struct container *c, enum run_status how, const struct err *e);
	void *arg;
	struct container *first;
	size_t n;
};

struct container {
	struct containers *all;
	struct container *next;
	char name[40];
	unsigned slot;                  /* which devices are its own */
	/* The engine's own. */
	bool has_said_hello, is_retired;
	/* container_life.c's own. */
	char *id;
	struct buf body;
	struct http_call *call, *wait;
	struct timer *again;
	bool is_started, is_unwanted;
	bool lacks_image;               /* it did not begin: its image is not there */
	int code;
	struct err why;
};

struct container *container_begin(struct containers *all, const struct container_spec *s,
				  unsigned slot);
/* End it at once; gone() still comes. */
void container_end(struct container *c);
/* Forget it without a word. */
void container_drop(struct container *c);

/* ---- container_image.c */

struct container_image;
struct container_image_opts {
	struct container_client *client;
	const struct backend_opts *o;
	const char *folder;             /* for an archive on its way */
	const char *worker;             /* what becomes the worker in it */
	const char *library;            /* that it opens by itself, or "" */
	/* The image is there (e NULL), or cannot be. */
	void (*done)(void *arg, const struct err *e);
	void *arg;
};
struct container_image *container_image_new(const struct container_image_opts *o);
void container_image_free(struct container_image *m);
/* Have the image ref, or one made of closures, be there; done() comes later.
 * One at a time. */
void container_image_get(struct container_image *m, const char *ref);
void container_image_make(struct container_image *m, const struct id *closures, size_t n);
/* Somebody has removed it.  False: that was known. */
bool container_image_forget(struct container_image *m);
/* sha256:..., NULL unless there; and what people may want to know, or NULL. */
const char *container_image_id(const struct container_image *m);
const char *container_image_told(const struct container_image *m);
/* Does the image name the closures that it satisfies, and which: lines. */
const char *container_image_closures(const struct container_image *m);
/* It is in use: so gg gc leaves it. */
void container_image_used(const struct container_image *m);

/* ---- container_images.c */

/* When an image that gg has made was used last, by whichever project of this user:
 * tag as CONTAINER_MADE, or "". */
void container_stamp(const struct backend_opts *o, const char *tag);
/* Remove such images that were not used for grace_s, nor are by a container: how
 * many; is_dry: only count them.  Serves the loop. */
size_t container_images_sweep(struct container_client *c, const struct backend_opts *o,
			      int64_t grace_s, bool is_dry);

/* ---- container_setup.c */

struct container_options {
	unsigned workers, min;
	double cpus, gpus, keep_s, lease_s;
	uint64_t mem_bytes, disk_bytes;
	const char *image, *base, *socket, *worker, *api;
	struct strs devices;
};
extern const struct engine_word container_words[];

/* Of all steps that were asked about. */
struct container_closures {
	struct id *v;
	size_t n;
};

struct backend {
	struct backend_opts o;
	struct container_options opt;
	struct arena arena;
	struct container_client client;
	struct work_folder work;
	char *shared;                   /* the folder that containers see */
	struct pool *pool;
	struct containers all;
	struct container_image *image;
	struct container_sweep sweep;
	struct autoscale scale;
	struct demand demand;
	struct warm_watch idle;
	size_t n_arrivals;              /* of idle, when it began */
	struct container_closures *known;
	size_t n_in_image;              /* of those that are known */
	bool is_image_coming;
	char owner[160], run[20], user[32];
	unsigned n_begun, n_failures;
	uint64_t rests_until_ms;
	struct timer *later;
	bool is_closing, is_over;
	struct err broken;              /* code 0: it works */
	char notice[500];
};

/* Everything but the call backs, which are set before.  What stands is in *b
 * after -1 too. */
int container_setup(struct backend *b, const char *rest, void (*changed)(void *arg),
		    void (*has_image)(void *arg, const struct err *e), struct err *e);
/* One more worker, which will have the devices of the first slot that is free. */
void container_begin_next(struct backend *b);

/* ---- container_gc.c */

/* Which container engines a store was used with, for gg gc. */
void container_remember(const char *store_dir, const char *socket);

#endif
