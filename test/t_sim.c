/* t_sim.c - workers that are only simulated, and their clock */
#include <math.h>
#include <time.h>
#include "sim_rig.h"
#include "test.h"

static struct err e;
static struct sim_rig rig;

static void begin(const char *words)
{
	MUST(rig_begin(&rig, words, &e), e);
}

static struct id step(const char *name, double s, uint64_t bytes, const struct id *deps,
		      size_t n)
{
	struct id id;

	MUST(rig_step(&rig, name, s, bytes, deps, n, &id, &e), e);
	return id;
}

static struct sim_told force(const struct id *ids, size_t n)
{
	struct sim_told told;

	for (size_t i = 0; i < n; i++)
		MUST(rig_want(&rig, ids[i], &e), e);
	rig_finish(&rig);
	sim_tell(rig.backend, &told);
	return told;
}

static void end(void)
{
	MUST(rig_end(&rig, &e), e);
}

static bool about(double a, double b)
{
	return fabs(a - b) < 1e-6 * (1 + fabs(b));
}

/* One output's latency, its bytes, the time; then the same for who reads it. */
static void one_chain(void)
{
	struct sim_told t;
	struct id a, b;

	begin("latency=0.5,bandwidth=1M");
	a = step("a", 100, 4 << 20, NULL, 0);
	b = step("b", 1000, 2 << 20, &a, 1);
	t = force(&b, 1);
	CHECK(rig.n_bad == 0 && t.n_ended == 2);
	CHECK(about(t.now_s, 100 + 0.5 + 4 + (0.5 + 4 + 1000 + 0.5 + 2)));
	CHECK(about(t.in_bytes, 4 << 20) && about(t.out_bytes, 6 << 20));
	end();
}

static void many(void)
{
	struct sim_told t;
	struct id ids[100];
	time_t from = time(NULL);

	begin("workers=10,latency=0,cold=5");
	for (int i = 0; i < 100; i++) {
		char name[8];

		snprintf(name, sizeof name, "n=%d", i);
		ids[i] = step(name, 3600, 0, NULL, 0);
	}
	t = force(ids, 100);
	CHECK(rig.n_bad == 0 && rig.n_ended == 100 && t.n_ended == 100);
	CHECK(t.n_cold == 10 && about(t.now_s, 10 * 3600 + 5));
	CHECK(about(t.busy_s, 100 * 3600));
	CHECK(time(NULL) - from < 20);
	end();
}

/* The same graph twice gives the same clock, and values under the same names. */
static void same(void)
{
	struct sim_told told[2];
	struct id values[2];

	for (int k = 0; k < 2; k++) {
		struct arena a = { 0 };
		struct id ids[64], all;
		struct result r;

		begin("workers=7,lose=0.2,seed=11");
		for (int i = 0; i < 64; i++) {
			char name[8];

			snprintf(name, sizeof name, "n=%d", i);
			ids[i] = step(name, 1 + i % 5, 1 << 20, NULL, 0);
		}
		all = step("all", 1, 0, ids, 64);
		told[k] = force(&all, 1);
		CHECK(rig.n_bad == 0);
		MUST(store_get_result(rig.store, &all, &a, &r, &e), e);
		values[k] = r.v[0].ref.id;
		arena_release(&a);
		end();
	}
	CHECK(about(told[0].now_s, told[1].now_s) && told[0].n_ended == told[1].n_ended);
	CHECK(told[0].n_ended > 65);
	CHECK(id_equal(&values[0], &values[1]));
}

static void refuses(void)
{
	struct job j = { .text = bytes_str("gg-thunk 1\narg python3\ncwd .\n") };
	struct id bad;

	begin("");
	CHECK(!backend_sim.accepts(rig.backend, &j, &e) && e.code == ERR_REFUSED);
	CHECK(strstr(e.text, "runs nothing"));
	bad = step("time=soon", 1, 0, NULL, 0);
	force(&bad, 1);
	CHECK(rig.n_bad == 1 && strstr(rig.e.text, "time=soon"));
	CHECK(backend_sim.open(&(struct backend_opts){ 0 }, "worker=3", &rig.backend, &e) < 0);
	CHECK(e.code == ERR_USAGE);
	end();
}

/* Cancelled ones end at once, and the clock does not run on to their end. */
static void cancelled(void)
{
	struct sim_told t;
	struct id id;

	begin("");
	id = step("long", 1e6, 0, NULL, 0);
	MUST(rig_want(&rig, id, &e), e);
	while (!exec_is_busy(rig.x))
		loop_turn(rig.loop);
	exec_stop(rig.x, 0);
	rig_finish(&rig);
	sim_tell(rig.backend, &t);
	CHECK(rig.n_bad == 1 && t.now_s < 1e6);
	end();
}

static const struct test tests[] = {
	{ "a run takes its latencies, its bytes and its time", one_chain },
	{ "a hundred hours are simulated at once, ten workers side by side", many },
	{ "what is simulated, losses too, is the same each time", same },
	{ "no step of a real program is simulated", refuses },
	{ "what is cancelled ends", cancelled },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
