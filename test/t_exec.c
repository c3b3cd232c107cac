/* t_exec.c - forcing, on the engine that answers as told */
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "exec.h"
#include "file.h"
#include "test.h"

/* One project, and gg at work in it; reopened it is another process's. */
static char root[64];
static struct project project;
static struct store *store;
static struct loop *loop;
static struct backend *backend;
static struct exec *x;
static struct id host;
static struct err e;

/* What was heard. */
static int n_started, n_done, n_failed, n_cached, n_own_failures, n_at_once, n_at_most;
static struct buf order, failures;

static void heard(void *arg, const struct exec_event *ev)
{
	(void)arg;
	n_started += ev->kind == EXEC_STARTED;
	n_done += ev->kind == EXEC_DONE;
	n_failed += ev->kind == EXEC_FAILED;
	n_cached += ev->kind == EXEC_CACHED;
	if (ev->kind == EXEC_STARTED) {
		buf_printf(&order, "%s\n", ev->label);
		n_at_once++;
		if (n_at_once > n_at_most)
			n_at_most = n_at_once;
	}
	if (ev->kind == EXEC_DONE)
		n_at_once--;
	if (ev->kind != EXEC_FAILED)
		return;
	n_own_failures += id_equal(ev->cause, ev->thunk);
	buf_printf(&failures, "%s: %s\n", ev->label, ev->text);
}

static void open_all(const char *fake, bool keeps_going)
{
	struct backend_opts bo = { 0 };
	struct exec_opts xo = { 0 };

	MUST(store_open(".gg", STORE_CREATE, &store, &e), e);
	MUST(store_put(store, bytes_str("a machine\n"), &host, &e), e);
	MUST(loop_new(&loop, &e), e);
	bo.loop = loop;
	bo.store = store;
	MUST(backend_fake.open(&bo, fake, &backend, &e), e);
	xo = (struct exec_opts){ .loop = loop, .store = store, .project = &project,
				 .engine = &backend_fake, .backend = backend,
				 .keeps_going = keeps_going, .event = heard };
	MUST(exec_new(&xo, &x, &e), e);
	n_started = n_done = n_failed = n_cached = n_own_failures = 0;
	n_at_once = n_at_most = 0;
	buf_reset(&order);
	buf_reset(&failures);
}

static void close_all(void)
{
	backend_fake.close(backend);
	exec_free(x);
	loop_free(loop);
	MUST(store_close(store, &e), e);
}

static void begin(const char *fake)
{
	strcpy(root, "/tmp/gg-t-exec-XXXXXX");
	if (!mkdtemp(root) || chdir(root) < 0)
		exit(1);
	project = (struct project){ .root = root };
	project.root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	open_all(fake, false);
}

static void reopen(const char *fake)
{
	close_all();
	open_all(fake, false);
}

static void end(void)
{
	close_all();
	close(project.root_fd);
	if (chdir("/") < 0)
		exit(1);
	MUST(dir_remove(AT_FDCWD, root, &e), e);
	buf_release(&order);
	buf_release(&failures);
}

/* A thunk of these words (parted by spaces) that reads output "out" of each
 * of the others; "@PATH" among the words makes that source an input. */
static struct id step(const char *words, size_t n, const struct id *deps)
{
	struct arena a = { 0 };
	struct buf text = { 0 };
	struct strs args = { 0 };
	struct output out = { "out", "out", strstr(words, "asdir") != NULL };
	struct thunk t = { .out = &out, .n_out = 1, .runtime_id = host };
	char *save = NULL, *copy = arena_str(&a, words);
	struct id id;

	t.in = arena_alloc(&a, (n + 8) * sizeof(*t.in));
	strs_add(&args, "fake");
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		strs_add(&args, w);
		if (*w != '@')
			continue;
		t.in[t.n_in].path = w + 1;
		MUST(stat_name(store, AT_FDCWD, w + 1, STAT_KEEP,
			       &t.in[t.n_in++].ref.id, NULL, &e), e);
	}
	t.args = args.v;
	t.n_args = args.n;
	for (size_t i = 0; i < n; i++)
		t.in[t.n_in++] = (struct input){ arena_printf(&a, "in/%zu", i),
						 { REF_THUNK, deps[i], "out" } };
	thunk_sort(&t);
	MUST(thunk_encode(&t, &text, &e), e);
	MUST(store_put(store, buf_bytes(&text), &id, &e), e);
	buf_release(&text);
	strs_release(&args);
	arena_release(&a);
	return id;
}

