/* deeds.h - what a command does to each path, while it does it
 *
 * deeds.c notes calls before they happen, on any thread; listings.c, what a
 * program lists for itself; deeds_end.c says at the end what became of each path.
 */
#ifndef GG_DEEDS_H
#define GG_DEEDS_H

#include <pthread.h>
#include "learn.h"
#include "project.h"
#include "tracer.h"

/* One path: what it was when it was first touched, and what was done. */
struct touched {
	const char *path;               /* plain inside the project */
	const char *spelled;            /* what it was called when the way there
					 * went over a link in the project */
	bool is_plain;                  /* it was called by path, too */
	struct stamp first;
	unsigned deeds;                 /* of those that only look */
	enum { DEED_NOTHING, DEED_FILE, DEED_DIR, DEED_ODD } kind; /* at first */
	bool is_unseen;                 /* the command has not found it: nobody
					 * else has looked */
	bool is_link, is_old;           /* any change of it shows in its stamp */
	bool is_to_come;                /* a placeholder: gg itself changes it */
	bool is_written;                /* by whatever call */
	bool is_replaced;               /* not only added to or changed */
	bool is_resumed;                /* absent, but what was there would have
					 * counted: read */
	bool is_tried;                  /* absent, but opened to be changed */
	bool is_emptied;                /* opened and emptied */
	bool is_exclusive;              /* made, where nothing may stand */
};

struct deeds {
	struct project *project;
	pthread_mutex_t lock;           /* of all that follows */
	struct map by_raw, by_path, dirs;
	struct touched **v;
	size_t n, room;
	size_t n_news;                  /* calls that were of a new kind */
	struct map listers;             /* processes, by what they listed */
	struct touched ignored;         /* stands for what does not count */
	const char *odd;                /* why no thunk can do the same: a pipe
				 * that others write, a link that leads */
	struct arena arena;
};

void deeds_init(struct deeds *d, struct project *p);
void deeds_release(struct deeds *d);
/* The call is about to happen.  Not for TRACE_END and those after it. */
void deeds_note(struct deeds *d, const struct trace_event *ev);
/* A path that the kernel reads for the command: the interpreter of a script. */
void deeds_note_program(struct deeds *d, const char *path);
/* A socket was made here by a name. */
void deeds_note_bound(struct deeds *d, const char *path);

/* That of the project's root, as a path from there; under lock. */
struct touched *deeds_root(struct deeds *d);
/* A folder is listed by a process, one that begins a new program, and all have
 * ended; under lock (listings.c). */
void listings_note(struct deeds *d, struct touched *at, pid_t pid, bool is_relative);
void listings_begin_anew(struct deeds *d, pid_t pid);
void listings_end(struct deeds *d);
void listings_release(struct deeds *d);

/* What became of each path, in order of path, from a.  ERR_RETRY: what it had
 * read changed by another's hand while it ran; the path is named. */
int deeds_end(struct deeds *d, struct arena *a, struct deed_at **v, size_t *n,
	      struct err *e);

#endif
