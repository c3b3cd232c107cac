/* line.c - an event as a line of JSON, written member by member
 *
 * Numbers are whole or a few decimals, and names have nothing to escape, as a
 * rule: what is not so is left to those who know all of it.
 */
#include "line.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "shown.h"

enum { MILLION = 1000000, DECIMALS = 6 };

static void add_key(struct buf *b, const char *key)
{
	buf_add(b, ",\"", 2);
	buf_str(b, key);
	buf_add(b, "\":", 2);
}

static void add_quoted(struct buf *b, const char *s, size_t n)
{
	buf_char(b, '"');
	buf_add(b, s, n);
	buf_char(b, '"');
}

void line_begin(struct buf *b, const char *event)
{
	buf_str(b, "{\"event\":");
	add_quoted(b, event, strlen(event));
}

void line_word(struct buf *b, const char *key, const char *word)
{
	add_key(b, key);
	add_quoted(b, word, strlen(word));
}

void line_id(struct buf *b, const char *key, const struct id *id)
{
	add_key(b, key);
	add_quoted(b, id_hex(id).s, ID_HEX);
}

/* How much of s stands in JSON as it is. */
static size_t plain_size(const char *s)
{
	size_t n = 0;

	while (s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

/* false: s has more to escape than quotation marks, and is there in part. */
static bool add_plain(struct buf *b, const char *s)
{
	size_t n;

	while (n = plain_size(s), s[n] == '"') {
		buf_add(b, s, n);
		buf_add(b, "\\\"", 2);
		s += n + 1;
	}
	buf_add(b, s, n);
	return !s[n];
}

void line_name(struct buf *b, const char *key, const char *s)
{
	size_t from;
	json_t *o;

	add_key(b, key);
	from = b->n;
	buf_char(b, '"');
	if (add_plain(b, s)) {
		buf_char(b, '"');
		return;
	}
	b->n = from;
	o = json_name(s);
	if (json_add(b, o, JSON_ENCODE_ANY) < 0)
		abort();
	json_decref(o);
}

/* Its last decimal digits are written from behind; the least number of digits. */
static void add_digits(struct buf *b, uint64_t v, unsigned least)
{
	char s[24], *p = s + sizeof s;

	for (; v || least; v /= 10, least -= least > 0)
		*--p = (char)('0' + v % 10);
	buf_add(b, p, (size_t)(s + sizeof s - p));
}

void line_int(struct buf *b, const char *key, int64_t v)
{
	add_key(b, key);
	if (v < 0)
		buf_char(b, '-');
	add_digits(b, v < 0 ? -(uint64_t)v : (uint64_t)v, 1);
}

void line_real(struct buf *b, const char *key, double v)
{
	const double least = 1e-3, most = 1e9;
	char s[32];

	add_key(b, key);
	if (!isfinite(v))
		v = 0;
	if (v >= least && v < most) {
		uint64_t millionths = (uint64_t)(v * MILLION + 0.5);

		add_digits(b, millionths / MILLION, 1);
		buf_char(b, '.');
		add_digits(b, millionths % MILLION, DECIMALS);
		for (unsigned i = 1; i < DECIMALS && b->p[b->n - 1] == '0'; i++)
			b->n--;
		return;
	}
	snprintf(s, sizeof s, "%.9g", v);
	buf_str(b, s);
	if (!s[strcspn(s, ".e")])
		buf_str(b, ".0");
}

void line_true(struct buf *b, const char *key)
{
	add_key(b, key);
	buf_str(b, "true");
}

void line_end(struct buf *b)
{
	buf_str(b, "}\n");
}
