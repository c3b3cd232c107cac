/* template.c - paths of gg.models with {values} in them, as text */
#include <string.h>
#include "file.h"
#include "pattern.h"

enum { PAD_MAX = 32 };

static const char zeros[] = "00000000000000000000000000000000";

/* 0WIDTH: the number s with zeros before it to that width; those that it has
 * do not count. */
static bool pad(const char **s, struct bytes how, struct arena *a)
{
	const char *digits = *s + (**s == '-' || **s == '+');
	size_t width = 0, n = strlen(digits), sign = **s == '-';

	for (size_t i = 1; i < how.n; i++) {
		if (how.p[i] < '0' || how.p[i] > '9' || width > PAD_MAX)
			return false;
		width = width * 10 + (size_t)(how.p[i] - '0');
	}
	if (!n || !width || width > PAD_MAX || strspn(digits, "0123456789") != n)
		return false;
	while (n > 1 && *digits == '0') {
		digits++;
		n--;
	}
	width = width > n + sign ? width - n - sign : 0;
	*s = arena_printf(a, "%s%.*s%s", sign ? "-" : "", (int)width, zeros, digits);
	return true;
}

/* A path's folder, last part, or all but the suffix of its last part. */
static bool path_part(const char **s, struct bytes how, struct arena *a)
{
	const char *base = path_base(*s), *dot = strrchr(base, '.');

	if (bytes_equal(how, bytes_str("base")))
		*s = base;
	else if (bytes_equal(how, bytes_str("dir")))
		*s = base == *s ? "."
		     : base == *s + 1 ? "/"
				      : arena_strn(a, *s, (size_t)(base - *s - 1));
	else if (bytes_equal(how, bytes_str("stem")))
		*s = dot && dot != base ? arena_strn(a, *s, (size_t)(dot - *s)) : *s;
	else
		return false;
	return true;
}

static void add_escaped(struct buf *b, const char *s, bool escapes)
{
	for (; *s; s++) {
		if (escapes && strchr("*?[]\\", *s))
			buf_char(b, '\\');
		buf_char(b, *s);
	}
}

/* What stands between braces, added to b.  false: it has no value. */
static bool fill_one(struct template *t, struct bytes in, struct buf *b,
		     struct arena *a)
{
	const char *colon = memchr(in.p, ':', in.n), *end = in.p + in.n;
	struct bytes name = { in.p, colon ? (size_t)(colon - in.p) : in.n };
	const char *s = t->value(t->arg, name);

	t->missing = name;
	t->is_unfit = false;
	if (!s)
		return false;
	while (colon) {
		const char *next = memchr(colon + 1, ':', (size_t)(end - colon - 1));
		struct bytes how = { colon + 1,
				     (size_t)((next ? next : end) - colon - 1) };

		if (!(how.n > 1 && how.p[0] == '0' ? pad : path_part)(&s, how, a)) {
			t->missing = how;
			t->is_unfit = true;
			return false;
		}
		colon = next;
	}
	add_escaped(b, s, t->escapes);
	return true;
}

const char *template_fill(struct template *t, const char *text,
			  struct arena *a)
{
	struct buf b = { 0 };
	const char *full = NULL;

	if (!strpbrk(text, "{}"))
		return text;
	buf_str(&b, "");
	for (const char *p = text; *p; p++) {
		const char *end;

		if ((*p == '{' || *p == '}') && p[1] == *p) {
			buf_char(&b, *p++);
			continue;
		}
		if (*p != '{') {
			buf_char(&b, *p);
			continue;
		}
		end = strchr(p, '}');
		if (!end) {
			t->missing = bytes_str(p);
			goto out;
		}
		if (!fill_one(t, (struct bytes){ p + 1, (size_t)(end - p - 1) }, &b, a))
			goto out;
		p = end;
	}
	full = arena_strn(a, b.p, b.n);
out:
	buf_release(&b);
	return full;
}

/* $NAME, a variable of the environment. */
static bool is_variable(struct bytes name)
{
	if (name.n < 2 || name.p[0] != '$' || (name.p[1] >= '0' && name.p[1] <= '9'))
		return false;
	for (size_t i = 1; i < name.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
			    name.p[i]))
			return false;
	return true;
}

static const char *value_exists(void *arg, struct bytes name)
{
	const struct model *m = arg;
	size_t number = 0, holes = 0;

	if (is_variable(name))
		return "1";
	for (size_t i = 0; i < m->n_names; i++) {
		const char *s = m->names[i].s;

		s += strspn(s, m->options[m->names[i].option].is_key ? "+" : "-");
		if (bytes_equal(bytes_str(s), name))
			return "1";
	}
	if (bytes_equal(name, bytes_str("root")) || bytes_equal(name, bytes_str("script")))
		return "1";
	for (size_t i = 0; i < m->n_positionals; i++)
		holes += !m->positionals[i].literal;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] < '0' || name.p[i] > '9' || number > 100000)
			return NULL;
		number = number * 10 + (size_t)(name.p[i] - '0');
	}
	return number && (number <= holes || m->has_repeat) ? "1" : NULL;
}

const char *template_check(const struct model *m, const char *text,
			   struct arena *a)
{
	struct template t = { .value = value_exists, .arg = (void *)(uintptr_t)m };

	if (template_fill(&t, text, a))
		return NULL;
	return arena_printf(a, "`%.*s` in %s is no option of the pattern, nor a number of one "
			    "of its positionals, root, script, $VARIABLE, :dir, :base, :stem or "
			    "a width such as :03; write {{ for a brace",
			    (int)t.missing.n, t.missing.p, text);
}
