/* t_modelfile.c - gg.models read: what is refused, and what the rest says */
#include "model.h"
#include "test.h"

static struct arena arena;

static struct models *read_models(const char *text)
{
	struct models *m;
	struct err e;

	MUST(models_new(bytes_str(text), "gg.models", &m, &e), e);
	return m;
}

static void hints_are_read(void)
{
	struct models *m = read_models("t @out\n\tcpus 0.5\n\tgpus 2\n\tmem 1.5GiB\n\tdisk 10G\n\ttime 1h30m\n"
				       "\tpriority -7\n\tnetwork yes\n");
	const char *args[] = { "t", "o", NULL };
	struct command c = { .program = "/t", .args = args, .n_args = 2, .cwd = "/" };
	struct binding b;

	CHECK(models_match(m, &c, &arena, &b, NULL) == MATCH_BOUND);
	CHECK(b.hints.cpus == 0.5 && b.hints.gpus == 2 && b.hints.time_s == 5400);
	CHECK(b.hints.mem_bytes == 3ull << 29 && b.hints.priority == -7);
	CHECK(b.hints.disk_bytes == 10ull << 30);
	CHECK(b.uses_network);
	models_free(m);
}

static void resume_is_read(void)
{
	struct models *m = read_models("t --seed=@ -o,--out=@out [--name=@]\n"
				       "\tresume {out}-{name}.ckpt --from {out}-{name}.ckpt\n"
				       "\tstate --keep '{seed}'\n");
	const char *args[] = { "t", "--seed", "3", "-o", "m", "--name", "x", NULL };
	struct command c = { .program = "/t", .args = args, .n_args = 7, .cwd = "/" };
	const struct resume *r;
	struct binding b;

	CHECK(models_match(m, &c, &arena, &b, NULL) == MATCH_BOUND);
	r = b.hints.resume;
	CHECK(r && r->n_words == 2 && r->n_state == 2);
	if (r) {
		CHECK_STR(r->path, "m-x.ckpt");
		CHECK_STR(r->words[1], "m-x.ckpt");
		CHECK_STR(r->state[1], "3");
	}
	/* Without the value that its path wants it cannot go on. */
	c.n_args = 5;
	args[5] = NULL;
	CHECK(models_match(m, &c, &arena, &b, NULL) == MATCH_BOUND && !b.hints.resume);
	models_free(m);
}

static const struct { const char *text, *says; } bad[] = {
	{ "\talso x\n", "gg.models:1:2: a property before any pattern" },
	{ "t\n\n\tcpu 1\n", "gg.models:3:2: unknown property `cpu`; there are also opt" },
	{ "t\n\tmem 2\n", "gg.models:2:6: mem 2: say a number and K" },
	{ "t\n\tmem 2X\n", "say a number and K" },
	{ "t\n\tmem 0G\n", "say a number and K" },
	{ "t\n\tmem\n", "write: mem 2G" },
	{ "t\n\tmem 2 G\n", "write: mem 2G" },
	{ "t\n\tdisk much\n", "gg.models:2:7: disk much: say a number and K" },
	{ "t\n\ttime 30\n", "say a number and s, m" },
	{ "t\n\ttime m\n", "say a number and s, m" },
	{ "t\n\tcpus 0\n", "say a number such as" },
	{ "t\n\tcpus -1\n", "say a number such as" },
	{ "t\n\tgpus nan\n", "say a number such as" },
	{ "t -j=@\n\taside -k\n", "an option of the pattern" },
	{ "t -i=@in\n\taside -i\n", "an option of the pattern" },
	{ "t\n\tgpus 4-1\n", "such as 1-4" }, { "t\n\tgpus 1-\n", "such as 1-4" },
	{ "t\n\tgpus -4\n", "such as 1-4" }, { "t\n\tgpus 1-4x\n", "such as 1-4" },
	{ "t\n\tcpus 0x10\n", "say a number such as" },
	{ "t\n\tpriority x\n", "whole number" },
	{ "t\n\tpriority -1001\n", "from -1000 to 1000" },
	{ "t\n\tpriority 1001\n", "from -1000 to 1000" },
	{ "t\n\tresume\n", "write: resume PATH" },
	{ "t\n\tresume ''\n", "an empty path" },
	{ "t\n\tresume {x}\n", "`x` in {x} is no option" },
	{ "t\n\tresume a\n\tresume b\n", "stands here twice" },
	{ "t\n\tstate a\n", "below the resume line" },
	{ "t\n\tnetwork maybe\n", "say yes or no" },
	{ "t\n\tnever ever\n", "write: never" },
	{ "t\n\tenv A=1\n", "write the name alone" },
	{ "t\n\tenv *\n", "env wants NAME" },
	{ "t\n\talso {seed}\n", "`seed` in {seed} is no option" },
	{ "t --seed=@\n\talso {seed:up}\n", "`up` in" },
	{ "t --seed=@\n\talso {seed\n", "is no option" },
	{ "t @\n\talso {2}\n", "`2` in" },
	{ "t\n\tmakes *.o\n", "outputs are named one by one" },
	{ "t\n\talso ''\n", "an empty path" },
	{ "t --a=@ --a\n", "--a stands twice" },
	{ "t -a,-a=@\n", "-a stands twice" },
	{ "t x x\n", "x stands twice" },
	{ "t x@out\n", "an @ inside the literal" },
	{ "t @inn\n", "@inn is none of" },
	{ "t @/\n", "@/ is none of" },
	{ "t --a@in\n", "a value follows an =" },
	{ "t --a=3\n", "gives a value of its own" },
	{ "t --a=x@in\n", "gives a value of its own" },
	{ "t -a,b=@in\n", "`b` is no option" },
	{ "t --a[=@]\n", "a ] without [" },
	{ "t --data @in\n", "is @in the value of --data?  Write --data=@in" },
	{ "t @in... @out...\n", "two words with ..." },
	{ "t @in ...\n", "cannot stand beside" },
	{ "t ... ...\n", "stands twice" },
	{ "t [@in\n", "a [ without ]" },
	{ "t @in]\n", "a ] without [" },
	{ "t [ [@in] ]\n", "a [ inside [ ]" },
	{ "t 'x\n", "a quote that is not closed" },
	{ "t x\\", "a backslash with nothing" },
	{ "t\n\talso a {seed}\n", "gg.models:2:9: `seed` in" },
	{ "t --a=@ \\\n  --a\n", "gg.models:2:3: --a stands twice" },
	{ "t \\\n\\\n\t@inn\n", "gg.models:3:2: @inn" },
	{ "t\n\tmem\n", "gg.models:2:2: write: mem" },
	{ "t [--a=@ --b=@\n", "gg.models:1:3: a [ without ]" },
	{ "t \xc3\xa9 'x\n", "gg.models:1:5: a quote that is not closed" },
	{ "t a \\\n 'x\n", "gg.models:2:2: a quote" },
	{ "t $'x\n", "gg.models:1:3: a quote that is not closed" },
	{ "t $'\\q'\n", "unknown \\ in $'" },
	{ "t $'\\x0'\n", "wants two hex digits" },
	{ "t $'\\x00'\n", "wants two hex digits" },
	{ "t\n\tupdates *.log\n", "updates *.log: outputs are named one by one" },
	{ "t\n\tupdates {seed}\n", "`seed` in {seed} is no option" },
	{ "t\n\tuses a/b\n", "gg.models:2:7: uses a/b: say a package's name" },
	{ "t\n\tuses numpy /usr/../etc/\n", "gg.models:2:13: uses /usr/../etc/: write it as /etc" },
	{ "t\n\tuses pip:/opt/../x\n", "write it as pip:/x" },
	{ "t\n\tuses //usr\n", "write it as /usr" },
	{ "t\n\tuses /\n", "say a package's name" },
	{ "t\n\tuses\n", "write: uses NAME..." },
	{ "t\n\talso {$1}\n", "`$1` in" },
	{ "t\n\talso {$}\n", "`$` in" },
	{ "t --s=@\n\talso {s:00}\n", "`00` in" },
	{ "t --s=@\n\talso {s:099}\n", "`099` in" },
	{ "t --s=@\n\talso {s:3}\n", "`3` in" },
	{ "@in x\n", "begins with the name of a program" },
	{ "--x\n", "begins with the name of a program" },
};

