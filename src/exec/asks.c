/* asks.c - what a watched program asks for that its thunk does not name
 *
 * What is outside the project goes on after one read of its path; so does what
 * the private folder holds.  What only the real project holds would be absent
 * here and is there when the command runs for real: the program is ended, and
 * the path is told of.
 *
 * Outputs, what lies in declared folders, .gg and __pycache__ are nobody's
 * inputs and go on.  Of a folder, that it is there, is no more than its name
 * says: an empty one is made, a decoy, and what is asked for in it counts.
 *
 * Names in a folder are what an interpreter reads to find modules, and it asks
 * for none that it does not see.  So where program text of the thunk lies, the
 * names that only the real folder has are shown, as decoys: any use of one but
 * its name is seen like every other.  So where it is opened as a file would be:
 * SQLite does that to sync it.  The names in any other folder count themselves,
 * unless all that the real one has are there.
 */
#include "guard.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"

static const char decoy_file, decoy_folder;

/* ---- decoys */

static const void *decoy_at(const struct guard *g, const char *path)
{
	return map_get(&g->decoys, bytes_str(path));
}

static void note_decoy(struct guard *g, const char *path, const char *kind)
{
	*map_at(&g->decoys, bytes_str(arena_str(&g->c->arena, path))) = (void *)kind;
}

/* Folders down to path that the program is to find, empty. */
static void show_folders(struct guard *g, const char *path)
{
	char *p = arena_str(&g->scratch, path);

	for (char *end = strchr(p, '/');; end = strchr(end + 1, '/')) {
		if (end)
			*end = '\0';
		if (mkdirat(g->c->box.root, p, 0755) == 0)
			note_decoy(g, p, &decoy_folder);
		if (!end)
			break;
		*end = '/';
	}
}

