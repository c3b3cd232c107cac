/* slurm_jobs.h - what squeue prints, and what it means
 *
 * Private to src/backends; slurm_jobs.c.
 */
#ifndef GG_SLURM_JOBS_H
#define GG_SLURM_JOBS_H

#include "run.h"

/* The fields of one line: array job, task in it, state, reason, node, name. */
#define SQUEUE_FORMAT "%F|%K|%T|%r|%N|%j"

enum slurm_phase {
	SLURM_WAITS,                    /* in the queue, perhaps again */
	SLURM_RUNS,
	SLURM_ENDED,
};

struct slurm_state {
	const char *name;               /* as squeue writes it */
	enum slurm_phase phase;
	enum run_status how;            /* ended: for what was running there */
	const char *text;               /* ended: what became of it */
};

struct slurm_line {
	uint64_t job;
	uint32_t task;
	const struct slurm_state *state;
	const char *reason, *node, *name;
};

/* Take the next line of squeue from *text, in a: 1, or 0 when there is none.
 * What is no such line is skipped. */
int slurm_line_next(struct bytes *text, struct arena *a, struct slurm_line *out);

/* The number that sbatch --parsable prints: false if there is none. */
bool slurm_job_read(struct bytes text, uint64_t *out);

/* Why a job waits, for people; what is not known is given back as it is. */
const char *slurm_reason(const char *reason);

/* Is this the reason of a job that will not start by itself, and that nobody holds
 * on purpose? */
bool slurm_is_held(const char *reason);

/* Can what sbatch, squeue or scancel said pass by itself (the controller is
 * away, a limit is reached)?  Else the request is wrong and stays wrong. */
bool slurm_is_passing(struct bytes said);

/* All that a program of Slurm's said, without its name and "error:", and the last
 * line with something in it, for error texts: one line each, in a. */
const char *slurm_said(struct bytes said, struct arena *a);
const char *slurm_last_line(struct bytes said, struct arena *a);

#endif
