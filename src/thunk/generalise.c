/* generalise.c - paths built out of argument values
 *
 * A path that a command touched is held against the values it was given.
 * Each way to build it of them is a candidate with a cost: the lower, the
 * less likely a coincidence.  `out/model-7.npz` beside --seed 7 is rather
 * model-{seed} than a file that happens to be called so; `v1.yaml` beside
 * --layers 1 is rather itself.  Other sightings decide.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "learn_private.h"

enum {
	SKIP_STRONG = 10,       /* what it costs to leave a likely value alone */
	TAKE_WEAK = 5,
	TAKE_CODE = 9,          /* programs are seldom named by values */
	FORMS_MAX = 512,
};

/* A value in one of its spellings. */
struct form {
	const char *text;       /* as it may stand in a path */
	const char *ref;        /* what to write for it, without braces */
	const char *name;       /* the option's, for the word before it */
	int cost;
	bool is_prefix;         /* a path that the whole may begin with */
	bool is_number;         /* digits: zeros may stand before them */
};

struct search {
	const struct plan *p;
	const struct view *v;
	struct arena *a;
	struct form *forms;             /* FORMS_MAX of them */
	size_t n_forms;
	const char *path;
	bool is_code, is_write;
	struct candidate *out;
	size_t n;
};

static bool all_digits(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

static void form_add(struct search *s, const char *text, const char *ref, const char *name,
		     int cost)
{
	if (!text || !*text || s->n_forms == FORMS_MAX)
		return;
	for (size_t i = 0; i < s->n_forms; i++)
		if (strcmp(s->forms[i].ref, ref) == 0)
			return;
	s->forms[s->n_forms++] = (struct form){ .text = text, .ref = ref, .name = name,
						.cost = cost, .is_number = all_digits(text) };
}

static void prefix_add(struct search *s, const char *path, const char *ref, int cost)
{
	if (!path || !*path || strcmp(path, ".") == 0 || strcmp(path, "/") == 0 ||
	    s->n_forms == FORMS_MAX)
		return;
	s->forms[s->n_forms++] = (struct form){ .text = path, .ref = ref, .name = "",
						.cost = cost, .is_prefix = true };
}

static const char *without_suffix(struct arena *a, const char *path)
{
	const char *base = path_base(path), *dot = strrchr(base, '.');

	return dot && dot != base ? arena_strn(a, path, (size_t)(dot - path)) : NULL;
}

static const char *folder_of(struct arena *a, const char *path)
{
	const char *base = path_base(path);

	return base - path > 1 ? arena_strn(a, path, (size_t)(base - path - 1)) : NULL;
}

/* Is path, or anything below it, one of the facts? */
static bool is_touched(const struct view *v, const char *path)
{
	for (size_t i = 0; i < v->n_facts; i++)
		if (path_is_below(path, v->facts[i].path))
			return true;
	return false;
}

/* All spellings of one value. */
static void forms_of(struct search *s, const char *ref, const char *text, int cost)
{
	struct arena *a = s->a;
	const char *path = *text ? view_path(s->v, text, a) : NULL, *base, *stem;

	if (!path || strlen(text) > 1000)
		return;
	if (!strchr(text, '/'))
		form_add(s, text, ref, ref, cost);
	base = path_base(path);
	if (strchr(text, '/'))
		form_add(s, base, arena_printf(a, "%s:base", ref), ref, cost + 1);
	stem = without_suffix(a, base);
	if (stem && !all_digits(base + strlen(stem) + 1))
		form_add(s, stem, strchr(text, '/') ? arena_printf(a, "%s:base:stem", ref)
						    : arena_printf(a, "%s:stem", ref), ref,
			 cost + 1);
	if (isdigit((unsigned char)*text) && !strchr(text, '/'))
		return;
	prefix_add(s, path, ref, cost);
	stem = without_suffix(a, path);
	if (!is_touched(s->v, path))
		return;
	prefix_add(s, stem, arena_printf(a, "%s:stem", ref), cost + 1);
	prefix_add(s, folder_of(a, path), arena_printf(a, "%s:dir", ref), cost + 3);
}

static void forms_all(struct search *s)
{
	const struct sighting *g = s->v->s;

	for (size_t i = 0; i < s->p->n_slots; i++) {
		const struct slot *slot = &s->p->slots[i];
		const char *text = view_value(s->v, i);

		if (!text && !slot->literal)
			text = slot->fallback;
		if (slot->ref && text && slot->hole != HOLE_NONE)
			forms_of(s, slot->ref, text, 0);
	}
	for (size_t i = 0; i < g->n_set_env; i++) {
		const char *equals = strchr(g->set_env[i], '=');

		/* Nobody calls a file by the number of threads or by a GPU. */
		if (s->is_write && env_is_known(g->set_env[i]))
			continue;
		if (equals && !env_is_local(g->set_env[i]) && strlen(equals) > 1)
			forms_of(s, arena_printf(s->a, "$%.*s", (int)(equals - g->set_env[i]),
						 g->set_env[i]), equals + 1, 2);
	}
}

/* ---- does a value stand at p in a path, and how surely? */

/* May text that begins or ends with the byte `edge` end beside `next`? */
static bool is_bound(char edge, char next)
{
	if (isdigit((unsigned char)edge))
		return !isdigit((unsigned char)next);
	if (isalpha((unsigned char)edge))
		return !isalpha((unsigned char)next);
	return true;
}

static bool is_separator(char c)
{
	return c == '\0' || strchr("/._-=,+@ ", c);
}

/* The word of letters before p, a separator between them stepped over, beside
 * the option's name: 3 if it is that, 2 if one begins with the other. */
static int name_beside(const char *path, const char *p, const char *name)
{
	const char *end = p, *s;
	size_t n, len = strcspn(name, ":");

	name += *name == '$';
	if (end > path && strchr("-_=", end[-1]))
		end--;
	for (s = end; s > path && (isalpha((unsigned char)s[-1]) || s[-1] == '_'); s--)
		;
	for (const char *dot = memchr(name, '.', len); dot; dot = memchr(name, '.', len)) {
		len -= (size_t)(dot + 1 - name);
		name = dot + 1;
	}
	n = (size_t)(end - s);
	for (; n; s++, n--) {
		size_t k = n < len ? n : len;

		if (k && strncasecmp(s, name, k) == 0)
			return n == len ? 3 : 2;
		while (n && *s != '_') {
			s++;
			n--;
		}
		if (!n)
			break;
	}
	return 0;
}

/* How many bytes of p this form takes there, 0 if it does not stand there.
 * *ref is what to write for them. */
static size_t form_at(const struct search *s, const struct form *f, const char *p,
		      const char **ref)
{
	size_t n = strlen(f->text), run;
	const char *digits = f->text;
	char before = p == s->path ? '\0' : p[-1];

	*ref = f->ref;
	if (f->is_prefix)
		return 0;
	if (strncmp(p, f->text, n) == 0 && is_bound(f->text[0], before) &&
	    is_bound(f->text[n - 1], p[n])) {
		/* The 1 of 0.1 is none, nor is that of 1.5. */
		if (f->is_number && ((before == '.' && p - s->path > 1 &&
				      isdigit((unsigned char)p[-2])) ||
				     (p[n] == '.' && isdigit((unsigned char)p[n + 1]))))
			return 0;
		return n;
	}
	run = strspn(p, "0123456789");
	if (!f->is_number || !run || isdigit((unsigned char)before))
		return 0;
	while (digits[0] == '0' && digits[1])
		digits++;
	n = strlen(digits);
	if (run > 20 || n > run || strspn(p, "0") < run - n ||
	    strncmp(p + run - n, digits, n) != 0)
		return 0;
	*ref = arena_printf(s->a, "%s:0%zu", f->ref, run);
	return run;
}

/* A number behind letters, m3.npz: in what is written rather a value than not,
 * but that v2 and .h5 are names. */
static bool is_counted(const struct search *s, const char *p, size_t n)
{
	const char *letters = p;

	while (letters > s->path && isalpha((unsigned char)letters[-1]))
		letters--;
	if (!s->is_write || !is_separator(p[n]) || letters == p)
		return false;
	return (letters == s->path || letters[-1] != '.') && (p - letters != 1 || *letters != 'v');
}

static bool is_strong(const struct search *s, const struct form *f, const char *p, size_t n)
{
	char before = p == s->path ? '\0' : p[-1];
	bool is_apart = is_separator(before) && is_separator(p[n]);

	if (s->is_code)
		return false;
	if (name_beside(s->path, p, f->name))
		return true;
	if (f->is_number)
		return is_apart || n >= 4 || is_counted(s, p, n);
	/* What is read beside a file may well share its first name by chance. */
	if (!s->is_write && strstr(f->ref, ":stem"))
		return false;
	return is_apart && (n > 1 || ((!before || before == '/') &&
				      (!p[n] || p[n] == '/' || p[n] == '.')));
}

/* ---- all ways to build a path */

static void keep(struct search *s, const char *text, int cost, unsigned n_refs)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->out[i].text, text) == 0)
			return;
	if (s->n < CANDIDATES_MAX)
		s->out[s->n++] = (struct candidate){ text, cost, n_refs };
}

