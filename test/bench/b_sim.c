/* b_sim.c - the real scheduler over workers that are only simulated
 *
 *     b_sim curve SHARDS WORKERS...   SHARDS of preprocessing and training, then
 *                                     a vote by fifties: the clock, beside the ideal
 *     b_sim many THUNKS WORKERS       how long this process takes for THUNKS, and
 *                                     its memory
 */
#include <math.h>
#include <stdio.h>
#include <sys/resource.h>
#include "../sim_rig.h"
#include "bench.h"

enum { FAN_IN = 50, MIB = 1 << 20 };

/* Join ids by fifties until one is left. */
static struct id vote(struct sim_rig *r, struct id *ids, size_t n, double time_s)
{
	for (size_t level = 0; n > 1; level++) {
		size_t m = 0;

		for (size_t i = 0; i < n; i += FAN_IN, m++) {
			char name[64];
			size_t of = n - i < FAN_IN ? n - i : FAN_IN;
			struct id id;

			snprintf(name, sizeof name, "vote-%zu-%zu", level, m);
			MUST(rig_step(r, name, time_s, 64 << 10, ids + i, of, &id, &e));
			ids[m] = id;
		}
		n = m;
	}
	return ids[0];
}

/* A shard of 16 MB becomes 4 MB, of which a member learns for eight seconds;
 * members differ a little. */
static struct id sharded(struct sim_rig *r, size_t n, double *longest_s)
{
	struct id *ids = mem_alloc(n * sizeof *ids), all;

	*longest_s = 0;
	for (size_t i = 0; i < n; i++) {
		double train_s = 7.0 + 2.0 * (double)(i * 7919 % 101) / 100;
		char name[64];
		struct id prep;

		snprintf(name, sizeof name, "prep-%zu", i);
		MUST(rig_step(r, name, 1, 4 * MIB, NULL, 0, &prep, &e));
		snprintf(name, sizeof name, "train-%zu", i);
		MUST(rig_step(r, name, train_s, MIB / 2, &prep, 1, &ids[i], &e));
		*longest_s = fmax(*longest_s, 1 + train_s);
	}
	all = vote(r, ids, n, 0.2);
	free(ids);
	return all;
}

/* The longest way through: one shard, and the votes above it. */
static double way_s(size_t n, double longest_s)
{
	const double latency = 0.08, bandwidth = 65e6;
	double s = longest_s + 3 * latency + (2 * 4 + 0.5) * MIB / bandwidth;
	size_t in = MIB / 2;

	for (; n > 1; n = (n + FAN_IN - 1) / FAN_IN, in = 64 << 10) {
		double of = n < FAN_IN ? (double)n : FAN_IN;

		s += 2 * latency + 0.2 + (of * (double)in + (64 << 10)) / bandwidth;
	}
	return s;
}

static void curve(size_t n, int n_workers, char **workers)
{
	double base_s = 0;

	for (int i = 0; i < n_workers; i++) {
		double w = strtod(workers[i], NULL), longest_s, ideal_s, real_s;
		struct sim_told told;
		struct sim_rig r;
		char words[64];
		struct id all;

		snprintf(words, sizeof words, "workers=%s,latency=0.08", workers[i]);
		MUST(rig_begin(&r, words, &e));
		all = sharded(&r, n, &longest_s);
		real_s = now_s();
		MUST(rig_want(&r, all, &e));
		rig_finish(&r);
		real_s = now_s() - real_s;
		sim_tell(r.backend, &told);
		if (r.n_bad) {
			fprintf(stderr, "%s\n", r.e.text);
			exit(1);
		}
		if (!base_s)
			base_s = told.busy_s;
		ideal_s = fmax(told.busy_s / w, way_s(n, longest_s));
		printf("%s %.3f %.3f %.2f %.2f\n", workers[i], told.now_s, ideal_s,
		       base_s / told.now_s, real_s);
		MUST(rig_end(&r, &e));
	}
}

static void many(size_t n, const char *workers)
{
	struct id *ids = mem_alloc(n * sizeof *ids), all;
	struct sim_told told;
	struct rusage use;
	struct sim_rig r;
	double from, cpu;
	char words[64];

	snprintf(words, sizeof words, "workers=%s", workers);
	MUST(rig_begin(&r, words, &e));
	for (size_t i = 0; i < n; i++) {
		char name[64];

		snprintf(name, sizeof name, "member-%zu", i);
		MUST(rig_step(&r, name, 10 + (double)(i % 7), MIB, NULL, 0, &ids[i], &e));
	}
	all = vote(&r, ids, n, 1);
	free(ids);
	MUST(rig_close(&r, &e));
	/* As a process of its own would find it. */
	MUST(rig_open(&r, words, &e));
	from = now_s();
	cpu = cpu_s();
	MUST(rig_want(&r, all, &e));
	rig_finish(&r);
	from = now_s() - from;
	cpu = cpu_s() - cpu;
	getrusage(RUSAGE_SELF, &use);
	sim_tell(r.backend, &told);
	if (r.n_bad) {
		fprintf(stderr, "%s\n", r.e.text);
		exit(1);
	}
	printf("%zu %.3f %.3f %ld %.1f\n", told.n_ended, from, cpu, use.ru_maxrss >> 10,
	       told.now_s);
	MUST(rig_end(&r, &e));
}

int main(int argc, char **argv)
{
	if (argc > 3 && strcmp(argv[1], "curve") == 0)
		curve(strtoul(argv[2], NULL, 10), argc - 3, argv + 3);
	else if (argc == 4 && strcmp(argv[1], "many") == 0)
		many(strtoul(argv[2], NULL, 10), argv[3]);
	else
		return 2;
	return 0;
}
