/* model.c - gg.models read and checked
 *
 * The whole file is read before anything is matched, and one bad line refuses
 * it all: a model that is silently left out would cost hours, not a message.
 */
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "pattern.h"

struct source {
	struct models *ms;
	struct arena *a;
	struct model *m;        /* the one that is being read */
	const char *name;
	size_t line;
};

struct property {
	const char *name;
	const char *help;       /* what follows it */
	const char *(*read)(struct source *s, const struct words *w);
	size_t least, most;     /* how many words follow it */
};

static const char *path_add(struct source *s, const struct words *w,
			    enum path_kind kind)
{
	struct model *m = s->m;

	for (size_t i = 1; i < w->n; i++) {
		struct model_path p = { .kind = kind, .text = w->v[i].s };
		size_t n = strlen(p.text);
		const char *bad = template_check(m, p.text, s->a);

		if (bad)
			return bad;
		if (n == 0)
			return "an empty path";
		p.is_dir = p.text[n - 1] == '/';
		p.is_glob = strpbrk(p.text, "*?[") && w->v[i].quoted_at == SIZE_MAX;
		if (p.is_glob && kind == PATH_MAKES)
			return arena_printf(s->a, "makes %s: outputs are named one by one, "
					    "or as a directory with a / at its end", p.text);
		m->paths = arena_more(s->a, m->paths, m->n_paths, sizeof(*m->paths));
		m->paths[m->n_paths++] = p;
	}
	return NULL;
}

static const char *read_also(struct source *s, const struct words *w)
{
	return path_add(s, w, PATH_ALSO);
}

static const char *read_optional(struct source *s, const struct words *w)
{
	return path_add(s, w, PATH_OPTIONAL);
}

static const char *read_makes(struct source *s, const struct words *w)
{
	return path_add(s, w, PATH_MAKES);
}

static const char *read_env(struct source *s, const struct words *w)
{
	struct model *m = s->m;

	for (size_t i = 1; i < w->n; i++) {
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

/* A plain decimal number, no sign, no exponent: what follows it, or NULL. */
static const char *number_read(const char *s, double *out)
{
	char *end;

	if (*s < '0' || *s > '9' || strspn(s, "0123456789.") > 15 || s[1] == 'x' ||
	    s[1] == 'X')
		return NULL;
	*out = strtod(s, &end);
	return strspn(s, "0123456789.") == (size_t)(end - s) ? end : NULL;
}

static const char *read_cpus(struct source *s, const struct words *w)
{
	double *n = strcmp(w->v[0].s, "gpus") == 0 ? &s->m->hints.gpus : &s->m->hints.cpus;
	const char *end = number_read(w->v[1].s, n);

	return end && *end == '\0' && *n > 0 && *n <= 65536
		       ? NULL
		       : arena_printf(s->a, "%s %s: say a number such as 1 or 0.5", w->v[0].s,
				      w->v[1].s);
}

static const char *read_mem(struct source *s, const struct words *w)
{
	static const char units[] = "KMGT";
	double n = 0;
	const char *end = number_read(w->v[1].s, &n);
	const char *unit = end && *end ? strchr(units, *end) : NULL;

	if (!unit || (strcmp(end + 1, "") && strcmp(end + 1, "iB")) || n <= 0)
		return arena_printf(s->a, "mem %s: say a number and K, M, G or T, as in 2G",
				    w->v[1].s);
	for (const char *u = units; u <= unit; u++)
		n *= 1024;
	if (n < 1 || n > 1e18)
		return arena_printf(s->a, "mem %s: no machine has that", w->v[1].s);
	s->m->hints.mem_bytes = (uint64_t)n;
	return NULL;
}

static const char *read_time(struct source *s, const struct words *w)
{
	static const struct { char unit; double seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
	};
	double sum = 0, n;
	const char *p = w->v[1].s;

	while (*p) {
		const char *end = number_read(p, &n);
		size_t i = 0;

		while (end && i < 4 && units[i].unit != *end)
			i++;
		if (!end || i == 4)
			break;
		sum += n * units[i].seconds;
		p = end + 1;
	}
	if (*p || sum <= 0 || sum > 3e9)
		return arena_printf(s->a, "time %s: say a number and s, m, h or d, as in 90s "
				    "or 1h30m", w->v[1].s);
	s->m->hints.time_s = sum;
	return NULL;
}

static const char *read_priority(struct source *s, const struct words *w)
{
	char *end;
	long n = strtol(w->v[1].s, &end, 10);

	if (end == w->v[1].s || *end || n < -1000 || n > 1000)
		return arena_printf(s->a, "priority %s: say a whole number from -1000 to 1000",
				    w->v[1].s);
	s->m->hints.priority = (int)n;
	return NULL;
}

static const char *read_switch(struct source *s, const struct words *w)
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

static const char *read_never(struct source *s, const struct words *w)
{
	(void)w;
	s->m->is_never = true;
	return NULL;
}

static const struct property properties[] = {
	{ "also",       "PATH...", read_also,     1, SIZE_MAX },
	{ "optional",   "PATH...", read_optional, 1, SIZE_MAX },
	{ "makes",      "PATH...", read_makes,    1, SIZE_MAX },
	{ "env",        "NAME...", read_env,      1, SIZE_MAX },
	{ "cpus",       "N",       read_cpus,     1, 1 },
	{ "gpus",       "N",       read_cpus,     1, 1 },
	{ "mem",        "2G",      read_mem,      1, 1 },
	{ "time",       "30m",     read_time,     1, 1 },
	{ "priority",   "N",       read_priority, 1, 1 },
	{ "network",    "yes",     read_switch,   1, 1 },
	{ "lists",      "yes",     read_switch,   1, 1 },
	{ "shortening", "no",      read_switch,   1, 1 },
	{ "never",      "",        read_never,    0, 0 },
	{ "run",        "",        read_never,    0, 0 },
};

static const char *property_read(struct source *s, const struct words *w)
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
		if (w->n - 1 >= p->least && w->n - 1 <= p->most)
			return p->read(s, w);
		return arena_printf(s->a, "write: %s %s", p->name, p->help);
	}
	bad = arena_printf(s->a, "unknown property `%s`; there are%s (a pattern stands at the "
			   "line's begin)", w->v[0].s, known.p);
	buf_release(&known);
	return bad;
}

