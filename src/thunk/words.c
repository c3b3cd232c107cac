/* words.c - a line into words, and {templates} into text
 *
 * Quotes mean what they mean to a shell, and nothing is expanded: what a word
 * says is what stands there.
 */
#include <string.h>
#include "file.h"
#include "pattern.h"

void *arena_more(struct arena *a, void *v, size_t n, size_t item_bytes)
{
	void *wider;

	if (n && (n < 4 || (n & (n - 1))))
		return v;
	wider = arena_alloc(a, (n ? n * 2 : 4) * item_bytes);
	if (n)
		memcpy(wider, v, n * item_bytes);
	return wider;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* One word from *p into out, which has room for it.  What is wrong, or NULL. */
static const char *word_take(const char **p, const char *end, char *out,
			     struct word *w)
{
	const char *s = *p;
	size_t n = 0;
	char quote = 0;

	w->s = out;
	w->quoted_at = SIZE_MAX;
	for (; s < end && (quote || !is_blank(*s)); s++) {
		bool is_special = *s == '"' || *s == '\'' || *s == '\\';

		if (is_special && w->quoted_at == SIZE_MAX)
			w->quoted_at = n;
		if (quote ? *s == quote : *s == '"' || *s == '\'') {
			quote = quote ? 0 : *s;
			continue;
		}
		if (*s == '\\' && quote != '\'') {
			if (++s == end)
				return "a backslash with nothing after it";
			if (quote && *s != '"' && *s != '\\')
				out[n++] = '\\';
		}
		out[n++] = *s;
	}
	out[n] = '\0';
	*p = s;
	return quote ? "a quote that is not closed" : NULL;
}

const char *words_split(struct bytes line, struct arena *a, struct words *out)
{
	const char *p = line.p, *end = line.p + line.n;
	char *room = arena_alloc(a, line.n * 2 + 1);

	*out = (struct words){ 0 };
	for (;;) {
		const char *bad;

		while (p < end && is_blank(*p))
			p++;
		if (p == end || *p == '#')
			return NULL;
		out->v = arena_more(a, out->v, out->n, sizeof(*out->v));
		bad = word_take(&p, end, room, &out->v[out->n]);
		if (bad)
			return bad;
		room += strlen(room) + 1;
		out->n++;
	}
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
	if (!s)
		return false;
	while (colon) {
		const char *next = memchr(colon + 1, ':', (size_t)(end - colon - 1));
		struct bytes how = { colon + 1,
				     (size_t)((next ? next : end) - colon - 1) };

		if (!path_part(&s, how, a)) {
			t->missing = how;
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

static const char *value_exists(void *arg, struct bytes name)
{
	const struct model *m = arg;
	size_t number = 0, holes = 0;

	for (size_t i = 0; i < m->n_names; i++) {
		const char *s = m->names[i].s;

		s += strspn(s, m->options[m->names[i].option].is_key ? "+" : "-");
		if (bytes_equal(bytes_str(s), name))
			return "x";
	}
	if (bytes_equal(name, bytes_str("root")) || bytes_equal(name, bytes_str("script")))
		return "x";
	for (size_t i = 0; i < m->n_positionals; i++)
		holes += !m->positionals[i].literal;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] < '0' || name.p[i] > '9' || number > 100000)
			return NULL;
		number = number * 10 + (size_t)(name.p[i] - '0');
	}
	return number && (number <= holes || m->has_repeat) ? "x" : NULL;
}

const char *template_check(const struct model *m, const char *text,
			   struct arena *a)
{
	struct template t = { .value = value_exists, .arg = (void *)(uintptr_t)m };

	if (template_fill(&t, text, a))
		return NULL;
	return arena_printf(a, "`%.*s` in %s is no option of the pattern, nor a number of one "
			    "of its positionals, root, script, :dir, :base or :stem; "
			    "write {{ for a brace", (int)t.missing.n, t.missing.p, text);
}
