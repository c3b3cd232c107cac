/* verify.h - what cmd_verify.c (runs) and verified.c (what is told of them) share */
#ifndef GG_VERIFY_H
#define GG_VERIFY_H

#include "compare.h"
#include "gg.h"

enum verdict { VERDICT_OPEN, VERDICT_SAME, VERDICT_DIFFERS, VERDICT_FAILED, VERDICT_COUNT };

/* One thunk. */
struct check {
	struct verify *v;
	struct check *next;
	struct id id, reduced;
	const char *label;
	struct thunk thunk;             /* reduced in place */
	struct bytes reduced_text, host;
	struct hints hints;
	struct room needs;
	bool has_kept;                  /* first is what the store keeps */
	struct result first, other;
	unsigned n_begun, n_results, n_tries;
	enum verdict verdict;
	const char *text;               /* failed: why */
	/* Differs: the first output that does, where, and where both are. */
	const struct result_out *output;
	struct difference diff;
	const char *kept_at;
};

struct verify {
	struct drive d;
	const struct engine *engine;    /* the first of the user's */
	struct arena arena;
	struct map by_id;
	struct check *checks, **checks_end;
	size_t n_checks, n_open;
	unsigned n_wanted;              /* results to compare */
	struct trial *trials;
	unsigned n_running;
	struct room room, used;
	struct timer *timer;
	uint64_t stop_ms;
	bool is_idle, is_stopping, has_cancelled, is_drawn;
};

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
