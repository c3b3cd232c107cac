/* study_teach.c - from what a command did to a model, and its result kept
 *
 * Only here is something kept of a study: after the end with success, in the
 * order sighting, model, thunk.  Whoever is killed before has taught nothing.
 */
#include <stdlib.h>
#include <string.h>
#include "session_private.h"

/* Variables that say where a command runs, not how. */
static bool is_of_place(const char *name_value)
{
	static const char *const names[] = { "PWD=", "OLDPWD=", "SHLVL=", "_=" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strncmp(name_value, names[i], strlen(names[i])) == 0)
			return true;
	return run_env_is_fixed(name_value);
}

static bool has_str(const char **v, const char *what)
{
	for (; *v; v++)
		if (strcmp(*v, what) == 0)
			return true;
	return false;
}

/* What the script set. */
static void find_set_env(const struct study *st, struct arena *a, struct sighting *si)
{
	const struct command *c = &st->command;
	const struct session_opts *o = &st->s->o;
	const char **base = o->base_env ? o->base_env : o->env;

	si->set_env = arena_alloc(a, (c->n_env + 1) * sizeof *si->set_env);
	for (size_t i = 0; i < c->n_env; i++)
		if (!is_of_place(c->env[i]) && !has_str(base, c->env[i]))
			si->set_env[si->n_set_env++] = c->env[i];
}

/* What others had set, and its programs ask for by name.  Why it must run for
 * real, or NULL. */
static const char *find_asked_env(struct arena *a, struct sighting *si)
{
	struct strs asked = { 0 };
	const char *why = NULL;

	learn_variables(si, &si->command, a, &asked);
	for (size_t i = 0; i < asked.n; i++) {
		bool is_secret = env_is_secret(asked.v[i]);
		bool is_in = is_secret || run_env_is_fixed(asked.v[i]);

		if (is_secret)
			why = arena_printf(a, "it asks for %.*s, which may be a secret and "
					      "so is in no step", (int)strcspn(asked.v[i], "="),
					   asked.v[i]);
		for (size_t k = 0; k < si->n_set_env; k++)
			is_in |= si->set_env[k] == asked.v[i];
		if (!is_in)
			si->set_env[si->n_set_env++] = asked.v[i];
	}
	strs_release(&asked);
	return why;
}

static int by_path(const void *x, const void *y)
{
	const struct deed_at *a = x, *b = y;

	return strcmp(a->path, b->path);
}

static bool has_deed(const struct sighting *si, const char *path)
{
	const struct deed_at key = { path, 0 };

	return si->n && bsearch(&key, si->v, si->n, sizeof *si->v, by_path);
}

/* Files that its words name and that it left alone: --name label. */
static void add_named(const struct study *st, struct arena *a, struct sighting *si)
{
	const struct command *c = &st->command;
	const char *root = st->s->o.project->root;
	size_t skip = root[1] ? strlen(root) + 1 : 1, n = si->n;
	struct deed_at *v = arena_alloc(a, (si->n + c->n_args) * sizeof *v);

	memcpy(v, si->v, si->n * sizeof *v);
	for (size_t i = 1; i < c->n_args; i++) {
		const char *word = c->args[i], *equals = strchr(word, '=');
		const char *path = model_names_file(c, equals ? equals + 1 : word, a);
		bool is_new = path && strlen(path) > skip && !has_deed(si, path + skip);

		for (size_t k = si->n; is_new && k < n; k++)
			is_new = strcmp(v[k].path, path + skip) != 0;
		if (is_new)
			v[n++] = (struct deed_at){ path + skip, DEED_NAMED };
	}
	if (n > si->n)
		qsort(v, n, sizeof *v, by_path);
	si->v = v;
	si->n = n;
}

