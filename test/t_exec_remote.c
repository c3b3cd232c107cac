/* t_exec_remote.c - forcing with a remote: what is known there is not made again
 *
 * GG_TEST_FAR names a remote whose server a test has started, with {} in it for a
 * place that is new each time; otherwise it is a folder, and what can be done to one
 * is tested too.
 */
#include "exec_rig.h"

static struct end ends[2000];

/* A project with a remote: the folder "far", unless another is named. */
static void begin_far(void)
{
	const char *named = getenv("GG_TEST_FAR"), *at = named ? strstr(named, "{}") : NULL;
	static char uri[512];

	remote_uri = NULL;
	begin("");
	close_all();
	snprintf(uri, sizeof uri, "dir:%s/far", root);
	if (at)
		snprintf(uri, sizeof uri, "%.*s%s%s", (int)(at - named), named,
			 strrchr(root, '/') + 1, at + 2);
	remote_uri = uri;
	open_all("", false);
}

static void end_far(void)
{
	end();
	remote_uri = NULL;
}

static void drained(void *arg, const struct err *why)
{
	*(bool *)arg = true;
	CHECK(!why);
}

static void drain(void)
{
	bool is_done = false;

	depot_drain(depot, drained, &is_done);
	if (!is_done)
		loop_run(loop, &is_done);
}

/* Another machine: nothing is here but the remote. */
static void elsewhere(const char *fake)
{
	drain();
	close_all();
	MUST(dir_remove(AT_FDCWD, ".gg", &e), e);
	open_all(fake, false);
}

static struct id diamond(const char *top)
{
	struct id a = step0("a"), bc[2];

	bc[0] = step1("b", a);
	bc[1] = step1("c asdir", a);
	return step(top, 2, bc);
}

static void known_there(void)
{
	begin_far();
	CHECK(force(diamond("d give=D"), "d") == ERR_NONE && n_started == 4);
	CHECK(counts().remote == 0 && unlink("d") == 0);
	elsewhere("");
	CHECK(force(diamond("d give=D"), "d") == ERR_NONE && holds("d", "D"));
	CHECK(n_started == 0 && counts().total == 1 && counts().remote == 1);
	/* From now on it is known here. */
	reopen("");
	CHECK(force(diamond("d give=D"), "d2") == ERR_NONE && n_started == 0);
	CHECK(counts().cached == 1 && counts().remote == 0);
	end_far();
}

static struct id chain(const char *low)
{
	return step1("top give=T", step1("mid", step0(low)));
}

static void known_as_reduced(void)
{
	begin_far();
	CHECK(force(chain("low=1 give=same"), NULL) == ERR_NONE && n_started == 3);
	elsewhere("");
	CHECK(force(chain("low=2 give=same"), "t") == ERR_NONE && holds("t", "T"));
	CHECK(n_started == 1 && counts().remote == 2 && counts().forced == 1);
	end_far();
}

static void inputs_come(void)
{
	struct id value;

	begin_far();
	CHECK(force(diamond("d"), NULL) == ERR_NONE);
	elsewhere("");
	/* Both inputs, a folder among them, are read by the run. */
	CHECK(force(diamond("other"), NULL) == ERR_NONE && n_started == 1);
	CHECK(counts().remote == 2 && n_failed == 0);
	/* What is gone here, and only here, is fetched. */
	value = value_of(step1("b", step0("a")));
	MUST(store_drop(store, &value, &e), e);
	CHECK(force(diamond("third"), NULL) == ERR_NONE && n_started == 2);
	CHECK(store_has(store, &value));
	end_far();
}

static size_t place_of(const char *words)
{
	const char *p = strstr(order.p, words);

	CHECK(p);
	return p ? (size_t)(p - order.p) : 0;
}

/* There is room for one.  Of two that wait for it the one with the longer path is
 * first, and lacks its inputs. */
static void others_run_meanwhile(void)
{
	struct id late, quick;
	time_t from;

	begin_far();
	CHECK(force(step1("b", step0("a")), NULL) == ERR_NONE && n_started == 2);
	elsewhere("cpus=1,delay=500");
	want(step0("gate"), NULL, &ends[0]);
	for (from = time(NULL); !n_started && time(NULL) - from < 60; usleep(50))
		loop_turn(loop);
	quick = step0("quick");
	late = step1("top", step1("late", step1("b", step0("a"))));
	want(late, NULL, &ends[1]);
	want(quick, NULL, &ends[2]);
	finish();
	CHECK(n_failed == 0 && n_started == 4 && n_at_most == 1);
	CHECK(place_of("gate") < place_of("quick") && place_of("quick") < place_of("late"));
	end_far();
}

static void drop_far(const struct id *id)
{
	char path[128];

	snprintf(path, sizeof path, "far/cas/%s", id_hex(id).s);
	if (unlink(path) < 0) {
		snprintf(path, sizeof path, "far/cas/%.2s/%s", id_hex(id).s, id_hex(id).s);
		CHECK(unlink(path) == 0);
	}
}

