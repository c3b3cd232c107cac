/* t_fuse.c - commands as one command: what must be alike, and who gets what */
#include "fuse.h"
#include "test.h"

static struct err e;
static struct arena a;

static const char ml[] = "--members={n} --seed=,0 --rate=, -o,--output={} --metrics={} "
			 "!--state !--profile=fast";

/* A thunk of these words with outputs "weights" and, unless NULL, "metrics". */
static struct thunk command(const char *line, const char *weights, const char *metrics)
{
	static const struct input in = { "d.st", { REF_VALUE, { { 1 } }, NULL } };
	struct strs args = { 0 };
	struct thunk t = { .runtime_id = { { 2 } } };

	for (char *p = arena_str(&a, line), *w, *save; (w = strtok_r(p, " ", &save)); p = NULL)
		strs_add(&args, w);
	t.args = arena_alloc(&a, args.n * sizeof *t.args);
	memcpy(t.args, args.v, args.n * sizeof *t.args);
	t.n_args = args.n;
	strs_release(&args);
	t.in = arena_alloc(&a, sizeof in);
	t.in[0] = in;
	t.n_in = 1;
	t.out = arena_alloc(&a, 2 * sizeof *t.out);
	t.out[t.n_out++] = (struct output){ "weights", weights, false };
	if (metrics)
		t.out[t.n_out++] = (struct output){ "metrics", metrics, false };
	thunk_sort(&t);
	return t;
}

static struct fuse *fuse_of(const char *words)
{
	struct fuse *f;

	MUST(fuse_read(words, &a, &f, &e), e);
	return f;
}

static bool alike(const char *words, struct thunk x, struct thunk y)
{
	struct fuse *f = fuse_of(words);
	struct id i, k;

	return fuse_common(f, &x, &i) && fuse_common(f, &y, &k) && id_equal(&i, &k);
}

static void words(void)
{
	static const struct { const char *words, *says; } bad[] = {
		{ "--seed=,", "what is written" }, { "--out={} --seed", "write" },
		{ "--out={} --seed=3", "write" }, { "--out={} !", "option" },
		{ "", "what is written" }, { "={}", "write" },
	};
	struct fuse *f;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK(fuse_read(bad[i].words, &a, &f, &e) < 0 && e.code == ERR_BAD);
		CHECK(strstr(e.text, bad[i].says));
	}
	MUST(fuse_read(ml, &a, &f, &e), e);
	arena_release(&a);
}

