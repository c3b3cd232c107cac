/* A worker gives what the dispatcher's own machine would give, and says plainly
 * what it cannot. */
#include <signal.h>
#include "worker_rig.h"

static struct bytes noise(size_t n, unsigned seed)
{
	char *p = arena_alloc(&arena, n + 1);

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (char)(seed >> 24);
	}
	return (struct bytes){ p, n };
}

static struct id put_noise(size_t n, unsigned seed)
{
	struct id id;

	MUST(store_put(rig.store, noise(n, seed), &id, &e), e);
	return id;
}

static void several(bool is_json)
{
	const struct step good = { .script = "cat a >o; echo heard", .in = { { "a", "one\n" } },
				   .out = { "o" } };
	const struct step bad = { .script = "exit 3", .out = { "o" } };
	const struct step lazy = { .script = "true", .out = { "o" } };
	struct sent s = { .n = 0 };

	add_step(&s, &good);
	add_step(&s, &bad);
	add_step(&s, &lazy);
	add_step(&s, &good);
	send(&s, is_json);
	receive(&s);
	CHECK((s.answer.p[0] == '{') == is_json);
	CHECK(s.got[0].r.status == RUN_OK && s.got[3].r.status == RUN_OK);
	CHECK_STR(rig_out(&rig, &s.got[0], "o"), "one\n");
	CHECK_STR(s.got[0].r.log.p, "heard\n");
	CHECK(s.got[1].r.status == RUN_EXITED && s.got[1].r.code == 3);
	CHECK(s.got[2].r.status == RUN_NO_OUTPUT);
	sent_free(&s);
}

static void in_order(void)
{
	start_worker(2, 0);
	several(true);
	several(false);
	stop_worker();
}

static void at_once(void)
{
	struct sent s[4] = { { .n = 0 } };
	char all_sleep[100], wake[100];
	bool is_seen = false;

	/* Nobody else sleeps for so long; they do so until all have been seen. */
	snprintf(all_sleep, sizeof all_sleep, "test $(pgrep -cf '^sleep 1000[.]%ld$') = 4",
		 (long)getpid());
	snprintf(wake, sizeof wake, "pkill -f '^sleep 1000[.]%ld'", (long)getpid());
	start_worker(4, 0);
	for (int i = 0; i < 4; i++) {
		const struct step step = { .script = arena_printf(&arena,
			"sleep 1000.%ld || echo %d >o", (long)getpid(), i), .out = { "o" } };

		add_step(&s[i], &step);
		send(&s[i], false);
	}
	for (int i = 0; i < 600 && !is_seen; i++) {
		loop_turn(rig.loop);
		usleep(50000);
		is_seen = system(all_sleep) == 0;
	}
	CHECK(is_seen);
	CHECK(system(wake) == 0);
	for (int i = 0; i < 4; i++) {
		receive(&s[i]);
		CHECK(s[i].got[0].r.status == RUN_OK);
		sent_free(&s[i]);
	}
	stop_worker();
}

static void nowhere(void)
{
	const struct step step = { .script = "cat a >o", .in = { { "a", "never sent\n" } },
				   .out = { "o" } };
	struct message_step m = { .thunk = rig_thunk(&rig, &step), .host = rig.host };
	struct message_request q = { .steps = &m, .n_steps = 1, .root = rig.root };
	struct id lost = id_of(bytes_str("never sent\n"));
	struct message_answer back;
	struct buf text = { 0 }, out = { 0 };

	start_worker(1, 0);
	message_put_request(&q, &text);
	MUST(worker_do(worker, buf_bytes(&text), 0, &out, &e), e);
	MUST(message_read_answer(buf_bytes(&out), &arena, &back, &e), e);
	CHECK(back.reports[0].report.status == RUN_LOST_INPUT);
	CHECK(id_equal(&back.reports[0].report.missing, &lost));
	message_objects_release(&back.objects);
	buf_release(&text);
	buf_release(&out);
	stop_worker();
}

