/* text.c - lines, fields and escapes, as the canonical texts share them
 *
 * There is one way to write each byte, and the reader checks that it was the
 * one taken: so whatever is read, written again, gives the same bytes.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "file.h"
#include "text.h"

static const char *const ref_names[] = {
	[REF_VALUE] = "value",
	[REF_EXEC]  = "exec",
	[REF_TREE]  = "tree",
	[REF_THUNK] = "thunk",
};

int text_bad(struct text *t, const char *fmt, ...)
{
	char what[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(t->e, ERR_BAD, "line %u: %s", t->line, what);
}

/* Does c stand for itself in every field? */
static inline bool is_usual(unsigned char c)
{
	return c > ' ' && c != 0x7f && c != '\\';
}

struct text_shown text_show(const char *s)
{
	struct text_shown shown;
	size_t n = 0;

	for (; *s && n < sizeof(shown.s) - 8; s++) {
		if (is_usual((unsigned char)*s) || *s == ' ')
			shown.s[n++] = *s;
		else
			n += (size_t)sprintf(shown.s + n, "\\x%02x",
					     (unsigned char)*s);
	}
	strcpy(shown.s + n, *s ? "..." : "");
	return shown;
}

/* What the rest of the line says, for a message. */
static struct text_shown show_line(const struct text *t)
{
	char some[sizeof(struct text_shown)];
	size_t n = strcspn(t->p, "\n");

	if (n >= sizeof(some))
		n = sizeof(some) - 1;
	memcpy(some, t->p, n);
	some[n] = 0;
	return text_show(some);
}

int text_open(struct text *t, struct bytes b, const char *kind,
	      unsigned first_line, struct arena *a, struct err *e)
{
	size_t n = strlen(kind);
	const char *version;

	t->p = arena_strn(a, b.p, b.n);
	t->end = t->p + b.n;
	t->line = first_line;
	t->e = e;
	if (strncmp(t->p, kind, n) != 0 || t->p[n] != ' ')
		return text_bad(t, "this is no %s text, it begins \"%s\"", kind,
				show_line(t).s);
	version = t->p + n + 1;
	if (version[0] != '1' || version[1] != '\n')
		return text_bad(t, "\"%s\" is not version 1, which this gg reads",
				show_line(t).s);
	t->p += n + 3;
	return 0;
}

bool text_at(const struct text *t, const char *keyword)
{
	size_t n = strlen(keyword);

	return strncmp(t->p, keyword, n) == 0 && t->p[n] == ' ';
}

size_t text_count(const struct text *t, const char *prefix)
{
	size_t n = strlen(prefix), count = 0;
	const char *p = t->p;

	while (p && strncmp(p, prefix, n) == 0 && p < t->end) {
		count++;
		p = memchr(p, '\n', (size_t)(t->end - p));
		if (p)
			p++;
	}
	return count;
}

int text_begin(struct text *t, const char *keyword)
{
	t->line++;
	if (text_at(t, keyword)) {
		t->p += strlen(keyword) + 1;
		return 0;
	}
	if (t->p == t->end)
		return text_bad(t, "the text ends where a line \"%s\" must stand",
				keyword);
	return text_bad(t, "a line \"%s\" must stand here, not \"%s\"", keyword,
			show_line(t).s);
}

/* The value of a hex digit as gg writes them, or -1. */
static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Read \xHH at in, a byte that must be escaped in such a field. */
static int unescape(struct text *t, const char *in, bool is_last)
{
	int high, low, c;

	high = in[1] == 'x' ? digit(in[2]) : -1;
	low = high < 0 ? -1 : digit(in[3]);
	if (low < 0)
		return text_bad(t, "a backslash without xHH in lower-case hex");
	c = high << 4 | low;
	if (c == 0)
		return text_bad(t, "a NUL byte cannot be written");
	if (is_usual((unsigned char)c) || (c == ' ' && is_last))
		return text_bad(t, "\\x%02x must not be escaped here", c);
	return c;
}