static void bad_files(void)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct models *m = NULL;
		struct err e = { 0 };
		bool is_good = models_new(bytes_str(bad[i].text), "gg.models", &m, &e) < 0 &&
			       e.code == ERR_BAD && strstr(e.text, bad[i].says) &&
			       strncmp(e.text, "gg.models:", 10) == 0;

		if (!is_good) {
			test_failures++;
			printf("# %s#   says %s\n", bad[i].text, e.text);
			models_free(m);
		}
	}
}

static void nothing(void)
{
	size_t pos = 0;
	struct model_info info;
	struct models *m = read_models("");
	struct err e;

	CHECK(!models_each(m, &pos, &info));
	models_free(m);
	models_free(NULL);
	MUST(models_new((struct bytes){ NULL, 0 }, "gg.models", &m, &e), e);
	CHECK(!models_know(m, "no-such-program"));
	models_free(m);
	m = read_models("\n# only this\n\t # and this\n\t\n");
	CHECK(!models_each(m, &pos, &info));
	models_free(m);
}

static void listing(void)
{
	size_t pos = 0;
	struct model_info info;
	struct models *m = read_models("# x\nt @in  \n\tcpus 1\n\npython3 a.py # b\n./s.sh\n");

	CHECK(models_each(m, &pos, &info));
	CHECK_STR(info.rule, "gg.models:2");
	CHECK_STR(info.pattern, "t @in");
	CHECK(models_each(m, &pos, &info));
	CHECK_STR(info.rule, "gg.models:5");
	CHECK(models_each(m, &pos, &info) && !models_each(m, &pos, &info));
	models_free(m);
}

static void knowing(void)
{
	struct models *m = read_models("t @in\npython3 a.py\n./s.sh\n");

	CHECK(models_know(m, "t") && models_know(m, "t-2") && models_know(m, "python3.11"));
	CHECK(models_know(m, "python") && models_know(m, "a.py") && models_know(m, "s.sh"));
	CHECK(models_know(m, "bash") && !models_know(m, "cat") && !models_know(m, ""));
	models_free(m);
	m = read_models("t @in\n");
	CHECK(!models_know(m, "bash") && !models_know(m, "tt"));
	models_free(m);
}

static const struct test tests[] = {
	{ "hints are read in their units", hints_are_read },
	{ "how a step goes on is read, with what its command says", resume_is_read },
	{ "a bad line is refused with its place and a remedy", bad_files },
	{ "an empty file and one of comments hold no model", nothing },
	{ "models are listed in order with their lines", listing },
	{ "a program that may have a model is known by its base name", knowing },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&arena);
	return rc;
}
