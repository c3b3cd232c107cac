/* ptx_words.c - a PTX text as words */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ptx_read.h"

int fault_set(struct fault *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(f->text, sizeof f->text, format, args);
	va_end(args);
	return -1;
}

int at_line(struct fault *f, const struct token *t, const char *what)
{
	return fault_set(f, "PTX line %u: \"%.*s\" %s", t->line, (int)t->n, t->s, what);
}

bool token_is(const struct token *t, const char *s)
{
	return strlen(s) == t->n && memcmp(t->s, s, t->n) == 0;
}

void *grown(void *p, size_t n, size_t size)
{
	if (n & (n - 1) || (n && n < 16))
		return p;
	p = realloc(p, (n ? 2 * n : 16) * size);
	if (!p)
		abort();
	return p;
}

static const char *past_space(struct reader *r)
{
	const char *s = r->at;

	for (;; s++) {
		if (s[0] == '/' && s[1] == '/')
			s += strcspn(s, "\n");
		if (*s == '\n')
			r->line++;
		else if (*s != ' ' && *s != '\t' && *s != '\r')
			return s;
	}
}

static void advance(struct reader *r)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_$%.";
	const char *s = past_space(r);
	size_t n = strspn(s, letters);

	if (*s == '-')
		n = 1 + strspn(s + 1, letters);
	if (*s == '"') {
		n = 1 + strcspn(s + 1, "\"\n");
		n += s[n] == '"';
	}
	if (!n && *s)
		n = 1;
	r->now = (struct token){ s, n, r->line };
	r->at = s + n;
}

struct token ptx_take(struct reader *r)
{
	struct token t = r->now;

	advance(r);
	return t;
}

bool ptx_took(struct reader *r, const char *s)
{
	bool is_it = token_is(&r->now, s);

	if (is_it)
		advance(r);
	return is_it;
}

int ptx_want(struct reader *r, const char *s)
{
	return ptx_took(r, s) ? 0 : at_line(r->fault, &r->now, "is not expected here");
}

int ptx_number(struct reader *r, uint32_t *out)
{
	struct token t = ptx_take(r);
	char *end;

	*out = (uint32_t)strtoul(t.s, &end, 10);
	return end == t.s + t.n && t.n ? 0 : at_line(r->fault, &t, "is no number");
}

void ptx_begin(struct reader *r)
{
	advance(r);
}
