/* t_thunk.c - thunk texts: what is written is read, what breaks a rule is
 * refused by writer and reader, with the line */
#include <time.h>
#include "recode.h"
#include "test.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HEAD "gg-thunk 1\narg a\ncwd .\n"
#define END  "runtime host " ID_A "\n"
#define IN   "in value " ID_A " "

/* Each is line N of the error and what it must speak of. */
static const struct refusal {
	const char *text, *begins, *mentions;
} refusals[] = {
	/* order and number of lines */
	{ "gg-thunk 1\ncwd .\n" END, "line 2:", "arg" },
	{ "gg-thunk 1\n", "line 2:", "ends" },
	{ "gg-thunk 1\narg a\n" END, "line 3:", "cwd" },
	{ "gg-thunk 1\ncwd .\narg a\n" END, "line 2:", "arg" },
	{ "gg-thunk 1\narg a\ncwd .\ncwd .\n" END, "line 4:", "cwd" },
	{ HEAD "arg b\n" END, "line 4:", "arg b" },
	{ HEAD IN "x\nenv A=1\n" END, "line 5:", "env A=1" },
	{ HEAD "out o o\n" IN "x\n" END, "line 5:", "in value" },
	{ HEAD IN "x\nout o o\nstdout o\nstdin x\n" END, "line 7:", "stdin" },
	{ HEAD "out o o\nstderr o\nstdout o\n" END, "line 6:", "stdout" },
	{ HEAD "out o o\nstdout o\nstdout o\n" END, "line 6:", "stdout" },
	{ HEAD END "network yes\n", "line 5:", "network" },
	{ HEAD "network yes\nnetwork yes\n" END, "line 5:", "network" },
	{ HEAD END END, "line 5:", "runtime" },
	{ HEAD END "\n", "line 5:", "does not belong" },
	{ HEAD, "line 4:", "runtime" },
	{ HEAD "runtime host " ID_A, "line 4:", "text ends within" },
	{ "gg-thunk 1\narg a", "line 2:", "text ends within" },
	{ HEAD "\n" END, "line 4:", "runtime" },
	/* words and spaces */
	{ HEAD "mode fast\n" END, "line 4:", "mode fast" },
	{ "gg-thunk 1\narg\ncwd .\n" END, "line 2:", "arg" },
	{ "gg-thunk 1\nArg a\ncwd .\n" END, "line 2:", "arg" },
	{ "gg-thunk 1\n arg a\ncwd .\n" END, "line 2:", "arg" },
	{ "gg-thunk 1\narg a\r\ncwd .\n" END, "line 2:", "0x0d" },
	{ "gg-thunk 1\narg a\tb\ncwd .\n" END, "line 2:", "0x09" },
	{ HEAD "network yes \n" END, "line 4:", "yes" },
	{ HEAD "network no\n" END, "line 4:", "yes" },
	{ HEAD "network\n" END, "line 4:", "network" },
	{ HEAD "runtime host " ID_A " \n", "line 4:", "after the id" },
	{ HEAD "runtime  host " ID_A "\n", "line 4:", "two spaces" },
	{ HEAD "in  value " ID_A " x\n" END, "line 4:", "two spaces" },
	{ HEAD "in value  " ID_A " x\n" END, "line 4:", "id" },
	{ HEAD "in value " ID_A "\n" END, "line 4:", "follow" },
	{ HEAD "in value\n" END, "line 4:", "before its last field" },
	{ HEAD "in thing " ID_A " x\n" END, "line 4:", "thing" },
	{ HEAD "in thunk " ID_A " x\n" END, "line 4:", "before its last field" },
	{ HEAD "in thunk " ID_A "  x\n" END, "line 4:", "two spaces" },
	{ HEAD "out o\n" END, "line 4:", "before its last field" },
	{ HEAD "out  o\n" END, "line 4:", "two spaces" },
	{ HEAD "outfile o o\n" END, "line 4:", "outfile" },
	/* escapes */
	{ "gg-thunk 1\narg \\x41\ncwd .\n" END, "line 2:", "\\x41" },
	{ "gg-thunk 1\narg a\\x20b\ncwd .\n" END, "line 2:", "\\x20" },
	{ "gg-thunk 1\narg \\xff\ncwd .\n" END, "line 2:", "\\xff" },
	{ "gg-thunk 1\narg \\x5C\ncwd .\n" END, "line 2:", "backslash" },
	{ "gg-thunk 1\narg \\X0a\ncwd .\n" END, "line 2:", "backslash" },
	{ "gg-thunk 1\narg \\n\ncwd .\n" END, "line 2:", "backslash" },
	{ "gg-thunk 1\narg \\x0\ncwd .\n" END, "line 2:", "backslash" },
	{ "gg-thunk 1\narg \\", "line 2:", "backslash" },
	{ "gg-thunk 1\narg \\x00\ncwd .\n" END, "line 2:", "NUL" },
	/* ids */
	{ HEAD "in value AAAA" ID_A " x\n" END, "line 4:", "id" },
	{ HEAD "in value A" ID_A " x\n" END, "line 4:", "id" },
	{ HEAD "in value a" ID_A " x\n" END, "line 4:", "space" },
	{ HEAD "in value aaaa x\n" END, "line 4:", "id" },
	{ HEAD "runtime host " ID_A "a\n", "line 4:", "after the id" },
	{ HEAD "runtime host aaaa\n", "line 4:", "id" },
	{ HEAD "runtime image " ID_A "\n", "line 4:", "sha256" },
	{ HEAD "runtime image sha512:" ID_A "\n", "line 4:", "sha256" },
	{ HEAD "runtime host sha256:" ID_A "\n", "line 4:", "id" },
	{ HEAD "runtime moon " ID_A "\n", "line 4:", "moon" },
	/* paths */
	{ "gg-thunk 1\narg a\ncwd \n" END, "line 3:", "cwd" },
	{ "gg-thunk 1\narg a\narg b\ncwd /x\n" END, "line 4:", "cwd" },
	{ "gg-thunk 1\narg a\ncwd ..\n" END, "line 3:", "cwd" },
	{ "gg-thunk 1\narg a\ncwd ./x\n" END, "line 3:", "cwd" },
	{ "gg-thunk 1\narg a\ncwd x/\n" END, "line 3:", "cwd" },
	{ HEAD IN "\n" END, "line 4:", "clean path" },
	{ HEAD IN ".\n" END, "line 4:", "clean path" },
	{ HEAD IN "..\n" END, "line 4:", "clean path" },
	{ HEAD IN "../x\n" END, "line 4:", "../x" },
	{ HEAD IN "a/../x\n" END, "line 4:", "clean path" },
	{ HEAD IN "a//x\n" END, "line 4:", "clean path" },
	{ HEAD IN "a/./x\n" END, "line 4:", "clean path" },
	{ HEAD IN "a/\n" END, "line 4:", "clean path" },
	{ HEAD IN "/\n" END, "line 4:", "clean path" },
	{ HEAD IN "//x\n" END, "line 4:", "clean path" },
	{ HEAD IN "/x/../y\n" END, "line 4:", "clean path" },
	{ HEAD IN "/x/\n" END, "line 4:", "clean path" },
	{ HEAD "out o /x\n" END, "line 4:", "inside the project" },
	{ HEAD "out o ../x\n" END, "line 4:", "inside the project" },
	{ HEAD "out o .\n" END, "line 4:", "inside the project" },
	{ HEAD "outdir o x/\n" END, "line 4:", "inside the project" },
	/* order and doubles */
	{ HEAD "env A\n" END, "line 4:", "=" },
	{ HEAD "env =1\n" END, "line 4:", "name" },
	{ HEAD "env B=1\nenv A=1\n" END, "line 5:", "order" },
	{ HEAD "env A-B=1\nenv A=1\n" END, "line 5:", "order" },
	{ HEAD "env A=1\nenv A=2\n" END, "line 5:", "twice" },
	{ HEAD "env A=1\nenv A=1\n" END, "line 5:", "twice" },
	{ HEAD IN "y\n" IN "x\n" END, "line 5:", "order" },
	{ HEAD IN "y\nin exec " ID_A " x\n" END, "line 5:", "order" },
	{ HEAD IN "x\n" IN "x\n" END, "line 5:", "twice" },
	{ HEAD IN "x\nin value " ID_B " x\n" END, "line 5:", "twice" },
	{ HEAD IN "x\n" IN "/x\n" END, "line 5:", "order" },
	{ HEAD "out b b\nout a a\n" END, "line 5:", "order" },
	{ HEAD "out b b\noutdir a a\n" END, "line 5:", "order" },
	{ HEAD "out a a\nout a b\n" END, "line 5:", "twice" },
	{ HEAD "out a x\nout b x\n" END, "line 5:", "two outputs" },
	/* one inside another */
	{ HEAD IN "x\n" IN "x-y\n" IN "x/y\n" END, "line 6:", "inside" },
	{ HEAD IN "x\n" IN "x/y/z\n" END, "line 5:", "inside" },
	{ HEAD "in tree " ID_A " /usr\n" IN "/usr/bin/x\n" END, "line 5:", "inside" },
	{ HEAD "out a x/y\noutdir b x\n" END, "line 4:", "inside output \"x\"" },
	{ HEAD "in tree " ID_A " x\nout a x/y\n" END, "line 5:", "inside input \"x\"" },
	{ HEAD IN "x/y\noutdir a x\n" END, "line 4:", "inside output \"x\"" },
	/* standard streams */
	{ HEAD "stdin x\n" END, "line 4:", "stdin" },
	{ HEAD "in tree " ID_A " x\nstdin x\n" END, "line 5:", "stdin" },
	{ HEAD IN "x\nout o o\nstdin o\n" END, "line 6:", "stdin" },
	{ HEAD IN "x\nstdout x\n" END, "line 5:", "stdout" },
	{ HEAD "out name path\nstdout name\n" END, "line 5:", "stdout" },
	{ HEAD "outdir o o\nstdout o\n" END, "line 5:", "stdout" },
	{ HEAD "out o o\nstdout o\nstderr p\n" END, "line 6:", "stderr" },
};

