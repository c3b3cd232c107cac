/* image_files.c - all that is in an image: closures laid over each other
 *
 * Closures may share files, but not a path with two contents: thunks would run
 * with files that their names do not name.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "closure.h"
#include "file.h"
#include "image_private.h"

struct image_file *image_files_add(struct image_files *fs, const char *path,
				   enum image_kind kind)
{
	struct image_file *f;

	if (fs->n == fs->room) {
		fs->room = fs->room ? 2 * fs->room : 1024;
		fs->v = mem_grow(fs->v, fs->room * sizeof *fs->v);
	}
	f = &fs->v[fs->n++];
	*f = (struct image_file){ .path = arena_str(fs->a, path), .kind = kind };
	f->mode = kind == IMAGE_DIR ? 0755 : kind == IMAGE_LINK ? 0777 : 0644;
	return f;
}

struct gather {
	struct image_files *fs;
	struct store *store;
	struct image_trees trees;
	struct err *e;
};

/* The text of a tree, once. */
static int keep_tree(struct gather *g, const struct id *id)
{
	struct arena a = { 0 };
	struct bytes text;
	struct id *key;
	int rc;

	if (map_get(&g->trees.seen, id_key(id)))
		return 0;
	key = arena_alloc(g->fs->a, sizeof *key);
	*key = *id;
	*map_at(&g->trees.seen, id_key(key)) = key;
	rc = store_get(g->store, id, &a, &text, g->e);
	if (rc == 0) {
		if (g->trees.text.n)
			buf_char(&g->trees.text, '\n');
		buf_add(&g->trees.text, text.p, text.n);
	}
	arena_release(&a);
	return rc;
}

/* From what the closure names, so that it is the same wherever it is made. */
static int size_of(struct gather *g, const char *path, const struct id *id,
		   uint64_t *n_bytes)
{
	struct stat st;
	char *host;

	if (store_size(g->store, id, n_bytes, g->e) == 0)
		return 0;
	if (g->e->code != ERR_MISSING)
		return -1;
	host = arena_printf(g->fs->a, "/%s", path);
	if (lstat(host, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(g->e, ERR_MISSING, "%s, which a closure holds, is neither in "
			       "the store nor on this machine any more: run gg infer again",
			       host);
	*n_bytes = (uint64_t)st.st_size;
	return 0;
}

static int take(void *arg, const char *path, const struct entry *ent)
{
	static const enum image_kind kinds[] = {
		[ENTRY_FILE] = IMAGE_FILE, [ENTRY_EXEC] = IMAGE_FILE,
		[ENTRY_TREE] = IMAGE_DIR, [ENTRY_LINK] = IMAGE_LINK,
	};
	struct gather *g = arg;
	struct image_file *f = image_files_add(g->fs, path, kinds[ent->kind]);

	if (ent->kind == ENTRY_EXEC)
		f->mode = 0755;
	if (f->kind == IMAGE_LINK)
		f->target = arena_str(g->fs->a, ent->target);
	if (f->kind == IMAGE_DIR)
		return keep_tree(g, &ent->id);
	if (f->kind != IMAGE_FILE)
		return 0;
	f->id = ent->id;
	return size_of(g, path, &ent->id, &f->n_bytes);
}

/* Folders that programs and runtimes expect, and files that hold nothing
 * personal; what a closure has of them is the same. */
static void add_fixed(struct image_files *fs)
{
	static const struct { const char *path; unsigned mode; } dirs[] = {
		{ "dev", 0755 }, { "etc", 0755 }, { "proc", 0755 }, { "run", 0755 },
		{ "sys", 0755 }, { "tmp", 01777 }, { "var", 0755 }, { "var/tmp", 01777 },
	};

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		image_files_add(fs, dirs[i].path, IMAGE_DIR)->mode = dirs[i].mode;
	for (const struct closure_fixed *x = closure_fixed; x->path; x++) {
		const char *path = x->path + (x->path[0] == '/');
		struct image_file *f;

		for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/'))
			image_files_add(fs, arena_strn(fs->a, path, (size_t)(p - path)),
					IMAGE_DIR);
		f = image_files_add(fs, path, IMAGE_FILE);
		f->text = bytes_str(x->text);
		f->n_bytes = f->text.n;
	}
}

/* A folder and all below it stand together: a slash comes before all else. */
static int by_path(const void *x, const void *y)
{
	const struct image_file *f = x, *g = y;
	const unsigned char *a = (const unsigned char *)f->path;
	const unsigned char *b = (const unsigned char *)g->path;

	for (; *a && *a == *b; a++, b++)
		;
	return (*a == '/' ? 1 : *a * 2) - (*b == '/' ? 1 : *b * 2);
}

static bool is_same(const struct image_file *a, const struct image_file *b)
{
	return a->kind == b->kind && a->mode == b->mode && id_equal(&a->id, &b->id) &&
		!a->text.p == !b->text.p && !a->host == !b->host &&
		(a->kind != IMAGE_LINK || strcmp(a->target, b->target) == 0);
}

/* What is fixed for all wins over what a closure has at its path, which is
 * the mode of a folder only. */
static int join(struct image_file *kept, const struct image_file *f, struct err *e)
{
	if (kept->kind == IMAGE_DIR && f->kind == IMAGE_DIR) {
		kept->mode |= f->mode;
		return 0;
	}
	if (is_same(kept, f))
		return 0;
	return err_set(e, ERR_REFUSED, "two closures hold different things at /%s: make an "
		       "image for each, or run gg infer again so that all use what is "
		       "installed now", f->path);
}

static int sort(struct image_files *fs, struct err *e)
{
	size_t n = 0;

	qsort(fs->v, fs->n, sizeof *fs->v, by_path);
	for (size_t i = 0; i < fs->n; i++) {
		if (!n || strcmp(fs->v[n - 1].path, fs->v[i].path) != 0)
			fs->v[n++] = fs->v[i];
		else if (join(&fs->v[n - 1], &fs->v[i], e) < 0)
			return -1;
	}
	fs->n = n;
	return 0;
}

int image_files_make(struct image_files *fs, const struct image_opts *o,
		     struct err *e)
{
	struct gather g = { .fs = fs, .store = o->store, .e = e };

	int rc = 0;

	for (size_t i = 0; i < o->n_closures && rc == 0; i++)
		if (keep_tree(&g, &o->closures[i]) < 0 ||
		    closure_each(o->store, &o->closures[i], take, &g, e) != 0)
			rc = err_wrap(e, "closure %.12s", id_hex(&o->closures[i]).s);
	add_fixed(fs);
	if (rc == 0)
		rc = image_worker_add(fs, o, buf_bytes(&g.trees.text), e);
	map_release(&g.trees.seen);
	buf_release(&g.trees.text);
	return rc < 0 ? -1 : sort(fs, e);
}
