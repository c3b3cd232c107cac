/* memo.c - note what an inference saw and left
 *
 * Each path has one entry: how it was when it was first touched, if that was
 * a look or a read, and how it is at the end.  The two must be the same, or a
 * second run would see something else than the first did.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "memo_record.h"

/* A file larger than this is not named while its writer waits. */
enum { NAME_WHILE_STOPPED = 4 << 20 };

struct seen {
	struct memo_entry first;        /* as it was before it was touched */
	bool depends;                   /* first touched by a look or a read */
	bool is_read, is_listed;        /* content matters, names matter */
	bool is_old;                    /* a change after the first touch shows */
	bool has_list;                  /* first.id is the name of its names */
	bool is_written;
	bool is_tree;                   /* so does all that is below */
	struct id tree;                 /* is_tree: as the first step had it */
	bool has_first_id;
	bool is_output;
	struct placeholder ph;
};

struct memo {
	struct store *store;
	struct project *project;
	struct map by_path;
	struct seen **order;
	size_t n, room;
	struct arena arena, scratch;
	pthread_mutex_t lock;           /* of all above but scratch */
	const char *spoilt;
};

struct memo *memo_new(struct store *s, struct project *p)
{
	struct memo *m = mem_alloc(sizeof *m);

	*m = (struct memo){ .store = s, .project = p };
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
	return a->flags == b->flags &&
	       (!(a->flags & MEMO_LINK) || id_equal(&a->link, &b->link));
}

static int compare_names(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

int memo_list_id(int root_fd, const char *path, struct id *out, struct err *e)
{
	int fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct arena a = { 0 };
	struct strs names = { 0 };
	struct hash *h;
	struct dirent *ent;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return err_sys(e, "cannot list %s", path);
	}
	while ((ent = readdir(d)))
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
	if (how == MEMO_READ || how == MEMO_UPDATE)
		s->is_read = true;
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

static int tree_id(struct memo *m, const char *path, struct id *out, struct err *e)
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
	s->is_read |= kind == INPUT_CONTENT;
	memo_look(m->project->root_fd, path, &now);
	if (kind == INPUT_CONTENT && now.kind == MEMO_DIR && !s->is_tree) {
		s->is_tree = true;
		if (tree_id(m, path, &s->tree, &e) < 0)
			memo_spoil(m, e.text);
	}
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

/* What is outside the project and was not written is what it was first. */
static bool is_link(const struct memo *m, const struct seen *s)
{
	const char *path = s->first.path;
	struct stat st;

	if (s->depends && !s->is_written && path[0] == '/')
		return s->first.flags & MEMO_LINK;
	return fstatat(m->project->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISLNK(st.st_mode);
}

void memo_wants(struct memo *m, struct arena *a, struct memo_want **v, size_t *n)
{
	struct memo_want *w = arena_alloc(a, (m->n + 1) * sizeof *w);
	struct placeholder ph;
	struct err e;

	*n = 0;
	*v = w;
	for (size_t i = 0; i < m->n; i++) {
		const char *path = m->order[i]->first.path;
		bool inside = path[0] != '/';

		/* With something behind it the path of a link is followed. */
		if (strstr(path, "..") || is_link(m, m->order[i]))
			path = project_path(m->project, a, m->project->root,
					    arena_printf(a, "%s/.", path), &inside);
		if (inside &&
		    placeholder_at(m->project->root_fd, path, a, &ph, &e) == 1)
			w[(*n)++] = (struct memo_want){ path, ph };
	}
}

void memo_each(struct memo *m, void (*fn)(void *arg, const struct memo_want *w),
	       void *arg)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->order[i]->is_output)
			fn(arg, &(struct memo_want){ m->order[i]->first.path,
						     m->order[i]->ph });
}

static void changed(struct memo *m, const char *path)
{
	memo_spoil(m, arena_printf(&m->arena, "%s was looked at and then changed",
				   path));
}

/* The names of a directory at the end.  If they were to be listed later, they
 * are the first ones too as long as the stamp is the first one. */
static int final_list(struct memo *m, struct seen *s, struct memo_entry *x,
		      struct err *e)
{
	bool is_first = s->depends && !s->has_list;
	struct memo_entry after;

	x->kind = MEMO_LIST;
	if (!is_first)
		return memo_list_id(m->project->root_fd, x->path, &x->id, e);
	if (!stamp_equal(&s->first.stamp, &x->stamp)) {
		changed(m, x->path);
		return 0;
	}
	if (!stat_known(m->store, &x->stamp, &x->id)) {
		if (memo_list_id(m->project->root_fd, x->path, &x->id, e) < 0)
			return -1;
		memo_look(m->project->root_fd, x->path, &after);
		if (!stamp_equal(&after.stamp, &x->stamp))
			changed(m, x->path);
		else if (stat_learn(m->store, &x->stamp, &x->id, e) < 0)
			return -1;
	}
	s->first.id = x->id;
	return 0;
}

static int final_output(struct memo *m, const struct seen *s, struct memo_entry *x,
			struct err *e)
{
	struct placeholder ph;
	bool is_real = placeholder_at(m->project->root_fd, x->path, &m->scratch, &ph,
				      e) == 0;

