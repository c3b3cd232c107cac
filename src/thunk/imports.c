/* imports.c - what Python looked for in the project without asking for it
 *
 * Python's import reads the names in a folder once and then asks for no file
 * that is not among them, so that a module that is absent leaves no trace.
 * The names that the programs of the project import, and that were found
 * nowhere, are such: `try: import local_settings`.  A file of that name that
 * appears later changes what the program does.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "learn_private.h"

enum { SOURCE_MAX = 1 << 20, NAMES_MAX = 32 };

/* Modules that are part of the interpreter and no files. */
static const char *const inner[] = {
	"__future__", "__main__", "abc", "atexit", "builtins", "codecs", "errno", "faulthandler",
	"gc", "importlib", "io", "itertools", "marshal", "os", "posix", "pwd", "runpy", "signal",
	"site", "stat", "sys", "time", "zipimport", "math", "array", "select", "typing",
	"collections", "warnings", "operator", "functools",
};

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static void name_add(struct strs *names, const char *p, size_t n, struct arena *a)
{
	char *name = arena_strn(a, p, n);

	if (n == 0 || n > 100 || isdigit((unsigned char)*p) || *p == '_')
		return;
	for (size_t i = 0; i < sizeof(inner) / sizeof(*inner); i++)
		if (strcmp(inner[i], name) == 0)
			return;
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->v[i], name) == 0)
			return;
	strs_add(names, name);
}

size_t word_length(const char *p, const char *end)
{
	size_t n = 0;

	while (p + n < end && is_word(p[n]))
		n++;
	return n;
}

/* `import a.b as c, d` or `from a.b import c`: a and d. */
static void line_read(const char *p, const char *end, struct strs *names, struct arena *a)
{
	bool is_from = end - p > 5 && memcmp(p, "from ", 5) == 0;

	if (!is_from && (end - p < 8 || memcmp(p, "import ", 7) != 0))
		return;
	p += is_from ? 5 : 7;
	for (;;) {
		while (p < end && *p == ' ')
			p++;
		name_add(names, p, word_length(p, end), a);
		while (p < end && *p != ',' && *p != '#')
			p++;
		if (is_from || p == end || *p == '#')
			return;
		p++;
	}
}

static void source_read(const char *path, struct strs *names, struct arena *a)
{
	struct bytes text;
	struct err e;

	if (file_read(AT_FDCWD, path, SOURCE_MAX, a, &text, &e) < 0)
		return;
	for (const char *p = text.p, *end = text.p + text.n; p < end;) {
		const char *stop = p;

		while (stop < end && *stop != '\n' && *stop != ';')
			stop++;
		while (p < stop && (*p == ' ' || *p == '\t'))
			p++;
		line_read(p, stop, names, a);
		p = stop + 1;
	}
}

/* Was anything of a module of this name touched, wherever it lies? */
static bool is_found(const struct sighting *s, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < s->n; i++) {
		const char *path = s->v[i].path;

		if (!(s->v[i].deeds & ~(unsigned)DEED_ABSENT))
			continue;
		for (const char *at = path; (at = strstr(at, name)) != NULL; at += n)
			if ((at == path || at[-1] == '/') &&
			    (at[n] == '.' || at[n] == '/' || at[n] == '\0'))
				return true;
	}
	return false;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct deed_at *)a)->path, ((const struct deed_at *)b)->path);
}

static void absent_add(struct sighting *s, const char *path)
{
	if (!sighting_deeds(s, path))
		s->v[s->n++] = (struct deed_at){ path, DEED_ABSENT };
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_path);
}

static bool is_python(const struct command *c)
{
	return strncmp(path_base(c->args[0]), "python", 6) == 0 ||
	       strncmp(path_base(c->program), "python", 6) == 0;
}

void imports_add(struct sighting *s, struct arena *a)
{
	struct view v = view_of(s, a);
	const char *dir = v.script_path ? path_folder(a, v.script_path) : v.cwd;
	const char *sep = strcmp(dir, ".") == 0 ? "" : "/";
	struct strs names = { 0 };
	struct deed_at *all;

	if ((!is_python(&s->command) && !(v.script && head_is_script(v.script))) || *dir == '/')
		return;
	dir = *sep ? dir : "";
	for (size_t i = 0; i < v.n_facts; i++) {
		const char *path = v.facts[i].path, *dot = strrchr(path, '.');

		if (v.facts[i].kind == FACT_READ && dot && strcmp(dot, ".py") == 0)
			source_read(path_clean(a, v.root, path), &names, a);
	}
	all = arena_alloc(a, (s->n + 2 * NAMES_MAX + 1) * sizeof(*all));
	if (s->n)
		memcpy(all, s->v, s->n * sizeof(*all));
	s->v = all;
	for (size_t i = 0, n = 0; i < names.n && n < NAMES_MAX; i++) {
		if (is_found(s, names.v[i]))
			continue;
		absent_add(s, arena_printf(a, "%s%s%s.py", dir, sep, names.v[i]));
		absent_add(s, arena_printf(a, "%s%s%s/__init__.py", dir, sep, names.v[i]));
		n++;
	}
	strs_release(&names);
}
