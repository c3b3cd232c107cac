/* t_policy.c - which of the ready steps goes first */
#include "sim_rig.h"
#include "../src/exec/exec_internal.h"
#include "test.h"

static struct err e;

static double order_of(const struct policy *p, const struct policy_step *s)
{
	return p->urgency(s);
}

static void rows(void)
{
	struct policy_step near = { .seconds = 5, .sequence = 3, .n_above = 9, .most_above = 1 };
	struct policy_step far = { .seconds = 2, .sequence = 7, .n_above = 1, .most_above = 6 };

	CHECK(policies[0] == &policy_longest);
	for (size_t i = 0; policies[i]; i++) {
		CHECK(policy_find(policies[i]->name) == policies[i]);
		CHECK(*policies[i]->help);
	}
	CHECK(!policy_find("long") && !policy_find(""));
	CHECK(order_of(&policy_longest, &far) > order_of(&policy_longest, &near));
	CHECK(order_of(&policy_fifo, &near) > order_of(&policy_fifo, &far));
	CHECK(order_of(&policy_widest, &near) > order_of(&policy_widest, &far));
	CHECK(order_of(&policy_shortest, &far) > order_of(&policy_shortest, &near));
}

/* The clock at the end of a chain of `n` steps of a second and as many single ones,
 * those wanted first, on two workers. */
static double chain_and_singles(const struct policy *p, int n)
{
	struct exec_opts xo = { .policy = p };
	struct sim_rig rig;
	struct sim_told told;
	struct id id, last = { { 0 } };

	MUST(rig_begin(&rig, "workers=2,latency=0", &e), e);
	xo.loop = rig.loop;
	xo.store = rig.store;
	xo.project = &rig.project;
	xo.engines = &rig.engine;
	xo.n_engines = 1;
	exec_free(rig.x);
	MUST(exec_new(&xo, &rig.x, &e), e);
	for (int i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof name, "single=%d", i);
		MUST(rig_step(&rig, name, 1, 0, NULL, 0, &id, &e), e);
		MUST(rig_want(&rig, id, &e), e);
	}
	for (int i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof name, "chain=%d", i);
		MUST(rig_step(&rig, name, 1, 0, &last, i > 0, &last, &e), e);
	}
	MUST(rig_want(&rig, last, &e), e);
	rig_finish(&rig);
	CHECK(rig.n_bad == 0);
	sim_tell(rig.backend, &told);
	MUST(rig_end(&rig, &e), e);
	return told.now_s;
}

/* The chain is all that counts: who leaves it for the end takes half as long again. */
static void longest_wins(void)
{
	double longest = chain_and_singles(&policy_longest, 20);
	double usual = chain_and_singles(NULL, 20);

	CHECK(longest > 19.9 && longest < 20.1);
	CHECK(usual > 19.9 && usual < 20.1);
}

static void fifo_is_first_come(void)
{
	double fifo = chain_and_singles(&policy_fifo, 20);

	CHECK(fifo > 28.9 && fifo < 30.1);
}

static const struct test tests[] = {
	{ "each policy has its row and its order", rows },
	{ "the longest path first is the usual, and the best for a chain", longest_wins },
	{ "the real scheduler goes by the policy that it is given", fifo_is_first_come },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
