/* gather.c - paths of a command become inputs of its thunk
 *
 * An output of another thunk is referred to as such, whether its placeholder
 * or its real file stands there: so a thunk has the same name before and
 * after its inputs were forced.
 *
 * A path that goes over a link is looked up where the link leads, and laid
 * out where the command looks for it: no links are laid out.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "gather.h"

void gather_release(struct gather *g)
{
	free(g->v);
	free(g->files);
}

void gather_tell(const struct gather *g, const char *path, enum infer_input kind)
{
	if (g->in->o.input)
		g->in->o.input(g->in->o.arg, path, kind);
}

void gather_hash_env(const struct gather *g, const struct binding *b, struct hash *h)
{
	for (size_t i = 0; i < g->c->n_env; i++)
		for (size_t k = 0; k < b->n_env; k++) {
			size_t n = strlen(b->env[k]);

			if (strncmp(g->c->env[i], b->env[k], n) == 0 &&
			    g->c->env[i][n] == '=')
				hash_add(h, g->c->env[i], strlen(g->c->env[i]) + 1);
		}
}

void gather_ask(struct gather *g, const char **args, size_t n, const struct id *key)
{
	struct infer_helper *h = g->helper;

	h->args = arena_alloc(g->a, (n + 1) * sizeof *h->args);
	memcpy(h->args, args, n * sizeof *h->args);
	h->env = arena_alloc(g->a, (g->c->n_env + 1) * sizeof *h->env);
	memcpy(h->env, g->c->env, g->c->n_env * sizeof *h->env);
	h->cwd = g->c->cwd;
	h->key = *key;
}

static void add(struct gather *g, const char *path, const struct ref *ref)
{
	bool is_value = g->is_plain && !g->spelled && path[0] != '/' &&
			(ref->kind == REF_VALUE || ref->kind == REF_EXEC);

	gather_tell(g, path, is_value ? INPUT_VALUE : INPUT_CONTENT);
	if (g->spelled && path_is_below(g->real, path)) {
		path = arena_printf(g->a, "%s%s", g->spelled, path + strlen(g->real));
		gather_tell(g, path, INPUT_CONTENT);
	}
	if (g->n == g->room) {
		g->room = g->room ? 2 * g->room : 16;
		g->v = mem_grow(g->v, g->room * sizeof *g->v);
	}
	g->v[g->n++] = (struct input){ .path = path, .ref = *ref };
}

static void note_dirs(struct infer *in, const char *path)
{
	char dir[4096];
	size_t n = strlen(path);

	if (n >= sizeof dir)
		return;
	memcpy(dir, path, n + 1);
	for (;;) {
		char *slash = strrchr(dir, '/');
		void **slot;

		if (slash)
			*slash = 0;
		else
			strcpy(dir, ".");
		if (map_get(&in->output_dirs, bytes_str(dir)))
			return;
		slot = map_at(&in->output_dirs,
			      bytes_str(arena_str(&in->arena, dir)));
		*slot = in;
		if (!slash)
			return;
	}
}

void gather_note_output(struct infer *in, const char *path)
{
	if (in->knows_output_dirs)
		note_dirs(in, path);
}

static int note_ref(void *arg, const char *path, const struct ref_record *r)
{
	(void)r;
	note_dirs(arg, path);
	return 0;
}

/* Are there outputs of thunks anywhere below this folder? */
static int holds_outputs(struct infer *in, const char *dir, bool *holds,
			 struct err *e)
{
	if (!in->knows_output_dirs) {
		if (ref_each(in->o.store, note_ref, in, e) < 0)
			return -1;
		in->knows_output_dirs = true;
	}
	*holds = map_get(&in->output_dirs, bytes_str(dir)) != NULL;
	return 0;
}

/* If path is an output that gg put there and nobody touched: 1 and *ref. */
static int known_output(struct gather *g, const char *path, struct ref *ref,
			struct err *e)
{
	struct ref_record r;
	struct placeholder ph;
	enum place_now now;
	int rc;

