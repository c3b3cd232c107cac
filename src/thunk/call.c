/* call.c - the words of several commands as slots of one pattern
 *
 * Nobody says which option takes a value.  That an option was ever last, or
 * stood before another one, says that it takes none; what follows an option
 * in every command is taken for its value.  A wrong guess gives a pattern that
 * reads oddly and still binds the same words to the same files.
 */
#include <ctype.h>
#include <string.h>
#include "file.h"
#include "learn_private.h"

enum { SLOTS_MAX = 400 };

/* What sort of thing a word names: the words of one option are of one sort. */
enum sort { SORT_WORD, SORT_NUMBER, SORT_READ, SORT_WRITE, SORT_FOLDER };

/* What all commands together show of one option. */
struct seen {
	const char *name;
	bool is_bare;           /* nothing followed it, once at least */
	bool is_joined;         /* a value stood in the same word */
	bool is_mixed;          /* several of different sorts, once at least */
};

struct reading {
	struct plan *p;
	struct arena *a;
	struct seen *seen;
	size_t n_seen;
};

static bool is_number(const char *w)
{
	w += *w == '-' || *w == '+';
	return (isdigit((unsigned char)*w) || (*w == '.' && isdigit((unsigned char)w[1]))) &&
	       w[strspn(w, "0123456789.eE+-_")] == '\0';
}

static bool is_option(const char *w)
{
	return w[0] == '-' && w[1] && !is_number(w);
}

static enum sort sort_of(const struct view *v, const char *w, struct arena *a)
{
	const char *path = view_path(v, w, a);
	const struct fact *f = path ? fact_at(v, path) : NULL;

	if (f && f->kind == FACT_READ)
		return SORT_READ;
	if (f && (f->kind == FACT_WRITE || f->kind == FACT_UPDATE))
		return SORT_WRITE;
	if (f && f->kind != FACT_ABSENT)
		return SORT_FOLDER;
	return is_number(w) ? SORT_NUMBER : SORT_WORD;
}

/* key=value, as hydra and dd write it; the length of key, or 0. */
static size_t key_length(const struct view *v, const char *w, struct arena *a)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	size_t plus = strspn(w, "+~"), n;
	const char *path;

	if (plus > 2 || !w[plus] || !strchr(letters, w[plus]))
		return 0;
	n = plus + strspn(w + plus, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
				    "0123456789./-");
	if (w[n] != '=')
		return 0;
	path = view_path(v, w, a);
	return path && fact_at(v, path) ? 0 : n;
}

/* -ofile and -O2: a letter with its value; else the whole word is a name. */
static bool is_joined_letter(const struct view *v, const char *w, struct arena *a)
{
	const char *path;

	if (w[1] == '-' || !w[2] || !isalpha((unsigned char)w[1]))
		return false;
	if (isdigit((unsigned char)w[2]) && is_number(w + 2))
		return true;
	path = view_path(v, w + 2, a);
	return path && fact_at(v, path) && sort_of(v, w + 2, a) != SORT_WORD;
}

/* The name in an option word and its joined value, NULL if none. */
static const char *split_option(const struct view *v, const char *w, struct arena *a,
				const char **value)
{
	size_t n = strcspn(w, "=");

	*value = NULL;
	if (w[n]) {
		*value = w + n + 1;
		return arena_strn(a, w, n);
	}
	if (is_joined_letter(v, w, a)) {
		*value = w + 2;
		return arena_strn(a, w, 2);
	}
	return w;
}

/* Words up to the next option or key, from at. */
static size_t followers(const struct view *v, size_t at, struct arena *a)
{
	const struct command *c = &v->s->command;
	size_t n = 0;

	for (; at + n < c->n_args; n++) {
		const char *w = c->args[at + n];

		if (is_option(w) || key_length(v, w, a))
			break;
		/* What a wrapper starts is not an option's value. */
		if (v->head.kind != HEAD_SCRIPT && head_is_script(w) &&
		    sort_of(v, w, a) == SORT_READ)
			break;
	}
	return n;
}

static struct seen *seen_at(struct reading *r, const char *name)
{
	for (size_t i = 0; i < r->n_seen; i++)
		if (strcmp(r->seen[i].name, name) == 0)
			return &r->seen[i];
	r->seen = arena_more(r->a, r->seen, r->n_seen, sizeof(*r->seen));
	r->seen[r->n_seen] = (struct seen){ .name = name };
	return &r->seen[r->n_seen++];
}

static void see_option(struct reading *r, const struct view *v, size_t at)
{
	const struct command *c = &v->s->command;
	const char *value, *name = split_option(v, c->args[at], r->a, &value);
	struct seen *s = seen_at(r, name);
	size_t n = value ? 0 : followers(v, at + 1, r->a);

	if (value) {
		s->is_joined = true;
		return;
	}
	s->is_bare |= n == 0;
	for (size_t i = 1; i < n; i++)
		if (sort_of(v, c->args[at + 1 + i], r->a) != sort_of(v, c->args[at + 1], r->a))
			s->is_mixed = true;
}

