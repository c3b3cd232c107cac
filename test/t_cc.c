/* Compilers: command lines and what their model says of them.
 *
 * `t_cc show ARGS...` prints the binding of one command, for cc_truth.sh. */
#include <sys/stat.h>
#include <unistd.h>
#include "../src/thunk/draft.h"
#include "binding_text.h"

static char folder[] = "/tmp/gg-t-cc-XXXXXX";

static const struct row {
	const char *command, *text, *scan;
} rows[] = {
	/* One source, one output. */
	{ "gcc -c a.c", "<a.c >object=a.o", "-M a.c" },
	{ "gcc -c sub/a.c", "<sub/a.c >object=a.o", "-M sub/a.c" },
	{ "gcc -c a.c -o x.o", "<a.c >object=x.o", "-M a.c" },
	{ "gcc -c a.c -ox.o", "<a.c >object=x.o", "-M a.c" },
	{ "gcc -o x.o -c a.c", "<a.c >object=x.o", "-M a.c" },
	{ "gcc -c b.2.c", "<b.2.c >object=b.2.o", "-M b.2.c" },
	{ "gcc -S a.c", "<a.c >assembly=a.s", "-M a.c" },
	{ "gcc -E a.c -o a.i", "<a.c >text=a.i", "-M a.c" },
	{ "gcc -c a.c -o x -o y", "<a.c >object=y", "-M a.c" },
	{ "gcc -c -c a.c", "<a.c >object=a.o", "-M a.c" },
	{ "cc -O2 -Wall -std=c17 -march=native -c a.c", "<a.c >object=a.o",
	  "-M -O2 -Wall -std=c17 -march=native a.c" },
	{ "g++ -c a.cc", "<a.cc >object=a.o", "-M a.cc" },
	{ "c++ -c a.C", "<a.C >object=a.o", "-M a.C" },
	{ "gcc-12 -c a.c", "<a.c >object=a.o", "-M a.c" },
	{ "x86_64-linux-gnu-gcc-12 -c a.c", "<a.c >object=a.o", "-M a.c" },
	{ "clang -c a.c -o x.o", "<a.c >object=x.o", "-M a.c" },
	/* Options with values, joined and apart. */
	{ "gcc -I inc -Iinc2 -D X=1 -DY -U Z -isystem sys -c a.c", "<a.c >object=a.o",
	  "-M -I inc -Iinc2 -D X=1 -DY -U Z -isystem sys a.c" },
	{ "gcc -iquote q -idirafter d -c a.c", "<a.c >object=a.o",
	  "-M -iquote q -idirafter d a.c" },
	{ "gcc -include pre.h -c a.c", "<pre.h? <a.c >object=a.o",
	  "-M -include pre.h a.c" },
	{ "gcc -imacros pre.h -c a.c", "<pre.h? <a.c >object=a.o",
	  "-M -imacros pre.h a.c" },
	{ "gcc --param x=1 --param=y=2 -c a.c", "<a.c >object=a.o",
	  "-M --param x=1 --param=y=2 a.c" },
	{ "gcc -D -c a.c b.o", "<a.c <b.o >program=a.out*", "-M -D -c a.c" },
	{ "gcc -Wa,--noexecstack,--defsym,X=1 -c a.c", "<a.c >object=a.o", "-M a.c" },
	{ "gcc -Wp,-D_FORTIFY_SOURCE=2 -c a.c", "<a.c >object=a.o",
	  "-M -Wp,-D_FORTIFY_SOURCE=2 a.c" },
	{ "gcc -pipe -pthread -c a.c", "<a.c >object=a.o", "-M -pthread a.c" },
	{ "gcc -c fuzztest.c", "<fuzztest.c >object=fuzztest.o", "-M fuzztest.c" },
	{ "gcc -c /usr/src/x/y.c -o y.o", "</usr/src/x/y.c >object=y.o",
	  "-M /usr/src/x/y.c" },
	/* Several sources. */
	{ "gcc -c a.c b.c", "<a.c <b.c >object=a.o >object2=b.o", "-M a.c b.c" },
	{ "gcc a.c b.c -o prog", "<a.c <b.c >program=prog*", "-M a.c b.c" },
	{ "gcc a.c", "<a.c >program=a.out*", "-M a.c" },
	{ "gcc a.c s.s S.S -o prog", "<a.c <s.s <S.S >program=prog*", "-M a.c S.S" },
	{ "gcc -c s.s", "<s.s >object=s.o", "" },
	{ "gcc -c a.i", "<a.i >object=a.o", "" },
	/* Languages by name. */
	{ "gcc -x c -c odd", "<odd >object=odd.o", "-M -x c odd" },
	{ "gcc -xc++ -c a.c -x none b.c", "<a.c <b.c >object=a.o >object2=b.o",
	  "-M -x c++ a.c -x none b.c" },
	{ "gcc -c -x assembler-with-cpp s.s", "<s.s >object=s.o",
	  "-M -x assembler-with-cpp s.s" },
	/* Dependencies: the file's name. */
	{ "gcc -MD -c a.c", "<a.c >deps=a.d >object=a.o", "-M a.c" },
	{ "gcc -MMD -MP -MF k.d -MT t -c a.c -o x.o", "<a.c >deps=k.d >object=x.o",
	  "-M a.c" },
	{ "gcc -MD -c a.c -o sub/x.y.o", "<a.c >deps=sub/x.y.d >object=sub/x.y.o",
	  "-M a.c" },
	{ "gcc -MD -c a.c -o d.x/x", "<a.c >deps=d.x/x.d >object=d.x/x", "-M a.c" },
	{ "gcc -MD -c a.c b.c", "<a.c <b.c >deps=a.d >deps2=b.d >object=a.o >object2=b.o",
	  "-M a.c b.c" },
	{ "gcc -MD a.c b.c -o prog", "<a.c <b.c >deps=prog.d >program=prog*",
	  "-M a.c b.c" },
	{ "gcc -MD a.c b.c", "<a.c <b.c >deps=a-a.d >deps2=a-b.d >program=a.out*",
	  "-M a.c b.c" },
	{ "clang -MD a.c b.c", "<a.c <b.c >deps=a.d >deps2=b.d >program=a.out*",
	  "-M a.c b.c" },
	{ "gcc -MD -c s.s", "<s.s >object=s.o", "" },
	{ "gcc -Wp,-MMD,k.d -c a.c", "<a.c >deps=k.d >object=a.o", "-M a.c" },
	{ "gcc -MM a.c -MF k.d", "<a.c >deps=k.d", "-M a.c" },
	{ "gcc -M a.c -o k.d", "<a.c >deps=k.d", "-M a.c" },
	/* By-products. */
	{ "gcc --coverage -c a.c -o sub/x.o", "<a.c >coverage=sub/x.gcno >object=sub/x.o",
	  "-M a.c" },
	{ "gcc --coverage a.c b.c -o sub/prog.exe",
	  "<a.c <b.c >coverage=sub/prog-a.gcno >coverage2=sub/prog-b.gcno "
	  ">program=sub/prog.exe*", "-M a.c b.c" },
	{ "gcc -fstack-usage a.c -o p.x", "<a.c >stack=p.x-a.su >program=p.x*",
	  "-M a.c" },
	{ "gcc -g -gsplit-dwarf -c a.c", "<a.c >dwarf=a.dwo >object=a.o", "-M a.c" },
	/* Linking. */
	{ "gcc a.o b.o -o prog", "<a.o <b.o >program=prog*", "" },
	{ "gcc -shared -fPIC a.o -o libx.so", "<a.o >library=libx.so*", "" },
	{ "gcc -r a.o b.o -o c.o", "<a.o <b.o >object=c.o", "" },
	{ "gcc a.o libz.a sub/liby.so -lm -o prog",
	  "<a.o <libz.a <sub/liby.so >program=prog*", "" },
	{ "gcc a.o -Llib -lfoo -o prog", "<a.o <lib/libfoo.so >program=prog*", "" },
	{ "gcc a.o -lfoo -L lib -o prog", "<a.o <lib/libfoo.so >program=prog*", "" },
	{ "gcc -static a.o -Llib -lfoo -o prog", "<a.o <lib/libfoo.a >program=prog*", "" },
	{ "gcc a.o -Llib -Wl,-Bstatic -lfoo -Wl,-Bdynamic -lfoo -o p",
	  "<a.o <lib/libfoo.a <lib/libfoo.so >program=p*", "" },
	{ "gcc a.o -Llib -Wl,--push-state,-Bstatic -lfoo -Wl,--pop-state -lfoo -o p",
	  "<a.o <lib/libfoo.a <lib/libfoo.so >program=p*", "" },
	{ "gcc a.o -Llib -l bar -l:odd.a -o p",
	  "<a.o <lib/libbar.a <lib/odd.a >program=p*", "" },
	{ "gcc a.o -T link.lds -o p", "<a.o <link.lds >program=p*", "" },
	{ "gcc a.o -Llib -Wl,-T,only.lds -o p", "<a.o <lib/only.lds >program=p*", "" },
	{ "gcc a.o -Wl,--version-script=v.map -shared -o x.so",
	  "<a.o <v.map >library=x.so*", "" },
	{ "gcc a.o -Wl,-Map=p.map -o p", "<a.o >map=p.map >program=p*", "" },
	{ "gcc a.o -Wl,-Map -Wl,p.map -o p", "<a.o >map=p.map >program=p*", "" },
	{ "gcc a.o -Xlinker -Map -Xlinker p.map -o p", "<a.o >map=p.map >program=p*", "" },
	{ "gcc a.o -Wl,--whole-archive libz.a -Wl,--no-whole-archive -o p",
	  "<a.o <libz.a >program=p*", "" },
	{ "gcc a.o -Wl,--start-group libz.a libz.a -Wl,--end-group -o p",
	  "<a.o <libz.a >program=p*", "" },
	{ "gcc a.o -Wl,-rpath,lib -o p", "<a.o >program=p*", "" },
	{ "gcc a.o sub/liby.so -Wl,-rpath-link=lib -o p",
	  "<a.o <sub/liby.so <lib/libfoo.so? >program=p*", "" },
	{ "gcc -flto -O2 a.o b.c -o p", "<b.c <a.o >program=p*", "-M -flto -O2 b.c" },
	/* Response files. */
	{ "gcc @a.rsp", "<a.rsp <a.c >object=x y.o", "-M -I inc dir a.c" },
	{ "gcc a.o -Wl,@wl.rsp -o p", "<wl.rsp <a.o >map=p.map >program=p*", "" },
};

