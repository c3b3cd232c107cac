/* t_tree.c - trees, results, placeholders, tails and hosts: fields, refused
 * spellings, size */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "recode.h"
#include "test.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_0 "0000000000000000000000000000000000000000000000000000000000000000"
#define THUNK "gg-thunk 1\narg a\ncwd .\nruntime host " ID_A "\n"
#define TREE "gg-tree 1\n"
#define FILE_A "file " ID_A " "
#define RESULT "gg-result 1\n"
#define OUT_A "out value " ID_A " "
#define HOLDER "gg-placeholder 1\n"
#define TAIL "gg-tail 1\nthunk " ID_A " o\n"
#define HOST "gg-host 1\narch x\n"

static const struct refusal {
	const char *ext, *text, *begins, *mentions;
} refusals[] = {
	{ "tree", TREE "\n", "line 2:", "file, exec, tree or link" },
	{ "tree", TREE FILE_A "a", "line 2:", "text ends within" },
	{ "tree", TREE FILE_A "b\n" FILE_A "a\n", "line 3:", "order" },
	{ "tree", TREE FILE_A "a\nexec " ID_A " a\n", "line 3:", "twice" },
	{ "tree", TREE "tree " ID_A " b\n" FILE_A "a\n", "line 3:", "order" },
	{ "tree", TREE FILE_A "\n", "line 2:", "name" },
	{ "tree", TREE FILE_A ".\n", "line 2:", "name" },
	{ "tree", TREE FILE_A "..\n", "line 2:", "name" },
	{ "tree", TREE FILE_A "a/b\n", "line 2:", "a/b" },
	{ "tree", TREE FILE_A "a\r\n", "line 2:", "0x0d" },
	{ "tree", TREE "dir " ID_A " a\n", "line 2:", "dir" },
	{ "tree", TREE "file  " ID_A " a\n", "line 2:", "id" },
	{ "tree", TREE "file " ID_A "\n", "line 2:", "follow" },
	{ "tree", TREE "link /etc/passwd a\n", "line 2:", "relative" },
	{ "tree", TREE "link  a\n", "line 2:", "two spaces" },
	{ "tree", TREE "link a\n", "line 2:", "last field" },
	{ "tree", TREE "link a\\x2fb c\n", "line 2:", "\\x2f" },
	{ "result", RESULT OUT_A "b\n" OUT_A "a\n", "line 3:", "order" },
	{ "result", RESULT OUT_A "a\n" OUT_A "a\n", "line 3:", "twice" },
	{ "result", RESULT OUT_A "\n", "line 2:", "255" },
	{ "result", RESULT "value " ID_A " a\n", "line 2:", "out" },
	{ "result", RESULT "out link " ID_A " a\n", "line 2:", "link" },
	{ "result", RESULT "out thunk " ID_A " a\n", "line 2:", "last field" },
	{ "result", RESULT "out thunk " ID_A "  a\n", "line 2:", "two spaces" },
	{ "result", RESULT "out value " ID_A " a\n\n", "line 3:", "out" },
	{ "placeholder", HOLDER, "line 2:", "ends" },
	{ "placeholder", HOLDER "thunk " ID_A "\n", "line 2:", "follow" },
	{ "placeholder", HOLDER "thunk " ID_A " \n", "line 2:", "255" },
	{ "placeholder", HOLDER "thunk " ID_A " o\nx", "line 3:", "belong" },
	{ "placeholder", HOLDER "value " ID_A " o\n", "line 2:", "thunk" },
	{ "tail", "gg-tail 1\n", "line 2:", "ends" },
	{ "tail", TAIL "\n", "line 4:", "gg-thunk" },
	{ "tail", TAIL THUNK, "line 3:", "empty line" },
	{ "tail", TAIL "\n\n" THUNK, "line 4:", "gg-thunk" },
	{ "tail", TAIL "\n" THUNK THUNK, "line 8:", "belong" },
	{ "tail", TAIL "\n" THUNK "\n", "line 9:", "gg-thunk" },
	{ "tail", TAIL "\n" THUNK "\n\n" THUNK, "line 9:", "gg-thunk" },
	{ "tail", TAIL "\n" THUNK "\ngg-thunk 1\narg a\ncwd ..\n", "line 12:", "runtime" },
	{ "tail", TAIL "\n" THUNK "\ngg-thunk 1\narg a\ncwd ..\nruntime host " ID_A "\n",
	  "line 11:", "cwd" },
	{ "host", "gg-host 1\n", "line 2:", "arch" },
	{ "host", HOST, "line 3:", "program" },
	{ "host", "gg-host 1\narch \nprogram " ID_A " /x\n", "line 2:", "arch" },
	{ "host", HOST "program " ID_A " x\n", "line 3:", "zeros" },
	{ "host", HOST "program " ID_0 " /x\n", "line 3:", "needs its id" },
	{ "host", HOST "program " ID_0 " ../x\n", "line 3:", "clean" },
	{ "host", HOST "program " ID_A " /x\nfile " ID_A " y\n", "line 4:", "absolute" },
	{ "host", HOST "program " ID_A " /x\nfile " ID_A " /y/../z\n", "line 4:", "clean" },
	{ "host", HOST "program " ID_A " /x\nfile " ID_A " /z\nfile " ID_A " /y\n",
	  "line 5:", "order" },
	{ "host", HOST "program " ID_A " /x\nfile " ID_A " /z\nfile " ID_A " /z\n",
	  "line 5:", "twice" },
};

