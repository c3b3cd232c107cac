/* t_project.c - where a project is, and which paths are inside it */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
#include "file.h"
#include "project.h"
#include "test.h"

/* top/proj is the project, top/out is outside; top is a real path. */
static char top[] = "/tmp/t_project.XXXXXX";
static struct project p;
static struct arena a;

static const char *in_top(const char *path)
{
	return arena_printf(&a, "%s/%s", top, path);
}

static void make(const char *path)
{
	struct err e;

	MUST(dir_make(AT_FDCWD, in_top(path), &e), e);
}

static void make_link(const char *target, const char *path)
{
	CHECK(symlink(target, in_top(path)) == 0);
}

/* What project_path says of path seen from top/cwd; outside paths lose top. */
static const char *seen(const char *cwd, const char *path)
{
	bool inside;
	const char *s = project_path(&p, &a, in_top(cwd), path, &inside);

	CHECK(inside == (s[0] != '/'));
	CHECK(!inside || strcmp(s, ".") == 0 || path_is_plain(s));
	return path_is_below(top, s) ? s + strlen(top) : s;
}

static void inside(void)
{
	CHECK_STR(seen("proj", "x"), "x");
	CHECK_STR(seen("proj", "./x"), "x");
	CHECK_STR(seen("proj", "sub/x"), "sub/x");
	CHECK_STR(seen("proj", "sub//./x"), "sub/x");
	CHECK_STR(seen("proj/sub", "x"), "sub/x");
	CHECK_STR(seen("proj/sub", "../x"), "x");
	CHECK_STR(seen("proj/sub", ".."), ".");
	CHECK_STR(seen("proj", "."), ".");
	CHECK_STR(seen("proj", ""), ".");
	CHECK_STR(seen("proj", "sub/"), "sub");
	CHECK_STR(seen("proj", in_top("proj/sub/x")), "sub/x");
	CHECK_STR(seen("out", in_top("proj")), ".");
	CHECK_STR(seen("out", "../proj/x"), "x");
}

static void outside(void)
{
	CHECK_STR(seen("proj", ".."), "");
	CHECK_STR(seen("proj", "../out/x"), "/out/x");
	CHECK_STR(seen("proj", "../project"), "/project");
	CHECK_STR(seen("proj", "/"), "/");
	CHECK_STR(seen("proj", "/../.."), "/");
	CHECK_STR(seen("proj", "/no-such/x"), "/no-such/x");
	CHECK_STR(seen("out", "x"), "/out/x");
	CHECK_STR(seen("proj", "../../../../../../../x"), "/x");
}

static void absent(void)
{
	CHECK_STR(seen("proj", "no/such/x"), "no/such/x");
	CHECK_STR(seen("proj", "no/../x"), "x");
	CHECK_STR(seen("proj", "no/../link/x"), "sub/x");
	CHECK_STR(seen("proj", "file/x"), "file/x");
	CHECK_STR(seen("gone", "x"), "/gone/x");
}

static void links(void)
{
	CHECK_STR(seen("proj", "link"), "link");
	CHECK_STR(seen("proj", "link/"), "sub");
	CHECK_STR(seen("proj", "link/x"), "sub/x");
	CHECK_STR(seen("proj", "link/../x"), "x");
	CHECK_STR(seen("proj", "sub/up/x"), "x");
	CHECK_STR(seen("proj", "away/x"), "/out/x");
	CHECK_STR(seen("proj", "away/../x"), "/x");
	CHECK_STR(seen("proj", "away"), "away");
	CHECK_STR(seen("proj", "away/back/x"), "sub/x");
	CHECK_STR(seen("out", "back/x"), "sub/x");
	CHECK_STR(seen("proj", "dangling/x"), "nowhere/x");
	CHECK_STR(seen("proj", "dangling"), "dangling");
	/* As the kernel: sub/up is the root, so its parent is top. */
	CHECK_STR(seen("proj", "sub/up/../x"), "/x");
	CHECK_STR(seen("proj", "link/up/link/x"), "sub/x");
}

static void loops(void)
{
	CHECK_STR(seen("proj", "loop/x"), "loop/x");
	CHECK_STR(seen("proj", "loop"), "loop");
}

static void long_paths(void)
{
	struct buf b = { 0 };
	bool is_inside;
	const char *s;

	for (int i = 0; i < 3000; i++)
		buf_str(&b, "abc/");
	buf_str(&b, "x");
	s = project_path(&p, &a, p.root, b.p, &is_inside);
	CHECK(is_inside && strlen(s) == b.n);
	buf_reset(&b);
	for (int i = 0; i < 3000; i++)
		buf_str(&b, "././sub/../");
	buf_str(&b, "x");
	CHECK_STR(project_path(&p, &a, p.root, b.p, &is_inside), "x");
	buf_release(&b);
}

