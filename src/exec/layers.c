/* layers.c - which file of an image is in which layer
 *
 * Images made at different times are to share what is heavy, without knowing
 * of each other.  So a layer's bounds depend on paths and sizes alone, never
 * on what else is in the image: what lies in one of the folders where systems
 * keep packages side by side (a shelf) belongs together, and what weighs
 * LAYER_BYTES or more is a layer of its own.  PyTorch below dist-packages is
 * one, libtorch_cpu.so beside the system's libraries another.  The rest of the
 * closures is one more layer, gg the last.  Heavy ones come first, the
 * heaviest in front: local image stores share layers only from the bottom up,
 * and what many images have in common tends to be what is large.
 */
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "image_private.h"

enum { LAYER_BYTES = 8 << 20, HEAVY_MAX = 60 };

/* A folder of one of these names, wherever it is, is a shelf. */
static const char *const shelf_names[] = {
	"dist-packages", "site-packages", "site-library", "library", "node_modules",
};
/* So are these. */
static const char *const shelf_paths[] = {
	"usr/lib", "usr/lib64", "usr/local/lib", "usr/libexec", "usr/share", "usr/bin", "opt",
	"usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib/jvm",
	"lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu",
};

static bool is_shelf(const char *path, size_t n)
{
	size_t from = n;

	for (size_t i = 0; i < sizeof shelf_paths / sizeof *shelf_paths; i++)
		if (bytes_equal((struct bytes){ path, n }, bytes_str(shelf_paths[i])))
			return true;
	while (from && path[from - 1] != '/')
		from--;
	for (size_t i = 0; i < sizeof shelf_names / sizeof *shelf_names; i++)
		if (bytes_equal((struct bytes){ path + from, n - from },
				bytes_str(shelf_names[i])))
			return true;
	return false;
}

/* The part of path that stands on the deepest shelf; "" if none does. */
static struct bytes unit_of(const char *path)
{
	struct bytes unit = { path, 0 };

	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/'))
		if (is_shelf(path, (size_t)(p - path)))
			unit.n = (size_t)(p - path) + 1 + strcspn(p + 1, "/");
	return unit;
}

struct unit {
	struct bytes path;
	uint64_t n_bytes;
	unsigned layer;                 /* + 1, once it has one */
};

static struct unit *find_unit(struct map *units, struct arena *a, const char *path)
{
	struct bytes key = unit_of(path);
	void **slot;

	if (!key.n)
		return NULL;
	slot = map_at(units, key);
	if (!*slot) {
		struct unit *u = arena_alloc(a, sizeof *u);

		u->path = key;
		*slot = u;
	}
	return *slot;
}

static int by_weight(const void *x, const void *y)
{
	const struct unit *a = *(struct unit *const *)x, *b = *(struct unit *const *)y;

	if (a->n_bytes != b->n_bytes)
		return a->n_bytes < b->n_bytes ? 1 : -1;
	return bytes_compare(a->path, b->path);
}

static size_t pick_heavy(struct map *units, struct unit **heavy)
{
	struct bytes key;
	void *value;
	size_t pos = 0, n = 0;

	while (map_each(units, &pos, &key, &value))
		if (((struct unit *)value)->n_bytes >= LAYER_BYTES)
			heavy[n++] = value;
	qsort(heavy, n, sizeof *heavy, by_weight);
	return n < HEAVY_MAX ? n : HEAVY_MAX;
}

static bool is_workers(const char *path)
{
	return path_is_below("opt/gg", path);
}

struct image_layer *layers_make(struct image_files *fs, size_t *n)
{
	struct map units = { 0 };
	struct unit **heavy;
	struct image_layer *v;
	size_t n_heavy;

	for (size_t i = 0; i < fs->n; i++) {
		struct unit *u = is_workers(fs->v[i].path) ? NULL :
				 find_unit(&units, fs->a, fs->v[i].path);

		if (u)
			u->n_bytes += fs->v[i].n_bytes;
	}
	heavy = arena_alloc(fs->a, (units.n + 1) * sizeof *heavy);
	n_heavy = pick_heavy(&units, heavy);
	v = arena_alloc(fs->a, (n_heavy + 2) * sizeof *v);
	for (size_t i = 0; i < n_heavy; i++) {
		heavy[i]->layer = (unsigned)i + 1;
		v[i].what = arena_strn(fs->a, heavy[i]->path.p, heavy[i]->path.n);
	}
	v[n_heavy].what = "the rest of the closures";
	v[n_heavy + 1].what = "gg";
	for (size_t i = 0; i < fs->n; i++) {
		struct image_file *f = &fs->v[i];
		struct unit *u = is_workers(f->path) ? NULL :
				 find_unit(&units, fs->a, f->path);

		f->layer = (unsigned)(is_workers(f->path) ? n_heavy + 1 :
				      u && u->layer ? u->layer - 1 : n_heavy);
		v[f->layer].n_bytes += f->n_bytes;
	}
	map_release(&units);
	*n = n_heavy + 2;
	return v;
}
