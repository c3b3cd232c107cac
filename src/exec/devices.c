/* devices.c - which of a machine's GPUs a step gets */
#include "devices.h"

#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct devices {
	size_t n;
	double used[DEVICES_MAX];       /* of each, 1 being all of it */
	const char *names[DEVICES_MAX];
	struct arena arena;
};

static const double slack = 1e-6;

/* The names in a list with commas, as far as there is room; how many. */
static size_t split(const char *visible, struct arena *a, const char **names, size_t room)
{
	size_t n = 0;

	while (visible && *visible && n < room) {
		size_t len = strcspn(visible, ",");

		if (len)
			names[n++] = arena_strn(a, visible, len);
		visible += len + (visible[len] == ',');
	}
	return n;
}

unsigned devices_count(const char *visible)
{
	const char *names[DEVICES_MAX];
	struct arena a = { 0 };
	unsigned n = 0;
	glob_t g;

	if (visible) {
		n = (unsigned)split(visible, &a, names, DEVICES_MAX);
	} else if (glob("/dev/nvidia[0-9]*", 0, NULL, &g) == 0) {
		n = (unsigned)g.gl_pathc;
		globfree(&g);
	}
	arena_release(&a);
	return n;
}

struct devices *devices_new(double n, const char *visible)
{
	struct devices *d = memset(mem_alloc(sizeof *d), 0, sizeof *d);
	size_t named = split(visible, &d->arena, d->names, DEVICES_MAX);

	d->n = n > DEVICES_MAX ? DEVICES_MAX : n > 0 ? (size_t)ceil(n - slack) : 0;
	for (size_t i = named; i < d->n; i++)
		d->names[i] = arena_printf(&d->arena, "%zu", i);
	return d;
}

void devices_free(struct devices *d)
{
	if (!d)
		return;
	arena_release(&d->arena);
	free(d);
}

static size_t least_used(const struct devices *d, uint64_t but)
{
	size_t at = d->n;

	for (size_t i = 0; i < d->n; i++)
		if (!(but & 1ull << i) && (at == d->n || d->used[i] < d->used[at] - slack))
			at = i;
	return at;
}

static size_t best_fit(const struct devices *d, double part)
{
	size_t at = d->n;

	for (size_t i = 0; i < d->n; i++)
		if (d->used[i] + part <= 1 + slack &&
		    (at == d->n || d->used[i] > d->used[at] + slack))
			at = i;
	return at < d->n ? at : least_used(d, 0);
}

void devices_take(struct devices *d, double gpus, struct devices_held *out)
{
	double left = gpus < 1 ? gpus : ceil(gpus - slack);

	*out = (struct devices_held){ .of_each = gpus < 1 ? gpus : 1 };
	for (; left > slack; left -= 1) {
		size_t i = gpus < 1 ? best_fit(d, gpus) : least_used(d, out->which);

		if (i == d->n)
			break;
		out->which |= 1ull << i;
		d->used[i] += out->of_each;
	}
}

void devices_give(struct devices *d, struct devices_held *h)
{
	for (size_t i = 0; i < d->n; i++)
		if (h->which & 1ull << i)
			d->used[i] -= h->of_each;
	*h = (struct devices_held){ 0 };
}

const char *devices_list(const struct devices *d, const struct devices_held *h,
			 struct arena *a)
{
	const char *list = "";

	for (size_t i = 0; i < d->n; i++)
		if (h->which & 1ull << i)
			list = arena_printf(a, "%s%s%s", list, *list ? "," : "", d->names[i]);
	return list;
}
