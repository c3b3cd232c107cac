/* pip.c - readers of what pip leaves beside the modules it installs
 *
 * A folder NAME-VERSION.dist-info with a RECORD: comma-separated values, the
 * path first, in quotes where it has odd bytes.  Older: NAME-VERSION.egg-info
 * with installed-files.txt, a path on each line.
 */
#include <string.h>
#include "closure_private.h"

/* The first value of a line of csv; what follows the closing quote is not
 * looked at. */
static const char *first_value(struct bytes line, struct arena *a)
{
	const char *comma;
	char *out, *to;

	if (!line.n || *line.p != '"') {
		comma = memchr(line.p, ',', line.n);
		return arena_strn(a, line.p, comma ? (size_t)(comma - line.p) : line.n);
	}
	out = to = arena_alloc(a, line.n + 1);
	for (size_t i = 1; i < line.n; i++) {
		if (line.p[i] == '"' && (i + 1 == line.n || line.p[i + 1] != '"'))
			break;
		i += line.p[i] == '"';
		*to++ = line.p[i];
	}
	return out;
}

void pip_record_each(struct bytes text, struct arena *a,
		     void (*fn)(void *arg, const char *path), void *arg)
{
	while (text.n) {
		const char *nl = memchr(text.p, '\n', text.n), *path;
		struct bytes line = { text.p, nl ? (size_t)(nl - text.p) : text.n };

		text.p += line.n + (nl != NULL);
		text.n -= line.n + (nl != NULL);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (!line.n || memchr(line.p, 0, line.n))
			continue;
		path = first_value(line, a);
		if (*path)
			fn(arg, path);
	}
}

/* As pip compares names: any run of - _ . is one dash, and case is no matter. */
static const char *normal_name(const char *s, size_t n, struct arena *a)
{
	char *out = arena_alloc(a, n + 1), *to = out;

	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c == '_' || c == '.')
			c = '-';
		if (c != '-' || (to > out && to[-1] != '-'))
			*to++ = c;
	}
	return out;
}

bool pip_dist_name(const char *folder, struct arena *a, const char **name,
		   const char **version)
{
	const char *end = strstr(folder, ".dist-info");
	const char *dash;

	if (!end)
		end = strstr(folder, ".egg-info");
	if (!end || strcmp(end, end[1] == 'd' ? ".dist-info" : ".egg-info") != 0)
		return false;
	for (dash = end; dash > folder && *dash != '-'; dash--)
		;
	if (dash == folder)
		dash = end;
	/* numpy-1.24-py3.11.egg-info */
	if (end[1] == 'e' && strncmp(dash, "-py", 3) == 0) {
		const char *last = dash;

		for (dash--; dash > folder && *dash != '-'; dash--)
			;
		if (dash == folder)
			dash = last;
		end = last;
	}
	if (dash == folder || strchr(folder, '/'))
		return false;
	*name = normal_name(folder, (size_t)(dash - folder), a);
	*version = dash < end ? arena_strn(a, dash + 1, (size_t)(end - dash - 1)) : "";
	return **name != '\0';
}