static void through_remote(void)
{
	struct step step = { .script = "cat d/sub/big d/small >o; cat o o >twice",
			     .in = { { "d", .kind = REF_TREE } }, .out = { "o", "twice" } };
	struct id big = put_noise(300000, 1), small = put_noise(10, 2);
	struct entry below = { .name = "big", .kind = ENTRY_FILE, .id = big };
	struct tree sub = { &below, 1 };
	struct entry v[2] = { { .name = "small", .kind = ENTRY_FILE, .id = small },
			      { .name = "sub", .kind = ENTRY_TREE } };
	struct tree top = { v, 2 };
	struct buf b = { 0 };
	struct sent s = { .n = 0 };
	struct worker_news news;
	const struct ref *o;
	struct bytes got;

	MUST(tree_encode(&sub, &b, &e), e);
	MUST(store_put(rig.store, buf_bytes(&b), &v[1].id, &e), e);
	buf_reset(&b);
	MUST(tree_encode(&top, &b, &e), e);
	MUST(store_put(rig.store, buf_bytes(&b), &step.in[0].id, &e), e);
	buf_release(&b);
	open_depot();
	start_worker(1, 0);
	add_step(&s, &step);
	send(&s, false);
	CHECK(s.parcel.n_outside == 1 && id_equal(&s.parcel.outside[0].id, &big));
	CHECK(s.parcel.body.n < 100000 && s.parcel.n_input_bytes > 300010);
	receive(&s);
	CHECK(s.got[0].r.status == RUN_OK);
	/* Both outputs are large: they rest at the remote, and only there. */
	CHECK(s.answer.n < 100000);
	o = result_output(&s.got[0].r.result, "o");
	CHECK(o && !store_has(rig.store, &o->id) && depot_knows(depot, &o->id));
	CHECK(o && store_get(wstore, &o->id, &arena, &got, &e) == 0 && got.n == 300010);
	worker_news(worker, &news);
	CHECK(news.n_added == 3 && news.n_dropped == 0);
	worker_news_told(worker, &news);
	worker_news(worker, &news);
	CHECK(news.n_added == 0);
	sent_free(&s);
	stop_worker();
	close_depot();
}

/* It is not looked for at a remote, where it would be taken for a plain value. */
static void large_tail(void)
{
	struct step step = { .script = "{ echo gg-tail 1; yes thunk | head -c 200000; } >o",
			     .out = { "o" } };
	struct sent s = { .n = 0 };
	const struct ref *o;

	open_depot();
	start_worker(1, 0);
	add_step(&s, &step);
	send(&s, false);
	receive(&s);
	CHECK(s.got[0].r.status == RUN_OK);
	o = result_output(&s.got[0].r.result, "o");
	CHECK(o && store_has(rig.store, &o->id));
	sent_free(&s);
	stop_worker();
	close_depot();
}

/* One that no worker would run. */
static void refused(const struct step *step, struct bytes host, const char *why)
{
	struct message_step m = { .thunk = rig_thunk(&rig, step), .host = host };
	struct message_request q = { .steps = &m, .n_steps = 1, .root = rig.root };
	struct message_answer back;
	struct buf text = { 0 }, out = { 0 };

	message_put_request(&q, &text);
	MUST(worker_do(worker, buf_bytes(&text), 0, &out, &e), e);
	MUST(message_read_answer(buf_bytes(&out), &arena, &back, &e), e);
	CHECK(back.reports[0].report.status == RUN_NOT_STARTED);
	if (!strstr(back.reports[0].report.text, why))
		printf("# %s\n", back.reports[0].report.text);
	CHECK(strstr(back.reports[0].report.text, why) != NULL);
	message_objects_release(&back.objects);
	buf_release(&text);
	buf_release(&out);
}

