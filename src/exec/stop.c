/* stop.c - programs that end early and leave a checkpoint
 *
 * One that is told to end by SIGTERM says by its exit status that it has left
 * all that it needs to go on.  It may also do so of its own accord.
 */
#include "inside.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include "file.h"

int stop_prepare(struct cell *c, struct err *e)
{
	const char *spelled = c->request->checkpoint;
	size_t n = spelled ? strlen(spelled) : 0;
	struct output *o = &c->checkpoint;

	*o = (struct output){ .name = RUN_CHECKPOINT, .is_dir = n && spelled[n - 1] == '/' };
	if (!n)
		return 0;
	o->path = arena_strn(&c->arena, spelled, n - o->is_dir);
	return path_is_plain(o->path) ? 0 :
		err_set(e, ERR_BAD, "%s: no place for a checkpoint", spelled);
}

/* Did it end as those do that have been told to?  A shell says 143 of one that
 * SIGTERM has ended. */
static bool ended_as_told(int status)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGTERM;
	return WEXITSTATUS(status) == RUN_EXIT_STOPPED ||
		WEXITSTATUS(status) == 128 + SIGTERM;
}

/* Is what it left the checkpoint that it was given? */
static bool stands_still(const struct cell *c)
{
	const struct input *in = thunk_input(&c->thunk, c->checkpoint.path);
	const struct result *r = &c->report.result;

	return in && r->n && id_equal(&in->ref.id, &r->v[0].ref.id);
}

/* 1 it was ended early and can go on, 0 it ended in another way.  Who ends early
 * unasked, again and again without any progress, has failed. */
int stop_judge(struct cell *c, int status, bool is_asked, struct err *e)
{
	struct run_report *r = &c->report;
	int found;

	if (!c->checkpoint.path || !ended_as_told(status))
		return 0;
	found = collect_checkpoint(c, e);
	if (found < 0)
		return -1;
	if (!is_asked && (!found || stands_still(c))) {
		r->result.n = 0;
		return 0;
	}
	r->status = RUN_STOPPED;
	r->text = found ? "ended early, leaving its checkpoint" :
		"ended early, without a checkpoint";
	return 1;
}
