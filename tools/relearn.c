/* relearn.c - steps that asked for more than their learned model said
 *
 * While they are being forced such failures are only gathered; then the session
 * learns again, and what stands for them is wanted.  Only what that cannot mend
 * is a failure.
 */
#include <string.h>
#include "gg.h"
#include "shown.h"

struct asked {
	struct asked *next;
	struct id thunk;
	const char *label, *text, *path;
	bool is_old;            /* noted before the script ran */
};

static const char failed, unrun;        /* marks in drive.gone until moved */

static void mark(struct drive *d, struct map *in, const struct id *thunk, const char *how)
{
	struct id *own = arena_alloc(&d->arena, sizeof *own);

	*own = *thunk;
	*map_at(in, id_key(own)) = (void *)how;
}

/* Another thunk stands where was stood: what became of that counts no more. */
static void moved(struct drive *d, const struct id *was)
{
	const char *how = map_get(&d->gone, id_key(was));

	d->n_failed_gone += how == &failed;
	d->n_unrun_gone += how == &unrun;
	if (how)
		*map_at(&d->gone, id_key(was)) = NULL;
	if (map_get(&d->unmade, id_key(was))) {
		*map_at(&d->unmade, id_key(was)) = NULL;
		d->n_unmade--;
	}
	if (map_get(&d->seen, id_key(was))) {
		*map_at(&d->seen, id_key(was)) = NULL;
		d->n_thunks--;
	}
}

static void tell_once_more(struct drive *d, const char *label, const char *path)
{
	ui_clear(d->ui);
	note("%s asked for %s, which its learned model does not name: once more for real",
	     label, path ? path : "something else");
}

/* Its command waits for it, so that it can run for real as it is. */
static void run_instead(struct drive *d, const struct exec_event *ev)
{
	tell_once_more(d, ev->label ? ev->label : "", ev->undeclared);
	mark(d, &d->gone, ev->thunk, &failed);
	mark(d, &d->insatiable, ev->thunk, &failed);
	moved(d, ev->thunk);
}

bool relearn_note(struct drive *d, const struct exec_event *ev)
{
	struct asked *k;

	if (ev->kind != EXEC_FAILED)
		return false;
	d->has_asked |= ev->asks_more;
	if (!d->relearns)
		return false;
	if (!ev->asks_more) {
		if (!ev->cause || id_equal(ev->cause, ev->thunk) ||
		    !map_get(&d->gone, id_key(ev->cause)))
			return false;
		mark(d, &d->gone, ev->thunk, &unrun);
		return true;
	}
	if (d->session && session_awaits(d->session, ev->thunk)) {
		run_instead(d, ev);
		return true;
	}
	k = arena_alloc(&d->arena, sizeof *k);
	*k = (struct asked){ .next = d->asked, .thunk = *ev->thunk };
	k->label = arena_str(&d->arena, ev->label ? ev->label : "");
	k->text = arena_str(&d->arena, ev->text ? ev->text : "");
	k->path = ev->undeclared ? arena_str(&d->arena, ev->undeclared) : NULL;
	d->asked = k;
	mark(d, &d->gone, ev->thunk, &failed);
	return true;
}

bool relearn_watches(struct drive *d, const struct id *thunk)
{
	return map_get(&d->insatiable, id_key(thunk)) != NULL;
}

static void revived(void *arg, const struct id *thunk)
{
	moved(arg, thunk);
	drive_saw(arg, thunk);
}

/* It may be the very same one, which has run for real by now. */
static void on_moved(void *arg, const struct id *was, const struct id *now)
{
	struct drive *d = arg;

	if (id_equal(was, now)) {
		exec_revive(d->c->exec, was, revived, d);
		return;
	}
	if (map_get(&d->gone, id_key(was)) == &failed)
		mark(d, &d->insatiable, was, &failed);
	moved(d, was);
	if (!id_is_zero(now))
		drive_saw(d, now);
}

static void tell_failed(struct drive *d, const struct asked *k, const char *why)
{
	struct arena a = { 0 };

	ui_clear(d->ui);
	fprintf(stderr, "failed: %s\n", shown(&a, k->label));
	note("%s", k->text);
	if (why)
		note("%s", why);
	arena_release(&a);
}

/* Its command is another step now, or was and will be issued again. */
static bool is_of_before(struct session *s, const struct asked *k)
{
	struct session_counts n;

	session_counts(s, &n);
	return (k->is_old || n.untrue) && !session_has(s, &k->thunk);
}

bool relearn_all(struct drive *d, struct session *s)
{
	struct asked *k = d->asked;
	struct session_counts n;
	bool is_any = false;

	d->asked = NULL;
	for (; k; k = k->next) {
		int status = 0;
		struct err e;

		if (map_get(&d->gone, id_key(&k->thunk)) != &failed)
			continue;       /* along with another */
		if (is_of_before(s, k)) {
			moved(d, &k->thunk);
			continue;
		}
		tell_once_more(d, k->label, k->path);
		if (session_relearn(s, &k->thunk, on_moved, &status, &e) == 0) {
			is_any = true;
			continue;
		}
		tell_failed(d, k, e.text);
		if (e.code == ERR_FAILED && status)
			fallback_add(d, &k->thunk, status);
		else
			d->n_unheard++;
	}
	session_counts(s, &n);
	if (n.untrue && !d->untrue)
		d->untrue = arena_str(&d->arena, n.untrue);
	return is_any;
}

void relearn_from_now(struct drive *d)
{
	for (struct asked *k = d->asked; k; k = k->next)
		k->is_old = true;
}

void relearn_give_up(struct drive *d, const char *why)
{
	for (struct asked *k = d->asked; k; k = k->next)
		if (map_get(&d->gone, id_key(&k->thunk)) == &failed) {
			tell_failed(d, k, why);
			d->n_unheard++;
		}
	d->asked = NULL;
}
