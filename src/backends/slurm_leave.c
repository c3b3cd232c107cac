/* slurm_leave.c - nothing of ours stays in the queue
 *
 * One scancel ends all jobs of our name.  But a job that is cancelled while its
 * start fails Slurm puts back, to begin again when nobody is here any more.  So
 * where a job's worker has never come the queue is looked at until it is empty.
 */
#include "slurm_private.h"

#include <string.h>
#include <unistd.h>

enum { CANCEL_TRIES = 3, CANCEL_PAUSE_MS = 500, LOOK_MS = 200, LOOK_MOST_MS = 5000 };

int slurm_cancel_all(struct loop *l, const char *job_name, struct err *e)
{
	struct arena a = { 0 };
	struct strs args = { 0 };
	struct buf said = { 0 };
	int rc;

	strs_add(&args, "scancel");
	strs_add(&args, arena_printf(&a, "--user=%ld", (long)getuid()));
	strs_add(&args, arena_printf(&a, "--name=%s", job_name));
	rc = slurm_call_wait(l, &args, &said, e);
	buf_release(&said);
	strs_release(&args);
	arena_release(&a);
	return rc;
}

static void pause_is_over(void *arg)
{
	*(bool *)arg = true;
}

static void wait_ms(struct backend *b, uint64_t ms)
{
	bool is_over = false;

	loop_after(b->o.loop, ms, pause_is_over, &is_over);
	loop_run(b->o.loop, &is_over);
}

/* A controller that has no time just now is asked again. */
static int cancel(struct backend *b)
{
	struct err e;

	for (unsigned try = 0; slurm_cancel_all(b->o.loop, b->folder.job_name, &e) < 0; try++) {
		if (e.code != ERR_RETRY || try == CANCEL_TRIES)
			return -1;
		wait_ms(b, CANCEL_PAUSE_MS << try);
	}
	return 0;
}

void slurm_queue_args(const struct backend *b, struct arena *a, struct strs *args)
{
	strs_add(args, "squeue");
	strs_add(args, "--noheader");
	strs_add(args, "--array");
	strs_add(args, arena_printf(a, "--user=%ld", (long)getuid()));
	strs_add(args, arena_printf(a, "--name=%s", b->folder.job_name));
	strs_add(args, "--format=" SQUEUE_FORMAT);
}

struct left {
	size_t n_up, n_ending;
};

/* What ends may still be put back. */
static void count(const struct backend *b, struct bytes said, struct left *out)
{
	struct arena a = { 0 };
	struct slurm_line l;

	*out = (struct left){ 0 };
	while (slurm_line_next(&said, &a, &l)) {
		if (strcmp(l.name, b->folder.job_name) != 0)
			continue;
		out->n_up += l.state->phase != SLURM_ENDED;
		out->n_ending += l.state->phase == SLURM_ENDED;
	}
	arena_release(&a);
}

/* Without --states squeue tells of those that are not over. */
static int look(struct backend *b, struct left *out)
{
	struct arena a = { 0 };
	struct strs args = { 0 };
	struct buf said = { 0 };
	struct err ignored;             /* whoever comes next cancels them */
	int rc;

	slurm_queue_args(b, &a, &args);
	rc = slurm_call_wait(b->o.loop, &args, &said, &ignored);
	if (rc == 0)
		count(b, buf_bytes(&said), out);
	strs_release(&args);
	buf_release(&said);
	arena_release(&a);
	return rc;
}

static bool some_never_came(const struct backend *b)
{
	for (size_t i = 0; i < b->n_tasks; i++)
		if (!b->tasks[i].has_come)
			return true;
	return b->fails_to_start;
}

int slurm_leave(struct backend *b)
{
	uint64_t until = loop_now_ms(b->o.loop) + LOOK_MOST_MS;
	struct left left;

	if (cancel(b) < 0)
		return -1;
	if (!some_never_came(b))
		return 0;
	for (;;) {
		if (look(b, &left) < 0)
			return -1;
		/* On a slow machine a job is put back later still: the next of us looks. */
		if (!left.n_up && !left.n_ending)
			return b->fails_to_start ? -1 : 0;
		if (loop_now_ms(b->o.loop) >= until || (left.n_up && cancel(b) < 0))
			return -1;
		wait_ms(b, LOOK_MS);
	}
}
