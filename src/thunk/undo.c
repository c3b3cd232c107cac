/* undo.c - what stood at outputs before a run put something there
 *
 * Values that gg had put there are put back from the store, so that only names
 * are kept here; what somebody else had written is gone since gg wrote over it,
 * as the command would have.  Of what commands do by themselves only what is new
 * can be undone.
 */
#include "undo.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"

enum { LARGE = 64 << 20 };

/* How one path stood. */
struct stood {
	struct stood *older;
	const char *path;
	size_t at;
	enum place_now now;
	bool has_ref, is_dir;
	struct ref_record ref;
	struct placeholder ph;          /* NOW_OTHER_PLACEHOLDER */
};

/* What was not there before; path is absolute. */
struct made {
	struct made *older;
	const char *path;
	size_t at;
	bool is_gone;
};

struct undo {
	struct store *store;
	struct project *project;
	pthread_mutex_t lock;           /* of all but scratch */
	struct map outputs;             /* plain paths, struct stood */
	struct map news;                /* struct made */
	struct stood *last;
	struct made *newest;
	size_t now;                     /* counts what was noted */
	bool has_taken;                 /* a file that was there before */
	struct arena arena, scratch;
};

struct undo *undo_new(struct store *s, struct project *p)
{
	struct undo *u = mem_alloc(sizeof *u);

	*u = (struct undo){ .store = s, .project = p };
	pthread_mutex_init(&u->lock, NULL);
	return u;
}

void undo_free(struct undo *u)
{
	if (!u)
		return;
	pthread_mutex_destroy(&u->lock);
	map_release(&u->outputs);
	map_release(&u->news);
	arena_release(&u->arena);
	arena_release(&u->scratch);
	free(u);
}

/* ---- what commands do */

static bool is_absent(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Places that hold nothing of anybody's. */
static bool is_ignored(const struct undo *u, const char *path)
{
	return path_is_below("/dev", path) || path_is_below("/proc", path) ||
	       path_is_below("/sys", path) || path_is_below(u->project->store_dir, path) ||
	       strstr(path, "/__pycache__");
}

/* As the project calls it; NULL if it is outside. */
static const char *plain_of(const struct undo *u, const char *path)
{
	const char *root = u->project->root;
	size_t n = root[1] ? strlen(root) : 0;

	return path_is_below(root, path) && path[n] && path[n + 1] ? path + n + 1 : NULL;
}

static bool is_output(struct undo *u, const char *path)
{
	const char *plain = plain_of(u, path);

	return plain && map_get(&u->outputs, bytes_str(plain));
}

static void add_new(struct undo *u, const char *path)
{
	struct made *m = map_get(&u->news, bytes_str(path));

	if (!m) {
		m = arena_alloc(&u->arena, sizeof *m);
		*m = (struct made){ .older = u->newest, .path = arena_str(&u->arena, path) };
		*map_at(&u->news, bytes_str(m->path)) = m;
		u->newest = m;
	} else if (!m->is_gone) {
		return;
	}
	m->at = ++u->now;
	m->is_gone = false;
}

static bool is_known(struct undo *u, const char *path)
{
	const struct made *m = map_get(&u->news, bytes_str(path));

	return (m && !m->is_gone) || is_ignored(u, path) || is_output(u, path);
}

static void hear(struct undo *u, const char *path, enum undo_deed deed)
{
	if (is_known(u, path))
		return;
	if (is_absent(path)) {
		if (deed != UNDO_REMOVES)
			add_new(u, path);
	} else if (deed != UNDO_MAKES && !is_folder(path)) {
		u->has_taken = true;
	}
}

void undo_hear(struct undo *u, const char *path, enum undo_deed deed)
{
	struct arena a = { 0 };

	path = path_clean(&a, "/", path);
	pthread_mutex_lock(&u->lock);
	hear(u, path, deed);
	pthread_mutex_unlock(&u->lock);
	arena_release(&a);
}

void undo_hear_rename(struct undo *u, const char *path, const char *path2)
{
	struct arena a = { 0 };

	path = path_clean(&a, "/", path);
	path2 = path_clean(&a, "/", path2);
	pthread_mutex_lock(&u->lock);
	hear(u, path2, UNDO_WRITES);
	/* A folder may hold anything. */
	if (!is_known(u, path) || is_folder(path))
		u->has_taken = true;
	pthread_mutex_unlock(&u->lock);
	arena_release(&a);
}

/* ---- what gg does */

/* Folders that placing makes on its way. */
static void note_way(struct undo *u, const char *path)
{
	char *way = arena_printf(&u->scratch, "%s/%s", u->project->root, path);

	for (char *slash = strchr(way + strlen(u->project->root) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (is_absent(way))
			add_new(u, way);
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

	pthread_mutex_lock(&u->lock);
	t = map_get(&u->outputs, bytes_str(path));
	if (!t) {
		t = arena_alloc(&u->arena, sizeof *t);
		*t = (struct stood){ .older = u->last, .path = arena_str(&u->arena, path) };
		*map_at(&u->outputs, bytes_str(t->path)) = t;
		u->last = t;
		look(u, t);
		note_way(u, path);
		t->at = ++u->now;
		arena_reset(&u->scratch);
	}
	pthread_mutex_unlock(&u->lock);
}

/* ---- and back */

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

/* When was the first thunk deferred that has failed? */
static size_t first_failure(struct undo *u, bool (*fails)(void *arg, const struct id *thunk),
			    void *arg)
{
	size_t first = SIZE_MAX;
	struct ref_record r;
	struct err e;

	for (const struct stood *t = u->last; t; t = t->older)
		if (t->at < first && ref_get(u->store, t->path, &u->scratch, &r, &e) == 0 &&
		    fails(arg, &r.thunk))
			first = t->at;
	arena_reset(&u->scratch);
	return first;
}

static void remove_new(struct undo *u, struct made *m, size_t failed_at)
{
	const char *plain = plain_of(u, m->path);
	struct stat st;

	if (!plain || m->is_gone || map_get(&u->outputs, bytes_str(plain)) ||
	    lstat(m->path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode))
		m->is_gone = rmdir(m->path) == 0;
	else if (!u->has_taken && (m->at > failed_at || st.st_size < LARGE))
		m->is_gone = unlink(m->path) == 0;
}

void undo_all(struct undo *u, bool (*fails)(void *arg, const struct id *thunk), void *arg)
{
	size_t failed_at = first_failure(u, fails, arg);

	for (const struct stood *t = u->last; t; t = t->older) {
		undo_one(u, t);
		arena_reset(&u->scratch);
	}
	for (struct made *m = u->newest; m; m = m->older)
		remove_new(u, m, failed_at);
}
