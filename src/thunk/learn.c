/* learn.c - from what commands did to the model of all of them
 *
 * One pattern for all sightings is tried first, with folders as outputs and
 * then without; then one pattern for each way in which the program was called.
 * Whatever comes out is kept only when it says of every sighting exactly what
 * it did.
 */
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "learn_private.h"

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct plan plan_of(const struct sighting *const *v, size_t n, struct arena *a)
{
	struct plan p = { .a = a, .n_views = n };

	p.views = arena_alloc(a, n * sizeof(*p.views));
	for (size_t i = 0; i < n; i++)
		p.views[i] = view_of(v[i], a);
	return p;
}

const char *learn_way(const struct sighting *s, struct arena *a)
{
	struct plan p = plan_of(&s, 1, a);
	struct strs names = { 0 };
	struct buf b = { 0 };
	const char *way;
	struct err e;

	buf_str(&b, "");
	if (plan_call(&p, &e) == 0)
		for (size_t i = 0; i < p.n_slots; i++)
			strs_add(&names, p.slots[i].name      ? p.slots[i].name
					 : p.slots[i].literal ? p.slots[i].literal
							      : "@");
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), compare_strings);
	for (size_t i = 0; i < names.n; i++)
		buf_printf(&b, "%s ", names.v[i]);
	/* Those that were given less come first: their patterns take no more. */
	way = arena_printf(a, "%04zu %s", names.n, b.p);
	strs_release(&names);
	buf_release(&b);
	return way;
}

/* One pattern for these, or the reason why there is none.  *n_strays: reads
 * that only some of them had. */
static int derive_one(const struct sighting *const *v, size_t n, const struct strs *uses,
		      struct buf *text, size_t *n_strays, struct err *e)
{
	struct sighting *all = mem_alloc(n * sizeof(*all));
	size_t begin = text->n;
	int rc = -1;

	for (size_t i = 0; i < n; i++)
		all[i] = *v[i];
	for (int way = 0; way < 2 && rc < 0; way++) {
		struct arena a = { 0 };
		struct plan p = plan_of(v, n, &a);

		text->n = begin;
		p.has_no_folders = way == 1;
		p.uses = uses->v;
		p.n_uses = uses->n;
		rc = plan_make(&p, e);
		if (rc == 0)
			rc = notation_write(&p, text, e);
		if (rc == 0)
			rc = learn_prove(all, n, (struct bytes){ text->p + begin, text->n - begin },
					 e);
		*n_strays = p.n_strays;
		arena_release(&a);
	}
	if (rc < 0 && text->p)
		text->p[text->n = begin] = '\0';
	free(all);
	return rc;
}

struct group {
	const char *way;
	const struct sighting *s;
	size_t at;
};

static int by_way(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	int order = strcmp(x->way, y->way);

	return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* A pattern for each way of calling, those with fewer options first. */
static int derive_each(const struct sighting *v, size_t n, const struct strs *uses,
		       struct arena *a, struct buf *text, struct err *e)
{
	struct group *g = arena_alloc(a, n * sizeof(*g));
	const struct sighting **some = arena_alloc(a, n * sizeof(*some));
	size_t n_strays;

	for (size_t i = 0; i < n; i++)
		g[i] = (struct group){ learn_way(&v[i], a), &v[i], i };
	qsort(g, n, sizeof(*g), by_way);
	if (strcmp(g[0].way, g[n - 1].way) == 0)
		return -1;
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i; k < n && strcmp(g[i].way, g[k].way) == 0; k++)
			some[k - i] = g[k].s;
		if (derive_one(some, k - i, uses, text, &n_strays, e) < 0)
			return -1;
	}
	return learn_prove(v, n, buf_bytes(text), e);
}

int learn_text(const struct sighting *v, size_t n, const struct strs *uses,
	       struct buf *text, struct err *e)
{
	struct arena a = { 0 };
	const struct sighting **all = arena_alloc(&a, n * sizeof(*all));
	struct buf each = { 0 };
	size_t n_strays = 0;
	struct err later;
	int rc;

	for (size_t i = 0; i < n; i++) {
		const char *why = learn_refusal(&v[i], &a);

		if (why) {
			rc = err_set(e, ERR_REFUSED, "%s", why);
			goto out;
		}
		all[i] = &v[i];
	}
	buf_reset(text);
	rc = derive_one(all, n, uses, text, &n_strays, e);
	/* What only one way of calling reads is no input of the others. */
	if (n > 1 && (rc < 0 || n_strays)) {
		if (derive_each(v, n, uses, &a, &each, &later) == 0) {
			rc = 0;
			buf_reset(text);
			buf_add(text, each.p, each.n);
		}
		buf_release(&each);
	}
	if (rc < 0 && e->code == ERR_BAD)
		e->code = ERR_REFUSED;
out:
	arena_release(&a);
	return rc;
}

int learn_derive(const struct sighting *v, size_t n, struct buf *text, struct err *e)
{
	struct strs uses = { 0 };
	struct arena a = { 0 };
	size_t kept = 0;
	int rc;

	if (n == 0)
		return err_set(e, ERR_REFUSED, "it was never seen to run");
	for (size_t i = 0; i < n; i++)
		learn_system(&v[i], &a, &uses);
	strs_sort(&uses);
	for (size_t i = 0; i < uses.n; i++)
		if (!kept || strcmp(uses.v[kept - 1], uses.v[i]) != 0)
			uses.v[kept++] = uses.v[i];
	uses.n = kept;
	rc = learn_text(v, n, &uses, text, e);
	strs_release(&uses);
	arena_release(&a);
	return rc;
}
