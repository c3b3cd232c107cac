/* notation.c - a derived model written as a person would write it
 *
 * Positionals stand before the options, since a word behind an option without
 * value could be taken for one; options keep the order in which they were
 * first given, properties have one order.
 */
#include <string.h>
#include "file.h"
#include "learn_private.h"

enum { WIDTH = 80, TAB = 8 };

struct line {
	struct buf *out;
	size_t column;
	bool is_begun;
};

static void line_word(struct line *l, const char *word)
{
	size_t n = strlen(word);

	if (l->is_begun && l->column + 1 + n + 2 > WIDTH) {
		buf_str(l->out, " \\\n\t\t");
		l->column = 2 * TAB;
		l->is_begun = false;
	}
	if (l->is_begun) {
		buf_char(l->out, ' ');
		l->column++;
	}
	buf_str(l->out, word);
	l->column += n;
	l->is_begun = true;
}

static const char *quoted(struct arena *a, const char *word)
{
	struct buf b = { 0 };
	const char *s;

	model_word(&b, word);
	s = arena_str(a, b.p);
	buf_release(&b);
	return s;
}

static const char *hole_text(const struct slot *s)
{
	static const char *const names[] = { [HOLE_NONE] = "", [HOLE_ANY] = "@",
					     [HOLE_IN] = "@in", [HOLE_OUT] = "@out" };

	return s->hole == HOLE_ANY && s->is_any ? "@any" : names[s->hole];
}

static const char *slot_text(const struct slot *s, struct arena *a)
{
	struct buf b = { 0 };
	const char *text;

	if (s->may_miss && !s->repeats)
		buf_char(&b, '[');
	if (s->name)
		buf_printf(&b, "%s%s", s->name, s->hole == HOLE_NONE ? "" : "=");
	if (s->literal)
		model_word(&b, s->literal);
	else if (s->hole != HOLE_NONE)
		buf_printf(&b, "%s%s%s%s", hole_text(s), s->is_dir ? "/" : "",
			   s->has_commas ? "," : "", s->repeats ? "..." : "");
	if (s->fallback)
		buf_printf(&b, "=%s", quoted(a, s->fallback));
	if (s->may_miss && !s->repeats)
		buf_char(&b, ']');
	text = arena_str(a, b.p);
	buf_release(&b);
	return text;
}

/* The program, and what an interpreter is to run. */
static int head_write(const struct plan *p, struct line *l, struct err *e)
{
	const struct view *v = &p->views[0];
	const struct command *c = &v->s->command;
	const char *base = path_base(c->args[0]), *path;

	if (!v->head.interpreter) {
		path = view_path(v, c->program, p->a);
		if (*path != '/')
			path = strchr(path, '/') ? path : arena_printf(p->a, "./%s", path);
		else
			path = base;
		line_word(l, quoted(p->a, path));
		return 0;
	}
	base += *base == '-';
	if (!head_is_interpreter(base))
		base = path_base(c->program);
	path = arena_strn(p->a, base, strcspn(base, "0123456789.-"));
	line_word(l, strcmp(path, "python") == 0 ? "python3" : path);
	switch (v->head.kind) {
	case HEAD_SCRIPT:
		if (!v->script_path)
			break;
		line_word(l, quoted(p->a, v->script_path));
		return 0;
	case HEAD_MODULE:
		line_word(l, "-m");
		line_word(l, quoted(p->a, v->head.script));
		return 0;
	case HEAD_CODE:
		line_word(l, strncmp(base, "python", 6) == 0 || strncmp(base, "pypy", 4) == 0
				     ? "-c" : "-e");
		line_word(l, quoted(p->a, v->head.script));
		return 0;
	case HEAD_PROGRAM:
		break;
	}
	return err_set(e, ERR_REFUSED, "its program comes from a stream");
}

static int pattern_write(const struct plan *p, struct buf *text, struct err *e)
{
	struct line l = { .out = text };

	if (head_write(p, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < p->n_slots; i++)
		if (!p->slots[i].name)
			line_word(&l, slot_text(&p->slots[i], p->a));
	for (size_t i = 0; i < p->n_slots; i++)
		if (p->slots[i].name)
			line_word(&l, slot_text(&p->slots[i], p->a));
	buf_char(text, '\n');
	return 0;
}

static void property_write(struct buf *text, const char *name, const struct strs *words)
{
	struct line l = { .out = text, .column = TAB };

	if (!words->n)
		return;
	buf_char(text, '\t');
	line_word(&l, name);
	/* A tab behind the name, as people write it. */
	buf_char(text, '\t');
	l.column = 2 * TAB;
	l.is_begun = false;
	for (size_t i = 0; i < words->n; i++)
		line_word(&l, words->v[i]);
	buf_char(text, '\n');
}

static bool is_in(const struct strs *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], s) == 0)
			return true;
	return false;
}

static void env_take(struct strs *names, const char *name_value, struct arena *a)
{
	size_t n = strcspn(name_value, "=");
	const char *name = arena_strn(a, name_value, n);

	/* A name that the notation would read as something else. */
	if (!n || name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_")] || is_in(names, name))
		return;
	strs_add(names, name);
}

static void env_write(const struct plan *p, struct buf *text)
{
	struct strs names = { 0 };

	for (size_t i = 0; i < p->n_views; i++) {
		const struct sighting *s = p->views[i].s;

		for (size_t k = 0; k < s->n_set_env; k++)
			if (!env_is_local(s->set_env[k]))
				env_take(&names, s->set_env[k], p->a);
		for (size_t k = 0; k < s->command.n_env; k++)
			if (env_is_known(s->command.env[k]))
				env_take(&names, s->command.env[k], p->a);
	}
	strs_sort(&names);
	property_write(text, "env", &names);
	strs_release(&names);
}

int notation_write(const struct plan *p, struct buf *text, struct err *e)
{
	static const char *const names[] = { [RULE_ALSO] = "also", [RULE_OPTIONAL] = "optional",
					     [RULE_MAKES] = "makes", [RULE_UPDATES] = "updates" };
	struct strs words = { 0 };

	if (pattern_write(p, text, e) < 0)
		return -1;
	for (int kind = 0; kind < RULE_KINDS; kind++) {
		words.n = 0;
		for (size_t i = 0; i < p->n_rules; i++)
			if ((int)p->rules[i].kind == kind)
				strs_add(&words, quoted(p->a, p->rules[i].text));
		if (kind == RULE_ALSO)
			globs_list(p, &words);
		strs_sort(&words);
		property_write(text, names[kind], &words);
	}
	env_write(p, text);
	words.n = 0;
	for (size_t i = 0; i < p->n_uses; i++)
		strs_add(&words, quoted(p->a, p->uses[i]));
	property_write(text, "uses", &words);
	strs_release(&words);
	return 0;
}
