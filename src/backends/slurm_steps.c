/* slurm_steps.c - steps on their way through the pool
 *
 * When Slurm takes a job away (preemption, time limit, scancel) it sends SIGTERM
 * to all that runs in it, and the worker says so.  The node's kernel kills a program
 * that wants more memory than the job has, and leaves the worker alone: that is not
 * the program's own end either.
 */
#include "slurm_private.h"

#include <signal.h>
#include <stdlib.h>

struct slurm_step {
	struct job job;                 /* the pool's: theirs, with our done */
	struct job *theirs;
	struct backend *b;
	struct slurm_step *next, *prev;
	bool is_cancelled;
};

static void unlink_step(struct slurm_step *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		s->b->steps = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

/* Nearly all that the job may have. */
static bool filled_memory(const struct backend *b, const struct run_report *r)
{
	return b->w.mem_bytes && r->max_rss_bytes >= b->w.mem_bytes / 10 * 8;
}

static void translate(const struct slurm_step *s, struct run_report *r)
{
	if (s->is_cancelled || r->status != RUN_SIGNALED)
		return;
	if (r->code == SIGKILL && filled_memory(s->b, r)) {
		r->status = RUN_OUT_OF_MEMORY;
		r->text = "it was killed for wanting more memory than its Slurm job has; say "
			"mem= to have more";
	}
}

static void step_done(struct job *j, const struct run_report *told)
{
	struct slurm_step *s = j->arg;
	struct run_report r = *told;
	struct job *theirs = s->theirs;

	translate(s, &r);
	unlink_step(s);
	free(s);
	theirs->done(theirs, &r);
}

int slurm_step_start(struct backend *b, struct job *j, struct err *e)
{
	struct slurm_step *s = mem_alloc(sizeof *s);

	*s = (struct slurm_step){ .job = *j, .theirs = j, .b = b };
	s->job.done = step_done;
	s->job.arg = s;
	if (pool_start(b->pool, &s->job, e) < 0) {
		free(s);
		return -1;
	}
	s->next = b->steps;
	if (s->next)
		s->next->prev = s;
	b->steps = s;
	j->backend_data = s;
	return 0;
}

void slurm_step_cancel(struct backend *b, struct job *j)
{
	struct slurm_step *s = j->backend_data;

	s->is_cancelled = true;
	pool_cancel(b->pool, &s->job);
}

void slurm_step_stop(struct backend *b, struct job *j)
{
	struct slurm_step *s = j->backend_data;

	pool_stop(b->pool, &s->job);
}

void slurm_steps_forget(struct backend *b)
{
	for (struct slurm_step *s = b->steps, *next; s; s = next) {
		next = s->next;
		free(s);
	}
	b->steps = NULL;
}