static void show_name(struct guard *g, const char *path)
{
	struct cell *c = g->c;
	struct stat st;

	if (fstatat(c->box.real_project, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
		show_folders(g, path);
	else if (mknodat(c->box.root, path, S_IFREG | 0444, 0) == 0)
		note_decoy(g, path, &decoy_file);
}

/* The program makes something in a decoy's place. */
static void hide(struct guard *g, const char *path)
{
	void **kind = decoy_at(g, path) ? map_at(&g->decoys, bytes_str(path)) : NULL;

	if (!kind)
		return;
	unlinkat(g->c->box.root, path, *kind == &decoy_folder ? AT_REMOVEDIR : 0);
	*kind = NULL;
}

static int deepest_first(const void *a, const void *b)
{
	return strcmp(*(const char *const *)b, *(const char *const *)a);
}

/* What the program put into a decoy folder keeps it. */
void decoys_hide(struct guard *g)
{
	struct strs paths = { 0 };
	struct bytes key;
	size_t pos = 0;
	void *kind;

	while (map_each(&g->decoys, &pos, &key, &kind))
		if (kind)
			strs_add(&paths, key.p);
	if (paths.n)
		qsort(paths.v, paths.n, sizeof *paths.v, deepest_first);
	for (size_t i = 0; i < paths.n; i++)
		hide(g, paths.v[i]);
	strs_release(&paths);
	map_release(&g->decoys);
}

/* ---- what is asked for */

static bool is_nobodys(const char *path)
{
	static const char cache[] = "__pycache__";

	/* And what gg is writing beside an output at this moment. */
	if (path_is_below(".gg", path) || strncmp(path_base(path), ".gg-", 4) == 0)
		return true;
	for (const char *p = path; (p = strstr(p, cache)); p++)
		if ((p == path || p[-1] == '/') &&
		    (!p[sizeof cache - 1] || p[sizeof cache - 1] == '/'))
			return true;
	return false;
}

static bool is_declared(const struct thunk *t, const char *path)
{
	for (size_t i = 0; i < t->n_out; i++)
		if (path_is_below(t->out[i].path, path))
			return true;
	for (size_t i = 0; i < t->n_in; i++)
		if (path_is_below(t->in[i].path, path))
			return true;
	return false;
}

static bool stands_here(const struct guard *g, const char *path)
{
	return faccessat(g->c->box.root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Has the real project something at path, or will it, once the folder that a
 * placeholder stands for is made?  *is_folder says what. */
static bool stands_there(struct guard *g, const char *path, bool *is_folder)
{
	int real = g->c->box.real_project;
	char *p, *slash;
	struct stat st;

	*is_folder = false;
	if (fstatat(real, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISLNK(st.st_mode) && fstatat(real, path, &st, 0) < 0)
			return true;
		*is_folder = S_ISDIR(st.st_mode);
		return true;
	}
	p = arena_str(&g->scratch, path);
	while ((slash = strrchr(p, '/'))) {
		*slash = '\0';
		if (fstatat(real, p, &st, 0) < 0)
			continue;
		p = arena_printf(&g->scratch, "%s/" PLACEHOLDER_NAME, p);
		return faccessat(real, p, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	}
	return false;
}

static bool refuse(struct guard *g, const char *path, bool is_listing)
{
	struct cell *c = g->c;

	c->report.status = RUN_UNDECLARED;
	c->report.undeclared = arena_printf(&c->arena, "%s%s", path, is_listing ? "/" : "");
	c->report.text = blame_undeclared(c, path, is_listing);
	return false;
}

/* ---- the names in a folder */

/* Is path a module of a package that lies in dir?  Its folder need have no
 * __init__.py. */
static bool is_in_package(const char *dir, const char *path)
{
	size_t n = strcmp(dir, ".") == 0 ? 0 : strlen(dir) + 1, len = strlen(path);

	if (*path == '/' || (n && (strncmp(path, dir, n - 1) != 0 || path[n - 1] != '/')))
		return false;
	return len > n + 3 && strchr(path + n, '/') && strcmp(path + len - 3, ".py") == 0;
}

/* Where Python's packages are installed: an environment of the project's own. */
static bool is_for_packages(const char *dir)
{
	return strcmp(path_base(dir), "site-packages") == 0 ||
	       strcmp(path_base(dir), "dist-packages") == 0;
}

/* Does program text of the thunk lie in this very folder, or a package of
 * modules? */
static bool has_program_text(const struct thunk *t, const char *dir)
{
	static const char *const ends[] = { ".py", ".so", ".R", ".r", ".pl", ".pm", ".rb",
					    ".js", ".mjs", ".jl", ".lua", ".sh" };
	size_t n = strcmp(dir, ".") == 0 ? 0 : strlen(dir) + 1;

	if (strcmp(path_base(dir), "site-packages") == 0 ||
	    strcmp(path_base(dir), "dist-packages") == 0)
		return true;
	for (size_t i = 0; i < t->n_in; i++) {
		const char *path = t->in[i].path, *base = path_base(path);
		const char *dot = strrchr(base, '.');

		if (is_in_package(dir, path))
			return true;
		if ((size_t)(base - path) != n || strncmp(path, dir, n ? n - 1 : 0) != 0 ||
		    *path == '/')
			continue;
		if (t->in[i].ref.kind == REF_EXEC)
			return true;
		if (!dot)
			continue;
		for (size_t k = 0; k < sizeof ends / sizeof *ends; k++)
			if (strcmp(dot, ends[k]) == 0)
				return true;
	}
	return false;
}

/* Is it the first folder that an interpreter looks through: the one that the
 * script is in, which may have no ending that says so, or cwd for -m and -c? */
static bool begins_in(struct guard *g, const char *dir)
{
	const struct thunk *t = &g->c->thunk;
	const char *cwd = t->cwd ? t->cwd : ".";
	bool is_python = strncmp(path_base(t->args[0]), "python", 6) == 0;

	for (size_t i = is_python; i < t->n_args; i++) {
		const char *w = t->args[i], *path, *slash;

		if (is_python && (strncmp(w, "-m", 2) == 0 || strncmp(w, "-c", 2) == 0))
			return strcmp(dir, cwd) == 0;
		path = path_clean(&g->scratch, arena_printf(&g->scratch, "/%s", cwd), w) + 1;
		if (!*w || *w == '-' || !thunk_input(t, path))
			continue;
		slash = strrchr(path, '/');
		return slash ? bytes_equal((struct bytes){ path, (size_t)(slash - path) },
					   bytes_str(dir)) : strcmp(dir, ".") == 0;
	}
	return false;
}

/* A name that only the real folder has.  False: it counts. */
static bool may_lack(struct guard *g, const char *dir, const char *name, bool shows)
{
	const char *path = strcmp(dir, ".") == 0 ? arena_str(&g->scratch, name) :
		arena_printf(&g->scratch, "%s/%s", dir, name);

	if (is_nobodys(path) || stands_here(g, path) || is_declared(&g->c->thunk, path))
		return true;
	if (shows)
		show_name(g, path);
	return shows;
}

static bool may_list(struct guard *g, const char *dir, bool as_file)
{
	struct cell *c = g->c;
	bool shows = as_file || is_for_packages(dir) || has_program_text(&c->thunk, dir) ||
		     begins_in(g, dir), may = true;
	DIR *d = dir_names(c->box.real_project, dir, 0);
	struct dirent *ent;

	if (!d)                         /* the program made it */
		return true;
	while (may && (ent = dir_next(d)))
		may = may_lack(g, dir, ent->d_name, shows);
	closedir(d);
	return may || refuse(g, dir, true);
}

/* ---- one call */

/* What a call of that kind does with the path. */
enum {
	ASKS = 1,               /* what stands there shapes what follows */
	ASKS_KIND = 2,          /* of a folder, no more than that it is one */
	LISTS = 4,              /* of a folder, its names */
	MAKES = 8,              /* whatever stood there goes */
	AS_FILE = 16,           /* of a folder, it need not have been one */
};

static const unsigned char uses[] = {
	[TRACE_EXEC] = ASKS, [TRACE_READ] = ASKS | LISTS, [TRACE_WRITE] = MAKES,
	[TRACE_UPDATE] = ASKS, [TRACE_LOOK] = ASKS | ASKS_KIND,
	[TRACE_MAKE_DIR] = ASKS | ASKS_KIND, [TRACE_REMOVE] = ASKS,
	[TRACE_RENAME] = ASKS, [TRACE_LINK] = ASKS, [TRACE_CHANGE] = ASKS,
	[TRACE_TIMES] = ASKS,
	[TRACE_ENTER] = ASKS | ASKS_KIND,
};

/* A file is made where only the real project has the folder. */
static bool may_make(struct guard *g, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *dir = slash ? arena_strn(&g->scratch, path, (size_t)(slash - path)) : NULL;
	bool is_folder;

	hide(g, path);
	if (dir && !stands_here(g, dir) && stands_there(g, dir, &is_folder) && is_folder)
		show_folders(g, dir);
	return true;
}

static bool is_folder_here(const struct guard *g, const char *path)
{
	struct stat st;

	return fstatat(g->c->box.root, path, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* path is plain or "." */
static bool may_use(struct guard *g, const char *path, unsigned use)
{
	const void *decoy = decoy_at(g, path);
	bool is_folder;

	if (is_nobodys(path))
		return true;
	if (use & MAKES)
		return may_make(g, path);
	if (!decoy && stands_here(g, path)) {
		if (!(use & LISTS) || !is_folder_here(g, path) ||
		    is_declared(&g->c->thunk, path))
			return true;
		return may_list(g, path, use & AS_FILE);
	}
	if (is_declared(&g->c->thunk, path) || !stands_there(g, path, &is_folder))
		return true;
	if (is_folder && (use & ASKS_KIND)) {
		show_folders(g, path);
		return true;
	}
	/* An environment into which nothing was installed. */
	if (is_folder && is_for_packages(path)) {
		show_folders(g, path);
		return may_list(g, path, use & AS_FILE);
	}
	return refuse(g, path, is_folder && (use & LISTS));
}

/* As a path of the project, plain or "."; NULL if it is none. */
static const char *inside_project(struct guard *g, const char *path)
{
	const char *root = g->c->box.seen_root, *jail = g->c->box.jail_path;
	size_t n = strlen(root), last = strlen(path) - 1;

	/* What the kernel says of a folder of such a program leads there. */
	if (jail && path_is_below(jail, path))
		path += strlen(jail);
	if (strstr(path, "/.") || strstr(path, "//") || path[last] == '/')
		path = path_clean(&g->scratch, "/", path);
	if (strncmp(path, root, n) != 0)
		return NULL;
	if (!path[n])
		return ".";
	return path[n] == '/' && path_is_plain(path + n + 1) ? path + n + 1 : NULL;
}

bool asks_may_go(struct guard *g, const struct trace_event *ev)
{
	const char *path, *path2 = NULL;
	unsigned use = ev->kind < sizeof uses ? uses[ev->kind] : 0;

	if (!use)
		return true;
	if (use & LISTS && !ev->status)
		use |= AS_FILE;
	path = inside_project(g, ev->path);
	if (ev->path2)
		path2 = inside_project(g, ev->path2);
	return (!path || may_use(g, path, use)) &&
	       (!path2 || may_use(g, path2, MAKES));
}