static void refuses(void)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct arena a = { 0 };
		struct err e = { 0 };
		struct thunk t;
		bool is_right = thunk_decode(bytes_str(r->text), &a, &t, &e) < 0 &&
			e.code == ERR_BAD && bytes_start(bytes_str(e.text), r->begins) &&
			strstr(e.text, r->mentions);

		if (!is_right)
			printf("# row %zu: \"%s\"\n%s", i, e.text, r->text);
		CHECK(is_right);
		arena_release(&a);
	}
}

static void takes(void)
{
	static const char *const good[] = {
		HEAD END,
		HEAD "env A=\nenv A-B=\nenv AB==\n" END,
		HEAD IN "x\n" IN "x-y\n" IN "x.y/z\n" END,
		HEAD IN "/x\n" IN "x\n" END,
		HEAD IN "x\nout o x\n" END,
		HEAD "in tree " ID_A " x\noutdir o x\n" END,
		HEAD IN "x\nout o o\nstdin x\nstdout o\nstderr o\n" END,
		HEAD "out o ...\n" END,
		HEAD "out o a/..b\n" END,
		"gg-thunk 1\narg \ncwd .\n" END,
		"gg-thunk 1\narg  \ncwd a b\n" END,
		"gg-thunk 1\narg a \ncwd . \n" END,   /* a folder ". " */
		HEAD "runtime closure " ID_A "\n",
		HEAD "runtime image sha256:" ID_A "\n",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct arena a = { 0 };
		struct buf out = { 0 };
		struct err e = { 0 };

		if (recode_thunk(bytes_str(good[i]), &a, &out, &e) < 0)
			printf("# row %zu: %s\n", i, e.text);
		CHECK_STR(out.p, good[i]);
		buf_release(&out);
		arena_release(&a);
	}
}

