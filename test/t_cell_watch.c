/* A watched step that asks for what the project has and it does not name fails
 * by that, and for nothing else. */
#include "cell_rig.h"

static struct rig rig;

static void put(const char *path, const char *text)
{
	struct arena a = { 0 };
	const char *at = arena_printf(&a, "%s/%s", rig.root, path);
	struct err e;

	MUST(dir_make_above(AT_FDCWD, at, &e), e);
	MUST(file_write(AT_FDCWD, at, bytes_str(text), 0644, 0, &e), e);
	arena_release(&a);
}

/* Run script watched: it is refused for that path, or, NULL, works. */
static void expect(const struct step *step, const char *path)
{
	struct step s = *step;
	struct got g;

	s.is_watched = true;
	rig_run(&rig, &s, &g);
	if (!path) {
		CHECK_GOT(&g, RUN_OK, "");
	} else {
		CHECK_GOT(&g, RUN_UNDECLARED, path);
		CHECK_STR(g.r.undeclared ? g.r.undeclared : "(none)", path);
	}
	got_free(&g);
}

static void works(void)
{
	struct step s = { .script = "cat a t/f > c; test ! -e none; ls / >/dev/null",
			  .in = { { "a", "A" }, { "t/f", "F" } }, .out = { "c" },
			  .is_watched = true };
	struct got g;

	for (int i = 0; i < 3; i++) {
		rig_run(&rig, &s, &g);
		CHECK_GOT(&g, RUN_OK, "");
		CHECK_STR(rig_out(&rig, &g, "c"), "AF");
		CHECK(!g.r.undeclared);
		got_free(&g);
	}
}

static void asked_for(void)
{
	static const struct { const char *script, *path; } asks[] = {
		{ "cat conf.yaml; echo > o", "conf.yaml" },
		{ "test -e conf.yaml; echo > o", "conf.yaml" },
		{ "cat conf.yaml 2>/dev/null || true; echo > o", "conf.yaml" },
		{ "cd deep && cat x; echo > ../o", "deep/x" },
		{ "cat $PWD//deep/./x; echo > o", "deep/x" },
		{ "(sleep 0.05; cat deep/x) & wait; echo > o", "deep/x" },
		{ "echo more >> conf.yaml; echo > o", "conf.yaml" },
		{ "rm -f conf.yaml; echo > o", "conf.yaml" },
		{ "mv conf.yaml o", "conf.yaml" },
		{ "ln conf.yaml o", "conf.yaml" },
		{ "./tool; echo > o", "tool" },
		{ "cat link; echo > o", "link" },
		{ "ls deep; echo > o", "deep/" },
		{ "ls; echo > o", "./" },
		{ "cat soon/y; echo > o", "soon/y" },
	};
	char link[300];

	put("conf.yaml", "x");
	put("deep/x", "x");
	put("tool", "x");
	put("soon/" PLACEHOLDER_NAME, "x");
	snprintf(link, sizeof link, "%s/link", rig.root);
	CHECK(symlink("conf.yaml", link) == 0);
	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
		struct step s = { .script = asks[i].script, .out = { "o" } };

		printf("# %s\n", asks[i].script);
		expect(&s, asks[i].path);
	}
}

/* What looks like more than the step names, and is not. */
static void allowed(void)
{
	static const struct step steps[] = {
		{ .script = "test -d deep && mkdir -p deep && cd deep && cd .. && echo > o",
		  .out = { "o" } },
		{ .script = "test ! -e out.txt && test ! -s out.txt && echo > out.txt",
		  .out = { "out.txt" } },
		{ .script = "test ! -e run/old && echo > run/new && ls run",
		  .out = { "run/" } },
		{ .script = "test ! -e .gg/lock; test ! -e __pycache__/m.pyc; echo > o",
		  .out = { "o" } },
		{ .script = "echo new > conf.yaml && mv conf.yaml o", .out = { "o" } },
		{ .script = "echo t > deep/t && mv deep/t o", .out = { "o" } },
		{ .script = "echo t > m && rm m && echo > o", .out = { "o" } },
		{ .script = "cat half/mine; ls half; echo > o",
		  .in = { { "half/mine", "" } }, .out = { "o" } },
		{ .script = "ls fresh; mkdir fresh; ls fresh; rmdir fresh; echo > o",
		  .out = { "o" } },
	};

	put("out.txt", "of an earlier run");
	put("run/old", "of an earlier run");
	put("__pycache__/m.pyc", "x");
	put("half/.gg-made-now", "x");
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		printf("# %s\n", steps[i].script);
		expect(&steps[i], NULL);
	}
}

/* A declared folder is as it was declared, though the real one has grown. */
static void declared_tree(void)
{
	struct step s = { .script = "ls data > o; test ! -e data/late; cat data/one >> o",
			  .in = { { "data" } }, .out = { "o" }, .is_watched = true };
	struct id tree;
	struct got g;
	struct err e;

	put("data/one", "1");
	MUST(stat_tree(rig.store, AT_FDCWD, arena_printf(&rig.a, "%s/data", rig.root),
		       STAT_KEEP, NULL, &tree, &e), e);
	put("data/late", "2");
	s.in[0].id = tree;
	s.in[0].kind = REF_TREE;
	rig_run(&rig, &s, &g);
	CHECK_GOT(&g, RUN_OK, "");
	CHECK_STR(rig_out(&rig, &g, "o"), "one\n1");
	got_free(&g);
}

/* Beside the program text of a step all names are seen, as an import would,
 * and any use of one but its name counts. */