static bool is_plain_char(char c)
{
	return c != '{' && c != '}';
}

/* Build on from p, with `built` before it. */
static void build(struct search *s, const char *p, const char *built, int cost, unsigned n_refs)
{
	struct buf b = { 0 };
	int skip = 0;

	if (s->n == CANDIDATES_MAX)
		return;
	buf_str(&b, built);
	for (; *p; p++) {
		bool is_here = false;

		for (size_t i = 0; i < s->n_forms; i++) {
			const struct form *f = &s->forms[i];
			const char *ref;
			size_t n = form_at(s, f, p, &ref);
			bool strong;
			int take;

			if (!n)
				continue;
			strong = is_strong(s, f, p, n);
			take = f->cost + (ref != f->ref) + 3 + (strong ? 0 : TAKE_WEAK) +
			       (s->is_code ? TAKE_CODE : 0) - name_beside(s->path, p, f->name);
			is_here |= strong;
			build(s, p + n, arena_printf(s->a, "%s{%s}", b.p, ref), cost + skip + take,
			      n_refs + 1);
		}
		skip += is_here ? SKIP_STRONG : 0;
		if (!is_plain_char(*p))
			buf_char(&b, *p);
		buf_char(&b, *p);
	}
	keep(s, arena_str(s->a, b.p), cost + skip, n_refs);
	buf_release(&b);
}

