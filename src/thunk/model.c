/* model.c - gg.models read and checked
 *
 * The whole file is read before anything is matched, and one bad line refuses
 * it all: a model that is silently left out would cost hours, not a message.
 * What is learned is read in the same way, a text for each shape.
 */
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "pattern.h"

/* The rule of a learned model is its source: its lines are not for people. */
static const char *model_read(struct source *s, struct words *w, struct bytes text)
{
	struct rules *r = s->rules;
	struct model *m;

	if (r->n == 0 || (r->n & (r->n - 1)) == 0)
		r->v = mem_grow(r->v, (r->n ? r->n * 2 : 1) * sizeof(*r->v));
	m = s->m = &r->v[r->n++];
	*m = (struct model){ .is_learned = r->shape != NULL };
	m->rule = r->shape ? s->name : arena_printf(s->a, "%s:%zu", s->name, s->line);
	while (text.n && strchr(" \t\r\n", text.p[text.n - 1]))
		text.n--;
	m->pattern = arena_strn(s->a, text.p, text.n);
	if (strchr(w->v[0].s, '/') || head_is_script(w->v[0].s))
		r->has_scripts = true;
	return pattern_read(w, s->a, m);
}

/* One logical line: continuations are spaces by now.  NULL, or what is wrong
 * and where in the line. */
static const char *line_read(struct source *s, struct bytes line, size_t *at)
{
	bool is_indented = line.n && (line.p[0] == ' ' || line.p[0] == '\t');
	const char *nul = memchr(line.p, '\0', line.n), *bad;
	struct words w;

	*at = nul ? (size_t)(nul - line.p) : 0;
	if (nul)
		return "a NUL byte";
	bad = words_split(line, s->a, &w);
	if (!bad && w.n == 0)
		return NULL;
	if (!bad && !is_indented)
		bad = model_read(s, &w, line);
	else if (!bad && s->m)
		bad = property_read(s, &w);
	else if (!bad)
		bad = "a property before any pattern; a pattern stands at the line's begin";
	if (bad)
		*at = w.v[w.bad].at;
	return bad;
}

/* Does a line go on in the next one?  A comment does not. */
static bool goes_on(struct bytes line)
{
	size_t blanks = 0;

	while (blanks < line.n && strchr(" \t", line.p[blanks]))
		blanks++;
	return line.n && line.p[line.n - 1] == '\\' && line.p[blanks] != '#';
}

static struct bytes raw_line(struct bytes *text)
{
	const char *end = memchr(text->p, '\n', text->n);
	size_t n = end ? (size_t)(end - text->p) : text->n;
	struct bytes line = { text->p, n && text->p[n - 1] == '\r' ? n - 1 : n };

	text->p += n + (end != NULL);
	text->n -= n + (end != NULL);
	return line;
}

/* Where byte `at` of a logical line that begins at text is for people: joining
 * kept the length of each line but the last. */
static void place_find(struct bytes text, size_t at, size_t *line, size_t *column)
{
	struct bytes raw = raw_line(&text);

	while (text.n && goes_on(raw) && at >= raw.n) {
		at -= raw.n;
		raw = raw_line(&text);
		++*line;
	}
	*column = 1;
	for (size_t i = 0; i < at && i < raw.n; i++)
		*column += ((unsigned char)raw.p[i] & 0xc0) != 0x80;
}

/* The next line from *text, what a backslash continues joined by spaces. */
static struct bytes line_next(struct source *s, struct bytes *text,
			      size_t *n_lines)
{
	struct bytes line = raw_line(text);
	struct buf b = { 0 };

	*n_lines = 1;
	while (text->n && goes_on(line)) {
		struct bytes more = raw_line(text);

		buf_add(&b, line.p, line.n - 1);
		buf_char(&b, ' ');
		line = more;
		++*n_lines;
	}
	if (*n_lines == 1)
		return line;
	buf_add(&b, line.p, line.n);
	line = arena_bytes(s->a, buf_bytes(&b));
	buf_release(&b);
	return line;
}

/* Fill r, which is zeroed, from text; name is for messages. */
static int rules_read(struct rules *r, struct bytes text, const char *name,
		      struct err *e)
{
	struct source s = { .rules = r, .a = &r->a, .name = name, .line = 1 };

	if (bytes_start(text, "\xef\xbb\xbf")) {
		text.p += 3;
		text.n -= 3;
	}
	while (text.n) {
		struct bytes from = text;
		size_t n_lines, at, column;
		struct bytes line = line_next(&s, &text, &n_lines);
		const char *bad = line_read(&s, line, &at);

		if (bad) {
			place_find(from, at, &s.line, &column);
			return err_set(e, ERR_BAD, "%s:%zu:%zu: %s", name, s.line, column, bad);
		}
		s.line += n_lines;
	}
	return 0;
}

static void rules_release(struct rules *r)
{
	free(r->v);
	arena_release(&r->a);
}

/* Let the set that holds be the one of now without `shape`, and with r behind
 * it unless that is NULL. */
static void set_make(struct models *ms, const char *shape, const struct rules *r)
{
	struct rule_set *old = atomic_load(&ms->now), *set;

	set = mem_alloc(sizeof(*set) + ((old ? old->n : 0) + 1) * sizeof(set->v[0]));
	*set = (struct rule_set){ .older = old };
	for (size_t i = 0; old && i < old->n; i++)
		if (!old->v[i]->shape || strcmp(old->v[i]->shape, shape) != 0)
			set->v[set->n++] = old->v[i];
	if (r)
		set->v[set->n++] = r;
	atomic_store(&ms->now, set);
}

int models_new(struct bytes text, const char *name, struct models **out,
	       struct err *e)
{
	struct models *ms = mem_alloc(sizeof(*ms));

	memset(ms, 0, sizeof(*ms));
	if (rules_read(&ms->own, text, name, e) < 0) {
		models_free(ms);
		return -1;
	}
	set_make(ms, "", &ms->own);
	*out = ms;
	return 0;
}

int models_learn(struct models *ms, const char *shape, struct bytes text,
		 struct err *e)
{
	struct rules *r;
	char *name;

	if (text.n == 0) {
		set_make(ms, shape, NULL);
		return 0;
	}
	r = mem_alloc(sizeof(*r));
	*r = (struct rules){ .older = ms->learned };
	ms->learned = r;
	r->shape = arena_str(&r->a, shape);
	name = arena_printf(&r->a, "learned %s", shape);
	for (char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (rules_read(r, text, name, e) < 0)
		return -1;
	set_make(ms, shape, r);
	return 0;
}

void models_free(struct models *ms)
{
	if (!ms)
		return;
	for (struct rule_set *s = atomic_load(&ms->now), *older; s; s = older) {
		older = s->older;
		free(s);
	}
	while (ms->learned) {
		struct rules *r = ms->learned;

		ms->learned = r->older;
		rules_release(r);
		free(r);
	}
	rules_release(&ms->own);
	free(ms);
}

bool models_each(const struct models *ms, size_t *pos, struct model_info *out)
{
	const struct rules *r = &ms->own;

	if (*pos >= r->n)
		return false;
	*out = (struct model_info){ r->v[*pos].rule, r->v[*pos].pattern };
	++*pos;
	return true;
}

bool command_prints_to(const struct command *c, enum stream_kind kind)
{
	return c->std[1].kind == kind || c->std[2].kind == kind;
}
