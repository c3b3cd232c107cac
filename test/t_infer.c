/* t_infer.c - what becomes of a command, and of one that has run already */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "infer.h"
#include "run.h"
#include "test.h"

static char root[64];
static struct project project;
static struct store *store;
static struct models *models;
static struct infer *in;
static struct arena arena;
static struct err e;
static struct hints hinted;
static unsigned n_outputs, n_closures;

static void on_output(void *arg, const char *path, const struct placeholder *ph)
{
	(void)arg;
	(void)path;
	(void)ph;
	n_outputs++;
}

static void on_hints(void *arg, const struct id *thunk, const struct hints *h)
{
	(void)arg;
	(void)thunk;
	hinted = *h;
}

static void on_closure(void *arg, const char *const *uses, size_t n, const struct id *tree)
{
	(void)arg;
	(void)tree;
	n_closures += n == 1 && strcmp(uses[0], "coreutils") == 0;
}

static const char *base_env[] = { "SAME=1", "CHANGED=before", "UNSET=1", "PATH=/bin", NULL };

static void begin(const char *hand, const char *learned)
{
	const struct infer_opts o = {
		.output = on_output, .hints = on_hints, .closure = on_closure,
		.search = run_search(),
		.base_env = base_env, .env_is_fixed = run_env_is_fixed,
	};
	struct infer_opts own = o;

	strcpy(root, "/tmp/gg-t-infer-XXXXXX");
	if (!mkdtemp(root) || chdir(root) < 0)
		exit(1);
	project = (struct project){ .root = root };
	project.root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(store_open(".gg", STORE_CREATE, &store, &e), e);
	MUST(models_new(bytes_str(hand), "gg.models", &models, &e), e);
	if (*learned)
		MUST(models_learn(models, "sort", bytes_str(learned), &e), e);
	own.store = store;
	own.project = &project;
	own.models = models;
	MUST(infer_new(&own, &in, &e), e);
	hinted = (struct hints){ 0 };
	n_outputs = n_closures = 0;
}

static void end(void)
{
	infer_free(in);
	models_free(models);
	MUST(store_close(store, &e), e);
	close(project.root_fd);
	if (chdir("/") < 0)
		exit(1);
	MUST(dir_remove(AT_FDCWD, root, &e), e);
	arena_reset(&arena);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		exit(1);
}

/* sort(1) is there everywhere; what it does does not matter. */
static struct command command(const char *line)
{
	static const char *env[] = { "SAME=1", "CHANGED=after", "NEW=x", "PWD=/p", "SHLVL=3",
				     "OLDPWD=/o", "_=/bin/sort", "PATH=/usr/bin:/bin" };
	struct command c = { .program = "/usr/bin/sort", .env = env, .n_env = 8,
			     .cwd = root, .root = root };
	char *copy = arena_str(&arena, line), *save = NULL;
	struct strs args = { 0 };

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		strs_add(&args, w);
	c.args = arena_alloc(&arena, (args.n + 1) * sizeof *c.args);
	memcpy(c.args, args.v, args.n * sizeof *c.args);
	c.n_args = args.n;
	strs_release(&args);
	return c;
}

static const char *said;

static enum infer_verdict keep_why(enum infer_verdict v, struct buf *why)
{
	said = arena_str(&arena, why->n ? why->p : "");
	buf_release(why);
	return v;
}

static enum infer_verdict ask(const char *line)
{
	struct command c = command(line);
	struct infer_helper h;
	struct buf why = { 0 };

	return keep_why(infer_command(in, &c, &arena, &why, &h, &e), &why);
}

static enum infer_verdict adopt(const char *line)
{
	struct command c = command(line);
	struct buf why = { 0 };

	return keep_why(infer_adopt(in, &c, &(struct infer_ran){ 0 }, &arena, &why, &e), &why);
}

/* The record of an output. */
static struct ref_record record(const char *path)
{
	struct ref_record r;

	MUST(ref_get(store, path, &arena, &r, &e), e);
	return r;
}

static struct thunk thunk_of(const char *path)
{
	struct ref_record r = record(path);
	struct bytes text;
	struct thunk t;

	MUST(store_get(store, &r.thunk, &arena, &text, &e), e);
	MUST(thunk_decode(text, &arena, &t, &e), e);
	return t;
}

static bool has_env(const struct thunk *t, const char *name_value)
{
	for (size_t i = 0; i < t->n_env; i++)
		if (strcmp(t->env[i], name_value) == 0)
			return true;
	return false;
}

static void unknown(void)
{
	begin("sort @in @out\nsort never\n\tnever\n", "");
	CHECK(ask("sort a b c") == INFER_UNKNOWN);
	CHECK(ask("sort never") == INFER_REAL);
	CHECK(ask("sort absent out") == INFER_REAL);
	CHECK(adopt("sort a b c") == INFER_REAL);
	end();
}