static const struct refusal refusals[] = {
	{ "gcc", "no input file" },
	{ "gcc --version", "prints" },
	{ "gcc -v -c a.c", "prints" },
	{ "gcc -### a.c", "prints" },
	{ "gcc -dumpversion", "dumps or prints" },
	{ "gcc -print-file-name=x", "prints" },
	{ "gcc -E a.c", "prints" },
	{ "gcc -M a.c", "prints" },
	{ "gcc -MM a.c -MF k.d -o k", "unclear" },
	{ "gcc -c -", "standard streams" },
	{ "gcc -c a.c -o -", "standard streams" },
	{ "gcc -c a.c -o /dev/null", "no ordinary file" },
	{ "gcc -c a.c -o", "no option" },
	{ "gcc -c a.c b.c -o x.o", "one -o" },
	{ "gcc -c sub/a.c a.c", "twice" },
	{ "gcc -c -S a.c", "another of" },
	{ "gcc -c a.c -MF k.d", "without" },
	{ "gcc -c a.c b.c -MD -MF k.d", "each source" },
	{ "gcc -c a.c b.o", "takes no part" },
	{ "gcc -c a.c -o a.c", "both read and write" },
	{ "gcc a.h", "not modelled" },
	{ "gcc -x f95 a.f", "not modelled" },
	{ "gcc -save-temps -c a.c", "names only the compiler knows" },
	{ "gcc -fplugin=x.so -c a.c", "code" },
	{ "gcc -fdump-tree-all -c a.c", "names" },
	{ "gcc -fprofile-use -c a.c", "looks for" },
	{ "gcc -fmodules-ts -c a.cc", "modules" },
	{ "gcc -Wa,-a=list -c a.c", "no assembler option" },
	{ "gcc -Wl,-o,x a.o", "behind" },
	{ "gcc -Wl,--plugin,x.so a.o", "plugin" },
	{ "gcc -Wl,-Map,d.x a.o", "linker's choice" },
	{ "gcc -Wl,--frobnicate a.o", "no linker option" },
	{ "gcc -Bparts -c a.c", "from the project" },
	{ "gcc --sysroot=sysroot a.o", "from the project" },
	{ "gcc --frobnicate -c a.c", "no option" },
	{ "gcc -c conftest.c", "exit status" },
	{ "gcc -o conftest conftest1.o", "exit status" },
	{ "gcc -c ztest4711.c", "exit status" },
	{ "gcc -c build/CMakeFiles/CMakeScratch/x/t.c", "exit status" },
	{ "gcc a.c -o /tmp/ffconf.x/test", "temporary" },
	{ "gcc @absent.rsp", "no file" },
	{ "gcc @d.x", "no file" },
	{ "gcc @placeholder.rsp", "placeholder" },
	{ "gcc @loop.rsp", "without end" },
	{ "gcc /tmp/ccX.o -o p", "temporary" },
	{ "clang --coverage a.c -o p", "unclear" },
	{ "clang -cc1 a.c", "part of a compile" },
	{ "clang -Xclang -load -c a.c", "inside" },
	{ "clang @a.rsp", "own way" },
};

