/* link.c - what a linker reads and writes, by its own arguments
 *
 * All that can be known without opening an input: the inputs themselves, the
 * libraries that -l finds in folders of the project, scripts and lists, the
 * map.  A library of the system is left to the compiler's probe, which knows
 * its folders.  An option that is in neither table is not guessed at.
 */
#include <dirent.h>
#include <string.h>
#include "file.h"
#include "link.h"

enum act {
	PASS,           /* concerns no file */
	OUT,
	LIB,
	DIRECTORY,
	SCRIPT,         /* read, sought in the -L folders too */
	JUST,           /* -R: a file to read, or a folder as -rpath */
	MAP,
	DEPS,
	RPATH,
	STATIC,
	DYNAMIC,
	SHARED,
	RELOCATABLE,
	PUSH,
	POP,
	PRINTS,         /* it is run for what it prints */
	ODD,            /* reads or writes in ways of its own */
};

/* Names after one dash or two.  OPT_BOTH takes a value, behind "=" or as the
 * next argument; OPT_START takes one only behind "=". */
static const struct {
	const char *name;
	unsigned char form, act;
} longs[] = {
	{ "Bdynamic", OPT_FLAG, DYNAMIC }, { "call_shared", OPT_FLAG, DYNAMIC },
	{ "dy", OPT_FLAG, DYNAMIC }, { "Bstatic", OPT_FLAG, STATIC },
	{ "dn", OPT_FLAG, STATIC }, { "non_shared", OPT_FLAG, STATIC },
	{ "static", OPT_FLAG, STATIC }, { "shared", OPT_FLAG, SHARED },
	{ "Bshareable", OPT_FLAG, SHARED }, { "relocatable", OPT_FLAG, RELOCATABLE },
	{ "push-state", OPT_FLAG, PUSH }, { "pop-state", OPT_FLAG, POP },
	{ "output", OPT_BOTH, OUT }, { "library", OPT_BOTH, LIB },
	{ "library-path", OPT_BOTH, DIRECTORY },
	{ "script", OPT_BOTH, SCRIPT }, { "default-script", OPT_BOTH, SCRIPT },
	{ "version-script", OPT_BOTH, SCRIPT }, { "dynamic-list", OPT_BOTH, SCRIPT },
	{ "retain-symbols-file", OPT_BOTH, SCRIPT },
	{ "export-dynamic-symbol-list", OPT_BOTH, SCRIPT },
	{ "just-symbols", OPT_BOTH, JUST }, { "Map", OPT_BOTH, MAP },
	{ "dependency-file", OPT_BOTH, DEPS }, { "rpath", OPT_BOTH, RPATH },
	{ "rpath-link", OPT_BOTH, RPATH }, { "print-map", OPT_FLAG, PRINTS },
	{ "cref", OPT_FLAG, PRINTS }, { "trace", OPT_FLAG, PRINTS },
	{ "help", OPT_FLAG, PRINTS }, { "version", OPT_FLAG, PRINTS },
	{ "target-help", OPT_FLAG, PRINTS }, { "verbose", OPT_START, PRINTS },
	{ "stats", OPT_FLAG, PRINTS }, { "plugin", OPT_BOTH, ODD },
	{ "architecture", OPT_BOTH, PASS }, { "format", OPT_BOTH, PASS },
	{ "entry", OPT_BOTH, PASS }, { "auxiliary", OPT_BOTH, PASS },
	{ "filter", OPT_BOTH, PASS }, { "soname", OPT_BOTH, PASS },
	{ "dynamic-linker", OPT_BOTH, PASS }, { "defsym", OPT_BOTH, PASS },
	{ "undefined", OPT_BOTH, PASS }, { "require-defined", OPT_BOTH, PASS },
	{ "trace-symbol", OPT_BOTH, PASS }, { "assert", OPT_BOTH, PASS },
	{ "fini", OPT_BOTH, PASS }, { "init", OPT_BOTH, PASS },
	{ "oformat", OPT_BOTH, PASS }, { "hash-size", OPT_BOTH, PASS },
	{ "sort-section", OPT_BOTH, PASS }, { "section-start", OPT_BOTH, PASS },
	{ "spare-dynamic-tags", OPT_BOTH, PASS }, { "task-link", OPT_BOTH, PASS },
	{ "Tbss", OPT_BOTH, PASS }, { "Tdata", OPT_BOTH, PASS },
	{ "Ttext", OPT_BOTH, PASS }, { "Ttext-segment", OPT_BOTH, PASS },
	{ "Trodata-segment", OPT_BOTH, PASS }, { "Tldata-segment", OPT_BOTH, PASS },
	{ "version-exports-section", OPT_BOTH, PASS },
	{ "export-dynamic-symbol", OPT_BOTH, PASS }, { "wrap", OPT_BOTH, PASS },
	{ "ignore-unresolved-symbol", OPT_BOTH, PASS }, { "audit", OPT_BOTH, PASS },
	{ "depaudit", OPT_BOTH, PASS }, { "hash-style", OPT_BOTH, PASS },
	{ "exclude-libs", OPT_BOTH, PASS }, { "max-cache-size", OPT_BOTH, PASS },
	{ "unresolved-symbols", OPT_BOTH, PASS }, { "orphan-handling", OPT_BOTH, PASS },
	{ "compress-debug-sections", OPT_BOTH, PASS }, { "icf", OPT_BOTH, PASS },
	{ "build-id", OPT_START, PASS }, { "demangle", OPT_START, PASS },
	{ "package-metadata", OPT_START, PASS }, { "sort-common", OPT_START, PASS },
	{ "unique", OPT_START, PASS }, { "threads", OPT_START, PASS },
	{ "split-by-file", OPT_START, PASS }, { "split-by-reloc", OPT_START, PASS },
	{ "export-dynamic", OPT_FLAG, PASS }, { "no-export-dynamic", OPT_FLAG, PASS },
	{ "force-group-allocation", OPT_FLAG, PASS }, { "EB", OPT_FLAG, PASS },
	{ "EL", OPT_FLAG, PASS }, { "no-dynamic-linker", OPT_FLAG, PASS },
	{ "nmagic", OPT_FLAG, PASS }, { "omagic", OPT_FLAG, PASS },
	{ "no-omagic", OPT_FLAG, PASS }, { "emit-relocs", OPT_FLAG, PASS },
	{ "strip-all", OPT_FLAG, PASS }, { "strip-debug", OPT_FLAG, PASS },
	{ "strip-discarded", OPT_FLAG, PASS }, { "no-strip-discarded", OPT_FLAG, PASS },
	{ "discard-all", OPT_FLAG, PASS }, { "discard-locals", OPT_FLAG, PASS },
	{ "discard-none", OPT_FLAG, PASS }, { "start-group", OPT_FLAG, PASS },
	{ "end-group", OPT_FLAG, PASS }, { "start-lib", OPT_FLAG, PASS },
	{ "end-lib", OPT_FLAG, PASS }, { "as-needed", OPT_FLAG, PASS },
	{ "no-as-needed", OPT_FLAG, PASS }, { "Bno-symbolic", OPT_FLAG, PASS },
	{ "Bsymbolic", OPT_FLAG, PASS }, { "Bsymbolic-functions", OPT_FLAG, PASS },
	{ "Bgroup", OPT_FLAG, PASS }, { "check-sections", OPT_FLAG, PASS },
	{ "no-check-sections", OPT_FLAG, PASS },
	{ "copy-dt-needed-entries", OPT_FLAG, PASS },
	{ "no-copy-dt-needed-entries", OPT_FLAG, PASS },
	{ "add-needed", OPT_FLAG, PASS }, { "no-add-needed", OPT_FLAG, PASS },
	{ "disable-multiple-abs-defs", OPT_FLAG, PASS },
	{ "fatal-warnings", OPT_FLAG, PASS }, { "no-fatal-warnings", OPT_FLAG, PASS },
	{ "gc-sections", OPT_FLAG, PASS }, { "no-gc-sections", OPT_FLAG, PASS },
	{ "print-gc-sections", OPT_FLAG, PASS },
	{ "no-print-gc-sections", OPT_FLAG, PASS },
	{ "print-memory-usage", OPT_FLAG, PASS }, { "gc-keep-exported", OPT_FLAG, PASS },
	{ "no-define-common", OPT_FLAG, PASS }, { "no-demangle", OPT_FLAG, PASS },
	{ "no-keep-memory", OPT_FLAG, PASS }, { "no-undefined", OPT_FLAG, PASS },
	{ "no-warnings", OPT_FLAG, PASS }, { "allow-shlib-undefined", OPT_FLAG, PASS },
	{ "no-allow-shlib-undefined", OPT_FLAG, PASS },
	{ "allow-multiple-definition", OPT_FLAG, PASS },
	{ "undefined-version", OPT_FLAG, PASS },
	{ "no-undefined-version", OPT_FLAG, PASS },
	{ "default-symver", OPT_FLAG, PASS },
	{ "default-imported-symver", OPT_FLAG, PASS },
	{ "no-warn-mismatch", OPT_FLAG, PASS },
	{ "no-warn-search-mismatch", OPT_FLAG, PASS },
	{ "whole-archive", OPT_FLAG, PASS }, { "no-whole-archive", OPT_FLAG, PASS },
	{ "noinhibit-exec", OPT_FLAG, PASS }, { "nostdlib", OPT_FLAG, PASS },
	{ "reduce-memory-overheads", OPT_FLAG, PASS }, { "relax", OPT_FLAG, PASS },
	{ "no-relax", OPT_FLAG, PASS }, { "pie", OPT_FLAG, PASS },
	{ "pic-executable", OPT_FLAG, PASS }, { "no-pie", OPT_FLAG, PASS },
	{ "traditional-format", OPT_FLAG, PASS }, { "dynamic-list-data", OPT_FLAG, PASS },
	{ "dynamic-list-cpp-new", OPT_FLAG, PASS },
	{ "dynamic-list-cpp-typeinfo", OPT_FLAG, PASS },
	{ "warn-common", OPT_FLAG, PASS }, { "warn-constructors", OPT_FLAG, PASS },
	{ "warn-execstack", OPT_FLAG, PASS }, { "no-warn-execstack", OPT_FLAG, PASS },
	{ "warn-rwx-segments", OPT_FLAG, PASS },
	{ "no-warn-rwx-segments", OPT_FLAG, PASS },
	{ "warn-multiple-gp", OPT_FLAG, PASS }, { "warn-once", OPT_FLAG, PASS },
	{ "warn-section-align", OPT_FLAG, PASS }, { "warn-textrel", OPT_FLAG, PASS },
	{ "warn-unresolved-symbols", OPT_FLAG, PASS },
	{ "error-unresolved-symbols", OPT_FLAG, PASS },
	{ "print-map-discarded", OPT_FLAG, PASS },
	{ "no-print-map-discarded", OPT_FLAG, PASS },
	{ "ctf-variables", OPT_FLAG, PASS }, { "no-ctf-variables", OPT_FLAG, PASS },
	{ "ld-generated-unwind-info", OPT_FLAG, PASS },
	{ "no-ld-generated-unwind-info", OPT_FLAG, PASS },
	{ "disable-new-dtags", OPT_FLAG, PASS }, { "enable-new-dtags", OPT_FLAG, PASS },
	{ "eh-frame-hdr", OPT_FLAG, PASS }, { "no-eh-frame-hdr", OPT_FLAG, PASS },
	{ "gdb-index", OPT_FLAG, PASS }, { "no-gdb-index", OPT_FLAG, PASS },
};

