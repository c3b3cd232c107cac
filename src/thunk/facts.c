/* facts.c - what of a watched run a model must say, and what counts for nothing
 *
 * A program touches many paths that say nothing about its result.  What is
 * left out is left out by the tables here, each row with its reason; the rest
 * must be explained.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "learn_private.h"

/* Names of a path's parts.  deeds: only if nothing else was done there. */
static const struct treatment {
	const char *part;
	unsigned deeds;         /* 0: whatever was done */
	const char *why;
} treatments[] = {
	{ "__pycache__", 0, "Python writes it anew from the sources, which are read too" },
	{ "*.py[co]", 0, "the same, beside the source" },
	{ "*.py[co].[0-9]*", 0, "the same, on the way there" },
	{ ".gg", 0, "gg's own" },
	{ ".pytest_cache", 0, "a cache that its program makes anew" },
	{ ".mypy_cache", 0, "a cache that its program makes anew" },
	{ ".ipynb_checkpoints", 0, "copies of a notebook that an editor keeps" },
	{ "*.so", DEED_ABSENT, "an import tries each suffix that a module may have" },
	{ "*.so.[0-9]*", DEED_ABSENT, "the loader tries each folder of its path" },
	{ "pyvenv.cfg", DEED_ABSENT, "Python asks beside each program" },
	{ "pybuilddir.txt", DEED_ABSENT, "Python asks whether it runs where it was built" },
	{ "python*._pth", DEED_ABSENT, "Python asks beside each program" },
	{ "python*.zip", DEED_ABSENT, "Python asks beside each program" },
};

/* Folders at any depth, also outside the project. */
static const struct cache {
	const char *part, *why;
} caches[] = {
	{ "/__pycache__/", "Python's compiled modules" },
	{ "/.cache/", "what any program may make anew, by the XDG rules" },
	{ "/.config/matplotlib/", "matplotlib's list of fonts" },
	{ "/torchelastic_", "logs of torchrun's workers, in a folder named by chance" },
	{ "/.nv/", "kernels that the driver compiled" },
	{ "/.triton/", "kernels that Triton compiled" },
	{ "/.keras/", "Keras writes its defaults down" },
	{ "/.astropy/", "astropy's list of tables" },
};

/* Is path the very folder? */
static bool is_folder_of(const struct cache *c, const char *path, size_t n)
{
	size_t len = strlen(c->part) - 1;

	return n >= len && strncmp(path + n - len, c->part, len) == 0;
}

bool path_is_cache(const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < sizeof(caches) / sizeof(*caches); i++)
		if (strstr(path, caches[i].part) || is_folder_of(&caches[i], path, n))
			return true;
	return n > 4 && (strcmp(path + n - 4, ".pyc") == 0 ||
			 fnmatch("*.pyc.[0-9]*", path, 0) == 0);
}

static bool part_fits(const char *pattern, const char *path)
{
	char part[256];

	while (*path) {
		size_t n = strcspn(path, "/");

		if (n && n < sizeof(part)) {
			memcpy(part, path, n);
			part[n] = '\0';
			if (fnmatch(pattern, part, 0) == 0)
				return true;
		}
		path += n + (path[n] == '/');
	}
	return false;
}

static bool is_nothing(const struct deed_at *d)
{
	for (size_t i = 0; i < sizeof(treatments) / sizeof(*treatments); i++)
		if ((!treatments[i].deeds || !(d->deeds & ~treatments[i].deeds)) &&
		    part_fits(treatments[i].part, d->path))
			return true;
	return false;
}

/* Variables that say where or for whom, not what. */
static const char *const local_env[] = {
	"PWD", "OLDPWD", "SHLVL", "_", "HOME", "USER", "LOGNAME", "HOSTNAME", "TERM",
	"COLUMNS", "LINES", "TMPDIR", "TEMP", "TMP", "DISPLAY", "SSH_*", "XDG_*", "DBUS_*",
	"BASH_*", "PS[0-9]", "GG_*", "MAIL", "EDITOR", "PAGER", "LS_COLORS", "PATH",
	"PIPESTATUS", "BASHPID", "WINDOWID", "VIRTUAL_ENV*", "CONDA_*", "PYENV_DIR",
	"PYENV_HOOK_PATH", "_PYENV_*", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKE_TERMERR",
	"MAKE_TERMOUT", "PARALLEL_PID", "PARALLEL_JOBSLOT*", "PARALLEL_REMOTE_TMPDIR",
	"PARALLEL_RSYNC_OPTS", "PARALLEL_SSH*", "PARALLEL_TMP", "npm_config_*", "npm_execpath",
	"npm_node_execpath", "npm_package_json", "npm_lifecycle_*", "npm_command", "INIT_CWD",
	"POETRY_ACTIVE", "UV_RUN_RECURSION_DEPTH", "R_SESSION_TMPDIR",
};

