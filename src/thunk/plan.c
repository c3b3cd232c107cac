/* plan.c - a learned model's lines: each fact of each sighting is explained once
 *
 * First by the arguments themselves: what is read or written at the very path
 * that a word names.  The rest by rules, and a rule must be true of every
 * sighting: the cheapest template of all that are is taken.  What was read
 * and follows no rule is named as it is and may be absent, since an input too
 * many costs a run and one too few a wrong result; what was written and
 * follows none refuses the whole.
 */
#include <string.h>
#include "file.h"
#include "learn_private.h"

enum {
	FILES_MAX = 16,         /* more than these in one folder are a folder */
	ABSENT_MAX = 64,        /* absent files that are named one by one */
	OUTPUTS_MAX = 256,      /* and outputs */
};

/* Of what kind is what a word names, in one sighting? */
static const struct fact *named_fact(const struct view *v, const struct given *g)
{
	return g->path ? fact_at(v, g->path) : NULL;
}

static bool is_nothing(const char *text)
{
	return !*text || strcmp(text, "-") == 0 || strncmp(text, "/dev/", 5) == 0;
}

/* Do all words of the slot name something of this kind?  Once at least. */
static bool names_all(const struct plan *p, size_t slot, enum fact_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_views; i++)
		for (size_t k = 0; k < p->views[i].n; k++) {
			const struct given *g = &p->views[i].v[k];
			const struct fact *f;

			if (g->slot != slot || (g->text && is_nothing(g->text)))
				continue;
			f = g->text ? named_fact(&p->views[i], g) : NULL;
			if (!f || f->kind != kind)
				return false;
			n++;
		}
	return n > 0;
}

/* Is each of its words a list of paths that were read (or written)? */
static bool names_lists(const struct plan *p, size_t slot, enum fact_kind kind)
{
	bool has_comma = false;

	for (size_t i = 0; i < p->n_views; i++)
		for (size_t k = 0; k < p->views[i].n; k++) {
			const struct given *g = &p->views[i].v[k];

			if (g->slot != slot)
				continue;
			if (!g->text)
				return false;
			for (const char *s = g->text; *s; s += *s == ',') {
				size_t n = strcspn(s, ",");
				const char *path = view_path(&p->views[i],
							     arena_strn(p->a, s, n), p->a);
				const struct fact *f = path ? fact_at(&p->views[i], path) : NULL;

				if (n && (!f || f->kind != kind))
					return false;
				s += n;
				has_comma |= *s == ',';
			}
		}
	return has_comma;
}

static bool is_direct(const char *dir, const char *path)
{
	return strcmp(dir, path) != 0 && path_is_below(dir, path) &&
	       !strchr(path + strlen(dir) + 1, '/');
}

/* Is everything in the folder that the command made called by other values as
 * well?  Then others will write beside it. */
static bool is_shared_folder(const struct plan *p, const struct view *v, const char *dir)
{
	struct candidate *c = arena_alloc(p->a, CANDIDATES_MAX * sizeof(*c));
	unsigned own;
	size_t n = 0;

	candidates_of(p, v, fact_at(v, dir), c);
	own = c[0].n_refs;
	for (size_t i = 0; i < v->n_facts; i++) {
		if (!is_direct(dir, v->facts[i].path))
			continue;
		n++;
		candidates_of(p, v, &v->facts[i], c);
		if (c[0].n_refs <= own)
			return false;
	}
	return n > 0;
}

static bool is_out_folder(const struct plan *p, size_t slot)
{
	if (p->has_no_folders || !names_all(p, slot, FACT_MADE))
		return false;
	for (size_t i = 0; i < p->n_views; i++)
		for (size_t k = 0; k < p->views[i].n; k++) {
			const struct given *g = &p->views[i].v[k];

			if (g->slot == slot && g->path && *g->path != '/' &&
			    is_shared_folder(p, &p->views[i], g->path))
				return false;
		}
	return true;
}

/* Has a word of the slot named a file that the command left alone? */
static bool names_alone(const struct plan *p, size_t slot)
{
	for (size_t i = 0; i < p->n_views; i++)
		for (size_t k = 0; k < p->views[i].n; k++) {
			const struct given *g = &p->views[i].v[k];

			if (g->slot == slot && g->path &&
			    sighting_deeds(p->views[i].s, g->path) & DEED_NAMED)
				return true;
		}
	return false;
}

