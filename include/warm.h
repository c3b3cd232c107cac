/* warm.h - how long idle workers stay, and when they come back before they are
 * asked for; src/exec/warm.c
 *
 * INFless's long-short-term histogram (ASPLOS'22): of the idle times before
 * arrivals, the 5th percentile says when to be back and the 99th how long to
 * stay, each a mean of a long window (a day) and a short one (an hour), with a
 * tenth to spare (as Azure's histogram has, ATC'20).  An arrival is the moment
 * at which work comes to where there was none.
 */
#ifndef GG_WARM_H
#define GG_WARM_H

#include "store.h"

/* Zero means default. */
struct warm_opts {
	double gamma;                   /* share of the long window (0.5) */
	double long_s, short_s;         /* the windows (86400, 3600) */
	double head, tail;              /* percentiles, as shares (0.05, 0.99) */
	double margin;                  /* earlier, and longer, by this share (0.1) */
	double start_s;                 /* what a worker takes to come: it does not
					 * leave for less than twice that (60) */
	double keep_s;                  /* while little is known (60) */
	size_t n_least;                 /* arrivals that are little (4) */
};

/* From the end of the last work on.  With away_s the workers leave at once and
 * come back after that; they are kept until keep_s. */
struct warm_plan {
	double away_s, keep_s;
	bool is_learned;
};

enum { WARM_MOST = 1024 };

struct warm {
	struct warm_opts o;
	struct { double at_s, idle_s; } seen[WARM_MOST];        /* a ring */
	size_t n, next;
	size_t n_noted;                 /* ever, of earlier runs too */
};

void warm_init(struct warm *w, const struct warm_opts *o);
/* Work came at at_s (seconds since 1970) after so long without any. */
void warm_note(struct warm *w, double at_s, double idle_s);
struct warm_plan warm_plan(const struct warm *w, double now_s);

/* What earlier runs have seen of this place; that there is nothing is fine.
 * Kept for the next: at most WARM_MOST arrivals, none older than a window. */
int warm_load(struct warm *w, struct store *s, const char *place, struct err *e);
int warm_save(const struct warm *w, struct store *s, const char *place, struct err *e);

/* One engine's idle times as they pass, by a clock that is never 0 (now_ms), and by
 * the date (at_s). */
struct warm_watch {
	struct warm warm;
	double keep_s;                  /* said by somebody; 0: by habit */
	uint64_t idle_since_ms;         /* 0: something waits or runs */
	struct warm_plan plan;          /* for this idle time */
	size_t n_before;                /* workers when it began */
};
/* Nothing is to be done from now on; something is again.  Fine if it was so. */
void warm_idle_begins(struct warm_watch *w, uint64_t now_ms, double at_s, size_t n_up);
void warm_idle_ends(struct warm_watch *w, uint64_t now_ms, double at_s);
/* How many workers there should be at least: while nothing is to be done, none but
 * least until they are called back, then as many as there were, until it is time to
 * give up. */
size_t warm_least(const struct warm_watch *w, uint64_t now_ms, size_t least);
/* Nothing is to be done, and workers stay or will be called back. */
bool warm_is_expected(const struct warm_watch *w, uint64_t now_ms);

#endif