static const struct opt shorts[] = {
	{ "-o", OPT_BOTH, OUT, 0, NULL }, { "-l", OPT_BOTH, LIB, 0, NULL },
	{ "-L", OPT_BOTH, DIRECTORY, 0, NULL }, { "-T", OPT_BOTH, SCRIPT, 0, NULL },
	{ "-dT", OPT_SEP, SCRIPT, 0, NULL }, { "-R", OPT_BOTH, JUST, 0, NULL },
	{ "-r", OPT_FLAG, RELOCATABLE, 0, NULL },
	{ "-i", OPT_FLAG, RELOCATABLE, 0, NULL },
	{ "-Ur", OPT_FLAG, RELOCATABLE, 0, NULL },
	{ "-M", OPT_FLAG, PRINTS, 0, NULL }, { "-t", OPT_FLAG, PRINTS, 0, NULL },
	{ "-v", OPT_FLAG, PRINTS, 0, NULL }, { "-V", OPT_FLAG, PRINTS, 0, NULL },
	{ "-a", OPT_SEP, PASS, 0, NULL }, { "-A", OPT_BOTH, PASS, 0, NULL },
	{ "-b", OPT_BOTH, PASS, 0, NULL }, { "-d", OPT_FLAG, PASS, 0, NULL },
	{ "-dc", OPT_FLAG, PASS, 0, NULL }, { "-dp", OPT_FLAG, PASS, 0, NULL },
	{ "-e", OPT_BOTH, PASS, 0, NULL }, { "-E", OPT_FLAG, PASS, 0, NULL },
	{ "-f", OPT_BOTH, PASS, 0, NULL }, { "-F", OPT_BOTH, PASS, 0, NULL },
	{ "-g", OPT_START, PASS, 0, NULL }, { "-G", OPT_BOTH, PASS, 0, NULL },
	{ "-h", OPT_BOTH, PASS, 0, NULL }, { "-I", OPT_BOTH, PASS, 0, NULL },
	{ "-m", OPT_BOTH, PASS, 0, NULL }, { "-n", OPT_FLAG, PASS, 0, NULL },
	{ "-N", OPT_FLAG, PASS, 0, NULL }, { "-O", OPT_START, PASS, 0, NULL },
	{ "-P", OPT_BOTH, PASS, 0, NULL }, { "-q", OPT_FLAG, PASS, 0, NULL },
	{ "-Qy", OPT_FLAG, PASS, 0, NULL }, { "-s", OPT_FLAG, PASS, 0, NULL },
	{ "-S", OPT_FLAG, PASS, 0, NULL }, { "-u", OPT_BOTH, PASS, 0, NULL },
	{ "-w", OPT_FLAG, PASS, 0, NULL }, { "-x", OPT_FLAG, PASS, 0, NULL },
	{ "-X", OPT_FLAG, PASS, 0, NULL }, { "-y", OPT_BOTH, PASS, 0, NULL },
	{ "-z", OPT_BOTH, PASS, 0, NULL }, { "-(", OPT_FLAG, PASS, 0, NULL },
	{ "-)", OPT_FLAG, PASS, 0, NULL }, { 0 },
};

