/* t_learned.c - what was learned is kept, counted, merged and forgotten */
#include <fcntl.h>
#include <unistd.h>
#include "../src/thunk/learn_private.h"
#include "learn_rig.h"

static char dir[] = "/tmp/gg-t-learned-XXXXXX";
static struct store *st;

static const char *text_of(const struct learned *l)
{
	return arena_strn(&arena, l->text.p, l->text.n);
}

static struct learned add(const char *shape, const char *command, const char *did)
{
	struct sighting s = sighting_of((struct sight){ command, did });
	struct learned l;
	struct err e;

	MUST(learned_add(st, shape, &s, &arena, &l, &e), e);
	return l;
}

static void kept(void)
{
	struct learned l = add("a", "SEED=1 SECRET=x python3 t.py --out m",
			       "r:t.py r:common.py w:m r:/usr/lib/gg-no-such-file.so");
	struct err e;

	CHECK(l.n == 1 && !l.never && l.n_held == 0);
	CHECK(bytes_start(l.text, "python3 t.py --out=@out\n\talso\tcommon.py\n"
				  "\tenv\tSECRET SEED\n\tuses\t"));
	CHECK(strstr(text_of(&l), "gg-no-such-file.so"));
	MUST(learned_count(st, "a", true, &e), e);
	MUST(learned_count(st, "a", true, &e), e);
	MUST(learned_count(st, "a", false, &e), e);
	MUST(store_flush(st, &e), e);
	MUST(learned_get(st, "a", &arena, &l, &e), e);
	CHECK(l.n_held == 2 && l.n_failed == 1 && l.n == 1);
	CHECK(l.v[0].seconds == 1.5 && l.v[0].command.n_args == 4);
	CHECK_STR(l.v[0].set_env[1], "SECRET=x");
	MUST(learned_forget(st, "a", &e), e);
	CHECK(learned_get(st, "a", &arena, &l, &e) < 0 && e.code == ERR_MISSING);
}

/* With a slash at its end, as many write it. */
static void other_temps(void)
{
	static const char did[] = "r:t.py w:m mo:/srv/job/tmpq4k2x9ab w:/srv/job/tmpq4k2x9ab/f";
	static const char *const dirs[] = { "/srv/job", "/srv/job/", "/srv" };

	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		struct sighting s = sighting_of((struct sight){ "python3 t.py --out m", did });
		const char *env[] = { "USER=ann", arena_printf(&arena, "TMPDIR=%s", dirs[i]) };
		struct err e;

		CHECK(learned_add(st, dirs[i], &s, &arena, NULL, &e) < 0 &&
		      strstr(e.text, "outside the project"));
		s.command.env = env;
		s.command.n_env = 2;
		MUST(learned_add(st, dirs[i], &s, &arena, NULL, &e), e);
		MUST(learned_forget(st, dirs[i], &e), e);
	}
}

static void merged(void)
{
	struct learned l;

	add("b", "python3 t.py --s 1 --out m", "r:t.py w:m e:/usr/bin/gg-one");
	l = add("b", "python3 t.py --s 1 --out m", "r:t.py w:m r:new.py e:/usr/bin/gg-two");
	CHECK(l.n == 1);
	CHECK(strstr(text_of(&l), "also\tnew.py\n"));
	/* What an older run used of the system stays. */
	CHECK(strstr(text_of(&l), "/usr/bin/gg-one") && strstr(text_of(&l), "/usr/bin/gg-two"));
	l = add("b", "python3 t.py --s 1 --lr 2 --out k", "r:t.py w:k r:new.py");
	CHECK(l.n == 2);
	CHECK(strstr(text_of(&l), "--s=@ --out=@out [--lr=@]\n\talso\tnew.py\n"));
	for (int i = 0; i < 20; i++)
		l = add("b", arena_printf(&arena, "python3 t.py --s %d --out m", i),
			"r:t.py w:m r:new.py");
	CHECK(l.n == LEARN_SIGHTINGS_MAX);
	/* Of each way of calling one is left. */
	CHECK(strstr(text_of(&l), "[--lr=@]"));
}