/* Results that promise objects which are gone: they are made again. */
static void gone_there(void)
{
	struct id a, b;

	begin_far();
	CHECK(force(diamond("d give=D"), NULL) == ERR_NONE);
	a = value_of(step0("a"));
	b = value_of(step1("b", step0("a")));
	elsewhere("");
	drop_far(&a);
	drop_far(&b);
	CHECK(force(diamond("other give=O"), "o") == ERR_NONE && holds("o", "O"));
	/* a and b, and what was wanted. */
	CHECK(n_started == 3 && n_failed == 0);
	elsewhere("");
	a = id_of(bytes_str("D"));
	drop_far(&a);
	CHECK(force(diamond("d give=D"), "d") == ERR_NONE && holds("d", "D"));
	CHECK(n_started == 1);
	end_far();
}

static void remote_down(void)
{
	begin_far();
	CHECK(force(diamond("d give=D"), NULL) == ERR_NONE);
	elsewhere("");
	MUST(dir_remove(AT_FDCWD, "far", &e), e);
	write_text("far", "no folder any more");
	CHECK(force(diamond("d give=D"), "d") == ERR_NONE && holds("d", "D"));
	CHECK(n_started == 4 && n_failed == 0);
	close_all();
	remote_uri = NULL;
	open_all("", false);
	end_far();
}

static struct id numbered(int i)
{
	char words[32];

	snprintf(words, sizeof words, "n i=%d", i);
	return step1(words, step0("shared"));
}

static void thousands(void)
{
	enum { N = 2000 };
	time_t from;

	begin_far();
	for (int i = 0; i < N; i++)
		want(numbered(i), NULL, &ends[i]);
	finish();
	CHECK(n_started == N + 1);
	elsewhere("delay=5");
	from = time(NULL);
	for (int i = 0; i < N; i++)
		want(numbered(i), NULL, &ends[i]);
	/* Others run meanwhile. */
	want(step0("new one"), NULL, &ends[0]);
	finish();
	CHECK(n_started == 1 && counts().remote == N && time(NULL) - from < 30);
	end_far();
}

static void stopped(void)
{
	enum { N = 50 };

	begin_far();
	for (int i = 0; i < N; i++)
		want(numbered(i), NULL, &ends[i]);
	finish();
	elsewhere("");
	for (int i = 0; i < N; i++) {
		char path[32];

		snprintf(path, sizeof path, "p/%d", i);
		want(numbered(i), path, &ends[i]);
	}
	loop_turn(loop);
	exec_stop(x, 0);
	finish();
	for (int i = 0; i < N; i++)
		CHECK(ends[i].times == 1 && (ends[i].e.code == ERR_REFUSED ||
					     ends[i].e.code == ERR_NONE));
	CHECK(n_started == 0);
	end_far();
}

static void lose_some(unsigned seed)
{
	char command[200];

	snprintf(command, sizeof command, "find far/cas -type f | sort | awk 'BEGIN { srand(%u) } "
		 "rand() < 0.3' | xargs -r rm -f", seed);
	CHECK(system(command) == 0);
}

/* Some of what results name is gone, anywhere in the graph: the value is the same. */
static void random_losses(void)
{
	for (unsigned seed = 1; seed <= 3; seed++) {
		struct id plain, value, top;

		begin_far();
		reopen("cpus=8,gpus=2");
		CHECK(force(random_graph(seed, 120, "first"), NULL) == ERR_NONE);
		elsewhere("cpus=8,gpus=2");
		lose_some(seed);
		top = random_graph(seed, 120, "second");
		CHECK(force(top, "top") == ERR_NONE && n_failed == 0);
		value = value_of(top);
		CHECK(counts().forced > 1 && counts().remote > 1);
		/* The same without any remote. */
		close_all();
		MUST(dir_remove(AT_FDCWD, ".gg", &e), e);
		remote_uri = NULL;
		open_all("cpus=8,gpus=2", false);
		top = random_graph(seed, 120, "second");
		CHECK(force(top, NULL) == ERR_NONE && counts().forced == 120);
		plain = value_of(top);
		CHECK(id_equal(&plain, &value));
		end_far();
	}
}

static void tails_too(void)
{
	begin_far();
	CHECK(force(step0("countdown=3"), NULL) == ERR_NONE && n_started == 4);
	elsewhere("");
	CHECK(force(step0("countdown=3"), "t") == ERR_NONE && n_started == 0);
	end_far();
}

static const struct test tests[] = {
	{ "what a remote knows is not made, and only what is wanted comes", known_there },
	{ "a result is found by its reduced thunk too", known_as_reduced },
	{ "inputs come before a run, also those that were here", inputs_come },
	{ "while inputs come others have the room", others_run_meanwhile },
	{ "what a remote has lost is made again", gone_there },
	{ "a remote that is down stops nothing", remote_down },
	{ "thousands are asked for while others run", thousands },
	{ "stopping ends what waits for a remote", stopped },
	{ "whatever a remote has lost, the value is the same", random_losses },
	{ "returned thunks are known by what they came to", tails_too },
	{ 0 }
};

/* Those that take any remote as it is. */
static const struct test of_any[] = {
	{ "what a remote knows is not made, and only what is wanted comes", known_there },
	{ "a result is found by its reduced thunk too", known_as_reduced },
	{ "inputs come before a run, also those that were here", inputs_come },
	{ "while inputs come others have the room", others_run_meanwhile },
	{ "returned thunks are known by what they came to", tails_too },
	{ 0 }
};

int main(void)
{
	return test_main(getenv("GG_TEST_FAR") ? of_any : tests);
}
