/* label.c - a command line short enough for people
 *
 * The program loses its folders, odd words are quoted as a shell needs them,
 * control bytes never reach a terminal, and what does not fit ends in dots.
 */
#include <string.h>
#include "exec.h"
#include "file.h"

/* Quoted as little as a shell needs; control bytes are blanks, and what is
 * no character is "?". */
static void add_word(struct buf *b, const char *w)
{
	bool quotes = !*w || strpbrk(w, " \t\n'\"$`\\;&|<>()*?[]#~");

	if (quotes)
		buf_char(b, '\'');
	for (size_t left = strlen(w), n; left; w += n, left -= n) {
		n = bytes_printable((struct bytes){ w, left });
		if (*w == '\'')
			buf_str(b, "'\\''");
		else if (n)
			buf_add(b, w, n);
		else
			buf_char(b, (unsigned char)*w < 0x80 ? ' ' : '?');
		n += !n;
	}
	if (quotes)
		buf_char(b, '\'');
}

/* The bytes of s that fill at most width columns; one column for each byte
 * that does not continue a UTF-8 character. */
static size_t cut(const char *s, size_t width)
{
	size_t i = 0;

	for (; s[i]; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80 && width-- == 0)
			break;
	return i;
}

char *thunk_label(const struct thunk *t, struct arena *a, size_t width)
{
	struct buf b = { 0 };
	char *label;
	size_t n;

	for (size_t i = 0; i < t->n_args && b.n < width * 4; i++) {
		if (i)
			buf_char(&b, ' ');
		add_word(&b, i == 0 ? path_base(t->args[0]) : t->args[i]);
	}
	if (!b.n)
		buf_char(&b, '?');
	n = cut(b.p, width);
	if (n == b.n) {
		label = arena_strn(a, b.p, n);
	} else {
		n = cut(b.p, width > 3 ? width - 3 : 0);
		label = arena_printf(a, "%.*s%s", (int)n, b.p, width > 3 ? "..." : "");
	}
	buf_release(&b);
	return label;
}
