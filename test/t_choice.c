/* which size of a function a step goes to, how many at once, what it costs */
#include <math.h>
#include <unistd.h>
#include <fcntl.h>
#include "../src/backends/choice.h"
#include "../src/backends/limit.h"
#include "prices.h"
#include "file.h"
#include "test.h"

static struct err e;

static bool is_near(double a, double b)
{
	return fabs(a - b) <= 1e-9 * fabs(b);
}

/* ---- the formulas, on the times that Feng et al. recorded (CLOUD'18, case A):
 * trees of aggregators over 100 workers of one size */

static const struct recorded {
	const char *tree;
	unsigned n;                     /* functions in all */
	double seconds;
} recorded[] = {
	{ "1,100", 101, 1216.97 },
	{ "1,2,100", 103, 878.78 },
	{ "1,5,100", 106, 650.66 },
	{ "1,25,100", 126, 616.67 },
	{ "1,2,10,100", 113, 570.66 },
	{ "1,5,22,100", 128, 569.55 },
	{ "1,5,50,100", 156, 604.90 },
	{ "1,10,50,100", 161, 534.28 },
};

static void formulas(void)
{
	const struct choice_size z = { .mem_mb = 1024, .per_mb_s = 1.63e-8 };
	size_t cheapest = 0, best = 0;

	for (size_t i = 0; i < sizeof recorded / sizeof *recorded; i++) {
		const struct recorded *r = &recorded[i];
		double c = choice_cost(&z, r->n, r->seconds);

		CHECK(is_near(c, 1.63e-8 * r->n * 1024 * r->seconds));
		CHECK(is_near(choice_reward(&z, r->n, r->seconds, 2), 2 / (c * r->seconds)));
		if (c < choice_cost(&z, recorded[cheapest].n, recorded[cheapest].seconds))
			cheapest = i;
		if (choice_reward(&z, r->n, r->seconds, 1) >
		    choice_reward(&z, recorded[best].n, recorded[best].seconds, 1))
			best = i;
	}
	CHECK_STR(recorded[cheapest].tree, "1,2,10,100");
	CHECK_STR(recorded[best].tree, "1,2,10,100");
	CHECK(choice_reward(&z, 161, 534.28, 1) > choice_reward(&z, 156, 604.90, 1));
}

/* ---- the choice.  Seconds of two Python steps, recorded on a shared two-core
 * machine while stopped for all but their size's share of a processor: one that
 * hashes all the time, one that mostly waits. */

static const struct choice_size sizes[] = {
	{ .mem_mb = 512, .per_mb_s = 1.63e-8, .limit_s = 900 },
	{ .mem_mb = 1024, .per_mb_s = 1.63e-8, .limit_s = 900 },
	{ .mem_mb = 1769, .per_mb_s = 1.63e-8, .limit_s = 900 },
	{ .mem_mb = 3008, .per_mb_s = 1.63e-8, .limit_s = 900 },
};
enum { N = sizeof sizes / sizeof *sizes };
static const double by_share[N] = { 1.06, 0.53, 0.32, 0.33 };
static const double by_waiting[N] = { 2.47, 2.07, 2.05, 2.05 };

/* Where it goes once it was seen n times, and how often it was elsewhere. */
static size_t settle(struct choice *c, const struct choice_ask *q, const double *seconds,
		     int n, unsigned *seen)
{
	size_t i = N;

	for (int k = 0; k < n; k++) {
		MUST(choice_pick(c, q, &i, &e), e);
		choice_learn(c, q->shape, i, seconds[i]);
		seen[i]++;
	}
	MUST(choice_pick(c, q, &i, &e), e);
	choice_learn(c, q->shape, i, 0);
	return i;
}

static void cheapest(void)
{
	struct choice *c = choice_new(NULL, sizes, N);
	const struct choice_ask one = { .shape = "train", .expected_s = 2 };
	const struct choice_ask two = { .shape = "wait", .expected_s = 2 };
	unsigned seen[N] = { 0 }, waits[N] = { 0 };

	/* 543 MB s at 512 and at 1024 MB, where it takes half as long; 566 at 1769. */
	CHECK(settle(c, &one, by_share, 40, seen) == 1);
	CHECK(seen[3] == 0 && seen[1] >= 30);
	CHECK(settle(c, &two, by_waiting, 40, waits) == 0);
	CHECK(waits[0] >= 30);
	choice_free(c);
}

