/* t_sched.c - several engines: who gets what, and what follows when one fails */
#include "exec_rig.h"

#define ENGINES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void begin_with(const char *const *fakes, struct exec_opts xo)
{
	begin("");
	close_all();
	open_engines(fakes, xo);
}

static struct engine_counts ran_on(size_t i)
{
	struct engine_counts n;

	exec_engine_counts(x, i, &n);
	return n;
}

static struct id numbered(const char *words, int i)
{
	char text[64];

	snprintf(text, sizeof text, "%s i=%d", words, i);
	return step0(text);
}

static void want_some(const char *words, int n, double gpus, struct end *d)
{
	for (int i = 0; i < n; i++) {
		struct id id = numbered(words, i);

		MUST(hints_put(store, &id, &(struct hints){ .gpus = gpus }, &e), e);
		want(id, NULL, &d[i]);
	}
}

static void first_with_room(void)
{
	struct end d[6];

	begin_with(ENGINES("cpus=2,delay=100", "cpus=8,delay=100,dollars=0.5"),
		   (struct exec_opts){ 0 });
	want_some("a", 6, 0, d);
	finish();
	CHECK(n_done == 6 && n_at_most == 6);
	CHECK(ran_on(0).n_ran == 2 && ran_on(1).n_ran == 4);
	CHECK(ran_on(1).dollars > 1.9 && ran_on(1).dollars < 2.1 && ran_on(0).dollars < 0.1);
	CHECK(ran_on(1).seconds > 0.39);
	end();
}

static void by_needs(void)
{
	struct end c[5], g[3];

	begin_with(ENGINES("cpus=4,only=cpus", "cpus=2,gpus=2,only=gpus"),
		   (struct exec_opts){ 0 });
	want_some("c", 5, 0, c);
	want_some("g", 3, 1, g);
	finish();
	CHECK(n_done == 8 && ran_on(0).n_ran == 5 && ran_on(1).n_ran == 3);
	end();
}

/* Members wait for the one GPU; the other cpus go on with what needs none, and
 * a GPU that is free waits for nothing but a cpu. */
static void gpus_and_cpus_apart(void)
{
	struct end c[8], g[3];
	const char *second;

	begin_with(ENGINES("cpus=2,gpus=1,delay=30"), (struct exec_opts){ 0 });
	want_some("c", 8, 0, c);
	want_some("g", 3, 1, g);
	finish();
	CHECK(n_done == 11 && n_at_most == 2);
	CHECK(strncmp(order.p, "fake g", 6) == 0);
	second = strstr(order.p + 6, "fake g");
	/* One at least between the first member and the second, and the last
	 * member does not wait for the last of the others. */
	CHECK(second && strstr(order.p, "fake c") < second);
	CHECK(strncmp(order.p + order.n - strlen("fake c i=0\n"), "fake c", 6) == 0);
	end();
}

/* One that can go on, for 60 s or until it is stopped; then it takes 1 ms. */
static struct id patient(const char *words, struct hints h)
{
	const char *on[] = { "slow=1" };
	const struct resume how = { .path = "left", .words = on, .n_words = 1 };
	struct id id = step0(words);

	h.resume = &how;
	MUST(hints_put(store, &id, &h, &e), e);
	return id;
}

static size_t n_stopped(void)
{
	struct exec_counts n;

	exec_counts(x, &n);
	return n.stopped;
}

static void urgent_takes_a_gpu(void)
{
	struct hints gpu = { .gpus = 1 }, urgent = { .gpus = 1, .priority = 1 };
	struct end d[3];
	struct id late;

	begin_with(ENGINES("cpus=4,gpus=1"),
		   (struct exec_opts){ .preempts = true, .preempt_least_s = 0.05 });
	want(patient("long slow=60000 give=whole", gpu), NULL, &d[0]);
	late = step1("urgent", step0("before slow=100"));
	MUST(hints_put(store, &late, &urgent, &e), e);
	want(late, NULL, &d[1]);
	finish();
	CHECK(n_done == 3 && n_stopped() == 1);
	/* These are starts: the long one goes on behind it. */
	CHECK(strstr(order.p, "fake urgent") && strstr(strstr(order.p, "fake urgent"), "fake long"));
	end();
}

static void longer_path_takes_room(void)
{
	struct end d[2];
	struct id top;

	begin_with(ENGINES("cpus=2"),
		   (struct exec_opts){ .preempts = true, .preempt_least_s = 0.05 });
	want(patient("long slow=60000", (struct hints){ .cpus = 2 }), NULL, &d[0]);
	for (int i = 0; i < 60; i++) {
		loop_turn(loop);
		usleep(1000);
	}
	top = step1("c", step1("b", step0("a")));
	want(top, NULL, &d[1]);
	finish();
	CHECK(n_done == 4 && n_stopped() == 1);
	end();
}

