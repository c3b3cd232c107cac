/* builtin.c - the built-in models, and the @list files they all take
 *
 * A program is known by its base name.  A version behind it (gcc-12) and a
 * target before it (aarch64-linux-gnu-gcc) change what it makes, and not how
 * it is called.
 */
#include <string.h>
#include <sys/stat.h>
#include "binutils.h"
#include "cc.h"
#include "draft.h"
#include "file.h"
#include "ml.h"

static const struct builtin builtins[] = {
	{ "ar", "make or update a static library", ar_bind },
	{ "c++", "compile and link C++", cc_bind },
	{ "cc", "compile and link C", cc_bind },
	{ "clang", "compile and link C", clang_bind },
	{ "clang++", "compile and link C++", clang_bind },
	{ "g++", "compile and link C++", cc_bind },
	{ "gcc", "compile and link C", cc_bind },
	{ "gcc-ar", "make or update a static library", ar_bind },
	{ "gcc-ranlib", "index a static library", ranlib_bind },
	{ "gg-ml", "prepare, train, evaluate and combine", ml_bind },
	{ "ld", "link", ld_bind },
	{ "ld.bfd", "link", ld_bind },
	{ "objcopy", "copy and change object files", objcopy_bind },
	{ "ranlib", "index a static library", ranlib_bind },
	{ "strip", "take symbols out of object files", strip_bind },
};

/* x86_64-linux-gnu- and arm-none-eabi- name a target: two dashes at least.
 * Windows targets have other suffixes than the models know. */
static bool is_target(const char *s, size_t n)
{
	size_t dashes = 0;

	if (!n)
		return true;
	for (size_t i = 0; i < n; i++)
		dashes += s[i] == '-';
	if (dashes < 2 || s[n - 1] != '-')
		return false;
	return !memmem(s, n, "mingw", 5) && !memmem(s, n, "cygwin", 6) &&
	       !memmem(s, n, "darwin", 6) && !memmem(s, n, "windows", 7);
}

bool models_each_builtin(size_t *pos, struct model_info *out)
{
	if (*pos >= sizeof builtins / sizeof *builtins)
		return false;
	*out = (struct model_info){ "built-in", builtins[*pos].program };
	++*pos;
	return true;
}

const struct builtin *builtin_find(const char *base)
{
	size_t n = strlen(base), digits = n, k;

	while (digits && strchr("0123456789.", base[digits - 1]))
		digits--;
	if (digits < n && digits > 1 && base[digits - 1] == '-' && base[n - 1] != '.')
		n = digits - 1;
	for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++) {
		k = strlen(builtins[i].program);
		if (k <= n && memcmp(base + n - k, builtins[i].program, k) == 0 &&
		    is_target(base, n - k))
			return &builtins[i];
	}
	return NULL;
}

/* One word of a list: blanks end it, quotes and backslashes mean what GCC
 * takes them to mean (a backslash counts inside either quote). */
static bool list_word(const char **p, const char *end, char *out)
{
	const char *s = *p;
	char quote = 0;

	while (s < end && strchr(" \t\n\v\f\r", *s))
		s++;
	if (s == end)
		return false;
	for (; s < end; s++) {
		if (*s == '\\') {
			if (s + 1 < end)
				*out++ = *++s;
		} else if (quote ? *s == quote : *s == '"' || *s == '\'') {
			quote = quote ? 0 : *s;
		} else if (!quote && strchr(" \t\n\v\f\r", *s)) {
			break;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
	*p = s;
	return true;
}

enum {
	LIST_MAX_BYTES = 16 << 20,
	LIST_MAX_DEPTH = 16,
	LIST_MAX = 2000,
};

struct expansion {
	const char *cwd;
	struct arena *a;
	struct strs *out, *lists;
	const char *bad;
	unsigned depth;
	size_t n_bytes;         /* of all lists so far */
};

static bool expand(struct expansion *x, const char *const *args, size_t n);

/* Only a file is read: what comes out of a pipe would be gone afterwards. */
static bool take_list(struct expansion *x, const char *path)
{
	struct bytes text = { 0 };
	struct stat st;
	struct err e;
	struct strs words = { 0 };
	const char *p, *end, *full = path_clean(x->a, x->cwd, path);
	char *room;
	bool is_good;

	if (x->depth == LIST_MAX_DEPTH || x->lists->n >= LIST_MAX ||
	    x->n_bytes >= LIST_MAX_BYTES)
		x->bad = arena_printf(x->a, "@%s: lists inside lists without end",
				      path);
	else if (stat(full, &st) < 0 || !S_ISREG(st.st_mode))
		x->bad = arena_printf(x->a, "@%s is no file", path);
	else if (file_read(-1, full, LIST_MAX_BYTES - x->n_bytes, x->a, &text, &e) < 0)
		x->bad = arena_printf(x->a, "@%s: %s", path, e.text);
	else if (bytes_start(text, "gg-placeholder "))
		x->bad = arena_printf(x->a, "@%s is still a placeholder", path);
	else if (text.n && memchr(text.p, 0, text.n))
		x->bad = arena_printf(x->a, "@%s holds a NUL byte", path);
	if (x->bad)
		return false;
	x->n_bytes += text.n;
	strs_add(x->lists, path);
	p = text.p;
	end = text.p + text.n;
	room = arena_alloc(x->a, text.n + 1);
	while (list_word(&p, end, room)) {
		strs_add(&words, room);
		room += strlen(room) + 1;
	}
	x->depth++;
	is_good = expand(x, words.v, words.n);
	x->depth--;
	strs_release(&words);
	return is_good;
}

static bool expand(struct expansion *x, const char *const *args, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (args[i][0] != '@')
			strs_add(x->out, args[i]);
		else if (!take_list(x, args[i] + 1))
			return false;
	return true;
}

bool lists_expand(const char *cwd, const char *const *args, size_t n,
		  struct arena *a, struct strs *out, struct strs *lists,
		  const char **bad)
{
	struct expansion x = { .cwd = cwd, .a = a, .out = out, .lists = lists };
	bool is_good = expand(&x, args, n);

	*bad = x.bad;
	return is_good;
}