/* Variables that shape numbers or what is loaded. */
static const char *const known_env[] = {
	"OMP_*", "KMP_*", "GOMP_*", "*_NUM_THREADS", "MKL_*", "OPENBLAS_*", "PYTHONPATH",
	"PYTHONHASHSEED", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING",
	"CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "HIP_VISIBLE_DEVICES",
	"TORCH_ALLOW_*", "TORCH_CUDNN_*", "PYTORCH_CUDA_ALLOC_CONF", "TF_DETERMINISTIC_OPS",
	"TF_CUDNN_*", "TF_ENABLE_*", "TF_FORCE_*", "XLA_FLAGS", "JAX_ENABLE_*", "JAX_PLATFORM*",
	"LD_LIBRARY_PATH", "LD_PRELOAD", "R_LIBS*", "PERL5LIB", "NODE_PATH",
};

static bool env_is_in(const char *const *names, size_t n, const char *s)
{
	char name[256];
	size_t len = strcspn(s, "=");

	if (len >= sizeof(name))
		return false;
	memcpy(name, s, len);
	name[len] = '\0';
	for (size_t i = 0; i < n; i++)
		if (fnmatch(names[i], name, 0) == 0)
			return true;
	return false;
}

bool env_is_local(const char *name_value)
{
	return env_is_in(local_env, sizeof(local_env) / sizeof(*local_env), name_value);
}

bool env_is_known(const char *name_value)
{
	return env_is_in(known_env, sizeof(known_env) / sizeof(*known_env), name_value);
}

bool env_is_tmpdir(const char *name_value)
{
	return strncmp(name_value, "TMPDIR=", strlen("TMPDIR=")) == 0;
}

static const char *from_root(const char *root, const char *full)
{
	size_t n = strlen(root);

	if (strcmp(root, full) == 0)
		return ".";
	return n > 1 && path_is_below(root, full) ? full + n + 1 : full;
}

const char *view_path(const struct view *v, const char *word, struct arena *a)
{
	if (!*word)
		return NULL;
	return from_root(v->root, path_clean(a, v->s->command.cwd, word));
}

static int by_path(const void *key, const void *item)
{
	return strcmp(key, ((const struct fact *)item)->path);
}

struct fact *fact_at(const struct view *v, const char *path)
{
	if (!v->n_facts)
		return NULL;
	return bsearch(path, v->facts, v->n_facts, sizeof(*v->facts), by_path);
}

static int by_deed_path(const void *key, const void *item)
{
	return strcmp(key, ((const struct deed_at *)item)->path);
}

unsigned sighting_deeds(const struct sighting *s, const char *path)
{
	const struct deed_at *d =
		s->n ? bsearch(path, s->v, s->n, sizeof(*s->v), by_deed_path) : NULL;

	return d ? d->deeds : 0;
}

const char *path_folder(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return ".";
	return slash == path ? "/" : arena_strn(a, path, (size_t)(slash - path));
}

/* Did the command itself make a folder above path? */
static bool is_in_made(const struct view *v, const char *path, struct arena *a)
{
	const unsigned made = DEED_FOLDER | DEED_WROTE;

	for (;;) {
		path = path_folder(a, path);
		if (strcmp(path, ".") == 0 || strcmp(path, "/") == 0)
			return false;
		if ((sighting_deeds(v->s, path) & made) == made)
			return true;
	}
}

/* Does this folder hold Python's modules or packages?  Then Python has listed
 * it to find them, and not to read all of it. */
static bool is_import_folder(const struct view *v, const char *dir, struct arena *a)
{
	const struct sighting *s = v->s;
	const char *name = path_base(s->command.args[0]);

	if (!v->head.interpreter || (strncmp(name, "python", 6) && strncmp(name, "pypy", 4)))
		return false;
	if (strcmp(dir, v->script_path ? path_folder(a, v->script_path) : v->cwd) == 0)
		return true;
	if (strcmp(path_base(dir), "site-packages") == 0 ||
	    strcmp(path_base(dir), "dist-packages") == 0)
		return true;
	for (size_t i = 0; i < s->n; i++) {
		const char *p = s->v[i].path, *above = path_folder(a, p);
		const char *dot = strrchr(p, '.');

		if (*p == '/' || !dot || strcmp(dot, ".py") != 0)
			continue;
		/* A package of a name alone has none; it is asked for it. */
		if (strcmp(path_base(p), "__init__.py") == 0 &&
		    strcmp(path_folder(a, above), dir) == 0)
			return true;
		if (!(s->v[i].deeds & (DEED_READ | DEED_LOOKED)))
			continue;
		if (strcmp(above, dir) == 0)
			return true;
	}
	return false;
}

static void name_path(struct view *v, const char *word, struct arena *a)
{
	const char *full = path_clean(a, v->s->command.cwd, word);

	if (strchr(full + 1, '/'))
		v->named[v->n_named++] = full;
}

/* What the words of the command may name, whole or from a slash on:
 * --data=/srv/x, -d/srv/x, data=/srv/x, a:/srv/x. */