static void never(void)
{
	struct sighting s = sighting_of((struct sight){ "python3 n.py", "r:n.py w:/srv/x" });
	struct learned l;
	struct err e;

	CHECK(learned_add(st, "n", &s, &arena, NULL, &e) < 0 && e.code == ERR_REFUSED);
	MUST(learned_get(st, "n", &arena, &l, &e), e);
	CHECK_STR(l.never, "it writes /srv/x, outside the project");
	CHECK(l.text.n == 0);
	MUST(learned_never(st, "o", "it uses the network", &e), e);
	MUST(learned_get(st, "o", &arena, &l, &e), e);
	CHECK_STR(l.never, "it uses the network");
	/* Another day it may behave. */
	l = add("o", "python3 o.py", "r:o.py w:m");
	CHECK(!l.never && l.text.n);
}

/* A refusal stands as long as what it rests on. */
static void rests(void)
{
	char project[] = "/tmp/gg-t-learned-p-XXXXXX";
	struct command c = sighting_of((struct sight){ "python3 t.py --s 1", "" }).command;
	struct command other = sighting_of((struct sight){ "python3 t.py --k 1", "" }).command;
	struct strs read = { 0 };
	bool is_quiet = false;
	struct err e;

	CHECK(mkdtemp(project) != NULL);
	c.cwd = c.root = other.cwd = other.root = project;
	strs_add(&read, "t.py");
	strs_add(&read, "data.bin");
	for (size_t i = 0; i < read.n; i++)
		MUST(file_write(AT_FDCWD, arena_printf(&arena, "%s/%s", project, read.v[i]),
				bytes_str("old"), 0644, 0, &e), e);
	CHECK(!learned_stands(st, "r", &c, &is_quiet));
	MUST(learned_rests_on(st, "r", &c, &read, true, &e), e);
	CHECK(learned_stands(st, "r", &c, &is_quiet) && is_quiet);
	CHECK(!learned_stands(st, "r", &other, &is_quiet));
	MUST(learned_rests_on(st, "r", &other, &read, true, &e), e);
	CHECK(learned_stands(st, "r", &c, &is_quiet) &&
	      learned_stands(st, "r", &other, &is_quiet));
	MUST(file_write(AT_FDCWD, arena_printf(&arena, "%s/data.bin", project),
			bytes_str("else"), 0644, 0, &e), e);
	CHECK(learned_stands(st, "r", &c, &is_quiet));
	MUST(file_write(AT_FDCWD, arena_printf(&arena, "%s/t.py", project),
			bytes_str("mended"), 0644, 0, &e), e);
	CHECK(!learned_stands(st, "r", &c, &is_quiet));
	MUST(learned_rests_on(st, "r", &other, &read, false, &e), e);
	CHECK(learned_stands(st, "r", &other, &is_quiet) && !is_quiet);
	CHECK(!learned_stands(st, "r", &c, &is_quiet));
	MUST(dir_remove(AT_FDCWD, project, &e), e);
	strs_release(&read);
}

static int count(void *arg, const struct learned *l)
{
	++*(int *)arg;
	CHECK(l->shape && *l->shape);
	return 0;
}

static void each(void)
{
	struct err e;
	int n = 0;

	MUST(learned_count(st, "o", true, &e), e);
	MUST(learned_each(st, count, &n, &e), e);
	CHECK(n == 3);
}

static void damaged(void)
{
	static const char *const bad[] = {
		"", "gg-learned 2\n", "gg-learned 1\n", "gg-learned 1\nshape x\nmodel",
		"gg-learned 1\nshape x\nsighting 1 0\n",
	};
	struct learned l;
	struct err e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		MUST(store_table_put(st, TABLE_LEARN, bytes_str("x"), bytes_str(bad[i]), &e), e);
		CHECK(learned_get(st, "x", &arena, &l, &e) < 0 && e.code == ERR_BAD);
	}
	l = add("x", "python3 x.py", "r:x.py w:m");
	CHECK(l.n == 1 && l.text.n);
}

