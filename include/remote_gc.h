/* remote_gc.h - what a remote is to keep: refs, and the removal of the rest
 *
 * src/exec/remote_refs.c (refs), remote_gc.c.
 *
 * A ref is a small text at refs/NAME, not signed, since all it can do is keep
 * something: the steps whose results somebody has pushed.  That of NAME.run is
 * what the last run of a project relied on; nobody need take it back, as it is
 * good for REF_RUN_DAYS only.
 *
 *     gg-ref 1
 *     date 1763716800
 *     thunk 64 hex digits        in order of the digits
 *
 * All of this serves the loop until it is done: it is for tools.
 */
#ifndef GG_REMOTE_GC_H
#define GG_REMOTE_GC_H

#include "remote.h"
#include "thunk.h"

enum { REF_NAME_ROOM = 80, REF_RUN_DAYS = 30 };
#define REF_RUN ".run"

/* A name for the refs of the project at root on this machine. */
void remote_ref_name(const char *root, char out[REF_NAME_ROOM]);
/* Write the ref; thunks is sorted here. */
int remote_ref_write(struct loop *l, const struct remote_ops *ops, struct remote *r,
		     const char *name, struct id *thunks, size_t n, struct err *e);
/* What it names now, none if it is not there. */
int remote_ref_get(struct loop *l, const struct remote_ops *ops, struct remote *r,
		   const char *name, struct arena *a, struct id **out, size_t *n,
		   struct err *e);
/* ERR_BAD with the line; *out and the date; ids live in a. */
int remote_ref_read(struct bytes text, struct arena *a, struct id **out, size_t *n,
		    int64_t *date_s, struct err *e);

/* Write a probe, read it back, remove it; *modified_s is when it was written by the
 * remote's own clock, 0 if it does not say.  e tells in words what is wrong. */
int remote_probe(struct loop *l, const struct remote_ops *ops, struct remote *r,
		 int64_t *modified_s, struct err *e);

struct remote_gc {
	struct loop *loop;
	const struct remote_ops *ops;
	struct remote *remote;
	int64_t grace_s;                /* younger ones are kept, and what they name */
	const char *forget;             /* the name of a project whose refs go, too; or
					 * NULL.  ERR_MISSING: it has none */
	const struct ref *also;         /* these are kept as well, as by a ref; lent */
	size_t n_also;
	bool is_dry;
	/* Given back. */
	size_t n_projects;              /* that have refs */
	size_t n_results, n_objects;    /* removed, or would be; */
	size_t n_kept_results, n_kept_objects;
	size_t n_halves;                /* begun and never ended by their writers */
	uint64_t n_bytes, n_kept_bytes;
};
/* Remove the results, then the objects, that no ref reaches.  Nothing is removed
 * unless all refs, results and trees that are kept could be read.  ERR_USAGE: the
 * remote cannot list. */
int remote_gc(struct remote_gc *g, struct err *e);

#endif
