/* t_warm.c - how long idle workers stay, and when they come back */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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

/* ---- as it happened once */

enum { RECORDED_MOST = 1000, WORK_S = 20 };

static size_t read_recorded(double *at)
{
	struct arena a = { 0 };
	struct bytes text;
	size_t n = 0;

	MUST(file_read(AT_FDCWD, "test/warm_commits.txt", 1 << 20, &a, &text, &e), e);
	for (char *line = strtok((char *)text.p, "\n"); line && n < RECORDED_MOST;
	     line = strtok(NULL, "\n"))
		if (*line != '#')
			at[n++] = atof(line);
	arena_release(&a);
	return n;
}

static uint64_t ms(double at_s)
{
	return (uint64_t)((at_s + 1) * 1000);
}

/* An idle time second by second, as an engine with one worker asks: o.idle_s grows;
 * is there a worker at its end, and has it had the time to come? */
static bool is_warm_after(const struct warm_watch *w, double from_s, double to_s,
			  struct outcome *o)
{
	double up_s = warm_least(w, ms(from_s), 0) ? opts.start_s : 0;

	for (double t = from_s; t < to_s; t++) {
		bool is_wanted = warm_least(w, ms(t), 0);

		up_s = is_wanted ? up_s + 1 : 0;
		o->idle_s += is_wanted;
	}
	return up_s >= opts.start_s;
}

/* keep_s 0: by habit. */
static struct outcome replay(const double *at, size_t n, double keep_s)
{
	struct warm_watch w = { .keep_s = keep_s };
	double busy_s = at[0] + WORK_S;
	struct outcome o = { 0 };

	warm_init(&w.warm, &opts);
	for (size_t i = 1; i < n; i++) {
		if (at[i] > busy_s) {
			o.n++;
			warm_idle_begins(&w, ms(busy_s), busy_s, 1);
			o.n_cold += !is_warm_after(&w, busy_s, at[i], &o);
			warm_idle_ends(&w, ms(at[i]), at[i]);
		}
		busy_s = at[i] + WORK_S;
	}
	return o;
}

static void recorded(void)
{
	static const double keeps[] = { 0, 60, 600 };
	double at[RECORDED_MOST];
	struct outcome o[3];
	size_t n = read_recorded(at);

	CHECK(n == 472);
	for (int i = 0; i < 3; i++) {
		o[i] = replay(at, n, keeps[i]);
		printf("# keep %3.0f s: %zu arrivals, cold %zu, idle %.0f s\n", keeps[i], o[i].n,
		       o[i].n_cold, o[i].idle_s);
	}
	CHECK(o[0].n == o[1].n && o[0].n == o[2].n && o[0].n > 300);
	/* Nobody has told it that ten minutes are good here. */
	CHECK(o[0].n_cold * 8 < o[1].n_cold);
	CHECK(o[0].n_cold <= o[2].n_cold + 3 && o[0].idle_s < 1.1 * o[2].idle_s);
}

/* What an engine does with a plan: gone at once, back in time, away in the end. */
static void called_back(void)
{
	struct warm_watch w = { 0 };

	warm_init(&w.warm, &opts);
	for (int i = 0; i < 10; i++)
		warm_note(&w.warm, i, 1000);
	CHECK(warm_least(&w, ms(5), 2) == 2);
	warm_idle_begins(&w, ms(100), 100, 7);
	CHECK(about(w.plan.away_s, 900 - 30) && about(w.plan.keep_s, 1100));
	warm_idle_begins(&w, ms(200), 200, 9);
	CHECK(warm_least(&w, ms(101), 0) == 0 && warm_least(&w, ms(101), 2) == 2);
	CHECK(warm_is_expected(&w, ms(101)) && !warm_is_expected(&w, ms(1201)));
	CHECK(warm_least(&w, ms(969), 0) == 0 && warm_least(&w, ms(971), 0) == 7);
	CHECK(warm_least(&w, ms(971), 8) == 8);
	CHECK(warm_least(&w, ms(1199), 0) == 7 && warm_least(&w, ms(1201), 0) == 0);
	warm_idle_ends(&w, ms(1050), 1050);
	CHECK(w.warm.n == 11 && warm_least(&w, ms(1051), 0) == 0);
	/* A breath, and an end without a beginning, are no idle times. */
	warm_idle_begins(&w, ms(1100), 1100, 1);
	warm_idle_ends(&w, ms(1101), 1101);
	warm_idle_ends(&w, ms(1200), 1200);
	CHECK(w.warm.n == 11);
	/* What was said counts more than what was seen. */
	w.keep_s = 50;
	warm_idle_begins(&w, ms(2000), 2000, 3);
	CHECK(warm_least(&w, ms(2000), 0) == 3 && warm_least(&w, ms(2049), 0) == 3);
	CHECK(warm_least(&w, ms(2051), 0) == 0);
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
	{ "on traces of days, fewer cold starts than with ten minutes for all", traces_of_days },
	{ "on a recorded day, as good as the time that suits it, which nobody has said", recorded },
	{ "workers leave at once, are called back in time, and leave in the end", called_back },
	{ "what was seen is kept for later runs, and bounded", kept },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
