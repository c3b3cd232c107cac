/* t_flotilla.c - trainers that may have several GPUs, on simulated ones */
#include <math.h>
#include "foresee.h"
#include "sim_rig.h"
#include "test.h"

static struct err e;
static struct sim_rig rig;
static double gpu_s[64];                /* by event: what ran, on all */

static struct id trainer(int net, int seed, unsigned most)
{
	struct arena a = { 0 };
	struct buf text = { 0 };
	struct output o = { "out", "out", false };
	const char *args[] = { "sim", arena_printf(&a, "--net=n%d", net), "--seed",
			       arena_printf(&a, "%d", seed), "gains=0.98",
			       arena_printf(&a, "time=%d", 100 * (net + 1)) };
	struct thunk t = { .args = args, .n_args = 6, .out = &o, .n_out = 1,
			   .runtime_id = rig.host };
	struct hints h = { .gpus = 1, .gpus_most = most };
	struct id id;

	MUST(thunk_encode(&t, &text, &e), e);
	MUST(store_put(rig.store, buf_bytes(&text), &id, &e), e);
	MUST(hints_put(rig.store, &id, &h, &e), e);
	buf_release(&text);
	arena_release(&a);
	return id;
}

static void again_with(const char *words, const struct policy *p)
{
	MUST(rig_close(&rig, &e), e);
	rig.policy = p;
	MUST(rig_open(&rig, words, &e), e);
	rig.n_ended = 0;
}

/* All n of them trained; how long that took by the simulated clock. */
static double train(int n, int seed, unsigned most)
{
	struct sim_told before, after;

	rig.n_ended = 0;
	sim_tell(rig.backend, &before);
	for (int i = 0; i < n; i++)
		MUST(rig_want(&rig, trainer(i, seed, most), &e), e);
	rig_finish(&rig);
	sim_tell(rig.backend, &after);
	CHECK(rig.n_ended == (size_t)n && !rig.n_bad);
	return after.now_s - before.now_s;
}

static const char machine[] = "workers=1,cpus=64,gpus=8,latency=0";

static void slow_ones_get_more(void)
{
	double alone, fleet;

	MUST(rig_begin(&rig, machine, &e), e);
	alone = train(8, 1, 4);
	CHECK(fabs(alone - 800) < 1);
	/* What they are is known from then, under another policy. */
	again_with(machine, &policy_fleet);
	fleet = train(8, 2, 4);
	printf("# one each %.0f s, flotillas %.0f s\n", alone, fleet);
	CHECK(fleet < 0.9 * alone);
	/* 3,600 s of work on eight GPUs. */
	CHECK(fleet > 450);
	MUST(rig_end(&rig, &e), e);
}

static void more_than_gpus(void)
{
	double one, fleet;

	MUST(rig_begin(&rig, machine, &e), e);
	train(40, 1, 4);
	again_with(machine, &policy_longest);
	one = train(40, 2, 4);
	again_with(machine, &policy_fleet);
	fleet = train(40, 3, 4);
	printf("# 40 on 8 GPUs: one each %.0f s, flotillas %.0f s\n", one, fleet);
	CHECK(fleet < 1.1 * one);
	MUST(rig_end(&rig, &e), e);
}

static void nothing_known(void)
{
	MUST(rig_begin(&rig, machine, &e), e);
	again_with(machine, &policy_fleet);
	CHECK(train(12, 1, 3) > 0);
	/* One that may have no more is as any other. */
	CHECK(train(3, 5, 0) > 0);
	MUST(rig_end(&rig, &e), e);
}

static void gave(void *arg, const struct exec_event *ev)
{
	struct exec *x = *(struct exec **)arg;
	struct engine_counts n;

	if (ev->kind != EXEC_STARTED)
		return;
	exec_engine_counts(x, 0, &n);
	if (n.n_running < 64)
		gpu_s[n.n_running] += 1;
}

/* Two workers of two GPUs: no step has three. */
static void no_more_than_one_worker_has(void)
{
	struct exec_opts xo = { 0 };

	MUST(rig_begin(&rig, machine, &e), e);
	again_with("workers=2,cpus=8,gpus=2,latency=0", &policy_fleet);
	exec_free(rig.x);
	xo = (struct exec_opts){ .loop = rig.loop, .store = rig.store, .project = &rig.project,
				 .engines = &rig.engine, .n_engines = 1,
				 .policy = &policy_fleet, .event = gave, .arg = &rig.x };
	MUST(exec_new(&xo, &rig.x, &e), e);
	train(6, 1, 8);
	CHECK(gpu_s[5] + gpu_s[6] < 1);
	MUST(rig_end(&rig, &e), e);
}

static void foreseen(void)
{
	struct foresight f;
	struct exec_opts xo;
	double took;

	MUST(rig_begin(&rig, machine, &e), e);
	train(10, 1, 4);
	again_with(machine, &policy_fleet);
	exec_free(rig.x);
	xo = (struct exec_opts){ .loop = rig.loop, .store = rig.store, .project = &rig.project,
				 .engines = &rig.engine, .n_engines = 1,
				 .policy = &policy_fleet, .only_plans = true };
	MUST(exec_new(&xo, &rig.x, &e), e);
	for (int i = 0; i < 10; i++)
		MUST(rig_want(&rig, trainer(i, 2, 4), &e), e);
	while (!exec_is_loaded(rig.x))
		loop_turn(rig.loop);
	exec_foresee(rig.x, 0, NULL, &f);
	again_with(machine, &policy_fleet);
	took = train(10, 2, 4);
	printf("# foreseen %.0f s, took %.0f s\n", f.seconds, took);
	CHECK(fabs(f.seconds - took) < 0.05 * took);
	MUST(rig_end(&rig, &e), e);
}

static const struct test tests[] = {
	{ "the slow ones get the GPUs that the fast ones leave", slow_ones_get_more },
	{ "more trainers than GPUs lose nothing by it", more_than_gpus },
	{ "with nothing known all are trained, and those without a range", nothing_known },
	{ "no step gets more GPUs than one worker has", no_more_than_one_worker_has },
	{ "gg plan foresees what they then take", foreseen },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