/* A long option: 1 found, 0 it is none, -1 its value is missing. */
static int long_match(const struct strs *args, size_t i, enum act *act,
		      struct opt_hit *hit)
{
	const char *arg = args->v[i], *name = arg + 1 + (arg[1] == '-');
	size_t n = strcspn(name, "=");

	for (size_t k = 0; k < sizeof longs / sizeof *longs; k++) {
		if (strncmp(longs[k].name, name, n) != 0 || longs[k].name[n])
			continue;
		if (name[n] && longs[k].form == OPT_FLAG)
			continue;
		*act = longs[k].act;
		hit->arg = arg;
		hit->n_args = 1;
		hit->value = name[n] ? name + n + 1 : "";
		if (name[n] || longs[k].form != OPT_BOTH)
			return 1;
		if (i + 1 == args->n)
			return -1;
		hit->n_args = 2;
		hit->value = args->v[i + 1];
		return 1;
	}
	return 0;
}

static bool is_system_dir(const struct link *l, const char *dir)
{
	static const char *const dirs[] = {
		"/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/libx32", "/lib",
		"/lib64", "/lib32", "/libx32", "/usr/local/lib",
	};
	const struct command *c = l->d->c;
	const char *clean = path_clean(l->d->a, c->cwd, dir);

	if (*dir != '/' || path_is_below(c->root ? c->root : c->cwd, clean))
		return false;
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		if (path_is_below(dirs[i], clean))
			return true;
	return false;
}

