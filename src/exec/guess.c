/* guess.c - why a thunk may give other bytes each time
 *
 * Only the first difference is looked at, and the whole where that tells more:
 * the same lines in another order.  A guess that does not fit is worse than
 * none, so each asks for what is hardly there by chance.
 */
#include "guess.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AROUND = 40, DAY_S = 86400, LINES_MAX = 1 << 20 };

/* What stands around the difference in each. */
struct look {
	struct bytes x, y;              /* whole */
	size_t at;
	char near[2][2 * AROUND + 1];
	int64_t now_s;
};

static void copy_near(char *to, struct bytes b, size_t at)
{
	size_t from = at > AROUND ? at - AROUND : 0;
	size_t n = b.n > from ? b.n - from : 0;

	n = n < 2 * AROUND ? n : 2 * AROUND;
	memcpy(to, b.p + from, n);
	to[n] = 0;
	for (size_t i = 0; i < n; i++)
		to[i] = to[i] ? to[i] : ' ';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The run of characters of a kind around the difference, in file i. */
static struct bytes run_around(const struct look *l, int i, const char *kind)
{
	const struct bytes b = i ? l->y : l->x;
	size_t from = l->at < b.n ? l->at : b.n, to = from;

	while (from > 0 && b.p[from - 1] && strchr(kind, b.p[from - 1]) && l->at - from < 64)
		from--;
	while (to < b.n && b.p[to] && strchr(kind, b.p[to]) && to - l->at < 64)
		to++;
	return (struct bytes){ b.p + from, to - from };
}

static double number_of(struct bytes b)
{
	char text[80];
	size_t n = b.n < sizeof text - 1 ? b.n : sizeof text - 1;

	memcpy(text, b.p, n);
	text[n] = 0;
	return strtod(text, NULL);
}

static bool is_now(const struct look *l, double s)
{
	return fabs(s - (double)l->now_s) < DAY_S || fabs(s / 1e3 - (double)l->now_s) < DAY_S ||
	       fabs(s / 1e6 - (double)l->now_s) < DAY_S ||
	       fabs(s / 1e9 - (double)l->now_s) < DAY_S;
}

/* hh:mm:ss or yyyy-mm-dd */
static bool has_clock(const char *s)
{
	for (; *s; s++) {
		if (is_digit(s[0]) && is_digit(s[1]) && s[2] == ':' && is_digit(s[3]) &&
		    is_digit(s[4]) && s[5] == ':' && is_digit(s[6]))
			return true;
		if (s[0] == '2' && s[1] == '0' && is_digit(s[2]) && is_digit(s[3]) &&
		    s[4] == '-' && is_digit(s[5]) && is_digit(s[6]) && s[7] == '-')
			return true;
	}
	return false;
}

static bool has_time_word(const struct look *l, size_t bytes)
{
	for (size_t back = 0; back < bytes && back <= l->at; back++) {
		size_t at = l->at - back;
		uint32_t w[2] = { 0 };

		if (at + 4 > l->x.n || at + 4 > l->y.n)
			continue;
		memcpy(&w[0], l->x.p + at, 4);
		memcpy(&w[1], l->y.p + at, 4);
		if (fabs((double)w[0] - (double)l->now_s) < DAY_S &&
		    fabs((double)w[1] - (double)l->now_s) < DAY_S)
			return true;
	}
	return false;
}

static bool is_time(const struct look *l)
{
	struct bytes a = run_around(l, 0, "0123456789."), b = run_around(l, 1, "0123456789.");

	if (a.n >= 10 && b.n >= 10 && is_now(l, number_of(a)) && is_now(l, number_of(b)))
		return true;
	return (has_clock(l->near[0]) && has_clock(l->near[1])) || has_time_word(l, 4);
}

static bool is_address(const struct look *l)
{
	static const char hex[] = "0123456789abcdefx";
	struct bytes a = run_around(l, 0, hex), b = run_around(l, 1, hex);

	return a.n >= 12 && b.n >= 12 && bytes_start(a, "0x") && bytes_start(b, "0x");
}

static bool is_temporary(const struct look *l)
{
	return (strstr(l->near[0], "/tmp/") && strstr(l->near[1], "/tmp/")) ||
	       (strstr(l->near[0], "/proc/") && strstr(l->near[1], "/proc/"));
}

static int by_text(const void *a, const void *b)
{
	const struct bytes *x = a, *y = b;
	int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return order ? order : x->n < y->n ? -1 : x->n > y->n;
}

/* The parts between separators, sorted; NULL when there are too many. */
static struct bytes *parts_of(struct bytes b, char separator, size_t *n)
{
	struct bytes *v;
	size_t room = 1;

	for (size_t i = 0; i < b.n; i++)
		room += b.p[i] == separator;
	if (room > LINES_MAX)
		return NULL;
	v = mem_alloc(room * sizeof *v);
	*n = 0;
	for (size_t i = 0, from = 0; i <= b.n; i++)
		if (i == b.n || b.p[i] == separator) {
			v[(*n)++] = (struct bytes){ b.p + from, i - from };
			from = i + 1;
		}
	qsort(v, *n, sizeof *v, by_text);
	return v;
}

static bool same_parts(struct bytes x, struct bytes y, char separator)
{
	size_t n = 0, m = 0;
	struct bytes *v, *w = NULL;
	bool is_same;

	if (x.n != y.n)
		return false;
	v = parts_of(x, separator, &n);
	if (v)
		w = parts_of(y, separator, &m);
	is_same = w && n == m && n > 1;
	for (size_t i = 0; is_same && i < n; i++)
		is_same = bytes_equal(v[i], w[i]);
	free(v);
	free(w);
	return is_same;
}

static struct bytes line_at(struct bytes b, size_t at)
{
	size_t from = at < b.n ? at : b.n, to = from;

	while (from > 0 && b.p[from - 1] != '\n')
		from--;
	while (to < b.n && b.p[to] != '\n')
		to++;
	return (struct bytes){ b.p + from, to - from };
}

static bool is_lines_reordered(const struct look *l)
{
	return same_parts(l->x, l->y, '\n');
}

static bool is_words_reordered(const struct look *l)
{
	struct bytes a = line_at(l->x, l->at), b = line_at(l->y, l->at);

	return same_parts(a, b, ' ') || same_parts(a, b, ',');
}

/* Numbers that agree in all but their last digits. */
static bool is_rounding(const struct look *l)
{
	static const char kind[] = "0123456789.eE+-";
	struct bytes a = run_around(l, 0, kind), b = run_around(l, 1, kind);
	double x = number_of(a), y = number_of(b);

	return a.n > 6 && memchr(a.p, '.', a.n) && memchr(b.p, '.', b.n) && x != 0 &&
	       fabs(x - y) < 1e-4 * fabs(x);
}

/* The same of binary numbers, 4 or 8 bytes, wherever such a one may begin. */
static bool is_binary_rounding(const struct look *l)
{
	size_t at4 = l->at & ~(size_t)3, at8 = l->at & ~(size_t)7;
	float f[2];
	double d[2];

	if (l->x.n != l->y.n || at8 + 8 > l->x.n)
		return false;
	memcpy(&f[0], l->x.p + at4, 4);
	memcpy(&f[1], l->y.p + at4, 4);
	if (isnormal(f[0]) && fabsf(f[0]) > 1e-6f && fabsf(f[0]) < 1e6f &&
	    fabsf(f[0] - f[1]) < 1e-4f * fabsf(f[0]))
		return true;
	memcpy(&d[0], l->x.p + at8, 8);
	memcpy(&d[1], l->y.p + at8, 8);
	return isnormal(d[0]) && fabs(d[0]) > 1e-6 && fabs(d[0]) < 1e6 &&
	       fabs(d[0] - d[1]) < 1e-9 * fabs(d[0]);
}

static const struct guess {
	bool (*fits)(const struct look *l);
	const char *text;
} guesses[] = {
	{ is_time, "a time: leave it out, or take SOURCE_DATE_EPOCH" },
	{ is_temporary, "a path that is new each time: leave it out" },
	{ is_address, "an address in memory: something is printed that has no name" },
	{ is_lines_reordered, "the order of lines: a set or a hash table with its own seed, or "
	  "threads that write by turns; sort them" },
	{ is_words_reordered, "the order within a line: a set or a hash table with its own seed; "
	  "sort it" },
	{ is_rounding, "how sums are rounded: threads that add in another order; use one "
	  "(OMP_NUM_THREADS=1), or ask the program for deterministic sums" },
	{ is_binary_rounding, "how sums are rounded: threads that add in another order; use one "
	  "(OMP_NUM_THREADS=1), or ask the program for deterministic sums" },
};

const char *guess_cause(struct bytes x, struct bytes y, uint64_t offset, int64_t now_s)
{
	struct look l = { .x = x, .y = y, .at = offset, .now_s = now_s };

	copy_near(l.near[0], x, l.at);
	copy_near(l.near[1], y, l.at);
	for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++)
		if (guesses[i].fits(&l))
			return guesses[i].text;
	return NULL;
}