static void rows_bind(void)
{
	struct bound o = { 0 };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int before = test_failures;
		const char *scan;

		bind_line(&o, folder, rows[i].command, NULL);
		CHECK_STR(o.text, rows[i].text);
		scan = o.b.n_scan ? joined(o.b.scan + 1, o.b.n_scan - 1, &o.a) : "";
		CHECK_STR(scan, rows[i].scan);
		if (test_failures != before)
			printf("# in: %s\n", rows[i].command);
		bound_release(&o);
	}
}

static void refusals_say_why(void)
{
	check_refusals(refusals, sizeof refusals / sizeof *refusals, folder);
}

static bool names_env(const struct binding *b, const char *name)
{
	for (size_t i = 0; i < b->n_env; i++)
		if (strcmp(b->env[i], name) == 0)
			return true;
	return false;
}

static void folder_enters_debug_information(void)
{
	struct arena a = { 0 };
	const struct {
		const char *command;
		bool names_folder;
	} cases[] = {
		{ "gcc -c a.c", false },
		{ "gcc -g -c a.c", true },
		{ "gcc -ggdb3 a.c -o p", true },
		{ "gcc -gsplit-dwarf -c a.c", true },
		{ "gcc --coverage -c a.c", true },
		{ "gcc -g a.o -o p", false },
		{ "gcc -g -ffile-prefix-map=/elsewhere=. -c a.c", true },
		{ arena_printf(&a, "gcc -g -ffile-prefix-map=%s=. -c a.c", folder), false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bound o = { 0 };

		bind_line(&o, folder, cases[i].command, NULL);
		CHECK(o.b.n_writes > 0);
		CHECK(names_env(&o.b, "PWD") == cases[i].names_folder);
		CHECK(names_env(&o.b, "CPATH"));
		CHECK(names_env(&o.b, "SOURCE_DATE_EPOCH"));
		bound_release(&o);
	}
	arena_release(&a);
}

static void environment_counts(void)
{
	static const char *dirs[] = { "LIBRARY_PATH=lib", NULL };
	static const char *deps[] = { "DEPENDENCIES_OUTPUT=x", NULL };
	static const char *inner[] = { "COLLECT_GCC=gcc", NULL };
	struct bound o = { 0 };

	bind_line(&o, folder, "gcc a.o -lfoo -o p", dirs);
	CHECK_STR(o.text, "<a.o <lib/libfoo.so >program=p*");
	bound_release(&o);
	bind_line(&o, folder, "gcc -c a.c", deps);
	CHECK(strstr(o.text, "DEPENDENCIES_OUTPUT"));
	bound_release(&o);
	bind_line(&o, folder, "gcc -c a.c", inner);
	CHECK(strstr(o.text, "another compiler"));
	bound_release(&o);
}

static void probe_keeps_what_chooses_parts(void)
{
	static const struct {
		const char *command, *probe;
	} probes[] = {
		{ "gcc -O2 -Wall -DX -Iy -c a.c", "-### -c -x c /dev/null" },
		{ "gcc -O2 -m32 -c a.c b.c s.s",
		  "-### -m32 -c -x c /dev/null -x assembler /dev/null" },
		{ "gcc a.o -o p", "-### /dev/null" },
		{ "gcc a.o -lm -Llib -lfoo -L/usr/lib -static-libgcc -o p",
		  "-### -static-libgcc /dev/null -L/usr/lib -lm" },
		{ "gcc -fopenmp -pthread a.c -o p",
		  "-### -fopenmp -pthread -x c /dev/null" },
		{ "gcc a.o -Wl,-Bstatic -lz -Wl,-Bdynamic -lm -o p",
		  "-### /dev/null -Wl,-Bstatic -lz -Wl,-Bdynamic -lm" },
		{ "gcc -static a.o -lm -o p", "-### -static /dev/null -lm" },
		{ "gcc a.o -Wl,-Bstatic -lz -o p", "-### /dev/null -Wl,-Bstatic -lz" },
	};
	struct bound o = { 0 };

	for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
		bind_line(&o, folder, probes[i].command, NULL);
		CHECK(o.b.n_probe > 0);
		CHECK_STR(o.b.n_probe ? joined(o.b.probe + 1, o.b.n_probe - 1, &o.a) : "",
			  probes[i].probe);
		bound_release(&o);
	}
}

