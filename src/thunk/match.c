/* match.c - a command against the models
 *
 * A model that is for this program either explains every argument or does not
 * match: an option it does not know might name a file, and a file that is not
 * seen is a wrong result, where a command that runs for real is only slower.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "builtin.h"
#include "file.h"
#include "pattern.h"

/* What is known of a command before any model is looked at. */
struct look {
	const char *base[2];    /* what it was called, what is executed */
	uint32_t hash[2];
	uint32_t script_hash;   /* 0: it runs no script */
	struct head head;
};

/* Add "rule: `program script` " to why. */
static void say_who(struct fit *f)
{
	const struct model *m = f->m;

	buf_printf(f->why, "%s: `%s%s%s%s`", m->rule, m->program,
		   m->head.kind == HEAD_MODULE ? " -m" : m->head.kind == HEAD_CODE ? " -c" : "",
		   m->head.script ? " " : "", m->head.script ? m->head.script : "");
}

/* Arguments may hold anything, lines of an explanation may not. */
static void say_end(struct fit *f)
{
	for (size_t i = f->why_at; i < f->why->n; i++)
		if ((unsigned char)f->why->p[i] < ' ' || f->why->p[i] == 0x7f)
			f->why->p[i] = '?';
	buf_char(f->why, '\n');
}

bool fit_no(struct fit *f, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	if (!f->why)
		return false;
	f->why->n = f->why_at;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say_who(f);
	buf_str(f->why, " does not match: ");
	buf_str(f->why, text);
	say_end(f);
	return false;
}

static const char *skip_here(const char *path)
{
	while (path[0] == '.' && path[1] == '/')
		for (path += 2; *path == '/';)
			path++;
	return path;
}

/* Do a path of a pattern, seen from the root, and one of a command, seen from
 * its cwd, name the same place? */
static bool same_place(struct fit *f, const char *pattern, const char *path)
{
	const struct command *c = f->c;
	const char *root = c->root ? c->root : c->cwd;

	if (strcmp(path_base(pattern), path_base(path)) != 0)
		return false;
	return strcmp(path_clean(f->a, root, pattern), path_clean(f->a, c->cwd, path)) == 0;
}

/* The same for a script, which may also be spelled as the pattern spells it:
 * `cd src && python3 train.py` is usual.  What was learned was learned of one
 * place. */
bool fit_same_script(struct fit *f, const char *pattern, const char *path)
{
	if (!f->m->is_learned && strcmp(skip_here(pattern), skip_here(path)) == 0)
		return true;
	return same_place(f, pattern, path);
}

static const char *program_path(const struct command *c)
{
	return strchr(c->args[0], '/') ? c->args[0] : c->program;
}

/* `python3 train.py` as pattern, `./train.py` as command, or the other way
 * round; *at is where the arguments begin. */
static bool script_is_program(struct fit *f, const struct look *l, size_t *at)
{
	const struct head *p = &f->m->head, *c = &l->head;

	if (p->kind == HEAD_SCRIPT && p->script && fit_same_script(f, p->script, f->c->program)) {
		f->script = program_path(f->c);
		*at = 1;
		return true;
	}
	if (p->interpreter || c->kind != HEAD_SCRIPT)
		return false;
	if (strchr(f->m->program, '/') ? !same_place(f, f->m->program, c->script)
				       : strcmp(f->m->program, path_base(c->script)) != 0)
		return false;
	f->script = c->script;
	*at = c->rest;
	return true;
}

static bool same_program(struct fit *f, const struct look *l)
{
	const char *program = f->m->program;

	if (strchr(program, '/'))
		return same_place(f, program, f->c->program);
	return head_name_fits(program, l->base[0]) || head_name_fits(program, l->base[1]);
}

/* Is the model for this program and script?  *at: where arguments begin. */
static bool head_fits(struct fit *f, const struct look *l, size_t *at)
{
	const struct model *m = f->m;
	const struct head *p = &m->head, *c = &l->head;
	bool is_called = m->program_hash == l->hash[0] || m->program_hash == l->hash[1];

	if (!is_called || !same_program(f, l))
		return ((m->script_hash && (m->script_hash == l->hash[0] ||
					    m->script_hash == l->hash[1])) ||
			m->program_hash == l->script_hash) &&
		       script_is_program(f, l, at);
	*at = p->interpreter ? c->rest : 1;
	if (!p->interpreter) {
		if (strchr(m->program, '/') && m->program[0] != '/')
			f->script = program_path(f->c);
		return true;
	}
	if (p->kind != c->kind)
		return m->has_rest && !p->script && p->kind != HEAD_PROGRAM;
	if (!p->script && p->kind != HEAD_PROGRAM)
		f->words[f->n_words++] = c->script;
	else if (p->kind == HEAD_SCRIPT ? !fit_same_script(f, p->script, c->script)
					: p->script && strcmp(p->script, c->script) != 0)
		return false;
	if (p->kind == HEAD_SCRIPT && p->script)
		f->script = c->script;
	return true;
}

