/* t_exec.c - forcing: what runs, in what order, how often */
#include "exec_rig.h"

static void diamond(void)
{
	struct id a, bc[2], d;

	begin("");
	a = step0("a");
	bc[0] = step1("b", a);
	bc[1] = step1("c", a);
	d = step("d give=D", 2, bc);
	CHECK(force(d, "made/d") == ERR_NONE);
	CHECK(holds("made/d", "D"));
	CHECK(n_started == 4 && n_done == 4 && n_failed == 0);
	CHECK_STR(order.p, "fake a\nfake b\nfake c\nfake d give=D\n");
	CHECK(counts().forced == 4 && counts().total == 4);
	/* Again in the same process, and in another. */
	CHECK(force(d, "made/d2") == ERR_NONE && holds("made/d2", "D"));
	CHECK(n_started == 4);
	reopen("");
	CHECK(force(d, "made/d") == ERR_NONE);
	CHECK(n_started == 0 && n_cached == 1);
	CHECK(counts().cached == 1 && counts().total == 1);
	end();
}

static void cut_off(void)
{
	struct id old, new;

	begin("");
	old = step1("top", step1("mid", step0("low=1 give=same")));
	CHECK(force(old, NULL) == ERR_NONE);
	CHECK(n_started == 3);
	reopen("");
	new = step1("top", step1("mid", step0("low=2 give=same")));
	CHECK(!id_equal(&old, &new));
	CHECK(force(new, NULL) == ERR_NONE);
	CHECK(n_started == 1 && counts().forced == 1 && counts().cached == 2);
	old = value_of(old);
	new = value_of(new);
	CHECK(id_equal(&old, &new) && !id_is_zero(&new));
	end();
}

/* Two thunks that reduce to the same one run once, while it runs too. */
static void twins(void)
{
	struct id pair[2];

	begin("");
	pair[0] = step1("twin slow=30", step0("low=1 give=same"));
	pair[1] = step1("twin slow=30", step0("low=2 give=same"));
	CHECK(force(step("top", 2, pair), NULL) == ERR_NONE);
	CHECK(n_started == 4 && counts().forced == 4 && counts().cached == 1);
	end();
}

static void failure_texts(void)
{
	struct id a, b[2], top;
	struct end d1, d2;

	begin("");
	a = step0("bad exit=3 say=oops");
	b[0] = step1("b", a);
	b[1] = step1("c", a);
	top = step("top", 2, b);
	want(top, "t", &d1);
	want(b[1], NULL, &d2);
	finish();
	CHECK(d1.times == 1 && d1.e.code == ERR_FAILED && d2.times == 1);
	CHECK_STR(d1.e.text, "fake bad exit=3 say=oops: it ended with exit status 3");
	CHECK(n_failed == 4 && n_own_failures == 1);
	CHECK(counts().failed == 1 && counts().unrun == 3);
	CHECK(strstr(failures.p, "fake top: it needs \"fake bad exit=3 say=oops\", which failed\n"));
	CHECK(access("t", F_OK) < 0);
	/* It is not tried again here, and it is by the next process. */
	CHECK(force(top, "t") == ERR_FAILED && n_started == 1);
	reopen("");
	CHECK(force(top, "t") == ERR_FAILED && n_started == 1);
	CHECK(force(step0("killed signal=9"), NULL) == ERR_FAILED);
	CHECK(strstr(e.text, "killed by signal 9") != NULL);
	end();
}

static void observations(void)
{
	struct observation o;
	struct arena a = { 0 };
	struct bytes log;
	struct id good, bad;

	begin("");
	good = step1("fine say=hello slow=10", step0("low"));
	bad = step0("bad signal=11");
	CHECK(force(good, NULL) == ERR_NONE);
	MUST(observation_get(store, &good, &o, &e), e);
	CHECK(o.code == 0 && o.seconds > 0.009 && o.date_s > 1600000000);
	MUST(store_get(store, &o.log, &a, &log, &e), e);
	CHECK(bytes_equal(log, bytes_str("hello")));
	CHECK(force(bad, NULL) == ERR_FAILED);
	MUST(observation_get(store, &bad, &o, &e), e);
	CHECK(o.code == 128 + 11 && id_is_zero(&o.log));
	arena_release(&a);
	end();
}

