/* makerules.c - the dependencies that compilers print as make rules
 *
 * GNU make's quoting is odd, and compilers follow it just so far: a blank
 * after 2N+1 backslashes is N backslashes and the blank, after 2N it ends the
 * name; `\#` and `\:` are the mark itself, `$$` a dollar; a backslash before
 * anything else is a backslash.  A rule's targets end at the first colon that
 * a blank or the line's end follows.
 */
#include <string.h>
#include "model.h"

struct scan {
	const char *p, *end;
	size_t line;
	struct buf name;        /* the one that is being read */
	struct map seen;
	struct arena *a;
	struct strs *out;
	bool is_rule;           /* past the colon */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void repeat(struct buf *b, char c, size_t n)
{
	while (n--)
		buf_char(b, c);
}

/* A run of backslashes and what it does to the next byte.  true: the name
 * ends here. */
static bool take_backslashes(struct scan *s)
{
	size_t n = strspn(s->p, "\\");
	const char *next = s->p + n;
	bool is_crlf = s->end - next > 1 && next[0] == '\r' && next[1] == '\n';

	s->p = next;
	if (next == s->end) {
		repeat(&s->name, '\\', n);
	} else if (*next == '\n' || is_crlf) {
		repeat(&s->name, '\\', n - 1);
		s->p += 1 + is_crlf;
		s->line++;
		return true;
	} else if (is_blank(*next)) {
		repeat(&s->name, '\\', n / 2);
		if (n % 2 == 0)
			return true;
		buf_char(&s->name, *s->p++);
	} else if (*next == '#' || *next == ':') {
		repeat(&s->name, '\\', n - 1);
		buf_char(&s->name, *s->p++);
	} else {
		repeat(&s->name, '\\', n);
	}
	return false;
}

/* The colon that ends the targets? */
static bool is_end_of_targets(const struct scan *s)
{
	const char *next = s->p + 1;

	if (s->is_rule || *s->p != ':')
		return false;
	return next == s->end || is_blank(*next) || *next == '\n' ||
	       (*next == '\\' && s->end - next > 1 && (next[1] == '\n' || next[1] == '\r'));
}

/* Bytes of one name into s->name, until what ends it. */
static void take_name(struct scan *s)
{
	buf_reset(&s->name);
	while (s->p < s->end && !is_blank(*s->p) && *s->p != '\n' && !is_end_of_targets(s)) {
		if (*s->p == '\\') {
			if (take_backslashes(s))
				return;
			continue;
		}
		if (*s->p == '$' && s->end - s->p > 1 && s->p[1] == '$')
			s->p++;
		buf_char(&s->name, *s->p++);
	}
}

static void keep_name(struct scan *s)
{
	struct bytes key = buf_bytes(&s->name);
	void **slot;

	if (!s->is_rule || !s->name.n || map_get(&s->seen, key))
		return;
	key.p = arena_strn(s->a, key.p, key.n);
	slot = map_at(&s->seen, key);
	*slot = (void *)(uintptr_t)key.p;
	strs_add(s->out, key.p);
}

/* One rule, its continued lines included; the names before the colon are
 * read and let go. */
static int take_rule(struct scan *s, struct err *e)
{
	size_t line = s->line;
	bool has_names = false;

	s->is_rule = false;
	while (s->p < s->end && *s->p != '\n') {
		if (is_blank(*s->p)) {
			s->p++;
			continue;
		}
		if (is_end_of_targets(s)) {
			s->is_rule = true;
			s->p++;
			continue;
		}
		take_name(s);
		has_names |= s->name.n > 0;
		keep_name(s);
	}
	s->p += s->p < s->end;
	s->line++;
	if (has_names && !s->is_rule)
		return err_set(e, ERR_BAD, "line %zu of the make rules has no colon after a target",
			       line);
	return 0;
}

int scan_parse(struct bytes rules, struct arena *a, struct strs *out,
	       struct err *e)
{
	struct scan s = { .line = 1, .a = a, .out = out };
	int rc = 0;

	if (rules.n && memchr(rules.p, '\0', rules.n))
		return err_set(e, ERR_BAD, "a NUL byte in the make rules");
	/* A terminator, so that strspn ends. */
	s.p = arena_strn(a, rules.n ? rules.p : "", rules.n);
	s.end = s.p + rules.n;
	while (rc == 0 && s.p < s.end) {
		if (*s.p != '#') {
			rc = take_rule(&s, e);
			continue;
		}
		s.p += strcspn(s.p, "\n");
		s.p += s.p < s.end;
		s.line++;
	}
	buf_release(&s.name);
	map_release(&s.seen);
	return rc;
}
