/* draft.c - gathering a binding, and arguments against a table of options
 *
 * The first thing that cannot be expressed settles the verdict, so that what
 * follows may go on gathering without asking.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "draft.h"
#include "file.h"

void draft_begin(struct draft *d, const struct command *c, struct arena *a)
{
	const char *bad;

	*d = (struct draft){ .c = c, .a = a };
	d->rule = arena_printf(a, "built-in %s",
			       path_base(c->n_args ? c->args[0] : c->program));
	if (!c->n_args)
		draft_refuse(d, "it has no arguments at all");
	else if (!lists_expand(c->cwd, c->args + 1, c->n_args - 1, a, &d->args,
			       &d->lists, &bad))
		draft_refuse(d, "%s", bad);
	for (size_t i = 0; i < d->lists.n; i++)
		draft_read(d, d->lists.v[i], 0);
}

bool draft_refuse(struct draft *d, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (d->reason)
		return false;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	d->reason = arena_str(d->a, text);
	return false;
}

const char *draft_getenv(const struct draft *d, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < d->c->n_env; i++)
		if (strncmp(d->c->env[i], name, n) == 0 && d->c->env[i][n] == '=')
			return d->c->env[i] + n + 1;
	return NULL;
}

void draft_env(struct draft *d, const char *name)
{
	for (size_t i = 0; i < d->env.n; i++)
		if (strcmp(d->env.v[i], name) == 0)
			return;
	strs_add(&d->env, name);
}

static bool look(const struct draft *d, const char *path, struct stat *st)
{
	return stat(path_clean(d->a, d->c->cwd, path), st) == 0;
}

bool draft_is_file(const struct draft *d, const char *path)
{
	struct stat st;

	return look(d, path, &st) && S_ISREG(st.st_mode);
}

bool draft_is_dir(const struct draft *d, const char *path)
{
	struct stat st;

	return look(d, path, &st) && S_ISDIR(st.st_mode);
}

bool draft_is_exec(const struct draft *d, const char *path)
{
	struct stat st;

	return look(d, path, &st) && S_ISREG(st.st_mode) && st.st_mode & 0111;
}

/* Where others put what they need for a moment.  Read, a file right inside
 * such a folder is gone when a thunk would want it; written, any file below
 * is wanted at once, by whoever chose its name. */
static bool is_temporary(const struct draft *d, const char *clean, bool is_write)
{
	const char *tmp = draft_getenv(d, "TMPDIR");
	const char *root = d->c->root ? d->c->root : d->c->cwd;
	const char *dirs[] = { "/tmp", "/var/tmp", tmp };
	const char *base = path_base(clean);

	if (path_is_below(root, clean))
		return false;
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		const char *dir = dirs[i];

		if (!dir || *dir != '/')
			continue;
		dir = path_clean(d->a, "/", dir);
		if (path_is_below(dir, clean) &&
		    (is_write || (size_t)(base - clean) == strlen(dir) + 1))
			return true;
	}
	return false;
}

/* The tidied path, or NULL and a reason. */
static const char *check_path(struct draft *d, const char *path, bool is_write)
{
	const char *clean;
	size_t n = strlen(path);

	if (!n || n >= PATH_MAX || path[n - 1] == '/') {
		draft_refuse(d, "\"%.80s\" is no file name", path);
		return NULL;
	}
	if (strcmp(path, "-") == 0) {
		draft_refuse(d, "- is one of its standard streams");
		return NULL;
	}
	clean = path_clean(d->a, d->c->cwd, path);
	if (path_is_below("/dev", clean) || path_is_below("/proc", clean)) {
		draft_refuse(d, "%s is no ordinary file", path);
		return NULL;
	}
	if (is_temporary(d, clean, is_write)) {
		draft_refuse(d, "%s is a temporary file", path);
		return NULL;
	}
	return clean;
}

bool draft_read(struct draft *d, const char *path, unsigned flags)
{
	struct bound_read r = { .path = path, .is_optional = flags & READ_OPTIONAL };
	const char *clean = check_path(d, path, false);
	void **slot;

	if (!clean)
		return false;
	slot = map_at(&d->seen, bytes_str(clean));
	if (*slot) {
		struct bound_read *old = (struct bound_read *)d->reads.p +
					 ((uintptr_t)*slot - 1);

		old->is_optional &= r.is_optional;
		return true;
	}
	buf_add(&d->reads, &r, sizeof r);
	*slot = (void *)(uintptr_t)(d->reads.n / sizeof r);
	return true;
}

