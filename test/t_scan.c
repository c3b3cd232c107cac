/* t_scan.c - make rules as compilers print them */
#include "file.h"
#include "model.h"
#include "test.h"

static struct arena arena;

/* The names, each in angles. */
static const char *names(const char *text)
{
	struct strs out = { 0 };
	struct buf b = { 0 };
	struct err e;
	const char *all;

	buf_str(&b, "");
	if (scan_parse(bytes_str(text), &arena, &out, &e) < 0)
		buf_printf(&b, "error %d: %s", e.code == ERR_BAD, e.text);
	else
		for (size_t i = 0; i < out.n; i++)
			buf_printf(&b, "<%s>", out.v[i]);
	all = arena_str(&arena, b.p);
	buf_release(&b);
	strs_release(&out);
	return all;
}

static void plain_rules(void)
{
	CHECK_STR(names("a.o: a.c a.h\n"), "<a.c><a.h>");
	CHECK_STR(names("a.o: a.c a.h"), "<a.c><a.h>");
	CHECK_STR(names("a.o: a.c \\\n /usr/include/x.h \\\n  b.h\n"),
		  "<a.c></usr/include/x.h><b.h>");
	CHECK_STR(names("a.o:\\\n a.c\\\n b.c\n"), "<a.c><b.c>");
	CHECK_STR(names("a.o : a.c\r\nb.o: \\\r\n b.c\r\n"), "<a.c><b.c>");
	CHECK_STR(names("a.o a.d: a.c\n"), "<a.c>");
	CHECK_STR(names("a.o \\\n a.d \\\n: a.c\n"), "<a.c>");
	CHECK_STR(names("a.o:\ta.c\tb.c\n"), "<a.c><b.c>");
}

static void phony_targets(void)
{
	CHECK_STR(names("a.o: a.c a.h b.h\n\na.h:\n\nb.h:\n"), "<a.c><a.h><b.h>");
	CHECK_STR(names("a.o: a.c\na.h:\nb.o: b.c a.c\n"), "<a.c><b.c>");
}

static void quoting(void)
{
	CHECK_STR(names("a.o: my\\ file.c x\n"), "<my file.c><x>");
	CHECK_STR(names("a.o: a\\\tb.c\n"), "<a\tb.c>");
	CHECK_STR(names("a.o: a\\\\\\ b.c\n"), "<a\\ b.c>");
	CHECK_STR(names("a.o: a\\\\ b.c\n"), "<a\\><b.c>");
	CHECK_STR(names("a.o: a\\b.c a\\\\b.c\n"), "<a\\b.c><a\\\\b.c>");
	CHECK_STR(names("a.o: $$x.c a$$ $x\n"), "<$x.c><a$><$x>");
	CHECK_STR(names("a.o: \\#x.c a#b c\\:d\n"), "<#x.c><a#b><c:d>");
	CHECK_STR(names("my\\ file.o: a.c\n"), "<a.c>");
	CHECK_STR(names("a.o: c:x.h d:\n"), "<c:x.h><d:>");
	CHECK_STR(names("x:y.o: a.c\nx:y.h:\n"), "<a.c>");
	CHECK_STR(names("a.o: \xff\xc3\xa4.c 'q\"\n"), "<\xff\xc3\xa4.c><'q\">");
	CHECK_STR(names("a.o: a\\"), "<a\\>");
}

static void each_once(void)
{
	CHECK_STR(names("a.o: a.h a.c a.h \\\n a.c\nb.o: a.h\n"), "<a.h><a.c>");
}

static void odd_texts(void)
{
	struct strs out = { 0 };
	struct err e;

	CHECK_STR(names(""), "");
	CHECK_STR(names("\n\n \n"), "");
	CHECK_STR(names("# cc -M\na.o: a.c\n"), "<a.c>");
	CHECK_STR(names("a.o:\n"), "");
	CHECK_STR(names("a.o: a.c\nno rule\n"),
		  "error 1: line 2 of the make rules has no colon after a target");
	CHECK_STR(names("a.o \\\n b\n"),
		  "error 1: line 1 of the make rules has no colon after a target");
	CHECK(scan_parse((struct bytes){ "a: b\0c", 6 }, &arena, &out, &e) < 0 &&
	      e.code == ERR_BAD);
	CHECK(scan_parse((struct bytes){ NULL, 0 }, &arena, &out, &e) == 0);
	strs_release(&out);
}

static void many_names(void)
{
	struct buf b = { 0 };
	struct strs out = { 0 };
	struct err e;

	buf_str(&b, "a.o:");
	for (int i = 0; i < 50000; i++)
		buf_printf(&b, " \\\n /usr/include/h%d.h", i % 25000);
	MUST(scan_parse(buf_bytes(&b), &arena, &out, &e), e);
	CHECK(out.n == 25000);
	CHECK_STR(out.v[24999], "/usr/include/h24999.h");
	strs_release(&out);
	buf_release(&b);
}

/* What the compiler itself says of names that need quoting. */
static void the_compiler(void)
{
	static const char *const odd[] = { "a b.h", "c$d.h", "e#f.h", "g\\h.h", "i\\ j.h",
					   "k:l.h" };
	char dir[] = "/tmp/gg-t-scan-XXXXXX";
	struct buf src = { 0 }, want = { 0 };
	struct bytes said;
	struct err e;

	CHECK(mkdtemp(dir) != NULL);
	buf_str(&want, "<m.c>");
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		MUST(file_write(-1, arena_printf(&arena, "%s/%s", dir, odd[i]), bytes_str(""),
				0644, 0, &e), e);
		buf_printf(&src, "#include \"%s\"\n", odd[i]);
		buf_printf(&want, "<%s>", odd[i]);
	}
	MUST(file_write(-1, arena_printf(&arena, "%s/m.c", dir), buf_bytes(&src), 0644, 0, &e), e);
	if (system(arena_printf(&arena, "cd %s && cc -MM -MP m.c >out 2>err", dir)) != 0) {
		printf("# no cc here: left out\n");
	} else {
		MUST(file_read(-1, arena_printf(&arena, "%s/out", dir), 1 << 20, &arena, &said,
			       &e), e);
		CHECK_STR(names(arena_strn(&arena, said.p, said.n)), want.p);
	}
	MUST(dir_remove(-1, dir, &e), e);
	buf_release(&src);
	buf_release(&want);
}

static const struct test tests[] = {
	{ "rules give their prerequisites, continued lines too", plain_rules },
	{ "phony targets of -MP give nothing", phony_targets },
	{ "blanks, dollars, hashes, colons and backslashes are unquoted", quoting },
	{ "each name comes once, in order", each_once },
	{ "empty texts are fine, texts that are no rules are refused", odd_texts },
	{ "50,000 names are read in one go", many_names },
	{ "names that the compiler quotes come back as they are", the_compiler },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&arena);
	return rc;
}
