/* closure_uses.c - from paths that were touched to uses
 *
 * Each path is followed over its links, and each thing met is asked for its
 * owner.  What a package owns stands for the package; what none does stands for
 * itself.  A path that was not there stands for itself too, unless it would lie
 * in a folder of one package alone: that package's next version brings it, or
 * nobody does.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "closure_private.h"
#include "elf_needs.h"
#include "file.h"

struct gathering {
	struct store *store;            /* or NULL */
	struct walk_state w;
	enum closure_mode mode;
	struct owner **owners;          /* one for each leaf */
	struct map above;               /* folder -> the nearest that is there */
	struct strs *out;
};

static bool is_kept(enum treat t, enum closure_mode mode)
{
	return t == TREAT_KEEP || t == TREAT_NAMED ||
	       (t == TREAT_ABOUT && mode == CLOSURE_FILES);
}

static bool is_wanted(const char *path, enum closure_mode mode)
{
	return is_kept(treatment_of(path), mode);
}

/* What the kernel opens itself when a program starts, unseen by a tracer. */
static void follow_program(struct walk_state *w, const char *path)
{
	const char *full = arena_printf(w->a, "%s%s", w->m->root[1] ? w->m->root : "", path);
	struct elf_needs needs;
	char line[256], *end;

	if (file_shebang(full, line, sizeof line)) {
		for (end = line + strspn(line, " \t"); *end > ' '; end++)
			;
		*end = '\0';
		walk_path(w, line + strspn(line, " \t"), true);
		return;
	}
	if (elf_needs(full, w->a, &needs) && needs.needed.n && *needs.needed.v[0] == '/')
		walk_path(w, needs.needed.v[0], true);
	strs_release(&needs.needed);
}

/* DIR/__pycache__/NAME.cpython-311.pyc stands for DIR/NAME.py. */
static const char *source_of(struct arena *a, const char *path)
{
	static const char cache[] = "/__pycache__/";
	const char *at = strstr(path, cache), *name = path_base(path);
	size_t n = strlen(name);

	if (!at || at + sizeof cache - 1 != name || n < 4 || strcmp(name + n - 4, ".pyc") != 0)
		return path;
	return arena_printf(a, "%.*s/%.*s.py", (int)(at - path), path,
			    (int)strcspn(name, "."), name);
}

static void walk_all(struct gathering *g, const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *path = source_of(g->w.a, path_clean(g->w.a, "/", paths[i]));

		if (path[1] && is_wanted(path, g->mode))
			walk_path(&g->w, path, true);
	}
	for (size_t i = 0; i < g->w.n; i++)
		if (g->w.v[i].kind == LEAF_EXEC && is_wanted(g->w.v[i].path, g->mode))
			follow_program(&g->w, g->w.v[i].path);
}

/* The nearest folder above path that is there.  What is absent is as a rule
 * one of many below the same folder, which is looked at once. */
static const char *folder_above(struct gathering *g, const char *path)
{
	const char *slash = strrchr(path, '/'), *dir;
	struct bytes key = { path, (size_t)(slash - path) };
	const char *known = slash == path ? "/" : map_get(&g->above, key);
	struct stat st;

	if (known)
		return known;
	dir = arena_strn(g->w.a, key.p, key.n);
	known = sys_lstat(g->w.m, dir, &st) ? dir : folder_above(g, dir);
	*map_at(&g->above, bytes_str(dir)) = (void *)known;
	return known;
}

static bool is_modules(const char *path)
{
	const char *base = path_base(path);

	return strcmp(base, "site-packages") == 0 || strcmp(base, "dist-packages") == 0;
}

/* Below a folder of modules, in the folder of one of them. */
static bool is_in_module(const char *folder)
{
	const char *at = strstr(folder, "/site-packages/");

	return at || strstr(folder, "/dist-packages/");
}

static void find_owners(struct gathering *g)
{
	struct map at = { 0 };
	size_t n = g->w.n, n_owned = 0;
	struct owner *v;

	g->owners = arena_alloc(g->w.a, (n + 1) * sizeof(*g->owners));
	v = arena_alloc(g->w.a, (n + 1) * sizeof(*v));
	for (size_t i = 0; i < n; i++) {
		const struct leaf *l = &g->w.v[i];
		const char *path = l->kind == LEAF_ABSENT ? folder_above(g, l->path) : l->path;
		void **slot = map_at(&at, bytes_str(path));

		if (!*slot) {
			v[n_owned] = (struct owner){ .path = path };
			*slot = &v[n_owned++];
		}
		g->owners[i] = *slot;
	}
	packages_own(g->w.m, g->store, v, n_owned, g->w.a);
	map_release(&at);
}

