/* bind.c - what a matched command reads, writes and needs
 *
 * Every value that a hole takes becomes one read or one write here, and the
 * explanation grows beside it, so that what is said is what was done.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "file.h"
#include "thunk.h"
#include "pattern.h"

enum { NAME_MAX_BYTES = 255, NOTES_MAX = 12 };

static void note(struct fit *f, const char *who, const char *verb, const char *path)
{
	if (!f->why || f->n_notes > NOTES_MAX)
		return;
	buf_str(f->why, f->n_notes ? ", " : ": ");
	if (f->n_notes++ == NOTES_MAX) {
		buf_str(f->why, "...");
		return;
	}
	buf_str(f->why, who);
	buf_str(f->why, verb);
	buf_str(f->why, path);
}

struct bound_read *bind_read(struct fit *f, const char *path)
{
	struct binding *b = f->b;

	b->reads = arena_more(f->a, b->reads, b->n_reads, sizeof(*b->reads));
	b->reads[b->n_reads] = (struct bound_read){ .path = arena_str(f->a, path) };
	return &b->reads[b->n_reads++];
}

static bool name_is_taken(const struct binding *b, const char *name)
{
	for (size_t i = 0; i < b->n_writes; i++)
		if (strcmp(b->writes[i].name, name) == 0)
			return true;
	return false;
}

/* name, or as much of it as fits with its own SHA-256 behind, and a number
 * from `number` on where it is taken. */
static const char *write_name(struct fit *f, const char *name, size_t number)
{
	struct id id;

	if (strlen(name) > NAME_MAX_BYTES - 24) {
		id = id_of(bytes_str(name));
		name = arena_printf(f->a, "%.150s-%s", name, id_hex(&id).s);
	}
	if (number < 2) {
		if (!name_is_taken(f->b, name))
			return arena_str(f->a, name);
		number = 2;
	}
	for (;; number++) {
		const char *s = arena_printf(f->a, "%s-%zu", name, number);

		if (!name_is_taken(f->b, s))
			return s;
	}
}

static bool bind_write(struct fit *f, const char *name, size_t number,
		       const char *path, bool is_dir)
{
	struct binding *b = f->b;

	for (size_t i = 0; i < b->n_writes; i++)
		if (strcmp(b->writes[i].path, path) == 0)
			return b->writes[i].is_dir == is_dir ||
			       fit_no(f, "%s would be a file and a directory", path);
	name = write_name(f, name, number);
	b->writes = arena_more(f->a, b->writes, b->n_writes, sizeof(*b->writes));
	b->writes[b->n_writes++] = (struct bound_write){
		.name = name, .path = arena_str(f->a, path), .is_dir = is_dir };
	return true;
}

/* Does the path name no file of its own: a standard stream, nothing? */
static bool is_stream(const char *path)
{
	return strcmp(path, "-") == 0 || strcmp(path, "/dev/null") == 0 ||
	       strcmp(path, "/dev/stdin") == 0 || strcmp(path, "/dev/stdout") == 0 ||
	       strcmp(path, "/dev/stderr") == 0;
}

static bool bind_output(struct fit *f, const struct option *o,
			const struct value *v, const char *path)
{
	size_t option = o ? (size_t)(o - f->m->options) : 0;
	size_t number = o ? ++f->uses[option] : 0;
	const char *name = o ? o->label
			     : arena_printf(f->a, "out%zu", ++f->n_positional_outs);

	if (!*path)
		return fit_no(f, "%s writes a file without a name", o ? o->label : "it");
	if (!v->is_dir && path[strlen(path) - 1] == '/')
		return fit_no(f, "%s is a directory; the pattern's @out is for files, @out/ "
			      "for directories", path);
	return bind_write(f, name, number, path, v->is_dir);
}

