/* args.c - a command's arguments shared out among a pattern's words
 *
 * Options first, wherever they stand and however they are spelled, as
 * getopt_long and argparse would; what is left fills the positionals.
 */
#include <string.h>
#include "pattern.h"

static bool is_number(const char *s)
{
	s += *s == '-';
	return *s && strspn(s, "0123456789.eE+-_") == strlen(s) &&
	       strpbrk(s, "0123456789") && !strchr("eE+-_", *s);
}

/* Would the program take this word for an option? */
static bool is_option(const struct fit *f, const char *w)
{
	return w[0] == '-' && w[1] && (f->m->has_digit_options || !is_number(w));
}

static const struct option *option_at(const struct fit *f,
				      const struct option_name *n)
{
	return &f->m->options[n->option];
}

/* The value of o is the next word, or all up to the next option. */
static bool take_next(struct fit *f, const struct option *o, const char *name)
{
	const char *w = f->at < f->n_args ? f->args[f->at] : NULL;

	if (o->value.repeats) {
		while (f->at < f->n_args && !is_option(f, f->args[f->at]))
			if (!bind_value(f, o, &o->value, f->args[f->at++]))
				return false;
		return true;
	}
	if (!w)
		return fit_no(f, "%s wants a value", name);
	if (w[0] == '-' && (strcmp(w, "--") == 0 || pattern_name(f->m, w, strcspn(w, "="))))
		return fit_no(f, "%s wants a value and %s follows", name, w);
	f->at++;
	return bind_value(f, o, &o->value, w);
}

/* The option is named; joined is its value from the same word, or NULL. */
static bool take_option(struct fit *f, const struct option_name *n,
			const char *joined)
{
	const struct option *o = option_at(f, n);

	if (o->value.hole == HOLE_NONE) {
		f->last[n->option] = "";
		return !joined || fit_no(f, "%s has a value, %s, and in the pattern it has none",
					 n->s, joined);
	}
	return joined ? bind_value(f, o, &o->value, joined) : take_next(f, o, n->s);
}

/* An option whose name was cut short, if there is just one.  false after
 * fit_no; *out NULL if there is none. */
static bool find_short_form(struct fit *f, const char *w, size_t n,
			    const struct option_name **out)
{
	const struct model *m = f->m;

	*out = NULL;
	for (size_t i = 0; i < m->n_names && n > 2 && !m->has_no_short_forms; i++) {
		const struct option_name *name = &m->names[i];

		if (name->n < n || memcmp(name->s, w, n) != 0)
			continue;
		if (*out && (*out)->option != name->option)
			return fit_no(f, "%.*s is short for %s and for %s", (int)n, w, (*out)->s,
				      name->s);
		*out = name;
	}
	return true;
}

static bool take_long(struct fit *f, const char *w)
{
	size_t n = strcspn(w, "=");
	const struct option_name *name = pattern_name(f->m, w, n);

	if (!name && !find_short_form(f, w, n, &name))
		return false;
	if (name)
		return take_option(f, name, w[n] ? w + n + 1 : NULL);
	return f->m->has_rest || fit_no(f, "%.*s is not in the pattern", (int)n, w);
}

/* -abc: letters without values, the last may have one, joined or next. */
static bool take_letters(struct fit *f, const char *w)
{
	char one[3] = "-";

	for (const char *p = w + 1; *p; p++) {
		const struct option_name *name;

		one[1] = *p;
		name = pattern_name(f->m, one, 2);
		if (!name && f->m->has_rest)
			return true;
		if (!name)
			return p == w + 1 ? fit_no(f, "%s is not in the pattern", w)
					  : fit_no(f, "%s of %s is not in the pattern", one, w);
		if (option_at(f, name)->value.hole == HOLE_NONE) {
			take_option(f, name, NULL);
			continue;
		}
		return take_option(f, name, p[1] ? p + 1 : NULL);
	}
	return true;
}

static bool take_short(struct fit *f, const char *w)
{
	size_t n = strcspn(w, "=");
	const struct option_name *name = pattern_name(f->m, w, n);

	if (name)
		return take_option(f, name, w[n] ? w + n + 1 : NULL);
	if (!is_option(f, w)) {
		f->words[f->n_words++] = w;
		return true;
	}
	return take_letters(f, w);
}

/* key=value, if the pattern has that key. */
static const struct option_name *key_of(const struct fit *f, const char *w)
{
	const char *equals = strchr(w, '=');
	const struct option_name *n;

	if (!equals || equals == w)
		return NULL;
	n = pattern_name(f->m, w, (size_t)(equals - w));
	return n && option_at(f, n)->is_key ? n : NULL;
}

