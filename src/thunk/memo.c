/* memo.c - note what an inference saw and left
 *
 * Each path has one entry: how it was when it was first touched, if that was
 * a look or a read; memo_save.c holds against that how it is at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "memo_private.h"

/* A file larger than this is not named while its writer waits. */
enum { NAME_WHILE_STOPPED = 4 << 20 };

struct memo *memo_new(struct store *s, struct project *p)
{
	struct memo *m = mem_alloc(sizeof *m);

	*m = (struct memo){ .store = s, .project = p, .from_ns = stamp_clock() };
	pthread_mutex_init(&m->lock, NULL);
	return m;
}

void memo_free(struct memo *m)
{
	if (!m)
		return;
	pthread_mutex_destroy(&m->lock);
	map_release(&m->by_path);
	free(m->order);
	arena_release(&m->arena);
	arena_release(&m->scratch);
	free(m);
}

void memo_spoil(struct memo *m, const char *why)
{
	if (!m->spoilt)
		m->spoilt = arena_str(&m->arena, why);
}

const char *memo_spoilt(const struct memo *m)
{
	return m->spoilt;
}

/* Places that are different every time and say nothing of the project. */
static bool is_ignored(const char *path)
{
	static const char *const places[] = { "/proc/", "/sys/", "/dev/", ".gg/",
					      "/run/" };

	if (strncmp(path, "/dev/shm/", 9) == 0)
		return false;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0)
			return true;
	return strcmp(path, PROJECT_DIR) == 0 || strcmp(path, "/proc") == 0 ||
	       strcmp(path, "/dev") == 0;
}

struct tidy {
	char s[4200];
};

/* The path below the project's root if it is there; "//" and "/./" go, ".."
 * stays, as symlinks give it its meaning. */
static const char *tidy(const struct memo *m, const char *path, struct tidy *t)
{
	const char *root = m->project->root;
	size_t n = strlen(root), k = 0;

	if (strncmp(path, root, n) == 0 && (path[n] == '/' || !path[n])) {
		path += n;
		while (*path == '/')
			path++;
	}
	while (*path && k < sizeof t->s - 1) {
		bool starts = k == 0 || t->s[k - 1] == '/';

		if (starts && *path == '/' && k > 0) {
			path++;
		} else if (starts && path[0] == '.' && (path[1] == '/' || !path[1])) {
			path += 1 + (path[1] == '/');
		} else {
			t->s[k++] = *path++;
		}
	}
	if (k > 1 && t->s[k - 1] == '/')
		k--;
	t->s[k] = 0;
	return k ? t->s : ".";
}

static struct seen *seen_at(struct memo *m, const char *path, bool *is_new)
{
	struct seen *s = map_get(&m->by_path, bytes_str(path));

	*is_new = !s;
	if (s)
		return s;
	s = arena_alloc(&m->arena, sizeof *s);
	s->first.path = arena_str(&m->arena, path);
	*map_at(&m->by_path, bytes_str(s->first.path)) = s;
	if (m->n == m->room) {
		m->room = m->room ? 2 * m->room : 1024;
		m->order = mem_grow(m->order, m->room * sizeof *m->order);
	}
	m->order[m->n++] = s;
	return s;
}

void memo_look(int root_fd, const char *path, struct memo_entry *out)
{
	char target[4096];
	struct stat st;
	ssize_t n;

	out->kind = MEMO_ABSENT;
	out->flags = 0;
	if (fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(root_fd, path, target, sizeof target);
		out->flags = MEMO_LINK;
		out->link = id_of((struct bytes){ target, n > 0 ? (size_t)n : 0 });
		if (fstatat(root_fd, path, &st, 0) < 0)
			return;
	}
	out->stamp = stamp_of(&st);
	out->kind = S_ISREG(st.st_mode) ? MEMO_LOOKED :
		    S_ISDIR(st.st_mode) ? MEMO_DIR : MEMO_ODD;
	if (out->kind == MEMO_LOOKED && st.st_mode & 0111)
		out->flags |= MEMO_EXEC;
}

bool memo_same_form(const struct memo_entry *a, const struct memo_entry *b)
{
	return ((a->flags ^ b->flags) & ~MEMO_VALUE) == 0 &&
	       (!(a->flags & MEMO_LINK) || id_equal(&a->link, &b->link));
}