static const struct hole_kind {
	enum fact_kind fact;
	enum hole hole;
	bool is_dir;
} hole_kinds[] = {
	{ FACT_READ, HOLE_IN, false },
	{ FACT_WRITE, HOLE_OUT, false },
	{ FACT_TREE, HOLE_IN, true },
};

static void slot_classify(struct plan *p, size_t slot)
{
	struct slot *s = &p->slots[slot];
	bool has_value = false;

	for (size_t i = 0; i < p->n_views; i++)
		for (size_t k = 0; k < p->views[i].n; k++)
			has_value |= p->views[i].v[k].slot == slot && p->views[i].v[k].text;
	s->hole = has_value ? HOLE_ANY : HOLE_NONE;
	if (!has_value || s->literal)
		return;
	for (size_t i = 0; i < sizeof(hole_kinds) / sizeof(*hole_kinds); i++) {
		s->has_commas = !hole_kinds[i].is_dir &&
				names_lists(p, slot, hole_kinds[i].fact);
		if (!s->has_commas && !names_all(p, slot, hole_kinds[i].fact))
			continue;
		s->hole = hole_kinds[i].hole;
		s->is_dir = hole_kinds[i].is_dir;
		return;
	}
	s->is_any = names_alone(p, slot);
	/* Which folders are outputs is asked when all values are known. */
}

/* ---- what the absence of an option means */

/* Which value of slot would make the template name something of f's kind in v?
 * NULL: none, or more than one. */
static const char *value_found(struct plan *p, const struct view *v, size_t slot,
			       const char *text, enum fact_kind kind)
{
	static const char mark[] = "\001";
	const char *path, *at, *found = NULL;
	size_t before, after;

	p->slots[slot].fallback = mark;
	path = candidate_path(p, v, text);
	p->slots[slot].fallback = NULL;
	at = path ? strchr(path, *mark) : NULL;
	if (!at || strchr(at + 1, *mark))
		return NULL;
	before = (size_t)(at - path);
	after = strlen(at + 1);
	for (size_t i = 0; i < v->n_facts; i++) {
		const char *f = v->facts[i].path;
		size_t n = strlen(f);

		if (v->facts[i].kind != kind || n <= before + after ||
		    strncmp(f, path, before) != 0 || strcmp(f + n - after, at + 1) != 0 ||
		    memchr(f + before, '/', n - before - after))
			continue;
		if (found)
			return NULL;
		found = arena_strn(p->a, f + before, n - before - after);
	}
	return found;
}

/* One value that fits all sightings without the slot, or NULL. */
static const char *value_everywhere(struct plan *p, size_t slot, const char *text,
				    enum fact_kind kind)
{
	const char *value = NULL;

	for (size_t i = 0; i < p->n_views; i++) {
		const char *found;

		if (view_value(&p->views[i], slot))
			continue;
		found = value_found(p, &p->views[i], slot, text, kind);
		if (!found || (value && strcmp(value, found) != 0))
			return NULL;
		value = found;
	}
	return value;
}

/* A path that one sighting builds of the slot's value, and that those without
 * the slot have too, built of a value that is always the same: that is what
 * the program takes when the option is absent. */
static void fallback_find(struct plan *p, size_t slot)
{
	struct candidate *c = arena_alloc(p->a, CANDIDATES_MAX * sizeof(*c));
	struct slot *s = &p->slots[slot];
	const char *ref = arena_printf(p->a, "{%s}", s->ref ? s->ref : "");

	if (!s->may_miss || !s->ref || s->repeats || s->hole != HOLE_ANY)
		return;
	for (size_t i = 0; i < p->n_views && !s->fallback; i++) {
		const struct view *v = &p->views[i];

		for (size_t k = 0; view_value(v, slot) && k < v->n_facts && !s->fallback; k++) {
			candidates_of(p, v, &v->facts[k], c);
			if (v->facts[k].kind != FACT_ABSENT && strstr(c[0].text, ref))
				s->fallback = value_everywhere(p, slot, c[0].text,
							       v->facts[k].kind);
		}
	}
}

