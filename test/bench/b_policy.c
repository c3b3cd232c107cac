/* b_policy.c - graphs on simulated workers by one policy or another
 *
 *     b_policy fleet|random POLICY WORKERS SEED     the clock at the end, seconds
 *     b_policy trainers POLICY GPUS SEED            the same of 40 networks that may
 *                                                   have 1 to 8 GPUs each
 *     b_policy decide POLICY READY SEED             microseconds of CPU to choose the
 *                                                   next of READY steps and put
 *                                                   another into its place
 *
 * What each step takes has been observed: its shape is known.
 */
#include <stdio.h>
#include "../fleet_sim.h"
#include "../sim_rig.h"
#include "../../src/exec/exec_internal.h"
#include "bench.h"

struct bench {
	struct sim_rig rig;
	struct exec past;               /* who has seen all shapes */
};

/* A name that keeps its number in a shape, which has no digits. */
static const char *lettered(const char *what, size_t n, char *out)
{
	size_t at = strlen(what);

	memcpy(out, what, at);
	for (int i = 0; i < 4; i++, n /= 26)
		out[at++] = (char)('a' + n % 26);
	out[at] = 0;
	return out;
}

/* Its like has taken that long before. */
static struct id step(struct bench *b, const char *name, double s, const struct id *deps,
		      size_t n)
{
	struct arena a = { 0 };
	struct sample took = { .seconds = s };
	struct bytes text;
	struct thunk t;
	struct id id;

	MUST(rig_step(&b->rig, name, s, 0, deps, n, &id, &e));
	MUST(store_get(b->rig.store, &id, &a, &text, &e));
	MUST(thunk_decode(text, &a, &t, &e));
	for (int i = 0; i < 4; i++)
		profile_learn(&b->past, profile_shape(&b->past, &t), &took);
	arena_release(&a);
	return id;
}

static void want(struct bench *b, struct id id)
{
	MUST(rig_want(&b->rig, id, &e));
}

/* How fast a network is on one GPU and on more is known from runs of before, as is
 * how long it takes. */
static void trainers(struct bench *b, uint64_t seed)
{
	enum { NETS = 40, GPUS = 8 };
	const struct hints h = { .gpus = 1, .gpus_most = GPUS };
	struct fleet_set s;
	char name[64];

	fleet_draw(&s, NETS, seed);
	for (size_t i = 0; i < s.n; i++) {
		const double *r = s.net[i].rates;
		struct id id;

		b->rig.gains = r[1] / r[0] / 2;
		id = step(b, lettered("train", i, name), s.net[i].images / r[0], NULL, 0);
		MUST(hints_put(b->rig.store, &id, &h, &e));
		want(b, id);
	}
}

/* Data prepared once, 100 networks that go from checkpoint to checkpoint, five
 * epochs each, and one that weighs them. */
static void fleet(struct bench *b, uint64_t seed)
{
	struct fleet_set s;
	struct id prep, last[FLEET_MOST], all;
	char name[40];

	fleet_draw(&s, 100, seed);
	prep = step(b, "prepare", 300, NULL, 0);
	for (size_t i = 0; i < s.n; i++) {
		double left = s.net[i].images / FLEET_EPOCH;

		for (int k = 0; left > 0; k++, left -= 5) {
			double epochs = left < 5 ? left : 5;

			lettered("train", i * 6 + (size_t)k, name);
			last[i] = step(b, name, epochs * FLEET_EPOCH / s.net[i].rates[0],
				       k ? &last[i] : &prep, 1);
		}
	}
	all = step(b, "weigh", 60, last, s.n);
	want(b, all);
}

/* 600 steps, each of up to three of the 60 before it; most take seconds and a few
 * minutes. */