/* A model that nobody wrote stops nothing. */
static void refused(void)
{
	static const char model[] = "sort @in @out [--dir=@out/]\n";

	begin(model, "");
	write_text("a", "x\n");
	CHECK(ask("sort a /outside") == INFER_REFUSED);
	mkdir("d", 0777);
	write_text("d/own", "x\n");
	CHECK(ask("sort a o --dir=d") == INFER_REFUSED);
	end();
	begin("", model);
	write_text("a", "x\n");
	CHECK(ask("sort a /outside") == INFER_REAL && strstr(said, "outside the project"));
	mkdir("d", 0777);
	write_text("d/own", "x\n");
	CHECK(ask("sort a o --dir=d") == INFER_REAL && strstr(said, "gg did not put there"));
	CHECK(access("o", F_OK) < 0 && n_outputs == 0);
	end();
}

static void learned_env(void)
{
	static const char model[] = "sort @in @out\n\tenv SAME\n";
	struct thunk t;

	begin("", model);
	write_text("a", "x\n");
	CHECK(ask("sort a o") == INFER_DEFERRED && hinted.is_watched && n_outputs == 1);
	t = thunk_of("o");
	CHECK(t.n_env == 3 && has_env(&t, "SAME=1") && has_env(&t, "CHANGED=after") &&
	      has_env(&t, "NEW=x"));
	end();
	begin(model, "");
	write_text("a", "x\n");
	CHECK(ask("sort a o") == INFER_DEFERRED && !hinted.is_watched);
	t = thunk_of("o");
	CHECK(t.n_env == 1 && has_env(&t, "SAME=1"));
	end();
}

static void updates(void)
{
	struct thunk first, second;

	begin("sort --log=@out\n\tupdates {log}\nsort --other=@out\n\tupdates count\n", "");
	CHECK(ask("sort --log l") == INFER_DEFERRED);
	first = thunk_of("l");
	CHECK(first.n_in == 0 && first.n_out == 1);
	CHECK(ask("sort --log l") == INFER_DEFERRED);
	second = thunk_of("l");
	CHECK(second.n_in == 1 && second.in[0].ref.kind == REF_THUNK);
	CHECK_STR(second.in[0].path, "l");
	write_text("l2", "before\n");
	CHECK(ask("sort --log l2") == INFER_DEFERRED);
	CHECK(thunk_of("l2").n_in == 1 && thunk_of("l2").in[0].ref.kind == REF_VALUE);
	CHECK(adopt("sort --log l2") == INFER_REAL);
	CHECK(ask("sort --other o") == INFER_DEFERRED);
	CHECK(thunk_of("o").n_out == 2);
	write_text("l3", "after\n");
	CHECK(adopt("sort --log l3") == INFER_REAL);
	CHECK_STR(said, "gg.models:1: `sort` matched: --log writes l3, updates l3\n"
		  "gg.models:1: runs for real: what l3 was before is gone\n");
	end();
}

/* The first word of the thunk that makes o, after `called NAME PROGRAM`. */
static const char *first_word(const char *cwd, const char *called, const char *program)
{
	struct command c = command("x a o");
	struct infer_helper h;
	struct buf why = { 0 };

	c.args[0] = called;
	c.program = program;
	c.cwd = arena_printf(&arena, "%s%s", root, cwd);
	CHECK(keep_why(infer_command(in, &c, &arena, &why, &h, &e), &why) == INFER_DEFERRED);
	return arena_str(&arena, thunk_of(*cwd ? "d/e/o" : "o").args[0]);
}

static void closures(void)
{
	struct thunk t, again;
	struct infer_helper h;
	struct buf why = { 0 };
	struct command c;
	const char *own;

	begin("sort @in @out\n\tuses coreutils\nx @in @out\n\tuses coreutils\n"
	      "./tool @in @out\n\tuses coreutils\nhost @in @out\n", "");
	write_text("a", "x\n");
	CHECK(ask("sort a o") == INFER_DEFERRED && n_closures == 1);
	t = thunk_of("o");
	CHECK(t.runtime == RUNTIME_CLOSURE && t.n_in == 1);
	CHECK(ask("sort a o2") == INFER_DEFERRED && n_closures == 1);
	again = thunk_of("o2");
	CHECK(id_equal(&t.runtime_id, &again.runtime_id));
	CHECK_STR(first_word("", "sort", "/usr/bin/sort"), "sort");
	CHECK_STR(first_word("", "/usr/bin/sort", "/usr/bin/sort"), "/usr/bin/sort");
	CHECK_STR(first_word("", "x", "/usr/bin/sort"), "/usr/bin/sort");
	CHECK_STR(first_word("", "sort", "/usr/bin/uniq"), "/usr/bin/uniq");
	c = command("x a o");
	c.program = "/bin/sh";
	CHECK(keep_why(infer_command(in, &c, &arena, &why, &h, &e), &why) == INFER_REAL);
	CHECK(strstr(said, "its program /bin/sh is not among what its model uses"));
	own = arena_printf(&arena, "%s/tool", root);
	write_text("tool", "#!/bin/sh\n");
	chmod("tool", 0755);
	CHECK_STR(first_word("", "./tool", own), "./tool");
	CHECK_STR(first_word("", "tool", own), "./tool");
	t = thunk_of("o");
	CHECK(t.runtime == RUNTIME_CLOSURE && t.n_in == 2);
	CHECK(thunk_input(&t, "tool")->ref.kind == REF_EXEC);
	mkdir("d", 0777);
	mkdir("d/e", 0777);
	write_text("d/e/a", "x\n");
	CHECK_STR(first_word("/d/e", "tool", own), "../../tool");
	CHECK_STR(first_word("/d/e", "../../tool", own), "../../tool");
	end();
}

