/* depot.h - the remotes of a run, nearest first, and what may be believed of them
 *
 * src/exec/depot.c (which remote, and whether it is well), depot_fetch.c and
 * fetch_object.c (in), depot_push.c and push_object.c (out), depot_ask.c
 * (results), codec.c (zstd on the way), signed.c (results that are signed).
 *
 * Objects are read through: the nearest remote that has one gives it, and it is
 * checked against its name before it enters the store.  They are written
 * behind: publishing returns at once.  A blob under cas/HEX is the object, or a
 * zstd frame of it where that pays: a reader takes whichever has the name.
 * Results are under ac/HEX and count only when they are signed by a trusted
 * key (keys.h).
 */
#ifndef GG_DEPOT_H
#define GG_DEPOT_H

#include "keys.h"
#include "remote.h"
#include "store.h"

struct depot;

struct depot_remote {
	const struct remote_ops *ops;
	struct remote *remote;          /* closed by who opened it, after the depot */
	bool is_read_only;
	bool is_plain;                  /* blobs are never compressed there; its
					 * nature may say so, too */
	bool trusts_results;            /* our own endpoint: unsigned ones count */
};

struct depot_opts {
	struct loop *loop;
	struct store *store;
	const struct depot_remote *remotes;     /* nearest first; copied */
	size_t n_remotes;
	const struct keyring *keys;     /* lent; NULL: no result is believed and
					 * none is published */
	/* What is written behind waits as names, and is read from the store
	 * when its turn comes: memory holds what is in flight only.
	 * Something went wrong that is mended elsewhere: a flipped bit, a remote
	 * that is down, a result nobody trusted.  One line each, once a cause. */
	void (*notice)(void *arg, const char *text);    /* or NULL */
	void *arg;
};

/* ERR_USAGE: too many remotes. */
int depot_new(const struct depot_opts *o, struct depot **out, struct err *e);
/* What is not written yet is given up: see depot_drain(). */
void depot_free(struct depot *d);

/* What a value is good for, which the DAG knows: decides where it goes. */
struct depot_hint {
	bool is_passing;                /* read by thunks of this run only */
	unsigned n_readers;
};

/* Make objects be in the store: values, and trees with all below.  done() comes
 * exactly once, later.  ERR_MISSING names the first that no remote has (id
 * too); ERR_RETRY when remotes are down.  What is in the store already costs
 * nothing. */
struct depot_fetch {
	const struct ref *refs;         /* lent until done; REF_THUNK: the text of
					 * that thunk, and of those it reads */
	size_t n_refs;
	void (*done)(struct depot_fetch *f, const struct id *missing, const struct err *e);
	void *arg;
	void *depot_data;
};
void depot_fetch(struct depot *d, struct depot_fetch *f);
void depot_cancel_fetch(struct depot *d, struct depot_fetch *f);

/* Make objects be at a remote that workers can read.  The same promises. */
struct depot_push {
	const struct ref *refs;
	size_t n_refs;
	struct depot_hint hint;
	void (*done)(struct depot_push *p, const struct err *e);
	void *arg;
	void *depot_data;
};
void depot_push(struct depot *d, struct depot_push *p);

/* What is known at remotes of a thunk, as written or as reduced: r NULL: no
 * result that is trusted.  It lives until done() returns.  Objects are not
 * fetched.  many in flight; thousands may be asked for at once. */
struct depot_ask {
	struct id thunk;
	void (*done)(struct depot_ask *q, const struct result *r, const struct err *e);
	void *arg;
	void *depot_data;
};
void depot_ask(struct depot *d, struct depot_ask *q);

/* Write behind: the objects of r, then the result under each name, signed. */
void depot_publish(struct depot *d, const struct id *names, size_t n_names,
		   const struct result *r, const struct depot_hint *hint);

/* Somebody has put id at a remote: it need not be in the store. */
void depot_note(struct depot *d, const struct id *id);
bool depot_knows(const struct depot *d, const struct id *id);

/* done() once all that was to be written behind is; e: the first that could not. */
void depot_drain(struct depot *d, void (*done)(void *arg, const struct err *e), void *arg);

/* For the summary line and the report. */
struct depot_counts {
	/* n_results: believed of remotes; n_published: written to one. */
	uint64_t n_fetched, n_pushed, n_results, n_published, fetched_bytes,
		pushed_bytes, wire_in_bytes, wire_out_bytes, n_bad, n_waiting;
};
void depot_counts(const struct depot *d, struct depot_counts *out);
/* URIs that workers can open, for a request; borrowed, NULL at the end. */
const char *const *depot_uris(const struct depot *d);

/* codec.c.  The blob for bytes: themselves (returns false), or, when it pays, a
 * zstd frame appended to out. */
bool codec_pack(struct bytes b, struct buf *out);
/* The object called id out of a blob: *out is in the blob, or in a.  ERR_BAD if
 * it is neither the bytes nor a frame of them; at most max_bytes come out. */
int codec_unpack(struct bytes blob, const struct id *id, uint64_t max_bytes,
		 struct arena *a, struct bytes *out, struct err *e);
/* The same from file to file, for any thread; both are used from their start.
 * codec_pack_fd: 1 out holds a frame of the n_bytes in `in`, 0 it does not pay and
 * out is in any state.  codec_unpack_fd: 1 out holds the object, 0 `in` itself is
 * the object.  ERR_IO, ERR_RETRY if in changed. */
int codec_pack_fd(int in, uint64_t n_bytes, int out, uint64_t *n_out, struct err *e);
int codec_unpack_fd(int in, const struct id *id, int out, struct err *e);

#endif
