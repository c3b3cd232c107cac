/* loader_cache.c - /etc/ld.so.cache, for libraries that need it
 *
 * The machine's own is left out: it lists all that is installed, and the loader
 * finds what lies in its default folders without.  A library in another folder
 * of ld.so.conf (/usr/local/lib, CUDA's) is found by the cache alone, so that a
 * closure with such ones gets a cache of its own that lists just these.
 *
 * The form is glibc's since 2.2, in this machine's byte order:
 *
 *	"glibc-ld.so.cache" "1.1"; u32 libraries; u32 bytes of strings;
 *	u8 byte order (2: little); 3 zeros; u32 0, no extensions; 3 u32 zeros
 *	per library, greater names first: i32 kind; u32 offset of its name;
 *	u32 offset of its path; u32 0; u64 0
 *	the strings, each with a NUL; offsets count from the begin of the file
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "closure_private.h"
#include "elf_needs.h"
#include "file.h"

enum {
	HEAD_BYTES = 48, ENTRY_BYTES = 24,
#ifdef __aarch64__
	KIND = 0x0a03,
#else
	KIND = 0x0303,
#endif
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The loader's order: runs of digits as numbers. */
static int compare_names(const char *a, const char *b)
{
	while (*a) {
		if (is_digit(*a) && is_digit(*b)) {
			unsigned long x = strtoul(a, (char **)&a, 10);
			unsigned long y = strtoul(b, (char **)&b, 10);

			if (x != y)
				return x < y ? -1 : 1;
		} else if (is_digit(*a) || is_digit(*b)) {
			return is_digit(*a) ? 1 : -1;
		} else if (*a != *b) {
			return (unsigned char)*a - (unsigned char)*b;
		} else {
			a++;
			b++;
		}
	}
	return -(unsigned char)*b;
}

static int by_name(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	int order = compare_names(path_base(y), path_base(x));

	return order ? order : strcmp(x, y);
}

/* ---- where it looks */

struct conf {
	struct walk_state *w;
	struct strs dirs;
	struct strs files;      /* read, and still to be */
	struct map seen;        /* those files */
};

/* Each file once, however many include it: two that include each other would
 * otherwise be read without an end. */
static void conf_add(struct conf *c, const char *path)
{
	void **slot = map_at(&c->seen, bytes_str(path));

	if (*slot)
		return;
	*slot = c;
	strs_add(&c->files, path);
}

/* One pattern, in the last part of the path. */
static void include(struct conf *c, const char *pattern)
{
	const char *base = path_base(pattern);
	struct arena *a = c->w->a;
	const char *dir = arena_strn(a, pattern, (size_t)(base - pattern));
	struct strs names = { 0 };

	dir = path_clean(a, "/etc", *dir ? dir : ".");
	walk_watch(c->w, dir);
	sys_names(c->w->m, dir, a, &names);
	for (size_t i = 0; i < names.n; i++)
		if (fnmatch(base, names.v[i], FNM_PERIOD) == 0)
			conf_add(c, arena_printf(a, "%s/%s", dir, names.v[i]));
	strs_release(&names);
}

static void read_conf(struct conf *c, const char *path)
{
	struct arena *a = c->w->a;
	char *rest, *line;
	struct bytes text;

	walk_watch(c->w, path);
	if (!sys_read(c->w->m, path, a, &text))
		return;
	rest = arena_strn(a, text.p, text.n);
	while ((line = strsep(&rest, "\n"))) {
		bool is_include;

		line += strspn(line, " \t");
		is_include = strncmp(line, "include", 7) == 0 && strchr(" \t", line[7]);
		if (is_include)
			line += 7 + strspn(line + 7, " \t");
		line[strcspn(line, "# \t\r")] = '\0';
		if (is_include && *line)
			include(c, line);
		else if (*line == '/')
			strs_add(&c->dirs, path_clean(a, "/", line));
	}
}

static bool is_default(const char *dir)
{
	static const char *const dirs[] = {
		"/lib", "/usr/lib", "/lib64", "/usr/lib64",
#ifdef __aarch64__
		"/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
#else
		"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu",
#endif
	};

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		if (strcmp(dirs[i], dir) == 0)
			return true;
	return false;
}

/* ---- what is there */

static bool is_library(const struct walk_state *w, const struct leaf *l)
{
	const char *base = path_base(l->path);
	const char *root = w->m->root[1] ? w->m->root : "";
	struct elf_needs needs;
	bool is_elf;

	if ((l->kind != LEAF_FILE && l->kind != LEAF_EXEC && l->kind != LEAF_LINK) ||
	    strncmp(base, "lib", 3) != 0 || !strstr(base, ".so"))
		return false;
	is_elf = elf_needs(arena_printf(w->a, "%s%s", root, l->path), w->a, &needs);
	strs_release(&needs.needed);
	return is_elf;
}

static bool is_in(const struct strs *dirs, const char *path)
{
	size_t n = (size_t)(path_base(path) - path) - 1;

	for (size_t i = 0; i < dirs->n; i++)
		if (strlen(dirs->v[i]) == n && strncmp(dirs->v[i], path, n) == 0 &&
		    !is_default(dirs->v[i]))
			return true;
	return false;
}

static void put_u32(struct buf *b, uint32_t n)
{
	buf_add(b, &n, sizeof n);
}

static void write_cache(const struct strs *libs, struct buf *out)
{
	struct buf strings = { 0 };
	uint32_t at = HEAD_BYTES + (uint32_t)libs->n * ENTRY_BYTES;
	uint32_t zeros[4] = { 0 };
	uint32_t order = 1;
	unsigned char is_little = *(unsigned char *)&order ? 2 : 3;

	for (size_t i = 0; i < libs->n; i++)
		buf_add(&strings, libs->v[i], strlen(libs->v[i]) + 1);
	buf_str(out, "glibc-ld.so.cache1.1");
	put_u32(out, (uint32_t)libs->n);
	put_u32(out, (uint32_t)strings.n);
	buf_add(out, &is_little, 1);
	buf_add(out, zeros, 3);
	buf_add(out, zeros, 16);
	for (size_t i = 0; i < libs->n; i++) {
		put_u32(out, KIND);
		put_u32(out, at + (uint32_t)(path_base(libs->v[i]) - libs->v[i]));
		put_u32(out, at);
		buf_add(out, zeros, 12);
		at += (uint32_t)strlen(libs->v[i]) + 1;
	}
	buf_add(out, strings.p, strings.n);
	buf_release(&strings);
}

void loader_cache(struct walk_state *w, struct buf *out)
{
	struct conf c = { .w = w };
	struct strs libs = { 0 };
	size_t n = w->n;

	conf_add(&c, "/etc/ld.so.conf");
	for (size_t i = 0; i < c.files.n; i++)
		read_conf(&c, c.files.v[i]);
	for (size_t i = 0; i < n; i++)
		if (is_in(&c.dirs, w->v[i].path) && is_library(w, &w->v[i]))
			strs_add(&libs, w->v[i].path);
	if (libs.n > 1)
		qsort(libs.v, libs.n, sizeof *libs.v, by_name);
	if (libs.n)
		write_cache(&libs, out);
	strs_release(&libs);
	strs_release(&c.dirs);
	strs_release(&c.files);
	map_release(&c.seen);
}