static struct id step0(const char *words)
{
	return step(words, 0, NULL);
}

static struct id step1(const char *words, struct id dep)
{
	return step(words, 1, &dep);
}

/* How a want ended. */
struct end {
	int times;
	struct err e;           /* code 0: well */
};

static void ended(void *arg, const struct err *why)
{
	struct end *d = arg;

	d->times++;
	d->e.code = ERR_NONE;
	if (why)
		d->e = *why;
}

static void want(struct id id, const char *path, struct end *d)
{
	struct want w = { .thunk = id, .out = "out", .path = path, .done = ended, .arg = d };

	*d = (struct end){ 0 };
	MUST(exec_want(x, &w, &e), e);
}

/* Turn the loop until nothing is wanted, a minute at most. */
static void finish(void)
{
	time_t from = time(NULL);

	while (exec_is_busy(x) && time(NULL) - from < 60) {
		loop_turn(loop);
		usleep(50);
	}
	CHECK(!exec_is_busy(x));
}

static enum err_code force(struct id id, const char *path)
{
	struct end d;

	want(id, path, &d);
	finish();
	CHECK(d.times == 1);
	e = d.e;
	return d.e.code;
}

static struct exec_counts counts(void)
{
	struct exec_counts c;

	exec_counts(x, &c);
	CHECK(c.total == c.waiting + c.running + c.forced + c.cached + c.failed + c.unrun);
	return c;
}

static bool holds(const char *path, const char *text)
{
	struct arena a = { 0 };
	struct bytes b;
	bool same = file_read(AT_FDCWD, path, 1 << 20, &a, &b, &e) == 0 &&
		bytes_equal(b, bytes_str(text));

	arena_release(&a);
	return same;
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		exit(1);
}

static struct id value_of(struct id thunk)
{
	struct arena a = { 0 };
	struct result r;
	struct id id = { { 0 } };

	if (store_get_result(store, &thunk, &a, &r, &e) == 0 && r.n == 1)
		id = r.v[0].ref.id;
	arena_release(&a);
	return id;
}

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

static void lost_workers(void)
{
	begin("lose=2");
	CHECK(force(step0("a"), NULL) == ERR_NONE && n_started == 3);
	reopen("lose=3");
	CHECK(force(step0("b"), NULL) == ERR_FAILED && n_started == 3);
	CHECK(strstr(e.text, "tried 3 times: the worker was lost") != NULL);
	reopen("refuse=2");
	CHECK(force(step0("c"), NULL) == ERR_NONE && n_started == 1);
	reopen("repeat");
	CHECK(force(step1("d give=D", step0("low")), "d") == ERR_NONE);
	CHECK(n_started == 2 && holds("d", "D"));
	end();
}

static void lost_objects(void)
{
	struct id low, mid, gone;

	begin("");
	low = step0("low");
	mid = step1("mid", low);
	CHECK(force(mid, "m") == ERR_NONE && n_started == 2);
	/* The value of low is gone when somebody new needs it. */
	reopen("");
	gone = value_of(low);
	MUST(store_drop(store, &gone, &e), e);
	CHECK(force(step1("new", low), NULL) == ERR_NONE);
	CHECK(n_done == 2 && counts().forced == 2);
	/* Those of both are gone when the target is to be placed. */
	reopen("");
	MUST(store_drop(store, &gone, &e), e);
	gone = value_of(mid);
	MUST(store_drop(store, &gone, &e), e);
	CHECK(force(mid, "m2") == ERR_NONE && n_done == 2);
	CHECK(access("m2", F_OK) == 0);
	/* The same without a path, in one process from start to end. */
	MUST(store_drop(store, &gone, &e), e);
	CHECK(force(mid, NULL) == ERR_NONE && n_done == 3);
	end();
}

static void lost_sources(void)
{
	struct id t1, t2, src;

	begin("");
	write_text("data.csv", "1,2\n");
	t1 = step0("t1 @data.csv");
	t2 = step0("t2 @data.csv");
	src = id_of(bytes_str("1,2\n"));
	MUST(store_drop(store, &src, &e), e);
	CHECK(force(t1, NULL) == ERR_NONE);
	MUST(store_drop(store, &src, &e), e);
	write_text("data.csv", "1,3\n");
	CHECK(force(t2, NULL) == ERR_FAILED);
	CHECK(strstr(e.text, "data.csv: ") && strstr(e.text, "infer again"));
	CHECK(n_own_failures == 1);
	end();
}

