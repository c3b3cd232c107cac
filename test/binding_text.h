/* binding_text.h - a command line bound by the built-in models, as one text
 *
 * Reads are "<path", optional ones "<path?"; writes ">name=path", programs
 * with a "*" behind; all in the order of the binding.  What runs for real is
 * "real: " and the reason.
 */
#ifndef GG_BINDING_TEXT_H
#define GG_BINDING_TEXT_H

#include <string.h>
#include "../src/thunk/builtin.h"
#include "file.h"
#include "test.h"

/* Bind the n arguments, seen from cwd; b->n_scan and so on are left filled. */
static inline enum match bind_args(const char **args, size_t n, const char **env,
				   const char *cwd, struct arena *a,
				   struct binding *b, struct buf *why)
{
	const struct builtin *m = builtin_find(path_base(args[0]));
	struct command c = {
		.program = arena_printf(a, "/usr/bin/%s", path_base(args[0])),
		.args = args, .n_args = n, .env = env, .cwd = cwd,
	};

	while (env && env[c.n_env])
		c.n_env++;
	*b = (struct binding){ 0 };
	return m ? m->bind(&c, a, b, why) : MATCH_NONE;
}

static inline const char *binding_text(enum match m, const struct binding *b,
				       const struct buf *why, struct arena *a,
				       const char *between)
{
	struct buf t = { 0 };
	const char *s;

	if (m == MATCH_NONE)
		return "none";
	if (m == MATCH_REAL)
		return arena_printf(a, "real: %.*s", (int)why->n, why->p);
	for (size_t i = 0; i < b->n_reads; i++)
		buf_printf(&t, "%s<%s%s", t.n ? between : "", b->reads[i].path,
			   b->reads[i].is_optional ? "?" : "");
	for (size_t i = 0; i < b->n_writes; i++)
		buf_printf(&t, "%s>%s=%s%s", t.n ? between : "", b->writes[i].name,
			   b->writes[i].path, b->writes[i].is_exec ? "*" : "");
	s = arena_strn(a, t.n ? t.p : "", t.n);
	buf_release(&t);
	return s;
}

static inline const char *joined(const char **v, size_t n, struct arena *a)
{
	struct buf t = { 0 };
	const char *s;

	for (size_t i = 0; i < n; i++)
		buf_printf(&t, "%s%s", i ? " " : "", v[i]);
	s = arena_strn(a, t.n ? t.p : "", t.n);
	buf_release(&t);
	return s;
}

/* What became of one command line. */
struct bound {
	struct arena a;
	struct buf why;
	struct binding b;
	enum match match;
	const char *text;
};

static inline void bound_release(struct bound *o)
{
	arena_release(&o->a);
	buf_release(&o->why);
}

/* *o is zeroed, or holds an earlier line, which goes. */
static inline void bind_line(struct bound *o, const char *cwd, const char *line,
			     const char **env)
{
	struct strs args = { 0 };

	bound_release(o);
	*o = (struct bound){ 0 };
	for (char *p = arena_str(&o->a, line), *w, *save; (w = strtok_r(p, " ", &save));
	     p = NULL)
		strs_add(&args, w);
	o->match = bind_args(args.v, args.n, env, cwd, &o->a, &o->b, &o->why);
	o->text = binding_text(o->match, &o->b, &o->why, &o->a, " ");
	strs_release(&args);
}

struct bound_row {
	const char *command, *text;
};

static inline void check_bound(const struct bound_row *rows, size_t n, const char *cwd)
{
	struct bound o = { 0 };

	for (size_t i = 0; i < n; i++) {
		int before = test_failures;

		bind_line(&o, cwd, rows[i].command, NULL);
		CHECK(o.match == MATCH_BOUND);
		CHECK_STR(o.text, rows[i].text);
		if (test_failures != before)
			printf("# in: %s\n", rows[i].command);
	}
	bound_release(&o);
}

/* A line that runs for real, and a part of the reason why. */
struct refusal {
	const char *command, *reason;
};

static inline void check_refusals(const struct refusal *rows, size_t n, const char *cwd)
{
	struct bound o = { 0 };

	for (size_t i = 0; i < n; i++) {
		int before = test_failures;

		bind_line(&o, cwd, rows[i].command, NULL);
		CHECK(o.match == MATCH_REAL);
		CHECK(strncmp(o.text, "real: built-in ", 15) == 0);
		CHECK(strstr(o.text, rows[i].reason));
		if (test_failures != before)
			printf("# %s: %s\n", rows[i].command, o.text);
	}
	bound_release(&o);
}

#endif