/* ---- folders that the command made: outputs as a whole, or file by file */

static bool is_way_to_value(const struct plan *p, const struct view *v, const char *dir)
{
	(void)p;
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].path && strcmp(v->v[i].path, dir) != 0 &&
		    path_is_below(dir, v->v[i].path))
			return true;
	return false;
}

/* Is the folder one output? */
static bool is_whole(const struct plan *p, const struct view *v, const struct fact *dir)
{
	struct candidate *c = arena_alloc(p->a, CANDIDATES_MAX * sizeof(*c));
	size_t n_below = 0;
	bool is_built;

	for (size_t i = 0; i < v->n_facts; i++)
		n_below += &v->facts[i] != dir && path_is_below(dir->path, v->facts[i].path);
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].path && strcmp(v->v[i].path, dir->path) == 0)
			return (p->slots[v->v[i].slot].hole == HOLE_OUT &&
				p->slots[v->v[i].slot].is_dir) || !n_below;
	if (is_way_to_value(p, v, dir->path))
		return false;
	if (!n_below)
		return true;
	if (p->has_no_folders)
		return false;
	is_built = candidates_of(p, v, dir, c) && c[0].n_refs;
	if (is_built)
		return !is_shared_folder(p, v, dir->path);
	for (size_t i = 0; i < v->n_facts; i++)
		if (path_is_below(dir->path, v->facts[i].path) && &v->facts[i] != dir &&
		    candidates_of(p, v, &v->facts[i], c) && c[0].n_refs)
			return false;
	return n_below > FILES_MAX;
}

static void cover(const struct plan *p, struct view *v)
{
	for (size_t i = 0; i < v->n_facts; i++) {
		struct fact *f = &v->facts[i];

		if (f->kind != FACT_MADE || f->is_done)
			continue;
		if (!is_whole(p, v, f)) {
			f->is_done = true;
			continue;
		}
		for (size_t k = 0; k < v->n_facts; k++)
			if (k != i && path_is_below(f->path, v->facts[k].path))
				v->facts[k].is_done = true;
	}
}

/* ---- what the arguments name themselves */

static void done_at(struct view *v, const char *path, enum fact_kind kind)
{
	struct fact *f = path ? fact_at(v, path) : NULL;

	if (f && f->kind == kind)
		f->is_done = true;
}

static void holes_explain(const struct plan *p, struct view *v)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct given *g = &v->v[i];
		const struct slot *s = &p->slots[g->slot];
		enum fact_kind kind = s->hole == HOLE_IN ? s->is_dir ? FACT_TREE : FACT_READ
				    : s->is_dir		 ? FACT_MADE : FACT_WRITE;

		if (s->literal && head_is_script(s->literal))
			done_at(v, g->path, FACT_READ);
		if ((s->hole != HOLE_IN && s->hole != HOLE_OUT) || !g->text)
			continue;
		if (!s->has_commas) {
			done_at(v, g->path, kind);
			continue;
		}
		for (const char *t = g->text; *t; t += *t == ',') {
			size_t n = strcspn(t, ",");

			done_at(v, view_path(v, arena_strn(p->a, t, n), p->a), kind);
			t += n;
		}
	}
	if (v->script_path)
		done_at(v, v->script_path, FACT_READ);
}

/* A folder that is read holds what is read in it. */
static void trees_explain(struct view *v)
{
	for (size_t i = 0; i < v->n_facts; i++)
		for (size_t k = 0; v->facts[i].kind == FACT_TREE && k < v->n_facts; k++)
			if (k != i && (v->facts[k].kind == FACT_READ ||
				       v->facts[k].kind == FACT_TREE ||
				       v->facts[k].kind == FACT_ABSENT) &&
			    path_is_below(v->facts[i].path, v->facts[k].path))
				v->facts[k].is_done = true;
}

/* ---- rules */

/* Would the template name something of this kind wherever it has a value? */
static bool holds(const struct plan *p, const char *text, enum fact_kind kind)
{
	for (size_t i = 0; i < p->n_views; i++) {
		const char *path = candidate_path(p, &p->views[i], text);
		const struct fact *f = path ? fact_at(&p->views[i], path) : NULL;

		if (path && (!f || f->kind != kind))
			return false;
	}
	return true;
}

