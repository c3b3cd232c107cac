/* learned.c - what is said of studies, and what was learned before */
#include <string.h>
#include "gg.h"
#include "shown.h"

enum { NAMED_MOST = 4 };

/* Paths of the project with one of these deeds and none of those, in a row. */
static void list(struct arena *a, struct buf *out, const struct sighting *s,
		 const char *verb, unsigned with, unsigned without)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct deed_at *d = &s->v[i];

		if (d->path[0] == '/' || !(d->deeds & with) || d->deeds & without ||
		    strstr(d->path, "__pycache__"))
			continue;
		if (n++ < NAMED_MOST)
			buf_printf(out, "%s%s", n == 1 ? verb : ", ", shown(a, d->path));
	}
	if (n > NAMED_MOST)
		buf_printf(out, " and %zu more", n - NAMED_MOST);
}

static void say_paths(struct arena *a, struct buf *out, const struct sighting *s)
{
	static const char *const streams[] = { "standard input", "standard output",
					       "standard error" };

	list(a, out, s, ": reads ", DEED_READ, DEED_WROTE | DEED_UPDATED | DEED_EXECUTED);
	list(a, out, s, out->n ? "; writes " : ": writes ", DEED_WROTE | DEED_UPDATED, 0);
	for (int fd = 1; fd < 3; fd++)
		if (s->command.std[fd].kind == STREAM_FILE)
			buf_printf(out, "%s%s", out->n ? ", " : ": writes ", streams[fd]);
}

void learned_note(const struct sighting *what, const char *shape, const struct err *e)
{
	struct arena a = { 0 };
	struct buf paths = { 0 };

	if (e && e->code == ERR_RETRY)
		note("%s taught nothing this time: %s", shape, e->text);
	else if (e)
		note("%s runs for real: %s", shape, e->text);
	else
		say_paths(&a, &paths, what);
	if (!e)
		note("learned %s%s", shape, paths.p ? paths.p : "");
	buf_release(&paths);
	arena_release(&a);
}

static void print_list(struct arena *a, const struct sighting *s, const char *title,
		       unsigned with, unsigned without)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].path[0] != '/' && s->v[i].deeds & with &&
		    !(s->v[i].deeds & without))
			printf("# %-8s%s\n", title, shown(a, s->v[i].path));
}

void learned_print(const struct sighting *what, const char *shape, struct bytes text,
		   const struct err *e)
{
	struct arena a = { 0 };

	printf("# %s\n", shown(&a, shape));
	if (what) {
		print_list(&a, what, "read", DEED_READ, 0);
		print_list(&a, what, "listed", DEED_LISTED, 0);
		print_list(&a, what, "absent", DEED_ABSENT, DEED_WROTE | DEED_UPDATED);
		print_list(&a, what, "wrote", DEED_WROTE, 0);
		print_list(&a, what, "updated", DEED_UPDATED, 0);
		print_list(&a, what, "removed", DEED_REMOVED, 0);
	}
	if (e)
		printf("# it must run for real: %s\n", shown(&a, e->text));
	else
		fwrite(text.p, 1, text.n, stdout);
	arena_release(&a);
}

static int load(void *arg, const struct learned *l)
{
	const struct bytes text = l->never ? bytes_str("") : l->text;
	struct ctx *c = arg;
	struct err e;

	/* One that this gg cannot read is learned anew. */
	if (models_learn(c->models, l->shape, text, &e) < 0 &&
	    c->o.verbose)
		note("what was learned of %s cannot be used: %s", l->shape, e.text);
	return 0;
}

int learned_load(struct ctx *c, struct err *e)
{
	return learned_each_text(c->store, load, c, e);
}