/* Text with one field of n bytes 'x'. */
static bool takes_length(const char *before, size_t n, const char *after)
{
	struct arena a = { 0 };
	struct buf text = { 0 }, out = { 0 };
	struct err e;
	bool is_taken;

	buf_str(&text, before);
	for (size_t i = 0; i < n; i++)
		buf_char(&text, 'x');
	buf_str(&text, after);
	is_taken = recode_thunk(buf_bytes(&text), &a, &out, &e) == 0;
	buf_release(&text);
	buf_release(&out);
	arena_release(&a);
	return is_taken;
}

static void lengths(void)
{
	CHECK(takes_length("gg-thunk 1\narg ", 1000000, "\ncwd .\n" END));
	CHECK(takes_length(HEAD "env ", 255, "=1\n" END));
	CHECK(!takes_length(HEAD "env ", 256, "=1\n" END));
	CHECK(takes_length(HEAD "out ", 255, " o\n" END));
	CHECK(!takes_length(HEAD "out ", 256, " o\n" END));
	CHECK(takes_length(HEAD "in thunk " ID_A " ", 255, " o\n" END));
	CHECK(!takes_length(HEAD "in thunk " ID_A " ", 256, " o\n" END));
	CHECK(takes_length(HEAD IN, 4095, "\n" END));
	CHECK(!takes_length(HEAD IN, 4096, "\n" END));
	CHECK(takes_length(HEAD IN "/", 4094, "\n" END));
	CHECK(!takes_length(HEAD IN "/", 4095, "\n" END));
	CHECK(takes_length("gg-thunk 1\narg a\ncwd ", 4095, "\n" END));
	CHECK(!takes_length("gg-thunk 1\narg a\ncwd ", 4096, "\n" END));
}

