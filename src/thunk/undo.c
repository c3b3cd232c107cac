/* undo.c - what stood at outputs before a run put something there
 *
 * Values that gg had put there are put back from the store, so that only names
 * are kept here; what somebody else had written is gone since gg wrote over it,
 * as the command would have.
 */
#include "undo.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"

/* How one path stood. */
struct stood {
	struct stood *older;
	const char *path;
	enum place_now now;
	bool has_ref, is_dir;
	struct ref_record ref;
	struct placeholder ph;          /* NOW_OTHER_PLACEHOLDER */
};

struct made {
	struct made *older;
	const char *path;
};

struct undo {
	struct store *store;
	struct project *project;
	struct map by_path;             /* outputs and folders */
	struct stood *last;
	struct made *folders;           /* the deepest first */
	struct arena arena, scratch;
};

struct undo *undo_new(struct store *s, struct project *p)
{
	struct undo *u = mem_alloc(sizeof *u);

	*u = (struct undo){ .store = s, .project = p };
	return u;
}

void undo_free(struct undo *u)
{
	if (!u)
		return;
	map_release(&u->by_path);
	arena_release(&u->arena);
	arena_release(&u->scratch);
	free(u);
}

static bool is_absent(const struct undo *u, const char *path)
{
	struct stat st;

	return fstatat(u->project->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0;
}

static void add_folder(struct undo *u, const char *path)
{
	struct made *m;

	if (map_get(&u->by_path, bytes_str(path)) || !is_absent(u, path))
		return;
	m = arena_alloc(&u->arena, sizeof *m);
	*m = (struct made){ u->folders, arena_str(&u->arena, path) };
	*map_at(&u->by_path, bytes_str(m->path)) = m;
	u->folders = m;
}

void undo_note_folder(struct undo *u, const char *path)
{
	const char *root = u->project->root;
	size_t n = root[1] ? strlen(root) : 0;

	path = path_clean(&u->scratch, "/", path);
	if (path_is_below(root, path) && strlen(path) > n + 1)
		add_folder(u, path + n + 1);
	arena_reset(&u->scratch);
}

/* Those that placing makes on its way. */
static void note_way(struct undo *u, const char *path)
{
	char *way = arena_str(&u->scratch, path);

	for (char *slash = strchr(way, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		add_folder(u, way);
		*slash = '/';
	}
}

static void look(struct undo *u, struct stood *t)
{
	int root = u->project->root_fd;
	struct stat st;
	struct err e;

	t->has_ref = ref_get(u->store, t->path, &u->arena, &t->ref, &e) == 0;
	t->is_dir = fstatat(root, t->path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode);
	/* What cannot be looked at is nothing of gg's. */
	if (place_look(u->store, u->project, t->path, t->has_ref ? &t->ref : NULL,
		       &t->now, &e) < 0)
		t->now = NOW_EDITED;
	if (t->now == NOW_OTHER_PLACEHOLDER &&
	    placeholder_at(root, t->path, &u->arena, &t->ph, &e) != 1)
		t->now = NOW_EDITED;
	if (t->now == NOW_PLACEHOLDER)
		t->ph = (struct placeholder){ t->ref.thunk, t->ref.out };
}

void undo_note(struct undo *u, const char *path)
{
	struct stood *t;

	if (map_get(&u->by_path, bytes_str(path)))
		return;
	t = arena_alloc(&u->arena, sizeof *t);
	*t = (struct stood){ .older = u->last, .path = arena_str(&u->arena, path) };
	*map_at(&u->by_path, bytes_str(t->path)) = t;
	u->last = t;
	look(u, t);
	note_way(u, path);
	arena_reset(&u->scratch);
}

static bool stands_still(const struct stood *t, const struct ref_record *r,
			 enum place_now now)
{
	return now == t->now && (now == NOW_REAL || now == NOW_LEFT) &&
		id_equal(&r->thunk, &t->ref.thunk) && strcmp(r->out, t->ref.out) == 0 &&
		id_equal(&r->value.id, &t->ref.value.id);
}

/* The path is free now. */
static void put_back(struct undo *u, const struct stood *t)
{
	struct err e;

	if (t->now == NOW_PLACEHOLDER || t->now == NOW_OTHER_PLACEHOLDER)
		(void)place_placeholder(u->store, u->project, t->path, &t->ph, t->is_dir,
					false, &e);
	else if (t->now == NOW_REAL || t->now == NOW_LEFT)
		(void)place_back(u->store, u->project, t->path, &t->ref, &e);
	else if (t->has_ref)
		(void)ref_put(u->store, t->path, &t->ref, &e);
	else
		(void)ref_delete(u->store, t->path, &e);
}

static void undo_one(struct undo *u, const struct stood *t)
{
	struct ref_record r;
	enum place_now now;
	struct err e;
	bool has_ref = ref_get(u->store, t->path, &u->scratch, &r, &e) == 0;

	if (place_look(u->store, u->project, t->path, has_ref ? &r : NULL, &now, &e) < 0 ||
	    now == NOW_EDITED || (has_ref && stands_still(t, &r, now)))
		return;
	if (dir_remove(u->project->root_fd, t->path, &e) == 0)
		put_back(u, t);
}

void undo_all(struct undo *u)
{
	for (const struct stood *t = u->last; t; t = t->older) {
		undo_one(u, t);
		arena_reset(&u->scratch);
	}
	for (const struct made *m = u->folders; m; m = m->older)
		unlinkat(u->project->root_fd, m->path, AT_REMOVEDIR);
}
