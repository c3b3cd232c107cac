/* temporary.c - steps that read what has another name each time
 *
 * data=$(mktemp) and then train --data $data: what the file holds counts, and the
 * name is chance.  So the thunk has a name of gg's there, and is the same one
 * the next time.  Only where nothing but the command itself speaks of the name:
 * no file that the step reads, no path that it writes, and nothing that a step
 * of its kind was seen to write.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "question.h"

enum { MOST_TEMPS = 8, PART = 1 << 16 };

struct rename {
	struct temp_name from;
	const char *to;
};

struct renames {
	struct question *q;
	struct rename v[MOST_TEMPS];
	size_t n;
};

/* The next place in word where the name stands as the begin of a path. */
static const char *next_in(const char *word, const char *path)
{
	for (const char *at = word; (at = strstr(at, path)); at++)
		if (at == word || !strchr("./_-", at[-1]))
			return at;
	return NULL;
}

static bool add(struct renames *r, const char *word)
{
	struct question *q = r->q;
	struct temp_name t;

	for (size_t i = 0; i < r->n; i++)
		if (strncmp(word, r->v[i].from.path, strlen(r->v[i].from.path)) == 0)
			return true;
	if (!q->g.in->o.temporary(q->g.in->o.arg, word, &t))
		return true;
	if (r->n == MOST_TEMPS)
		return false;
	r->v[r->n] = (struct rename){ t, NULL };
	r->n++;
	r->v[r->n - 1].to = arena_printf(q->g.a, "/tmp/gg.%zu%s", r->n, t.suffix);
	return true;
}

/* In the order in which the command names them.  False: too many. */
static bool find_all(struct renames *r)
{
	const struct thunk *t = &r->q->t;
	bool fits = true;

	for (size_t i = 0; i < t->n_args + t->n_env + 1; i++) {
		const char *w = i < t->n_args ? t->args[i] : i == t->n_args ? t->std[0] :
				t->env[i - t->n_args - 1];

		for (w = w ? strchr(w, '/') : NULL; w; w = strchr(w + 1, '/'))
			fits &= add(r, w);
	}
	return fits;
}

/* Are all of its inputs that have such names among those that the command names? */
static bool names_inputs(const struct renames *r)
{
	const struct infer_opts *o = &r->q->g.in->o;
	struct temp_name t;
	bool is_any = false;

	for (size_t i = 0; i < r->q->t.n_in; i++) {
		const char *path = r->q->t.in[i].path;
		bool is_named = false;

		if (*path != '/' || !o->temporary(o->arg, path, &t))
			continue;
		for (size_t k = 0; k < r->n; k++)
			is_named |= strcmp(r->v[k].from.path, t.path) == 0;
		if (!is_named)
			return false;
		is_any = true;
	}
	return is_any;
}

static bool holds(int dir_fd, const char *path, const char *name)
{
	int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	size_t kept = 0, n = strlen(name);
	char *part = mem_alloc(n + PART);
	ssize_t k = -1;
	bool has = false;

	while (fd >= 0 && !has && (k = file_read_fd(fd, part + kept, PART)) > 0) {
		size_t all = kept + (size_t)k;

		has = memmem(part, all, name, n);
		kept = all < n ? all : n - 1;
		memmove(part, part + all - kept, kept);
	}
	if (fd >= 0)
		close(fd);
	free(part);
	return has || k < 0;
}

/* A folder is looked through; what is odd in it is taken for one that does. */
static bool speaks_of(struct question *q, const char *path, const char *name, int depth)
{
	enum { DEEP = 64 };
	int root = q->g.in->o.project->root_fd;
	struct dirent *ent;
	struct stat st;
	bool does = false;
	DIR *d;

	if (fstatat(root, path, &st, 0) < 0 || depth == DEEP)
		return true;
	if (!S_ISDIR(st.st_mode))
		return holds(root, path, name);
	d = dir_names(root, path, 0);
	while (d && !does && (ent = dir_next(d)))
		does = speaks_of(q, arena_printf(q->g.a, "%s/%s", path, ent->d_name), name,
				 depth + 1);
	if (d)
		closedir(d);
	return does || !d;
}