static int recode_as(const char *ext, struct bytes b, struct arena *a,
		     struct buf *out, struct err *e)
{
	for (size_t i = 0; i < N_RECODERS; i++)
		if (strcmp(recoders[i].ext, ext) == 0)
			return recoders[i].recode(b, a, out, e);
	abort();
}

static void refuses(void)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct arena a = { 0 };
		struct buf out = { 0 };
		struct err e = { 0 };
		bool is_right = recode_as(r->ext, bytes_str(r->text), &a, &out, &e) < 0 &&
			e.code == ERR_BAD && bytes_start(bytes_str(e.text), r->begins) &&
			strstr(e.text, r->mentions);

		if (!is_right)
			printf("# row %zu: \"%s\"\n%s", i, e.text, r->text);
		CHECK(is_right);
		buf_release(&out);
		arena_release(&a);
	}
}

static void tree_fields(void)
{
	struct arena a = { 0 };
	struct bytes b;
	struct err e = { 0 };
	struct tree t;

	MUST(file_read(AT_FDCWD, "test/golden/checkpoint.tree", 10000, &a, &b, &e), e);
	MUST(tree_decode(b, &a, &t, &e), e);
	CHECK(t.n == 8);
	CHECK(t.v[0].kind == ENTRY_LINK);
	CHECK_STR(t.v[0].target, "../weights/best.bin");
	CHECK_STR(t.v[0].name, "best");
	CHECK(t.v[1].kind == ENTRY_TREE && !t.v[1].target);
	CHECK(t.v[5].kind == ENTRY_EXEC);
	CHECK_STR(t.v[7].target, "a file");
	CHECK_STR(t.v[7].name, "with spaces");
	arena_release(&a);
}

static void tree_writer(void)
{
	struct entry v[] = { { .name = "b" }, { .name = "a", .kind = ENTRY_LINK } };
	struct tree t = { v, 2 };
	struct buf out = { 0 };
	struct err e = { 0 };

	CHECK(tree_encode(&t, &out, &e) < 0);
	v[1].target = "x y";
	CHECK(tree_encode(&t, &out, &e) < 0);
	CHECK_STR(e.text, "line 3: entries not in order of name: \"a\"");
	tree_sort(&t);
	MUST(tree_encode(&t, &out, &e), e);
	CHECK(bytes_start(buf_bytes(&out), "gg-tree 1\nlink x\\x20y a\nfile 0000"));
	v[0].target = "/x";
	CHECK(tree_encode(&t, &out, &e) < 0);
	v[0].name = "..";
	v[0].target = "x";
	CHECK(tree_encode(&t, &out, &e) < 0);
	buf_release(&out);
}

