/* study_doubt.c - may one run be believed about where it wrote?
 *
 * A path that two different commands of a shape would write by the model, and
 * that only one was seen to write, may be the program's own choice (it always
 * writes model.bin) or come from something that the model does not know: a name
 * in a configuration.  The second one is watched too, and what it does tells.
 *
 * So is the first one after its programs have begun to ask for a variable of the
 * environment, or somebody has set one that they asked for.
 */
#include <string.h>
#include "file.h"
#include "session_private.h"

/* After so many runs the model is what it is. */
enum { RUNS_ENOUGH = 4 };

static const char many[] = "many";      /* commands wrote it */
static const char lacks[] = "lacks";    /* of a shape: it asks for a variable */

/* What tells commands of one shape apart. */
static const char *digest(const struct command *c, struct arena *a)
{
	struct hash *h = hash_new();
	struct id id;

	hash_add(h, c->cwd, strlen(c->cwd) + 1);
	for (size_t i = 0; i < c->n_args; i++)
		hash_add(h, c->args[i], strlen(c->args[i]) + 1);
	id = hash_end(h);
	hash_free(h);
	return arena_str(a, id_hex(&id).s);
}

static struct bytes key_of(struct arena *a, const char *shape, const char *path)
{
	return bytes_str(arena_printf(a, "%s\n%s", shape, path));
}

static void note_writer(struct studies *all, const char *shape, const char *path,
			const char *who)
{
	struct bytes key = key_of(&all->arena, shape, path);
	const char *before = map_get(&all->writers, key);

	*map_at(&all->writers, key) =
		(void *)(before && strcmp(before, who) != 0 ? many : who);
}

static bool is_set(const struct learned *l, const char *entry)
{
	size_t n = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < l->n; i++)
		for (size_t k = 0; k < l->v[i].n_set_env; k++)
			if (strncmp(l->v[i].set_env[k], entry, n) == 0)
				return true;
	return false;
}

/* Do its programs, as they are now, ask for a variable that was never seen? */
static bool lacks_variable(const struct learned *l, const struct command *c, struct arena *a)
{
	struct sighting newest;
	struct strs asked = { 0 };
	bool is = false;

	if (!l->n)
		return false;
	newest = l->v[l->n - 1];
	newest.command.root = c->root;
	learn_variables(&newest, c, a, &asked);
	for (size_t i = 0; i < asked.n; i++)
		is |= !run_env_is_fixed(asked.v[i]) && !is_set(l, asked.v[i]);
	strs_release(&asked);
	return is;
}

/* Once for each shape, until something is learned. */
static void look_up(struct session *s, const char *shape, const struct command *c)
{
	struct studies *all = &s->studies;
	struct arena a = { 0 };
	struct learned l;
	struct err e;

	if (map_get(&all->writers, bytes_str(shape)))
		return;
	if (learned_get(s->o.store, shape, &a, &l, &e) < 0)
		l.n = 0;
	*map_at(&all->writers, bytes_str(arena_str(&all->arena, shape))) =
		(void *)(lacks_variable(&l, c, &a) ? lacks : many);
	for (size_t i = 0; l.n < RUNS_ENOUGH && i < l.n; i++) {
		const char *who = digest(&l.v[i].command, &all->arena);

		for (size_t k = 0; k < l.v[i].n; k++)
			if (l.v[i].v[k].deeds & DEED_WROTE)
				note_writer(all, shape, l.v[i].v[k].path, who);
	}
	arena_release(&a);
}

/* Who c is among the sightings, which know a script as its interpreter does. */
static const char *who_is(struct session *s, const struct command *c)
{
	struct command as = *c;

	watch_as_script(s, &as);
	return digest(&as, &s->arena);
}

bool study_doubts(struct session *s, const struct command *c, const struct binding *b)
{
	const char *shape = b->rule + strcspn(b->rule, " ");
	const char *who = NULL;

	shape += *shape == ' ';
	look_up(s, shape, c);
	if (map_get(&s->studies.writers, bytes_str(shape)) == lacks)
		return true;
	for (size_t i = 0; i < b->n_writes; i++) {
		const struct bound_write *w = &b->writes[i];
		const char *path = path_clean(&s->arena, c->cwd, w->path), *one;

		/* What an argument names is called by the option. */
		if (strcmp(w->name, w->path) != 0)
			continue;
		path = watch_inside(s, &s->arena, path);
		one = path ? map_get(&s->studies.writers, key_of(&s->arena, shape, path)) : NULL;
		if (!one || one == many)
			continue;
		if (!who)
			who = who_is(s, c);
		if (strcmp(one, who) != 0)
			return true;
	}
	return false;
}

void study_forget_doubts(struct session *s)
{
	map_release(&s->studies.writers);
}