static void runtimes(void)
{
	static const char other[] = "gg-host 1\narch alpha\nprogram "
		"0000000000000000000000000000000000000000000000000000000000000001 /bin/sh\n";
	struct id unknown = id_of(bytes_str("no closure"));
	const struct step plain = { .script = "echo >o", .out = { "o" } };
	const struct step closed = { .script = "echo >o", .out = { "o" }, .closure = unknown };

	start_worker(1, 0);
	refused(&plain, (struct bytes){ 0 }, "does not say what that is like");
	refused(&plain, bytes_str(other), "not the one that the step names");
	refused(&closed, (struct bytes){ 0 }, "make an image");
	stop_worker();
}

static void no_thunks(void)
{
	static const char *const bad[] = {
		"gg-thunk 1\n", "gg-thunk 2\narg true\n", "",
		"gg-thunk 1\narg true\ncwd .\nin thunk "
		"0000000000000000000000000000000000000000000000000000000000000001 o a\n"
		"runtime host "
		"0000000000000000000000000000000000000000000000000000000000000001\n",
	};
	struct worker_call c = { .request = { "{", 1 } };

	start_worker(1, 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct message_step m = { .thunk = bytes_str(bad[i]) };
		struct message_request q = { .steps = &m, .n_steps = 1, .is_json = true };
		struct message_answer back;
		struct buf text = { 0 }, out = { 0 };

		message_put_request(&q, &text);
		MUST(worker_do(worker, buf_bytes(&text), 0, &out, &e), e);
		MUST(message_read_answer(buf_bytes(&out), &arena, &back, &e), e);
		CHECK(back.reports[0].report.status == RUN_NOT_STARTED);
		CHECK(bytes_start(bytes_str(back.reports[0].report.text), "thunk"));
		message_objects_release(&back.objects);
		buf_release(&text);
		buf_release(&out);
	}
	CHECK(worker_begin(worker, &c, &e) < 0 && e.code == ERR_BAD);
	stop_worker();
}

static void cancelled(void)
{
	const struct step nap = { .script = "sleep 60", .out = { "o" } };
	const struct step next = { .script = "echo >o", .out = { "o" } };
	struct sent s = { .n = 0 };
	uint64_t from = loop_now_ms(rig.loop);

	start_worker(1, 0);
	add_step(&s, &nap);
	add_step(&s, &next);
	send(&s, false);
	for (int i = 0; i < 50; i++) {
		loop_turn(rig.loop);
		usleep(10000);
	}
	worker_cancel(worker, &s.call);
	receive(&s);
	CHECK(s.got[0].r.status != RUN_OK && s.got[1].r.status == RUN_THROTTLED);
	CHECK(loop_now_ms(rig.loop) - from < 50000);
	sent_free(&s);
	stop_worker();
}

static void limited(void)
{
	const struct step nap = { .script = "sleep 60", .out = { "o" } };
	struct sent s = { .call.limit_s = 0.5 };
	uint64_t from = loop_now_ms(rig.loop);

	start_worker(1, 0);
	add_step(&s, &nap);
	send(&s, true);
	receive(&s);
	CHECK(s.got[0].r.status == RUN_TIMED_OUT);
	CHECK(loop_now_ms(rig.loop) - from < 50000);
	sent_free(&s);
	stop_worker();
}

static enum run_status within(double limit_s, const char *script, struct message_answer *back)
{
	const struct step step = { .script = script, .out = { "o" } };
	struct message_step m = { .thunk = rig_thunk(&rig, &step), .host = rig.host,
				  .checkpoint = "left" };
	struct message_request q = { .steps = &m, .n_steps = 1, .root = rig.root };
	struct buf text = { 0 }, out = { 0 };

	message_put_request(&q, &text);
	MUST(worker_do(worker, buf_bytes(&text), limit_s, &out, &e), e);
	MUST(message_read_answer(arena_bytes(&arena, buf_bytes(&out)), &arena, back, &e), e);
	buf_release(&text);
	buf_release(&out);
	return back->reports[0].report.status;
}