	if (ref_get(g->in->o.store, path, g->a, &r, e) == 0) {
		if (place_look(g->in->o.store, g->in->o.project, path, &r, &now, e) < 0)
			return -1;
		if (now == NOW_PLACEHOLDER || now == NOW_REAL) {
			*ref = (struct ref){ .kind = REF_THUNK, .id = r.thunk,
					     .out = r.out };
			return 1;
		}
	} else if (e->code != ERR_MISSING) {
		return -1;
	}
	rc = placeholder_at(g->in->o.project->root_fd, path, g->a, &ph, e);
	if (rc == 1)
		*ref = (struct ref){ .kind = REF_THUNK, .id = ph.thunk, .out = ph.out };
	return rc;
}

/* A file below an output directory that is still a placeholder can be had
 * only by forcing the directory. */
static int force_above(struct gather *g, const char *path, struct err *e)
{
	char *dir = arena_str(g->a, path);
	char *slash;

	while ((slash = strrchr(dir, '/'))) {
		int rc;

		*slash = 0;
		rc = placeholder_at(g->in->o.project->root_fd, dir, g->a,
				    &g->helper->first, e);
		if (rc < 0)
			return -1;
		if (rc == 1) {
			g->must_force = true;
			g->helper->path = dir;
			return err_set(e, ERR_RETRY, "%s is to be made first", dir);
		}
	}
	return err_set(e, ERR_MISSING, "%s is not there", path);
}

static int add_inside(struct gather *g, const char *path, struct err *e);

/* A folder with outputs in it is given file by file, since a tree could not
 * refer to what is not made yet. */
static int add_each(struct gather *g, const char *dir, struct err *e)
{
	DIR *d = dir_names(g->in->o.project->root_fd, dir, 0);
	struct dirent *ent;
	int rc = 0;

	if (!d)
		return err_sys(e, "cannot list %s", dir);
	gather_tell(g, dir, INPUT_NAMES);
	while (rc == 0 && (ent = dir_next(d))) {
		if (strcmp(ent->d_name, PROJECT_DIR) == 0 ||
		    strcmp(ent->d_name, "__pycache__") == 0)
			continue;
		rc = add_inside(g, strcmp(dir, ".") == 0 ?
				arena_str(g->a, ent->d_name) :
				arena_printf(g->a, "%s/%s", dir, ent->d_name), e);
	}
	closedir(d);
	return rc;
}

static int add_dir(struct gather *g, const char *path, struct err *e)
{
	struct ref ref = { .kind = REF_TREE };
	bool holds;

	if (holds_outputs(g->in, path, &holds, e) < 0)
		return -1;
	if (holds || strcmp(path, ".") == 0)
		return add_each(g, path, e);
	if (stat_tree(g->in->o.store, g->in->o.project->root_fd, path, STAT_KEEP,
		      PROJECT_DIR, &ref.id, e) < 0)
		return -1;
	add(g, path, &ref);
	return 0;
}

static int add_inside(struct gather *g, const char *path, struct err *e)
{
	struct ref ref = { .kind = REF_VALUE };
	struct stat st;
	int rc = known_output(g, path, &ref, e);

	if (rc < 0)
		return -1;
	if (rc == 1) {
		add(g, path, &ref);
		return 0;
	}
	if (fstatat(g->in->o.project->root_fd, path, &st, 0) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return force_above(g, path, e);
		return err_sys(e, "cannot look at %s", path);
	}
	if (S_ISDIR(st.st_mode))
		return add_dir(g, path, e);
	if (stat_name(g->in->o.store, g->in->o.project->root_fd, path, STAT_KEEP,
		      &ref.id, &st, e) < 0)
		return -1;
	if (st.st_mode & 0111)
		ref.kind = REF_EXEC;
	add(g, path, &ref);
	return 0;
}

static int add_outside(struct gather *g, const char *path, struct err *e)
{
	struct ref ref = { .kind = REF_VALUE };
	struct stat st;

	/* Here it would be another file than in the command. */
	if (path_is_below("/proc", path) ||
	    (path_is_below("/dev", path) && !path_is_below("/dev/shm", path)))
		return err_set(e, ERR_BAD, "%s is not a file that could be kept", path);
	if (stat(path, &st) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return err_set(e, ERR_MISSING, "%s is not there", path);
		return err_sys(e, "cannot look at %s", path);
	}
	if (S_ISDIR(st.st_mode)) {
		ref.kind = REF_TREE;
		if (stat_tree(g->in->o.store, AT_FDCWD, path, STAT_KEEP, NULL,
			      &ref.id, e) < 0)
			return -1;
	} else if (stat_name(g->in->o.store, AT_FDCWD, path, STAT_KEEP, &ref.id,
			     &st, e) < 0) {
		return -1;
	} else if (st.st_mode & 0111) {
		ref.kind = REF_EXEC;
	}
	add(g, path, &ref);
	return 0;
}

