/* Archives, stripping, copying and ld: command lines and what they do. */
#include <sys/stat.h>
#include <unistd.h>
#include "binding_text.h"

static char folder[] = "/tmp/gg-t-binutils-XXXXXX";

static const struct bound_row rows[] = {
	/* A new archive has no past; an old one is read too. */
	{ "ar rcs new.a a.o b.o", "<a.o <b.o >archive=new.a" },
	{ "ar cr new.a", ">archive=new.a" },
	{ "ar -rcs new.a a.o", "<a.o >archive=new.a" },
	{ "ar -r -c -s new.a a.o", "<a.o >archive=new.a" },
	{ "ar crD new.a -- a.o", "<a.o >archive=new.a" },
	{ "ar qcSv new.a a.o", "<a.o >archive=new.a" },
	{ "ar cru new.a a.o", "<a.o >archive=new.a" },
	{ "ar rcs old.a a.o", "<old.a <a.o >archive=old.a" },
	{ "ar rcs ./old.a a.o", "<./old.a <a.o >archive=./old.a" },
	{ "ar d old.a c.o", "<old.a >archive=old.a" },
	{ "ar m old.a c.o", "<old.a >archive=old.a" },
	{ "ar s old.a", "<old.a >archive=old.a" },
	{ "ar rc new.a @list", "<list <a.o <b c.o >archive=new.a" },
	{ "gcc-ar-12 rcs new.a a.o", "<a.o >archive=new.a" },
	{ "x86_64-linux-gnu-ar rcs new.a a.o", "<a.o >archive=new.a" },
	{ "ranlib old.a", "<old.a >archive=old.a" },
	{ "ranlib -D old.a new.a", "<old.a <new.a >archive=old.a >archive2=new.a" },
	{ "gcc-ranlib old.a", "<old.a >archive=old.a" },
	/* In place, or to another place; a program stays one. */
	{ "strip prog", "<prog >copy=prog*" },
	{ "strip a.o", "<a.o >copy=a.o" },
	{ "strip -g prog a.o", "<prog <a.o >copy=prog* >copy2=a.o" },
	{ "strip -s -o out prog", "<prog >copy=out*" },
	{ "strip --strip-unneeded -R .comment --remove-section=.note prog",
	  "<prog >copy=prog*" },
	{ "strip -K main -N x prog", "<prog >copy=prog*" },
	{ "objcopy prog", "<prog >copy=prog*" },
	{ "objcopy --only-keep-debug prog p.debug", "<prog >copy=p.debug*" },
	{ "objcopy -O binary a.o a.bin", "<a.o >copy=a.bin" },
	{ "objcopy --add-gnu-debuglink=p.debug prog", "<p.debug <prog >copy=prog*" },
	{ "objcopy --add-section .x=data --redefine-syms map a.o b.o",
	  "<data <map <a.o >copy=b.o" },
	{ "objcopy --dump-section .x=data a.o b.o", "<a.o >section=data >copy=b.o" },
	/* The linker by itself. */
	{ "ld a.o b.o -o prog2", "<a.o <b.o >program=prog2*" },
	{ "ld a.o", "<a.o >program=a.out*" },
	{ "ld -r -o ab.o a.o b.o", "<a.o <b.o >object=ab.o" },
	{ "ld -shared a.o -o x.so", "<a.o >library=x.so*" },
	{ "ld -T link.lds a.o --output=k", "<link.lds <a.o >program=k*" },
	{ "ld --script link.lds a.o -Map=k.map -ok", "<link.lds <a.o >map=k.map >program=k*" },
	{ "ld a.o -L lib -lfoo", "<a.o <lib/libfoo.a >program=a.out*" },
	{ "ld a.o --library-path=lib --library foo", "<a.o <lib/libfoo.a >program=a.out*" },
	{ "ld -m elf_x86_64 -z now -e start --defsym x=1 -u y -soname z a.o",
	  "<a.o >program=a.out*" },
	{ "ld -( a.o -) --build-id --build-id=sha1 -O1", "<a.o >program=a.out*" },
	{ "ld @list", "<list <a.o <b c.o >program=a.out*" },
};

static const struct refusal refusals[] = {
	{ "ar", "no operation" },
	{ "ar r", "no operation or no archive" },
	{ "ar t old.a", "prints" },
	{ "ar p old.a", "prints" },
	{ "ar x old.a", "prints" },
	{ "ar rcT new.a a.o", "way of its own" },
	{ "ar rca c.o old.a a.o", "way of its own" },
	{ "ar rcU new.a a.o", "dates" },
	{ "ar ru old.a a.o", "dates" },
	{ "ar rd old.a a.o", "two operations" },
	{ "ar --thin rc new.a a.o", "no option" },
	{ "ar -M", "way of its own" },
	{ "ar rc new.a /tmp/ccX.o", "temporary" },
	{ "ranlib", "no archive" },
	{ "ranlib -t old.a", "way of its own" },
	{ "strip", "0 files" },
	{ "strip -o x a.o b.o", "2 files" },
	{ "strip --version", "prints" },
	{ "strip --frob a.o", "no option" },
	{ "strip -U old.a", "dates" },
	{ "strip a.o -o", "no option" },
	{ "strip a.o a.o", "twice" },
	{ "objcopy a b c", "3 files" },
	{ "objcopy --add-section x a.o", "NAME=FILE" },
	{ "ld", "no input" },
	{ "ld -v", "prints" },
	{ "ld a.o -lc", "none of the project's folders" },
	{ "ld -plugin x.so a.o", "plugin" },
	{ "ld a.o -o a.o", "both read and write" },
	{ "ld -c script", "no linker option" },
	{ "ld --verbose", "prints" },
	{ "ld -L=/x a.o", "sysroot" },
};

static void rows_bind(void)
{
	check_bound(rows, sizeof rows / sizeof *rows, folder);
}

static void refusals_say_why(void)
{
	check_refusals(refusals, sizeof refusals / sizeof *refusals, folder);
}

static void a_compilers_linker_is_left_alone(void)
{
	static const char *env[] = { "COLLECT_GCC=gcc", NULL };
	struct bound o = { 0 };

	bind_line(&o, folder, "ld a.o -o x", env);
	CHECK(o.match == MATCH_REAL);
	CHECK(strstr(o.text, "a compiler has started it"));
	bound_release(&o);
}

static const struct test tests[] = {
	{ "a command line gives these reads and writes", rows_bind },
	{ "what cannot be expressed runs for real, with a reason", refusals_say_why },
	{ "the linker below a compiler is left alone", a_compilers_linker_is_left_alone },
	{ 0 },
};

static void put(const char *name, const char *text, mode_t mode)
{
	char path[256];
	struct err e;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	MUST(dir_make_above(-1, path, &e), e);
	MUST(file_write(-1, path, bytes_str(text), mode, 0, &e), e);
}

int main(void)
{
	struct err e;
	int rc;

	if (!mkdtemp(folder)) {
		printf("Bail out! no temporary folder\n");
		return 1;
	}
	put("old.a", "x", 0644);
	put("prog", "x", 0755);
	put("a.o", "x", 0644);
	put("link.lds", "x", 0644);
	put("lib/libfoo.a", "x", 0644);
	put("list", "a.o 'b c.o'", 0644);
	rc = test_main(tests);
	MUST(dir_remove(-1, folder, &e), e);
	return rc;
}
