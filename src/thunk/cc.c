/* cc.c - what a compiler command reads and writes
 *
 * The arguments say all but the headers, and those the compiler itself is
 * asked for later (scan).  The names of by-products follow gcc's rule: a
 * compile names them after its object, a link after the program and the
 * source.
 */
#include <fnmatch.h>
#include <string.h>
#include "cc.h"
#include "file.h"

static const struct {
	const char *suffix;
	enum cc_lang lang;
} suffixes[] = {
	{ "c", LANG_C }, { "i", LANG_C_DONE }, { "cc", LANG_CXX }, { "cp", LANG_CXX },
	{ "cxx", LANG_CXX }, { "cpp", LANG_CXX }, { "CPP", LANG_CXX },
	{ "c++", LANG_CXX }, { "C", LANG_CXX }, { "ii", LANG_CXX_DONE },
	{ "s", LANG_ASM }, { "S", LANG_ASM_CPP }, { "sx", LANG_ASM_CPP },
	{ "h", LANG_OTHER }, { "hh", LANG_OTHER }, { "H", LANG_OTHER },
	{ "hp", LANG_OTHER }, { "hxx", LANG_OTHER }, { "hpp", LANG_OTHER },
	{ "HPP", LANG_OTHER }, { "h++", LANG_OTHER }, { "tcc", LANG_OTHER },
	{ "m", LANG_OTHER }, { "mi", LANG_OTHER }, { "mm", LANG_OTHER },
	{ "M", LANG_OTHER }, { "mii", LANG_OTHER }, { "f", LANG_OTHER },
	{ "for", LANG_OTHER }, { "ftn", LANG_OTHER }, { "F", LANG_OTHER },
	{ "FOR", LANG_OTHER }, { "fpp", LANG_OTHER }, { "FPP", LANG_OTHER },
	{ "FTN", LANG_OTHER }, { "f90", LANG_OTHER }, { "f95", LANG_OTHER },
	{ "f03", LANG_OTHER }, { "f08", LANG_OTHER }, { "F90", LANG_OTHER },
	{ "F95", LANG_OTHER }, { "F03", LANG_OTHER }, { "F08", LANG_OTHER },
	{ "ads", LANG_OTHER }, { "adb", LANG_OTHER }, { "d", LANG_OTHER },
	{ "di", LANG_OTHER }, { "dd", LANG_OTHER }, { "go", LANG_OTHER },
	{ "mod", LANG_OTHER }, { "def", LANG_OTHER }, { "cppm", LANG_OTHER },
	{ "ixx", LANG_OTHER }, { "cu", LANG_OTHER }, { "cl", LANG_OTHER },
	{ "ll", LANG_OTHER }, { "bc", LANG_OTHER }, { "pcm", LANG_OTHER },
};

static const struct {
	const char *name;
	enum cc_lang lang;
} langs[] = {
	{ "c", LANG_C }, { "cpp-output", LANG_C_DONE }, { "c++", LANG_CXX },
	{ "c++-cpp-output", LANG_CXX_DONE }, { "assembler", LANG_ASM },
	{ "assembler-with-cpp", LANG_ASM_CPP },
};

/* What a configure script tries out: it asks for the exit status, at once.
 * Names as autoconf, zlib and distutils choose them; folders of CMake, Meson. */
static const char *const trial_names[] = {
	"conftest*.*", "ztest[0-9]*.*", "_configtest.*",
};
static const char *const trial_dirs[] = {
	"CMakeFiles/CMakeTmp", "CMakeFiles/CMakeScratch", "CMakeFiles/ShowIncludes",
	"CompilerIdC", "meson-private/",
};

/* Of the compiler's environment, what may change its output.  Locale and
 * time zone are the same for every thunk. */
static const char *const env_names[] = {
	"CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "COMPILER_PATH",
	"GCC_EXEC_PREFIX", "SOURCE_DATE_EPOCH",
};

const struct cc_source *cc_sources(const struct cc *k, size_t *n)
{
	*n = k->sources.n / sizeof(struct cc_source);
	return (const struct cc_source *)(const void *)k->sources.p;
}

bool cc_lang_is_scanned(enum cc_lang lang)
{
	return lang == LANG_C || lang == LANG_CXX || lang == LANG_ASM_CPP;
}

