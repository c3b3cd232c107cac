/* system.c - the files of the system that a program is made of
 *
 * Its shared libraries, found as the dynamic loader would with an empty
 * environment and without its cache; and what a compiler's driver says it
 * would run (-###): the commands' own words name programs, start files and
 * plugins, and the linker's -L and -l lead to libraries, some of which are
 * scripts that name further ones.  What is not there is left out: then the
 * program does without it or fails, whatever its name.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "elf_needs.h"
#include "file.h"
#include "model.h"

struct hunt {
	struct arena *a;
	struct strs *out;
	struct map seen;
	struct strs dirs;               /* the linker's -L */
	const char *parts, *search;     /* COMPILER_PATH and PATH */
	const char *linker;             /* -fuse-ld=, else NULL */
	bool is_static;
	unsigned depth;
};

static const char loader_dirs[] =
#ifdef __x86_64__
	"/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:"
#elif defined(__aarch64__)
	"/lib/aarch64-linux-gnu:/usr/lib/aarch64-linux-gnu:"
#endif
	"/lib64:/usr/lib64:/lib:/usr/lib:/usr/local/lib";

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The first dir of a list that holds name; tidied, or NULL. */
static const char *find(struct hunt *h, const char *dirs, const char *name)
{
	while (dirs && *dirs) {
		size_t n = strcspn(dirs, ":");
		const char *full = arena_printf(h->a, "%.*s/%s", (int)n, dirs, name);

		if (*full == '/' && is_file(full))
			return path_clean(h->a, "/", full);
		dirs += n + (dirs[n] == ':');
	}
	return NULL;
}

enum { MAX_DEPTH = 24 };

static bool add(struct hunt *h, const char *path, bool is_program);

/* The library behind binutils loads every plugin of its folders, to learn the
 * symbols of objects in foreign formats. */
static void add_plugins(struct hunt *h, const char *library)
{
	const char *const dirs[] = {
		arena_printf(h->a, "%.*sbfd-plugins",
			     (int)(path_base(library) - library), library),
		"/usr/lib/bfd-plugins",
	};

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		DIR *in = opendir(dirs[i]);
		struct dirent *de;

		while (in && (de = readdir(in)))
			add(h, arena_printf(h->a, "%s/%s", dirs[i], de->d_name), false);
		if (in)
			closedir(in);
	}
}

/* Add a file; what it needs, if it is a program or a library, too. */
static bool add(struct hunt *h, const char *path, bool is_program)
{
	struct elf_needs needs;
	void **slot;

	path = path_clean(h->a, "/", path);
	if (!is_file(path))
		return false;
	slot = map_at(&h->seen, bytes_str(path));
	if (*slot)
		return true;
	*slot = h;
	strs_add(h->out, path);
	if (strncmp(path_base(path), "libbfd-", 7) == 0)
		add_plugins(h, path);
	if (!is_program || h->depth == MAX_DEPTH)
		return true;
	h->depth++;
	elf_needs(path, h->a, &needs);
	for (size_t i = 0; i < needs.needed.n; i++) {
		const char *name = needs.needed.v[i], *found = name;

		if (*name != '/')
			found = find(h, needs.dirs, name);
		if (!found)
			found = find(h, loader_dirs, name);
		if (found)
			add(h, found, true);
	}
	strs_release(&needs.needed);
	h->depth--;
	return true;
}

static void add_library(struct hunt *h, const char *name);

static void add_linked(struct hunt *h, const char *path);

/* A library that is text is a linker's script: it names files and -l NAMEs. */
static void read_script(struct hunt *h, char *text)
{
	static const char between[] = " \t\r\n(),";
	char *save;

	for (char *w = strtok_r(text, between, &save); w;
	     w = strtok_r(NULL, between, &save)) {
		const char *found = *w == '/' ? w : NULL;

		if (strncmp(w, "-l", 2) == 0)
			add_library(h, w + 2);
		else if (strstr(w, ".so") || strstr(w, ".a"))
			for (size_t i = 0; i < h->dirs.n && !found; i++)
				found = find(h, h->dirs.v[i], w);
		if (found)
			add_linked(h, found);
	}
}

enum { MAX_SCRIPT_BYTES = 64 << 10 };

static void add_linked(struct hunt *h, const char *path)
{
	struct arena a = { 0 };
	struct bytes text;
	struct stat st;
	struct err e;

	path = path_clean(h->a, "/", path);
	if (map_get(&h->seen, bytes_str(path)) || !add(h, path, true) ||
	    h->depth == MAX_DEPTH || stat(path, &st) < 0 ||
	    st.st_size > MAX_SCRIPT_BYTES)
		return;
	h->depth++;
	if (file_read(-1, path, MAX_SCRIPT_BYTES, &a, &text, &e) == 0 && text.n &&
	    !memchr(text.p, 0, text.n) && !bytes_start(text, "!<"))
		read_script(h, arena_strn(&a, text.p, text.n));
	h->depth--;
	arena_release(&a);
}

