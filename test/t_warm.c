/* t_warm.c - how long idle workers stay, and when they come back */
#include <fcntl.h>
#include <unistd.h>
#include "file.h"
#include "test.h"
#include "warm_traces.h"

static struct err e;
static const struct warm_opts opts = { .start_s = 30 };

static bool about(double a, double b)
{
	return fabs(a - b) < 1e-9 * (1 + fabs(b));
}

static void little(void)
{
	struct warm w;
	struct warm_plan p;

	warm_init(&w, &(struct warm_opts){ .keep_s = 77 });
	p = warm_plan(&w, 0);
	CHECK(!p.is_learned && about(p.keep_s, 77) && about(p.away_s, 0));
	for (int i = 0; i < 3; i++)
		warm_note(&w, i, 5);
	CHECK(!warm_plan(&w, 3).is_learned);
	warm_note(&w, 3, 5);
	CHECK(warm_plan(&w, 3).is_learned);
	warm_note(&w, NAN, 5);
	warm_note(&w, 3, -1);
	CHECK(w.n == 4);
}

/* 100 old idle times of 1..100 minutes and 20 in the last hour of 1..20 s: the
 * percentiles by hand, half and half. */
static void by_hand(void)
{
	struct warm w;
	struct warm_plan p;

	warm_init(&w, &(struct warm_opts){ .start_s = 1 });
	for (int i = 1; i <= 100; i++)
		warm_note(&w, 1000, 60 * i);
	for (int i = 1; i <= 20; i++)
		warm_note(&w, 80000, i);
	p = warm_plan(&w, 80100);
	/* Long window: 120 values, the 6th is 6 s, the 119th 99 minutes; short:
	 * the 1st is 1 s, the 20th 20 s. */
	CHECK(about(p.keep_s, 1.1 * (0.5 * 99 * 60 + 0.5 * 20)));
	CHECK(about(p.away_s, 0.9 * (0.5 * 6 + 0.5 * 1) - 1));
	/* An hour later the short window is empty, a day later both are. */
	p = warm_plan(&w, 84000);
	CHECK(about(p.keep_s, 1.1 * 99 * 60) && about(p.away_s, 0.9 * 6 - 1));
	CHECK(!warm_plan(&w, 170000).is_learned);
}

/* Who would leave for less than twice its own start stays. */
static void not_worth_leaving(void)
{
	struct warm w;

	warm_init(&w, &(struct warm_opts){ .start_s = 100 });
	for (int i = 0; i < 10; i++)
		warm_note(&w, i, 222);
	CHECK(about(warm_plan(&w, 10).away_s, 0));
	for (int i = 0; i < 1000; i++)
		warm_note(&w, i, 500);
	CHECK(about(warm_plan(&w, 10).away_s, 350));
}

/* Against ten minutes for all, which is what functions are kept for.  Where short
 * and long waits take turns (rounds) the policy stays through the long ones and
 * pays for it in idle time. */
static void traces_of_days(void)
{
	const struct warm_plan fixed = { .keep_s = 600 };
	double idle[2] = { 0 };
	size_t cold[2] = { 0 };

	for (size_t i = 0; i < N_TRACES; i++) {
		struct outcome a = trace_run(&traces[i], &opts, NULL);
		struct outcome b = trace_run(&traces[i], &opts, &fixed);

		printf("# %-8s %5zu arrivals: cold %4zu, idle %7.0f s; ten minutes: cold %4zu, "
		       "idle %7.0f s\n", traces[i].name, a.n, a.n_cold, a.idle_s, b.n_cold,
		       b.idle_s);
		CHECK(a.n == b.n && a.n > 50 && a.n_cold <= b.n_cold);
		idle[0] += a.idle_s;
		idle[1] += b.idle_s;
		cold[0] += a.n_cold;
		cold[1] += b.n_cold;
	}
	CHECK(cold[0] * 2 < cold[1]);
	CHECK(idle[0] < 2 * idle[1]);
	/* The timer is what pre-warming is for: warm, and away in between. */
	CHECK(trace_run(&traces[0], &opts, NULL).n_cold <= 6);
	CHECK(trace_run(&traces[0], &opts, NULL).idle_s < 20000);
}

static void kept(void)
{
	char dir[] = "/tmp/gg-t-warm-XXXXXX";
	struct store *s;
	struct warm a, b;

	CHECK(mkdtemp(dir) && chdir(dir) == 0);
	MUST(store_open(".gg", STORE_CREATE, &s, &e), e);
	warm_init(&a, &opts);
	MUST(warm_load(&a, s, "slurm", &e), e);
	CHECK(a.n == 0);
	warm_note(&a, 5, 1);
	for (int i = 0; i < 3 * WARM_MOST; i++)
		warm_note(&a, 200000 + i, i % 50);
	MUST(warm_save(&a, s, "slurm", &e), e);
	warm_init(&b, &opts);
	MUST(warm_load(&b, s, "slurm", &e), e);
	CHECK(b.n == WARM_MOST);
	CHECK(about(warm_plan(&a, 203000).keep_s, warm_plan(&b, 203000).keep_s));
	/* Those that are older than the window are not kept. */
	warm_note(&b, 400000, 3);
	MUST(warm_save(&b, s, "slurm", &e), e);
	warm_init(&a, &opts);
	MUST(warm_load(&a, s, "slurm", &e), e);
	CHECK(a.n == 1);
	/* What is no such record is no reason to fail. */
	MUST(store_table_put(s, TABLE_RUN, bytes_str("warm odd"), bytes_str("\1abc"), &e), e);
	warm_init(&a, &opts);
	MUST(warm_load(&a, s, "odd", &e), e);
	CHECK(a.n == 0);
	MUST(store_close(s, &e), e);
	CHECK(chdir("/") == 0);
	MUST(dir_remove(AT_FDCWD, dir, &e), e);
}

static const struct test tests[] = {
	{ "while little is known idle workers stay for a fixed time", little },
	{ "plans are the means of percentiles of a day and of an hour", by_hand },
	{ "nobody leaves for less than coming back takes", not_worth_leaving },
	{ "on recorded traces, fewer cold starts than with ten minutes for all", traces_of_days },
	{ "what was seen is kept for later runs, and bounded", kept },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