static bool take_args(struct fit *f)
{
	bool has_ended = false;

	while (f->at < f->n_args) {
		const char *w = f->args[f->at++];
		const struct option_name *key;
		bool is_fine = true;

		/* getopt takes the second for an operand, argparse may not. */
		if (has_ended && strcmp(w, "--") == 0)
			return fit_no(f, "-- stands twice");
		if (has_ended || w[0] != '-' || !w[1]) {
			key = has_ended ? NULL : key_of(f, w);
			if (key)
				is_fine = take_option(f, key, strchr(w, '=') + 1);
			else
				f->words[f->n_words++] = w;
		} else if (strcmp(w, "--") == 0) {
			has_ended = true;
		} else {
			is_fine = w[1] == '-' ? take_long(f, w) : take_short(f, w);
		}
		if (!is_fine)
			return false;
	}
	return true;
}

static const char *hole_text(const struct value *v)
{
	static const char *const texts[][2] = {
		[HOLE_NONE] = { "word", "word" },
		[HOLE_ANY] = { "@", "@" },
		[HOLE_IN] = { "@in", "@in/" },
		[HOLE_OUT] = { "@out", "@out/" },
	};

	return texts[v->hole][v->is_dir];
}

/* A literal that is not there: silent, for it says that another sub-command
 * or script is meant. */
static bool fit_literal(struct fit *f, const struct positional *p, const char *w)
{
	if (p->is_script ? fit_same_script(f, p->literal, w) : strcmp(p->literal, w) == 0)
		return true;
	if (f->why && f->why->n > f->why_at) {
		f->why->n = f->why_at;
		f->why->p[f->why_at] = '\0';
	}
	return false;
}

/* One positional and its word (NULL: absent, it may miss). */
static bool fit_word(struct fit *f, const struct positional *p, const char *w)
{
	if (p->literal) {
		if (w && p->is_script)
			bind_read(f, w);
		return !w || fit_literal(f, p, w);
	}
	w = w ? w : p->value.fallback;
	f->numbered = arena_more(f->a, f->numbered, f->n_numbered, sizeof(*f->numbered));
	f->numbered[f->n_numbered++] = w;
	return !w || bind_value(f, NULL, &p->value, w);
}

/* Are the leading literals there, and a word for all that must have one? */
static bool fit_shape(struct fit *f)
{
	const struct model *m = f->m;
	size_t n_needed = 0;

	for (size_t i = 0; i < m->n_positionals && i < f->n_words; i++) {
		const struct positional *p = &m->positionals[i];

		if (!p->literal || p->may_miss)
			break;
		if (!fit_literal(f, p, f->words[i]))
			return false;
	}
	for (size_t i = 0; i < m->n_positionals; i++) {
		const struct positional *p = &m->positionals[i];

		n_needed += !p->may_miss && !p->value.repeats;
		if (n_needed > f->n_words)
			return fit_no(f, "%s is missing",
				      p->literal ? p->literal : hole_text(&p->value));
	}
	return true;
}

static bool fit_words(struct fit *f)
{
	const struct model *m = f->m;
	size_t extra, at = 0;

	if (!fit_shape(f))
		return false;
	extra = f->n_words - m->n_needed;
	for (size_t i = 0; i < m->n_positionals; i++) {
		const struct positional *p = &m->positionals[i];
		size_t n = p->value.repeats ? extra : p->may_miss ? extra > 0 : 1;

		if (p->value.repeats || p->may_miss)
			extra -= n;
		if (n == 0 && !fit_word(f, p, NULL))
			return false;
		for (; n; n--)
			if (!fit_word(f, p, f->words[at++]))
				return false;
	}
	return at == f->n_words || m->has_rest ||
	       fit_no(f, "%s is not in the pattern", f->words[at]);
}

/* Absent options: a default, or fine, or an output that would be lost.  What a
 * learned model saw each time is not known to be fine without. */
static bool fit_absent(struct fit *f)
{
	const struct model *m = f->m;

	for (size_t i = 0; i < m->n_options; i++) {
		const struct option *o = &m->options[i];

		if (f->last[i])
			continue;
		if (o->value.fallback) {
			if (!bind_value(f, o, &o->value, o->value.fallback))
				return false;
		} else if (o->value.hole == HOLE_OUT && !o->may_miss) {
			return fit_no(f, "%s is missing; put [ ] around it in the pattern "
				      "if it may be", m->names[o->first_name].s);
		} else if (m->is_learned && !o->may_miss && !o->value.repeats) {
			return fit_no(f, "%s is missing, which was there each time",
				      m->names[o->first_name].s);
		}
	}
	return true;
}

bool fit_args(struct fit *f)
{
	return take_args(f) && fit_words(f) && fit_absent(f);
}
