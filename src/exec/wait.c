/* wait.c - traced calls that wait until the placeholder they met is made real */
#include <stdlib.h>
#include <string.h>
#include "session_private.h"
#include "when.h"

void ask_free(struct ask *k)
{
	free(k->path);
	free(k->path2);
	free(k->why);
	free(k);
}

struct ask *ask_keep(const struct ask *k)
{
	struct ask *kept = mem_alloc(sizeof *kept);

	*kept = *k;
	kept->path = mem_str(k->path);
	kept->path2 = k->path2 ? mem_str(k->path2) : NULL;
	kept->why = NULL;
	kept->n_waits++;
	return kept;
}

void session_note_idle(struct session *s)
{
	s->is_idle = !s->helpers && !exec_is_busy(s->o.exec) &&
		     (s->to_mend || (!s->o.stays_on_loop && !s->replays && !s->taps &&
				     !studies_are_awaited(s)));
}

void ask_again(struct ask *k)
{
	int status = 0;
	enum trace_answer a = session_judge(k->s, k, &status);

	arena_reset(&k->s->arena);
	if (a != TRACE_LATER)
		tracer_answer(k->t, k->cookie, a, status);
	session_note_idle(k->s);
	studies_ask_again(k->s);
	ask_free(k);
}

void ask_forced(void *arg, const struct err *e)
{
	struct ask *k = arg;

	study_waited(k->s, k->pid, k->since_ms);
	if (!e) {
		ask_again(k);
		return;
	}
	free(k->why);
	k->why = mem_alloc(sizeof *k->why);
	*k->why = *e;
	k->next = k->s->to_mend;
	k->s->to_mend = k;
	session_note_idle(k->s);
}

/* A command that waits for its own thunk has heard nothing yet, and loses nothing:
 * what was not tried, because another had failed, is tried again, and what asks for
 * more than its model says runs for real. */
static bool is_free(struct session *s, struct ask *k)
{
	if (!k->prints || k->why->code != ERR_FAILED)
		return false;
	if (exec_stage(s->o.exec, &k->thunk) == EXEC_ENDED)
		return k->n_waits <= MAX_WAITS && s->o.asks_more &&
		       s->o.asks_more(s->o.arg, &k->thunk);
	k->n_waits = 0;         /* others can fail only so often */
	return true;
}

void asks_mend(struct session *s)
{
	struct ask *k = s->to_mend, *next;
	bool is_mended;

	s->to_mend = NULL;
	is_mended = s->o.mend && s->o.mend(s->o.arg, s);
	for (; k; k = next) {
		next = k->next;
		k->next = NULL;
		if (is_mended || fallback_settle(s, k) || is_free(s, k)) {
			ask_again(k);
			continue;
		}
		s->o.complain(s->o.arg, k->why);
		tracer_answer(k->t, k->cookie, TRACE_EXIT, 1);
		session_note_idle(s);
		ask_free(k);
	}
}

enum trace_answer ask_force(struct session *s, const struct ask *k, const char *path,
			    const struct placeholder *ph, int *status)
{
	struct ask *kept = ask_keep(k);
	struct want w = { .thunk = ph->thunk, .out = ph->out, .path = path,
			  .done = ask_forced, .arg = kept };
	struct err e;

	kept->thunk = ph->thunk;
	kept->since_ms = when_steady_ms();
	if (kept->n_waits > MAX_WAITS)
		err_set(&e, ERR_BAD, "%s: still a placeholder after it was made",
			path ? path : ph->out);
	else if (exec_want(s->o.exec, &w, &e) == 0)
		return TRACE_LATER;
	s->o.complain(s->o.arg, &e);
	ask_free(kept);
	*status = 1;
	return TRACE_EXIT;
}
