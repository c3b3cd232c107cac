/* csv.c - tables with commas (RFC 4180), semicolons or tabs; numbers and words
 *
 * A column whose every cell is a number is one feature.  A column with words is
 * hashed to features or spread over one for each word, as asked; the label's
 * words are numbered in order of appearance.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "formats.h"

static const char utf8_mark[] = "\xef\xbb\xbf";

enum { COLUMNS_MAX = 1 << 16, CELLS_MAX = 1 << 28 };

struct column {
	bool has_words;
	struct map words;               /* word -> its number + 1 */
	const char **names;
	size_t n_words, first;          /* first: its first feature */
};

struct sheet {
	struct bytes b;
	const char *path;
	struct arena *a;
	struct err *e;
	char separator;
	const char **cells;             /* row by row */
	size_t *lines;                  /* where each row begins */
	size_t n_rows, n_columns, n_cells, room;
	struct column *columns;
};

static int bad(struct sheet *s, size_t line, const char *what)
{
	return err_set(s->e, ERR_BAD, "%s:%zu: %s", s->path, line, what);
}

static void add_cell(struct sheet *s, const char *cell)
{
	if (s->n_cells == s->room) {
		s->room = s->room ? 2 * s->room : 1024;
		s->cells = mem_grow(s->cells, s->room * sizeof *s->cells);
	}
	s->cells[s->n_cells++] = cell;
}

/* What parts the first line into most cells; of two semicolons or tabs, as commas
 * may be those of decimals. */
static char find_separator(struct bytes b)
{
	static const char all[] = ",;\t";
	size_t counts[sizeof all] = { 0 }, best = 0;
	bool is_quoted = false, is_begun = false;

	for (size_t i = 0; i < b.n && !(b.p[i] == '\n' && is_begun && !is_quoted); i++) {
		const char *c = b.p[i] ? strchr(all, b.p[i]) : NULL;

		is_quoted ^= b.p[i] == '"';
		is_begun |= b.p[i] != '\n' && b.p[i] != '\r';
		if (c && !is_quoted)
			counts[c - all]++;
	}
	for (size_t k = 1; k < sizeof all - 1; k++)
		if (counts[k] && counts[k] >= counts[best])
			best = k;
	return all[best];
}

/* A cell from p on; what is behind it comes back. */
static const char *read_cell(struct sheet *s, const char *p, const char *end, char **out)
{
	char *to = NULL;
	const char *from = p;

	if (p == end || *p != '"') {
		while (p < end && *p != s->separator && *p != '\n')
			p++;
		to = arena_strn(s->a, from, (size_t)(p - from));
		if (p > from && p[-1] == '\r')
			to[p - from - 1] = 0;
		*out = to;
		return p;
	}
	to = arena_alloc(s->a, (size_t)(end - p) < 4096 ? (size_t)(end - p) + 1 : 4097);
	*out = to;
	for (p++; p < end && to - *out < 4096; p++) {
		if (*p == '"' && (p + 1 == end || p[1] != '"')) {
			*to = 0;
			p++;
			return p < end && *p == '\r' ? p + 1 : p;
		}
		p += *p == '"';
		*to++ = *p;
	}
	return NULL;
}

static int read_cells(struct sheet *s)
{
	const char *p = s->b.p, *end = p + s->b.n;
	size_t line = 1, in_row = 0;

	while (p < end) {
		const char *from = p;
		char *cell;

		if (in_row == 0 && (*p == '\n' || (*p == '\r' && p + 1 < end && p[1] == '\n'))) {
			p += *p == '\r' ? 2 : 1;
			line++;
			continue;
		}
		p = read_cell(s, p, end, &cell);
		if (!p || (p < end && *p != s->separator && *p != '\n'))
			return bad(s, line, "a quoted cell does not end well");
		for (; from < p; from++)
			line += *from == '\n';
		add_cell(s, cell);
		if (++in_row > COLUMNS_MAX || s->n_cells > CELLS_MAX)
			return bad(s, line, "there are too many cells");
		if (p < end && *p == s->separator) {
			p++;
			continue;
		}
		p += p < end;
		if (!s->n_rows)
			s->n_columns = in_row;
		if (in_row != s->n_columns)
			return err_set(s->e, ERR_BAD, "%s:%zu: has %zu cells, the first line "
				       "%zu", s->path, line, in_row, s->n_columns);
		s->lines = mem_grow(s->lines, (s->n_rows + 1) * sizeof *s->lines);
		s->lines[s->n_rows++] = line++;
		in_row = 0;
	}
	if (s->n_cells != s->n_rows * s->n_columns || !s->n_cells)
		return bad(s, line, s->n_cells ? "the last line is cut" : "there is nothing");
	return 0;
}

