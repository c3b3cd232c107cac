/* prices.c - what places charge, from a table that people may edit */
#include "prices.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "quantity.h"

enum { FILE_MAX = 1 << 20, WORDS = 4 };

/* List prices of us-east-1, November 2025, without the free tier. */
static const struct price built_in[] = {
	{ "lambda", "*", "gb-second", 0.0000166667 },
	{ "lambda", "*", "gb-second-arm64", 0.0000133334 },
	{ "lambda", "*", "request", 0.0000002 },
};

/* The next word of line; at its end or at a comment an empty one. */
static struct bytes next_word(struct bytes *line)
{
	struct bytes w;
	size_t n = 0;

	while (line->n && (*line->p == ' ' || *line->p == '\t' || *line->p == '\r')) {
		line->p++;
		line->n--;
	}
	while (n < line->n && !strchr(" \t\r", line->p[n]))
		n++;
	if (n && line->p[0] == '#')
		n = line->n = 0;
	w = (struct bytes){ line->p, n };
	line->p += n;
	line->n -= n;
	return w;
}

/* 1 a price, 0 nothing in this line. */
static int read_line(struct bytes line, struct arena *a, struct price *out, struct err *e)
{
	const char *words[WORDS + 1];
	size_t n = 0;

	if (memchr(line.p, 0, line.n))
		return err_set(e, ERR_BAD, "a NUL");
	while (n <= WORDS) {
		struct bytes w = next_word(&line);

		if (!w.n)
			break;
		words[n++] = arena_strn(a, w.p, w.n);
	}
	if (!n)
		return 0;
	if (n != WORDS)
		return err_set(e, ERR_BAD, "say PLACE REGION UNIT DOLLARS, as in \"lambda * "
			       "gb-second 0.0000166667\"");
	*out = (struct price){ words[0], words[1], words[2], 0 };
	if (!quantity_number(words[3], &out->dollars))
		return err_set(e, ERR_BAD, "\"%.80s\" is no amount of dollars", words[3]);
	return 1;
}

int prices_read(struct bytes text, struct arena *a, struct prices *out, struct err *e)
{
	size_t n_lines = 1, number = 0;
	struct price *v;

	for (size_t i = 0; i < text.n; i++)
		n_lines += text.p[i] == '\n';
	v = arena_alloc(a, n_lines * sizeof *v);
	*out = (struct prices){ v, 0 };
	while (text.n) {
		const char *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;
		int rc = read_line((struct bytes){ text.p, n }, a, &v[out->n], e);

		number++;
		if (rc < 0)
			return err_wrap(e, "line %zu", number);
		out->n += (size_t)rc;
		text.p += n + (end != NULL);
		text.n -= n + (end != NULL);
	}
	return 0;
}

int prices_load(const char *root, const char *file, struct arena *a, struct prices *out,
		struct err *e)
{
	const char *path = file ? file : arena_printf(a, "%s/" PRICES_FILE, root);
	struct bytes text;

	*out = (struct prices){ NULL, 0 };
	if (file_read(AT_FDCWD, path, FILE_MAX, a, &text, e) < 0)
		return !file && e->code == ERR_MISSING ? 0 : -1;
	return prices_read(text, a, out, e) < 0 ? err_wrap(e, "%s", path) : 0;
}

/* The last that fits best. */
static const struct price *find(const struct price *v, size_t n, const char *place,
				const char *region, const char *unit)
{
	const struct price *best = NULL;

	for (size_t i = 0; i < n; i++) {
		bool is_exact = strcmp(v[i].region, region) == 0;

		if (strcmp(v[i].place, place) != 0 || strcmp(v[i].unit, unit) != 0 ||
		    (!is_exact && strcmp(v[i].region, "*") != 0))
			continue;
		if (is_exact || !best || strcmp(best->region, "*") == 0)
			best = &v[i];
	}
	return best;
}

double price_of(const struct prices *p, const char *place, const char *region,
		const char *unit)
{
	const struct price *found = find(p->v, p->n, place, region, unit);

	if (!found)
		found = find(built_in, sizeof built_in / sizeof *built_in, place, region, unit);
	return found ? found->dollars : 0;
}