static void asked_before_the_limit(void)
{
	const char *leaves = "trap 'echo here >left; exit 75' TERM; sleep 600 & wait";
	struct message_answer back;
	const struct result *r;

	start_worker(1, 0);
	/* Once more with more time, should the machine be slow. */
	if (within(4, leaves, &back) != RUN_STOPPED) {
		message_objects_release(&back.objects);
		CHECK(within(60, leaves, &back) == RUN_STOPPED);
	}
	r = &back.reports[0].report.result;
	CHECK(r->n == 1 && back.objects.n == 1 &&
	      bytes_equal(back.objects.v[0].bytes, bytes_str("here\n")));
	message_objects_release(&back.objects);
	if (within(2, "trap '' TERM; sleep 60", &back) != RUN_TIMED_OUT) {
		message_objects_release(&back.objects);
		CHECK(within(20, "trap '' TERM; sleep 60", &back) == RUN_TIMED_OUT);
	}
	message_objects_release(&back.objects);
	stop_worker();
}

static void cut_off(void)
{
	const struct step nap = { .script = "sleep 60", .out = { "o" } };
	struct sent s = { .n = 0 };

	start_worker(1, 0);
	add_step(&s, &nap);
	send(&s, false);
	for (int i = 0; i < 20; i++) {
		loop_turn(rig.loop);
		usleep(10000);
	}
	stop_worker();
	CHECK(!s.is_done);
	sent_free(&s);
}

static void wound_up(void)
{
	const struct step nap = { .script = "sleep 0.3; echo >o", .out = { "o" } };
	const struct step next = { .script = "echo 2 >o", .out = { "o" } };
	struct sent s = { .n = 0 };

	start_worker(1, 0);
	add_step(&s, &nap);
	add_step(&s, &next);
	send(&s, false);
	worker_wind_up(worker);
	receive(&s);
	CHECK(s.got[0].r.status == RUN_OK && s.got[1].r.status == RUN_THROTTLED);
	sent_free(&s);
	stop_worker();
}

static void hear(void *arg)
{
	(void)arg;
	worker_wind_up(worker);
}

/* SIGTERM of its own, and SIGTERM for all that is here: the worker may hear of it
 * later than the program. */
static void terminated(void)
{
	const struct step ends = { .script = "kill -TERM $$; sleep 9", .out = { "o" } };
	const struct step next = { .script = "echo >o", .out = { "o" } };
	struct sent s[2] = { { .n = 0 }, { .n = 0 } };

	start_worker(1, 0);
	for (int i = 0; i < 2; i++) {
		add_step(&s[i], &ends);
		add_step(&s[i], &next);
		send(&s[i], false);
		if (i == 1)
			loop_after(rig.loop, 200, hear, NULL);
		receive(&s[i]);
	}
	CHECK(s[0].got[0].r.status == RUN_SIGNALED && s[0].got[0].r.code == SIGTERM);
	CHECK(s[0].got[1].r.status == RUN_OK);
	CHECK(s[1].got[0].r.status == RUN_LOST_WORKER && *s[1].got[0].r.text);
	CHECK(s[1].got[1].r.status == RUN_THROTTLED);
	sent_free(&s[0]);
	sent_free(&s[1]);
	stop_worker();
}

