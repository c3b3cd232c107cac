/* forecast.c - what a force was expected to take, beside what it took
 *
 * Foreseen once, when the first step starts after all has been wanted: by then its
 * whole graph is loaded.
 */
#include <math.h>
#include "foresee.h"
#include "gg.h"

/* Beyond so many steps looking ahead would take a while. */
enum { STEPS_MOST = 50000 };

void forecast_look(struct drive *d)
{
	struct forecast *f = &d->forecast;
	struct exec_counts n;
	struct foresight seen;

	if (f->is_made || !d->is_finishing)
		return;
	f->is_made = true;
	exec_counts(d->c->exec, &n);
	if (n.waiting + n.running > STEPS_MOST)
		return;
	/* What nothing is known of is not worth looking at. */
	if (n.guessed * 2 > n.waiting + n.running)
		return;
	exec_foresee(d->c->exec, 0, NULL, &seen);
	if (seen.seconds <= 0 || seen.guessed_s * 2 > seen.step_s)
		return;
	f->seconds = seen.seconds;
	f->guessed = seen.guessed_s / seen.step_s;
	f->from_ms = loop_now_ms(d->c->loop);
}

void forecast_end(struct drive *d)
{
	struct forecast *f = &d->forecast;

	if (!(f->seconds > 0))
		return;
	f->took_s = (double)(loop_now_ms(d->c->loop) - f->from_ms) / 1e3;
	if (d->n_interrupts || d->c->o.quiet || d->c->o.json)
		return;
	/* Who waited a while for it may want to know; others ask. */
	if (fmax(f->seconds, f->took_s) >= 10 || d->c->o.verbose)
		note("predicted %.1f s, took %.1f s", f->seconds, f->took_s);
}

json_t *forecast_json(const struct drive *d)
{
	const struct forecast *f = &d->forecast;

	return f->seconds > 0 ? json_pack("{s:f s:f s:f}", "seconds", f->seconds, "took",
					  f->took_s, "guessed", f->guessed) : NULL;
}
