/* t_foresee.c - what is foreseen of a graph, beside what it then takes */
#include <math.h>
#include "foresee.h"
#include "sim_rig.h"
#include "../src/exec/exec_internal.h"
#include "test.h"

enum { STEPS = 200 };

static struct err e;
static struct sim_rig rig;
static struct exec past;                /* who has seen the shapes */

static unsigned dice;

static unsigned roll(unsigned n)
{
	dice = dice * 1664525 + 1013904223;
	return (dice >> 16) % n;
}

static struct id step(const char *name, double s, bool is_known, const struct id *deps,
		      size_t n)
{
	struct arena a = { 0 };
	struct sample took = { .seconds = s };
	struct bytes text;
	struct thunk t;
	struct id id;

	MUST(rig_step(&rig, name, s, 0, deps, n, &id, &e), e);
	MUST(store_get(rig.store, &id, &a, &text, &e), e);
	MUST(thunk_decode(text, &a, &t, &e), e);
	for (int i = 0; i < 4 && is_known; i++)
		profile_learn(&past, profile_shape(&past, &t), &took);
	arena_release(&a);
	return id;
}

static void open_exec(bool only_plans, const struct policy *p)
{
	struct exec_opts xo = { .loop = rig.loop, .store = rig.store, .project = &rig.project,
				.engines = &rig.engine, .n_engines = 1, .policy = p,
				.only_plans = only_plans };

	exec_free(rig.x);
	MUST(exec_new(&xo, &rig.x, &e), e);
}

static void begin(const char *words)
{
	MUST(rig_begin(&rig, words, &e), e);
	past = (struct exec){ .o.store = rig.store };
	dice = 5;
}

static void end(void)
{
	map_release(&past.shapes);
	arena_release(&past.keep);
	buf_release(&past.text);
	MUST(rig_end(&rig, &e), e);
}

/* No digits, so that each has a shape of its own. */
static const char *name_of(unsigned i, char *out)
{
	memcpy(out, "step-aaa", 9);
	out[5] += (char)(i % 26);
	out[6] += (char)(i / 26 % 26);
	out[7] += (char)(i / 676);
	return out;
}

static void want_all(const struct id *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		MUST(rig_want(&rig, ids[i], &e), e);
}

static void load(void)
{
	while (!exec_is_loaded(rig.x))
		loop_turn(rig.loop);
}

/* Each policy, on one worker and on several. */
static void as_it_comes(void)
{
	for (size_t p = 0; policies[p]; p++)
		for (unsigned workers = 1; workers <= 16; workers *= 4) {
			struct room room = { workers, 0, ROOM_UNKNOWN, ROOM_UNKNOWN };
			struct id ids[STEPS];
			struct foresight seen, all;
			struct sim_told told;
			double sum = 0;
			char words[40], name[16];

			snprintf(words, sizeof words, "workers=%u,latency=0", workers);
			begin(words);
			for (unsigned i = 0; i < STEPS; i++) {
				double s = 1 + roll(50);
				struct id deps[2];
				size_t n = i > 20 ? roll(3) : 0;

				for (size_t k = 0; k < n; k++)
					deps[k] = ids[i - 1 - k * 10 - roll(10)];
				ids[i] = step(name_of(i, name), s, true, deps, n);
				sum += s;
			}
			MUST(profile_flush(&past, &e), e);
			open_exec(true, policies[p]);
			want_all(ids, STEPS);
			load();
			exec_foresee(rig.x, 0, &room, &seen);
			exec_foresee(rig.x, 0, NULL, &all);
			CHECK(seen.n_steps == STEPS && !seen.n_guessed && !seen.n_refused);
			CHECK(fabs(seen.step_s - sum) < 0.01 && fabs(seen.cpu_s - sum) < 0.01);
			CHECK(fabs(seen.seconds - all.seconds) < 1e-6);
			CHECK(seen.path_s <= seen.seconds + 1e-6);
			if (workers == 1)
				CHECK(fabs(seen.seconds - sum) < 0.01);
			sim_tell(rig.backend, &told);
			CHECK(told.n_ended == 0);
			open_exec(false, policies[p]);
			rig.n_ended = 0;
			want_all(ids, STEPS);
			rig_finish(&rig);
			sim_tell(rig.backend, &told);
			CHECK(rig.n_bad == 0 && told.n_ended == STEPS);
			CHECK(fabs(told.now_s - seen.seconds) < 0.001 * seen.seconds);
			end();
		}
}

static void path_by_name(void)
{
	struct arena a = { 0 };
	struct foreseen *v;
	struct strs unseen = { 0 };
	struct foresight seen;
	struct room narrow = { 0.5, 0, ROOM_UNKNOWN, ROOM_UNKNOWN };
	struct id first, second, side, last;
	size_t n;

	begin("workers=4,latency=0");
	first = step("first", 3, true, NULL, 0);
	second = step("second", 9, false, &first, 1);
	side = step("side", 2, true, &first, 1);
	last = step("last", 4, true, (struct id[]){ second, side }, 2);
	MUST(profile_flush(&past, &e), e);
	open_exec(true, NULL);
	want_all(&last, 1);
	load();
	exec_foresee_path(rig.x, &a, &v, &n);
	CHECK(n == 3 && id_equal(&v[0].thunk, &first) && id_equal(&v[1].thunk, &side) &&
	      id_equal(&v[2].thunk, &last));
	CHECK(fabs(v[1].seconds - 2) < 1e-6 && strstr(v[1].label, "side") && !v[1].is_guess);
	exec_foresee(rig.x, 0, NULL, &seen);
	CHECK(seen.n_guessed == 1 && fabs(seen.guessed_s - 1) < 1e-6);
	exec_foresee_unseen(rig.x, &a, &unseen);
	CHECK(unseen.n == 1 && strcmp(unseen.v[0], "sim second") == 0);
	/* Where nothing fits there is no end to foresee. */
	exec_foresee(rig.x, 0, &narrow, &seen);
	CHECK(seen.seconds < 0);
	strs_release(&unseen);
	arena_release(&a);
	end();
}

/* Nothing wanted; and what is known runs no more. */
static void nothing(void)
{
	struct foresight seen;
	struct id id;

	begin("workers=1,latency=0");
	open_exec(true, NULL);
	load();
	exec_foresee(rig.x, 0, NULL, &seen);
	CHECK(seen.n_steps == 0 && fabs(seen.seconds) < 1e-9);
	id = step("one", 1, true, NULL, 0);
	open_exec(false, NULL);
	want_all(&id, 1);
	rig_finish(&rig);
	open_exec(true, NULL);
	want_all(&id, 1);
	load();
	exec_foresee(rig.x, 0, NULL, &seen);
	CHECK(seen.n_steps == 0);
	end();
}

static const struct test tests[] = {
	{ "a simulated run takes what was foreseen, by every policy", as_it_comes },
	{ "the longest way is named, and what is guessed", path_by_name },
	{ "what is known takes no time", nothing },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