static void links(void)
{
	CHECK(tree_link_is_inside("a", "b"));
	CHECK(tree_link_is_inside("a", "b/c//d/"));
	CHECK(tree_link_is_inside("a", "."));
	CHECK(tree_link_is_inside("d/a", ".."));
	CHECK(tree_link_is_inside("d/e/a", "../../b"));
	CHECK(tree_link_is_inside("d/a", "./../b"));
	CHECK(tree_link_is_inside("a", "..."));
	CHECK(!tree_link_is_inside("a", ""));
	CHECK(!tree_link_is_inside("a", "/b"));
	CHECK(!tree_link_is_inside("a", ".."));
	CHECK(!tree_link_is_inside("a", "../x/b"));
	CHECK(!tree_link_is_inside("d/a", "../../b"));
	/* d may be a link to ".", and then d/.. is outside. */
	CHECK(!tree_link_is_inside("a", "d/../b"));
}

static void result_fields(void)
{
	struct arena a = { 0 };
	struct bytes b;
	struct err e = { 0 };
	struct result r;

	MUST(file_read(AT_FDCWD, "test/golden/all.result", 10000, &a, &b, &e), e);
	MUST(result_decode(b, &a, &r, &e), e);
	CHECK(r.n == 4);
	CHECK(result_output(&r, "ckpt")->kind == REF_TREE);
	CHECK(result_output(&r, "program")->kind == REF_EXEC);
	CHECK_STR(result_output(&r, "rest of it")->out, "the rest");
	CHECK(!result_output(&r, "rest"));
	arena_release(&a);
}

static void placeholder_size(void)
{
	struct placeholder p = { .out = NULL };
	char name[257] = "";
	struct buf out = { 0 };
	struct err e = { 0 };

	memset(name, 1, 255);
	p.out = name;
	MUST(placeholder_encode(&p, &out, &e), e);
	CHECK(out.n <= PLACEHOLDER_MAX);
	name[255] = 1;
	CHECK(placeholder_encode(&p, &out, &e) < 0 && e.code == ERR_BAD);
	p.out = "";
	CHECK(placeholder_encode(&p, &out, &e) < 0);
	buf_release(&out);
}

/* 1, 0 or -1 as placeholder_at says for a name in the folder dir. */
static int at(int dir, const char *name)
{
	struct arena a = { 0 };
	struct placeholder p;
	struct err e = { 0 };
	int r = placeholder_at(dir, name, &a, &p, &e);

	if (r > 0) {
		CHECK_STR(id_hex(&p.thunk).s, ID_A);
		CHECK_STR(p.out, "model");
	}
	arena_release(&a);
	return r;
}

static void put(int dir, const char *name, const char *text)
{
	struct err e;

	MUST(file_write(dir, name, bytes_str(text), 0644, 0, &e), e);
}

static void placeholders_on_disk(void)
{
	static const char text[] = HOLDER "thunk " ID_A " model\n";
	char top[] = "/tmp/t_tree.XXXXXX", big[PLACEHOLDER_MAX + 2];
	int dir = open(mkdtemp(top), O_RDONLY | O_DIRECTORY);
	struct err e;

	memset(big, 'x', sizeof(big));
	memcpy(big, text, sizeof(text) - 1);
	big[sizeof(big) - 1] = 0;
	put(dir, "file", text);
	put(dir, "other", "gg-placeholders are fine\n");
	put(dir, "bad", HOLDER "thunk zzz model\n");
	put(dir, "empty", "");
	put(dir, "big", big);
	CHECK(mkdirat(dir, "dir", 0755) == 0 && mkdirat(dir, "none", 0755) == 0);
	put(dir, "dir/" PLACEHOLDER_NAME, text);
	CHECK(symlinkat("file", dir, "link") == 0 && symlinkat("gone", dir, "lost") == 0);
	CHECK(symlinkat("loop", dir, "loop") == 0 && mkfifoat(dir, "pipe", 0644) == 0);
	CHECK(at(dir, "file") == 1 && at(dir, "dir") == 1 && at(dir, "link") == 1);
	CHECK(at(dir, "other") == 0 && at(dir, "bad") < 0 && at(dir, "empty") == 0);
	CHECK(at(dir, "big") == 0 && at(dir, "none") == 0 && at(dir, "lost") == 0);
	CHECK(at(dir, "absent") == 0 && at(dir, "file/x") == 0);
	CHECK(at(dir, "loop") == 0 && at(dir, "pipe") == 0);
	CHECK(at(AT_FDCWD, "/dev/null") == 0);
	close(dir);
	MUST(dir_remove(AT_FDCWD, top, &e), e);
}

