/* rules.c - the rules that a thunk must keep besides its spelling
 *
 * One check serves the writer and the reader, on the struct: nothing can be
 * written that would not be read again.  Where a line stands follows from the
 * counts, so that the errors of both can name it.
 */
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "text.h"

/* A path that something of the thunk takes, for the nesting check. */
struct spot {
	const char *path;
	size_t len;
	unsigned line;
	bool is_out;
};

struct check {
	const struct thunk *t;
	unsigned first_line;
	struct err *e;
};

static unsigned env_line(const struct check *c, size_t i)
{
	return c->first_line + (unsigned)(2 + c->t->n_args + i);
}

static unsigned in_line(const struct check *c, size_t i)
{
	return env_line(c, c->t->n_env) + (unsigned)i;
}

static unsigned out_line(const struct check *c, size_t i)
{
	return in_line(c, c->t->n_in) + (unsigned)i;
}

static int bad(const struct check *c, unsigned line, const char *what,
	       const char *which)
{
	return err_set(c->e, ERR_BAD, "line %u: %s: \"%s\"", line, what,
		       text_show(which).s);
}

/* The order of env is that of the names. */
static int compare_env(const char *a, const char *b)
{
	size_t na = strcspn(a, "="), nb = strcspn(b, "=");

	return bytes_compare((struct bytes){ a, na }, (struct bytes){ b, nb });
}

static int check_env(const struct check *c)
{
	for (size_t i = 0; i < c->t->n_env; i++) {
		const char *s = c->t->env[i];
		const char *equals = strchr(s, '=');
		int order = i ? compare_env(c->t->env[i - 1], s) : -1;

		if (!equals)
			return bad(c, env_line(c, i), "env without \"=\"", s);
		if (equals == s || equals - s > 255)
			return bad(c, env_line(c, i),
				   "an env name must have 1 to 255 bytes", s);
		if (order == 0)
			return bad(c, env_line(c, i), "env twice", s);
		if (order > 0)
			return bad(c, env_line(c, i), "env not in order of name", s);
	}
	return 0;
}

static int check_in(const struct check *c)
{
	for (size_t i = 0; i < c->t->n_in; i++) {
		const struct input *in = &c->t->in[i];
		int order = i ? strcmp(in[-1].path, in->path) : -1;

		if (!path_is_plain(in->path) && !text_is_absolute(in->path))
			return bad(c, in_line(c, i), "not a clean path", in->path);
		if (in->ref.kind == REF_THUNK &&
		    (!in->ref.out || !text_is_name(in->ref.out)))
			return bad(c, in_line(c, i),
				   "the output's name must have 1 to 255 bytes",
				   in->path);
		if (order == 0)
			return bad(c, in_line(c, i), "input twice", in->path);
		if (order > 0)
			return bad(c, in_line(c, i), "inputs not in order of path",
				   in->path);
	}
	return 0;
}

static int check_out(const struct check *c)
{
	for (size_t i = 0; i < c->t->n_out; i++) {
		const struct output *out = &c->t->out[i];
		int order = i ? strcmp(out[-1].name, out->name) : -1;

		if (!text_is_name(out->name))
			return bad(c, out_line(c, i),
				   "an output's name must have 1 to 255 bytes",
				   out->name);
		if (!path_is_plain(out->path))
			return bad(c, out_line(c, i),
				   "not a clean path inside the project", out->path);
		if (order == 0)
			return bad(c, out_line(c, i), "output name twice", out->name);
		if (order > 0)
			return bad(c, out_line(c, i), "outputs not in order of name",
				   out->name);
	}
	return 0;
}