static void adopting(void)
{
	struct result known;
	enum place_now now;
	struct ref_record r;

	begin("", "sort @in [--dir=@out/] @out\n\tcpus 2\n");
	write_text("a", "x\n");
	write_text("o", "made\n");
	mkdir("d", 0777);
	write_text("d/x", "in it\n");
	CHECK(adopt("sort a --dir=d o") == INFER_DEFERRED && n_outputs == 2);
	CHECK(strstr(said, "learned sort: kept as thunk ") && strstr(said, ", 1 in, 2 out\n"));
	CHECK(hinted.is_watched && hinted.cpus > 1.9);
	r = record("o");
	CHECK(r.state == PLACE_REAL && r.value.kind == REF_VALUE);
	MUST(store_get_result(store, &r.thunk, &arena, &known, &e), e);
	CHECK(known.n == 2 && store_has(store, &r.value.id));
	CHECK(id_equal(&result_output(&known, "out1")->id, &r.value.id));
	CHECK(result_output(&known, "dir")->kind == REF_TREE);
	MUST(place_look(store, &project, "o", &r, &now, &e), e);
	CHECK(now == NOW_REAL);
	r = record("d");
	MUST(place_look(store, &project, "d", &r, &now, &e), e);
	CHECK(now == NOW_REAL);
	/* The same command is now known: its outputs come back at once. */
	unlink("o");
	CHECK(ask("sort a --dir=d o") == INFER_DEFERRED);
	r = record("o");
	MUST(place_look(store, &project, "o", &r, &now, &e), e);
	CHECK(now == NOW_REAL && access("o", R_OK) == 0);
	end();
}

/* A step on what another has made is known under both its names. */
static void adopting_reduced(void)
{
	struct result known;
	struct thunk t;
	struct buf text = { 0 };
	struct ref_record r;
	struct id id;

	begin("sort @in @out\n", "");
	write_text("a", "x\n");
	write_text("b", "y\n");
	write_text("c", "z\n");
	CHECK(adopt("sort a b") == INFER_DEFERRED && adopt("sort b c") == INFER_DEFERRED);
	t = thunk_of("c");
	CHECK(t.in[0].ref.kind == REF_THUNK);
	t.in[0].ref = record("b").value;
	MUST(thunk_encode(&t, &text, &e), e);
	id = id_of(buf_bytes(&text));
	MUST(store_get_result(store, &id, &arena, &known, &e), e);
	r = record("c");
	CHECK(id_equal(&known.v[0].ref.id, &r.value.id));
	buf_release(&text);
	end();
}

static void not_adopting(void)
{
	begin("sort @in @out\nsort --dir=@out/\nsort @in... --self=@out\n", "");
	write_text("a", "x\n");
	CHECK(adopt("sort a o") == INFER_REAL && strstr(said, "it did not write o"));
	mkdir("o", 0777);
	CHECK(adopt("sort a o") == INFER_REAL && strstr(said, "o is no file"));
	write_text("f", "");
	CHECK(adopt("sort --dir=f") == INFER_REAL && strstr(said, "f is no directory"));
	mkfifo("p", 0666);
	CHECK(adopt("sort a p") == INFER_REAL && strstr(said, "p is no file"));
	write_text("ph", "gg-placeholder 1\n");
	CHECK(adopt("sort a ph") == INFER_REAL && strstr(said, "still to be made"));
	write_text("tail", "gg-tail 1\n");
	CHECK(adopt("sort a tail") == INFER_REAL && strstr(said, "still to be made"));
	CHECK(symlink("f", "l") == 0);
	CHECK(adopt("sort a l") == INFER_REAL && strstr(said, "through a link"));
	CHECK(adopt("sort a b --self=a") == INFER_REAL);
	CHECK(adopt("sort absent f") == INFER_REAL && strstr(said, "absent is not there"));
	CHECK(adopt("sort a /outside") == INFER_REAL && strstr(said, "outside the project"));
	CHECK(n_outputs == 0);
	end();
}

static const struct test tests[] = {
	{ "what no model explains is unknown, what one says to run is not", unknown },
	{ "what a written model is refused for, a learned one lets run", refused },
	{ "a learned step has the variables that were set for it", learned_env },
	{ "a step that names what it uses has its closure as runtime", closures },
	{ "a file that a pattern updates is read and written", updates },
	{ "what a command left is kept as if it had been forced", adopting },
	{ "what was made of made things is kept under both names", adopting_reduced },
	{ "what is not as the model says is not kept", not_adopting },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&arena);
	return rc;
}