static void output_to_a_file_is_no_print(void)
{
	const char *args[] = { "gcc", "-E", "a.c" };
	struct command c = {
		.program = "/usr/bin/gcc", .args = args, .n_args = 3, .cwd = folder,
		.std[1] = { .kind = STREAM_FILE, .path = "/x/a.i" },
	};
	struct arena a = { 0 };
	struct binding b;

	CHECK(builtin_find("gcc")->bind(&c, &a, &b, NULL) == MATCH_BOUND);
	CHECK(b.n_writes == 0 && b.n_reads == 1);
	arena_release(&a);
}

static void names_are_found(void)
{
	static const char *const known[] = {
		"gcc", "cc", "g++", "c++", "clang", "clang++", "gcc-12", "g++-4.8",
		"clang++-14", "x86_64-linux-gnu-gcc", "aarch64-linux-gnu-g++-12",
		"arm-none-eabi-gcc", "ar", "ranlib", "strip", "ld", "objcopy", "gcc-ar-12",
		"x86_64-linux-gnu-ar",
	};
	static const char *const unknown[] = {
		"", "-", "12", "-12", "gccx", "xgcc", "afl-gcc", "gcc-", "gcc-x", "tar",
		"x86_64-w64-mingw32-gcc", "gcc-12-", "gcc-.", "musl-gcc", "llvm-ar",
		"ld.gold", "python3",
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		CHECK(builtin_find(known[i]));
		if (!builtin_find(known[i]))
			printf("# not found: %s\n", known[i]);
	}
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		CHECK(!builtin_find(unknown[i]));
		if (builtin_find(unknown[i]))
			printf("# found: %s\n", unknown[i]);
	}
}