static int compare_names(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

int memo_list_id(int root_fd, const char *path, struct id *out, struct err *e)
{
	DIR *d = dir_names(root_fd, path, 0);
	struct arena a = { 0 };
	struct strs names = { 0 };
	struct hash *h;
	struct dirent *ent;

	if (!d)
		return err_sys(e, "cannot list %s", path);
	while ((ent = dir_next(d)))
		strs_add(&names, arena_str(&a, ent->d_name));
	closedir(d);
	if (names.n)
		qsort(names.v, names.n, sizeof *names.v, compare_names);
	h = hash_new();
	for (size_t i = 0; i < names.n; i++)
		hash_add(h, names.v[i], strlen(names.v[i]) + 1);
	*out = hash_end(h);
	hash_free(h);
	strs_release(&names);
	arena_release(&a);
	return 0;
}

/* Before the first write to what was only looked at or read so far: name it
 * while it is still as it was. */
static void name_first(struct memo *m, struct seen *s)
{
	struct err e;

	if (!s->depends || s->has_first_id || s->first.kind != MEMO_LOOKED ||
	    s->is_output)
		return;
	if (s->first.stamp.size <= NAME_WHILE_STOPPED &&
	    stat_name(m->store, m->project->root_fd, s->first.path, 0, &s->first.id,
		      NULL, &e) == 0)
		s->has_first_id = true;
}

/* Would noting this need the store? */
static bool needs_name(const struct seen *s, enum memo_touch how)
{
	return (how == MEMO_WRITE || how == MEMO_UPDATE) && s->depends &&
	       !s->has_first_id && s->first.kind == MEMO_LOOKED && !s->is_output;
}

static void list_now(struct memo *m, struct seen *s)
{
	struct err e;

	if (s->has_list || !s->is_listed || !s->depends || s->first.kind != MEMO_DIR)
		return;
	s->has_list = true;
	if (memo_list_id(m->project->root_fd, s->first.path, &s->first.id, &e) < 0)
		memo_spoil(m, e.text);
}

/* Its names matter.  Outside the project, where gg itself writes nothing, they
 * can be listed later: until a call writes there, or at the end if its stamp
 * has stayed what it was. */
static void list_first(struct memo *m, struct seen *s)
{
	s->is_listed = true;
	if (!s->is_old || s->first.path[0] != '/')
		list_now(m, s);
}

/* Before a write: names above it that were to be listed later. */
static void list_above(struct memo *m, const char *path)
{
	const char *slash = path[0] == '/' ? strrchr(path, '/') : NULL;
	struct seen *s;

	if (!slash)
		return;
	s = map_get(&m->by_path, slash == path ? bytes_str("/") :
		    (struct bytes){ path, (size_t)(slash - path) });
	if (s)
		list_now(m, s);
}

static void look_first(struct memo *m, struct seen *s)
{
	s->depends = true;
	memo_look(m->project->root_fd, s->first.path, &s->first);
	s->is_old = s->first.kind == MEMO_DIR && stamp_is_old(&s->first.stamp);
}

static bool touch(struct memo *m, const char *raw, enum memo_touch how, bool is_owner)
{
	struct tidy t;
	const char *path = tidy(m, raw, &t);
	struct seen *s;
	bool is_new;

	if (is_ignored(path))
		return true;
	s = seen_at(m, path, &is_new);
	s->is_fixed = true;
	if (how == MEMO_TIMES && s->is_output)
		return true;
	if (how == MEMO_TIMES)
		how = MEMO_UPDATE;
	s->was_looked |= how == MEMO_LOOK || how == MEMO_READ || how == MEMO_UPDATE;
	s->was_listed |= how == MEMO_READ;
	if (is_new && how != MEMO_WRITE)
		look_first(m, s);
	if (needs_name(s, how)) {
		if (!is_owner)
			return false;
		name_first(m, s);
	}
	if (how == MEMO_WRITE || how == MEMO_UPDATE) {
		s->is_output = false;
		s->is_written = true;
		list_above(m, path);
	}
	if (how == MEMO_READ || how == MEMO_UPDATE) {
		s->is_read = true;
		s->is_consumed |= s->is_output;
	}
	if (how == MEMO_READ && (!s->depends || s->first.kind == MEMO_DIR))
		list_first(m, s);
	return true;
}

/* A look at each folder on the way, from the project's root if it is there. */
static bool enter(struct memo *m, const char *raw, bool is_owner)
{
	char way[4200];
	size_t n = strlen(raw), at = strlen(m->project->root);
	bool is_noted = true;

	if (n >= sizeof way)
		return true;
	memcpy(way, raw, n + 1);
	if (!path_is_below(m->project->root, raw))
		at = 0;
	while (at++ < n) {
		if (way[at] != '/' && way[at])
			continue;
		way[at] = 0;
		is_noted &= touch(m, way, MEMO_LOOK, is_owner);
		way[at] = raw[at];
	}
	return is_noted;
}

void memo_touch(struct memo *m, const char *raw, enum memo_touch how)
{
	pthread_mutex_lock(&m->lock);
	if (how == MEMO_ENTER)
		enter(m, raw, true);
	else
		touch(m, raw, how, true);
	pthread_mutex_unlock(&m->lock);
}

bool memo_quick(struct memo *m, const char *raw, enum memo_touch how)
{
	bool is_noted;

	pthread_mutex_lock(&m->lock);
	is_noted = how == MEMO_ENTER ? enter(m, raw, false) : touch(m, raw, how, false);
	pthread_mutex_unlock(&m->lock);
	return is_noted;
}

/* Is what stands there now surely what the call found? */
static bool is_as_then(const struct memo *m, const struct memo_entry *now, int error)
{
	bool is_there = now->kind != MEMO_ABSENT;

	if (error == ENOENT || error == ENOTDIR)
		return !is_there;
	if (error == 0 && !is_there)
		return false;
	return now->kind == MEMO_ABSENT || now->kind == MEMO_ODD ||
	       now->stamp.ctime_ns < m->from_ns || now->stamp.ctime_ns > stamp_clock();
}

void memo_late(struct memo *m, const char *raw, int error)
{
	struct tidy t;
	const char *path = tidy(m, raw, &t);
	struct seen *s;
	bool is_new;

	if (is_ignored(path))
		return;
	pthread_mutex_lock(&m->lock);
	s = seen_at(m, path, &is_new);
	if (is_new) {
		look_first(m, s);
		if (!m->late && !is_as_then(m, &s->first, error))
			m->late = arena_printf(&m->arena, "%s changed while it was read",
					       path);
	}
	pthread_mutex_unlock(&m->lock);
}

int memo_tree_id(struct memo *m, const char *path, struct id *out, struct err *e)
{
	return stat_tree(m->store, m->project->root_fd, path, 0,
			 path[0] == '/' ? NULL : PROJECT_DIR, out, e);
}

void memo_input(struct memo *m, const char *raw, enum infer_input kind)
{
	struct tidy t;
	const char *path = tidy(m, raw, &t);
	struct memo_entry now;
	struct seen *s;
	struct err e;
	bool is_new;

	if (is_ignored(path))
		return;
	pthread_mutex_lock(&m->lock);
	s = seen_at(m, path, &is_new);
	if (is_new)
		look_first(m, s);
	s->is_read |= kind == INPUT_CONTENT || kind == INPUT_VALUE;
	s->is_value |= kind == INPUT_VALUE;
	s->is_updated |= kind == INPUT_UPDATED;
	s->is_fixed |= kind != INPUT_VALUE;
	memo_look(m->project->root_fd, path, &now);
	if (kind == INPUT_CONTENT && now.kind == MEMO_DIR && !s->is_tree) {
		s->is_tree = true;
		if (memo_tree_id(m, path, &s->tree, &e) < 0)
			memo_spoil(m, e.text);
	}
	s->was_listed |= kind == INPUT_NAMES;
	if (kind == INPUT_NAMES)
		list_first(m, s);
	pthread_mutex_unlock(&m->lock);
}

static void set_output(struct memo *m, const char *path, const struct placeholder *ph)
{
	bool is_new;
	struct seen *s = seen_at(m, path, &is_new);

	s->is_output = true;
	s->ph.thunk = ph->thunk;
	s->ph.out = arena_str(&m->arena, ph->out);
}

void memo_output(struct memo *m, const char *path, const struct placeholder *ph)
{
	pthread_mutex_lock(&m->lock);
	set_output(m, path, ph);
	pthread_mutex_unlock(&m->lock);
}

void memo_read_printed(struct memo *m)
{
	m->reads_printed = true;
}

void memo_output_moved(struct memo *m, const char *raw, const char *raw2)
{
	struct tidy t, t2;
	const char *path = tidy(m, raw, &t);
	const char *path2 = raw2 ? tidy(m, raw2, &t2) : NULL;
	size_t n = strlen(path), count = m->n;

	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; i < count; i++) {
		struct seen *s = m->order[i];

		if (!s->is_output || !path_is_below(path, s->first.path))
			continue;
		s->is_output = false;
		if (path2)
			set_output(m, arena_printf(&m->arena, "%s%s", path2,
						   s->first.path + n), &s->ph);
	}
	pthread_mutex_unlock(&m->lock);
}

