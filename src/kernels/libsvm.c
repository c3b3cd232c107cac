/* libsvm.c - LABEL INDEX:VALUE... lines, as svm-train and xgboost read them */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "formats.h"

enum { FEATURES_MAX = 1 << 24, LINE_MAX_BYTES = 1 << 20 };

struct reader {
	struct bytes b;
	const char *path;
	size_t at, line;
	struct err *e;
};

static int bad(struct reader *r, const char *what)
{
	return err_set(r->e, ERR_BAD, "%s:%zu: %s", r->path, r->line, what);
}

/* The next line as text of its own, without comments; 0 at the end. */
static int next_line(struct reader *r, char *out)
{
	const char *p = r->b.p + r->at, *end;
	size_t n;

	if (r->at >= r->b.n)
		return 0;
	end = memchr(p, '\n', r->b.n - r->at);
	n = end ? (size_t)(end - p) : r->b.n - r->at;
	r->at += n + 1;
	r->line++;
	if (n >= LINE_MAX_BYTES)
		return bad(r, "the line is longer than a megabyte");
	memcpy(out, p, n);
	out[n] = 0;
	out[strcspn(out, "#")] = 0;
	return 1;
}

/* One line: into x and y if they are there, else only to count features. */
static int read_line(struct reader *r, char *s, float *y, float *x, size_t *features,
		     size_t limit)
{
	char *end;
	double label = strtod(s, &end);
	unsigned long last = 0;

	if (end == s || !isfinite((float)label))
		return bad(r, "does not begin with a label that is a number");
	if (y)
		*y = (float)label;
	for (s = end; *(s += strspn(s, " \t\r")); s = end) {
		unsigned long i = strtoul(s, &end, 10);
		double v;

		if (end == s || *end != ':')
			return bad(r, "wants INDEX:VALUE");
		s = end + 1;
		v = strtod(s, &end);
		if (end == s || !isfinite((float)v))
			return bad(r, "a value is no finite number");
		if (i == 0)
			return bad(r, "an index is 0, they begin with 1 (scikit-learn's "
				   "dump_svmlight_file wants zero_based=False)");
		if (i <= last || i > limit)
			return bad(r, i <= last ? "indices must rise" :
				   "an index is larger than the number of features");
		last = i;
		if (x)
			x[i - 1] = (float)v;
		if (i > *features)
			*features = i;
	}
	return 0;
}

static bool is_blank(const char *s)
{
	return !s[strspn(s, " \t\r\n")];
}

/* Where the next line begins, or the end. */
static size_t line_after(struct bytes b, size_t at)
{
	const char *end = memchr(b.p + at, '\n', b.n - at);

	return end ? (size_t)(end - b.p) + 1 : b.n;
}

/* An example without features, all of which are 0, says nothing yet. */
bool libsvm_is(struct bytes b)
{
	for (size_t at = 0, next; at < b.n; at = next) {
		char head[64], *s;
		size_t n;

		next = line_after(b, at);
		n = next - at < sizeof head - 1 ? next - at : sizeof head - 1;
		memcpy(head, b.p + at, n);
		head[n] = 0;
		head[strcspn(head, "#")] = 0;
		if (is_blank(head))
			continue;
		strtod(head, &s);
		if (s == head || !strchr(" \t\r\n", *s))
			return false;
		s += strspn(s, " \t\r\n");
		if (*s)
			return s[strcspn(s, " ,;:\t\n")] == ':' && *s != ':';
	}
	return false;
}

int libsvm_read(struct bytes b, const char *path, size_t features, struct arena *a,
		struct table *out, struct err *e)
{
	struct reader r = { b, path, 0, 0, e };
	size_t limit = features ? features : FEATURES_MAX, most = 0, row = 0;
	char *line = mem_alloc(LINE_MAX_BYTES + 1);
	int rc;

	*out = (struct table){ 0 };
	while ((rc = next_line(&r, line)) > 0) {
		if (is_blank(line))
			continue;
		if (read_line(&r, line, NULL, NULL, &most, limit) < 0) {
			rc = -1;
			break;
		}
		out->n++;
	}
	out->features = features ? features : most;
	if (rc == 0 && (out->n == 0 || out->features == 0))
		rc = err_set(e, ERR_BAD, "%s: holds no examples", path);
	if (rc == 0 && out->n > ((size_t)1 << 34) / out->features)
		rc = err_set(e, ERR_REFUSED, "%s: %zu x %zu numbers are too many; hash or "
			     "cut the features", path, out->n, out->features);
	if (rc == 0) {
		out->x = arena_alloc(a, out->n * out->features * sizeof *out->x);
		memset(out->x, 0, out->n * out->features * sizeof *out->x);
		out->y = arena_alloc(a, out->n * sizeof *out->y);
		r.at = r.line = 0;
		while (next_line(&r, line) > 0)
			if (!is_blank(line)) {
				read_line(&r, line, out->y + row,
					  out->x + row * out->features, &most, limit);
				row++;
			}
	}
	free(line);
	return rc < 0 ? -1 : 0;
}