static bool bind_path(struct fit *f, const struct option *o,
		      const struct value *v, const char *path)
{
	const char *who = o ? f->m->names[o->first_name].s : "it";
	bool is_read = v->hole == HOLE_IN;

	if (is_stream(path) || (is_read && !*path))
		return true;
	if (strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/", 6) == 0)
		return fit_no(f, "%s is a pipe, or known to one process alone", path);
	note(f, who, is_read ? " reads " : " writes ", path);
	if (!is_read)
		return bind_output(f, o, v, path);
	bind_read(f, path)->is_dir = v->is_dir;
	return true;
}

const char *model_names_file(const struct command *c, const char *text, struct arena *a)
{
	const char *root = c->root ? c->root : c->cwd;
	const char *path = path_clean(a, c->cwd, text);
	struct stat st;

	if (!*text || !path_is_below(root, path) || stat(path, &st) < 0)
		return NULL;
	return S_ISREG(st.st_mode) ||
	       stat(arena_printf(a, "%s/" PLACEHOLDER_NAME, path), &st) == 0 ? path : NULL;
}

/* Which word of the pattern is {name}?  Its option, or NULL. */
static const struct option *option_of(const struct model *m, struct bytes name)
{
	for (size_t i = 0; i < m->n_names; i++) {
		const struct option *o = &m->options[m->names[i].option];
		const char *s = m->names[i].s;

		s += strspn(s, o->is_key ? "+" : "-");
		if (bytes_equal(bytes_str(s), name))
			return o;
	}
	return NULL;
}

/* Is there a path that is this value and nothing else, or lies in the folder
 * that it names: {log}, {1}/last.npz? */
static bool is_told_elsewhere(const struct fit *f, const struct option *o)
{
	for (size_t i = 0; i < f->m->n_paths; i++) {
		const char *text = f->m->paths[i].text;
		size_t n = strcspn(text, "}");
		struct bytes name = { text + 1, n - 1 };

		if (n < 2 || text[0] != '{' || !text[n] || (text[n + 1] && text[n + 1] != '/'))
			continue;
		if (o ? option_of(f->m, name) == o
		      : (size_t)strtoul(name.p, NULL, 10) == f->n_numbered)
			return true;
	}
	return false;
}

/* A plain value.  What was learned of it was learned when it was no file. */
static bool bind_plain(struct fit *f, const struct option *o, const struct value *v,
		       const char *text)
{
	if (!f->m->is_learned || v->is_any || text == v->fallback ||
	    !model_names_file(f->c, text, f->a) ||
	    is_told_elsewhere(f, o))
		return true;
	return fit_no(f, "%s%s%s is a file, which the learned model does not know",
		      o ? f->m->names[o->first_name].s : "", o ? " " : "", text);
}

bool bind_value(struct fit *f, const struct option *o, const struct value *v,
		const char *text)
{
	if (o)
		f->last[o - f->m->options] = text;
	if (v->hole == HOLE_ANY)
		return bind_plain(f, o, v, text);
	if (!v->has_commas)
		return bind_path(f, o, v, text);
	for (const char *p = text; *p; p += *p == ',') {
		size_t n = strcspn(p, ",");

		if (n && !bind_path(f, o, v, arena_strn(f->a, p, n)))
			return false;
		p += n;
	}
	return true;
}

static void env_add(struct fit *f, const char *name, size_t n)
{
	struct binding *b = f->b;

	for (size_t i = 0; i < b->n_env; i++)
		if (strncmp(b->env[i], name, n) == 0 && b->env[i][n] == '\0')
			return;
	b->env = arena_more(f->a, b->env, b->n_env, sizeof(*b->env));
	b->env[b->n_env++] = arena_strn(f->a, name, n);
}

/* $NAME: what shapes a path shapes the output, so it belongs to the step. */
static const char *variable_value(struct fit *f, struct bytes name)
{
	for (size_t i = 0; i < f->c->n_env; i++) {
		const char *s = f->c->env[i];

		if (strncmp(s, name.p + 1, name.n - 1) != 0 || s[name.n - 1] != '=')
			continue;
		env_add(f, s, name.n - 1);
		return s + name.n;
	}
	return NULL;
}

static const char *template_value(void *arg, struct bytes name)
{
	struct fit *f = arg;
	const struct option *o = option_of(f->m, name);
	size_t number = 0;

	if (o)
		return f->last[o - f->m->options];
	if (name.n > 1 && name.p[0] == '$')
		return variable_value(f, name);
	if (bytes_equal(name, bytes_str("root")))
		return f->c->root ? f->c->root : f->c->cwd;
	if (bytes_equal(name, bytes_str("script")))
		return f->script;
	for (size_t i = 0; i < name.n; i++)
		number = number * 10 + (size_t)(name.p[i] - '0');
	return number && number <= f->n_numbered ? f->numbered[number - 1] : NULL;
}

/* A template without a value: fine for what may be absent. */
static bool fit_absent_path(struct fit *f, const struct template *t, const char *text)
{
	const struct option *o = option_of(f->m, t->missing);
	const char *remedy = "put a default in the pattern (=@=DEFAULT) or [ ] around the option";

	if (t->is_unfit)
		return fit_no(f, "{...:%.*s} in %s: the value is no whole number",
			      (int)t->missing.n, t->missing.p, text);
	if (o ? o->may_miss : t->missing.n && t->missing.p[0] >= '0' && t->missing.p[0] <= '9')
		return true;
	if (t->missing.n && t->missing.p[0] == '$')
		remedy = "set it in the environment";
	return fit_no(f, "{%.*s} in %s has no value; %s", (int)t->missing.n, t->missing.p,
		      text, remedy);
}

static bool bind_updates(struct fit *f, const char *path)
{
	struct binding *b = f->b;
	struct bound_read *r = bind_read(f, path);

	r->is_dir = path[strlen(path) - 1] == '/';
	r->is_optional = true;
	b->updates = arena_more(f->a, b->updates, b->n_updates, sizeof(*b->updates));
	b->updates[b->n_updates++] = r->path;
	return bind_write(f, path, 0, path, r->is_dir);
}

static bool bind_model_path(struct fit *f, const struct model_path *p)
{
	static const char *const verbs[] = {
		[PATH_ALSO] = "also reads ", [PATH_OPTIONAL] = "also reads ",
		[PATH_MAKES] = "makes ", [PATH_UPDATES] = "updates ",
	};
	struct template t = { .value = template_value, .arg = f,
			      .escapes = p->is_glob };
	const char *path = template_fill(&t, p->text, f->a);
	struct bound_read *r;

	if (!path)
		return fit_absent_path(f, &t, p->text);
	if (!*path)
		return fit_no(f, "%s gives an empty path", p->text);
	note(f, "", verbs[p->kind], path);
	if (p->kind == PATH_MAKES)
		return bind_write(f, path, 0, path, path[strlen(path) - 1] == '/');
	if (p->kind == PATH_UPDATES)
		return bind_updates(f, path);
	r = bind_read(f, path);
	r->is_dir = p->is_dir;
	r->is_glob = p->is_glob;
	r->is_optional = p->kind == PATH_OPTIONAL;
	return true;
}

/* Fill n templates into v: false if one has no value, which *text is. */
static bool fill_words(struct fit *f, struct template *t, const char *const *from, size_t n,
		       const char **v, const char **text)
{
	for (size_t i = 0; i < n; i++) {
		*text = from[i];
		v[i] = template_fill(t, from[i], f->a);
		if (!v[i])
			return false;
	}
	return true;
}

/* How it goes on after an early end; where a value for that is absent it does
 * not. */
static bool bind_resume(struct fit *f)
{
	struct template t = { .value = template_value, .arg = f };
	const struct model *m = f->m;
	struct resume *r = arena_alloc(f->a, sizeof *r);
	const char **words = arena_alloc(f->a, (m->n_resume + 1) * sizeof *words);
	const char *text;

	f->b->hints.resume = NULL;
	if (!m->n_resume)
		return true;
	*r = (struct resume){ .words = words + 1, .n_words = m->n_resume - 1,
			      .n_state = m->n_state };
	r->state = arena_alloc(f->a, (m->n_state + 1) * sizeof *r->state);
	if (!fill_words(f, &t, m->resume, m->n_resume, words, &text) ||
	    !fill_words(f, &t, m->state, m->n_state, r->state, &text))
		return fit_absent_path(f, &t, text);
	if (!*words[0])
		return fit_no(f, "%s gives an empty path", m->resume[0]);
	r->path = words[0];
	note(f, "", "can go on from ", r->path);
	f->b->hints.resume = r;
	return true;
}

static void bind_env(struct fit *f, const char *name)
{
	size_t n = strlen(name);

	if (name[n - 1] != '*') {
		env_add(f, name, n);
		return;
	}
	for (size_t i = 0; i < f->c->n_env; i++) {
		const char *s = f->c->env[i];

		if (strncmp(s, name, n - 1) == 0)
			env_add(f, s, strcspn(s, "="));
	}
}

/* How many words from args[i] on are an option that is put aside. */
static size_t n_aside(const struct model *m, const struct command *c, size_t i)
{
	const char *w = c->args[i];

	for (size_t k = 0; k < m->n_names; k++) {
		const struct option_name *n = &m->names[k];
		const struct option *o = &m->options[n->option];
		bool has_value = o->value.hole != HOLE_NONE;

		if (!o->is_aside || o->value.repeats || strncmp(w, n->s, n->n) != 0)
			continue;
		if (has_value && w[n->n] == '=')
			return 1;
		if (!w[n->n] && !o->is_key)
			return has_value && i + 1 < c->n_args ? 2 : 1;
	}
	return 0;
}

/* Other spellings of getopt stay in the name, where they do no harm. */
static void bind_aside(struct fit *f, const struct command *c)
{
	struct binding *b = f->b;
	bool is_over = false;

	b->args = NULL;
	b->n_args = 0;
	if (!f->m->has_aside)
		return;
	b->args = arena_alloc(f->a, (c->n_args + 1) * sizeof *b->args);
	b->hints.aside = arena_alloc(f->a, (c->n_args + 1) * sizeof *b->args);
	for (size_t i = 0, n; i < c->n_args; i++) {
		is_over = is_over || strcmp(c->args[i], "--") == 0;
		n = i && !is_over ? n_aside(f->m, c, i) : 0;
		if (!n)
			b->args[b->n_args++] = c->args[i];
		for (; n; n--, i += n > 0)
			b->hints.aside[b->hints.n_aside++] = c->args[i];
	}
	/* Behind -- it would be no option any more. */
	if (is_over || !b->hints.n_aside) {
		b->args = NULL;
		b->n_args = b->hints.n_aside = 0;
	}
}

bool bind_properties(struct fit *f)
{
	const struct model *m = f->m;

	for (size_t i = 0; i < m->n_paths; i++)
		if (!bind_model_path(f, &m->paths[i]))
			return false;
	for (size_t i = 0; i < m->n_env; i++)
		bind_env(f, m->env[i]);
	f->b->hints = m->hints;
	f->b->hints.is_watched = m->is_learned;
	bind_aside(f, f->c);
	if (!bind_resume(f))
		return false;
	f->b->is_learned = m->is_learned;
	f->b->uses = m->uses;
	f->b->n_uses = m->n_uses;
	f->b->uses_network = m->uses_network;
	return true;
}