static void keep_going(void)
{
	struct id bad;
	struct end d[6];

	begin("cpus=1");
	bad = step0("bad exit=1");
	hints_put(store, &bad, &(struct hints){ .priority = 9 }, &e);
	for (int i = 0; i < 5; i++)
		want(step0((char[]){ 'o', 'k', (char)('0' + i), 0 }), NULL, &d[i]);
	want(bad, NULL, &d[5]);
	finish();
	CHECK(n_started == 1);
	for (int i = 0; i < 5; i++)
		CHECK(d[i].times == 1 && d[i].e.code == ERR_FAILED);
	CHECK_STR(d[0].e.text, "not made, because nothing more was started after "
		  "\"fake bad exit=1\" had failed");
	/* A later want is served: what failed was of another. */
	CHECK(force(step0("ok1"), NULL) == ERR_NONE);
	close_all();
	open_all("cpus=1", true);
	for (int i = 0; i < 5; i++)
		want(step0((char[]){ 'o', 'k', (char)('0' + i), 0 }), NULL, &d[i]);
	want(bad, NULL, &d[5]);
	finish();
	CHECK(n_started == 5 && d[5].e.code == ERR_FAILED);
	for (int i = 0; i < 5; i++)
		CHECK(d[i].times == 1 && d[i].e.code == ERR_NONE);
	end();
}

static void running_ones_finish(void)
{
	struct end slow, bad;

	begin("cpus=2");
	want(step0("slow=100 fine"), "fine", &slow);
	want(step0("exit=1 slow=5"), NULL, &bad);
	finish();
	CHECK(bad.e.code == ERR_FAILED);
	CHECK(slow.times == 1 && slow.e.code == ERR_NONE && access("fine", F_OK) == 0);
	/* Also when all that was wanted has failed already. */
	{
		struct id pair[2] = { step0("slow=100 kept"), step0("exit=2 slow=5") }, value;

		reopen("cpus=2");
		CHECK(force(step("top", 2, pair), NULL) == ERR_FAILED);
		CHECK(n_done == 1 && counts().running == 0);
		value = value_of(pair[0]);
		CHECK(!id_is_zero(&value));
	}
	end();
}

static void tails(void)
{
	struct id deep, value, top;

	begin("");
	deep = step0("countdown=1000");
	top = step1("top", deep);
	CHECK(force(top, "t") == ERR_NONE && n_done == 1002);
	value = value_of(deep);
	CHECK(store_has(store, &value));
	reopen("");
	CHECK(force(deep, "deep") == ERR_NONE && n_started == 0);
	CHECK(force(step0("countdown=1001"), NULL) == ERR_NONE && n_started == 1);
	end();
}

/* What a thunk returns runs with its hints. */
static void tail_hints(void)
{
	struct hints h = { .priority = 7, .gpus = 1 };
	struct arena a = { 0 };
	struct id first, next;

	begin("gpus=1");
	first = step0("countdown=1");
	next = step0("countdown=0");
	MUST(hints_put(store, &first, &h, &e), e);
	CHECK(force(first, NULL) == ERR_NONE);
	h = (struct hints){ 0 };
	MUST(hints_get(store, &next, &a, &h, &e), e);
	CHECK(h.priority == 7 && h.gpus > 0.9);
	arena_release(&a);
	end();
}

static void endless_tails(void)
{
	begin("");
	CHECK(force(step1("top", step0("self")), NULL) == ERR_FAILED);
	CHECK(strstr(e.text, "fake self: it never ends") == e.text);
	CHECK(n_failed == 2 && n_own_failures == 1);
	CHECK(force(step0("bounce=0"), NULL) == ERR_FAILED && strstr(e.text, "never ends"));
	/* Others are still served. */
	CHECK(force(step0("fine"), NULL) == ERR_NONE);
	end();
}

static void only_tails_are_tails(void)
{
	struct result_out out = { "out", { REF_THUNK, { { 0 } }, "out" } };
	struct result r = { &out, 1 };
	struct id dir, file;

	begin("");
	CHECK(force(step0("give=gg-tail"), "plain") == ERR_NONE);
	CHECK(holds("plain", "gg-tail"));
	/* A file cannot turn out to be a directory. */
	dir = step0("asdir");
	file = step0("file");
	out.ref.id = dir;
	MUST(store_put_result(store, &file, &r, &e), e);
	CHECK(force(file, NULL) == ERR_FAILED && strstr(e.text, "gives a directory"));
	end();
}

static void order_of_starts(void)
{
	struct id chain, low, high;
	struct end d[4];

	begin("cpus=1");
	low = step0("low");
	high = step0("high");
	MUST(hints_put(store, &low, &(struct hints){ .priority = -1 }, &e), e);
	MUST(hints_put(store, &high, &(struct hints){ .priority = 5 }, &e), e);
	chain = step1("end", step1("middle", step0("start")));
	want(low, NULL, &d[0]);
	want(step0("short"), NULL, &d[1]);
	want(chain, NULL, &d[2]);
	want(high, NULL, &d[3]);
	finish();
	CHECK_STR(order.p, "fake high\nfake start\nfake middle\nfake short\nfake end\nfake low\n");
	end();
}