static void name_paths(struct view *v, struct arena *a)
{
	const struct command *c = &v->s->command;

	v->named = arena_alloc(a, (2 * c->n_args + 1) * sizeof(*v->named));
	for (size_t i = 1; i < c->n_args; i++) {
		const char *w = strchr(c->args[i], '/');

		if (!w || strncmp(c->args[i], "/dev/", 5) == 0)
			continue;
		name_path(v, w, a);
		name_path(v, c->args[i], a);
	}
}

/* Is there a word of the command that names this path or a folder above it?
 * Only then is a file outside the project an input, not a part of the system. */
static bool is_argument(const struct view *v, const char *path)
{
	for (size_t i = 0; i < v->n_named; i++)
		if (path_is_below(v->named[i], path))
			return true;
	return false;
}

/* Is anything but this folder itself touched below it? */
static bool has_below(const struct sighting *s, size_t at)
{
	const char *dir = s->v[at].path;

	if (strcmp(dir, ".") == 0)
		return true;
	for (size_t i = at + 1; i < s->n && strncmp(s->v[i].path, dir, strlen(dir)) == 0; i++)
		if (path_is_below(dir, s->v[i].path))
			return true;
	return false;
}

static bool folder_kind(const struct view *v, size_t at, struct arena *a, enum fact_kind *out)
{
	const struct deed_at *d = &v->s->v[at];

	*out = FACT_TREE;
	if (d->deeds & DEED_WROTE) {
		*out = FACT_MADE;
		return true;
	}
	if (d->deeds & DEED_LISTED)
		return *d->path != '/' && (d->deeds & DEED_LISTED_HERE ||
					   !is_import_folder(v, d->path, a));
	/* That a folder is there shows in what is used below it. */
	return *d->path != '/' && d->deeds & DEED_LOOKED && !has_below(v->s, at) &&
	       !path_is_below(d->path, v->cwd) &&
	       !(v->script_path && path_is_below(d->path, v->script_path));
}

/* What the deeds at one path come to.  false: nothing. */
static bool kind_of(const struct view *v, size_t at, struct arena *a, enum fact_kind *out)
{
	const struct deed_at *d = &v->s->v[at];
	unsigned deeds = d->deeds;

	if (*d->path == '/' && (deeds & DEED_EXECUTED || !is_argument(v, d->path)))
		return false;
	if (is_nothing(d) || deeds & DEED_FITS || glob_holds(v->s, d->path))
		return false;
	if (is_in_made(v, d->path, a) && !(deeds & DEED_WROTE))
		return false;
	if (deeds & DEED_FOLDER)
		return folder_kind(v, at, a, out);
	if (deeds & DEED_UPDATED || (deeds & DEED_WROTE && deeds & DEED_READ))
		*out = FACT_UPDATE;
	else if (deeds & DEED_WROTE)
		*out = FACT_WRITE;
	else if (deeds & (DEED_READ | DEED_LOOKED | DEED_EXECUTED))
		*out = FACT_READ;
	else if (deeds & DEED_ABSENT && *d->path != '/')
		*out = FACT_ABSENT;
	else
		return false;
	return true;
}

static void facts_add(struct view *v, struct arena *a)
{
	const struct sighting *s = v->s;

	v->facts = arena_alloc(a, (s->n + 1) * sizeof(*v->facts));
	for (size_t i = 0; i < s->n; i++) {
		struct fact f = { .path = s->v[i].path };

		if (kind_of(v, i, a, &f.kind))
			v->facts[v->n_facts++] = f;
	}
	folders_fold(v, a);
}

struct view view_of(const struct sighting *s, struct arena *a)
{
	const struct command *c = &s->command;
	struct view v = { .s = s, .root = c->root ? c->root : c->cwd };
	struct head h = head_of(path_base(c->args[0]), c->args, c->n_args);

	if (!h.interpreter)
		h = head_of(path_base(c->program), c->args, c->n_args);
	v.head = h;
	v.cwd = from_root(v.root, c->cwd);
	if (h.kind == HEAD_SCRIPT)
		v.script = h.script;
	else if (!h.interpreter && *from_root(v.root, c->program) != '/')
		v.script = c->program;
	if (v.script)
		v.script_path = view_path(&v, v.script, a);
	name_paths(&v, a);
	facts_add(&v, a);
	return v;
}

void learn_system(const struct sighting *s, struct arena *a, struct strs *out)
{
	const unsigned uses = DEED_READ | DEED_EXECUTED | DEED_ABSENT | DEED_LISTED |
			      DEED_LOOKED;
	struct view v = view_of(s, a);

	if (*s->command.program == '/' && *view_path(&v, s->command.program, a) == '/')
		strs_add(out, s->command.program);
	for (size_t i = 0; i < s->n; i++) {
		const struct deed_at *d = &s->v[i];

		/* What of them counts, and that a .pyc stands for its source, is
		 * closure_uses()'s to say. */
		if (*d->path == '/' && d->deeds & uses &&
		    strncmp(d->path, "/dev/", 5) != 0 && !fact_at(&v, d->path))
			strs_add(out, d->path);
	}
}