static bool has_slot(const struct plan *p, const char *ref)
{
	for (size_t i = 0; i < p->n_slots; i++)
		if (p->slots[i].ref && strcmp(p->slots[i].ref, ref) == 0)
			return true;
	return false;
}

/* Where the path may be cut behind a value it begins with: 0, or its length. */
static size_t prefix_at(const struct search *s, const struct form *f)
{
	size_t n = strlen(f->text);
	bool is_stem = strstr(f->ref, ":stem") != NULL;

	if (!f->is_prefix || strncmp(s->path, f->text, n) != 0)
		return 0;
	if (strstr(f->ref, ":dir"))
		return s->path[n] == '/' ? n : 0;
	if (s->path[n] == '/' || (s->path[n] == '\0' && !is_stem))
		return n;
	return s->path[n] && strchr("._-", s->path[n]) ? n : 0;
}

static void search_prefixes(struct search *s, bool *is_any)
{
	for (size_t i = 0; i < s->n_forms; i++) {
		const struct form *f = &s->forms[i];
		size_t n = prefix_at(s, f);

		if (!n)
			continue;
		*is_any = true;
		build(s, s->path + n, arena_printf(s->a, "{%s}", f->ref),
		      f->cost + (s->is_code ? TAKE_CODE : 0), 1);
	}
}