/* The same, known from before of that content. */
static bool input_speaks(struct question *q, const struct input *in, const char *name)
{
	static const char yes, no;
	struct infer *f = q->g.in;
	const char *key = arena_printf(q->g.a, "%s %s", name, id_hex(&in->ref.id).s);
	const char *known = map_get(&f->names, bytes_str(key));

	if (in->ref.kind == REF_THUNK)          /* it is still to be made */
		return false;
	if (!known) {
		known = speaks_of(q, in->path, name, 0) ? &yes : &no;
		*map_at(&f->names, bytes_str(arena_str(&f->arena, key))) = (void *)known;
	}
	return known == &yes;
}

/* Where the step writes such a name: it is part of a path, or stands in what the
 * command, which has run, left there. */
static const char *written_in(const struct renames *r, const char *name)
{
	const struct question *q = r->q;

	for (size_t i = 0; i < q->t.n_out; i++) {
		const char *path = q->t.out[i].path;

		if (strstr(path, name) || (q->made && speaks_of(r->q, path, name, 0)))
			return path;
	}
	return NULL;
}

static const char *read_in(const struct renames *r, const char *name)
{
	for (size_t i = 0; i < r->q->t.n_in; i++)
		if (input_speaks(r->q, &r->q->t.in[i], name))
			return r->q->t.in[i].path;
	return NULL;
}

/* Which file speaks of one of the names; NULL: none.  That a step of this kind
 * writes them is kept. */
static const char *spoken_of_in(const struct renames *r)
{
	struct question *q = r->q;
	struct store *s = q->g.in->o.store;
	struct id key = id_of(bytes_str(arena_printf(q->g.a, "writes names of chance\n%s",
						     q->b.rule)));
	const char *where = NULL;
	struct bytes known;
	struct err e;

	for (size_t k = 0; k < r->n && !where; k++)
		where = written_in(r, path_base(r->v[k].from.path));
	if (where && store_table_put(s, TABLE_SCAN, id_key(&key), bytes_str("1"), &e) < 0)
		return where;
	if (!where && store_table_get(s, TABLE_SCAN, id_key(&key), q->g.a, &known, &e) == 0)
		where = q->t.out[0].path;
	for (size_t k = 0; k < r->n && !where; k++)
		where = read_in(r, path_base(r->v[k].from.path));
	return where;
}

static const char *rename_in(const struct renames *r, const char *word)
{
	for (size_t k = 0; word && k < r->n; k++) {
		const char *from = r->v[k].from.path, *at;
		size_t done = 0;

		while ((at = next_in(word + done, from))) {
			size_t n = (size_t)(at - word);

			word = arena_printf(r->q->g.a, "%.*s%s%s", (int)n, word, r->v[k].to,
					    at + strlen(from));
			done = n + strlen(r->v[k].to);
		}
	}
	return word;
}

static const char **rename_all(const struct renames *r, const char **v, size_t n)
{
	const char **to = arena_alloc(r->q->g.a, (n + 1) * sizeof *to);

	for (size_t i = 0; i < n; i++)
		to[i] = rename_in(r, v[i]);
	to[n] = NULL;
	return to;
}

void question_name_temporary(struct question *q)
{
	struct renames r = { .q = q };
	struct thunk *t = &q->t;
	const char *where = NULL;

	if (!q->b.is_learned || !q->g.in->o.temporary || !find_all(&r) || !r.n ||
	    !names_inputs(&r))
		return;
	where = spoken_of_in(&r);
	if (where) {
		buf_printf(q->why, "%s: anew each time, as %s speaks of a file by a name "
			   "that is chance\n", q->b.rule, where);
		return;
	}
	t->args = rename_all(&r, t->args, t->n_args);
	t->env = rename_all(&r, t->env, t->n_env);
	t->std[0] = rename_in(&r, t->std[0]);
	for (size_t i = 0; i < q->g.n; i++)
		q->g.v[i].path = rename_in(&r, q->g.v[i].path);
}