/* What is no more urgent waits, and so does all when nobody asked for it. */
static void others_wait(void)
{
	struct end d[2];

	begin_with(ENGINES("cpus=1"),
		   (struct exec_opts){ .preempts = true, .preempt_least_s = 0.05 });
	want(patient("long slow=700", (struct hints){ 0 }), NULL, &d[0]);
	want(step0("other"), NULL, &d[1]);
	finish();
	CHECK(n_done == 2 && n_stopped() == 0);
	end();
}

static void refused_before_all(void)
{
	struct id top;

	begin_with(ENGINES("cpus=4,only=cpus", "cpus=2,gpus=1,only=gpus"),
		   (struct exec_opts){ 0 });
	top = step1("top", step0("low"));
	MUST(hints_put(store, &top, &(struct hints){ .gpus = 2 }, &e), e);
	CHECK(force(top, NULL) == ERR_FAILED && n_started == 0);
	CHECK(strstr(e.text, "needs 1 cpus, 2 gpus") && strstr(e.text, "only for thunks that need cpus") &&
	      strstr(e.text, "there are 2 cpus, 1 gpus"));
	end();
}

static void room_that_comes(void)
{
	struct end d[4];

	begin_with(ENGINES("cpus=2,later=1000"), (struct exec_opts){ 0 });
	want_some("a", 4, 0, d);
	for (int i = 0; i < 20; i++) {
		loop_turn(loop);
		usleep(1000);
	}
	CHECK(n_started == 0 && exec_is_busy(x) && counts().waiting == 4);
	finish();
	CHECK(n_done == 4 && n_at_most == 2);
	end();
}

static void refusing_and_busy(void)
{
	struct end d[5];

	begin_with(ENGINES("refuses", "cpus=1"), (struct exec_opts){ 0 });
	want_some("a", 5, 0, d);
	finish();
	CHECK(n_done == 5 && ran_on(0).n_ran == 0 && ran_on(1).n_ran == 5 && n_failed == 0);
	close_all();
	open_engines(ENGINES("refuses"), (struct exec_opts){ 0 });
	CHECK(force(step0("b"), NULL) == ERR_FAILED && strstr(e.text, "refused for ever"));
	/* Throttled is no try, however often. */
	close_all();
	open_engines(ENGINES("throttle=5"), (struct exec_opts){ 0 });
	CHECK(force(step0("c"), NULL) == ERR_NONE && n_started == 6);
	CHECK(counts().retried == 0);
	/* Meanwhile another takes its work. */
	close_all();
	open_engines(ENGINES("throttle=1000", "cpus=2"), (struct exec_opts){ 0 });
	want_some("t", 5, 0, d);
	finish();
	CHECK(n_done == 5 && ran_on(1).n_ran == 5);
	end();
}

static void more_memory(void)
{
	begin_with(ENGINES("mem=1073741824,tight=200000000"), (struct exec_opts){ 0 });
	CHECK(force(step0("a"), NULL) == ERR_NONE && n_started == 2 && counts().retried == 1);
	close_all();
	open_engines(ENGINES("mem=1073741824,tight=900000000"), (struct exec_opts){ 0 });
	CHECK(force(step0("b"), NULL) == ERR_FAILED && n_started == 3);
	CHECK(strstr(e.text, "with 512 MiB too: it wanted more memory") != NULL);
	close_all();
	open_engines(ENGINES("mem=100000000,tight=200000000"), (struct exec_opts){ 0 });
	CHECK(force(step0("c"), NULL) == ERR_FAILED && n_started == 1);
	CHECK(strstr(e.text, ": it wanted more memory than it may have") != NULL);
	/* On the engine that has it. */
	close_all();
	open_engines(ENGINES("mem=100000000,tight=200000000", "mem=1000000000"),
		     (struct exec_opts){ 0 });
	CHECK(force(step0("d"), NULL) == ERR_NONE && ran_on(1).n_ran == 1);
	end();
}