static void order_of_equals(void)
{
	struct id thin, wide;
	struct end d[3];

	begin("cpus=1");
	thin = step0("thin");
	wide = step0("wide");
	want(step1("first", thin), NULL, &d[0]);
	want(step1("second", wide), NULL, &d[1]);
	want(step1("third", wide), NULL, &d[2]);
	finish();
	CHECK_STR(order.p, "fake wide\nfake thin\nfake first\nfake second\nfake third\n");
	end();
}

static void room_is_kept(void)
{
	struct end d[9];
	struct id id;

	begin("cpus=3,gpus=1,delay=5");
	for (int i = 0; i < 9; i++) {
		id = step0((char[]){ 'w', (char)('0' + i), 0 });
		want(id, NULL, &d[i]);
	}
	finish();
	CHECK(n_done == 9 && n_at_most == 3);
	for (int i = 0; i < 4; i++) {
		id = step0((char[]){ 'g', (char)('0' + i), 0 });
		MUST(hints_put(store, &id, &(struct hints){ .gpus = 1 }, &e), e);
		want(id, NULL, &d[i]);
	}
	n_at_most = 0;
	finish();
	CHECK(n_done == 13 && n_at_most == 1);
	id = step0("greedy");
	MUST(hints_put(store, &id, &(struct hints){ .cpus = 2, .gpus = 2 }, &e), e);
	CHECK(force(id, NULL) == ERR_FAILED);
	CHECK(strstr(e.text, "needs 2 cpus, 2 gpus") != NULL);
	end();
}

static struct end inner;

static void want_more(void *arg, const struct err *why)
{
	ended(arg, why);
	want(step0("inner"), "inner", &inner);
	CHECK(inner.times == 0);
}

static void want_from_inside(void)
{
	struct end outer = { 0 };
	struct want w = { .out = "out", .done = want_more, .arg = &outer };

	begin("");
	w.thunk = step0("outer");
	MUST(exec_want(x, &w, &e), e);
	CHECK(outer.times == 0);
	finish();
	CHECK(outer.times == 1 && inner.times == 1 && inner.e.code == ERR_NONE);
	CHECK(access("inner", F_OK) == 0);
	end();
}

static void stopping(void)
{
	struct end d[3];

	begin("cpus=1");
	want(step0("long slow=60000"), NULL, &d[0]);
	want(step0("never"), NULL, &d[1]);
	while (!n_started)
		loop_turn(loop);
	exec_stop(x, 20);
	want(step0("late"), NULL, &d[2]);
	finish();
	for (int i = 0; i < 3; i++)
		CHECK(d[i].times == 1 && d[i].e.code == ERR_REFUSED);
	CHECK(n_started == 1 && n_failed == 0);
	/* Nothing is half done: the next process makes it. */
	reopen("cpus=1");
	CHECK(force(step0("never"), NULL) == ERR_NONE);
	end();
}

static void edited_target(void)
{
	struct id t;

	begin("");
	t = step0("a give=A");
	write_text("mine", "precious");
	CHECK(force(t, "mine") == ERR_REFUSED && holds("mine", "precious"));
	CHECK(force(t, "fine") == ERR_NONE && holds("fine", "A"));
	end();
}

static void deep_chain(void)
{
	struct id at;

	begin("");
	at = step0("0");
	for (int i = 1; i < 20000; i++) {
		char word[16];

		snprintf(word, sizeof(word), "%d", i);
		at = step1(word, at);
	}
	CHECK(force(at, NULL) == ERR_NONE && n_done == 20000);
	end();
}



static const struct test tests[] = {
	{ "a diamond runs each thunk once, and never again", diamond },
	{ "an input that comes out alike cuts off what is above", cut_off },
	{ "two thunks that reduce alike run once", twins },
	{ "a failure is told once for each thunk above, naming its cause", failure_texts },
	{ "what running took is kept, and what it printed", observations },
	{ "keep-going starts the rest after a failure, else nothing more", keep_going },
	{ "what runs when another fails is finished and placed", running_ones_finish },
	{ "returned thunks are followed, a thousand deep", tails },
	{ "a returned thunk has the hints of its parent", tail_hints },
	{ "thunks that return themselves are told from those that end", endless_tails },
	{ "only a whole first line marks a tail, and only a file can follow it", only_tails_are_tails },
	{ "priority first, then the longest path", order_of_starts },
	{ "then what most wait for, then what appeared first", order_of_equals },
	{ "room is never overcommitted, and what can never fit fails", room_is_kept },
	{ "a want may be added from inside a call back", want_from_inside },
	{ "stopping cancels what runs and ends every want", stopping },
	{ "the user's own file is not overwritten", edited_target },
	{ "a chain of 20,000 is loaded and run", deep_chain },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
