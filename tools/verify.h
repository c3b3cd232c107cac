/* verify.h - what cmd_verify.c (runs), verify_places.c (where) and verified.c (what is
 * told of them) share */
#ifndef GG_VERIFY_H
#define GG_VERIFY_H

#include "compare.h"
#include "gg.h"

enum verdict { VERDICT_OPEN, VERDICT_SAME, VERDICT_DIFFERS, VERDICT_FAILED, VERDICT_COUNT };

enum { PLACES_MAX = 32 };

/* An engine. */
struct place {
	const struct engine *engine;
	struct room used;
	unsigned n_running;
	uint64_t rests_until_ms;
};

/* One run. */
struct trial {
	struct job job;                 /* first: the engine gives it back */
	struct check *k;
	struct place *place;
	struct trial *prev, *next;
};

/* One thunk. */
struct check {
	struct verify *v;
	struct check *next;
	struct id id, reduced, runs;    /* runs: of text_to_run */
	const char *label;
	struct thunk thunk;             /* reduced in place */
	struct bytes text_to_run, host;
	struct hints hints;
	struct room needs;
	bool has_kept;                  /* first is what the store keeps */
	struct result first, other;
	unsigned n_begun, n_results, n_tries;
	enum verdict verdict;
	const char *text;               /* failed: why */
	/* Places, as bits: which take it; which it has run on, or its kept
	 * result is from, by the engine's name. */
	uint32_t may, known;
	const char *made_on, *ran_on;   /* ran_on: the latest; either NULL */
	uint64_t waits_since_ms;        /* for one that is not known */
	/* Differs: the first output that does, where, and where both are. */
	const struct result_out *output;
	struct difference diff;
	const char *kept_at;
};

struct verify {
	struct drive d;
	struct place places[PLACES_MAX];
	size_t n_places;
	uint64_t told_demand_ms;
	struct arena arena;
	struct map by_id;
	struct check *checks, **checks_end;
	size_t n_checks, n_open;
	unsigned n_wanted;              /* results to compare */
	struct trial *trials;
	unsigned n_running;
	struct timer *timer;
	uint64_t stop_ms;
	bool is_idle, is_stopping, has_cancelled, is_drawn;
};

/* verify_places.c */
void verify_places_open(struct verify *v);
/* Which take this check, whose text and needs are known; -1: none, and why. */
int verify_places_of(struct check *k, struct err *e);
/* Where it can run now; NULL: nowhere yet. */
struct place *verify_place(struct check *k);
/* A trial begins and ends there. */
void verify_place_used(struct trial *t, struct place *p);
void verify_place_free(struct trial *t);
/* It takes nothing for a moment; it does not take this one; it has run it. */
void verify_place_rests(struct verify *v, struct place *p);
void verify_place_refused(struct check *k, const struct place *p);
void verify_place_known(struct check *k, const struct place *p);
void verify_tell_demand(struct verify *v);

/* Keep both values of the outputs that differ, below .gg/verify. */
void verify_keep(struct check *k);
/* Say how a thunk's check has ended. */
void verify_tell(const struct check *k);
/* The status line, on a terminal. */
void verify_draw(struct verify *v);
void verify_clear(struct verify *v);
/* The last line, or all as JSON, and the exit status. */
int verify_summary(struct verify *v);

#endif