static void decoded_fields(void)
{
	struct arena a = { 0 };
	struct bytes b;
	struct err e = { 0 };
	struct thunk t;

	MUST(file_read(-100, "test/golden/full.thunk", 10000, &a, &b, &e), e);
	MUST(thunk_decode(b, &a, &t, &e), e);
	CHECK(t.n_args == 3 && t.n_env == 4 && t.n_in == 7 && t.n_out == 4);
	CHECK_STR(t.args[0], "./bin/step");
	CHECK_STR(t.args[1], "");
	CHECK_STR(t.args[2], " leading and trailing ");
	CHECK_STR(t.cwd, "work/here");
	CHECK_STR(t.env[2], "A_=a=b = c");
	CHECK(t.in[5].ref.kind == REF_THUNK);
	CHECK_STR(t.in[5].ref.out, "all of it");
	CHECK_STR(t.in[5].path, "prep/out file.bin");
	CHECK(t.in[1].ref.kind == REF_TREE && !t.in[1].ref.out);
	CHECK(t.out[1].is_dir && !t.out[0].is_dir);
	CHECK_STR(t.std[0], "data.csv");
	CHECK_STR(t.std[1], "work/log");
	CHECK_STR(t.std[2], "work/log");
	CHECK(t.uses_network && t.runtime == RUNTIME_IMAGE);
	CHECK(!thunk_is_reduced(&t));
	CHECK(thunk_output(&t, "two words") == &t.out[3]);
	CHECK(!thunk_output(&t, "two"));
	CHECK(thunk_input(&t, "bin/step") == &t.in[2]);
	CHECK(!thunk_input(&t, "bin"));
	arena_release(&a);
}

static void sorts(void)
{
	const char *args[] = { "a" };
	const char *env[] = { "AB=0", "A=2", "A-B=1" };
	struct input in[] = { { .path = "b" }, { .path = "a/b" }, { .path = "a-b" } };
	struct output out[] = { { "z", "1", false }, { "y", "2", true } };
	struct thunk t = { .args = args, .n_args = 1, .env = env, .n_env = 3,
			   .in = in, .n_in = 3, .out = out, .n_out = 2 };
	struct buf b = { 0 };
	struct err e = { 0 };

	CHECK(thunk_encode(&t, &b, &e) < 0 && e.code == ERR_BAD && b.n == 0);
	CHECK_STR(e.text, "line 5: env not in order of name: \"A=2\"");
	thunk_sort(&t);
	MUST(thunk_encode(&t, &b, &e), e);
	CHECK_STR(env[0], "A=2");
	CHECK_STR(env[1], "A-B=1");
	CHECK_STR(in[0].path, "a-b");
	CHECK_STR(out[0].name, "y");
	CHECK(strstr(b.p, "\ncwd .\n") != NULL);
	CHECK(thunk_is_reduced(&t));
	buf_release(&b);
}

