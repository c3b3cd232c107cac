/* defaults.c - memory and time limits that nobody has said, from observations
 *
 * Steps of a shape that ran several times say what one more may take.  The limit is
 * there for what hangs, not for what is slow: many times what they took, more where
 * a number of the command line or the size of the inputs goes beyond all that was
 * seen, and a step that it stops is tried once more with far more time.  Memory is
 * only kept free, by nobody enforced.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "exec_internal.h"

enum { SEEN_TRUSTED = 8, LEAST_S = 1800, LONGER_AGAIN = 8, MEM_LEAST_MIB = 64 };

/* Of what is plausible (profile_plausible_s), which is twice the expected at least. */
static const double time_times = 10, mem_times = 1.25;

/* How much work the numbers in a word can mean: 200 twice that of 100, 1e-6 a
 * thousand times that of 1e-3. */
static double word_weight(const char *w)
{
	double sum = 0;

	while (*w) {
		char *end;
		double v;

		if (!isdigit((unsigned char)*w)) {
			w++;
			continue;
		}
		v = strtod(w, &end);
		if (v > 0 && v < 1e15)
			sum += fabs(log(v));
		w = end;
	}
	return sum;
}

/* Seeds and paths are no amounts. */
static bool is_amount_of(const struct thunk *t, const char *w)
{
	const char *at = strchr(w, '=');
	const char *value = at ? at + 1 : w;

	if (strstr(w, "seed") || thunk_input(t, value))
		return false;
	for (size_t i = 0; i < t->n_out; i++)
		if (strcmp(t->out[i].path, value) == 0)
			return false;
	return true;
}

double defaults_weight(const struct thunk *t)
{
	double sum = 0;

	for (size_t i = 1; i < t->n_args; i++)
		if (!strstr(t->args[i - 1], "seed") && is_amount_of(t, t->args[i]))
			sum += word_weight(t->args[i]);
	return sum;
}

/* How far beyond what was seen its inputs are, as a factor from 1 on. */
static double beyond(const struct shape *s, double in_bytes)
{
	double far = log(in_bytes + 1) - s->size_mean - 2 * sqrt(s->size_var);

	return far > 0 ? exp(fmin(far, 20)) : 1;
}

double defaults_timeout(struct exec *x, const struct run *r, const struct thunk *t)
{
	struct node *n = r->node;
	const struct shape *s = n->shape;
	double least = x->o.least_timeout_s > 0 ? x->o.least_timeout_s : LEAST_S;
	double limit, more;

	if (!s || s->n_seen < SEEN_TRUSTED || profile_plausible_s(s) <= 0)
		return 0;
	n->in_bytes = (float)r->in_bytes;
	limit = time_times * profile_plausible_s(s) *
		fmax(1, node_seconds(n) / profile_seconds(s));
	limit = fmax(limit, least);
	more = beyond(s, (double)n->in_bytes);
	limit *= more * more * exp(fmin(fmax(defaults_weight(t) - s->weight, 0), 20));
	limit *= n->n_late ? LONGER_AGAIN : 1;
	return limit < 1e7 ? limit : 0;
}

/* Few values, so that needs stay few: 64, 80, 96, 112, 128, 160, ... */
static uint32_t round_up(double mib)
{
	double step = exp2(floor(log2(mib)) - 2);

	return (uint32_t)(ceil(mib / step) * step);
}

void defaults_memory(struct exec *x, struct node *n, const struct thunk *t, struct bytes text)
{
	const struct shape *s = n->shape;
	double mib;
	struct err ignored;

	n->mem_is_guess = false;
	if (n->mem_mib || !s || s->n_seen < SEEN_TRUSTED || defaults_weight(t) > s->weight + 0.1)
		return;
	mib = mem_times * s->mem_bytes / 1048576;
	if (mib < MEM_LEAST_MIB || mib > 4e6)
		return;
	n->mem_mib = round_up(mib);
	n->mem_is_guess = true;
	/* A guess forbids nothing. */
	if (sites_accept(x, n, t, text, &ignored) == 0)
		return;
	n->mem_mib = 0;
	n->mem_is_guess = false;
}

/* ---- what follows */

static const char *for_people(struct exec *x, double s)
{
	return s < 120 ? arena_printf(&x->scratch, "%.3g s", s) :
		s < 7200 ? arena_printf(&x->scratch, "%.0f min", s / 60) :
		arena_printf(&x->scratch, "%.1f h", s / 3600);
}

const char *defaults_why_late(struct exec *x, const struct run *r)
{
	const struct shape *s = r->node->shape;

	return arena_printf(&x->scratch, "it ran for %s, and the %u like it before took about %s: "
			    "it seems to hang and was stopped. If it takes that long, say so: "
			    "--timeout %.0fh, or `time` in its model",
			    for_people(x, r->job.timeout_s), s->n_seen,
			    for_people(x, profile_seconds(s)),
			    ceil(4 * r->job.timeout_s / 3600));
}

bool defaults_again(struct exec *x, struct run *r)
{
	struct node *n = r->node;

	if (!r->timeout_is_guess || n->n_late)
		return false;
	n->n_late = 1;
	exec_tell(x, &(struct exec_event){
		.kind = EXEC_NOTICE, .thunk = &n->id, .text = arena_printf(
			&x->scratch, "%s: %s. It is tried once more, with %d times as long",
			r->label, defaults_why_late(x, r), LONGER_AGAIN) });
	return true;
}
