/* grounds.c - on what it rests that commands of a shape run for real
 *
 * What was refused is not so for ever: its script is mended, another option is
 * given, another interpreter runs it.  So beside the reason stands by what
 * programs and settings of the project, and by which ways of calling, it came
 * about.  As long as these are the same nothing is watched again.
 *
 * A record is entries that each end in a NUL, the first letter says of what:
 * q (nobody need hear of it), w and the hash of a way, f and the hash of a
 * file before its path.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "file.h"
#include "learn_private.h"

enum { SIZE_MAX_BYTES = 1 << 20 };      /* what is larger holds data */

/* No shape begins with this byte, nor do the keys of counts. */
static struct bytes key_of(struct arena *a, const char *shape)
{
	return bytes_str(arena_printf(a, "\002%s", shape));
}

bool grounds_read(struct bytes text, struct grounds *g)
{
	*g = (struct grounds){ 0 };
	for (const char *p = text.p, *end = text.p + text.n, *stop; p < end; p = stop + 1) {
		stop = memchr(p, '\0', (size_t)(end - p));
		if (!stop)
			return false;
		if (*p == 'q')
			g->is_quiet = true;
		else if (*p == 'w' && g->n_ways < GROUNDS_WAYS)
			g->ways[g->n_ways++] = p;
		else if (*p == 'f' && stop - p > GROUNDS_PATH && g->n_files < GROUNDS_FILES)
			g->files[g->n_files++] = p;
		else
			return false;
	}
	return true;
}

/* What is damaged stands for nothing. */
static bool grounds_get(struct store *st, const char *shape, struct arena *a,
			struct grounds *g)
{
	struct bytes b;
	struct err e;

	*g = (struct grounds){ 0 };
	return store_table_get(st, TABLE_LEARN, key_of(a, shape), a, &b, &e) == 0 &&
	       grounds_read(b, g);
}

/* A file of the project that may change what a command does with the others;
 * NULL: none such. */
static const char *file_entry(struct store *st, const char *root, const char *path,
			      struct arena *a)
{
	const char *full = path_clean(a, root, path);
	struct stat s;
	struct id id;
	struct err e;

	if (stat(full, &s) < 0 || !S_ISREG(s.st_mode) || s.st_size > SIZE_MAX_BYTES ||
	    stat_name(st, AT_FDCWD, full, 0, &id, NULL, &e) < 0)
		return NULL;
	return arena_printf(a, "f%s%s", id_hex(&id).s, path);
}

static bool files_stand(struct store *st, const char *root, const struct grounds *g,
			struct arena *a)
{
	for (size_t i = 0; i < g->n_files; i++) {
		const char *now = file_entry(st, root, g->files[i] + GROUNDS_PATH, a);

		if (!now || strcmp(now, g->files[i]) != 0)
			return false;
	}
	return true;
}

static const char *root_of(const struct command *c)
{
	return c->root ? c->root : c->cwd;
}

/* The folder outside the project where a path of word would lie, or "". */
static const char *abroad(const struct command *c, const char *word, struct arena *a)
{
	const char *is = *word == '-' ? strchr(word, '=') : NULL;
	const char *path = is ? is + 1 : word, *slash = strrchr(path, '/');
	char dir[PATH_MAX];

	if (!slash || slash == path ||
	    !realpath(path_clean(a, c->cwd, arena_strn(a, path, (size_t)(slash - path))), dir) ||
	    path_is_below(root_of(c), dir))
		return "";
	return arena_printf(a, " %s", dir);
}

/* By which program, with which options, where it prints, what lies outside the
 * project, and which secrets there are. */
static const char *way_entry(const struct command *c, struct arena *a)
{
	const struct sighting s = { .command = *c };
	const char *way = arena_printf(a, "%s %s", c->program, learn_way(&s, a));
	struct id id;

	for (int fd = 1; fd < 3; fd++)
		if (c->std[fd].kind == STREAM_FILE || c->std[fd].kind == STREAM_PIPE)
			way = arena_printf(a, "%s %c%d", way,
					   c->std[fd].kind == STREAM_FILE ? '>' : '|', fd);
	for (size_t i = 1; i < c->n_args; i++)
		way = arena_printf(a, "%s%s", way, abroad(c, c->args[i], a));
	for (size_t i = 0; i < c->n_env; i++)
		if (env_is_secret(c->env[i]))
			way = arena_printf(a, "%s $%.*s", way, (int)strcspn(c->env[i], "="),
					   c->env[i]);
	id = id_of(bytes_str(way));
	return arena_printf(a, "w%s", id_hex(&id).s);
}

static bool has_way(const struct grounds *g, const char *way)
{
	for (size_t i = 0; i < g->n_ways; i++)
		if (strcmp(g->ways[i], way) == 0)
			return true;
	return false;
}

bool learned_stands(struct store *st, const char *shape, const struct command *c,
		    bool *is_quiet)
{
	struct arena a = { 0 };
	struct grounds g;
	bool stands = grounds_get(st, shape, &a, &g) && has_way(&g, way_entry(c, &a)) &&
		      files_stand(st, root_of(c), &g, &a);

	*is_quiet = g.is_quiet;
	arena_release(&a);
	return stands;
}

/* Is it a program, or are it settings?  What else a command reads others may
 * make anew before each run. */
static bool may_be_ground(const char *path)
{
	return head_is_settings(path) || head_is_script(path);
}

static void add_entry(struct buf *b, const char *entry)
{
	buf_add(b, entry, strlen(entry) + 1);
}

int learned_rests_on(struct store *st, const char *shape, const struct command *c,
		     const struct strs *read, bool is_quiet, struct err *e)
{
	struct arena a = { 0 };
	struct view v = view_of(&(struct sighting){ .command = *c }, &a);
	const char *way = way_entry(c, &a), *entry;
	struct grounds old;
	struct buf b = { 0 };
	size_t n = 0;
	int rc;

	add_entry(&b, way);
	if (grounds_get(st, shape, &a, &old) && files_stand(st, root_of(c), &old, &a))
		for (size_t i = 0; i < old.n_ways && i + 1 < GROUNDS_WAYS; i++)
			if (strcmp(old.ways[i], way) != 0)
				add_entry(&b, old.ways[i]);
	for (size_t i = 0; i < read->n && n < GROUNDS_FILES; i++) {
		bool is_script = v.script_path && strcmp(v.script_path, read->v[i]) == 0;

		entry = is_script || may_be_ground(read->v[i])
				? file_entry(st, root_of(c), read->v[i], &a) : NULL;
		if (entry)
			add_entry(&b, entry);
		n += entry != NULL;
	}
	if (is_quiet)
		add_entry(&b, "q");
	rc = store_table_put(st, TABLE_LEARN, key_of(&a, shape), buf_bytes(&b), e);
	buf_release(&b);
	arena_release(&a);
	return rc;
}

int learned_stands_no_more(struct store *st, const char *shape, struct err *e)
{
	struct arena a = { 0 };
	int rc = store_table_delete(st, TABLE_LEARN, key_of(&a, shape), e);

	arena_release(&a);
	return rc;
}
