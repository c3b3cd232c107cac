/* t_company.c - several ready steps as one process */
#include "exec_rig.h"

static const char words[] = "members={n} seed=,0 rate=, out={} !state";

static struct id member(const char *more, int seed, struct hints h)
{
	char text[80];
	struct id id;

	snprintf(text, sizeof text, "train seed=%d out=out%s", seed, more);
	id = step0(text);
	h.fuse = words;
	MUST(hints_put(store, &id, &h, &e), e);
	return id;
}

static void begin_with(const char *fake, bool fuses, bool keeps_going)
{
	begin("");
	close_all();
	open_engines((const char *const[]){ fake, NULL },
		     (struct exec_opts){ .fuses = fuses, .keeps_going = keeps_going });
}

static void want_members(int n, const char *more, struct hints h, struct id *ids,
			 struct end *d)
{
	for (int i = 0; i < n; i++) {
		ids[i] = member(more, i + 1, h);
		want(ids[i], NULL, &d[i]);
	}
}

static bool says(struct id id, const char *from)
{
	struct arena a = { 0 };
	struct id value = value_of(id);
	struct bytes b;
	bool is_so = store_get(store, &value, &a, &b, &e) == 0 && bytes_start(b, from);

	arena_release(&a);
	return is_so;
}

static size_t n_runs(void)
{
	struct arena a = { 0 };
	struct bytes b;
	size_t n = 0;

	MUST(file_read(AT_FDCWD, "log", 1 << 20, &a, &b, &e), e);
	for (size_t i = 0; i < b.n; i++)
		n += b.p[i] == '\n';
	arena_release(&a);
	return n;
}

static void each_its_own(void)
{
	struct end d[6];
	struct id ids[6], values[6];

	begin_with("cpus=1,log=log", true, false);
	want_members(6, "", (struct hints){ 0 }, ids, d);
	finish();
	CHECK(n_done == 6 && n_started == 6 && n_runs() == 1);
	CHECK(counts().fused == 6 && counts().companies == 1);
	for (int i = 0; i < 6; i++) {
		CHECK(d[i].times == 1 && d[i].e.code == ERR_NONE);
		values[i] = value_of(ids[i]);
		for (int k = 0; k < i; k++)
			CHECK(!id_equal(&values[i], &values[k]));
		CHECK(says(ids[i], "3-"));
	}
	reopen("log=log");
	CHECK(force(ids[3], NULL) == ERR_NONE && n_cached == 1 && n_started == 0);
	end();
}

static void split_over_slots(void)
{
	struct end d[8];
	struct id ids[8];

	begin_with("cpus=4,log=log,delay=30", true, false);
	want_members(8, "", (struct hints){ 0 }, ids, d);
	finish();
	CHECK(n_done == 8 && n_runs() == 4 && counts().companies == 4);
	end();
	/* As many slots as steps: nothing is gained by waiting for each other. */
	begin_with("cpus=8,log=log,delay=30", true, false);
	want_members(8, "", (struct hints){ 0 }, ids, d);
	finish();
	CHECK(n_done == 8 && n_runs() == 8 && counts().companies == 0);
	end();
}

static void by_memory(void)
{
	struct hints h = { .mem_bytes = 300 << 20 };
	struct end d[6];
	struct id ids[6];

	begin_with("cpus=1,mem=1073741824,log=log", true, false);
	want_members(6, "", h, ids, d);
	finish();
	CHECK(n_done == 6 && n_runs() == 2);
	end();
}

static void only_the_same(void)
{
	struct hints none = { 0 };
	struct end d[8];
	struct id ids[8];

	begin_with("cpus=1,log=log", true, false);
	want_members(3, " width=8", none, ids, d);
	want_members(3, " width=9", none, ids + 3, d + 3);
	want_members(1, " width=9 state=s", none, ids + 6, d + 6);
	/* Without a rate is not with one, as nobody says what an absent one means. */
	want_members(1, " width=9 rate=3", none, ids + 7, d + 7);
	finish();
	CHECK(n_done == 8 && n_runs() == 4 && counts().fused == 6);
	end();
	begin_with("cpus=1,log=log", false, false);
	want_members(3, "", none, ids, d);
	finish();
	CHECK(n_done == 3 && n_runs() == 3 && counts().fused == 0);
	end();
}

static void failing_ones_alone(void)
{
	struct end d[3];
	struct id ids[3];

	begin_with("cpus=1,log=log", true, true);
	want_members(3, " exit=3", (struct hints){ 0 }, ids, d);
	finish();
	CHECK(n_runs() == 4 && n_own_failures == 3 && strstr(notices.p, "3 steps as one process"));
	for (int i = 0; i < 3; i++)
		CHECK(d[i].e.code == ERR_FAILED);
	end();
}

static void lost_and_refused(void)
{
	static const char *const fakes[] = { "cpus=1,log=log,lose=1", "cpus=1,log=log,refuse=2",
					     "cpus=1,log=log,throttle=2" };
	struct end d[5];
	struct id ids[5];

	for (size_t i = 0; i < sizeof fakes / sizeof *fakes; i++) {
		begin_with(fakes[i], true, false);
		want_members(5, "", (struct hints){ 0 }, ids, d);
		finish();
		CHECK(n_done == 5 && n_failed == 0);
		for (int k = 0; k < 5; k++)
			CHECK(d[k].times == 1 && d[k].e.code == ERR_NONE);
		end();
	}
}

static void all_begin(int n)
{
	for (time_t from = time(NULL); n_started < n && time(NULL) - from < 60; usleep(50))
		loop_turn(loop);
}

static void stopped(void)
{
	struct end d[4];
	struct id ids[4];

	begin_with("cpus=1,hang=9", true, false);
	want_members(4, "", (struct hints){ 0 }, ids, d);
	all_begin(4);
	CHECK(n_started == 4 && counts().running == 4);
	exec_stop(x, 0);
	finish();
	for (int i = 0; i < 4; i++)
		CHECK(d[i].times == 1 && d[i].e.code == ERR_REFUSED);
	end();
	/* And with a gg that ends at once. */
	begin_with("cpus=1,hang=9", true, false);
	want_members(4, "", (struct hints){ 0 }, ids, d);
	all_begin(4);
	end();
}

/* More kinds than there are lanes for them. */
static void many_kinds(void)
{
	enum { KINDS = 50 };
	static struct end d[KINDS * 3];
	static struct id ids[KINDS * 3];

	begin_with("cpus=2,log=log", true, false);
	for (int i = 0; i < KINDS; i++) {
		char more[24];

		snprintf(more, sizeof more, " kind=%d", i);
		want_members(3, more, (struct hints){ 0 }, ids + 3 * i, d + 3 * i);
	}
	finish();
	CHECK(n_done == KINDS * 3 && n_failed == 0);
	CHECK(n_runs() < KINDS * 3 && counts().fused >= 3 * 30);
	end();
}

static const struct test tests[] = {
	{ "steps that go together run once, and each has its own result", each_its_own },
	{ "no slot idles because others go together", split_over_slots },
	{ "they want as much memory as all of them", by_memory },
	{ "what differs in anything else goes apart, and all where it is not asked for",
	  only_the_same },
	{ "a process that fails by itself is made again step by step", failing_ones_alone },
	{ "one that is lost or not taken costs none of them its result", lost_and_refused },
	{ "stopped, all of them end", stopped },
	{ "more kinds than lanes", many_kinds },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