static bool lang_compiles(enum cc_lang lang)
{
	return lang == LANG_C || lang == LANG_CXX || lang == LANG_C_DONE ||
	       lang == LANG_CXX_DONE;
}

static enum cc_lang lang_of(const char *path)
{
	const char *dot = strrchr(path_base(path), '.');

	for (size_t i = 0; dot && i < sizeof suffixes / sizeof *suffixes; i++)
		if (strcmp(dot + 1, suffixes[i].suffix) == 0)
			return suffixes[i].lang;
	return LANG_LINK;
}

static bool take_lang(struct cc *k, const char *name)
{
	k->lang_said = strcmp(name, "none") != 0;
	k->lang = LANG_OTHER;
	for (size_t i = 0; i < sizeof langs / sizeof *langs; i++)
		if (strcmp(name, langs[i].name) == 0)
			k->lang = langs[i].lang;
	return true;
}

static bool is_trial(const struct cc *k, const char *path)
{
	for (size_t i = 0; i < sizeof trial_names / sizeof *trial_names; i++)
		if (fnmatch(trial_names[i], path_base(path), 0) == 0)
			return true;
	for (size_t i = 0; i < sizeof trial_dirs / sizeof *trial_dirs; i++)
		if (strstr(path, trial_dirs[i]) || strstr(k->d->c->cwd, trial_dirs[i]))
			return true;
	return false;
}

static bool take_source(struct cc *k, const char *path)
{
	struct cc_source s = {
		.path = path,
		.lang = k->lang_said ? k->lang : lang_of(path),
		.is_said = k->lang_said,
	};

	if (strcmp(path, "-") == 0)
		return draft_refuse(k->d, "- is one of its standard streams");
	if (is_trial(k, path))
		return draft_refuse(k->d, "%s: a trial whose exit status is asked for",
				    path);
	if (s.lang == LANG_OTHER)
		return draft_refuse(k->d, "%s: a language that is not modelled",
				    path);
	if (s.lang == LANG_LINK) {
		k->object = path;
		strs_add(&k->link, path);
	} else if (draft_read(k->d, path, 0)) {
		buf_add(&k->sources, &s, sizeof s);
	}
	return true;
}

static bool take_mode(struct cc *k, char mode, const char *arg)
{
	if (k->mode && k->mode != mode)
		return draft_refuse(k->d, "%s after another of -c, -S, -E and -M", arg);
	k->mode = mode;
	return true;
}

/* -Wp,-MD,FILE is how kernels ask for dependencies; -D, -U and -I pass. */
static bool take_wp(struct cc *k, const struct opt_hit *h)
{
	const char *v = h->value;

	if (strncmp(v, "-MD,", 4) == 0 || strncmp(v, "-MMD,", 5) == 0) {
		v = strchr(v, ',') + 1;
		if (k->wants_deps || k->deps_file || strchr(v, ','))
			return draft_refuse(k->d, "%s and other options say where "
					    "dependencies go", h->arg);
		k->wants_deps = true;
		k->deps_file = v;
		return true;
	}
	for (const char *p = v; *p; p += strcspn(p, ","), p += *p == ',')
		if (*p != '-' || !strchr("DUI", p[1]))
			return draft_refuse(k->d, "%s is unknown", h->arg);
	strs_add(&k->scan, h->arg);
	return true;
}

/* Options of the assembler, between commas. */
static bool take_wa(struct cc *k, const char *list)
{
	static const char *const known[] = {
		"-m", "-g", "-W", "-O", "-Z", "-J", "-L", "-R", "-f", "-I",
		"--noexecstack", "--execstack", "--gdwarf", "--warn", "--no-warn",
		"--fatal-warnings", "--keep-locals", "--compress-debug-sections",
		"--nocompress-debug-sections", "--32", "--64", "--x32", "--divide",
		"--defsym", "--strip-local-absolute", "--elf-stt-common",
		"--reduce-memory-overheads", "--generate-missing-build-notes",
		"--debug-prefix-map", "--no-pad-sections",
	};
	bool takes_next = false;

	while (*list) {
		size_t n = strcspn(list, ","), i = 0;

		while (!takes_next && i < sizeof known / sizeof *known &&
		       strncmp(list, known[i], strlen(known[i])) != 0)
			i++;
		if (i == sizeof known / sizeof *known)
			return draft_refuse(k->d, "-Wa,%s: no assembler option that "
					    "gg knows", list);
		takes_next = !takes_next && n == 8 && strncmp(list, "--defsym", 8) == 0;
		list += n + (list[n] == ',');
	}
	return true;
}

