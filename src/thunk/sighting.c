/* sighting.c - what is kept of a shape, as text
 *
 *	gg-learned 1
 *	shape NAME
 *	never WHY                       when it must run for real
 *	model TEXT                      its lines, escaped
 *	sighting MILLISECONDS FILES     then, of that sighting:
 *	code ID                         the project's programs that it read
 *	program PATH
 *	arg WORD                        one or more
 *	cwd PATH
 *	root PATH
 *	env NAME=VALUE                  none or more; only what shapes results
 *	set NAME=VALUE                  none or more
 *	std FD KIND BITS PATH           none or more; 1 appends, 2 is shared
 *	at DEEDS SAME REST              in order of path: SAME bytes of the path
 *	                                before it, then REST
 *
 * The text was written by gg, but disks and people are what they are: it is
 * read as if a stranger had written it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "learn_private.h"
#include "text.h"

enum { DEED_ALL = 2 * DEED_EXCLUSIVE - 1, PATH_BYTES = 4096 };

static void put_number(struct buf *out, uint64_t n)
{
	buf_printf(out, "%llu ", (unsigned long long)n);
}

static void put_strings(struct buf *out, const char *keyword, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		text_put(out, keyword, ' ');
		text_put(out, v[i], '\n');
	}
}

static size_t same_bytes(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

static void write_streams(const struct command *c, struct buf *out)
{
	for (unsigned i = 0; i < 3; i++) {
		const struct stream *s = &c->std[i];

		if (s->kind == STREAM_QUIET)
			continue;
		text_put(out, "std", ' ');
		put_number(out, i);
		put_number(out, s->kind);
		put_number(out, s->appends | (unsigned)s->is_shared << 1);
		text_put(out, s->path ? s->path : "", '\n');
	}
}

static void write_sighting(const struct sighting *s, const struct id *code, struct buf *out)
{
	const struct command *c = &s->command;
	const char *before = "";

	text_put(out, "sighting", ' ');
	put_number(out, (uint64_t)(s->seconds > 0 ? s->seconds * 1000 : 0));
	text_put(out, s->takes_files ? "1" : "0", '\n');
	text_put(out, "code", ' ');
	text_put_id(out, code, '\n');
	put_strings(out, "program", &c->program, 1);
	put_strings(out, "arg", c->args, c->n_args);
	put_strings(out, "cwd", &c->cwd, 1);
	put_strings(out, "root", c->root ? &c->root : &c->cwd, 1);
	put_strings(out, "env", c->env, c->n_env);
	put_strings(out, "set", s->set_env, s->n_set_env);
	write_streams(c, out);
	for (size_t i = 0; i < s->n; i++) {
		size_t same = same_bytes(before, s->v[i].path);

		text_put(out, "at", ' ');
		put_number(out, s->v[i].deeds);
		put_number(out, same);
		text_put(out, s->v[i].path + same, '\n');
		before = s->v[i].path;
	}
}

void record_write(const struct record *r, struct buf *out)
{
	static const struct id none = { { 0 } };

	buf_str(out, "gg-learned 1\n");
	put_strings(out, "shape", &r->l.shape, 1);
	if (r->l.never)
		put_strings(out, "never", &r->l.never, 1);
	if (r->l.text.n) {
		char *text = mem_alloc(r->l.text.n + 1);
		const char *model = text;

		memcpy(text, r->l.text.p, r->l.text.n);
		text[r->l.text.n] = '\0';
		put_strings(out, "model", &model, 1);
		free(text);
	}
	for (size_t i = 0; i < r->l.n; i++)
		write_sighting(&r->l.v[i], r->code ? &r->code[i] : &none, out);
}

/* ---- and back */

static int number_of(struct text *t, const char *s, uint64_t most, uint64_t *out)
{
	*out = 0;
	if (!s)
		return -1;
	if (!*s || (*s == '0' && s[1]))
		return text_bad(t, "a plain number must stand here, not \"%s\"", text_show(s).s);
	for (; *s; s++) {
		*out = *out * 10 + (uint64_t)(*s - '0');
		/* most is so small that ten times as much is no overflow. */
		if (*s < '0' || *s > '9' || *out > most)
			return text_bad(t, "a number up to %llu must stand here",
					(unsigned long long)most);
	}
	return 0;
}

static int read_number(struct text *t, uint64_t most, uint64_t *out)
{
	return number_of(t, text_field(t), most, out);
}

static int read_string(struct text *t, const char *keyword, const char **out)
{
	if (text_begin(t, keyword) < 0)
		return -1;
	*out = text_last(t);
	return *out ? 0 : -1;
}

static int read_strings(struct text *t, struct arena *a, const char *keyword,
			const char ***out, size_t *n)
{
	char prefix[16];

	snprintf(prefix, sizeof(prefix), "%s ", keyword);
	*n = text_count(t, prefix);
	*out = arena_alloc(a, (*n + 1) * sizeof(**out));
	for (size_t i = 0; i < *n; i++)
		if (read_string(t, keyword, &(*out)[i]) < 0)
			return -1;
	return 0;
}