bool draft_write(struct draft *d, const char *kind, const char *path,
		 unsigned flags)
{
	struct bound_write w = { .path = path, .is_exec = flags & WRITE_EXEC };
	const char *clean = check_path(d, path, true);
	size_t same = 1, n = strlen(kind);

	if (!clean)
		return false;
	for (size_t i = 0; i < d->writes.n / sizeof w; i++) {
		const struct bound_write *o = (struct bound_write *)d->writes.p + i;

		if (strcmp(path_clean(d->a, d->c->cwd, o->path), clean) == 0)
			return draft_refuse(d, "it would write %s twice", path);
		same += strncmp(o->name, kind, n) == 0 &&
			strspn(o->name + n, "0123456789") == strlen(o->name + n);
	}
	w.name = same == 1 ? kind : arena_printf(d->a, "%s%zu", kind, same);
	buf_add(&d->writes, &w, sizeof w);
	return true;
}

static void check_overlap(struct draft *d)
{
	size_t n = d->writes.n / sizeof(struct bound_write);

	for (size_t i = 0; i < n && !d->is_in_place; i++) {
		const struct bound_write *w = (struct bound_write *)d->writes.p + i;

		if (map_get(&d->seen,
			    bytes_str(path_clean(d->a, d->c->cwd, w->path))))
			draft_refuse(d, "it would both read and write %s", w->path);
	}
}

static const char **keep_strs(struct draft *d, const struct strs *l)
{
	const char **v;

	if (!l->n)
		return NULL;
	v = arena_alloc(d->a, (l->n + 1) * sizeof *v);
	memcpy(v, l->v, l->n * sizeof *v);
	return v;
}

enum match draft_end(struct draft *d, struct binding *out, struct buf *why)
{
	check_overlap(d);
	*out = (struct binding){ .rule = d->rule };
	if (!d->reason) {
		struct bytes reads = arena_bytes(d->a, buf_bytes(&d->reads));
		struct bytes writes = arena_bytes(d->a, buf_bytes(&d->writes));

		out->reads = (struct bound_read *)(uintptr_t)reads.p;
		out->n_reads = reads.n / sizeof(struct bound_read);
		out->writes = (struct bound_write *)(uintptr_t)writes.p;
		out->n_writes = writes.n / sizeof(struct bound_write);
		out->env = keep_strs(d, &d->env);
		out->n_env = d->env.n;
		out->scan = keep_strs(d, &d->scan);
		out->n_scan = d->scan.n;
		out->probe = keep_strs(d, &d->probe);
		out->n_probe = d->probe.n;
	} else if (why) {
		buf_printf(why, "%s: %s: runs for real\n", d->rule, d->reason);
	}
	strs_release(&d->args);
	strs_release(&d->lists);
	strs_release(&d->env);
	strs_release(&d->scan);
	strs_release(&d->probe);
	buf_release(&d->reads);
	buf_release(&d->writes);
	map_release(&d->seen);
	return d->reason ? MATCH_REAL : MATCH_BOUND;
}

/* How much of arg the row explains; 0 is not at all.  An exact name beats
 * every beginning. */
static size_t fit(const struct opt *o, const char *arg, size_t n_arg)
{
	size_t n = strlen(o->name);

	if (strncmp(arg, o->name, n) != 0)
		return 0;
	if (n == n_arg)
		return o->form == OPT_JOIN ? 0 : n + 1;
	switch ((enum opt_form)o->form) {
	case OPT_FLAG:
	case OPT_SEP:
		return 0;
	case OPT_EQ:
		return arg[n] == '=' ? n + 1 : 0;
	case OPT_BOTH:
	case OPT_JOIN:
	case OPT_START:
		return n;
	}
	return 0;
}

bool opt_match(const struct opt *table, const struct strs *args, size_t i,
	       struct opt_hit *hit)
{
	const char *arg = args->v[i];
	size_t best = 0, n_arg = strlen(arg), n;
	bool is_beside;

	hit->o = NULL;
	for (const struct opt *o = table; o->name; o++) {
		size_t got;

		if (o->name[1] != arg[1])
			continue;
		got = fit(o, arg, n_arg);
		if (got > best) {
			best = got;
			hit->o = o;
		}
	}
	if (!hit->o)
		return false;
	n = strlen(hit->o->name);
	is_beside = n == n_arg &&
		    (hit->o->form == OPT_SEP || hit->o->form == OPT_BOTH ||
		     hit->o->form == OPT_EQ);
	hit->arg = arg;
	hit->n_args = is_beside ? 2 : 1;
	if (is_beside && i + 1 == args->n)
		return false;
	hit->value = is_beside ? args->v[i + 1]
			       : arg + n + (hit->o->form == OPT_EQ);
	return true;
}
