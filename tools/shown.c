/* shown.c - names and texts as a terminal and as JSON can carry them
 *
 * File names and arguments are bytes.  For people, a byte that is no part of a
 * printable character is \xHH.  JSON holds characters only: there, a byte that
 * is no UTF-8 is \xHH, and so that this can be told from a name that has just
 * these characters, a backslash is \x5c.
 */
#include <stdlib.h>
#include <string.h>
#include "shown.h"

static void add_hex(struct buf *b, char c)
{
	buf_printf(b, "\\x%02x", (unsigned char)c);
}

char *shown(struct arena *a, const char *s)
{
	struct buf b = { 0 };
	char *copy;

	buf_str(&b, "");
	for (size_t left = strlen(s), n; left; s += n, left -= n) {
		n = bytes_printable((struct bytes){ s, left });
		if (n)
			buf_add(&b, s, n);
		else
			add_hex(&b, *s);
		n += !n;
	}
	copy = arena_strn(a, b.p, b.n);
	buf_release(&b);
	return copy;
}

/* Control characters are UTF-8 too, and JSON has its own way to write them. */
static size_t utf8_size(struct bytes s)
{
	unsigned char c = (unsigned char)*s.p;

	if (c < 0x80)
		return 1;
	if (c == 0xc2 && s.n > 1 && ((unsigned char)s.p[1] & 0xc0) == 0x80)
		return 2;
	return bytes_printable(s);
}

static json_t *as_json(struct bytes s, bool escapes_backslash)
{
	struct buf b = { 0 };
	json_t *j;

	buf_str(&b, "");
	for (size_t n; s.n; s.p += n, s.n -= n) {
		n = utf8_size(s);
		if (!n || (*s.p == '\\' && escapes_backslash)) {
			add_hex(&b, *s.p);
			n = 1;
		} else {
			buf_add(&b, s.p, n);
		}
	}
	j = json_stringn(b.p, b.n);
	buf_release(&b);
	return j;
}

json_t *json_name(const char *s)
{
	return as_json(bytes_str(s), true);
}

json_t *json_text(struct bytes text)
{
	return as_json(text, false);
}

static int add_part(const char *p, size_t n, void *b)
{
	buf_add(b, p, n);
	return 0;
}

int json_add(struct buf *b, const json_t *o, size_t flags)
{
	return json_dump_callback(o, add_part, b, flags);
}