const char *gather_spelled(const struct gather *g, const char *path)
{
	const char *root = g->in->o.project->root;
	const char *full = path_clean(g->a, g->c->cwd, path);
	size_t n = root[1] ? strlen(root) : 0;

	if (!path_is_below(root, full) || !full[n] || !full[n + 1])
		return NULL;
	return full + n + 1;
}

/* Does the way go back up after a part that may have been a link? */
static bool goes_back(const char *path)
{
	while (strncmp(path, "../", 3) == 0 || strncmp(path, "./", 2) == 0)
		path += path[1] == '.' ? 3 : 2;
	return strstr(path, "/..") != NULL;
}

/* With something behind it the last part is followed too if it is a link. */
int gather_path(struct gather *g, const char *path, struct err *e)
{
	bool inside;
	const char *p = project_path(g->in->o.project, g->a, g->c->cwd,
				     arena_printf(g->a, "%s/.", path), &inside);
	const char *spelled = gather_spelled(g, path);
	int rc;

	if (spelled && strcmp(spelled, p) != 0) {
		if (strcmp(p, ".") == 0 || goes_back(path))
			return err_set(e, ERR_BAD, "%s goes over a link", path);
		g->real = p;
		g->spelled = spelled;
	}
	rc = inside ? add_inside(g, p, e) : add_outside(g, p, e);
	g->real = g->spelled = NULL;
	return rc;
}

/* glob() goes by the process's own folder: the pattern is made absolute, with
 * what is special in cwd escaped. */
int gather_glob(struct gather *g, const char *pattern, struct err *e)
{
	struct buf full = { 0 };
	glob_t found = { 0 };
	char *dir;
	int rc = 0;

	for (const char *p = g->c->cwd; *pattern != '/' && *p; p++) {
		if (strchr("*?[\\", *p))
			buf_char(&full, '\\');
		buf_char(&full, *p);
	}
	if (*pattern != '/')
		buf_char(&full, '/');
	buf_str(&full, pattern);
	if (glob(full.p, 0, NULL, &found) == GLOB_NOSPACE)
		abort();
	for (size_t i = 0; i < found.gl_pathc && rc == 0; i++) {
		bool inside;

		dir = arena_str(g->a, found.gl_pathv[i]);
		rc = gather_path(g, dir, e);
		*strrchr(dir, '/') = 0;
		gather_tell(g, project_path(g->in->o.project, g->a, "/", dir, &inside),
			    INPUT_NAMES);
	}
	globfree(&found);
	dir = path_clean(g->a, g->c->cwd, pattern);
	dir[strcspn(dir, "*?[")] = 0;
	*strrchr(dir, '/') = 0;
	gather_tell(g, dir, INPUT_NAMES);
	buf_release(&full);
	return rc;
}

static int compare_inputs(const void *x, const void *y)
{
	const struct input *a = x, *b = y;

	return strcmp(a->path, b->path);
}

void gather_finish(struct gather *g)
{
	size_t kept = 0, n_trees = 0;

	if (g->n)
		qsort(g->v, g->n, sizeof *g->v, compare_inputs);
	for (size_t i = 0; i < g->n; i++) {
		if (kept && strcmp(g->v[kept - 1].path, g->v[i].path) == 0)
			continue;
		n_trees += g->v[i].ref.kind == REF_TREE;
		g->v[kept++] = g->v[i];
	}
	g->n = kept;
	if (!n_trees)
		return;
	kept = 0;
	for (size_t i = 0; i < g->n; i++) {
		bool covered = false;

		for (size_t k = 0; k < g->n && !covered; k++)
			covered = k != i && g->v[k].ref.kind == REF_TREE &&
				  path_is_below(g->v[k].path, g->v[i].path);
		if (!covered)
			g->v[kept++] = g->v[i];
	}
	g->n = kept;
}

const struct input *gather_find(const struct gather *g, const char *path)
{
	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->v[i].path, path) == 0)
			return &g->v[i];
	return NULL;
}