static bool is_root_link(const char *path)
{
	return !strchr(path + 1, '/');
}

/* Does the link that led here stand for itself?  Then it leads here again. */
static bool is_led_to(const struct gathering *g, size_t i)
{
	size_t via = g->w.v[i].via;

	return via != SIZE_MAX && (g->mode == CLOSURE_FILES || !g->owners[via]->package ||
				   treatment_of(g->w.v[via].path) == TREAT_NAMED);
}

/* A cell has another home: what may come to this one is not seen there. */
static bool is_at_home(const char *path)
{
	return path_is_below("/root", path) || path_is_below("/home", path);
}

/* What was looked for below a folder that is not there either: the folder, and
 * all of it should it come. */
static const char *absent_use(struct gathering *g, const char *path, const char *above)
{
	const char *name = path + strlen(above);
	size_t n = strcspn(name + (*name == '/'), "/") + (*name == '/');

	if (!name[n])
		return path;
	return arena_printf(g->w.a, "%.*s/", (int)(name + n - path), path);
}

static void use(struct gathering *g, size_t i)
{
	const struct leaf *l = &g->w.v[i];
	const struct owner *o = g->owners[i];
	enum treat t = treatment_of(l->path);
	const char *path;

	if (!is_kept(t, g->mode))
		return;
	switch (l->kind) {
	case LEAF_ABSENT:
		if (o->n_owners == 1 || is_in_module(o->path) || is_at_home(l->path))
			return;
		path = absent_use(g, l->path, o->path);
		if (is_kept(treatment_of(path), g->mode))
			strs_add(g->out, path);
		return;
	case LEAF_FOLDER:
		if (!o->n_owners && is_modules(l->path))
			strs_add(g->out, l->path);
		return;
	case LEAF_LINK:
		if (is_root_link(l->path))
			return;
		break;
	default:
		break;
	}
	if (o->package && t == TREAT_KEEP && g->mode == CLOSURE_PACKAGE)
		strs_add(g->out, o->package);
	else if (!is_led_to(g, i))
		strs_add(g->out, l->path);
}

/* Is the same one, or the same folder with a slash, further on? */
static bool is_said_by_next(const struct strs *l, size_t i)
{
	size_t n = strlen(l->v[i]);

	for (size_t k = i + 1; k < l->n && strncmp(l->v[k], l->v[i], n) == 0; k++)
		if (!l->v[k][n] || (l->v[k][n] == '/' && !l->v[k][n + 1]))
			return true;
	return false;
}

static void copy_out(struct strs *from, struct arena *a, struct strs *out)
{
	strs_sort(from);
	for (size_t i = 0; i < from->n; i++)
		if (!is_said_by_next(from, i))
			strs_add(out, arena_str(a, from->v[i]));
}

int closure_uses_at(struct store *s, const struct sys *m, const char *const *paths,
		    size_t n, enum closure_mode mode, struct arena *a, struct strs *out)
{
	struct arena own = { 0 };
	struct strs found = { 0 };
	struct gathering g = { .store = s, .w = { .m = m, .a = &own }, .mode = mode,
			       .out = &found };

	walk_all(&g, paths, n);
	ahead_confirm(m->ahead, g.w.v, g.w.n);
	find_owners(&g);
	for (size_t i = 0; i < g.w.n; i++)
		use(&g, i);
	copy_out(&found, a, out);
	strs_release(&found);
	map_release(&g.above);
	walk_release(&g.w);
	arena_release(&own);
	return 0;
}

int closure_uses_after(struct closure_ahead *h, struct store *s, const struct strs *paths,
		       enum closure_mode mode, struct arena *a, struct strs *out,
		       struct err *e)
{
	struct sys m;
	int rc;

	if (sys_open(&m, "/", e) < 0)
		return -1;
	m.ahead = h;
	rc = closure_uses_at(s, &m, paths->v, paths->n, mode, a, out);
	sys_close(&m);
	return rc;
}

int closure_uses(struct store *s, const char *const *paths, size_t n,
		 enum closure_mode mode, struct arena *a, struct strs *out, struct err *e)
{
	struct sys m;
	int rc;

	if (sys_open(&m, "/", e) < 0)
		return -1;
	rc = closure_uses_at(s, &m, paths, n, mode, a, out);
	sys_close(&m);
	return rc;
}