	arena_reset(&m->scratch);
	*x = (struct memo_entry){
		.kind = MEMO_OUTPUT, .path = x->path, .id = s->ph.thunk,
		.out = s->ph.out, .stamp = is_real ? x->stamp : (struct stamp){ 0 },
	};
	return 0;
}

/* Is the state at the end the one that was relied upon? */
static bool is_as_first(const struct seen *s, const struct memo_entry *x)
{
	if (!memo_same_form(&s->first, x))
		return false;
	switch (x->kind) {
	case MEMO_FILE:
		return s->first.kind == MEMO_LOOKED &&
		       (s->has_first_id ? id_equal(&s->first.id, &x->id) :
			stamp_equal(&s->first.stamp, &x->stamp));
	case MEMO_LOOKED:
		return s->first.kind == MEMO_LOOKED &&
		       stamp_equal(&s->first.stamp, &x->stamp);
	case MEMO_LIST:
		return s->first.kind == MEMO_DIR && id_equal(&s->first.id, &x->id);
	default:
		return s->first.kind == x->kind;
	}
}

static int final_entry(struct memo *m, struct seen *s, struct memo_entry *x,
		       struct err *e)
{
	*x = (struct memo_entry){ .path = s->first.path };
	memo_look(m->project->root_fd, x->path, x);
	if (s->is_output)
		return final_output(m, s, x, e);
	if (x->kind == MEMO_LOOKED && (s->is_read || s->has_first_id || !s->depends)) {
		if (!stat_known(m->store, &x->stamp, &x->id) &&
		    stat_name(m->store, m->project->root_fd, x->path, 0, &x->id, NULL,
			      e) < 0)
			return -1;
		x->kind = MEMO_FILE;
	}
	if (x->kind == MEMO_DIR && s->is_tree) {
		if (tree_id(m, x->path, &x->id, e) < 0)
			return -1;
		x->kind = MEMO_TREE;
		if (!id_equal(&x->id, &s->tree))
			changed(m, x->path);
		return 0;
	}
	if (x->kind == MEMO_DIR && s->is_listed && final_list(m, s, x, e) < 0)
		return -1;
	if (s->depends && !is_as_first(s, x))
		changed(m, x->path);
	return 0;
}

static void write_entry(struct buf *b, const struct memo_entry *x)
{
	uint8_t kind = (uint8_t)(x->kind | x->flags);
	uint16_t n = (uint16_t)strlen(x->path);

	buf_add(b, &kind, 1);
	buf_add(b, &n, sizeof n);
	buf_add(b, x->path, n);
	if (x->flags & MEMO_LINK)
		buf_add(b, &x->link, sizeof x->link);
	switch (x->kind) {
	case MEMO_ABSENT:
	case MEMO_DIR:
	case MEMO_ODD:
		return;
	case MEMO_LOOKED:
		buf_add(b, &x->stamp, sizeof x->stamp);
		return;
	case MEMO_FILE:
	case MEMO_LIST:
	case MEMO_TREE:
	case MEMO_OUTPUT:
		buf_add(b, &x->stamp, sizeof x->stamp);
		buf_add(b, &x->id, sizeof x->id);
	}
	if (x->kind == MEMO_OUTPUT) {
		uint8_t len = (uint8_t)strlen(x->out);

		buf_add(b, &len, 1);
		buf_add(b, x->out, len);
	}
}

/* Nothing is written if the store has it: then nothing need reach the disk. */
static int put_record(struct memo *m, const struct id *key, struct bytes record,
		      struct err *e)
{
	struct bytes old;
	bool is_there = store_table_get(m->store, TABLE_RUN, id_key(key), &m->scratch,
					&old, e) == 0 &&
			bytes_equal(old, record);

	arena_reset(&m->scratch);
	return is_there ? 0 :
	       store_table_put(m->store, TABLE_RUN, id_key(key), record, e);
}

int memo_save(struct memo *m, const struct id *key, size_t n_thunks, struct err *e)
{
	struct memo_head head = { .version = MEMO_VERSION, .n_thunks = n_thunks };
	struct buf b = { 0 };
	int rc = 0;

	buf_add(&b, &head, sizeof head);
	for (size_t i = 0; i < m->n && rc == 0 && !m->spoilt; i++) {
		struct memo_entry x;

		if (strlen(m->order[i]->first.path) > 4096)
			continue;
		rc = final_entry(m, m->order[i], &x, e);
		if (rc == 0)
			write_entry(&b, &x);
		head.n_entries++;
	}
	if (rc < 0) {
		memo_spoil(m, e->text);
		rc = 0;
	}
	if (m->spoilt) {
		rc = store_table_delete(m->store, TABLE_RUN, id_key(key), e);
		if (rc < 0 && e->code == ERR_MISSING)
			rc = 0;
	} else {
		memcpy(b.p, &head, sizeof head);
		rc = put_record(m, key, buf_bytes(&b), e);
	}
	buf_release(&b);
	return rc;
}