/* 0, or -1 with *e: this run teaches nothing, or (ERR_REFUSED) no run does. */
static int sight(struct study *st, struct arena *a, struct sighting *si, struct err *e)
{
	const char *why = st->why_real;

	*si = (struct sighting){ .command = st->command, .seconds = study_seconds(st),
				 .takes_files = st->s->o.learns_files,
				 .ahead = st->ahead };
	find_set_env(st, a, si);
	if (!why && !st->why_not)
		why = st->deeds.odd ? st->deeds.odd : study_used_given(st, a);
	if (!why && st->why_not)
		return err_set(e, ERR_RETRY, "%s", st->why_not);
	/* It may never end where nobody leaves. */
	if (!why && (tap_is_cut(st->taps[1]) || tap_is_cut(st->taps[2])))
		return err_set(e, ERR_RETRY, "its reader left before it had printed all");
	if (!why && deeds_end(&st->deeds, a, &si->v, &si->n, e) < 0)
		return -1;
	if (!why) {
		add_named(st, a, si);
		why = find_asked_env(a, si);
		why = why ? why : learn_refusal(si, a);
	}
	return why ? err_set(e, ERR_REFUSED, "%s", why) : 0;
}

/* *is_news: the model says something else than before, or nobody expected this. */
static int learn(struct study *st, const struct sighting *si, struct arena *a,
		 struct bytes *text, bool *is_news, struct err *e)
{
	struct session *s = st->s;
	struct bytes before = { 0 };
	struct learned l;

	if (st->is_hasty && learned_text(s->o.store, st->shape, a, &l, e) == 0)
		before = l.text;
	study_forget_doubts(s);
	if (learned_add(s->o.store, st->shape, si, a, NULL, e) < 0 ||
	    learned_text(s->o.store, st->shape, a, &l, e) < 0 ||
	    models_learn(s->o.models, st->shape, l.text, e) < 0)
		return -1;
	*text = l.text;
	*is_news = !bytes_equal(before, l.text);
	return 0;
}

/* Where nothing was before. */
static void find_made(const struct study *st, struct strs *out)
{
	for (size_t i = 0; i < st->deeds.n; i++)
		if (st->deeds.v[i]->kind == DEED_NOTHING && st->deeds.v[i]->is_written)
			strs_add(out, st->deeds.v[i]->path);
	strs_sort(out);
}

/* What it printed into pipes, as far as all of that is known. */
static void find_printed(const struct study *st, struct infer_ran *ran)
{
	struct err e;

	for (int fd = 1; fd < 3; fd++) {
		if (!st->taps[fd])
			continue;
		memo_read_printed(st->s->o.memo);
		ran->has_printed[fd] = tap_text(st->taps[fd], &ran->printed[fd], &e) == 0;
	}
}

static bool adopt(struct study *st, struct arena *a)
{
	struct session *s = st->s;
	struct buf why = { 0 };
	struct infer_ran ran = { .ahead = st->ahead };
	struct err e;
	enum infer_verdict v;

	find_made(st, &ran.made);
	find_printed(st, &ran);
	v = infer_adopt(s->infer, &st->as_called, &ran, a, &why, &e);
	strs_release(&ran.made);
	if (v == INFER_DEFERRED && (st->taps[1] || st->taps[2])) {
		replay_said(s, &ran.thunk);
		if (s->o.waited)
			s->o.waited(s->o.arg, &ran.thunk);
	}
	if (v == INFER_DEFERRED && s->o.exec)
		exec_saw(s->o.exec, &ran.thunk, study_seconds(st));
	if (s->o.explain)
		s->o.explain(s->o.arg, &st->as_called, INFER_REAL, why.p ? why.p : "");
	if (v == INFER_REFUSED)
		s->o.complain(s->o.arg, &e);
	buf_release(&why);
	return v == INFER_DEFERRED;
}

/* No model of its shape holds, from now on: in this session either. */
static void unlearn(struct study *st)
{
	struct session *s = st->s;
	struct err e;

	if (models_learn(s->o.models, st->shape, (struct bytes){ 0 }, &e) < 0)
		s->o.complain(s->o.arg, &e);
}

void study_never(struct study *st, const char *why)
{
	struct session *s = st->s;
	struct err e;

	if (learned_never(s->o.store, st->shape, why, &e) < 0)
		s->o.complain(s->o.arg, &e);
	unlearn(st);
}