static void lost_inside_trees(void)
{
	struct id dir, top, file;
	struct arena a = { 0 };
	struct tree t;
	struct bytes b;

	begin("");
	dir = step0("dir asdir give=inner");
	CHECK(force(dir, "d") == ERR_NONE && holds("d/file", "inner"));
	file = value_of(dir);
	MUST(store_get(store, &file, &a, &b, &e), e);
	MUST(tree_decode(b, &a, &t, &e), e);
	MUST(store_drop(store, &t.v[0].id, &e), e);
	top = step1("top", dir);
	CHECK(force(top, NULL) == ERR_NONE && n_done == 3);
	arena_release(&a);
	end();
}

static void strange_stores(void)
{
	struct id absent = id_of(bytes_str("no such thunk")), id;
	struct result_out out = { "out", { REF_THUNK, absent, "out" } };
	struct result r = { &out, 1 };

	begin("");
	CHECK(force(absent, NULL) == ERR_FAILED);
	CHECK(strstr(e.text, "is not in the store") && strstr(e.text, "gg infer"));
	CHECK(force(step1("top", absent), NULL) == ERR_FAILED);
	MUST(store_put(store, bytes_str("gg-thunk 1\nnonsense\n"), &id, &e), e);
	CHECK(force(id, NULL) == ERR_FAILED && strstr(e.text, "line 2"));
	/* A result that says: my value is my own value. */
	id = step0("liar");
	out.ref.id = id;
	MUST(store_put_result(store, &id, &r, &e), e);
	CHECK(force(id, NULL) == ERR_FAILED && strstr(e.text, "never ends"));
	/* A result that is garbage is made again. */
	id = step0("honest");
	MUST(store_table_put(store, TABLE_RESULT, id_key(&id), bytes_str("?"), &e), e);
	CHECK(force(id, NULL) == ERR_NONE);
	/* An output that nobody declared. */
	{
		struct end d;
		struct want w = { .thunk = id, .out = "other", .done = ended, .arg = &d };

		d = (struct end){ 0 };
		MUST(exec_want(x, &w, &e), e);
		finish();
		CHECK(d.times == 1 && d.e.code == ERR_USAGE);
		w.path = "../up";
		CHECK(exec_want(x, &w, &e) < 0 && e.code == ERR_REFUSED);
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
	struct id first, next;

	begin("gpus=1");
	first = step0("countdown=1");
	next = step0("countdown=0");
	MUST(hints_put(store, &first, &h, &e), e);
	CHECK(force(first, NULL) == ERR_NONE);
	h = (struct hints){ 0 };
	MUST(hints_get(store, &next, &h, &e), e);
	CHECK(h.priority == 7 && h.gpus > 0.9);
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

/* A thunk over sixty that give 20 KB each. */
static struct id big_top(void)
{
	char words[20100];
	struct id deps[60];

	for (int i = 0; i < 60; i++) {
		int n = sprintf(words, "%d give=%d", i, i);

		memset(words + n, 'x', 20000);
		words[n + 20000] = 0;
		deps[i] = step0(words);
	}
	return step("top", 60, deps);
}

/* A store on a disk of a few MB: an error, no end of waiting, and all is well
 * once there is room. */
static void full_store(void)
{
	begin("");
	close_all();
	CHECK(rename(".gg", "old") == 0 && mkdir(".gg", 0777) == 0);
	if (mount("none", ".gg", "tmpfs", 0, "size=2m") < 0) {
		printf("# skipped: a tmpfs cannot be mounted here\n");
		open_all("", false);
		end();
		return;
	}
	open_all("", false);
	CHECK(force(big_top(), "top") == ERR_IO && strstr(e.text, ".gg/"));
	CHECK(access("top", F_OK) < 0);
	backend_fake.close(backend);
	exec_free(x);
	loop_free(loop);
	store_close(store, &e);
	CHECK(mount("none", ".gg", "tmpfs", MS_REMOUNT, "size=64m") == 0);
	open_all("", false);
	CHECK(force(big_top(), "top") == ERR_NONE);
	close_all();
	CHECK(umount(".gg") == 0);
	open_all("", false);
	end();
}

/* Killed at any moment: the next one finishes with nothing wrong. */
static void killed(void)
{
	struct end d;
	pid_t pid;

	begin("");
	for (int round = 0; round < 12; round++) {
		struct end all[40];
		struct id deps[40];
		char path[32];

		close_all();
		pid = fork();
		if (pid < 0)
			exit(1);
		open_all(pid ? "" : "delay=1,cpus=2", false);
		for (int i = 0; i < 40; i++) {
			snprintf(path, sizeof(path), "r%d i%d", round, i);
			deps[i] = step1(path, step0(path));
			snprintf(path, sizeof(path), "r%d/%d", round, i);
			if (!pid)
				want(deps[i], path, &all[i]);
		}
		want(step("top", 40, deps), "top", &d);
		if (!pid) {
			finish();
			_exit(0);
		}
		usleep(5000u * (unsigned)round + 1000);
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, NULL, 0) == pid);
		for (int i = 0; i < 40; i++) {
			snprintf(path, sizeof(path), "r%d/%d", round, i);
			CHECK(force(deps[i], path) == ERR_NONE && access(path, F_OK) == 0);
		}
		CHECK(d.times == 1 && d.e.code == ERR_NONE);
		CHECK(unlink("top") == 0);
	}
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

enum { N_SHARED = 200, N_PROCESSES = 3 };

static int one_process(void)
{
	struct end d[N_SHARED];
	int bad = -test_failures;

	open_all("delay=2,log=runs", false);
	for (int i = 0; i < N_SHARED; i++) {
		char word[16];

		snprintf(word, sizeof(word), "%d", i);
		want(step1(word, step0("shared")), NULL, &d[i]);
	}
	finish();
	for (int i = 0; i < N_SHARED; i++)
		bad += d[i].times != 1 || d[i].e.code != ERR_NONE;
	close_all();
	return bad + test_failures;
}

static void many_processes(void)
{
	struct arena a = { 0 };
	struct strs lines = { 0 };
	struct bytes b;
	int status, dup = 0;

	begin("");
	close_all();
	for (int i = 0; i < N_PROCESSES; i++)
		if (fork() == 0)
			_exit(one_process() != 0);
	for (int i = 0; i < N_PROCESSES; i++)
		CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	MUST(file_read(AT_FDCWD, "runs", 1 << 20, &a, &b, &e), e);
	CHECK(b.n == (N_SHARED + 1) * (ID_HEX + 1));
	for (size_t i = 0; i + ID_HEX < b.n; i += ID_HEX + 1)
		strs_add(&lines, arena_strn(&a, b.p + i, ID_HEX));
	strs_sort(&lines);
	for (size_t i = 1; i < lines.n; i++)
		dup += strcmp(lines.v[i], lines.v[i - 1]) == 0;
	CHECK(dup == 0);
	strs_release(&lines);
	arena_release(&a);
	open_all("", false);
	end();
}

static void holder_dies(void)
{
	struct end d;
	pid_t pid;

	begin("");
	close_all();
	pid = fork();
	open_all("", false);
	want(step1("top", step0("slow=400 give=x")), "t", &d);
	while (pid == 0) {
		loop_turn(loop);
		usleep(100);
	}
	usleep(100000);
	for (int i = 0; i < 100; i++) {
		loop_turn(loop);
		usleep(1000);
	}
	CHECK(n_started == 0 && d.times == 0);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
	finish();
	CHECK(n_started == 2 && d.times == 1 && d.e.code == ERR_NONE);
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
	{ "a lost worker is tried again, three times in all", lost_workers },
	{ "a value that is gone is made again of itself", lost_objects },
	{ "a source that is gone is put again, or named with the remedy", lost_sources },
	{ "a file gone from inside a tree is made again", lost_inside_trees },
	{ "a store with holes or lies gives clear errors", strange_stores },
	{ "returned thunks are followed, a thousand deep", tails },
	{ "a returned thunk has the hints of its parent", tail_hints },
	{ "thunks that return themselves are told from those that end", endless_tails },
	{ "only a whole first line marks a tail, and only a file can follow it", only_tails_are_tails },
	{ "priority first, then the longest path", order_of_starts },
	{ "room is never overcommitted, and what can never fit fails", room_is_kept },
	{ "a want may be added from inside a call back", want_from_inside },
	{ "stopping cancels what runs and ends every want", stopping },
	{ "a store without room fails in words and works again with room", full_store },
	{ "killed at any moment, the next run finishes with nothing wrong", killed },
	{ "the user's own file is not overwritten", edited_target },
	{ "a chain of 20,000 is loaded and run", deep_chain },
	{ "processes that force the same run each thunk once between them", many_processes },
	{ "what a killed process had begun is begun again by one that waits", holder_dies },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