/* A field ends at the space, the last one at the newline. */
static char *take(struct text *t, bool is_last)
{
	const char stop = is_last ? '\n' : ' ';
	char *start = t->p, *in = start, *out;

	while (is_usual((unsigned char)*in) || (*in == ' ' && is_last))
		in++;
	out = in;
	while (*in != stop) {
		int c = (unsigned char)*in;

		if (c == '\\') {
			c = unescape(t, in, is_last);
			if (c < 0)
				return NULL;
			in += 3;
		} else if (in == t->end) {
			text_bad(t, "the text ends within the line");
			return NULL;
		} else if (c == '\n') {
			text_bad(t, "the line ends before its last field");
			return NULL;
		} else if (c == 0) {
			text_bad(t, "a NUL byte cannot stand in a text");
			return NULL;
		} else if (!is_usual((unsigned char)c) && c != ' ') {
			text_bad(t, "the byte 0x%02x must be written \\x%02x", c, c);
			return NULL;
		}
		*out++ = (char)c;
		in++;
	}
	*out = 0;
	t->p = in + 1;
	return start;
}

char *text_field(struct text *t)
{
	char *s = take(t, false);

	if (s && !*s) {
		text_bad(t, "two spaces where one must stand");
		return NULL;
	}
	return s;
}

char *text_last(struct text *t)
{
	return take(t, true);
}

int text_id(struct text *t, struct id *out, char after)
{
	if (t->end - t->p < ID_HEX ||
	    !id_parse((struct bytes){ t->p, ID_HEX }, out))
		return text_bad(t, "an id, 64 lower-case hex digits, must stand at \"%s\"",
				show_line(t).s);
	if (t->p + ID_HEX == t->end)
		return text_bad(t, "the text ends within the line");
	if (t->p[ID_HEX] != after)
		return text_bad(t, after == ' ' ? "a space and one more field must follow the id"
				: "the line must end after the id");
	t->p += ID_HEX + 1;
	return 0;
}

int text_close(struct text *t)
{
	if (t->p == t->end)
		return 0;
	t->line++;
	return text_bad(t, "a line that does not belong here: \"%s\"",
			show_line(t).s);
}

void text_put(struct buf *out, const char *s, char after)
{
	for (;;) {
		const char *run = s;
		char escape[8];

		while (is_usual((unsigned char)*s) || (*s == ' ' && after == '\n'))
			s++;
		buf_add(out, run, (size_t)(s - run));
		if (!*s)
			break;
		snprintf(escape, sizeof(escape), "\\x%02x", (unsigned char)*s++);
		buf_add(out, escape, 4);
	}
	buf_char(out, after);
}

void text_put_id(struct buf *out, const struct id *id, char after)
{
	struct id_hex hex = id_hex(id);

	hex.s[ID_HEX] = after;
	buf_add(out, hex.s, sizeof(hex.s));
}

int text_choice(struct text *t, const char *const *names, size_t n)
{
	const char *s = text_field(t);

	if (!s)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], s) == 0)
			return (int)i;
	return text_bad(t, "no such kind: \"%s\"", text_show(s).s);
}

int text_ref(struct text *t, struct ref *out)
{
	int kind = text_choice(t, ref_names, sizeof(ref_names) / sizeof(*ref_names));

	if (kind < 0 || text_id(t, &out->id, ' ') < 0)
		return -1;
	out->kind = (enum ref_kind)kind;
	out->out = NULL;
	if (kind == REF_THUNK && !(out->out = text_field(t)))
		return -1;
	return 0;
}

void text_put_ref(struct buf *out, const struct ref *r)
{
	text_put(out, ref_names[r->kind], ' ');
	text_put_id(out, &r->id, ' ');
	if (r->kind == REF_THUNK)
		text_put(out, r->out, ' ');
}

bool text_is_name(const char *s)
{
	size_t n = strnlen(s, 256);

	return n >= 1 && n <= 255;
}

bool text_is_absolute(const char *path)
{
	return path[0] == '/' && path_is_plain(path + 1) &&
		strnlen(path, 4096) < 4096;
}