enum { LIST_LIMIT = 16 << 20, LIST_DEPTH = 8 };

struct lists {
	struct fit *f;
	const char **v;
	size_t n;
};

/* One argument, or the lines of the list it names. */
static bool list_take(struct lists *l, const char *arg, int depth)
{
	struct fit *f = l->f;
	struct bytes text;
	struct stat st;
	struct err e;
	const char *path;

	if (*arg != '@') {
		l->v = arena_more(f->a, l->v, l->n, sizeof(*l->v));
		l->v[l->n++] = arg;
		return true;
	}
	if (depth == LIST_DEPTH)
		return fit_no(f, "%s: lists that name lists, too deep", arg);
	/* What is no plain file could be read but once, and not by gg. */
	path = path_clean(f->a, f->c->cwd, arg + 1);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return fit_no(f, "the list %s is no regular file", arg + 1);
	if (file_read(AT_FDCWD, path, LIST_LIMIT, f->a, &text, &e) < 0)
		return fit_no(f, "the list %s cannot be read: %s", arg + 1, e.text);
	if (bytes_start(text, "gg-placeholder 1\n"))
		return fit_no(f, "the list %s is still to be made", arg + 1);
	if (memchr(text.p, '\0', text.n))
		return fit_no(f, "the list %s holds a NUL byte", arg + 1);
	bind_read(f, arg + 1);
	while (text.n) {
		const char *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;
		size_t use = n && text.p[n - 1] == '\r' ? n - 1 : n;

		if (!list_take(l, arena_strn(f->a, text.p, use), depth + 1))
			return false;
		text.p += n + (end != NULL);
		text.n -= n + (end != NULL);
	}
	return true;
}

static bool fit_lists(struct fit *f)
{
	struct lists l = { .f = f };
	const char **words;

	for (size_t i = f->at; i < f->n_args; i++)
		if (!list_take(&l, f->args[i], 0))
			return false;
	words = arena_alloc(f->a, (l.n + 2) * sizeof(*words));
	if (f->n_words)
		words[0] = f->words[0];
	f->words = words;
	f->args = l.v;
	f->n_args = l.n;
	f->at = 0;
	return true;
}

/* The module's own file and the packages above it, if they are here. */
static void read_module(struct fit *f, const char *module)
{
	char *path = arena_strn(f->a, module, strlen(module));

	if (strchr(path, '/') || !*path)
		return;
	for (char *dot = path; (dot = strchr(dot, '.')) != NULL; *dot++ = '/') {
		*dot = '\0';
		bind_read(f, arena_printf(f->a, "%s/__init__.py", path))->is_optional = true;
	}
	bind_read(f, arena_printf(f->a, "%s.py", path))->is_optional = true;
	bind_read(f, arena_printf(f->a, "%s/__init__.py", path))->is_optional = true;
	bind_read(f, arena_printf(f->a, "%s/__main__.py", path))->is_optional = true;
}

/* The first word says at once that another sub-command is meant. */
static bool is_other_shape(const struct fit *f)
{
	const struct model *m = f->m;
	const char *literal = m->n_positionals ? m->positionals[0].literal : NULL;
	const char *w = f->at < f->n_args ? f->args[f->at] : NULL;

	if (!literal || m->positionals[0].may_miss || f->n_words || !w)
		return false;
	return *w != '-' && *w != '@' && !strchr(w, '=') && !m->positionals[0].is_script &&
	       strcmp(w, literal) != 0;
}

/* Hold the command against one model whose program hash is right. */
static enum match match_one(struct fit *f, const struct look *l)
{
	const struct model *m = f->m;

