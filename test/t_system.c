/* Which files of the system a program is made of, and what compilers say.
 *
 * `t_system show PROGRAM` reads what a probe printed and prints the files. */
#include <sys/stat.h>
#include <unistd.h>
#include "../src/thunk/elf_needs.h"
#include "file.h"
#include "model.h"
#include "test.h"

/* Not below /tmp: what a driver says of files there is of no use. */
static char folder[] = "/var/tmp/gg-t-system-XXXXXX";

static const char *in_folder(struct arena *a, const char *name)
{
	return arena_printf(a, "%s/%s", folder, name);
}

static void put(const char *name, const char *text)
{
	struct arena a = { 0 };
	const char *path = in_folder(&a, name);
	struct err e;

	MUST(dir_make_above(-1, path, &e), e);
	MUST(file_write(-1, path, bytes_str(text), 0644, 0, &e), e);
	arena_release(&a);
}

/* Text with each % replaced by the folder; what is found, below the folder,
 * with blanks between. */
static const char *found(struct arena *a, const char *said, const char *search)
{
	struct strs out = { 0 };
	struct buf b = { 0 }, got = { 0 };
	const char *text;
	size_t n = strlen(folder);

	buf_str(&b, "");
	buf_str(&got, "");
	for (; *said; said++) {
		if (*said == '%')
			buf_str(&b, folder);
		else
			buf_char(&b, *said);
	}
	system_files("/nowhere/cc", buf_bytes(&b), search, a, &out);
	for (size_t i = 0; i < out.n; i++)
		if (strncmp(out.v[i], folder, n) == 0)
			buf_printf(&got, "%s%s", got.n ? " " : "", out.v[i] + n + 1);
	text = arena_strn(a, got.p, got.n);
	buf_release(&b);
	buf_release(&got);
	strs_release(&out);
	return text;
}

static void commands_name_their_parts(void)
{
	struct arena a = { 0 };

	CHECK_STR(found(&a, " %/libexec/cc1 -quiet %/gone -o %/crt1.o\n", ""),
		  "libexec/cc1");
	CHECK_STR(found(&a, " \"%/libexec/cc1\" \"%/with space\"\n", ""),
		  "libexec/cc1 with space");
	CHECK_STR(found(&a, " as --64\nCOMPILER_PATH=%/none:%/bin\n", ""), "bin/as");
	CHECK_STR(found(&a, " as --64\n", in_folder(&a, "bin")), "bin/as");
	CHECK_STR(found(&a, "Reading specs from %/crt1.o\n", ""), "crt1.o");
	CHECK_STR(found(&a, "%/crt1.o is no command\n", ""), "");
	CHECK_STR(found(&a, " %/libexec/collect2 -plugin-opt=%/crt1.o\n"
			"COMPILER_PATH=%/bin\n", ""),
		  "bin/ld crt1.o libexec/collect2 libexec/lto1");
	CHECK_STR(found(&a, " %/libexec/collect2 -fuse-ld=odd\nCOMPILER_PATH=%/bin", ""),
		  "bin/ld.odd libexec/collect2 libexec/lto1");
	arena_release(&a);
}

static void libraries_are_sought_as_the_linker_does(void)
{
	struct arena a = { 0 };

	CHECK_STR(found(&a, " x -L%/none -L%/lib -lone\n", ""), "lib/libone.so");
	CHECK_STR(found(&a, " x -L%/lib -Bstatic -lone\n", ""), "lib/libone.a");
	CHECK_STR(found(&a, " x -L%/lib -static -Bdynamic -lone\n", ""), "lib/libone.so");
	CHECK_STR(found(&a, " x -L%/lib -l:libone.a -labsent\n", ""), "lib/libone.a");
	CHECK_STR(found(&a, " x -L%/lib -lscript\n", ""),
		  "lib/libone.so lib/libscript.so lib/libtwo.so.2");
	CHECK_STR(found(&a, " x -L%/lib -lloop\n", ""), "lib/libloop.so");
	arena_release(&a);
}

