/* property.c - the lines below a pattern of gg.models
 *
 * They say what a command reads, writes and needs besides what its arguments say.
 */
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "fuse.h"
#include "pattern.h"
#include "quantity.h"

struct property {
	const char *name;
	const char *help;       /* what follows it */
	const char *(*read)(struct source *s, struct words *w);
	size_t least, most;     /* how many words follow it */
};

static const char *path_add(struct source *s, struct words *w,
			    enum path_kind kind)
{
	struct model *m = s->m;

	for (size_t i = w->bad = 1; i < w->n; w->bad = ++i) {
		struct model_path p = { .kind = kind, .text = w->v[i].s };
		size_t n = strlen(p.text);
		const char *bad = template_check(m, p.text, s->a);

		if (bad)
			return bad;
		if (n == 0)
			return "an empty path";
		p.is_dir = p.text[n - 1] == '/';
		p.is_glob = strpbrk(p.text, "*?[") && w->v[i].quoted_at == SIZE_MAX;
		if (p.is_glob && (kind == PATH_MAKES || kind == PATH_UPDATES))
			return arena_printf(s->a, "%s %s: outputs are named one by one, "
					    "or as a directory with a / at its end",
					    w->v[0].s, p.text);
		m->paths = arena_more(s->a, m->paths, m->n_paths, sizeof(*m->paths));
		m->paths[m->n_paths++] = p;
	}
	return NULL;
}

static const char *read_also(struct source *s, struct words *w)
{
	return path_add(s, w, PATH_ALSO);
}

static const char *read_optional(struct source *s, struct words *w)
{
	return path_add(s, w, PATH_OPTIONAL);
}

static const char *read_makes(struct source *s, struct words *w)
{
	return path_add(s, w, PATH_MAKES);
}

static const char *read_updates(struct source *s, struct words *w)
{
	return path_add(s, w, PATH_UPDATES);
}

static const char *read_uses(struct source *s, struct words *w)
{
	struct model *m = s->m;

	for (size_t i = w->bad = 1; i < w->n; w->bad = ++i) {
		const char *name = w->v[i].s;
		/* pip:/FOLDER/NAME: a package where it lies */
		const char *path = name + (strncmp(name, "pip:", 4) == 0 ? 4 : 0);
		const char *slash = strchr(path, '/');

		if (!*path || (slash && slash != path) || strcmp(path, "/") == 0)
			return arena_printf(s->a, "uses %s: say a package's name, or an absolute "
					    "path of the system", name);
		if (slash && strncmp(path_clean(s->a, "/", path), path,
				     strlen(path) - (path[strlen(path) - 1] == '/')) != 0)
			return arena_printf(s->a, "uses %s: write it as %.*s%s", name,
					    (int)(path - name), name,
					    path_clean(s->a, "/", path));
		m->uses = arena_more(s->a, m->uses, m->n_uses, sizeof(*m->uses));
		m->uses[m->n_uses++] = name;
	}
	return NULL;
}

static const char *read_env(struct source *s, struct words *w)
{
	struct model *m = s->m;

	for (size_t i = w->bad = 1; i < w->n; w->bad = ++i) {
		const char *name = w->v[i].s, *star = strchr(name, '*');

		if (strchr(name, '='))
			return arena_printf(s->a, "env %s: the value is taken from where the "
					    "command runs; write the name alone", name);
		if (*name == '\0' || (star && star[1]) || name == star)
			return "env wants NAME, or NAME* for all that begin so";
		m->env = arena_more(s->a, m->env, m->n_env, sizeof(*m->env));
		m->env[m->n_env++] = name;
	}
	return NULL;
}

/* Words with {templates}, behind those that *v has. */
static const char *template_words(struct source *s, struct words *w, const char ***v,
				  size_t *n)
{
	for (size_t i = w->bad = 1; i < w->n; w->bad = ++i) {
		const char *bad = template_check(s->m, w->v[i].s, s->a);

		if (bad)
			return bad;
		*v = arena_more(s->a, *v, *n, sizeof **v);
		(*v)[(*n)++] = w->v[i].s;
	}
	return NULL;
}

static const char *read_resume(struct source *s, struct words *w)
{
	if (s->m->n_resume)
		return "resume stands here twice: it leaves one checkpoint";
	if (!*w->v[1].s)
		return "an empty path";
	return template_words(s, w, &s->m->resume, &s->m->n_resume);
}

static const char *read_state(struct source *s, struct words *w)
{
	if (!s->m->n_resume)
		return "state has to stand below the resume line that it belongs to";
	return template_words(s, w, &s->m->state, &s->m->n_state);
}

static const char *read_cpus(struct source *s, struct words *w)
{
	double *n = strcmp(w->v[0].s, "gpus") == 0 ? &s->m->hints.gpus : &s->m->hints.cpus;

	return quantity_number(w->v[1].s, n) && *n > 0 && *n <= 65536
		       ? NULL
		       : arena_printf(s->a, "%s %s: say a number such as 1 or 0.5", w->v[0].s,
				      w->v[1].s);
}

/* "2", "0.5", "1-4" */
static const char *read_gpus(struct source *s, struct words *w)
{
	const char *text = w->v[1].s, *dash = strchr(text, '-');
	char *end;
	unsigned long least, most;

	if (!dash)
		return read_cpus(s, w);
	least = strtoul(text, &end, 10);
	most = end == dash ? strtoul(dash + 1, &end, 10) : 0;
	if (*text < '1' || *text > '9' || *end || dash[1] < '1' || dash[1] > '9' ||
	    most <= least || most > 255)
		return arena_printf(s->a, "gpus %s: say a number such as 1 or 0.5, or from and "
				    "to, such as 1-4", text);
	s->m->hints.gpus = (double)least;
	s->m->hints.gpus_most = (unsigned)most;
	return NULL;
}