static bool number(const char *s, float *out)
{
	char *end;
	double v = strtod(s, &end);

	end += strspn(end, " \t");
	*out = (float)v;
	return end != s && !*end && isfinite((double)*out);
}

/* Nothing, what stands for it, or what no float holds: 1e400, Infinity. */
static bool is_not_a_number(const char *s)
{
	static const char *const words[] = { "", "NA", "?" };
	char *end;

	strtod(s, &end);
	if (end != s && !end[strspn(end, " \t")])
		return true;
	s += strspn(s, " \t");
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(s, words[i]) == 0)
			return true;
	return false;
}

static size_t word_number(struct column *c, const char *word)
{
	void **at = map_at(&c->words, bytes_str(word));

	if (!*at) {
		c->names = mem_grow(c->names, (c->n_words + 1) * sizeof *c->names);
		c->names[c->n_words++] = word;
		*at = (void *)(uintptr_t)c->n_words;
	}
	return (size_t)(uintptr_t)*at - 1;
}

/* Which column is the label: its number, n_columns for none, or -1. */
static int find_label(struct sheet *s, const struct csv_opts *o, bool has_header,
		      size_t *out)
{
	char *end;
	unsigned long v;

	*out = s->n_columns;
	if (!o->label)
		return 0;
	v = strtoul(o->label, &end, 10);
	if (strcmp(o->label, "first") == 0)
		*out = 0;
	else if (strcmp(o->label, "last") == 0)
		*out = s->n_columns - 1;
	else if (!*end && v >= 1 && v <= s->n_columns)
		*out = v - 1;
	for (size_t i = 0; has_header && i < s->n_columns; i++)
		if (strcmp(s->cells[i], o->label) == 0)
			*out = i;
	return *out < s->n_columns ? 0 :
	       err_set(s->e, ERR_BAD, "%s: has no column %s", s->path, o->label);
}

static uint32_t hash_word(const char *s, size_t column)
{
	uint32_t h = 2166136261u ^ (uint32_t)column;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h ^ h >> 15;
}

/* The row and column of a cell that cannot be used, and why. */
static int bad_cell(struct sheet *s, size_t i, const char *why)
{
	char word[41] = "";

	for (size_t k = 0; k < sizeof word - 1 && s->cells[i][k]; k++)
		word[k] = (unsigned char)s->cells[i][k] < ' ' ? ' ' : s->cells[i][k];
	return err_set(s->e, ERR_BAD, "%s:%zu: column %zu is \"%s\"%s", s->path,
		       s->lines[i / s->n_columns], i % s->n_columns + 1, word, why);
}

/* See which columns have words, and give each column its features. */
static int plan(struct sheet *s, const struct csv_opts *o, size_t first_row, size_t label,
		size_t *features)
{
	float unused;

	for (size_t i = first_row * s->n_columns; i < s->n_cells; i++) {
		struct column *c = &s->columns[i % s->n_columns];

		if (number(s->cells[i], &unused))
			continue;
		if (is_not_a_number(s->cells[i]))
			return bad_cell(s, i, ", no finite number");
		if (i % s->n_columns == label && o->wants_targets)
			return bad_cell(s, i, ", no number as targets are");
		if (i % s->n_columns != label && !o->hash_bits && !o->one_hot)
			return bad_cell(s, i, ", a word; --one-hot or --hash BITS make "
					"numbers of words");
		c->has_words = true;
	}
	for (size_t i = first_row * s->n_columns; i < s->n_cells; i++)
		if (s->columns[i % s->n_columns].has_words)
			word_number(&s->columns[i % s->n_columns], s->cells[i]);
	for (size_t k = 0; k < s->n_columns; k++) {
		struct column *c = &s->columns[k];

		c->first = *features;
		if (k != label && (!c->has_words || o->one_hot))
			*features += c->has_words ? c->n_words : 1;
	}
	*features += o->hash_bits && !o->one_hot ? (size_t)1 << o->hash_bits : 0;
	return 0;
}