/* What steps write while they run is room like any other. */
static void scratch_disk(void)
{
	struct hints six = { .disk_bytes = 6 << 20 }, many = { .disk_bytes = 1ull << 40 };
	struct end d[4];
	struct id id;

	begin_with(ENGINES("cpus=4,disk=11534336,delay=5"), (struct exec_opts){ 0 });
	for (int i = 0; i < 3; i++) {
		id = numbered("s", i);
		MUST(hints_put(store, &id, &six, &e), e);
		want(id, NULL, &d[i]);
	}
	want(step0("small"), NULL, &d[3]);
	finish();
	CHECK(n_done == 4 && n_at_most == 2);
	id = step0("m");
	MUST(hints_put(store, &id, &many, &e), e);
	n_started = 0;
	CHECK(force(id, NULL) == ERR_FAILED && n_started == 0);
	CHECK(strstr(e.text, "it needs 1 cpus, 0 gpus, 0 MiB and 1048576 MiB of disk; ") != NULL);
	CHECK(strstr(e.text, "and 11 MiB of disk; change its hints") != NULL);
	end();
}

static void retries_and_timeout(void)
{
	begin_with(ENGINES(""), (struct exec_opts){ .retries = 2, .timeout_s = 0.05 });
	CHECK(force(step0("a exit=3"), NULL) == ERR_FAILED && n_started == 3);
	CHECK(strstr(e.text, "tried 3 times: it ended with exit status 3") != NULL);
	CHECK(force(step0("slow=60000"), NULL) == ERR_FAILED && n_started == 6);
	CHECK(strstr(e.text, "it took longer") != NULL);
	end();
}

static void ill_engine(void)
{
	struct end d[40];
	const char *first;

	begin_with(ENGINES("cpus=2,lose=1000", "cpus=2,delay=2"), (struct exec_opts){ 0 });
	want_some("a", 40, 0, d);
	finish();
	CHECK(n_done == 40 && n_failed == 0 && ran_on(1).n_ran == 40);
	/* Told once, and then nothing is started there. */
	first = notices.p ? strstr(notices.p, "failed 8 times in a row (last: the worker was lost)")
		: NULL;
	CHECK(first && !strstr(strchr(first, '\n'), "in a row"));
	CHECK(n_started < 60);
	end();
}

/* Four quick ones, so that what their like take is known; then the first run on
 * the first engine hangs. */
static void begin_late(const char *first)
{
	begin_with(ENGINES("delay=5"), (struct exec_opts){ 0 });
	for (int i = 0; i < 4; i++)
		CHECK(force(numbered("like", i), NULL) == ERR_NONE);
	close_all();
	open_engines(ENGINES(first, "cpus=1"), (struct exec_opts){ .straggler_s = 0.04 });
}

/* Until nothing runs on the first engine, a minute at most. */
static void turn_until_idle(void)
{
	for (int i = 0; i < 60000 && ran_on(0).n_running; i++) {
		loop_turn(loop);
		usleep(1000);
	}
}

static void stragglers(void)
{
	struct id late;

	begin_late("cpus=1,hang=1");
	late = numbered("like", 10);
	CHECK(force(late, "late") == ERR_NONE && access("late", F_OK) == 0);
	CHECK(n_started == 2 && n_done == 1 && counts().duplicated == 1 && counts().forced == 1);
	CHECK(ran_on(1).n_ran == 1 && counts().running == 0);
	turn_until_idle();
	CHECK(ran_on(0).n_running == 0 && n_failed == 0);
	end();
	/* One that cannot be cancelled ends later, as the other did. */
	begin_late("cpus=1,hang=1,deaf");
	CHECK(force(numbered("like", 10), NULL) == ERR_NONE && ran_on(0).n_running == 1);
	turn_until_idle();
	CHECK(ran_on(0).n_running == 0 && n_failed == 0 && counts().forced == 1);
	/* The engine that hung has its slot again. */
	CHECK(force(numbered("other", 1), NULL) == ERR_NONE && ran_on(0).n_ran == 2);
	end();
}

static void nondeterminism(void)
{
	struct id late, kept;

	begin_late("cpus=1,hang=1,deaf,differs");
	late = numbered("like", 10);
	CHECK(force(late, NULL) == ERR_NONE);
	kept = value_of(late);
	turn_until_idle();
	CHECK(n_failed == 1 && counts().failed == 1 && counts().forced == 0);
	CHECK(strstr(failures.p, "not deterministic: output out is ") &&
	      strstr(failures.p, id_hex(&kept).s) && strstr(failures.p, "cpus=1,hang=1"));
	kept = value_of(late);
	CHECK(id_is_zero(&kept));
	end();
}