static void rule_add(struct plan *p, enum rule_kind kind, const char *text, bool is_dir)
{
	size_t n = strlen(text);

	if (is_dir && (!n || text[n - 1] != '/'))
		text = arena_printf(p->a, "%s/", text);
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].kind == kind && strcmp(p->rules[i].text, text) == 0)
			return;
	p->rules = arena_more(p->a, p->rules, p->n_rules, sizeof(*p->rules));
	p->rules[p->n_rules++] = (struct rule){ kind, text };
}

static void rule_done(struct plan *p, const char *text, enum fact_kind kind)
{
	for (size_t i = 0; i < p->n_views; i++)
		done_at(&p->views[i], candidate_path(p, &p->views[i], text), kind);
}

static const enum rule_kind rule_kinds[] = {
	[FACT_READ] = RULE_ALSO,       [FACT_TREE] = RULE_ALSO, [FACT_ABSENT] = RULE_OPTIONAL,
	[FACT_WRITE] = RULE_MAKES,     [FACT_MADE] = RULE_MAKES, [FACT_UPDATE] = RULE_UPDATES,
};

/* The cheapest template that is true of all sightings; NULL if none is. */
static const struct candidate *find_rule(struct plan *p, const struct view *v,
					 const struct fact *f, struct candidate *c)
{
	size_t n = candidates_of(p, v, f, c);

	for (size_t i = 0; i < n; i++)
		if (holds(p, c[i].text, f->kind))
			return &c[i];
	return NULL;
}

/* Is it one value and no more: {name}? */
static bool is_value_itself(const char *text)
{
	return text[0] == '{' && text[1] != '{' && text[strcspn(text, "}:")] == '}' &&
	       !text[strcspn(text, "}") + 1];
}

/* A read that only some sightings had, or that was there in some: named by the
 * cheapest of its templates that only the same kinds of reads stand at. */
static const char *find_optional(struct plan *p, const struct view *v,
				 const struct fact *f, struct candidate *c)
{
	size_t n = candidates_of(p, v, f, c);

	for (size_t i = 0; i < n; i++) {
		size_t hits = 0, misses = 0;

		if (!c[i].n_refs)
			continue;
		for (size_t k = 0; k < p->n_views; k++) {
			const char *path = candidate_path(p, &p->views[k], c[i].text);
			const struct fact *at = path ? fact_at(&p->views[k], path) : NULL;

			hits += at && (at->kind == FACT_READ || at->kind == FACT_ABSENT);
			misses += path && at && at->kind != FACT_READ && at->kind != FACT_ABSENT;
		}
		if (hits > !is_value_itself(c[i].text) && !misses)
			return c[i].text;
	}
	for (size_t i = 0; i < n; i++)
		if (!c[i].n_refs)
			return c[i].text;
	return c[0].text;
}

static int no_rule(const struct plan *p, const struct fact *f, struct err *e)
{
	const char *does = f->kind == FACT_UPDATE ? "it changes" :
		f->kind == FACT_MADE ? "it makes the folder" : "it writes";

	return err_set(e, ERR_REFUSED, "%s %s, and how that name comes from the arguments does "
		       "not show in %zu run%s of it", does, f->path, p->n_views,
		       p->n_views == 1 ? "" : "s");
}

static int explain(struct plan *p, struct view *v, struct fact *f, struct err *e)
{
	struct candidate *c = arena_alloc(p->a, CANDIDATES_MAX * sizeof(*c));
	const struct candidate *found = find_rule(p, v, f, c);
	bool is_dir = f->kind == FACT_TREE || f->kind == FACT_MADE;
	const char *text;

	if (found) {
		rule_add(p, rule_kinds[f->kind], found->text, is_dir);
		rule_done(p, found->text, f->kind);
		return 0;
	}
	if (f->kind == FACT_WRITE || f->kind == FACT_MADE || f->kind == FACT_UPDATE)
		return no_rule(p, f, e);
	text = find_optional(p, v, f, c);
	p->n_strays += f->kind != FACT_ABSENT;
	rule_add(p, RULE_OPTIONAL, text, is_dir);
	rule_done(p, text, FACT_READ);
	rule_done(p, text, FACT_ABSENT);
	f->is_done = true;
	return 0;
}