bool memo_saw(struct memo *m, const char *path)
{
	size_t n = (size_t)(path_base(path) - path);
	struct bytes folder = n > 1 ? (struct bytes){ path, n - 1 } : bytes_str(".");
	const struct seen *own, *above;
	bool saw;

	pthread_mutex_lock(&m->lock);
	own = map_get(&m->by_path, bytes_str(path));
	above = map_get(&m->by_path, folder);
	saw = (own && own->was_looked) || (above && above->was_listed);
	pthread_mutex_unlock(&m->lock);
	return saw;
}

/* One path that both may have: who touched it first says what it was. */
static void join_seen(struct memo *m, const struct seen *from)
{
	bool is_new;
	struct seen *s = seen_at(m, from->first.path, &is_new);
	const char *path = s->first.path;

	if (is_new) {
		*s = *from;
		s->first.path = path;
		s->is_output = s->was_looked = s->was_listed = false;
		return;
	}
	s->is_read |= from->is_read;
	s->is_consumed |= from->is_read && s->is_output;
	s->is_value &= from->is_value;
	s->is_fixed |= from->is_fixed;
	if (from->is_written) {
		s->is_written = true;
		s->is_output = false;
	}
	if (from->is_listed)
		list_first(m, s);
}

void memo_join(struct memo *m, struct memo *other)
{
	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; i < other->n; i++)
		join_seen(m, other->order[i]);
	pthread_mutex_unlock(&m->lock);
	if (other->spoilt)
		memo_spoil(m, other->spoilt);
	if (other->late && !m->late)
		m->late = arena_str(&m->arena, other->late);
	memo_free(other);
}
