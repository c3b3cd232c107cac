/* slurm_call.h - sbatch, squeue, scancel without waiting for them
 *
 * Private to src/backends; slurm_call.c.
 */
#ifndef GG_SLURM_CALL_H
#define GG_SLURM_CALL_H

#include "loop.h"

struct slurm_call;

/* Start args (found in PATH, no shell), with our environment but for what
 * would change what Slurm's programs look at.  done comes once, later: all that
 * it printed, lent during the call, and its status as proc_ops.gone() has it.
 * One that takes minutes is killed.  ERR_MISSING: not installed. */
int slurm_call(struct loop *l, const struct strs *args,
	       void (*done)(void *arg, int status, struct bytes said), void *arg,
	       struct slurm_call **out, struct err *e);
/* Nobody is called back any more; the program goes on. */
void slurm_call_forget(struct slurm_call *c);

/* Start args and serve the loop until it has ended; said is added to.  ERR_MISSING,
 * ERR_RETRY (the controller is away), ERR_REFUSED, each with what it said. */
int slurm_call_wait(struct loop *l, const struct strs *args, struct buf *said,
		    struct err *e);

#endif