static void lists_are_read_as_gcc_does(void)
{
	static const char *args[] = { "gcc", "@quotes.rsp", "end" };
	static const char *const want[] = {
		"gcc", "a b", "c\"d", "e\\f", "g'h", "", "x y", "nested", "end",
	};
	struct strs out = { 0 }, lists = { 0 };
	struct arena a = { 0 };
	const char *bad;

	CHECK(lists_expand(folder, args, 3, &a, &out, &lists, &bad));
	CHECK(out.n == sizeof want / sizeof *want);
	for (size_t i = 0; i < out.n && i < sizeof want / sizeof *want; i++)
		CHECK_STR(out.v[i], want[i]);
	CHECK(lists.n == 2);
	strs_release(&out);
	strs_release(&lists);
	arena_release(&a);
}

static const struct test tests[] = {
	{ "programs are known by name, version and target", names_are_found },
	{ "a command line gives these reads, writes and scan", rows_bind },
	{ "what cannot be expressed runs for real, with a reason", refusals_say_why },
	{ "the working folder counts where debug information names it",
	  folder_enters_debug_information },
	{ "the environment is heard", environment_counts },
	{ "a probe keeps what chooses the compiler's parts",
	  probe_keeps_what_chooses_parts },
	{ "printing into a file of its own is no reason to run for real",
	  output_to_a_file_is_no_print },
	{ "an @list is cut into words as gcc does it", lists_are_read_as_gcc_does },
	{ 0 },
};

