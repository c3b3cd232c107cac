/* t_defaults.c - limits that nobody has said, of what was seen */
#include <math.h>
#include "../src/exec/exec_internal.h"
#include "exec_rig.h"

static struct id numbered(const char *words, int seed)
{
	char text[80];

	snprintf(text, sizeof text, "%s seed=%d", words, seed);
	return step0(text);
}

static void ran_before(const char *words, int n)
{
	for (int i = 0; i < n; i++)
		CHECK(force(numbered(words, i), NULL) == ERR_NONE);
}

static void open_with(const char *fake, struct exec_opts xo)
{
	close_all();
	open_engines((const char *const[]){ fake, NULL }, xo);
}

static void what_hangs(void)
{
	const struct exec_opts soon = { .least_timeout_s = 0.2 };

	begin("delay=10");
	ran_before("a b=1", 10);
	open_with("hang=1", soon);
	CHECK(force(numbered("a b=1", 50), NULL) == ERR_NONE && n_started == 2);
	CHECK(strstr(notices.p, "seems to hang") && strstr(notices.p, "once more"));
	open_with("hang=2", soon);
	CHECK(force(numbered("a b=1", 51), NULL) == ERR_FAILED && n_started == 2);
	CHECK(strstr(e.text, "seems to hang") && strstr(e.text, "--timeout"));
	/* Said by somebody: that is it. */
	open_with("hang=1", (struct exec_opts){ .timeout_s = 0.1 });
	CHECK(force(numbered("a b=1", 52), NULL) == ERR_FAILED && n_started == 1);
	CHECK(!strstr(e.text, "seems to hang"));
	end();
}

/* As exec_internal.h has it, without an engine. */
static struct exec lone;
static struct node node;

static struct thunk command(const char **args)
{
	struct thunk t = { .args = args };

	while (args[t.n_args])
		t.n_args++;
	return t;
}

#define ARGS(...) ((const char *[]){ __VA_ARGS__, NULL })

static double limit_of(const char **args)
{
	struct thunk t = command(args);
	const struct run r = { .node = &node };

	node = (struct node){ .shape = profile_shape(&lone, &t) };
	return defaults_timeout(&lone, &r, &t);
}

static void learn(const char **args, double seconds, int n)
{
	struct thunk t = command(args);

	for (int i = 0; i < n; i++)
		profile_learn(&lone, profile_shape(&lone, &t), &(struct sample){
			.seconds = seconds, .mem_bytes = 300 << 20,
			.weight = defaults_weight(&t) });
}

static void begin_lone(void)
{
	begin("");
	lone = (struct exec){ .o.store = store };
}

static void end_lone(void)
{
	map_release(&lone.shapes);
	arena_release(&lone.keep);
	arena_release(&lone.scratch);
	buf_release(&lone.text);
	end();
}

static void generous(void)
{
	const char **ten = ARGS("train", "--epochs", "10", "--rate", "0.1", "--seed", "3");
	double limit;

	begin_lone();
	learn(ten, 60, 7);
	CHECK(limit_of(ten) <= 0);
	learn(ten, 60, 30);
	limit = limit_of(ten);
	CHECK(limit >= 1800 && limit < 3600);
	/* A seed is no amount, twenty times the epochs are. */
	CHECK(fabs(limit_of(ARGS("train", "--epochs", "10", "--rate", "0.1", "--seed",
				 "123456")) - limit) < 1);
	CHECK(limit_of(ARGS("train", "--epochs", "200", "--rate", "0.1", "--seed", "3")) >
	      19 * limit);
	CHECK(limit_of(ARGS("train", "--epochs", "10", "--rate", "0.001", "--seed", "3")) >
	      99 * limit);
	/* What takes hours may take days, and what nobody can say has none. */
	learn(ARGS("long"), 7200, 30);
	CHECK(limit_of(ARGS("long")) >= 20 * 7200 * 0.99);
	CHECK(limit_of(ARGS("train", "--epochs", "100000000", "--rate", "0.1", "--seed", "3")) <= 0);
	end_lone();
}

static void memory(void)
{
	const char **args = ARGS("fake", "big");
	struct thunk t = command(args);
	struct buf text = { 0 };

	begin("cpus=4,mem=1000000000");
	t.runtime_id = host;
	t.out = &(struct output){ "out", "out", false };
	t.n_out = 1;
	MUST(thunk_encode(&t, &text, &e), e);
	node = (struct node){ .cpus = 1, .shape = profile_shape(x, &t) };
	for (int i = 0; i < 9; i++) {
		defaults_memory(x, &node, &t, buf_bytes(&text));
		CHECK((node.mem_mib == 0) == (i < 8));
		profile_learn(x, node.shape, &(struct sample){ .seconds = 1,
							       .mem_bytes = 300 << 20 });
	}
	/* A quarter more than the most that was seen, in round steps. */
	CHECK(node.mem_mib == 384 && node.mem_is_guess && node.sites);
	/* It never forbids a step to run, nor changes what somebody said. */
	for (int i = 0; i < 9; i++)
		profile_learn(x, node.shape, &(struct sample){ .seconds = 1,
							       .mem_bytes = (uint64_t)2 << 30 });
	node.mem_mib = 0;
	defaults_memory(x, &node, &t, buf_bytes(&text));
	CHECK(node.mem_mib == 0 && !node.mem_is_guess);
	node.mem_mib = 100;
	defaults_memory(x, &node, &t, buf_bytes(&text));
	CHECK(node.mem_mib == 100 && !node.mem_is_guess);
	buf_release(&text);
	end();
}

static const struct test tests[] = {
	{ "what hangs is tried once more, then fails with the remedy", what_hangs },
	{ "a limit is never near to what a step may plausibly take", generous },
	{ "memory that was seen is kept free, where there is so much", memory },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
