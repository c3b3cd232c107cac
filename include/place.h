/* place.h - what gg has put at a path of the project; src/thunk/place.c,
 * ref.c (the records), lay.c (a value as files), litter.c (what is left behind),
 * undo.c (what stood there before)
 *
 * A ref remembers, for each project path that is an output, which output of
 * which thunk it is and what gg last put there.
 */
#ifndef GG_PLACE_H
#define GG_PLACE_H

#include "project.h"
#include "store.h"

enum place_state {
	PLACE_PLACEHOLDER,      /* gg wrote a placeholder */
	PLACE_REAL,             /* gg wrote the real file or directory */
	PLACE_LEFT,             /* gg wrote what a thunk that failed had written
				 * by then: nobody's output, a value like any */
};

struct ref_record {
	struct id thunk;
	const char *out;
	enum place_state state;
	struct stamp stamp;     /* of what gg wrote; for a directory its own */
	struct ref value;       /* but for a placeholder: what it is */
};

/* Get lives in a.  ERR_MISSING. */
int ref_get(struct store *s, const char *path, struct arena *a,
	    struct ref_record *out, struct err *e);
int ref_put(struct store *s, const char *path, const struct ref_record *r,
	    struct err *e);
int ref_delete(struct store *s, const char *path, struct err *e);
int ref_each(struct store *s,
	     int (*fn)(void *arg, const char *path, const struct ref_record *r),
	     void *arg, struct err *e);

/* Another thunk is to stand at path: the one whose result gg last put there is
 * kept for gg why.  ref_previous: its id, ERR_MISSING if there is none. */
int ref_supersede(struct store *s, const char *path, const struct id *thunk,
		  struct err *e);
int ref_previous(struct store *s, const char *path, struct id *out, struct err *e);

/* What stands at path now, beside what the ref says (r NULL: there is none). */
enum place_now {
	NOW_ABSENT,
	NOW_PLACEHOLDER,        /* of the ref's own thunk and output */
	NOW_OTHER_PLACEHOLDER,
	NOW_REAL,               /* unchanged since gg put it */
	NOW_EDITED,             /* somebody else's bytes */
	NOW_LEFT,               /* PLACE_LEFT, unchanged since */
};
int place_look(struct store *s, const struct project *p, const char *path,
	       const struct ref_record *r, enum place_now *out, struct err *e);

/* Write a placeholder at path (folders above are made), atomically, and its
 * ref.  is_dir: a directory with one entry.  What stood there is replaced,
 * except a non-empty directory that gg did not put there: ERR_REFUSED. */
int place_placeholder(struct store *s, const struct project *p, const char *path,
		      const struct placeholder *ph, bool is_dir, bool is_exec,
		      struct err *e);

/* Put value at path as a real file or directory, atomically, mode and all,
 * with the time stamp of the placeholder it replaces; ref and stat cache are
 * noted.  Bytes the user put there himself (NOW_EDITED) are not touched:
 * ERR_REFUSED.  ERR_MISSING if an object is not in the store: *missing. */
int place_real(struct store *s, const struct project *p, const char *path,
	       const struct placeholder *ph, const struct ref *value,
	       struct id *missing, struct err *e);

/* The real file at path, unchanged since gg put it there, was just made again
 * by a command whose result is that very value: give it the time of now, as
 * the command would have, so that make sees it as new.  ERR_MISSING without a
 * ref, ERR_REFUSED if something else stands there. */
int place_touch(struct store *s, const struct project *p, const char *path,
		struct err *e);

/* The thunk of ph has failed: no placeholder stays at path.  value, if not
 * NULL, is what it had written there by then; without one a real file that
 * stands there stays.  The ref still says whose path it is. */
int place_left(struct store *s, const struct project *p, const char *path,
	       const struct placeholder *ph, const struct ref *value, struct err *e);

/* Put back what r, no placeholder, says that gg had put at path, with the time
 * that it had.  ERR_MISSING if the store has it no more. */
int place_back(struct store *s, const struct project *p, const char *path,
	       const struct ref_record *r, struct err *e);

/* Remove what killed gg were writing, in the project and in .gg/work.  Only
 * while no other gg uses the store.  What cannot be removed stays. */
void litter_sweep(const struct project *p);
/* The same in all folders with outputs, the first time after this machine was
 * started: what told of them may have gone with the power. */
int litter_sweep_after_start(struct store *s, const struct project *p, struct err *e);
/* Is it the name of something that gg was writing there? */
bool litter_is_temporary(const char *name);

#endif