static void fill_row(struct sheet *s, const struct csv_opts *o, size_t label,
		     const char **cells, struct table *out, size_t row)
{
	float *x = out->x + row * out->features, v;
	size_t hashed = out->features - ((size_t)1 << o->hash_bits);

	for (size_t k = 0; k < s->n_columns; k++) {
		struct column *c = &s->columns[k];

		number(cells[k], &v);
		if (k == label)
			out->y[row] = c->has_words ?
				      (float)word_number(c, cells[k]) : v;
		else if (!c->has_words)
			x[c->first] = v;
		else if (o->one_hot)
			x[c->first + word_number(c, cells[k])] = 1.0f;
		else
			x[hashed + hash_word(cells[k], k) % (1u << o->hash_bits)] += 1.0f;
	}
}

static int fill(struct sheet *s, const struct csv_opts *o, size_t first_row, size_t label,
		struct table *out)
{
	size_t features = 0;

	if (plan(s, o, first_row, label, &features) < 0)
		return -1;
	out->n = s->n_rows - first_row;
	out->features = features;
	if (!features)
		return err_set(s->e, ERR_BAD, "%s: has no column but the label: cells are "
			       "parted by commas, semicolons or tabs", s->path);
	if (!out->n || out->n > ((size_t)1 << 34) / features)
		return err_set(s->e, ERR_BAD, "%s: %zu examples of %zu features", s->path,
			       out->n, features);
	out->x = arena_alloc(s->a, out->n * features * sizeof *out->x);
	memset(out->x, 0, out->n * features * sizeof *out->x);
	out->y = label < s->n_columns ? arena_alloc(s->a, out->n * sizeof *out->y) : NULL;
	for (size_t i = 0; i < out->n; i++)
		fill_row(s, o, label, s->cells + (first_row + i) * s->n_columns, out, i);
	if (label < s->n_columns && s->columns[label].has_words) {
		out->n_names = s->columns[label].n_words;
		out->names = arena_alloc(s->a, out->n_names * sizeof *out->names);
		memcpy(out->names, s->columns[label].names, out->n_names * sizeof *out->names);
	}
	return 0;
}

/* The first line is a header if none of its cells is a number. */
static bool begins_with_words(const struct sheet *s)
{
	float unused;

	for (size_t i = 0; i < s->n_columns; i++)
		if (number(s->cells[i], &unused))
			return false;
	return s->n_rows > 1;
}

int csv_read(struct bytes b, const char *path, const struct csv_opts *o,
	     struct arena *a, struct table *out, struct err *e)
{
	struct sheet s = { .b = b, .path = path, .a = a, .e = e };
	size_t label = 0;
	const char *zero;
	bool has_header;
	int rc;

	*out = (struct table){ 0 };
	/* Excel begins its files so; it is part of no cell. */
	if (bytes_start(b, utf8_mark))
		s.b = (struct bytes){ b.p + strlen(utf8_mark), b.n - strlen(utf8_mark) };
	if (o->hash_bits > 24)
		return err_set(e, ERR_BAD, "--hash wants 24 bits at most");
	zero = memchr(b.p, 0, b.n);
	if (zero)
		return err_set(e, ERR_BAD, "%s: offset %zu: has a byte 0, so it is no text, "
			       "and begins as no IDX or npy file", path,
			       (size_t)(zero - b.p));
	s.separator = find_separator(s.b);
	rc = read_cells(&s);
	if (rc == 0) {
		has_header = o->has_header || begins_with_words(&s);
		s.columns = mem_alloc(s.n_columns * sizeof *s.columns);
		memset(s.columns, 0, s.n_columns * sizeof *s.columns);
		rc = find_label(&s, o, has_header, &label);
		if (rc == 0)
			rc = fill(&s, o, has_header, label, out);
		for (size_t k = 0; k < s.n_columns; k++) {
			map_release(&s.columns[k].words);
			free(s.columns[k].names);
		}
		free(s.columns);
	}
	free(s.cells);
	free(s.lines);
	return rc;
}