static const char *read_mem(struct source *s, struct words *w)
{
	struct hints *h = &s->m->hints;
	bool is_disk = strcmp(w->v[0].s, "disk") == 0;

	return quantity_bytes(w->v[1].s, is_disk ? &h->disk_bytes : &h->mem_bytes)
		       ? NULL
		       : arena_printf(s->a, "%s %s: say a number and K, M, G or T, as in 2G",
				      w->v[0].s, w->v[1].s);
}

static const char *read_time(struct source *s, struct words *w)
{
	return quantity_seconds(w->v[1].s, &s->m->hints.time_s)
		       ? NULL
		       : arena_printf(s->a, "time %s: say a number and s, m, h or d, as in 90s "
				      "or 1h30m", w->v[1].s);
}

static const char *read_priority(struct source *s, struct words *w)
{
	char *end;
	long n = strtol(w->v[1].s, &end, 10);

	if (end == w->v[1].s || *end || n < -1000 || n > 1000)
		return arena_printf(s->a, "priority %s: say a whole number from -1000 to 1000",
				    w->v[1].s);
	s->m->hints.priority = (int)n;
	return NULL;
}

static const char *read_aside(struct source *s, struct words *w)
{
	struct model *m = s->m;

	for (size_t i = w->bad = 1; i < w->n; w->bad = ++i) {
		size_t k = 0;

		while (k < m->n_names && strcmp(m->names[k].s, w->v[i].s) != 0)
			k++;
		if (k == m->n_names || m->options[m->names[k].option].value.hole == HOLE_IN ||
		    m->options[m->names[k].option].value.hole == HOLE_OUT)
			return arena_printf(s->a, "aside %s: say an option of the pattern that "
					    "is no path, such as --threads", w->v[i].s);
		m->options[m->names[k].option].is_aside = true;
		m->has_aside = true;
	}
	return NULL;
}

static const char *read_fuse(struct source *s, struct words *w)
{
	struct buf b = { 0 };
	struct fuse *parsed;
	struct err e;

	for (size_t i = 1; i < w->n; i++) {
		if (strchr(w->v[i].s, ' '))
			return "fuse: a word with a blank";
		buf_printf(&b, "%s%s", i > 1 ? " " : "", w->v[i].s);
	}
	s->m->hints.fuse = arena_strn(s->a, b.p, b.n);
	buf_release(&b);
	return fuse_read(s->m->hints.fuse, s->a, &parsed, &e) == 0 ? NULL :
		arena_str(s->a, e.text);
}

static const char *read_switch(struct source *s, struct words *w)
{
	const char *name = w->v[0].s;
	bool is_yes = strcmp(w->v[1].s, "yes") == 0;

	if (!is_yes && strcmp(w->v[1].s, "no") != 0)
		return arena_printf(s->a, "%s %s: say yes or no", name, w->v[1].s);
	if (strcmp(name, "network") == 0)
		s->m->uses_network = is_yes;
	else if (strcmp(name, "lists") == 0)
		s->m->has_lists = is_yes;
	else
		s->m->has_no_short_forms = !is_yes;
	return NULL;
}

static const char *read_never(struct source *s, struct words *w)
{
	(void)w;
	s->m->is_never = true;
	return NULL;
}

static const struct property properties[] = {
	{ "also",       "PATH...", read_also,     1, SIZE_MAX },
	{ "optional",   "PATH...", read_optional, 1, SIZE_MAX },
	{ "makes",      "PATH...", read_makes,    1, SIZE_MAX },
	{ "updates",    "PATH...", read_updates,  1, SIZE_MAX },
	{ "uses",       "NAME...", read_uses,     1, SIZE_MAX },
	{ "env",        "NAME...", read_env,      1, SIZE_MAX },
	{ "cpus",       "N",       read_cpus,     1, 1 },
	{ "gpus",       "N",       read_gpus,     1, 1 },
	{ "mem",        "2G",      read_mem,      1, 1 },
	{ "disk",       "10G",     read_mem,      1, 1 },
	{ "time",       "30m",     read_time,     1, 1 },
	{ "priority",   "N",       read_priority, 1, 1 },
	{ "aside",      "OPTION...", read_aside,  1, SIZE_MAX },
	{ "fuse",       "OPTION=... OPTION={}", read_fuse, 1, SIZE_MAX },
	{ "resume",     "PATH [WORD...]", read_resume, 1, SIZE_MAX },
	{ "state",      "WORD...", read_state,    1, SIZE_MAX },
	{ "network",    "yes",     read_switch,   1, 1 },
	{ "lists",      "yes",     read_switch,   1, 1 },
	{ "shortening", "no",      read_switch,   1, 1 },
	{ "never",      "",        read_never,    0, 0 },
	{ "run",        "",        read_never,    0, 0 },
};

const char *property_read(struct source *s, struct words *w)
{
	struct buf known = { 0 };
	const char *bad;

	for (size_t i = 0; i < sizeof(properties) / sizeof(*properties); i++) {
		const struct property *p = &properties[i];

		if (strcmp(p->name, w->v[0].s) != 0) {
			buf_printf(&known, " %s", p->name);
			continue;
		}
		buf_release(&known);
		w->bad = w->n > 1;
		if (w->n - 1 >= p->least && w->n - 1 <= p->most)
			return p->read(s, w);
		return arena_printf(s->a, "write: %s %s", p->name, p->help);
	}
	bad = arena_printf(s->a, "unknown property `%s`; there are%s (a pattern stands at the "
			   "line's begin)", w->v[0].s, known.p);
	buf_release(&known);
	return bad;
}