static bool take_wl(struct cc *k, const char *list)
{
	for (;;) {
		size_t n = strcspn(list, ",");

		strs_add(&k->link, arena_strn(k->d->a, list, n));
		if (!list[n])
			return true;
		list += n + 1;
	}
}

static bool take_specs(struct cc *k, const char *path)
{
	return draft_is_file(k->d, path) ? draft_read(k->d, path, 0) : true;
}

/* The probe names the parts by where they are, which must be outside. */
static bool take_prefix(struct cc *k, const struct opt_hit *h)
{
	const struct command *c = k->d->c;

	if (*h->value != '/' ||
	    path_is_below(c->root ? c->root : c->cwd,
			  path_clean(k->d->a, c->cwd, h->value)))
		return draft_refuse(k->d, "%s: it takes parts of the compiler from "
				    "the project", h->arg);
	return true;
}

static bool take_link(struct cc *k, const struct opt_hit *h)
{
	strs_add(&k->link, h->arg);
	if (h->n_args == 2)
		strs_add(&k->link, h->value);
	return true;
}

static bool take_file(struct cc *k, enum cc_act act, const struct opt_hit *h)
{
	switch (act) {
	case CC_OUT:
		k->out = h->value;
		return true;
	case CC_LANG:
		return take_lang(k, h->value);
	case CC_INCLUDE:
		return draft_read(k->d, h->value, READ_OPTIONAL);
	case CC_SPECS:
		return take_specs(k, h->value);
	case CC_PREFIX:
		return take_prefix(k, h);
	case CC_DEPS_FILE:
		k->deps_file = h->value;
		return true;
	case CC_WP:
		return take_wp(k, h);
	case CC_WA:
	case CC_XASM:
		return take_wa(k, h->value);
	case CC_WL:
		return take_wl(k, h->value);
	case CC_XLINKER:
		strs_add(&k->link, h->value);
		return true;
	case CC_LINK:
		return take_link(k, h);
	default:
		return true;
	}
}

static bool take(struct cc *k, const struct opt_hit *h)
{
	bool *const notes[CC_ACTS] = {
		[CC_DEPS] = &k->wants_deps, [CC_STATIC] = &k->is_static,
		[CC_SHARED] = &k->is_shared, [CC_RELOCATABLE] = &k->is_relocatable,
		[CC_DEBUG] = &k->has_debug, [CC_NO_DEBUG] = &k->has_no_debug,
		[CC_PROFILE] = &k->has_profile, [CC_COVERAGE] = &k->has_coverage,
		[CC_STACK] = &k->has_stack, [CC_SPLIT] = &k->has_split,
		[CC_LTO] = &k->has_lto,
	};
	const struct opt *o = h->o;

	if (o->act == CC_REFUSE)
		return draft_refuse(k->d, "%s: %s", h->arg, o->why);
	for (size_t i = 0; i < 2; i++)
		if (o->flags & (i ? CC_PROBE : CC_SCAN)) {
			struct strs *l = i ? &k->probe : &k->scan;

			strs_add(l, h->arg);
			if (h->n_args == 2)
				strs_add(l, h->value);
		}
	if (notes[o->act])
		*notes[o->act] = true;
	if (o->act == CC_MODE)
		return take_mode(k, h->arg[1], h->arg);
	if (o->act == CC_ONLY_DEPS)
		return take_mode(k, 'M', h->arg);
	if (o->act == CC_PREFIX_MAP)
		strs_add(&k->maps, h->value);
	return take_file(k, o->act, h);
}

/* A path without its folder, or without its last suffix. */
static const char *stem(struct cc *k, const char *path)
{
	const char *dot = strrchr(path_base(path), '.');

	return dot ? arena_strn(k->d->a, path, (size_t)(dot - path)) : path;
}

static const char *with(struct cc *k, const char *s, const char *suffix)
{
	return arena_printf(k->d->a, "%s%s", s, suffix);
}