/* The same where the loser is given up at once, and answers all the same. */
static void late_nondeterminism(void)
{
	struct result_out out = { "out", { REF_VALUE, { { 7 } }, NULL } };
	struct result r = { &out, 1 };
	struct id id, kept;

	begin("cpus=1");
	id = step0("a");
	exec_gave_too(x, &id, &r, "ann");
	CHECK(force(id, NULL) == ERR_NONE && n_failed == 0);
	kept = out.ref.id;
	out.ref.id = value_of(id);
	exec_gave_too(x, &id, &r, "ann");
	CHECK(n_failed == 0 && counts().forced == 1);
	out.ref.id = kept;
	exec_gave_too(x, &id, &r, "ann");
	turn_until_idle();
	CHECK(n_failed == 1 && counts().failed == 1 && counts().forced == 0);
	CHECK(strstr(failures.p, "not deterministic: output out is ") &&
	      strstr(failures.p, id_hex(&kept).s) && strstr(failures.p, " from ann, which"));
	kept = value_of(id);
	CHECK(id_is_zero(&kept));
	end();
}

/* Many vectors of needs still run all, in order, never overcommitted. */
static void many_needs(void)
{
	enum { N = 300 };
	static struct end d[N];

	begin_with(ENGINES("cpus=3,mem=1000000000", "cpus=5,gpus=2,mem=3000000000"),
		   (struct exec_opts){ 0 });
	for (int i = 0; i < N; i++) {
		struct id id = numbered("n", i);
		struct hints h = { .cpus = 0.5 + (i % 7) * 0.5, .gpus = i % 5 == 0,
				   .mem_bytes = (uint64_t)(i + 1) * 9000000 };

		MUST(hints_put(store, &id, &h, &e), e);
		want(id, NULL, &d[i]);
	}
	finish();
	CHECK(n_done == N && n_failed == 0 && n_at_most <= 16);
	end();
}

/* Whatever engines do, the value of the root is that of one plain engine. */
static void random_faults(void)
{
	for (unsigned seed = 1; seed <= 4; seed++) {
		struct id root_id, plain, value;

		begin("cpus=4,gpus=1");
		root_id = random_graph(seed, 300, "root");
		CHECK(force(root_id, NULL) == ERR_NONE);
		plain = value_of(root_id);
		close_all();
		MUST(dir_remove(AT_FDCWD, ".gg", &e), e);
		/* So that it is known how long such a step takes. */
		open_all("", false);
		for (int i = 0; i < 4; i++)
			CHECK(force(numbered("g slow=1", 1000 + i), NULL) == ERR_NONE);
		close_all();
		open_engines(ENGINES("cpus=3,lose=25,hang=1", "cpus=2,gpus=1,throttle=4,refuse=3",
				     "refuses,cpus=9", "cpus=4,gpus=2,later=60,delay=1"),
			     (struct exec_opts){ .straggler_s = 0.1 });
		CHECK(id_equal(&root_id, &(struct id[]){ random_graph(seed, 300, "root") }[0]));
		CHECK(force(root_id, NULL) == ERR_NONE && n_failed == 0);
		value = value_of(root_id);
		CHECK(id_equal(&plain, &value));
		CHECK(counts().forced == 300 && counts().running == 0);
		for (size_t i = 0; i < n_engines; i++)
			CHECK(ran_on(i).n_running <= 1);
		end();
	}
}

static const struct test tests[] = {
	{ "a thunk runs on the first engine that has room, and costs are counted there",
	  first_with_room },
	{ "cpu thunks go where cpus are, gpu thunks where gpus are", by_needs },
	{ "thunks with and without gpus do not wait for each other's", gpus_and_cpus_apart },
	{ "what no engine can take is refused before anything runs", refused_before_all },
	{ "room may come later", room_that_comes },
	{ "an engine that refuses or is busy leaves its work to others", refusing_and_busy },
	{ "out of memory is tried with twice as much, twice", more_memory },
	{ "the disk that steps write to is never promised twice", scratch_disk },
	{ "--retries and --timeout", retries_and_timeout },
	{ "an engine that keeps failing rests and is told of once", ill_engine },
	{ "what takes too long is started again elsewhere, the first result wins", stragglers },
	{ "two results that differ are told of and neither is kept", nondeterminism },
	{ "so is one that answers when nobody waits for it any more", late_nondeterminism },
	{ "hundreds of different needs", many_needs },
	{ "random graphs on engines that lose, refuse, hang and come late", random_faults },
	{ "an urgent step gets the GPU of one that can go on later", urgent_takes_a_gpu },
	{ "one with a path twice as long gets its room", longer_path_takes_room },
	{ "one that is as urgent waits", others_wait },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