/* Seen from the folder it runs in, the script's, or the root. */
static void search_bases(struct search *s, int cost)
{
	const struct view *v = s->v;
	const char *dir = v->script_path ? folder_of(s->a, v->script_path) : NULL;
	bool is_here = path_is_below(v->cwd, s->path) && *s->path != '/' &&
		       strcmp(v->cwd, s->path) != 0;
	size_t cut = strcmp(v->cwd, ".") == 0 ? 0 : strlen(v->cwd) + 1;

	if (*s->path == '/') {
		build(s, s->path, "", cost, 0);
		return;
	}
	if (is_here)
		build(s, s->path + cut, "", cost, 0);
	if (!has_slot(s->p, "root") && (!is_here || s->p->n_views > 1))
		build(s, s->path, "{root}/", cost + 1, 0);
	if (dir && !has_slot(s->p, "script") && path_is_below(dir, s->path) &&
	    strcmp(dir, v->cwd) != 0 && strcmp(dir, s->path) != 0 && *dir != '/')
		build(s, s->path + strlen(dir) + 1, "{script:dir}/", cost + 2, 0);
}

/* The path itself is always among them, however many others there are. */
static void keep_itself(struct search *s)
{
	struct candidate *last = &s->out[CANDIDATES_MAX - 1];
	struct buf b = { 0 };

	for (size_t i = 0; i < s->n; i++)
		if (!s->out[i].n_refs)
			return;
	buf_str(&b, *s->path == '/' ? "" : "{root}/");
	for (const char *c = s->path; *c; c++) {
		if (!is_plain_char(*c))
			buf_char(&b, *c);
		buf_char(&b, *c);
	}
	if (s->n < CANDIDATES_MAX)
		last = &s->out[s->n++];
	*last = (struct candidate){ arena_str(s->a, b.p), 4 * SKIP_STRONG, 0 };
	buf_release(&b);
}

static int by_cost(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->cost != y->cost)
		return x->cost < y->cost ? -1 : 1;
	return strcmp(x->text, y->text);
}

static bool is_code(const struct fact *f)
{
	return f->kind == FACT_READ && head_is_script(f->path);
}

size_t candidates_of(const struct plan *p, const struct view *v, const struct fact *f,
		     struct candidate *out)
{
	struct form forms[FORMS_MAX];
	struct search s = { .p = p, .v = v, .a = p->a, .forms = forms, .path = f->path,
			    .out = out, .is_code = is_code(f),
			    .is_write = f->kind >= FACT_WRITE };
	bool has_prefix = false;

	forms_all(&s);
	search_prefixes(&s, &has_prefix);
	/* Room is kept for the plainest: nothing of it comes from a value. */
	if (s.n > CANDIDATES_MAX / 2)
		s.n = CANDIDATES_MAX / 2;
	search_bases(&s, has_prefix && !s.is_code ? SKIP_STRONG : 0);
	keep_itself(&s);
	qsort(out, s.n, sizeof(*out), by_cost);
	return s.n;
}

/* ---- and back: what a template means for another command */

struct meaning {
	const struct plan *p;
	const struct view *v;
};

static const char *meaning_value(void *arg, struct bytes name)
{
	const struct meaning *m = arg;
	const struct sighting *s = m->v->s;

	for (size_t i = 0; i < m->p->n_slots; i++) {
		const struct slot *slot = &m->p->slots[i];
		const char *text;

		if (!slot->ref || !bytes_equal(bytes_str(slot->ref), name))
			continue;
		text = view_value(m->v, i);
		return text ? text : slot->fallback;
	}
	if (name.n > 1 && *name.p == '$')
		for (size_t i = 0; i < s->n_set_env; i++) {
			size_t n = strcspn(s->set_env[i], "=");

			if (n == name.n - 1 && memcmp(s->set_env[i], name.p + 1, n) == 0)
				return s->set_env[i] + n + 1;
		}
	if (bytes_equal(name, bytes_str("root")))
		return m->v->root;
	return bytes_equal(name, bytes_str("script")) ? m->v->script : NULL;
}

const char *candidate_path(const struct plan *p, const struct view *v, const char *text)
{
	struct meaning m = { p, v };
	struct template t = { .value = meaning_value, .arg = &m };
	const char *path = template_fill(&t, text, p->a);

	return path && *path ? view_path(v, path, p->a) : NULL;
}