static bool write_deps(struct cc *k)
{
	const struct cc_source *s;
	size_t n, done = 0;

	s = cc_sources(k, &n);
	for (size_t i = 0; i < n; i++) {
		const char *base = stem(k, path_base(s[i].path));
		const char *path = k->deps_file;

		if (!cc_lang_is_scanned(s[i].lang))
			continue;
		if (!path && k->out)
			path = with(k, stem(k, k->out), ".d");
		else if (!path && !k->mode && !k->is_clang)
			path = arena_printf(k->d->a, "a-%s.d", base);
		else if (!path)
			path = with(k, base, ".d");
		/* One name for all sources of a link: the last one's rules
		 * stay.  Without a link that is surely not meant. */
		if ((k->deps_file || k->out) && done++) {
			if (k->mode)
				return draft_refuse(k->d, "%s is written for each "
						    "source", path);
			continue;
		}
		if (!draft_write(k->d, "deps", path, 0))
			return false;
	}
	return true;
}

/* .gcno, .su, .dwo: one for each source. */
static bool write_aux(struct cc *k, const char *kind, const char *suffix,
		      const struct cc_source *s)
{
	const char *base = stem(k, path_base(s->path)), *out = k->out;
	size_t n = out ? strlen(out) : 0;

	if (k->mode && out) {
		if (path_base(out)[0] == '.')
			return draft_refuse(k->d, "%s: what its by-products are "
					    "called is unclear", out);
		return draft_write(k->d, kind, with(k, stem(k, out), suffix), 0);
	}
	if (k->mode)
		return draft_write(k->d, kind, with(k, base, suffix), 0);
	if (!out || strcmp(path_base(out), "a.out") == 0)
		out = out ? stem(k, out) : "a";
	else if (n > 4 && strcmp(out + n - 4, ".exe") == 0)
		out = stem(k, out);
	return draft_write(k->d, kind,
			   arena_printf(k->d->a, "%s-%s%s", out, base, suffix), 0);
}

static bool write_all_aux(struct cc *k)
{
	const struct cc_source *s;
	size_t n;
	bool is_any = k->has_coverage || k->has_stack || k->has_split;

	if (!is_any || k->mode == 'E' || k->mode == 'M')
		return true;
	s = cc_sources(k, &n);
	if (k->has_lto || (k->has_split && k->has_no_debug) ||
	    (k->is_clang && k->mode != 'c' && n))
		return draft_refuse(k->d, "what the by-products of this mixture of "
				    "options are called is unclear");
	for (size_t i = 0; i < n; i++) {
		bool compiles = lang_compiles(s[i].lang);

		if (k->has_coverage && compiles &&
		    !write_aux(k, "coverage", ".gcno", &s[i]))
			return false;
		if (k->has_stack && compiles && !write_aux(k, "stack", ".su", &s[i]))
			return false;
		if (k->has_split && k->mode != 'S' && (compiles || !k->is_clang) &&
		    !write_aux(k, "dwarf", ".dwo", &s[i]))
			return false;
	}
	return true;
}

/* -c, -S and -E: one output a source, named after it unless -o does. */
static bool write_objects(struct cc *k)
{
	const struct cc_source *s;
	size_t n;

	s = cc_sources(k, &n);
	if (n > 1 && k->out)
		return draft_refuse(k->d, "one -o and %zu sources", n);
	for (size_t i = 0; i < n; i++) {
		const char *base = path_base(s[i].path);

		if (k->mode == 'S' ? !lang_compiles(s[i].lang)
				   : k->mode == 'E' && !cc_lang_is_scanned(s[i].lang))
			return draft_refuse(k->d, "%s: nothing is made of it",
					    s[i].path);
		if (base[0] == '.' && !k->out)
			return draft_refuse(k->d, "%s: what it becomes is unclear",
					    s[i].path);
		if (k->mode == 'E' && !k->out)
			continue;
		if (!draft_write(k->d, k->mode == 'c' ? "object"
				       : k->mode == 'S' ? "assembly" : "text",
				 k->out ? k->out
					: with(k, stem(k, base),
					       k->mode == 'c' ? ".o" : ".s"), 0))
			return false;
	}
	return true;
}

/* -M and -MM write rules and nothing else. */
static bool write_rules(struct cc *k)
{
	const char *path = k->deps_file ? k->deps_file : k->out;
	size_t n;

	cc_sources(k, &n);
	if (k->wants_deps || (k->deps_file && k->out) || (path && n > 1))
		return draft_refuse(k->d, "where its rules go is unclear");
	return !path || draft_write(k->d, "deps", path, 0);
}