static void random_graph(struct bench *b, uint64_t seed)
{
	enum { STEPS = 600, NEAR = 60 };
	struct id ids[STEPS];
	char name[40];

	for (size_t i = 0; i < STEPS; i++) {
		size_t n = i ? (size_t)fleet_roll(&seed, 0, 4) : 0;
		double s = exp(fleet_roll(&seed, 0, 6));
		struct id deps[3];

		for (size_t k = 0; k < n; k++) {
			size_t back = 1 + (size_t)fleet_roll(&seed, 0, i < NEAR ? (double)i : NEAR);

			deps[k] = ids[i - back];
		}
		ids[i] = step(b, lettered("step", i, name), s, deps, n);
		want(b, ids[i]);
	}
}

/* ---- what one choice costs */

/* A third of the steps wants four cores, and a third a GPU: three lanes. */
static struct node *ready_one(struct exec *x, struct node *n, uint32_t i, uint64_t *dice)
{
	struct policy_step s = { .seconds = exp(fleet_roll(dice, 0, 6)), .is_known = true,
				 .sequence = i, .cpus = i % 3 ? 1 : 4, .gpus = i % 3 == 2,
				 .n_above = (size_t)fleet_roll(dice, 0, 100) };

	s.most_above = fleet_roll(dice, 0, 10000);
	s.sum_above = s.most_above * 2;
	*n = (struct node){ .sequence = i, .sites = 1, .cpus = (float)s.cpus,
			    .gpus = (float)s.gpus, .fan_out = (uint32_t)s.n_above,
			    .shape = &x->other, .urgency = x->o.policy->urgency(&s) };
	sched_ready(x, n);
	return n;
}

static double decide(struct exec *x, size_t n, uint64_t seed)
{
	enum { CHOICES = 200000 };
	struct node *v = mem_alloc(n * sizeof *v);
	uint32_t i = 0;
	double from;

	for (; i < n; i++)
		ready_one(x, &v[i], i, &seed);
	from = cpu_s();
	for (uint32_t k = 0; k < CHOICES; k++) {
		struct site *where;
		struct node *next = sched_pick(x, &where);

		if (!next) {
			fprintf(stderr, "nothing was chosen\n");
			exit(1);
		}
		ready_one(x, next, i++, &seed);
	}
	from = cpu_s() - from;
	sched_forget_ready(x);
	free(v);
	return from / CHOICES * 1e6;
}

int main(int argc, char **argv)
{
	bool decides = argc == 5 && strcmp(argv[1], "decide") == 0;
	bool trains = argc == 5 && strcmp(argv[1], "trainers") == 0;
	struct exec_opts xo = { 0 };
	struct sim_told told;
	struct bench b = { 0 };
	char words[64];

	if (argc != 5 || !policy_find(argv[2]))
		return 2;
	if (trains)
		snprintf(words, sizeof words, "workers=1,cpus=1000,mem=1000G,gpus=%s,latency=0",
			 argv[3]);
	else
		snprintf(words, sizeof words, "workers=%s,gpus=%d,latency=0", argv[3], decides);
	MUST(rig_begin(&b.rig, words, &e));
	exec_free(b.rig.x);
	xo = (struct exec_opts){ .loop = b.rig.loop, .store = b.rig.store,
				 .project = &b.rig.project, .engines = &b.rig.engine,
				 .n_engines = 1, .policy = policy_find(argv[2]) };
	MUST(exec_new(&xo, &b.rig.x, &e));
	b.past.o.store = b.rig.store;
	if (decides)
		printf("%.3f\n", decide(b.rig.x, strtoul(argv[3], NULL, 10),
					strtoull(argv[4], NULL, 10)));
	else if (strcmp(argv[1], "fleet") == 0)
		fleet(&b, strtoull(argv[4], NULL, 10));
	else if (trains)
		trainers(&b, strtoull(argv[4], NULL, 10));
	else
		random_graph(&b, strtoull(argv[4], NULL, 10));
	MUST(profile_flush(&b.past, &e));
	rig_finish(&b.rig);
	sim_tell(b.rig.backend, &told);
	if (!decides)
		printf("%.1f\n", told.now_s);
	map_release(&b.past.shapes);
	arena_release(&b.past.keep);
	buf_release(&b.past.text);
	MUST(rig_end(&b.rig, &e));
	return b.rig.n_bad != 0;
}