static void add_library(struct hunt *h, const char *name)
{
	bool is_exact = *name == ':';

	for (size_t i = 0; i < h->dirs.n; i++)
		for (unsigned k = is_exact || h->is_static; k < 2; k++) {
			const char *file = is_exact
				? name + 1
				: arena_printf(h->a, "lib%s%s", name, k ? ".a" : ".so");
			const char *found = find(h, h->dirs.v[i], file);

			if (found) {
				add_linked(h, found);
				return;
			}
		}
}

/* One word of a line as a driver prints it: quotes and backslashes. */
static char *next_word(char **p)
{
	char *s = *p, *to, *word;
	bool is_quoted = false;

	while (*s == ' ')
		s++;
	if (!*s)
		return NULL;
	word = to = s;
	for (; *s && (is_quoted || *s != ' '); s++) {
		if (*s == '"') {
			is_quoted = !is_quoted;
			continue;
		}
		if (*s == '\\' && s[1])
			s++;
		*to++ = *s;
	}
	*p = *s ? s + 1 : s;
	*to = '\0';
	return word;
}

static void add_program(struct hunt *h, const char *name)
{
	const char *found = *name == '/' ? name : find(h, h->parts, name);

	if (!found)
		found = find(h, h->search, name);
	if (found)
		add(h, found, true);
}

/* collect2 runs a linker, and whatever meets objects made with -flto runs the
 * compiler that lies beside lto-wrapper. */
static void add_companions(struct hunt *h, const char *program)
{
	const char *base = path_base(program);

	if (strcmp(base, "collect2") != 0)
		return;
	add_program(h, h->linker ? arena_printf(h->a, "ld.%s", h->linker) : "ld");
	add(h, arena_printf(h->a, "%.*slto1", (int)(base - program), program), true);
}

/* A file among the words of a command. */
static void add_named(struct hunt *h, const char *word)
{
	const char *eq = strchr(word, '=');
	const char *path = *word == '/' ? word : eq && eq[1] == '/' ? eq + 1 : NULL;

	if (path && strncmp(path, "/tmp/", 5) != 0 && strncmp(path, "/dev/", 5) != 0)
		add(h, path, true);
}

static void read_command(struct hunt *h, char *line)
{
	struct strs words = { 0 };
	const char *prev = "";

	for (char *p = line, *w; (w = next_word(&p));)
		strs_add(&words, w);
	h->dirs.n = 0;
	h->is_static = false;
	h->linker = NULL;
	for (size_t i = 1; i < words.n; i++) {
		if (strncmp(words.v[i], "-L/", 3) == 0)
			strs_add(&h->dirs, words.v[i] + 2);
		if (strncmp(words.v[i], "-fuse-ld=", 9) == 0)
			h->linker = words.v[i] + 9;
	}
	if (words.n) {
		add_program(h, words.v[0]);
		add_companions(h, words.v[0]);
	}
	for (size_t i = 1; i < words.n; i++) {
		const char *w = words.v[i];

		if (strcmp(w, "-Bstatic") == 0 || strcmp(w, "-static") == 0)
			h->is_static = true;
		else if (strcmp(w, "-Bdynamic") == 0)
			h->is_static = false;
		else if (strncmp(w, "-l", 2) == 0 && w[2])
			add_library(h, w + 2);
		else if (*w != '-' ? strcmp(prev, "-dynamic-linker") != 0 &&
					     strcmp(prev, "-o") != 0 &&
					     strcmp(prev, "-resource-dir") != 0
				   : strncmp(w, "-plugin-opt=", 12) == 0)
			add_named(h, w);
		prev = w;
	}
	strs_release(&words);
}

static void read_line(struct hunt *h, char *line, bool is_first_pass)
{
	static const char specs[] = "Reading specs from ";

	if (is_first_pass) {
		if (strncmp(line, "COMPILER_PATH=", 14) == 0)
			h->parts = line + 14;
		return;
	}
	if (strncmp(line, specs, sizeof specs - 1) == 0)
		add(h, line + sizeof specs - 1, false);
	else if (*line == ' ')
		read_command(h, line);
}

void system_files(const char *program, struct bytes said, const char *search,
		  struct arena *a, struct strs *out)
{
	struct hunt h = { .a = a, .out = out, .search = search };
	size_t n_before = out->n;

	add(&h, program, true);
	for (int pass = 0; pass < 2; pass++)
		for (size_t from = 0, to; from < said.n; from = to + 1) {
			const char *nl = memchr(said.p + from, '\n', said.n - from);

			to = nl ? (size_t)(nl - said.p) : said.n;
			read_line(&h, arena_strn(a, said.p + from, to - from),
				  pass == 0);
		}
	if (n_before == 0)
		strs_sort(out);
	map_release(&h.seen);
	strs_release(&h.dirs);
}