static void who_goes_together(void)
{
	struct thunk x = command("t train --rate 1 -o m/a.st", "m/a.st", NULL);
	static const struct { const char *line, *weights; bool is_alike; } rows[] = {
		{ "t train --rate=2 -o m/b.st", "m/b.st", true },
		{ "t train --rate 2 --seed 9 --output=./m/b.st", "m/b.st", true },
		{ "t train --seed=9 --rate 2 --output b.st", "b.st", true },
		{ "t train --rate 2 -o m/b.npz", "m/b.npz", false },
		{ "t train -o m/b.st", "m/b.st", false },
		{ "t train --rate 2 --rate 3 -o m/b.st", "m/b.st", false },
		{ "t train --rate 2,3 -o m/b.st", "m/b.st", false },
		{ "t train --rate 2 -o m/b.st --batch 3", "m/b.st", false },
		{ "t train --rate 2 --members 2 -o m/b.st", "m/b.st", false },
		{ "t train --rate 2 --state s -o m/b.st", "m/b.st", false },
		{ "t train --rate 2 -o m/b.st --profile fast", "m/b.st", false },
		{ "t train --rate 2 -o m/{}.st", "m/0.st", false },
		{ "t train --rate 2 -o", "m/b.st", false },
		{ "t train --rate 2 -- -o m/b.st", "m/b.st", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int before = test_failures;

		CHECK(alike(ml, x, command(rows[i].line, rows[i].weights, NULL)) ==
		      rows[i].is_alike);
		if (test_failures != before)
			printf("# %s\n", rows[i].line);
	}
	/* An output that no word speaks of. */
	CHECK(!alike(ml, x, command("t train --rate 2 -o b.st", "b.st", "m.json")));
	CHECK(alike(ml, command("t --rate 1 --profile exact -o a --metrics x", "a", "x"),
		    command("t --rate 1 --profile exact --metrics y -o b", "b", "y")));
	arena_release(&a);
}

static void inputs_count(void)
{
	struct thunk x = command("t --rate 1 -o a", "a", NULL), y = x;
	struct input other = y.in[0];
	const char *env[] = { "OMP_NUM_THREADS=1" };

	other.ref.id.b[5] = 9;
	y.in = &other;
	CHECK(!alike(ml, x, y));
	y = x;
	y.runtime_id.b[0] = 7;
	CHECK(!alike(ml, x, y));
	y = x;
	y.cwd = "sub";
	CHECK(!alike(ml, x, y));
	y = x;
	y.env = env;
	y.n_env = 1;
	CHECK(!alike(ml, x, y));
	y = x;
	y.uses_network = true;
	CHECK(!alike(ml, y, y));
	y = x;
	y.std[1] = "a";
	CHECK(!alike(ml, y, y));
	arena_release(&a);
}

/* Of what each leaves when the process is told to end. */
static void checkpoints(void)
{
	struct thunk x = command("t train -o m/a.st", "m/a.st", NULL);
	struct thunk y = command("t train -o m/b.st", "m/b.st", NULL);
	struct thunk own = command("t train --keep m/k -o m/b.st", "m/b.st", NULL);
	const struct thunk *both[] = { &x, &y };
	struct fuse *f = fuse_of("--members={n} -o={} --keep={stop}");
	struct id id;
	struct thunk t;

	CHECK(fuse_can_stop(f) && fuse_common(f, &x, &id) && !fuse_common(f, &own, &id));
	MUST(fuse_make(f, both, 2, &a, &t, &e), e);
	CHECK(t.n_out == 2 && t.n_args == 6);
	CHECK_STR(t.args[5], "--keep=.gg-fused/2-{}");
	CHECK_STR(fuse_checkpoints(f, &t, &a), ".gg-fused/");
	CHECK_STR(fuse_checkpoint_name(f, 1, &a), "2-1");
	t.cwd = "deep/down";
	CHECK_STR(fuse_checkpoints(f, &t, &a), "deep/down/.gg-fused/");
	arena_release(&a);
}

static void made_and_parted(void)
{
	struct thunk x = command("t train --rate 1 -o m/a.st --metrics=m/a.json --batch 5", "m/a.st",
				 "m/a.json");
	struct thunk y = command("t train --rate 2 --seed 7 -o m/b.st --metrics m/b.json --batch 5",
				 "m/b.st", "m/b.json");
	const struct thunk *both[] = { &x, &y };
	struct fuse *f = fuse_of(ml);
	struct result whole, part;
	struct buf line = { 0 };
	struct thunk t;

	MUST(fuse_make(f, both, 2, &a, &t, &e), e);
	for (size_t i = 0; i < t.n_args; i++)
		buf_printf(&line, "%s ", t.args[i]);
	CHECK_STR(line.p, "t train --batch 5 --members=2 --seed=0,7 --rate=1,2 -o "
		  ".gg-fused/3-{}.st --metrics=.gg-fused/4-{}.json ");
	CHECK(!fuse_can_stop(f) && !fuse_checkpoints(f, &t, &a));
	buf_reset(&line);
	MUST(thunk_encode(&t, &line, &e), e);
	CHECK(t.n_out == 4);
	whole = (struct result){ arena_alloc(&a, 4 * sizeof *whole.v), 4 };
	for (size_t i = 0; i < 4; i++) {
		whole.v[i] = (struct result_out){ t.out[i].name, { REF_VALUE, { { 0 } }, NULL } };
		whole.v[i].ref.id = id_of(bytes_str(t.out[i].path));
	}
	MUST(fuse_part(f, &y, 1, &whole, &a, &part, &e), e);
	CHECK(part.n == 2 && strcmp(part.v[0].name, "metrics") == 0);
	CHECK(id_equal(&part.v[0].ref.id, &(struct id[]){ id_of(bytes_str(".gg-fused/4-1.json")) }[0]));
	CHECK(id_equal(&part.v[1].ref.id, &(struct id[]){ id_of(bytes_str(".gg-fused/3-1.st")) }[0]));
	whole.n = 2;
	CHECK(fuse_part(f, &y, 1, &whole, &a, &part, &e) < 0 && e.code == ERR_BAD);
	buf_release(&line);
	arena_release(&a);
}

static const struct test tests[] = {
	{ "words that say nothing are refused", words },
	{ "commands that differ in what the words name go together", who_goes_together },
	{ "other inputs, machines, folders, variables or streams part them", inputs_count },
	{ "one command of two, and what each of them gets of it", made_and_parted },
	{ "where the process leaves what each of them goes on from", checkpoints },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
