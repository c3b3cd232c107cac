/* words.c - a line into words, and words into a line
 *
 * Quotes mean what they mean to a shell, and nothing is expanded: what a word
 * says is what stands there.
 */
#include <stdlib.h>
#include <string.h>
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

/* What stands for a byte behind a backslash in $'...'. */
static const char escapes[][2] = {
	{ 'n', '\n' }, { 't', '\t' }, { 'r', '\r' }, { '\\', '\\' }, { '\'', '\'' },
	{ '"', '"' },  { 'a', '\a' }, { 'b', '\b' }, { 'e', 0x1b },  { 'f', '\f' },
	{ 'v', '\v' },
};

/* One byte behind a backslash, from *p: a letter, or xHH. */
static const char *escape_take(const char **p, const char *end, char *out)
{
	char hex[3] = { 0 };

	if (*p == end)
		return "a quote that is not closed";
	if (**p == 'x' && end - *p > 2) {
		memcpy(hex, *p + 1, 2);
		*out = (char)strtoul(hex, NULL, 16);
		*p += 2;
		return strspn(hex, "0123456789abcdefABCDEF") == 2 && *out
			       ? NULL : "\\x in $'...' wants two hex digits, and not 00";
	}
	for (size_t i = 0; i < sizeof(escapes) / sizeof(*escapes); i++)
		if (escapes[i][0] == **p) {
			*out = escapes[i][1];
			return NULL;
		}
	return "an unknown \\ in $'...'; there are \\n \\t \\r \\a \\b \\e \\f \\v \\\\ "
	       "\\' \\\" and \\xHH";
}

/* $'...' from *p, which is left at the closing quote, to out + *n. */
static const char *ansi_take(const char **p, const char *end, char *out, size_t *n)
{
	const char *s = *p + 2, *bad;

	for (; s < end && *s != '\''; s++) {
		if (*s != '\\') {
			out[(*n)++] = *s;
			continue;
		}
		s++;
		bad = escape_take(&s, end, &out[(*n)++]);
		if (bad)
			return bad;
	}
	*p = s;
	return s < end ? NULL : "a quote that is not closed";
}

/* One word from *p into out, which has room for it.  What is wrong, or NULL. */
static const char *word_take(const char **p, const char *end, char *out,
			     struct word *w)
{
	const char *s = *p, *bad;
	size_t n = 0;
	char quote = 0;

	w->s = out;
	w->quoted_at = SIZE_MAX;
	for (; s < end && (quote || !is_blank(*s)); s++) {
		bool is_ansi = !quote && *s == '$' && end - s > 1 && s[1] == '\'';

		if ((is_ansi || strchr("\"'\\", *s)) && w->quoted_at == SIZE_MAX)
			w->quoted_at = n;
		if (is_ansi) {
			bad = ansi_take(&s, end, out, &n);
			if (bad)
				return bad;
			continue;
		}
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
		if (p == end || *p == '#') {
			out->bad = 0;
			return NULL;
		}
		out->v = arena_more(a, out->v, out->n, sizeof(*out->v));
		out->v[out->n].at = (size_t)(p - line.p);
		out->bad = out->n;
		bad = word_take(&p, end, room, &out->v[out->n]);
		if (bad)
			return bad;
		room += strlen(room) + 1;
		out->n++;
	}
}

/* Would the word be read as itself without any quotes? */
static bool is_bare(const char *s)
{
	return *s && *s != '-' && strcmp(s, "...") != 0 &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			   "_./:+,%^~={}-")] == '\0';
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

static void quote_ansi(struct buf *out, const char *s)
{
	buf_str(out, "$'");
	for (; *s; s++) {
		if (*s == '\n')
			buf_str(out, "\\n");
		else if (*s == '\\' || *s == '\'')
			buf_printf(out, "\\%c", *s);
		else if ((unsigned char)*s < ' ' || *s == 0x7f)
			buf_printf(out, "\\x%02x", (unsigned char)*s);
		else
			buf_char(out, *s);
	}
	buf_char(out, '\'');
}

void model_word(struct buf *out, const char *s)
{
	if (is_bare(s)) {
		buf_str(out, s);
		return;
	}
	if (has_control(s)) {
		quote_ansi(out, s);
		return;
	}
	buf_char(out, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			buf_str(out, "'\\'");
		buf_char(out, *s);
	}
	buf_char(out, '\'');
}