static void tails(void)
{
	struct arena a = { 0 };
	struct bytes b, least;
	struct err e = { 0 };
	struct tail t;

	MUST(file_read(AT_FDCWD, "test/golden/rest.tail", 10000, &a, &b, &e), e);
	MUST(file_read(AT_FDCWD, "test/golden/least.thunk", 10000, &a, &least, &e), e);
	CHECK(tail_is(b) && !tail_is(least) && !tail_is(bytes_str("gg-tail")));
	MUST(tail_decode(b, &a, &t, &e), e);
	CHECK(t.n == 2 && bytes_equal(t.thunks[0], least));
	CHECK_STR(t.value.out, "model");
	arena_release(&a);
}

static void hosts(void)
{
	struct arena a = { 0 };
	struct bytes b;
	struct err e = { 0 };
	struct host h;

	MUST(file_read(AT_FDCWD, "test/golden/python.host", 10000, &a, &b, &e), e);
	MUST(host_decode(b, &a, &h, &e), e);
	CHECK_STR(h.arch, "x86_64");
	CHECK_STR(h.program.path, "/usr/bin/python3.11");
	CHECK(h.n == 2);
	CHECK_STR(h.files[0].path, "/usr/lib/python3.11/os.py");
	arena_release(&a);
}

/* Text of 50,000 lines from fmt, there and back in less than a second. */
static void check_many(const char *ext, const char *head, const char *fmt)
{
	struct arena a = { 0 };
	struct buf text = { 0 }, out = { 0 };
	struct err e = { 0 };
	clock_t start;

	buf_str(&text, head);
	for (int i = 0; i < 50000; i++)
		buf_printf(&text, fmt, i);
	start = clock();
	MUST(recode_as(ext, buf_bytes(&text), &a, &out, &e), e);
	start = clock() - start;
	printf("# %s of 50,000 lines there and back: %.1f ms\n", ext,
	       (double)start * 1e3 / CLOCKS_PER_SEC);
	CHECK(start < CLOCKS_PER_SEC);
	CHECK(bytes_equal(buf_bytes(&text), buf_bytes(&out)));
	buf_release(&text);
	buf_release(&out);
	arena_release(&a);
}

static void many(void)
{
	check_many("tree", TREE, FILE_A "%08d.png\n");
	check_many("result", RESULT, OUT_A "%08d\n");
	check_many("host", HOST "program " ID_A " /x\n", "file " ID_A " /usr/%08d\n");
}

static const struct test tests[] = {
	{ "every other spelling is refused, with its line and what is wrong", refuses },
	{ "entries of a tree are read as they were meant", tree_fields },
	{ "the tree writer refuses what the reader would refuse", tree_writer },
	{ "a link is inside only if no symlink could lead it out", links },
	{ "outputs of a result are found by name", result_fields },
	{ "no placeholder is longer than promised", placeholder_size },
	{ "placeholders are found as file, directory and link, nothing else is one",
	  placeholders_on_disk },
	{ "a tail lends the thunks that came with it", tails },
	{ "a host's program and files are read as they were meant", hosts },
	{ "50,000 lines take less than a second there and back", many },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
