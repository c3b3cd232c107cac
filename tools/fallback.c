/* fallback.c - a deferred command has failed, and its script has to hear of it
 *
 * As far as the script could tell the command succeeded.  So it is run once more,
 * with what is known by then: there the command fails as it did, and the script
 * takes its own way.  That is known for this run of gg alone: a failure is no
 * value.
 */
#include <string.h>
#include "gg.h"

/* How a thunk's program ended the last time. */
struct ended {
	struct step_failure f;
	bool is_own;                    /* it would have ended so outside too */
	bool has_failed;                /* and will not be started again */
	bool is_news;                   /* of which the script has not heard */
};

static void copy_result(struct arena *a, const struct result *from, struct result *to)
{
	struct result_out *v = arena_alloc(a, (from->n + 1) * sizeof *v);

	for (size_t i = 0; i < from->n; i++) {
		v[i] = from->v[i];
		v[i].name = arena_str(a, v[i].name);
		if (v[i].ref.out)
			v[i].ref.out = arena_str(a, v[i].ref.out);
	}
	*to = (struct result){ v, from->n };
}

static struct ended *ended_at(struct drive *d, const struct id *thunk)
{
	struct ended *n = map_get(&d->ended, id_key(thunk));
	struct id *own;

	if (n)
		return n;
	own = arena_alloc(&d->arena, sizeof *own);
	*own = *thunk;
	n = arena_alloc(&d->arena, sizeof *n);
	*n = (struct ended){ .is_own = false };
	*map_at(&d->ended, id_key(own)) = n;
	return n;
}

static void note_run(struct drive *d, const struct id *thunk, const struct run_report *r)
{
	struct ended *n;

	if (r->status == RUN_OK)
		return;
	n = ended_at(d, thunk);
	n->is_own = (r->status == RUN_EXITED && !r->is_blamed) || r->status == RUN_SIGNALED;
	n->f.status = r->status == RUN_SIGNALED ? 128 + r->code : r->code;
	copy_result(&d->arena, &r->result, &n->f.left);
}

void fallback_add(struct drive *d, const struct id *thunk, int status)
{
	struct ended *n = ended_at(d, thunk);

	*n = (struct ended){ .f.status = status, .is_own = true, .has_failed = true };
	d->n_news++;
}

void fallback_note(struct drive *d, const struct exec_event *ev)
{
	const struct ended *cause;
	struct ended *n;

	if (!d->is_script)
		return;
	if (ev->kind == EXEC_RAN)
		note_run(d, ev->thunk, ev->report);
	if (ev->kind != EXEC_FAILED || (ev->asks_more && d->relearns))
		return;
	cause = ev->cause ? map_get(&d->ended, id_key(ev->cause)) : NULL;
	if (ev->asks_more || !cause || !cause->is_own) {
		d->n_unheard++;
		return;
	}
	n = ended_at(d, ev->thunk);
	if (n != cause)         /* it has returned that one, or cannot be made */
		n->f = (struct step_failure){ .status = cause->f.status };
	else
		d->n_news++;
	n->is_news = n == cause;
	n->is_own = n->has_failed = true;
}

void fallback_heard(struct drive *d, const struct id *thunk)
{
	struct ended *n = map_get(&d->ended, id_key(thunk));

	if (!n || !n->is_news)
		return;
	n->is_news = false;
	d->n_heard++;
	if (d->n_news)
		d->n_news--;
}

const struct step_failure *fallback_of(const struct drive *d, const struct id *thunk)
{
	const struct ended *n = map_get(&d->ended, id_key(thunk));

	return n && n->has_failed && n->is_own ? &n->f : NULL;
}

bool fallback_is_due(const struct drive *d)
{
	return (d->n_news || d->untrue) && !d->n_interrupts;
}

bool fallback_is_by_signal(const struct drive *d)
{
	struct bytes key;
	size_t pos = 0;
	void *at;

	while (map_each(&d->ended, &pos, &key, &at)) {
		const struct ended *n = at;

		if (n->has_failed && n->f.status > 128)
			return true;
	}
	return false;
}

void fallback_begin(struct drive *d, const char *script)
{
	if (!d->c->o.quiet && !d->c->o.json) {
		ui_clear(d->ui);
		note("%s is run again: %s", script,
		     d->untrue ? d->untrue : "what it does when a step fails is its own");
	}
	d->n_news = d->n_unmade = 0;
	d->untrue = NULL;
	map_release(&d->unmade);
}
