/* foresee.h - what is wanted of an exec, and what making it will take
 *
 * src/exec/foresee.c (the clock), ahead.c (the graph that it goes through).
 *
 * What is foreseen are the steps that are open in an exec whose graph is loaded:
 * one that only plans, or one that runs.  Nothing is started for it.  Seconds are
 * those that observations say; which step is next and where there is room say the
 * same functions as when it is real, so that only the clock differs.
 *
 * A step whose shape was never seen counts for a second, and as guessed.  What
 * becomes superfluous while things run (an edit that changes no value) is not
 * foreseen.
 */
#ifndef GG_FORESEE_H
#define GG_FORESEE_H

#include "exec.h"

struct foresight {
	size_t n_steps;                 /* that will run */
	size_t n_guessed;               /* of them, of shapes never seen */
	size_t n_refused;               /* of them, those that none of the engines takes */
	double seconds;                 /* until the last has ended; less than 0:
					 * one needs more room than there is */
	double path_s;                  /* the same if there were room for all */
	double step_s, guessed_s;       /* of all steps; of the guessed ones */
	double cpu_s, gpu_s;            /* seconds times what each needs */
	struct room widest;             /* the most that one needs */
};

/* Has all been looked at that is wanted, so that what is open is what will run? */
bool exec_is_loaded(const struct exec *x);

/* On one engine of exec_opts with that much room, the whole being known by its
 * bits; or on all as they are (room NULL).  O(n log n) for n open steps, and some
 * 300 bytes for each meanwhile. */
void exec_foresee(struct exec *x, size_t engine, const struct room *room,
		  struct foresight *out);
/* The sum of what the engine says that each step costs (backend_ops.dollars), into
 * *out; false if it says nothing. */
bool exec_foresee_dollars(struct exec *x, size_t engine, double *out);

struct foreseen {
	struct id thunk;
	const char *label;
	double seconds;
	bool is_guess;
};
/* The longest way through, inputs first; in a. */
void exec_foresee_path(struct exec *x, struct arena *a, struct foreseen **v, size_t *n);
/* The shapes never seen, in a: each once. */
void exec_foresee_unseen(struct exec *x, struct arena *a, struct strs *out);

#endif