static void a_program_brings_its_libraries(void)
{
	struct strs out = { 0 };
	struct arena a = { 0 };
	bool has_libc = false;

	system_files("/bin/sh", (struct bytes){ 0 }, "", &a, &out);
	for (size_t i = 0; i < out.n; i++) {
		has_libc |= strstr(out.v[i], "/libc.so") != NULL;
		CHECK(out.v[i][0] == '/' && access(out.v[i], R_OK) == 0);
		CHECK(i == 0 || strcmp(out.v[i - 1], out.v[i]) < 0);
	}
	CHECK(has_libc);
	CHECK(out.n >= 3);
	strs_release(&out);
	arena_release(&a);
}

/* Each byte of the headers of a real program is broken in turn, and the file
 * cut short: whatever that says, nothing outside the file is read. */
static void broken_programs_do_no_harm(void)
{
	enum { HEAD = 1024, STEP = 3 };
	struct arena a = { 0 }, each = { 0 };
	const char *path = in_folder(&a, "broken");
	struct elf_needs needs;
	struct bytes whole;
	struct err e;
	char *copy;

	MUST(file_read(-1, "/bin/sh", 1 << 26, &a, &whole, &e), e);
	CHECK(whole.n > HEAD);
	copy = arena_strn(&a, whole.p, whole.n);
	for (size_t i = 0; i < HEAD; i += STEP) {
		copy[i] = (char)~copy[i];
		MUST(file_write(-1, path, (struct bytes){ copy, whole.n }, 0644, 0, &e), e);
		elf_needs(path, &each, &needs);
		strs_release(&needs.needed);
		copy[i] = whole.p[i];
		MUST(file_write(-1, path, (struct bytes){ copy, i }, 0644, 0, &e), e);
		CHECK(!elf_needs(path, &each, &needs) || i >= 64);
		strs_release(&needs.needed);
		arena_reset(&each);
	}
	arena_release(&each);
	arena_release(&a);
}

static const struct test tests[] = {
	{ "the commands of a probe name their parts", commands_name_their_parts },
	{ "-l leads to what the linker would take", libraries_are_sought_as_the_linker_does },
	{ "a program brings its shared libraries", a_program_brings_its_libraries },
	{ "a broken program does no harm", broken_programs_do_no_harm },
	{ 0 },
};

static int show(const char *program)
{
	struct strs out = { 0 };
	struct arena a = { 0 };
	struct buf said = { 0 };
	char piece[4096];
	size_t n;

	while ((n = fread(piece, 1, sizeof piece, stdin)) > 0)
		buf_add(&said, piece, n);
	system_files(program, buf_bytes(&said), getenv("PATH"), &a, &out);
	for (size_t i = 0; i < out.n; i++)
		puts(out.v[i]);
	buf_release(&said);
	strs_release(&out);
	arena_release(&a);
	return 0;
}

int main(int argc, char **argv)
{
	struct err e;
	int rc;

	if (argc == 3 && strcmp(argv[1], "show") == 0)
		return show(argv[2]);
	if (!mkdtemp(folder)) {
		printf("Bail out! no temporary folder\n");
		return 1;
	}
	put("libexec/cc1", "x");
	put("libexec/collect2", "x");
	put("libexec/lto1", "x");
	put("bin/as", "x");
	put("bin/ld", "x");
	put("bin/ld.odd", "x");
	put("crt1.o", "x");
	put("with space", "x");
	put("lib/libone.so", "x");
	put("lib/libone.a", "!<arch>\n");
	put("lib/libtwo.so.2", "x");
	put("lib/libscript.so", "/* a script */ GROUP ( libtwo.so.2 AS_NEEDED ( -lone ) )");
	put("lib/libloop.so", "INPUT(-lloop libloop.so)");
	rc = test_main(tests);
	MUST(dir_remove(-1, folder, &e), e);
	return rc;
}