static void names_beside_text(void)
{
	struct step lists = { .script = "ls src > o", .in = { { "src/a.py", "" } },
			      .out = { "o" }, .is_watched = true };
	struct step reads = { .script = "for i in src/*; do cat $i; done; echo > o",
			      .in = { { "src/a.py", "" } }, .out = { "o" } };
	struct step over = { .script = "ls src; echo b > src/b.py; ls src",
			     .in = { { "src/a.py", "" } }, .out = { "src/b.py" } };
	struct step folder = { .script = "ls src; ls src/sub; echo > o",
			       .in = { { "src/a.py", "" } }, .out = { "o" } };
	struct got g;

	put("src/a.py", "");
	put("src/b.py", "");
	put("src/sub/c.py", "");
	rig_run(&rig, &lists, &g);
	CHECK_GOT(&g, RUN_OK, "");
	CHECK_STR(rig_out(&rig, &g, "o"), "a.py\nb.py\nsub\n");
	got_free(&g);
	expect(&reads, "src/b.py");
	expect(&over, NULL);
	expect(&folder, "src/sub/");
	/* Nothing of it is left for the next one. */
	lists.is_watched = false;
	rig_run(&rig, &lists, &g);
	CHECK_STR(rig_out(&rig, &g, "o"), "a.py\n");
	got_free(&g);
}

static void imports(void)
{
	static const struct { const char *text, *path; } all[] = {
		{ "import helper", "py/helper.py" },
		{ "try:\n import helper\nexcept ImportError: pass", "py/helper.py" },
		{ "import pkg.part", "py/pkg/part.py" },
		{ "import pkg2.mod", "py/pkg2/" },
		{ "import json, random", NULL },
		{ "try:\n import nothere\nexcept ImportError: pass", NULL },
	};

	if (access("/usr/bin/python3", X_OK) < 0) {
		printf("# not tested: there is no /usr/bin/python3\n");
		return;
	}
	put("py/helper.py", "x = 1\n");
	put("py/pkg/__init__.py", "");
	put("py/pkg/part.py", "");
	put("py/pkg2/mod.py", "");
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct step s = { .script = "/usr/bin/python3 py/main.py && echo > o",
				  .in = { { "py/main.py", all[i].text },
					  { "py/pkg/__init__.py", "" } },
				  .out = { "o" } };

		printf("# %s\n", all[i].text);
		expect(&s, all[i].path);
	}
	/* A package below the folder where it runs, and nothing else of text. */
	expect(&(struct step){ .script = "cd py; /usr/bin/python3 -m pkg.part && echo > ../o",
			       .in = { { "py/pkg/__init__.py", "" }, { "py/pkg/part.py", "" } },
			       .out = { "o" } }, NULL);
	expect(&(struct step){ .script = "cd py; /usr/bin/python3 -m pkg.part && echo > ../o",
			       .in = { { "py/pkg/__init__.py", "" },
				       { "py/pkg/part.py", "import helper" } },
			       .out = { "o" } }, "py/helper.py");
}

static void left_over(void)
{
	struct step s = { .script = "echo > o; mkdir -p a/b; echo 1 > a/b/log.txt",
			  .out = { "o" } };

	expect(&s, "a/b/log.txt");
	s.script = "echo > o; mkdir empty";
	expect(&s, NULL);
	s.script = "echo > o; echo > deep/new";
	expect(&s, "deep/new");
}

/* What went wrong for another reason is told as ever. */
static void other_ends(void)
{
	struct step s = { .script = "exit 3", .out = { "o" }, .is_watched = true };
	struct step gone = { .script = "true", .out = { "o" }, .is_watched = true };
	struct step slow = { .script = "sleep 60", .out = { "o" }, .is_watched = true,
			     .timeout_s = 0.2 };
	struct step killed = { .script = "kill -9 $$", .out = { "o" }, .is_watched = true };
	struct got g;

	rig_run(&rig, &s, &g);
	CHECK_GOT(&g, RUN_EXITED, "exit status 3");
	got_free(&g);
	rig_run(&rig, &gone, &g);
	CHECK_GOT(&g, RUN_NO_OUTPUT, "did not write");
	got_free(&g);
	rig_run(&rig, &slow, &g);
	CHECK_GOT(&g, RUN_TIMED_OUT, "longer");
	got_free(&g);
	rig_run(&rig, &killed, &g);
	CHECK_GOT(&g, RUN_SIGNALED, "SIGKILL");
	got_free(&g);
}

static void many_processes(void)
{
	struct step s = { .script = "for i in $(seq 40); do (cat a >/dev/null; "
			  "ls /usr >/dev/null) & done; wait; (sleep 0.1; cat conf.yaml) & "
			  "for i in $(seq 20); do cat a; done; wait; echo > o",
			  .in = { { "a", "A" } }, .out = { "o" } };

	expect(&s, "conf.yaml");
	/* None of them has lived on in the cell. */
	works();
}

static const struct test tests[] = {
	{ "a watched step works as any other", works },
	{ "it fails by what it asks for and does not name", asked_for },
	{ "outputs, caches and that a folder is there are no such thing", allowed },
	{ "a declared folder is complete as it was declared", declared_tree },
	{ "beside program text names are seen, and their use counts", names_beside_text },
	{ "an import of an undeclared module is seen, also one that may fail", imports },
	{ "a file left that is no output is told of", left_over },
	{ "other failures are told as ever", other_ends },
	{ "many processes are watched, and all of them ended", many_processes },
	{ 0 }
};

int main(int argc, char **argv)
{
	return rig_main(&rig, tests, argc, argv);
}