static void deadline(void)
{
	struct choice *c = choice_new(NULL, sizes, N);
	struct choice_ask q = { .shape = "wait", .expected_s = 2 };
	size_t i;

	for (i = 0; i < N; i++)
		choice_learn(c, "wait", i, by_waiting[i]);
	q.deadline_s = 2.2;
	MUST(choice_pick(c, &q, &i, &e), e);
	CHECK(i == 1);
	q.deadline_s = 0.5;                     /* none is so fast */
	MUST(choice_pick(c, &q, &i, &e), e);
	CHECK(i == 2);
	choice_free(c);
}

static void memory(void)
{
	struct choice *c = choice_new(NULL, sizes, N);
	struct choice_ask q = { .shape = "wait", .mem_mb = 1500 };
	unsigned seen[N] = { 0 };
	size_t i;

	CHECK(settle(c, &q, by_waiting, 20, seen) == 2);
	CHECK(seen[0] == 0 && seen[1] == 0);
	choice_burst(c, "wait", 2);
	MUST(choice_pick(c, &q, &i, &e), e);
	CHECK(i == 3);
	choice_burst(c, "wait", 3);
	CHECK(choice_pick(c, &q, &i, &e) < 0 && e.code == ERR_REFUSED);
	CHECK(strstr(e.text, "3008") && strstr(e.text, "deploy"));
	q = (struct choice_ask){ .shape = "huge", .mem_mb = 4000 };
	CHECK(choice_pick(c, &q, &i, &e) < 0 && e.code == ERR_REFUSED);
	choice_free(c);
}

static void one_trial(void)
{
	struct choice *c = choice_new(NULL, sizes, N);
	const struct choice_ask q = { .shape = "train", .expected_s = 2 };
	unsigned n[N] = { 0 };
	size_t i;

	for (int k = 0; k < 3; k++)
		choice_learn(c, "train", 1, by_share[1]);
	/* Ten begin before the first ends. */
	for (int k = 0; k < 10; k++) {
		MUST(choice_pick(c, &q, &i, &e), e);
		n[i]++;
	}
	CHECK(n[0] <= 1 && n[2] <= 1 && n[3] == 0 && n[1] >= 8);
	choice_free(c);
}

static void outlier(void)
{
	struct choice *c = choice_new(NULL, sizes, N);
	const struct choice_ask q = { .shape = "s" };

	for (int k = 0; k < 20; k++)
		choice_learn(c, "s", 0, 1);
	choice_learn(c, "s", 0, 600);
	CHECK(choice_seconds(c, &q, 0) < 1.2);
	for (int k = 0; k < 40; k++)
		choice_learn(c, "s", 0, 3);
	CHECK(fabs(choice_seconds(c, &q, 0) - 3) < 0.1);
	choice_free(c);
}

static void kept(void)
{
	char dir[] = "/tmp/gg-t-choice-XXXXXX";
	const struct choice_ask q = { .shape = "train", .expected_s = 100 };
	struct store *s;
	struct choice *c;

	if (!mkdtemp(dir))
		exit(1);
	MUST(store_open(dir, STORE_CREATE, &s, &e), e);
	c = choice_new(s, sizes, N);
	choice_learn(c, "train", 1, 0.53);
	choice_free(c);
	c = choice_new(s, sizes, N);
	CHECK(fabs(choice_seconds(c, &q, 1) - 0.53) < 1e-6);
	/* By the share of a processor, from the nearest that was seen. */
	CHECK(fabs(choice_seconds(c, &q, 0) - 1.06) < 1e-6);
	CHECK(fabs(choice_seconds(c, &q, 3) - 0.53 * 1024 / 1769) < 1e-6);
	choice_free(c);
	MUST(store_close(s, &e), e);
	MUST(dir_remove(AT_FDCWD, dir, &e), e);
}

static void no_prices(void)
{
	const struct choice_size free_of_charge[] = { { .mem_mb = 512 }, { .mem_mb = 1769 } };
	struct choice *c = choice_new(NULL, free_of_charge, 2);
	const struct choice_ask q = { .shape = "s", .expected_s = 1 };
	size_t i;

	MUST(choice_pick(c, &q, &i, &e), e);
	CHECK(i == 1);
	choice_free(c);
}

/* ---- how many at once */

/* A place that takes `takes` at once, a round of as many as the limit lets go. */
static unsigned rounds(struct limit *l, unsigned takes, int n, unsigned *n_refused)
{
	uint64_t now = l->paused_until_ms;
	unsigned n_last = 0;

	for (int k = 0; k < n; k++, now += 10000) {
		uint64_t first = l->n_begun + 1;

		for (n_last = 0; limit_may(l, now); n_last++)
			limit_begin(l);
		for (unsigned i = 0; i < n_last; i++)
			if (i < takes) {
				limit_taken(l);
			} else {
				limit_refused(l, first + i, now);
				++*n_refused;
			}
	}
	return n_last;
}

