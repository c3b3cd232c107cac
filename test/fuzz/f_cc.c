/* f_cc.c - command lines of compilers and binutils out of any bytes
 *
 * The input is split at newlines: the first line chooses the program, the
 * others are its arguments; what follows a NUL is the content of an @list,
 * which the argument @list names.  What binds must keep the promises of
 * model.h, whatever the arguments were.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../../src/thunk/builtin.h"
#include "../../src/thunk/draft.h"
#include "file.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const char *const programs[] = {
	"gcc", "g++", "clang", "ar", "ranlib", "strip", "objcopy", "ld",
};

static void check(const struct binding *b, struct arena *a, const char *cwd)
{
	if (!b->rule || (b->n_reads && !b->reads))
		abort();
	for (size_t i = 0; i < b->n_reads; i++)
		if (!*b->reads[i].path || b->reads[i].is_dir || b->reads[i].is_glob)
			abort();
	for (size_t i = 0; i < b->n_writes; i++) {
		const struct bound_write *w = &b->writes[i];

		if (!*w->name || strlen(w->name) > 255 || !*w->path)
			abort();
		for (size_t k = 0; k < i; k++)
			if (strcmp(w->name, b->writes[k].name) == 0 ||
			    strcmp(path_clean(a, cwd, w->path),
				   path_clean(a, cwd, b->writes[k].path)) == 0)
				abort();
	}
	for (size_t i = 0; i < b->n_env; i++)
		if (!*b->env[i] || strchr(b->env[i], '='))
			abort();
	if (b->n_scan == 1 || b->n_probe == 1)
		abort();
	for (size_t i = 0; i < b->n_scan; i++)
		if (strcmp(b->scan[i], "-o") == 0 && i == 1)
			abort();
}

static void bind(const char *program, struct strs *args)
{
	static const char *env[] = { "LIBRARY_PATH=lib::/usr/lib", "PWD=/x", "TMPDIR=/t",
				     NULL };
	struct command c = {
		.args = args->v, .n_args = args->n, .env = env, .n_env = 3,
		.cwd = "/usr", .program = "/usr/bin/gcc",
	};
	const struct builtin *m = builtin_find(program);
	struct binding with, without;
	struct arena a = { 0 };
	struct buf why = { 0 };
	enum match found;

	if (!m)
		abort();
	found = m->bind(&c, &a, &with, &why);
	if (found == MATCH_NONE || m->bind(&c, &a, &without, NULL) != found)
		abort();
	if (found == MATCH_REAL && (!why.n || why.p[why.n - 1] != '\n'))
		abort();
	if (found == MATCH_BOUND)
		check(&with, &a, c.cwd);
	buf_release(&why);
	arena_release(&a);
}

/* The list rests in a file that has no name but that of its descriptor. */
static int put_list(const char *p, size_t n, char *name, size_t room)
{
	int fd = memfd_create("list", MFD_CLOEXEC);

	if (fd < 0 || file_write_fd(fd, p, n) < 0)
		abort();
	snprintf(name, room, "@/proc/self/fd/%d", fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const char *text = (const char *)p, *nul = memchr(text, 0, n);
	size_t n_text = nul ? (size_t)(nul - text) : n;
	struct strs args = { 0 }, out = { 0 }, lists = { 0 };
	struct arena a = { 0 };
	char name[64];
	const char *program, *bad;
	int fd;

	if (!n)
		return 0;
	fd = nul ? put_list(nul + 1, n - n_text - 1, name, sizeof name) : -1;
	program = programs[p[0] % (sizeof programs / sizeof *programs)];
	strs_add(&args, program);
	for (char *s = arena_strn(&a, text, n_text), *nl; s; s = nl) {
		nl = strchr(s, '\n');
		if (nl)
			*nl++ = 0;
		if (args.n > 1 || s != text)
			strs_add(&args, nul && strcmp(s, "@list") == 0 ? name : s);
	}
	bind(program, &args);
	if (lists_expand("/usr", args.v, args.n, &a, &out, &lists, &bad) &&
	    out.n + lists.n < args.n)
		abort();
	if (fd >= 0)
		close(fd);
	strs_release(&args);
	strs_release(&out);
	strs_release(&lists);
	arena_release(&a);
	return 0;
}