static int read_streams(struct text *t, struct command *c)
{
	while (text_at(t, "std")) {
		uint64_t fd, kind, bits;
		const char *path;

		if (text_begin(t, "std") < 0 || read_number(t, 2, &fd) < 0 ||
		    read_number(t, STREAM_PIPE, &kind) < 0 || read_number(t, 3, &bits) < 0 ||
		    !(path = text_last(t)))
			return -1;
		c->std[fd] = (struct stream){
			.kind = (enum stream_kind)kind, .path = path,
			.appends = bits & 1, .is_shared = bits >> 1 };
	}
	return 0;
}

/* Absolute and clean, or plain, or the root. */
static bool is_deed_path(const char *path)
{
	return strcmp(path, "/") == 0 || strcmp(path, ".") == 0 || text_is_absolute(path) ||
	       path_is_plain(path);
}

static int read_deeds(struct text *t, struct arena *a, struct sighting *s)
{
	size_t room = text_count(t, "at ");
	const char *before = "";

	s->v = arena_alloc(a, (room + 1) * sizeof(*s->v));
	while (s->n < room) {
		uint64_t deeds, same;
		const char *rest, *path;

		if (text_begin(t, "at") < 0 || read_number(t, DEED_ALL, &deeds) < 0 ||
		    read_number(t, PATH_BYTES, &same) < 0 || !(rest = text_last(t)))
			return -1;
		if (same > strlen(before) || same + strlen(rest) >= PATH_BYTES)
			return text_bad(t, "more bytes than the path before it has, or a path may");
		path = arena_printf(a, "%.*s%s", (int)same, before, rest);
		if (!is_deed_path(path) || strcmp(before, path) >= 0 || !deeds)
			return text_bad(t, "not a clean path, or out of order: \"%s\"",
					text_show(path).s);
		s->v[s->n++] = (struct deed_at){ path, (unsigned)deeds };
		before = path;
	}
	return 0;
}

static int read_sighting(struct text *t, struct arena *a, struct sighting *s, struct id *code)
{
	struct command *c = &s->command;
	uint64_t ms, files;

	if (text_begin(t, "sighting") < 0 || read_number(t, 1ull << 50, &ms) < 0 ||
	    number_of(t, text_last(t), 1, &files) < 0 || text_begin(t, "code") < 0 ||
	    text_id(t, code, '\n') < 0 || read_string(t, "program", &c->program) < 0 ||
	    read_strings(t, a, "arg", &c->args, &c->n_args) < 0 ||
	    read_string(t, "cwd", &c->cwd) < 0 || read_string(t, "root", &c->root) < 0 ||
	    read_strings(t, a, "env", &c->env, &c->n_env) < 0 ||
	    read_strings(t, a, "set", &s->set_env, &s->n_set_env) < 0 ||
	    read_streams(t, c) < 0 || read_deeds(t, a, s) < 0)
		return -1;
	s->seconds = (double)ms / 1000;
	s->takes_files = files;
	if (!c->n_args)
		return text_bad(t, "a command has at least one arg");
	if (*c->program != '/' || *c->cwd != '/' || *c->root != '/')
		return text_bad(t, "program, cwd and root must be absolute");
	return 0;
}

static int read_head(struct text *t, struct bytes text, struct arena *a, struct learned *l,
		     struct err *e)
{
	const char *model = "";

	if (text_open(t, text, "gg-learned", 1, a, e) < 0 ||
	    read_string(t, "shape", &l->shape) < 0 ||
	    (text_at(t, "never") && read_string(t, "never", &l->never) < 0) ||
	    (text_at(t, "model") && read_string(t, "model", &model) < 0))
		return -1;
	l->text = bytes_str(model);
	return 0;
}

/* A field holds no end of line, so that the first sighting is where it seems. */
int record_read_head(struct bytes text, struct arena *a, struct record *out, struct err *e)
{
	static const char next[] = "\nsighting ";
	const char *at = memmem(text.p, text.n, next, sizeof(next) - 1);
	struct text t;

	*out = (struct record){ 0 };
	if (at)
		text.n = (size_t)(at + 1 - text.p);
	return read_head(&t, text, a, &out->l, e) < 0 ? -1 : text_close(&t);
}

int record_read(struct bytes text, struct arena *a, struct record *out, struct err *e)
{
	struct learned *l = &out->l;
	struct text t;

	*out = (struct record){ 0 };
	if (read_head(&t, text, a, l, e) < 0)
		return -1;
	l->v = arena_alloc(a, LEARN_SIGHTINGS_MAX * sizeof(*l->v));
	out->code = arena_alloc(a, LEARN_SIGHTINGS_MAX * sizeof(*out->code));
	while (text_at(&t, "sighting")) {
		if (l->n == LEARN_SIGHTINGS_MAX)
			return text_bad(&t, "more than %d sightings", LEARN_SIGHTINGS_MAX);
		if (read_sighting(&t, a, &l->v[l->n], &out->code[l->n]) < 0)
			return -1;
		l->n++;
	}
	return text_close(&t);
}