	f->args = f->c->args;
	f->n_args = f->c->n_args;
	f->words = arena_alloc(f->a, (f->n_args + 2) * sizeof(*f->words));
	if (!head_fits(f, l, &f->at) || is_other_shape(f))
		return MATCH_NONE;
	f->b->rule = arena_str(f->a, m->rule);
	if (f->why) {
		say_who(f);
		buf_str(f->why, " matched");
	}
	f->last = arena_alloc(f->a, m->n_options * sizeof(*f->last));
	f->uses = arena_alloc(f->a, m->n_options * sizeof(*f->uses));
	if (f->script)
		bind_read(f, f->script);
	if (m->head.kind == HEAD_MODULE && l->head.kind == HEAD_MODULE)
		read_module(f, l->head.script);
	if ((m->has_lists && !fit_lists(f)) || !fit_args(f) || !bind_properties(f))
		return MATCH_NONE;
	if (f->why) {
		if (m->is_never)
			buf_str(f->why, ", and says: run it for real");
		say_end(f);
	}
	return m->is_never ? MATCH_REAL : MATCH_BOUND;
}

static struct look look_at(const struct command *c)
{
	struct look l = { .base = { path_base(c->args[0]), path_base(c->program) } };

	l.head = head_of(l.base[0], c->args, c->n_args);
	if (!l.head.interpreter)
		l.head = head_of(l.base[1], c->args, c->n_args);
	for (int i = 0; i < 2; i++)
		l.hash[i] = head_hash(l.base[i]);
	if (l.head.kind == HEAD_SCRIPT)
		l.script_hash = head_hash(path_base(l.head.script));
	return l;
}

static bool is_for(const struct model *m, const struct look *l)
{
	return m->program_hash == l->hash[0] || m->program_hash == l->hash[1] ||
	       m->program_hash == l->script_hash ||
	       (m->script_hash &&
		(m->script_hash == l->hash[0] || m->script_hash == l->hash[1]));
}

static enum match match_builtin(const struct command *c, const struct look *l,
				struct arena *a, struct binding *out, struct buf *why)
{
	const struct builtin *b = builtin_find(l->base[0]);
	struct buf unheard = { 0 };
	enum match found;
	size_t why_at;

	if (!b)
		b = builtin_find(l->base[1]);
	if (!b)
		return MATCH_NONE;
	if (!why)
		why = &unheard;
	why_at = why->n;
	found = b->bind(c, a, out, why);
	if (found != MATCH_NONE && why->n == why_at)
		buf_printf(why, "%s: matched, %zu read, %zu written", out->rule, out->n_reads,
			   out->n_writes);
	if (why->n > why_at && why->p[why->n - 1] != '\n')
		buf_char(why, '\n');
	buf_release(&unheard);
	return found;
}

static enum match match_rules(const struct rules *r, const struct command *c,
			      const struct look *l, struct arena *a,
			      struct binding *out, struct buf *why)
{
	enum match found = MATCH_NONE;

	for (size_t i = 0; i < r->n && found == MATCH_NONE; i++) {
		struct fit f = { .m = &r->v[i], .c = c, .a = a, .b = out, .why = why,
				 .why_at = why ? why->n : 0 };

		if (!is_for(f.m, l))
			continue;
		found = match_one(&f, l);
		if (found == MATCH_NONE)
			*out = (struct binding){ 0 };
	}
	return found;
}

enum match models_match(const struct models *m, const struct command *c,
			struct arena *a, struct binding *out, struct buf *why)
{
	const struct rule_set *set = atomic_load(&m->now);
	size_t why_at = why ? why->n : 0;
	enum match found = MATCH_NONE;
	struct look l;

	*out = (struct binding){ 0 };
	if (!c->n_args)
		return MATCH_NONE;
	l = look_at(c);
	for (size_t i = 0; i < set->n && found == MATCH_NONE; i++)
		found = match_rules(set->v[i], c, &l, a, out, why);
	if (found == MATCH_NONE)
		found = match_builtin(c, &l, a, out, why);
	if (found == MATCH_NONE && why && why->n == why_at) {
		buf_printf(why, "no model is for %s", l.base[0]);
		if (l.head.kind == HEAD_SCRIPT)
			buf_printf(why, " %s", l.head.script);
		say_end(&(struct fit){ .why = why, .why_at = why_at });
	}
	if (found == MATCH_REAL)
		*out = (struct binding){ .rule = out->rule };
	return found;
}

static bool rules_know(const struct rules *r, const char *base, uint32_t hash)
{
	if (r->has_scripts && head_is_interpreter(base))
		return true;
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].program_hash == hash || r->v[i].script_hash == hash)
			return true;
	return false;
}

bool models_know(const struct models *m, const char *program_base)
{
	const struct rule_set *set = atomic_load(&m->now);
	uint32_t hash = head_hash(program_base);

	for (size_t i = 0; i < set->n; i++)
		if (rules_know(set->v[i], program_base, hash))
			return true;
	return builtin_find(program_base) != NULL;
}