/* Tell the probe when -l changes its meaning. */
static void need_kind(struct link *l)
{
	if (l->is_static != l->needs_static)
		strs_add(&l->needs, l->is_static ? "-Wl,-Bstatic" : "-Wl,-Bdynamic");
	l->needs_static = l->is_static;
}

static bool take_library(struct link *l, const char *name)
{
	struct draft *d = l->d;
	bool is_exact = name[0] == ':';

	for (size_t i = 0; i < l->dirs.n; i++) {
		const char *const endings[] = { l->is_static ? NULL : ".so", ".a" };

		for (size_t k = is_exact; k < 2; k++) {
			const char *path;

			if (!is_exact && !endings[k])
				continue;
			path = is_exact
				? arena_printf(d->a, "%s/%s", l->dirs.v[i], name + 1)
				: arena_printf(d->a, "%s/lib%s%s", l->dirs.v[i], name,
					       endings[k]);
			if (!draft_is_file(d, path))
				continue;
			if (is_system_dir(l, l->dirs.v[i]))
				goto of_system;
			return draft_read(d, path, 0);
		}
	}
of_system:
	if (l->is_ld)
		return draft_refuse(d, "-l%s is in none of the project's folders that "
				    "-L names", name);
	need_kind(l);
	strs_add(&l->needs, arena_printf(d->a, "-l%s", name));
	return true;
}

