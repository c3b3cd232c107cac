/* learn_rig.h - sightings written as a person would tell them
 *
 * A command is a line of words, NAME=VALUE before the program is what the
 * caller set, "(sub) " before it all the folder; _ in a word is a space.  What
 * it did is a list of deeds: r read, w wrote, u updated, a asked for in vain,
 * s looked whether it is there, l listed a folder, d looked at a folder, m made
 * a folder, x removed, e executed, rw read and replaced.
 */
#ifndef GG_LEARN_RIG_H
#define GG_LEARN_RIG_H

#include "file.h"
#include "learn.h"
#include "test.h"

#define ROOT "/gg-no-such-folder/project"

struct sight {
	const char *command, *did;
};

static struct arena arena;

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct deed_at *)a)->path, ((const struct deed_at *)b)->path);
}

static unsigned deeds_of(const char *letters, size_t n)
{
	static const struct { char letter; unsigned deeds; } table[] = {
		{ 'r', DEED_READ }, { 'w', DEED_WROTE }, { 'u', DEED_UPDATED },
		{ 'a', DEED_ABSENT }, { 's', DEED_LOOKED }, { 'l', DEED_FOLDER | DEED_LISTED },
		{ 'd', DEED_FOLDER | DEED_LOOKED }, { 'm', DEED_FOLDER | DEED_WROTE },
		{ 'x', DEED_REMOVED }, { 'e', DEED_EXECUTED }, { 'n', DEED_NAMED },
		{ 'o', DEED_EXCLUSIVE },
	};
	unsigned all = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < sizeof(table) / sizeof(*table); k++)
			if (table[k].letter == letters[i])
				all |= table[k].deeds;
	return all;
}

static const char **into_arena(struct strs *l, size_t *n)
{
	const char **v = arena_alloc(&arena, (l->n + 1) * sizeof(*v));

	if (l->n)
		memcpy(v, l->v, l->n * sizeof(*v));
	*n = l->n;
	strs_release(l);
	return v;
}

static inline struct sighting sighting_of(struct sight from)
{
	struct sighting s = { .seconds = 1.5 };
	struct strs args = { 0 }, env = { 0 };
	const char *line = from.command;
	char *save = NULL;

	s.command.cwd = s.command.root = ROOT;
	if (*line == '(') {
		size_t n = strcspn(line, ")");

		s.command.cwd = arena_printf(&arena, ROOT "/%.*s", (int)n - 1, line + 1);
		line += n + 2;
	}
	for (char *w = strtok_r(arena_str(&arena, line), " ", &save); w;
	     w = strtok_r(NULL, " ", &save)) {
		for (char *p = w; *p; p++)
			*p = *p == '_' ? ' ' : *p == '^' ? '_' : *p;
		strs_add(!args.n && strchr(w, '=') ? &env : &args, w);
	}
	s.command.args = into_arena(&args, &s.command.n_args);
	s.command.env = s.set_env = into_arena(&env, &s.n_set_env);
	s.command.n_env = s.n_set_env;
	line = s.command.args[0];
	s.command.program = *line == '.' ? path_clean(&arena, s.command.cwd, line)
					 : arena_printf(&arena, "/usr/bin/%s", line);
	s.v = arena_alloc(&arena, (strlen(from.did) / 2 + 1) * sizeof(*s.v));
	for (char *w = strtok_r(arena_str(&arena, from.did), " ", &save); w;
	     w = strtok_r(NULL, " ", &save)) {
		size_t n = strcspn(w, ":");

		s.v[s.n++] = (struct deed_at){ w + n + 1, deeds_of(w, n) };
	}
	qsort(s.v, s.n, sizeof(*s.v), by_path);
	return s;
}

/* How the text binds a command: < read, <? optional, </ folder, NAME> written,
 * + updated, $ a variable; or why it does not. */
static inline const char *bound(const char *text, const char *command)
{
	struct sighting s = sighting_of((struct sight){ command, "" });
	struct models *m;
	struct binding b;
	struct buf out = { 0 }, why = { 0 };
	const char *all;
	struct err e;

	MUST(models_new((struct bytes){ 0 }, "gg.models", &m, &e), e);
	MUST(models_learn(m, "it", bytes_str(text), &e), e);
	buf_str(&out, "");
	if (models_match(m, &s.command, &arena, &b, &why) != MATCH_BOUND)
		buf_printf(&out, " none: %s", why.p);
	for (size_t i = 0; i < b.n_reads; i++)
		buf_printf(&out, " <%s%s%s", b.reads[i].is_optional ? "?" : "",
			   b.reads[i].is_dir ? "/" : "", b.reads[i].path);
	for (size_t i = 0; i < b.n_writes; i++)
		buf_printf(&out, " >%s%s", b.writes[i].is_dir ? "/" : "", b.writes[i].path);
	for (size_t i = 0; i < b.n_updates; i++)
		buf_printf(&out, " +%s", b.updates[i]);
	for (size_t i = 0; i < b.n_env; i++)
		buf_printf(&out, " $%s", b.env[i]);
	all = arena_str(&arena, out.n ? out.p + 1 : "");
	buf_release(&out);
	buf_release(&why);
	models_free(m);
	return all;
}

/* The model of these sightings, or "refused: " and why. */
static inline const char *derived(const struct sight *seen)
{
	struct sighting v[8];
	struct buf text = { 0 };
	const char *all;
	struct err e;
	size_t n = 0;

	for (; n < 8 && seen[n].command; n++)
		v[n] = sighting_of(seen[n]);
	if (learn_derive(v, n, &text, &e) < 0)
		all = arena_printf(&arena, "refused: %s", e.text);
	else
		all = arena_str(&arena, text.p);
	buf_release(&text);
	return all;
}

#endif