static void writer_refuses(void)
{
	const char *args[] = { "a" };
	struct input in[] = { { .path = "x", .ref.kind = REF_THUNK } };
	struct thunk none = { 0 };
	struct thunk t = { .args = args, .n_args = 1, .in = in, .n_in = 1 };
	struct buf b = { 0 };
	struct err e = { 0 };

	CHECK(thunk_encode(&none, &b, &e) < 0 && e.code == ERR_BAD);
	CHECK(thunk_encode(&t, &b, &e) < 0 && e.code == ERR_BAD);
	in[0].ref.out = "";
	CHECK(thunk_encode(&t, &b, &e) < 0 && e.code == ERR_BAD);
	in[0].ref.out = "o";
	t.cwd = "/";
	CHECK(thunk_encode(&t, &b, &e) < 0 && e.code == ERR_BAD);
	t.cwd = NULL;
	in[0].path = "a/../b";
	CHECK(thunk_encode(&t, &b, &e) < 0 && e.code == ERR_BAD);
	in[0].path = "b";
	CHECK(b.n == 0);
	CHECK(thunk_encode(&t, &b, &e) == 0);
	buf_release(&b);
}

static double seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

/* A thunk of n inputs whose paths come from fmt, recoded; seconds. */
static double time_inputs(size_t n, const char *fmt)
{
	struct arena a = { 0 };
	struct buf text = { 0 }, out = { 0 };
	struct err e = { 0 };
	double start;

	buf_str(&text, HEAD);
	for (size_t i = 0; i < n; i++) {
		buf_str(&text, IN);
		buf_printf(&text, fmt, i);
		buf_char(&text, '\n');
	}
	buf_str(&text, END);
	start = seconds();
	MUST(recode_thunk(buf_bytes(&text), &a, &out, &e), e);
	start = seconds() - start;
	CHECK(bytes_equal(buf_bytes(&text), buf_bytes(&out)));
	buf_release(&text);
	buf_release(&out);
	arena_release(&a);
	return start;
}

static void many_inputs(void)
{
	double flat = time_inputs(50000, "data/%08zu.png");
	double deep = time_inputs(50000, "a/b/c/d/e/f/g/h/i/j/%08zu");

	printf("# 50,000 inputs there and back: %.1f ms, deep %.1f ms\n",
	       flat * 1e3, deep * 1e3);
	CHECK(flat < 1 && deep < 1);
}

/* Each path begins with all the others: the worst for the nesting check. */
static void stacked_inputs(void)
{
	struct arena a = { 0 };
	struct buf text = { 0 }, out = { 0 }, path = { 0 };
	struct err e = { 0 };
	double start;

	buf_str(&text, HEAD);
	for (size_t i = 0; i < 4000; i++) {
		buf_char(&path, 'a');
		buf_printf(&text, IN "%s\n", path.p);
	}
	buf_str(&text, END);
	start = seconds();
	MUST(recode_thunk(buf_bytes(&text), &a, &out, &e), e);
	CHECK(seconds() - start < 5);
	buf_release(&text);
	buf_release(&out);
	buf_release(&path);
	arena_release(&a);
}

static void speed(void)
{
	struct arena a = { 0 };
	struct bytes b;
	struct err e = { 0 };
	struct thunk t;
	struct buf out = { 0 };
	double start;
	enum { TIMES = 20000 };

	MUST(file_read(-100, "test/golden/train.thunk", 10000, &a, &b, &e), e);
	b.p = memcpy(malloc(b.n), b.p, b.n);
	start = seconds();
	for (int i = 0; i < TIMES; i++) {
		arena_reset(&a);
		MUST(thunk_decode(b, &a, &t, &e), e);
	}
	printf("# reading a thunk: %.2f us\n", (seconds() - start) / TIMES * 1e6);
	start = seconds();
	for (int i = 0; i < TIMES; i++) {
		buf_reset(&out);
		MUST(thunk_encode(&t, &out, &e), e);
	}
	printf("# writing a thunk: %.2f us\n", (seconds() - start) / TIMES * 1e6);
	CHECK(bytes_equal(b, buf_bytes(&out)));
	buf_release(&out);
	free((char *)b.p);
	arena_release(&a);
}

static const struct test tests[] = {
	{ "every other spelling is refused, with its line and what is wrong", refuses },
	{ "what the grammar allows is taken and kept", takes },
	{ "fields may be as long as the grammar says and no longer", lengths },
	{ "fields are read as they were meant", decoded_fields },
	{ "sorting gives the canonical order", sorts },
	{ "the writer refuses what the reader would refuse", writer_refuses },
	{ "50,000 inputs take less than a second there and back", many_inputs },
	{ "paths that begin with each other do not make reading slow", stacked_inputs },
	{ "a thunk is read and written many times over", speed },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