static void put(const char *name, const char *text)
{
	char path[256];
	struct err e;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	MUST(dir_make_above(-1, path, &e), e);
	MUST(file_write(-1, path, bytes_str(text), 0644, 0, &e), e);
}

static void make_folder(void)
{
	if (!mkdtemp(folder)) {
		printf("Bail out! no temporary folder\n");
		exit(1);
	}
	put("lib/libfoo.so", "x");
	put("lib/libfoo.a", "x");
	put("lib/libbar.a", "x");
	put("lib/odd.a", "x");
	put("lib/only.lds", "x");
	put("link.lds", "x");
	put("d.x/keep", "x");
	put("sub/a.c", "x");
	put("a.rsp", "-I \"inc dir\"\n-c a.c -o 'x y.o'\n");
	put("wl.rsp", "-Map p.map");
	put("loop.rsp", "@loop.rsp");
	put("placeholder.rsp", "gg-placeholder 1\nthunk ...\n");
	put("quotes.rsp", " 'a b' c\\\"d\n\"e\\\\f\"\tg\"'\"h '' x\\ y @nested.rsp\n");
	put("nested.rsp", "nested");
}

static int show(int argc, char **argv)
{
	struct arena a = { 0 };
	struct buf why = { 0 };
	struct binding b;
	char *cwd = getcwd(NULL, 0);
	enum match m = bind_args((const char **)argv, (size_t)argc, NULL, cwd, &a, &b,
				 &why);

	printf("%s\n", binding_text(m, &b, &why, &a, "\n"));
	for (size_t i = 0; i < b.n_scan; i++)
		printf("scan %s\n", b.scan[i]);
	for (size_t i = 0; i < b.n_probe; i++)
		printf("probe %s\n", b.probe[i]);
	arena_release(&a);
	buf_release(&why);
	free(cwd);
	return 0;
}

int main(int argc, char **argv)
{
	struct err e;
	int rc;

	if (argc > 2 && strcmp(argv[1], "show") == 0)
		return show(argc - 2, argv + 2);
	make_folder();
	rc = test_main(tests);
	MUST(dir_remove(-1, folder, &e), e);
	return rc;
}
