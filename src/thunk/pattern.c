/* pattern.c - a pattern line taken apart
 *
 * Every spelling that could be read in two ways is refused here, with the
 * unambiguous one named, because a wrong binding loses a file silently where
 * a refused model only says so.
 */
#include <string.h>
#include "file.h"
#include "pattern.h"

struct reader {
	struct arena *a;
	struct model *m;
	bool is_grouped;        /* inside [ ] */
	const char *flag;       /* the word before was an option without value */
};

/* The first @ of w that is not quoted, from s on; NULL if there is none. */
static const char *at_sign(const struct word *w, const char *s)
{
	const char *at = strchr(s, '@');

	return at && (size_t)(at - w->s) < w->quoted_at ? at : NULL;
}

static const char *value_read(struct reader *r, const char *spec,
			      struct value *v)
{
	const char *s = spec + 1;

	v->hole = HOLE_ANY;
	if (strncmp(s, "in", 2) == 0) {
		v->hole = HOLE_IN;
		s += 2;
	} else if (strncmp(s, "out", 3) == 0) {
		v->hole = HOLE_OUT;
		s += 3;
	}
	if (v->hole == HOLE_ANY && strncmp(s, "any", 3) == 0) {
		v->is_any = true;
		s += 3;
	}
	if (*s == '/' && v->hole != HOLE_ANY) {
		v->is_dir = true;
		s++;
	}
	if (*s == ',') {
		v->has_commas = true;
		s++;
	}
	if (strncmp(s, "...", 3) == 0) {
		v->repeats = true;
		s += 3;
	}
	if (*s == '=') {
		v->fallback = s + 1;
		s += strlen(s);
	}
	if (*s == '\0')
		return NULL;
	return arena_printf(r->a, "%s is none of @ @any @in @out @in/ @out/, with a , or ... "
			    "or =DEFAULT after it; put it in quotes if it means itself",
			    spec);
}

const struct option_name *pattern_name(const struct model *m, const char *s,
				       size_t n)
{
	for (size_t i = 0; i < m->n_names; i++)
		if (m->names[i].n == n && memcmp(m->names[i].s, s, n) == 0)
			return &m->names[i];
	return NULL;
}

static const char *name_add(struct reader *r, const char *s, size_t n)
{
	struct model *m = r->m;
	bool is_key = m->options[m->n_options].is_key;

	if (!is_key && (n < 2 || *s != '-' || (n == 2 && s[1] == '-')))
		return arena_printf(r->a, "`%.*s` is no option: write -o, --out or -o,--out=@out",
				    (int)n, s);
	if (memchr(s, '[', n) || memchr(s, ']', n) || memchr(s, ' ', n))
		return arena_printf(r->a, "`%.*s` is no option name; put [ ] around the whole word",
				    (int)n, s);
	if (pattern_name(m, s, n))
		return arena_printf(r->a, "%.*s stands twice in the pattern", (int)n, s);
	m->names = arena_more(r->a, m->names, m->n_names, sizeof(*m->names));
	m->names[m->n_names++] = (struct option_name){ arena_strn(r->a, s, n), n, m->n_options };
	if (!is_key && s[1] >= '0' && s[1] <= '9')
		m->has_digit_options = true;
	return NULL;
}

/* The first name with two dashes, else the first; the label is without. */
static void label_set(const struct model *m, struct option *o, size_t first)
{
	o->first_name = first;
	for (size_t i = m->n_names; i-- > first;)
		if (strncmp(m->names[i].s, "--", 2) == 0)
			o->first_name = i;
	o->label = m->names[o->first_name].s;
	o->label += strspn(o->label, o->is_key ? "+" : "-");
}

/* NAME, NAME=@..., or KEY=@... */
static const char *option_read(struct reader *r, const struct word *w, bool is_key)
{
	struct model *m = r->m;
	const char *equals = strchr(w->s, '='), *bad = NULL;
	const char *end = equals ? equals : w->s + strlen(w->s);
	size_t first = m->n_names;
	struct option *o;

	m->options = arena_more(r->a, m->options, m->n_options, sizeof(*m->options));
	o = &m->options[m->n_options];
	*o = (struct option){ .may_miss = r->is_grouped, .is_key = is_key };
	for (const char *s = w->s; !bad; s++) {
		const char *comma = memchr(s, ',', (size_t)(end - s));

		bad = name_add(r, s, (size_t)((comma ? comma : end) - s));
		if (!comma)
			break;
		s = comma;
	}
	if (bad)
		return bad;
	if (equals && at_sign(w, w->s) != equals + 1)
		return arena_printf(r->a, "%s gives a value of its own; write %.*s=@, =@in "
				    "or =@out", w->s, (int)(end - w->s), w->s);
	if (!equals && at_sign(w, w->s))
		return arena_printf(r->a, "%s: a value follows an =, as in --out=@out", w->s);
	if (equals)
		bad = value_read(r, equals + 1, &o->value);
	label_set(m, o, first);
	r->flag = equals ? NULL : w->s;
	m->n_options++;
	return bad;
}

static const char *hole_read(struct reader *r, const struct word *w,
			     struct positional *p)
{
	struct model *m = r->m;
	const char *bad = value_read(r, w->s, &p->value);

