/* f_packages.c - any bytes as a list file, a status, diversions and a RECORD */
#include <stdlib.h>
#include <string.h>
#include "../../src/thunk/closure_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct seen {
	struct bytes text;
	size_t n;
};

/* What comes out is a line of what went in, and a path. */
static void on_listed(void *arg, struct bytes path)
{
	struct seen *s = arg;

	s->n++;
	if (path.p < s->text.p || path.p + path.n > s->text.p + s->text.n ||
	    *path.p != '/' || memchr(path.p, '\n', path.n) || memchr(path.p, 0, path.n))
		abort();
}

static void on_record(void *arg, const char *path)
{
	struct seen *s = arg;

	s->n++;
	if (!*path || strlen(path) > s->text.n || strchr(path, '\n'))
		abort();
}

/* Each line of a list is what some package is called, too. */
static void check_name(const char *name, struct arena *a)
{
	const char *package, *version;

	treatment_of(name);
	if (!pip_dist_name(name, a, &package, &version))
		return;
	if (!*package || strpbrk(package, "/_.ABCZ") || strlen(version) > strlen(name))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes text = { (const char *)p, n };
	struct seen seen = { .text = text };
	struct arena a = { 0 };
	struct diversions d;
	const char *version;
	char *line, *rest;

	dpkg_list_each(text, on_listed, &seen);
	pip_record_each(text, &a, on_record, &seen);
	if (seen.n > 2 * n)
		abort();
	dpkg_diversions(text, &a, &d);
	for (size_t i = 0; i < d.n; i++)
		if (*d.v[i].from != '/' || *d.v[i].to != '/' || !*d.v[i].by)
			abort();
	version = dpkg_version(text, "a", &a);
	if (version && (!*version || strchr(version, '\n')))
		abort();
	dpkg_version(text, "a:amd64", &a);
	rest = arena_strn(&a, text.p, n);
	while ((line = strsep(&rest, "\n")))
		check_name(line, &a);
	arena_release(&a);
	return 0;
}
