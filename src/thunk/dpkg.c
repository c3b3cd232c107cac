/* dpkg.c - readers of dpkg's database: list files, status, diversions
 *
 * All of it is text that other programs write; nothing here trusts it further
 * than that it is lines.
 */
#include <string.h>
#include "closure_private.h"

static bool is_text(struct bytes line)
{
	return line.n && !memchr(line.p, 0, line.n);
}

static struct bytes next_line(struct bytes *rest)
{
	const char *nl = memchr(rest->p, '\n', rest->n);
	struct bytes line = { rest->p, nl ? (size_t)(nl - rest->p) : rest->n };
	size_t taken = line.n + (nl != NULL);

	rest->p += taken;
	rest->n -= taken;
	return line;
}

void dpkg_list_each(struct bytes text, void (*fn)(void *arg, struct bytes path),
		    void *arg)
{
	while (text.n) {
		struct bytes line = next_line(&text);

		if (line.n > 1 && line.p[0] == '/' && is_text(line) &&
		    !bytes_equal(line, bytes_str("/.")))
			fn(arg, line);
	}
}

/* The value of a field, if line is that field. */
static bool is_field(struct bytes line, const char *name, struct bytes *value)
{
	size_t n = strlen(name);

	if (!bytes_start(line, name) || line.n <= n || line.p[n] != ':')
		return false;
	for (n++; n < line.n && line.p[n] == ' '; n++)
		;
	*value = (struct bytes){ line.p + n, line.n - n };
	return true;
}

struct stanza {
	struct bytes package, arch, version;
};

static bool next_stanza(struct bytes *rest, struct stanza *out)
{
	*out = (struct stanza){ 0 };
	while (rest->n) {
		struct bytes line = next_line(rest);

		if (!line.n && out->package.n)
			return true;
		if (!is_field(line, "Package", &out->package) &&
		    !is_field(line, "Architecture", &out->arch))
			is_field(line, "Version", &out->version);
	}
	return out->package.n > 0;
}

const char *dpkg_version(struct bytes status, const char *name, struct arena *a)
{
	const char *colon = strchr(name, ':');
	struct bytes package = { name, colon ? (size_t)(colon - name) : strlen(name) };
	struct stanza s;

	while (next_stanza(&status, &s))
		if (bytes_equal(s.package, package) && is_text(s.version) &&
		    (!colon || bytes_equal(s.arch, bytes_str(colon + 1))))
			return arena_strn(a, s.version.p, s.version.n);
	return NULL;
}

void dpkg_diversions(struct bytes text, struct arena *a, struct diversions *out)
{
	size_t n_lines = 0;

	for (size_t i = 0; i < text.n; i++)
		n_lines += text.p[i] == '\n';
	*out = (struct diversions){ .v = arena_alloc(a, (n_lines / 3 + 1) *
						     sizeof(*out->v)) };
	while (text.n) {
		struct bytes line[3];

		for (int i = 0; i < 3; i++)
			line[i] = next_line(&text);
		if (is_text(line[0]) && is_text(line[1]) && is_text(line[2]) &&
		    *line[0].p == '/' && *line[1].p == '/')
			out->v[out->n++] = (struct diversion){
				.from = arena_strn(a, line[0].p, line[0].n),
				.to = arena_strn(a, line[1].p, line[1].n),
				.by = arena_strn(a, line[2].p, line[2].n),
			};
	}
}
