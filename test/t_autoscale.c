/* t_autoscale.c - how many workers there should be */
#include "autoscale.h"
#include "test.h"

static const struct autoscale one_cpu = { .min = 0, .max = 50, .worker = { .cpus = 1 } };

static size_t start(const struct autoscale *a, size_t n_ready, size_t n_up)
{
	const struct demand d = { .n_ready = n_ready, .widest = { .cpus = 1 } };

	return autoscale_start(a, &d, n_up);
}

static void published(void)
{
	/* ready, up, started: worked by hand from the rule. */
	static const size_t known[][3] = {
		{ 0, 0, 0 }, { 1, 0, 1 }, { 2, 0, 2 }, { 2, 1, 0 }, { 3, 1, 2 },
		{ 10, 4, 6 }, { 10, 5, 0 }, { 11, 5, 6 }, { 49, 0, 49 }, { 51, 0, 50 },
		{ 1000, 0, 50 }, { 1000, 49, 1 }, { 1000, 50, 0 }, { 1000, 60, 0 },
		{ 0, 7, 0 },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		CHECK(start(&one_cpu, known[i][0], known[i][1]) == known[i][2]);
}

static void wide_workers(void)
{
	const struct autoscale a = { .max = 50, .worker = { .cpus = 8, .gpus = 2,
							    .mem_bytes = 32ull << 30,
							    .disk_bytes = 9ull << 30 } };
	const struct demand cpus = { .n_ready = 17, .widest = { .cpus = 2 } };
	const struct demand gpus = { .n_ready = 5, .widest = { .cpus = 1, .gpus = 1 } };
	const struct demand mem = { .n_ready = 4, .widest = { 0.1, 0, 31ull << 30, 0 } };
	const struct demand disk = { .n_ready = 4, .widest = { 0.1, 0, 1, 3ull << 30 } };
	const struct demand parts = { .n_ready = 100, .widest = { .cpus = 0.1 } };
	const struct demand nothing = { .n_ready = 8 };

	CHECK(autoscale_width(&a, &cpus) == 4);
	CHECK(autoscale_start(&a, &cpus, 0) == 5);
	CHECK(autoscale_start(&a, &cpus, 2) == 3);
	CHECK(autoscale_start(&a, &cpus, 3) == 0);
	CHECK(autoscale_width(&a, &gpus) == 2);
	CHECK(autoscale_start(&a, &gpus, 0) == 3);
	CHECK(autoscale_width(&a, &mem) == 1);
	CHECK(autoscale_width(&a, &disk) == 3);
	CHECK(autoscale_width(&a, &parts) == 80);
	CHECK(autoscale_width(&a, &nothing) == 8);
}

static void bounds(void)
{
	const struct autoscale a = { .min = 3, .max = 4, .worker = { .cpus = 1 } };

	CHECK(start(&a, 0, 0) == 3 && start(&a, 0, 2) == 1 && start(&a, 0, 3) == 0);
	CHECK(start(&a, 100, 0) == 4 && start(&a, 100, 4) == 0);
}

static void ending(void)
{
	const struct autoscale a = { .min = 2, .max = 50, .worker = { .cpus = 2 } };
	const struct demand none = { 0 }, few = { .n_ready = 3, .n_running = 4,
						  .widest = { .cpus = 1 } };

	CHECK(autoscale_end(&a, &none, 10, 10) == 8);
	CHECK(autoscale_end(&a, &none, 10, 3) == 3);
	CHECK(autoscale_end(&a, &none, 2, 2) == 0);
	CHECK(autoscale_end(&a, &none, 1, 1) == 0);
	CHECK(autoscale_end(&a, &few, 10, 10) == 6);
	CHECK(autoscale_end(&a, &few, 4, 2) == 0);
}

/* From any start, with a queue that stays as it is, asking again and again ends
 * at once and within bounds; what is started is not ended again. */
static void steady(void)
{
	uint32_t seed = 20261121;

	for (int i = 0; i < 100000; i++) {
		struct autoscale a = { .worker = { .cpus = 1 } };
		struct demand d = { .widest = { .cpus = 1 } };
		size_t up, more;

		seed = seed * 1664525 + 1013904223;
		a.min = seed >> 28;
		a.max = a.min + (seed >> 20 & 63);
		a.worker.cpus = 1 + (seed >> 12 & 7);
		d.n_ready = seed >> 4 & 255;
		up = seed & 63;
		more = autoscale_start(&a, &d, up);
		CHECK(!more || up + more <= a.max);
		CHECK(up + more >= a.min || up >= a.max);
		CHECK(autoscale_start(&a, &d, up + more) == 0);
		CHECK(!more || autoscale_end(&a, &d, up + more, up + more) == 0);
	}
}

static void fitting(void)
{
	const struct autoscale known = { .worker = { 4, 1, 1 << 30, 1 << 20 } };
	const struct autoscale open = { .worker = { .cpus = 4 } };
	const struct room all = { 4, 1, 1 << 30, 0 }, more = { 4, 1, (1 << 30) + 1, 0 },
		cpus = { .cpus = 5 }, mem = { 1, 0, 1ull << 40, 0 },
		disk = { 1, 0, 0, (1 << 20) + 1 };

	CHECK(autoscale_fits(&known, &all) && !autoscale_fits(&known, &more));
	CHECK(!autoscale_fits(&known, &cpus) && !autoscale_fits(&open, &all));
	CHECK(autoscale_fits(&open, &mem));
	CHECK(!autoscale_fits(&known, &disk) && autoscale_fits(&open, &disk));
}

static const struct test tests[] = {
	{ "workers are started by NumPyWren's rule", published },
	{ "one worker's room counts by its narrowest part", wide_workers },
	{ "never fewer than min nor more than max", bounds },
	{ "idle ones end, but none that min or the queue asks for", ending },
	{ "a queue that stays asks once, and what it started stays", steady },
	{ "what never fits into one worker is told", fitting },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