/* Folders may become links while a run goes on. */
static void changes(void)
{
	CHECK_STR(seen("proj", "turn/x"), "turn/x");
	make_link("sub", "proj/turn");
	CHECK_STR(seen("proj", "turn/x"), "sub/x");
	CHECK(unlink(in_top("proj/turn")) == 0);
	make("proj/turn");
	CHECK_STR(seen("proj", "turn/x"), "turn/x");
}

static void opens(void)
{
	struct project q;
	struct err e = { 0 };

	CHECK_STR(p.root, in_top("proj"));
	CHECK_STR(p.store_dir, in_top("proj/.gg"));
	CHECK(faccessat(p.root_fd, ".gg", F_OK, 0) == 0);
	MUST(project_open(in_top("proj/sub"), NULL, &q, &e), e);
	CHECK_STR(q.root, p.root);
	project_close(&q);
	project_close(&q);
	MUST(project_open(in_top("out/back"), NULL, &q, &e), e);
	CHECK_STR(q.root, p.root);
	project_close(&q);
	CHECK(project_open(in_top("out"), NULL, &q, &e) < 0);
	CHECK(e.code == ERR_MISSING && strstr(e.text, "gg init"));
	CHECK(project_open(in_top("none"), NULL, &q, &e) < 0);
	project_close(&q);
	project_close(&(struct project){ 0 });
}

static void opens_named(void)
{
	struct project q;
	struct err e = { 0 };

	MUST(project_open(in_top("out"), in_top("proj/.gg"), &q, &e), e);
	CHECK_STR(q.root, p.root);
	CHECK_STR(q.store_dir, p.store_dir);
	project_close(&q);
	MUST(project_open(in_top("out"), "../proj/.gg", &q, &e), e);
	CHECK_STR(q.root, p.root);
	project_close(&q);
	MUST(project_open(in_top("proj/sub"), "../../store", &q, &e), e);
	CHECK_STR(q.root, in_top("proj/sub"));
	CHECK_STR(q.store_dir, in_top("store"));
	project_close(&q);
	CHECK(project_open(in_top("none"), "../store", &q, &e) < 0);
	project_close(&q);
}

/* The project may be the root of the file system. */
static void root_project(void)
{
	struct project q = { .root = "/", .root_fd = open("/", O_RDONLY) };
	bool is_inside;

	CHECK_STR(project_path(&q, &a, "/", "x", &is_inside), "x");
	CHECK(is_inside);
	CHECK_STR(project_path(&q, &a, "/", ".", &is_inside), ".");
	CHECK_STR(project_path(&q, &a, "/tmp", "..", &is_inside), ".");
	CHECK(is_inside);
	CHECK_STR(project_path(&q, &a, "/tmp", "x", &is_inside), "tmp/x");
	close(q.root_fd);
}

static double wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void speed(void)
{
	static const char *const paths[] = { "x", "sub/x", "/usr/bin/x" };
	struct arena mine = { 0 };
	bool is_inside;

	for (int i = 0; i < 3; i++) {
		double start = wall_us();

		for (int k = 0; k < 10000; k++) {
			arena_reset(&mine);
			project_path(&p, &mine, p.root, paths[i], &is_inside);
		}
		printf("# %s: %.2f us\n", paths[i], (wall_us() - start) / 10000);
		CHECK(is_inside == (i < 2));
	}
	arena_release(&mine);
}

static void cleans_up(void)
{
	struct err e;

	project_close(&p);
	MUST(dir_remove(AT_FDCWD, top, &e), e);
	arena_release(&a);
}

static const struct test tests[] = {
	{ "a project is found from any folder in it, and not from outside", opens },
	{ "a named store says where the project is", opens_named },
	{ "paths inside are plain", inside },
	{ "paths outside are absolute", outside },
	{ "what does not exist is taken as text", absent },
	{ "symlinks are followed as the kernel would, but for the last part", links },
	{ "links in a circle come to an end", loops },
	{ "very long paths do no harm", long_paths },
	{ "a folder that becomes a link is seen as one", changes },
	{ "the root of the file system may be a project", root_project },
	{ "many paths are looked up", speed },
	{ "nothing is left", cleans_up },
	{ 0 }
};

int main(void)
{
	struct err e;

	if (!mkdtemp(top))
		return 1;
	make("proj/.gg");
	make("proj/sub");
	make("out");
	make_link("sub", "proj/link");
	make_link("..", "proj/sub/up");
	make_link(in_top("out"), "proj/away");
	make_link("../proj/sub", "out/back");
	make_link("nowhere", "proj/dangling");
	make_link("loop", "proj/loop");
	MUST(file_write(AT_FDCWD, in_top("proj/file"), bytes_str(""), 0644, 0, &e), e);
	MUST(project_open(in_top("proj"), NULL, &p, &e), e);
	return test_main(tests);
}
