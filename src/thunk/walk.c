/* walk.c - where paths of the system lead, and what lies there
 *
 * Every path is taken apart so that no part of it but the last is a link; the
 * links found on the way are leaves of their own.  So a closure is a tree in
 * which every path that was asked for leads to where it led here.  Folders are
 * resolved once.
 */
#include <stdlib.h>
#include <string.h>
#include "closure_private.h"
#include "file.h"

enum { DEPTH_MAX = 40 };        /* links after links, as the kernel has it */

static size_t add_leaf(struct walk_state *w, const char *path, enum leaf_kind kind,
		       const struct stat *st)
{
	void **slot = map_at(&w->seen, bytes_str(path));

	if (*slot)
		return (size_t)*slot - 1;
	if (w->n == w->room) {
		w->room = w->room ? 2 * w->room : 1024;
		w->v = mem_grow(w->v, w->room * sizeof(*w->v));
	}
	w->v[w->n] = (struct leaf){ .path = path, .kind = kind, .via = SIZE_MAX,
				    .package = w->package };
	if (st) {
		w->v[w->n].stamp = stamp_of(st);
		w->is_fresh |= !stamp_is_old(&w->v[w->n].stamp);
	}
	*slot = (void *)(++w->n);
	return w->n - 1;
}

static const char *resolve(struct walk_state *w, const char *dir);

static const char *join(struct arena *a, const char *dir, const char *name)
{
	return arena_printf(a, "%s/%s", dir[1] ? dir : "", name);
}

static const char *parent_of(struct arena *a, const char *path)
{
	const char *base = path_base(path);

	return base - path <= 1 ? "/" : arena_strn(a, path, (size_t)(base - path) - 1);
}

/* From the folder dir to an absolute path, relative. */
static const char *relative(struct arena *a, const char *dir, const char *to)
{
	struct buf b = { 0 };
	const char *out;

	for (const char *p = dir; *p; p++)
		if (*p == '/' && p[1])
			buf_str(&b, "../");
	buf_str(&b, to + strspn(to, "/"));
	if (b.n && b.p[b.n - 1] == '/')
		b.p[--b.n] = '\0';
	out = arena_str(a, b.n ? b.p : ".");
	buf_release(&b);
	return out;
}

/* A link's target as a tree can hold it: relative, ".." only at its front, and
 * none that climbs above the root. */
static const char *tidy_target(struct walk_state *w, const char *dir,
			       const char *target)
{
	const char *path = join(w->a, dir, "x"), *folder;

	if (*target != '/' && tree_link_is_inside(path + 1, target))
		return target;
	if (!strstr(target, ".."))
		return relative(w->a, dir, path_clean(w->a, "/", target));
	/* What a ".." after a name means depends on links: ask for it. */
	folder = resolve(w, parent_of(w->a, *target == '/' ? target
					: join(w->a, dir, target)));
	return relative(w->a, dir, path_clean(w->a, folder, path_base(target)));
}

static size_t add_link(struct walk_state *w, const char *dir, const char *path,
		       const struct stat *st)
{
	const char *target = sys_link(w->m, path, w->a);
	size_t i = add_leaf(w, path, LEAF_LINK, st);

	if (target && !w->v[i].target) {
		target = tidy_target(w, dir, target);
		w->v[i].target = target;
	}
	return i;
}

/* A folder, resolved; what is absent or no folder stays as it is spelled. */
static const char *resolve_new(struct walk_state *w, const char *dir)
{
	const char *base = path_base(dir), *parent, *path;
	struct stat st;
	size_t i;

	if (!dir[1])
		return "/";
	parent = resolve(w, parent_of(w->a, dir));
	if (!*base || strcmp(base, ".") == 0)
		return parent;
	if (strcmp(base, "..") == 0)
		return parent_of(w->a, parent);
	path = join(w->a, parent, base);
	if (w->depth >= DEPTH_MAX || !sys_lstat(w->m, path, &st) || !S_ISLNK(st.st_mode))
		return path;
	i = add_link(w, parent, path, &st);
	if (!w->v[i].target)
		return path;
	w->depth++;
	path = resolve(w, join(w->a, parent, w->v[i].target));
	w->depth--;
	return path;
}

static const char *resolve(struct walk_state *w, const char *dir)
{
	const char *known = map_get(&w->dirs, bytes_str(dir));

	if (known)
		return known;
	known = resolve_new(w, dir);
	*map_at(&w->dirs, bytes_str(dir)) = (void *)known;
	return known;
}

/* A package's file that not everybody may read is left out: otherwise root's
 * closure would be another than a user's.  So is what this user may not read:
 * the program could not either. */
static enum leaf_kind kind_of(const struct walk_state *w, const char *path,
			      const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return LEAF_FOLDER;
	if (!S_ISREG(st->st_mode) || (w->package && !(st->st_mode & S_IROTH)) ||
	    !sys_may_read(w->m, path))
		return LEAF_WATCHED;
	return st->st_mode & S_IXUSR ? LEAF_EXEC : LEAF_FILE;
}

size_t walk_path(struct walk_state *w, const char *path, bool follows)
{
	const char *spelled = arena_str(w->a, path), *base = path_base(spelled);
	const char *dir = resolve(w, parent_of(w->a, spelled));
	const char *full = *base && strcmp(base, ".") != 0 && strcmp(base, "..") != 0
		? join(w->a, dir, base) : resolve(w, spelled);
	struct stat st;
	size_t i, to;

	if (!sys_lstat(w->m, full, &st))
		return add_leaf(w, full, LEAF_ABSENT, NULL);
	if (!S_ISLNK(st.st_mode))
		return add_leaf(w, full, kind_of(w, full, &st), &st);
	i = add_link(w, dir, full, &st);
	if (follows && w->v[i].target && w->depth < DEPTH_MAX) {
		w->depth++;
		to = walk_path(w, join(w->a, dir, w->v[i].target), true);
		w->depth--;
		if (to != i && w->v[to].via == SIZE_MAX)
			w->v[to].via = i;
	}
	return i;
}

void walk_folder(struct walk_state *w, const char *path)
{
	struct strs names = { 0 };
	size_t i = walk_path(w, path, true);

	for (unsigned k = 0; w->v[i].kind == LEAF_LINK && k < DEPTH_MAX; k++)
		i = walk_path(w, join(w->a, parent_of(w->a, w->v[i].path),
				      w->v[i].target ? w->v[i].target : "."), true);
	if (w->v[i].kind != LEAF_FOLDER || w->depth >= DEPTH_MAX)
		return;
	path = w->v[i].path;
	w->v[i].is_whole = true;
	w->depth++;
	sys_names(w->m, path, w->a, &names);
	for (size_t k = 0; k < names.n; k++) {
		const char *full = join(w->a, path, names.v[k]);
		struct stat st;

		if (treatment_is_out(full) || !sys_lstat(w->m, full, &st))
			continue;
		if (S_ISDIR(st.st_mode))
			walk_folder(w, full);
		else
			walk_path(w, full, false);
	}
	w->depth--;
	strs_release(&names);
}

void walk_watch(struct walk_state *w, const char *path)
{
	struct stat st;
	size_t i;

	if (!sys_lstat(w->m, path, &st))
		i = add_leaf(w, path, LEAF_ABSENT, NULL);
	else
		i = add_leaf(w, path, S_ISDIR(st.st_mode) ? LEAF_FOLDER : LEAF_WATCHED, &st);
	w->v[i].is_watched = true;
}

void walk_release(struct walk_state *w)
{
	map_release(&w->dirs);
	map_release(&w->seen);
	free(w->v);
	w->v = NULL;
	w->n = w->room = 0;
}