static const char *model_read(struct source *s, const struct words *w,
			      struct bytes text)
{
	struct models *ms = s->ms;
	struct model *m;

	if (ms->n == 0 || (ms->n & (ms->n - 1)) == 0)
		ms->v = mem_grow(ms->v, (ms->n ? ms->n * 2 : 1) * sizeof(*ms->v));
	m = s->m = &ms->v[ms->n++];
	*m = (struct model){ 0 };
	m->rule = arena_printf(s->a, "%s:%zu", s->name, s->line);
	while (text.n && strchr(" \t\r\n", text.p[text.n - 1]))
		text.n--;
	m->pattern = arena_strn(s->a, text.p, text.n);
	if (strchr(w->v[0].s, '/') || head_is_script(w->v[0].s))
		ms->has_scripts = true;
	return pattern_read(w, s->a, m);
}

/* One logical line: continuations are spaces by now. */
static const char *line_read(struct source *s, struct bytes line)
{
	bool is_indented = line.n && (line.p[0] == ' ' || line.p[0] == '\t');
	struct words w;
	const char *bad;

	if (memchr(line.p, '\0', line.n))
		return "a NUL byte";
	bad = words_split(line, s->a, &w);
	if (bad || w.n == 0)
		return bad;
	if (!is_indented)
		return model_read(s, &w, line);
	return s->m ? property_read(s, &w) : "a property before any pattern; a pattern stands at "
					     "the line's begin";
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

int models_new(struct bytes text, const char *name, struct models **out,
	       struct err *e)
{
	struct models *ms = mem_alloc(sizeof(*ms));
	struct source s = { .ms = ms, .a = &ms->a, .name = name, .line = 1 };

	*ms = (struct models){ 0 };
	if (bytes_start(text, "\xef\xbb\xbf")) {
		text.p += 3;
		text.n -= 3;
	}
	while (text.n) {
		size_t n_lines;
		struct bytes line = line_next(&s, &text, &n_lines);
		const char *bad = line_read(&s, line);

		if (bad) {
			err_set(e, ERR_BAD, "%s:%zu: %s", name, s.line, bad);
			models_free(ms);
			return -1;
		}
		s.line += n_lines;
	}
	*out = ms;
	return 0;
}

void models_free(struct models *ms)
{
	if (!ms)
		return;
	free(ms->v);
	arena_release(&ms->a);
	free(ms);
}

bool models_each(const struct models *m, size_t *pos, struct model_info *out)
{
	if (*pos >= m->n)
		return false;
	*out = (struct model_info){ m->v[*pos].rule, m->v[*pos].pattern };
	++*pos;
	return true;
}