	if (bad)
		return bad;
	if (p->value.repeats && m->has_repeat)
		return "two words with ... after them: where the first ends cannot be told";
	/* `--data @in` looks as if @in were the value of --data. */
	if (r->flag && !p->value.repeats)
		return arena_printf(r->a, "is %s the value of %s?  Write %s=%s if it is, "
				    "else put it before the options",
				    w->s, r->flag, r->flag, w->s);
	m->has_repeat |= p->value.repeats;
	return NULL;
}

static const char *literal_read(struct reader *r, const struct word *w,
				struct positional *p)
{
	const struct model *m = r->m;

	if (at_sign(w, w->s))
		return arena_printf(r->a, "an @ inside the literal %s: write --name=@out for an "
				    "option, or put the word in quotes", w->s);
	for (size_t i = 0; i < m->n_positionals; i++)
		if (m->positionals[i].literal && strcmp(m->positionals[i].literal, w->s) == 0)
			return arena_printf(r->a, "%s stands twice in the pattern", w->s);
	p->literal = w->s;
	p->is_script = head_is_script(w->s);
	return NULL;
}

static const char *positional_read(struct reader *r, const struct word *w)
{
	struct model *m = r->m;
	struct positional p = { .may_miss = r->is_grouped };
	const char *bad = at_sign(w, w->s) == w->s ? hole_read(r, w, &p)
						   : literal_read(r, w, &p);

	if (bad)
		return bad;
	m->positionals = arena_more(r->a, m->positionals, m->n_positionals,
				    sizeof(*m->positionals));
	m->positionals[m->n_positionals++] = p;
	m->n_needed += !p.may_miss && !p.value.repeats;
	r->flag = NULL;
	return NULL;
}

/* key=@..., as hydra and dd write options. */
static bool is_key(const struct word *w)
{
	const char *at = at_sign(w, w->s);

	return at && at > w->s + 1 && strchr(w->s, '=') == at - 1;
}

static const char *word_read(struct reader *r, struct word w)
{
	size_t n = strlen(w.s);
	bool ends = false;
	const char *bad;

	if (*w.s == '[' && w.quoted_at > 0) {
		if (r->is_grouped)
			return "a [ inside [ ]";
		r->is_grouped = true;
		w.s++;
		w.quoted_at -= w.quoted_at != SIZE_MAX;
		n--;
	}
	if (n && w.s[n - 1] == ']' && w.quoted_at > n - 1) {
		if (!r->is_grouped)
			return "a ] without [";
		ends = true;
		w.s = arena_strn(r->a, w.s, --n);
	}
	if (n == 0 && w.quoted_at == SIZE_MAX)
		bad = NULL;
	else if (strcmp(w.s, "...") == 0 && w.quoted_at >= n)
		bad = r->m->has_rest ? "... stands twice" : NULL, r->m->has_rest = true;
	else if (*w.s == '-' && n > 1 && w.quoted_at > 0)
		bad = strcmp(w.s, "--") == 0 ? NULL : option_read(r, &w, false);
	else
		bad = is_key(&w) ? option_read(r, &w, true) : positional_read(r, &w);
	if (ends)
		r->is_grouped = false;
	return bad;
}

/* Is the word that an interpreter runs left open? */
static bool is_open(const struct word *w)
{
	return (at_sign(w, w->s) == w->s || strcmp(w->s, "...") == 0 ||
		strcmp(w->s, "[...]") == 0) &&
	       w->quoted_at > 0;
}

static void head_read(struct model *m, const struct words *w, struct arena *a)
{
	struct strs v = { 0 };
	struct head *h = &m->head;

	for (size_t i = 0; i < w->n; i++)
		strs_add(&v, w->v[i].s);
	*h = head_of(path_base(m->program), v.v, v.n);
	strs_release(&v);
	if (h->kind == HEAD_PROGRAM)
		return;
	if (h->at < w->n && is_open(&w->v[h->at])) {
		h->script = NULL;
		h->rest = h->at;
	} else {
		h->script = arena_str(a, h->script);
	}
	if (h->kind == HEAD_SCRIPT && h->script)
		m->script_hash = head_hash(path_base(h->script));
}

const char *pattern_read(struct words *w, struct arena *a, struct model *m)
{
	struct reader r = { .a = a, .m = m };
	size_t group = 0;

	if (*w->v[0].s == '\0' || *w->v[0].s == '-' || *w->v[0].s == '[' ||
	    at_sign(&w->v[0], w->v[0].s) || strchr(w->v[0].s, '='))
		return "a pattern begins with the name of a program";
	m->program = w->v[0].s;
	m->program_hash = head_hash(path_base(m->program));
	head_read(m, w, a);
	for (size_t i = m->head.rest; i < w->n; i++) {
		bool was_grouped = r.is_grouped;
		const char *bad = word_read(&r, w->v[i]);

		w->bad = i;
		if (bad)
			return bad;
		if (r.is_grouped && !was_grouped)
			group = i;
	}
	if (r.is_grouped) {
		w->bad = group;
		return "a [ without ]";
	}
	for (size_t i = 0; m->has_rest && i < m->n_positionals; i++)
		if (!m->positionals[i].literal)
			return "... cannot stand beside @ words: which word is which "
			       "could not be told";
	return NULL;
}