/* Ten inputs of 100,000 bytes where 400,000 may be kept. */
static void makes_way(void)
{
	size_t n_dropped = 0, n_added = 0, n_held;
	struct worker_news news;
	const struct id *held;

	start_worker(1, 400000);
	for (unsigned i = 0; i < 10; i++) {
		struct step step = { .script = "wc -c <a >o",
				     .in = { { "a", .id = put_noise(100000, 100 + i) } },
				     .out = { "o" } };
		struct sent s = { .n = 0 };

		add_step(&s, &step);
		send(&s, false);
		receive(&s);
		CHECK_STR(rig_out(&rig, &s.got[0], "o"), "100000\n");
		sent_free(&s);
		worker_news(worker, &news);
		n_added += news.n_added;
		n_dropped += news.n_dropped;
		for (size_t k = 0; k < news.n_dropped; k++)
			CHECK(!store_has(wstore, &news.dropped[k]));
		worker_news_told(worker, &news);
	}
	n_held = worker_holds(worker, &arena, &held);
	CHECK(n_added == 10 && n_dropped >= 6 && n_added - n_dropped == n_held);
	for (size_t i = 0; i < n_held; i++)
		CHECK(store_has(wstore, &held[i]));
	stop_worker();
}

/* It finds again what it had, and drops what was there first. */
static void finds_again(void)
{
	struct id id;
	const struct id *held;

	MUST(store_open(worker_store, STORE_CREATE | STORE_VOLATILE, &wstore, &e), e);
	MUST(store_put(wstore, noise(200000, 7), &id, &e), e);
	MUST(store_close(wstore, &e), e);
	start_worker(1, 0);
	CHECK(worker_holds(worker, &arena, &held) == 1 && id_equal(held, &id));
	stop_worker();
}

static void other_roots(void)
{
	const char *top = arena_printf(&arena, "%s/a/b", worker_dir);
	const char *const roots[] = {
		arena_printf(&arena, "%s/c", top), arena_printf(&arena, "%s/d", top),
		arena_printf(&arena, "%s/e", top), arena_printf(&arena, "%s/f", top),
		arena_printf(&arena, "%s/g", top), "/proc/no/such", NULL,
	};
	const struct step step = { .script = "pwd >o", .out = { "o" } };
	struct message_step m = { .thunk = rig_thunk(&rig, &step), .host = rig.host };

	start_worker(1, 0);
	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
		struct message_request q = { .steps = &m, .n_steps = 1, .root = roots[i] };
		struct message_answer back;
		struct buf text = { 0 }, out = { 0 };

		message_put_request(&q, &text);
		MUST(worker_do(worker, buf_bytes(&text), 0, &out, &e), e);
		MUST(message_read_answer(buf_bytes(&out), &arena, &back, &e), e);
		CHECK(back.reports[0].report.status == RUN_OK && back.objects.n == 1);
		if (i < 5 && back.objects.n && !rig_lacks_walls(&rig))
			CHECK(bytes_start(back.objects.v[0].bytes, roots[i]));
		message_objects_release(&back.objects);
		buf_release(&text);
		buf_release(&out);
	}
	stop_worker();
	CHECK(access(arena_printf(&arena, "%s/a", worker_dir), F_OK) < 0);
}

static const struct test tests[] = {
	{ "the steps of a request run in order, each with its answer, in both forms", in_order },
	{ "several requests run at once", at_once },
	{ "an input that is nowhere is named", nowhere },
	{ "large inputs and outputs go by the remote, small ones inside", through_remote },
	{ "a step that is returned comes inside, however long", large_tail },
	{ "a step that this machine is not made for is refused, with what to do", runtimes },
	{ "what is no reduced thunk is refused", no_thunks },
	{ "a cancelled request ends early, and what had not begun says so", cancelled },
	{ "a step ends before the one who asked stops listening", limited },
	{ "one that can go on elsewhere leaves its checkpoint before that",
	  asked_before_the_limit },
	{ "what runs is cut off when the worker goes", cut_off },
	{ "a worker that is to end finishes its step and no other", wound_up },
	{ "a program that SIGTERM ended has failed, unless its worker was to go, too",
	  terminated },
	{ "what was not used for longest makes way, and is told of", makes_way },
	{ "what an earlier worker held is held", finds_again },
	{ "each project is seen at its own path, and no folder is left", other_roots },
	{ 0 }
};

int main(int argc, char **argv)
{
	return rigs_main(tests, argc, argv);
}