/* Debugging information names the folder that the compiler worked in, taken
 * from PWD or else from the system, and so do profiles. */
static void add_env(struct cc *k, size_t n_sources)
{
	const struct command *c = k->d->c;
	bool is_mapped = false;

	for (size_t i = 0; i < sizeof env_names / sizeof *env_names; i++)
		draft_env(k->d, env_names[i]);
	for (size_t i = 0; i < k->maps.n; i++) {
		size_t n = strcspn(k->maps.v[i], "=");
		const char *pwd = draft_getenv(k->d, "PWD");

		is_mapped |= n && strncmp(k->maps.v[i], c->cwd, n) == 0 &&
			     (!pwd || strncmp(k->maps.v[i], pwd, n) == 0);
	}
	if (n_sources && (((k->has_debug || k->has_split) && !is_mapped) ||
			  k->has_profile || k->has_coverage))
		draft_env(k->d, "PWD");
}

static bool check_streams(struct cc *k)
{
	if ((k->mode == 'E' || k->mode == 'M') && !k->out && !k->deps_file &&
	    k->d->c->std[1].kind != STREAM_FILE)
		return draft_refuse(k->d, "it is run for what it prints");
	if (k->deps_file && !k->wants_deps && k->mode != 'M')
		return draft_refuse(k->d, "-MF without -MD or -MMD");
	return true;
}

static bool write_outputs(struct cc *k)
{
	size_t n;

	cc_sources(k, &n);
	if (!n && !k->object)
		return draft_refuse(k->d, "no input file");
	if (!check_streams(k))
		return false;
	if (k->mode == 'M')
		return write_rules(k);
	if (k->wants_deps && !write_deps(k))
		return false;
	if (!write_all_aux(k))
		return false;
	if (k->mode && k->object)
		return draft_refuse(k->d, "%s takes no part where nothing is linked",
				    k->object);
	if (k->mode)
		return write_objects(k);
	cc_link(k);
	return true;
}

static bool check_env(struct cc *k)
{
	static const char *const odd[] = {
		"DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES", "GCC_COMPARE_DEBUG",
		"CCC_OVERRIDE_OPTIONS",
	};
	struct draft *d = k->d;

	if (draft_getenv(d, "COLLECT_GCC"))
		return draft_refuse(d, "another compiler has started it");
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		if (draft_getenv(d, odd[i]))
			return draft_refuse(d, "%s is set and changes what it does",
					    odd[i]);
	if (strstr(d->c->program, "/ccache") || strstr(d->c->program, "/distcc") ||
	    strstr(d->c->program, "/icecc"))
		return draft_refuse(d, "%s keeps a cache of its own", d->c->program);
	if (k->is_clang && d->lists.n)
		return draft_refuse(d, "clang reads @ lists in its own way");
	return true;
}

static void walk(struct cc *k)
{
	struct draft *d = k->d;
	struct opt_hit hit;

	for (size_t i = 0; i < d->args.n && !d->reason; i += hit.n_args) {
		hit.n_args = 1;
		if (d->args.v[i][0] != '-' || !d->args.v[i][1])
			take_source(k, d->args.v[i]);
		else if (!opt_match(cc_options, &d->args, i, &hit))
			draft_refuse(d, "%s: no option that gg knows", d->args.v[i]);
		else
			take(k, &hit);
	}
}

static enum match bind(const struct command *c, struct arena *a,
		       struct binding *out, struct buf *why, bool is_clang)
{
	struct draft d;
	struct cc k = { .d = &d, .is_clang = is_clang };
	size_t n;

	draft_begin(&d, c, a);
	check_env(&k);
	walk(&k);
	if (!d.reason)
		write_outputs(&k);
	if (!d.reason) {
		cc_sources(&k, &n);
		add_env(&k, n);
		cc_ask(&k);
	}
	buf_release(&k.sources);
	strs_release(&k.link);
	strs_release(&k.maps);
	strs_release(&k.scan);
	strs_release(&k.probe);
	strs_release(&k.needs);
	return draft_end(&d, out, why);
}

enum match cc_bind(const struct command *c, struct arena *a,
		   struct binding *out, struct buf *why)
{
	return bind(c, a, out, why, false);
}

enum match clang_bind(const struct command *c, struct arena *a,
		      struct binding *out, struct buf *why)
{
	return bind(c, a, out, why, true);
}