/* A script that was edited and writes elsewhere now. */
static void edited(void)
{
	char project[] = "/tmp/gg-t-learned-p-XXXXXX";
	struct sighting s;
	struct learned l;
	struct err e;

	CHECK(mkdtemp(project) != NULL);
	for (int i = 0; i < 3; i++) {
		static const char *const code[] = { "old", "new", "new" };
		static const char *const did[] = { "r:t.py w:old.bin", "r:t.py w:x2.bin",
						   "r:t.py w:x3.bin" };

		s = sighting_of((struct sight){
			arena_printf(&arena, "python3 t.py --s %d", i + 1), did[i] });
		s.command.cwd = s.command.root = project;
		MUST(file_write(AT_FDCWD, arena_printf(&arena, "%s/t.py", project),
				bytes_str(code[i]), 0644, 0, &e), e);
		MUST(learned_add(st, "edited", &s, &arena, &l, &e), e);
	}
	CHECK(l.n == 2);
	CHECK(strstr(text_of(&l), "makes\tx{s}.bin\n"));
	MUST(dir_remove(AT_FDCWD, project, &e), e);
}

/* Python asks for no module that it does not see in the folder. */
static void imported(void)
{
	char project[] = "/tmp/gg-t-learned-p-XXXXXX";
	struct sighting s = sighting_of((struct sight){
		"python3 src/t.py --out m",
		"r:src/t.py s:src/mine.py w:m r:/usr/lib/python3/dist-packages/numpy/__init__.py" });
	struct learned l;
	struct err e;

	CHECK(mkdtemp(project) != NULL);
	s.command.cwd = s.command.root = project;
	MUST(dir_make(AT_FDCWD, arena_printf(&arena, "%s/src", project), &e), e);
	MUST(file_write(AT_FDCWD, arena_printf(&arena, "%s/src/t.py", project),
			bytes_str("import sys, numpy as np\nfrom mine import x\ntry:\n"
				  "    import local_settings\nexcept ImportError: pass\n"
				  "from . import y\n"), 0644, 0, &e), e);
	MUST(learned_add(st, "imported", &s, &arena, &l, &e), e);
	CHECK(strstr(text_of(&l), "\talso\tsrc/mine.py\n\toptional\tsrc/local_settings.py "
				  "src/local_settings/__init__.py\n"));
	MUST(dir_remove(AT_FDCWD, project, &e), e);
	MUST(learned_forget(st, "imported", &e), e);
}

static void round_trip(void)
{
	struct sighting v[] = {
		sighting_of((struct sight){ "(sub) A=1 python3 ../t.py --x 1", "r:t.py l:d w:m m:k a:q "
					    "u:/srv/a/b s:z x:gone e:/usr/bin/python3" }),
		sighting_of((struct sight){ "./fit a_b", "w:m" }),
	};
	struct id code[2] = { { { 1 } }, { { 2 } } };
	struct record r = { .l = { .shape = "odd\nname", .text = bytes_str("a\n\tb\\\n"), .v = v,
				   .n = 2 }, .code = code }, back;
	struct buf one = { 0 }, two = { 0 };
	struct err e;

	v[0].command.std[1] = (struct stream){ STREAM_FILE, "/x/y z", true, true, false };
	v[1].takes_files = true;
	v[1].command.args[1] = "";
	record_write(&r, &one);
	MUST(record_read(buf_bytes(&one), &arena, &back, &e), e);
	record_write(&back, &two);
	CHECK_STR(one.p, two.p);
	CHECK(back.l.n == 2 && back.l.v[0].n == v[0].n && back.l.v[1].takes_files);
	CHECK_STR(back.l.v[0].command.std[1].path, "/x/y z");
	CHECK_STR(back.l.shape, "odd\nname");
	buf_release(&one);
	buf_release(&two);
}

static const struct test tests[] = {
	{ "a model, its counts and its sighting come back as they were", kept },
	{ "what has a name by chance in TMPDIR counts for nothing", other_temps },
	{ "sightings merge, the same command replaces, at most so many stay", merged },
	{ "what must run for real is kept with the reason, until it behaves", never },
	{ "each shape is told once", each },
	{ "a refusal stands while program, options and settings are the same", rests },
	{ "a damaged record is told of and replaced by the next sighting", damaged },
	{ "sightings of an older script go when they contradict", edited },
	{ "a module that is imported if it is there is asked for", imported },
	{ "a record read and written again is the same text", round_trip },
	{ 0 }
};

int main(void)
{
	struct err e;
	int rc;

	if (!mkdtemp(dir))
		return 1;
	MUST(store_open(dir, STORE_CREATE, &st, &e), e);
	rc = test_main(tests);
	MUST(store_close(st, &e), e);
	MUST(dir_remove(AT_FDCWD, dir, &e), e);
	arena_release(&arena);
	return rc;
}