static int by_path(const void *a, const void *b)
{
	const struct spot *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* The next path of all in order; an input comes before the output of the same
 * path. */
static struct spot next_spot(const struct check *c, const struct spot *outs,
			     size_t *i, size_t *k)
{
	const struct thunk *t = c->t;
	const char *path;

	if (*i == t->n_in ||
	    (*k < t->n_out && strcmp(outs[*k].path, t->in[*i].path) < 0))
		return outs[(*k)++];
	path = t->in[(*i)++].path;
	return (struct spot){ path, strlen(path), in_line(c, *i - 1), false };
}

static int nested(const struct check *c, const struct spot *in,
		  const struct spot *around)
{
	if (in->len > around->len)
		return err_set(c->e, ERR_BAD, "line %u: %s \"%s\" lies inside %s \"%s\"",
			       in->line, in->is_out ? "output" : "input",
			       text_show(in->path).s,
			       around->is_out ? "output" : "input",
			       text_show(around->path).s);
	return bad(c, in->line, "two outputs at one path", in->path);
}

/* In order of bytes, all that begins with some string follows it at once.  So
 * a stack of those paths the present one begins with holds every folder that
 * it could lie in; it is never longer than the path, and the whole costs no
 * more than reading the text. */
static int check_nesting(const struct check *c, struct spot *outs,
			 struct spot *stack)
{
	const struct thunk *t = c->t;
	size_t i = 0, k = 0, depth = 0;

	for (size_t n = 0; n < t->n_out; n++)
		outs[n] = (struct spot){ t->out[n].path, strlen(t->out[n].path),
					 out_line(c, n), true };
	if (t->n_out > 1)
		qsort(outs, t->n_out, sizeof(*outs), by_path);
	while (i < t->n_in || k < t->n_out) {
		struct spot s = next_spot(c, outs, &i, &k);

		while (depth && strncmp(s.path, stack[depth - 1].path,
					stack[depth - 1].len) != 0)
			depth--;
		for (size_t d = 0; d < depth; d++) {
			char after = s.path[stack[d].len];

			if (after == '/' || (!after && s.is_out && stack[d].is_out))
				return nested(c, &s, &stack[d]);
		}
		stack[depth++] = s;
	}
	return 0;
}

static int check_paths(const struct check *c)
{
	size_t n = 2 * c->t->n_out + c->t->n_in;
	struct spot few[32], *v = n <= 32 ? few : mem_alloc(n * sizeof(*v));
	int r = check_nesting(c, v, v + c->t->n_out);

	if (v != few)
		free(v);
	return r;
}

static int check_std(const struct check *c)
{
	static const char *const names[] = { "stdin", "stdout", "stderr" };
	unsigned line = out_line(c, c->t->n_out);

	for (int fd = 0; fd < 3; fd++) {
		const char *path = c->t->std[fd];
		const struct input *in;
		bool is_good = false;

		if (!path)
			continue;
		in = fd == 0 ? thunk_input(c->t, path) : NULL;
		if (fd == 0)
			is_good = in && in->ref.kind != REF_TREE;
		for (size_t i = 0; fd > 0 && i < c->t->n_out && !is_good; i++)
			is_good = !c->t->out[i].is_dir &&
				strcmp(c->t->out[i].path, path) == 0;
		if (!is_good)
			return err_set(c->e, ERR_BAD,
				       "line %u: %s is not the path of an %s file: \"%s\"",
				       line, names[fd], fd == 0 ? "input" : "output",
				       text_show(path).s);
		line++;
	}
	return 0;
}

int thunk_check(const struct thunk *t, unsigned first_line, struct err *e)
{
	struct check c = { t, first_line, e };

	if (t->n_args == 0)
		return err_set(e, ERR_BAD, "line %u: a thunk has at least one arg",
			       first_line + 1);
	if (t->cwd && strcmp(t->cwd, ".") != 0 && !path_is_plain(t->cwd))
		return bad(&c, first_line + 1 + (unsigned)t->n_args,
			   "cwd is neither \".\" nor a clean path inside the project",
			   t->cwd);
	if (check_env(&c) < 0 || check_in(&c) < 0 || check_out(&c) < 0 ||
	    check_paths(&c) < 0 || check_std(&c) < 0)
		return -1;
	return 0;
}