/* Options that nearly always are switches. */
static bool is_switch_name(const char *name)
{
	static const char *const names[] = {
		"verbose", "quiet", "debug", "force", "overwrite", "progress", "silent", "cuda",
		"shuffle", "deterministic", "amp", "fp16", "bf16", "save", "resume-latest",
		"dry-run", "normalize", "standardize", "q",
	};

	name += strspn(name, "-");
	if (strncmp(name, "no-", 3) == 0 || strncmp(name, "no_", 3) == 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool says_yes_or_no(const char *w)
{
	static const char *const words[] = { "true", "false", "True", "False", "yes", "no",
					     "on", "off", "auto", "none", "None" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(w, words[i]) == 0)
			return true;
	return is_number(w);
}

/* How many of n following words are the option's own. */
static size_t own_words(const struct seen *s, const struct view *v, size_t at, size_t n)
{
	if (n == 0)
		return 0;
	if (s->is_bare && !s->is_joined)
		return 0;
	if (!s->is_joined && is_switch_name(s->name) &&
	    !says_yes_or_no(v->s->command.args[at]))
		return 0;
	/* getopt's letters take one value, argparse's names may take many. */
	return n > 1 && !s->is_mixed && !s->is_joined && s->name[1] == '-' ? n : 1;
}

static size_t slot_at(struct plan *p, const char *name, bool is_key)
{
	struct slot *s;

	for (size_t i = 0; i < p->n_slots; i++)
		if (p->slots[i].name && strcmp(p->slots[i].name, name) == 0)
			return i;
	p->slots = arena_more(p->a, p->slots, p->n_slots, sizeof(*p->slots));
	s = &p->slots[p->n_slots];
	*s = (struct slot){ .name = name, .is_key = is_key,
			    .ref = name + strspn(name, is_key ? "+" : "-") };
	return p->n_slots++;
}

static void give(struct plan *p, struct view *v, size_t slot, const char *text)
{
	v->v = arena_more(p->a, v->v, v->n, sizeof(*v->v));
	v->v[v->n++] = (struct given){ slot, text, text ? view_path(v, text, p->a) : NULL };
}

/* The words of one command to slots; positionals are left in words. */
static void share_out(struct reading *r, struct view *v, struct strs *words)
{
	const struct command *c = &v->s->command;
	bool has_ended = false;

	for (size_t i = v->head.rest; i < c->n_args; i++) {
		const char *w = c->args[i], *value;
		size_t key = has_ended ? 0 : key_length(v, w, r->a), slot, n;
		struct seen *s;

		if (!has_ended && strcmp(w, "--") == 0) {
			has_ended = true;
		} else if (key) {
			give(r->p, v, slot_at(r->p, arena_strn(r->a, w, key), true), w + key + 1);
		} else if (has_ended || !is_option(w)) {
			strs_add(words, w);
		} else {
			s = seen_at(r, split_option(v, w, r->a, &value));
			slot = slot_at(r->p, s->name, false);
			n = value ? 0 : own_words(s, v, i + 1, followers(v, i + 1, r->a));
			if (value || n == 0)
				give(r->p, v, slot, value);
			r->p->slots[slot].repeats |= n > 1;
			for (; n; n--)
				give(r->p, v, slot, c->args[++i]);
		}
	}
}

/* A word that says which of its trades a program is to follow. */
static bool is_sub_command(const struct view *v, const char *w, struct arena *a)
{
	return isalpha((unsigned char)*w) && sort_of(v, w, a) == SORT_WORD &&
	       w[strspn(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-")] == '\0';
}

/* May it stand between a wrapper and the script that it is to run? */
static bool leads_to_script(const struct view *v, const char *w, struct arena *a)
{
	return is_sub_command(v, w, a) || head_is_script(w) ||
	       head_is_interpreter(path_base(w));
}

/* How many of the first words are literals: a sub-command, or what a wrapper,
 * which may be a script itself, is to run up to its script. */
static size_t literals(const struct view *v, const struct strs *w, struct arena *a)
{
	for (size_t i = 0; i < w->n && leads_to_script(v, w->v[i], a); i++)
		if (head_is_script(w->v[i]) && sort_of(v, w->v[i], a) == SORT_READ)
			return i + 1;
	return w->n && is_sub_command(v, w->v[0], a);
}

/* The literals all commands share. */
static size_t common_literals(const struct plan *p, const struct strs *words)
{
	size_t n = literals(&p->views[0], &words[0], p->a);

	for (size_t i = 1; i < p->n_views; i++) {
		size_t k = 0;

		while (k < n && k < words[i].n && strcmp(words[i].v[k], words[0].v[k]) == 0)
			k++;
		n = k;
	}
	return n;
}

/* Words [at, at + n) of one command are of one sort. */
static bool are_alike(const struct view *v, const struct strs *w, size_t at, size_t n,
		      enum sort sort, struct arena *a)
{
	for (size_t i = at; i < at + n; i++)
		if (sort_of(v, w->v[i], a) != sort)
			return false;
	return true;
}

/* Could the word at `at` of the shortest command be one that repeats? */
static bool repeats_at(const struct plan *p, const struct strs *words, size_t at, size_t least)
{
	enum sort sort = sort_of(&p->views[0], words[0].v[at], p->a);

	for (size_t i = 0; i < p->n_views; i++)
		if (!are_alike(&p->views[i], &words[i], at, words[i].n - least + 1, sort, p->a))
			return false;
	return true;
}

/* Which positional repeats: SIZE_MAX for none, SIZE_MAX - 1 if the commands
 * have different numbers of words and no rule explains it. */
static size_t find_repeat(const struct plan *p, const struct strs *words, size_t from,
			  size_t *least)
{
	size_t most = 0;

	*least = SIZE_MAX;
	for (size_t i = 0; i < p->n_views; i++) {
		most = words[i].n > most ? words[i].n : most;
		*least = words[i].n < *least ? words[i].n : *least;
	}
	if (most > *least) {
		for (size_t at = from; at < *least; at++)
			if (repeats_at(p, words, at, *least))
				return at;
		return SIZE_MAX - 1;
	}
	/* Three and more of one sort: a fourth would not surprise. */
	for (size_t at = from; at + 3 <= most; at++) {
		enum sort sort = sort_of(&p->views[0], words[0].v[at], p->a);
		size_t n = 1;

		while (at + n < most && sort_of(&p->views[0], words[0].v[at + n], p->a) == sort)
			n++;
		if (n >= 3 && sort == SORT_READ) {
			*least = most - n + 1;
			return repeats_at(p, words, at, *least) ? at : SIZE_MAX;
		}
	}
	return SIZE_MAX;
}

static int positionals(struct plan *p, struct strs *words, struct err *e)
{
	size_t n_literals = common_literals(p, words), least, first = p->n_slots;
	size_t repeat = find_repeat(p, words, n_literals, &least);

	if (repeat == SIZE_MAX - 1)
		return err_set(e, ERR_REFUSED, "it was called with different numbers of arguments, "
			       "of different sorts");
	for (size_t k = 0; k < least; k++) {
		struct slot s = { .repeats = k == repeat };

		if (k < n_literals)
			s.literal = head_is_script(words[0].v[k])
					    ? view_path(&p->views[0], words[0].v[k], p->a)
					    : words[0].v[k];
		else if (repeat == SIZE_MAX || k < repeat)
			s.ref = arena_printf(p->a, "%zu", k - n_literals + 1);
		p->slots = arena_more(p->a, p->slots, p->n_slots, sizeof(*p->slots));
		p->slots[p->n_slots++] = s;
	}
	for (size_t i = 0; i < p->n_views; i++)
		for (size_t k = 0; k < words[i].n; k++) {
			size_t extra = words[i].n - least;
			size_t slot = repeat >= SIZE_MAX - 1 || k <= repeat ? k
				      : k <= repeat + extra		    ? repeat
									    : k - extra;

			give(p, &p->views[i], first + slot, words[i].v[k]);
		}
	return 0;
}

/* A name that the notation cannot hold, or that another slot has in {}. */
static int names_check(struct plan *p, struct err *e)
{
	for (size_t i = 0; i < p->n_slots; i++) {
		struct slot *s = &p->slots[i];

		if (!s->name)
			continue;
		if (strpbrk(s->name, "[] ,@#'\"\\\t\n"))
			return err_set(e, ERR_REFUSED, "an option called %s cannot be written in a "
				       "model", s->name);
		for (size_t k = 0; k < i; k++)
			if (p->slots[k].ref && s->ref && strcmp(p->slots[k].ref, s->ref) == 0)
				s->ref = NULL;
		if (s->ref && (!*s->ref || strpbrk(s->ref, ":{}$") ||
			       isdigit((unsigned char)*s->ref)))
			s->ref = NULL;
	}
	return p->n_slots <= SLOTS_MAX ? 0 : err_set(e, ERR_REFUSED, "it has too many options");
}

static bool is_given(const struct view *v, size_t slot)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].slot == slot)
			return true;
	return false;
}

const char *view_value(const struct view *v, size_t slot)
{
	for (size_t i = v->n; i-- > 0;)
		if (v->v[i].slot == slot)
			return v->v[i].text;
	return NULL;
}

int plan_call(struct plan *p, struct err *e)
{
	struct reading r = { .p = p, .a = p->a };
	struct strs *words = arena_alloc(p->a, p->n_views * sizeof(*words));
	int rc;

	for (size_t i = 0; i < p->n_views; i++) {
		const struct command *c = &p->views[i].s->command;

		for (size_t k = p->views[i].head.rest; k < c->n_args; k++) {
			if (strcmp(c->args[k], "--") == 0)
				break;
			if (is_option(c->args[k]))
				see_option(&r, &p->views[i], k);
		}
	}
	for (size_t i = 0; i < p->n_views; i++)
		share_out(&r, &p->views[i], &words[i]);
	rc = names_check(p, e);
	if (rc == 0)
		rc = positionals(p, words, e);
	for (size_t i = 0; i < p->n_views; i++)
		strs_release(&words[i]);
	for (size_t i = 0; rc == 0 && i < p->n_slots; i++)
		for (size_t k = 0; k < p->n_views; k++)
			p->slots[i].may_miss |= !is_given(&p->views[k], i);
	return rc;
}