void study_rests(struct study *st, bool is_quiet)
{
	struct session *s = st->s;
	struct strs read = { 0 };
	struct err e;

	pthread_mutex_lock(&st->deeds.lock);
	for (size_t i = 0; i < st->deeds.n; i++) {
		const struct touched *at = st->deeds.v[i];

		if (*at->path != '/' && at->kind == DEED_FILE && at->deeds & DEED_READ &&
		    !at->is_written)
			strs_add(&read, at->path);
	}
	pthread_mutex_unlock(&st->deeds.lock);
	if (learned_rests_on(s->o.store, st->shape, &st->as_called, &read, is_quiet, &e) < 0)
		s->o.complain(s->o.arg, &e);
	strs_release(&read);
}

/* What is known of its shape does not explain it: then it alone runs for real. */
static bool is_another_way(struct study *st)
{
	struct session *s = st->s;
	struct arena a = { 0 };
	struct binding b;
	struct learned l;
	struct err e;
	bool is = learned_text(s->o.store, st->shape, &a, &l, &e) == 0 && !l.never &&
		  l.text.n && models_match(s->o.models, &st->as_called, &a, &b, NULL) ==
		  MATCH_NONE;

	arena_release(&a);
	return is;
}

static bool gives(const struct sighting *si)
{
	if (learn_prints(si))
		return true;
	for (size_t i = 0; i < si->n; i++)
		if (si->v[i].deeds & (DEED_WROTE | DEED_UPDATED) && *si->v[i].path != '/')
			return true;
	return false;
}

/* A command that gives nothing, as --help and what only prints, says nothing of the
 * other ways of calling its program: no sighting of it is kept.  False: a model
 * says that it does give something. */
static bool is_let_go(struct study *st, struct err *e)
{
	struct arena a = { 0 };
	struct learned l;
	bool is_known = learned_text(st->s->o.store, st->shape, &a, &l, e) == 0;
	bool is_never = is_known && l.never, is_way = is_known && is_another_way(st);

	err_set(e, ERR_REFUSED, "it writes no file");
	if (!is_known)
		study_never(st, e->text);
	if (!is_known || is_way || (is_never && strcmp(l.never, e->text) == 0))
		study_rests(st, true);
	arena_release(&a);
	return !is_known || is_never || is_way;
}

bool study_teach(struct study *st)
{
	struct session *s = st->s;
	struct bytes text = { 0 };
	struct arena a = { 0 };
	struct sighting si;
	struct err e;
	bool is_adopted = false, is_news = true;
	int rc = sight(st, &a, &si, &e);

	if (rc == 0 && !gives(&si) && is_let_go(st, &e)) {
		rc = -1;
	} else if (rc < 0 && e.code == ERR_REFUSED && !is_another_way(st)) {
		study_never(st, e.text);
		study_rests(st, false);
	}
	if (rc == 0) {
		rc = learn(st, &si, &a, &text, &is_news, &e);
		if (rc < 0 && e.code == ERR_REFUSED) {
			unlearn(st);
			study_rests(st, !gives(&si));
		}
	}
	if (rc == 0)
		is_adopted = adopt(st, &a);
	if (is_news)
		study_tell(s, &si, st->shape, text, rc < 0 ? &e : NULL);
	arena_release(&a);
	return is_adopted;
}

void study_tell(struct session *s, const struct sighting *what, const char *shape,
		struct bytes text, const struct err *e)
{
	struct studies *all = &s->studies;
	const char *said = e ? e->text : "";
	const char *before = map_get(&all->told, bytes_str(shape));

	if (!s->o.studied || (e && before && strcmp(before, said) == 0))
		return;
	*map_at(&all->told, bytes_str(arena_str(&all->arena, shape))) =
		arena_str(&all->arena, said);
	s->o.studied(s->o.arg, what, shape, text, e);
}

void study_tell_once(struct session *s, const char *rule, const struct err *e)
{
	static const char learned[] = "learned ";
	const char *shape = strncmp(rule, learned, sizeof learned - 1) == 0
				    ? rule + sizeof learned - 1 : rule;
	void **told = map_at(&s->studies.told,
			     bytes_str(arena_str(&s->studies.arena, rule)));

	if (!*told && s->o.studied)
		s->o.studied(s->o.arg, NULL, shape, (struct bytes){ 0 }, e);
	*told = (void *)learned;
}
