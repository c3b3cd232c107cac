/* slurm_call.c - sbatch, squeue, scancel without waiting for them
 *
 * Slurm's programs read what they do from variables such as SQUEUE_PARTITION
 * too, which people set for their own looking; here these would hide jobs of
 * ours.
 */
#include "slurm_call.h"

#include <signal.h>
#include <stdlib.h>
#include "slurm_jobs.h"

enum { MOST_MS = 120000, SAID_MAX = 16 << 20 };

struct slurm_call {
	struct proc *proc;
	struct timer *timer;
	struct buf said;
	void (*done)(void *arg, int status, struct bytes said);
	void *arg;
};

static const char *const unset[] = {
	"SQUEUE_PARTITION", "SQUEUE_ACCOUNT", "SQUEUE_QOS", "SQUEUE_LICENSES", "SQUEUE_USERS",
	"SQUEUE_SORT", "SQUEUE_ARRAY", "SQUEUE_NAMES", "SBATCH_WAIT", "SBATCH_TEST_ONLY",
	"SBATCH_DEPENDENCY", "SCANCEL_PARTITION", "SCANCEL_STATE", "SCANCEL_INTERACTIVE",
	"SCANCEL_NAME", "SCANCEL_USER", "SCANCEL_NODELIST", "SCANCEL_ACCOUNT", "SCANCEL_QOS",
	"SCANCEL_RESERVATION", "SCANCEL_WCKEY",
};

static void call_free(struct slurm_call *c)
{
	loop_cancel(c->timer);
	buf_release(&c->said);
	free(c);
}

static void on_bytes(void *arg, struct bytes b)
{
	struct slurm_call *c = arg;

	if (c->said.n + b.n <= SAID_MAX)
		buf_add(&c->said, b.p, b.n);
}

static void on_gone(void *arg, int status)
{
	struct slurm_call *c = arg;

	if (c->done)
		c->done(c->arg, status, buf_bytes(&c->said));
	call_free(c);
}

static void takes_too_long(void *arg)
{
	struct slurm_call *c = arg;

	c->timer = NULL;
	proc_kill(c->proc, SIGKILL);
}

int slurm_call(struct loop *l, const struct strs *args,
	       void (*done)(void *arg, int status, struct bytes said), void *arg,
	       struct slurm_call **out, struct err *e)
{
	struct slurm_call *c = mem_alloc(sizeof *c);
	const struct proc_ops ops = { .bytes = on_bytes, .gone = on_gone, .arg = c,
				      .takes_output = true };
	struct strs all = { 0 };
	int rc;

	*c = (struct slurm_call){ .done = done, .arg = arg };
	strs_add(&all, "env");
	for (size_t i = 0; i < sizeof unset / sizeof *unset; i++) {
		strs_add(&all, "-u");
		strs_add(&all, unset[i]);
	}
	for (size_t i = 0; i < args->n; i++)
		strs_add(&all, args->v[i]);
	rc = loop_spawn(l, all.v, NULL, &ops, &c->proc, e);
	strs_release(&all);
	if (rc < 0) {
		free(c);
		return -1;
	}
	c->timer = loop_after(l, MOST_MS, takes_too_long, c);
	if (out)
		*out = c;
	return 0;
}

void slurm_call_forget(struct slurm_call *c)
{
	if (c)
		c->done = NULL;
}

struct waiting {
	struct buf *said;
	int status;
	bool is_over;
};

static void is_over(void *arg, int status, struct bytes said)
{
	struct waiting *w = arg;

	buf_add(w->said, said.p, said.n);
	w->status = status;
	w->is_over = true;
}

int slurm_call_wait(struct loop *l, const struct strs *args, struct buf *said, struct err *e)
{
	struct waiting w = { .said = said };
	struct arena a = { 0 };
	enum err_code code;

	if (slurm_call(l, args, is_over, &w, NULL, e) < 0)
		return -1;
	loop_run(l, &w.is_over);
	if (w.status == 0)
		return 0;
	/* What env says of a program that is not there. */
	if (w.status == 127)
		return err_set(e, ERR_MISSING, "%s is not installed here: gg has to run on a host "
			       "that submits jobs to Slurm", args->v[0]);
	code = w.status < 0 || slurm_is_passing(buf_bytes(said)) ? ERR_RETRY : ERR_REFUSED;
	err_set(e, code, "%s: %s", args->v[0], slurm_said(buf_bytes(said), &a));
	arena_release(&a);
	return -1;
}