static void learns_limit(void)
{
	unsigned n_refused = 0, late = 0, n;
	struct limit l;

	limit_init(&l, 500);
	rounds(&l, 40, 60, &n_refused);
	n = rounds(&l, 40, 40, &late);
	CHECK(n >= 20 && n <= 41);
	CHECK(late <= 4);               /* it feels its way by one at a time */
	/* The place grows. */
	rounds(&l, 1000, 600, &late);
	CHECK(limit_room(&l, l.paused_until_ms) == 500);
}

static void one_cut(void)
{
	struct limit l;

	limit_init(&l, 64);
	for (int i = 0; i < 64; i++)
		limit_begin(&l);
	for (uint64_t i = 1; i <= 32; i++)
		limit_refused(&l, i, 5);
	CHECK(l.window == 32 && l.n_refused == 32 && l.n_flying == 32);
	CHECK(limit_room(&l, 5) == 32 && !limit_may(&l, 5));
}

static void pauses(void)
{
	struct limit l;
	uint64_t now = 1000, last = 0;

	limit_init(&l, 1);
	for (int i = 0; i < 12; i++) {
		uint64_t serial = limit_begin(&l);

		limit_refused(&l, serial, now);
		CHECK(l.window == 1 && !limit_may(&l, now));
		CHECK(l.paused_until_ms > now && l.paused_until_ms - now >= last);
		last = l.paused_until_ms - now;
		now = l.paused_until_ms;
		CHECK(limit_may(&l, now));
	}
	CHECK(last == 5000);
	limit_begin(&l);
	limit_taken(&l);
	CHECK(l.pause_ms == 0);
}

/* ---- prices */

static void table(void)
{
	static const char text[] =
		"# what we pay\n"
		"lambda * gb-second 0.00002   # all of them\n"
		"\n"
		"lambda eu-central-1\tgb-second 0.00003\n"
		"container * cpu-hour 0.04";
	struct arena a = { 0 };
	struct prices p;

	MUST(prices_read(bytes_str(text), &a, &p, &e), e);
	CHECK(p.n == 3);
	CHECK(is_near(price_of(&p, "lambda", "us-east-1", "gb-second"), 0.00002));
	CHECK(is_near(price_of(&p, "lambda", "eu-central-1", "gb-second"), 0.00003));
	CHECK(is_near(price_of(&p, "lambda", "eu-central-1", "request"), 0.0000002));
	CHECK(is_near(price_of(&p, "container", "here", "cpu-hour"), 0.04));
	CHECK(price_of(&p, "slurm", "here", "cpu-hour") == 0);
	CHECK(prices_read(bytes_str("lambda * gb-second\n"), &a, &p, &e) < 0);
	CHECK(e.code == ERR_BAD && strstr(e.text, "line 1"));
	CHECK(prices_read(bytes_str("\nlambda * gb-second -1\n"), &a, &p, &e) < 0);
	CHECK(strstr(e.text, "line 2"));
	CHECK(prices_load("/nowhere", NULL, &a, &p, &e) == 0 && p.n == 0);
	CHECK(prices_load("/nowhere", "/nowhere/p", &a, &p, &e) < 0 && e.code == ERR_MISSING);
	CHECK(is_near(price_of(&p, "lambda", "us-east-1", "gb-second"), 0.0000166667));
	arena_release(&a);
}

static const struct test tests[] = {
	{ "C(z) = p n z t(z) and R(z) = f / (C(z) t(z)), on recorded times", formulas },
	{ "a step goes to the size that was seen to be cheapest", cheapest },
	{ "one with a deadline goes to the cheapest that meets it", deadline },
	{ "what it needs is what a size has; after one burst the next larger", memory },
	{ "a size that was never seen is tried by one step at a time", one_trial },
	{ "one odd run moves an estimate little, a new time in the end wholly", outlier },
	{ "what was seen is known to the next run, other sizes by their share", kept },
	{ "without prices the fastest is the cheapest", no_prices },
	{ "refusals teach how many a place takes at once, and that it takes more", learns_limit },
	{ "refusals of one burst halve the limit once", one_cut },
	{ "where even one is too many the pauses grow, until one is taken", pauses },
	{ "prices come from a table, the closest line first, else as built in", table },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
