/* folders.c - many files of one folder are the folder
 *
 * A model that names ten thousand images, or each file of a package, says
 * nothing to a person, and the next command reads others of them.
 */
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "learn_private.h"

enum { TREE_MIN = 64 };         /* more files than this are one folder */

struct folder {
	const char *path;
	size_t n;               /* reads in it */
	bool is_barred;         /* holds what is no read, or where it runs */
	bool is_taken;          /* stands for all that is in it */
	bool is_said;           /* and is a fact already */
};

struct folders {
	struct arena *a;
	struct map by_path;
	struct folder **v;
	size_t n, room;
};

static struct folder *folder_at(struct folders *f, const char *path, bool makes)
{
	struct folder *d = map_get(&f->by_path, bytes_str(path));

	if (d || !makes)
		return d;
	d = arena_alloc(f->a, sizeof(*d));
	d->path = path;
	*map_at(&f->by_path, bytes_str(path)) = d;
	f->v = arena_more(f->a, f->v, f->n, sizeof(*f->v));
	f->v[f->n++] = d;
	return d;
}

static bool is_top(const char *path)
{
	return strcmp(path, ".") == 0 || strcmp(path, "/") == 0;
}

/* No folder that holds this path may be an input as a whole. */
static void bar(struct folders *f, const char *path)
{
	for (; path && !is_top(path); path = path_folder(f->a, path))
		folder_at(f, path, true)->is_barred = true;
}

static bool is_read(const struct fact *f)
{
	return f->kind == FACT_READ || f->kind == FACT_TREE || f->kind == FACT_ABSENT;
}

static void count(struct folders *f, const struct view *v)
{
	for (size_t i = 0; i < v->n_facts; i++) {
		const char *path = v->facts[i].path;

		if (!is_read(&v->facts[i]) || *path == '/') {
			bar(f, path);
			continue;
		}
		for (path = path_folder(f->a, path); !is_top(path);
		     path = path_folder(f->a, path))
			folder_at(f, path, true)->n++;
	}
	bar(f, v->script_path);
	bar(f, v->cwd);
}

/* Take the deepest of the folders with too much in them. */
static bool take_crowded(struct folders *f)
{
	bool takes = false;

	for (size_t i = 0; i < f->n; i++)
		f->v[i]->is_taken = !f->v[i]->is_barred && f->v[i]->n > TREE_MIN;
	for (size_t i = 0; i < f->n; i++) {
		const char *path = f->v[i]->path;

		if (f->v[i]->is_barred || f->v[i]->n <= TREE_MIN)
			continue;
		takes = true;
		while (!is_top(path = path_folder(f->a, path)))
			if (folder_at(f, path, false))
				folder_at(f, path, false)->is_taken = false;
	}
	return takes;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct fact *)a)->path, ((const struct fact *)b)->path);
}

/* Put the folders that are taken in the place of what is in them. */
static void put(struct folders *f, struct view *v)
{
	struct fact *out = arena_alloc(f->a, (v->n_facts + 1) * sizeof(*out));
	size_t n = 0;

	for (size_t i = 0; i < v->n_facts; i++) {
		const char *path = v->facts[i].path;
		struct folder *d = NULL;

		for (; !is_top(path) && !(d && d->is_taken); path = path_folder(f->a, path))
			d = folder_at(f, path, false);
		if (!d || !d->is_taken) {
			out[n++] = v->facts[i];
		} else if (!d->is_said) {
			d->is_said = true;
			out[n++] = (struct fact){ .path = d->path, .kind = FACT_TREE };
		}
	}
	if (n)
		qsort(out, n, sizeof(*out), by_path);
	v->facts = out;
	v->n_facts = n;
}

/* The folder of the package that a path of a virtual environment belongs to.
 * The whole environment would be no input: its links lead out of it. */
static const char *package_of(const char *path, struct arena *a)
{
	static const char *const places[] = { "/site-packages/", "/dist-packages/",
					      "/node_modules/" };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && *path != '/'; i++) {
		const char *at = strstr(path, places[i]);
		const char *end = at ? strchr(at + strlen(places[i]), '/') : NULL;

		if (end)
			return arena_strn(a, path, (size_t)(end - path));
	}
	return NULL;
}

/* What a step does not load today it may tomorrow: packages are whole. */
static void packages_fold(struct view *v, struct arena *a)
{
	struct folders f = { .a = a };

	for (size_t i = 0; i < v->n_facts; i++) {
		const char *dir = is_read(&v->facts[i]) ? package_of(v->facts[i].path, a) : NULL;

		if (dir && v->facts[i].kind != FACT_ABSENT)
			folder_at(&f, dir, true)->is_taken = true;
	}
	bar(&f, v->script_path);
	for (size_t i = 0; i < f.n; i++)
		f.v[i]->is_taken &= !f.v[i]->is_barred;
	put(&f, v);
	map_release(&f.by_path);
}

void folders_fold(struct view *v, struct arena *a)
{
	bool goes_on = true;

	packages_fold(v, a);
	while (goes_on && v->n_facts > TREE_MIN) {
		struct folders f = { .a = a };
		size_t before = v->n_facts;

		count(&f, v);
		goes_on = take_crowded(&f);
		if (goes_on)
			put(&f, v);
		goes_on &= v->n_facts < before;
		map_release(&f.by_path);
	}
}