static bool take_script(struct link *l, const char *path)
{
	struct draft *d = l->d;

	if (*path == '/' || draft_is_file(d, path))
		return draft_read(d, path, 0);
	for (size_t i = 0; i < l->dirs.n; i++) {
		const char *full = arena_printf(d->a, "%s/%s", l->dirs.v[i], path);

		if (draft_is_file(d, full))
			return draft_read(d, full, 0);
	}
	return draft_read(d, path, 0);
}

static bool take_map(struct link *l, const char *path)
{
	if (strchr(path, '%') || draft_is_dir(l->d, path))
		return draft_refuse(l->d, "-Map=%s: the map's name is the linker's "
				    "choice", path);
	return draft_write(l->d, "map", path, 0);
}

struct walk {
	struct link *l;
	uint64_t saved;         /* is_static of each pushed state, a bit each */
	unsigned n_saved;
};

static bool take(struct walk *w, enum act act, const struct opt_hit *h)
{
	struct link *l = w->l;

	switch (act) {
	case PASS:
	case DIRECTORY:
		return true;
	case OUT:
		l->out = h->value;
		return l->is_ld || draft_refuse(l->d, "%s is handed to the linker "
						"behind the compiler's back", h->arg);
	case LIB:
		return take_library(l, h->value);
	case SCRIPT:
		return take_script(l, h->value);
	case JUST:
		if (!draft_is_dir(l->d, h->value))
			return draft_read(l->d, h->value, 0);
		/* fall through */
	case RPATH:
		strs_add(&l->rpaths, h->value);
		return true;
	case MAP:
		return take_map(l, h->value);
	case DEPS:
		return draft_write(l->d, "deps", h->value, 0);
	case STATIC:
	case DYNAMIC:
		l->is_static = act == STATIC;
		return true;
	case SHARED:
		l->is_shared = true;
		return true;
	case RELOCATABLE:
		l->is_relocatable = true;
		return true;
	case PUSH:
		w->saved = w->saved << 1 | l->is_static;
		return w->n_saved++ < 64 ||
		       draft_refuse(l->d, "too many --push-state");
	case POP:
		l->is_static = w->n_saved ? w->saved & 1 : l->is_static;
		w->saved >>= w->n_saved > 0;
		w->n_saved -= w->n_saved > 0;
		return true;
	case PRINTS:
		return draft_refuse(l->d, "%s: it is run for what it prints", h->arg);
	case ODD:
		break;
	}
	return draft_refuse(l->d, "%s: a plugin may read and write anything", h->arg);
}

static bool match(struct walk *w, const struct strs *args, size_t i,
		  enum act *act, struct opt_hit *hit)
{
	int rc = long_match(args, i, act, hit);

