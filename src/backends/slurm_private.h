/* slurm_private.h - what the files of the slurm engine share
 *
 * slurm.c        the engine: opening, closing, what exec asks
 * slurm_tasks.c  its jobs: asking for them, following them, their ends
 * slurm_leave.c  nothing of ours stays in the queue
 * slurm_steps.c  steps on their way through the pool
 * slurm_call.c   Slurm's programs
 * slurm_jobs.c   what they print
 * slurm_folder.c what is on the shared file system
 */
#ifndef GG_SLURM_PRIVATE_H
#define GG_SLURM_PRIVATE_H

#include "autoscale.h"
#include "pool.h"
#include "slurm_call.h"
#include "slurm_folder.h"
#include "slurm_jobs.h"
#include "warm.h"

/* One task of an array job: one worker, perhaps several times in a row. */
struct slurm_task {
	uint64_t job;
	uint32_t index;
	enum slurm_phase phase;
	uint64_t since_ms;              /* in this phase */
	bool was_seen;                  /* by the squeue that is being read */
	bool has_come;                  /* said hello */
	bool is_retired;                /* told to end */
	char reason[64], node[64];
};

struct slurm_words {
	unsigned min, max, cpus, gpus;
	uint64_t mem_bytes, disk_bytes;
	double time_s, keep_s, lease_s;
	const char *partition, *account, *qos, *dir, *worker, *listen;
	struct strs lines;
};

struct slurm_step;

struct backend {
	struct backend_opts o;
	struct slurm_words w;
	struct arena words;
	struct autoscale rule;
	struct slurm_folder folder;
	struct pool *pool;
	struct demand demand;
	struct warm_watch idle;

	struct slurm_task *tasks;
	size_t n_tasks, tasks_room;
	size_t n_asked;                 /* for by the sbatch that runs */
	unsigned n_stillborn;           /* jobs in a row that ended without a hello */

	struct slurm_step *steps;
	struct slurm_call *sbatch, *squeue;
	struct timer *tick;
	uint64_t polled_ms, poll_every_ms, poll_began_ms;
	uint64_t again_ms;              /* no sbatch before */
	unsigned n_refused;             /* sbatch in a row */

	char trouble[400];              /* that passes, as far as is known */
	char refusal[500];              /* why no worker will ever come */
	char notice[700];
	bool has_answered;              /* the last sbatch */
	bool fails_to_start;            /* some job did, on some node */
	bool is_closing;
};

/* Start what the queue asks for, end what it does not. */
void slurm_scale(struct backend *b);
/* Does anything wait or run now? */
void slurm_look_idle(struct backend *b);
/* Look again soon, every second at first and then less often. */
void slurm_poll_soon(struct backend *b);
void slurm_tick(void *arg);
/* Who is here, after the pool has changed. */
void slurm_note_workers(struct backend *b);
/* Cancel all jobs of this name: as slurm_call_wait(). */
int slurm_cancel_all(struct loop *l, const char *job_name, struct err *e);
/* Cancel all of ours, and what Slurm puts back after that: 0 if none is left or can
 * come.  Serves the loop. */
int slurm_leave(struct backend *b);
/* The squeue that lists our jobs. */
void slurm_queue_args(const struct backend *b, struct arena *a, struct strs *args);

/* As in backend_ops. */
int slurm_step_start(struct backend *b, struct job *j, struct err *e);
void slurm_step_cancel(struct backend *b, struct job *j);
void slurm_step_stop(struct backend *b, struct job *j);
/* After the pool is closed: nobody is told. */
void slurm_steps_forget(struct backend *b);

#endif