/* In the order of path within a kind: what is written is most telling, and
 * comes first. */
static int explain_all(struct plan *p, enum fact_kind kind, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_views; i++)
		for (size_t k = 0; k < p->views[i].n_facts; k++) {
			struct fact *f = &p->views[i].facts[k];

			if (f->kind != kind || f->is_done)
				continue;
			if (++n > ABSENT_MAX && kind == FACT_ABSENT)
				return 0;
			if (n > OUTPUTS_MAX && kind >= FACT_WRITE)
				return err_set(e, ERR_REFUSED, "it writes more than %d files into "
					       "folders that were there before", OUTPUTS_MAX);
			if (explain(p, &p->views[i], f, e) < 0)
				return -1;
		}
	return 0;
}

/* ---- what is decided when all is explained */

/* A file that says what to do decides what is written: another one is another
 * command. */
static bool is_settings(const char *path)
{
	static const char *const suffixes[] = { ".conf", ".cfg", ".ini", ".yaml", ".yml", ".json",
						".toml", ".params", ".config" };
	const char *dot = strrchr(path_base(path), '.');

	for (size_t i = 0; dot && i < sizeof(suffixes) / sizeof(*suffixes); i++)
		if (strcmp(dot, suffixes[i]) == 0)
			return true;
	return false;
}

static bool has_fixed_output(const struct plan *p)
{
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].kind == RULE_MAKES && !strchr(p->rules[i].text, '{'))
			return true;
	return false;
}

static void settings_fix(struct plan *p)
{
	for (size_t i = 0; i < p->n_slots; i++) {
		struct slot *s = &p->slots[i];
		const char *text = view_value(&p->views[0], i);
		bool is_same = text != NULL;

		if (s->name || s->literal || s->repeats || s->hole != HOLE_IN || s->is_dir ||
		    !text || !is_settings(text))
			continue;
		for (size_t k = 1; k < p->n_views; k++)
			is_same &= strcmp(view_value(&p->views[k], i), text) == 0;
		if (!is_same || s->may_miss)
			continue;
		s->literal = text;
		rule_add(p, RULE_ALSO, text, false);
	}
}

/* May the word in slot be a literal: has no rule its number? */
static bool numbers_are_used(const struct plan *p)
{
	for (size_t i = 0; i < p->n_rules; i++)
		for (const char *s = p->rules[i].text; (s = strchr(s, '{')) != NULL; s++)
			if (s[1] >= '0' && s[1] <= '9')
				return true;
	return false;
}

static bool writes_something(const struct plan *p)
{
	for (size_t i = 0; i < p->n_views; i++) {
		const struct sighting *s = p->views[i].s;
		bool writes = learn_prints(s);

		for (size_t k = 0; k < p->views[i].n_facts; k++)
			writes |= p->views[i].facts[k].kind >= FACT_WRITE;
		if (!writes)
			return false;
	}
	return true;
}

int plan_make(struct plan *p, struct err *e)
{
	static const enum fact_kind order[] = { FACT_MADE, FACT_WRITE, FACT_UPDATE, FACT_TREE,
						FACT_READ, FACT_ABSENT };

	if (!writes_something(p))
		return err_set(e, ERR_REFUSED, "it writes no file");
	if (plan_call(p, e) < 0)
		return -1;
	for (size_t i = 0; i < p->n_slots; i++)
		slot_classify(p, i);
	for (size_t i = 0; i < p->n_slots; i++)
		if (p->slots[i].hole == HOLE_ANY && is_out_folder(p, i)) {
			p->slots[i].hole = HOLE_OUT;
			p->slots[i].is_dir = true;
		}
	for (size_t i = 0; i < p->n_slots; i++)
		fallback_find(p, i);
	for (size_t i = 0; i < p->n_views; i++) {
		cover(p, &p->views[i]);
		holes_explain(p, &p->views[i]);
		trees_explain(&p->views[i]);
	}
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (explain_all(p, order[i], e) < 0)
			return -1;
	if (has_fixed_output(p) && !numbers_are_used(p))
		settings_fix(p);
	return 0;
}