	if (rc == 0 && args->v[i][1] != '-' && opt_match(shorts, args, i, hit)) {
		*act = hit->o->act;
		rc = 1;
	}
	return rc > 0 || draft_refuse(w->l->d, "%s: no linker option that gg knows",
				      args->v[i]);
}

static void add_dir(struct link *l, const char *dir)
{
	if (*dir == '=' || strncmp(dir, "$SYSROOT", 8) == 0)
		draft_refuse(l->d, "-L%s depends on the linker's sysroot", dir);
	strs_add(&l->dirs, dir);
	if (is_system_dir(l, dir))
		strs_add(&l->needs, arena_printf(l->d->a, "-L%s", dir));
}

static void add_dirs(struct link *l, const char *list)
{
	while (list && *list) {
		size_t n = strcspn(list, ":");

		add_dir(l, n ? arena_strn(l->d->a, list, n) : ".");
		list += n + (list[n] == ':');
	}
}

enum { MAX_NEIGHBOURS = 64 };

static bool is_shared_name(const char *name)
{
	const char *so = strstr(name, ".so");

	return so && (!so[3] || so[3] == '.');
}

static void take_neighbours(struct link *l, const char *dir)
{
	struct draft *d = l->d;
	DIR *in;
	struct dirent *de;
	unsigned n = 0;

	if (strchr(dir, '$') || is_system_dir(l, dir))
		return;
	in = opendir(path_clean(d->a, d->c->cwd, dir));
	while (in && (de = readdir(in)) && !d->reason) {
		const char *path = arena_printf(d->a, "%s/%s", dir, de->d_name);

		if (!is_shared_name(de->d_name) || !draft_is_file(d, path) ||
		    (l->out && strcmp(path_clean(d->a, d->c->cwd, l->out),
				      path_clean(d->a, d->c->cwd, path)) == 0))
			continue;
		if (++n > MAX_NEIGHBOURS)
			draft_refuse(d, "%s holds too many libraries that the "
				     "linker may look into", dir);
		draft_read(d, path, READ_OPTIONAL);
	}
	if (in)
		closedir(in);
}

/* A shared library among the inputs may need others, which the linker seeks in
 * the -rpath and -rpath-link folders: any library there may be read. */
static void take_rpaths(struct link *l)
{
	const struct bound_read *r = (struct bound_read *)l->d->reads.p;
	size_t n = l->d->reads.n / sizeof *r;
	bool has_shared = false;

	for (size_t i = 0; i < n; i++)
		has_shared |= is_shared_name(path_base(r[i].path));
	for (size_t i = 0; has_shared && i < l->rpaths.n; i++)
		for (const char *p = l->rpaths.v[i]; *p;) {
			size_t len = strcspn(p, ":");

			if (len)
				take_neighbours(l, arena_strn(l->d->a, p, len));
			p += len + (p[len] == ':');
		}
}

bool link_args(struct link *l, const struct strs *args, const char *extra_dirs)
{
	struct walk w = { .l = l };
	struct opt_hit hit;
	enum act act;

	l->needs_static = l->is_static;
	/* All -L count for all -l, wherever they stand. */
	for (size_t i = 0; i < args->n && !l->d->reason; i += hit.n_args) {
		hit.n_args = 1;
		if (args->v[i][0] == '-' && args->v[i][1] &&
		    match(&w, args, i, &act, &hit) && act == DIRECTORY)
			add_dir(l, hit.value);
	}
	add_dirs(l, extra_dirs);
	for (size_t i = 0; i < args->n && !l->d->reason; i += hit.n_args) {
		hit.n_args = 1;
		if (args->v[i][0] != '-' || !args->v[i][1]) {
			draft_read(l->d, args->v[i], 0);
			l->n_inputs++;
		} else if (match(&w, args, i, &act, &hit)) {
			take(&w, act, &hit);
		}
	}
	/* The compiler's own libraries come last. */
	need_kind(l);
	if (!l->d->reason)
		take_rpaths(l);
	return !l->d->reason;
}

void link_release(struct link *l)
{
	strs_release(&l->dirs);
	strs_release(&l->rpaths);
	strs_release(&l->needs);
}
