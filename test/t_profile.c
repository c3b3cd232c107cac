/* t_profile.c - shapes, estimates, labels, records */
#include <fcntl.h>
#include <math.h>
#include <unistd.h>
#include "../src/exec/exec_internal.h"
#include "file.h"
#include "test.h"

static char root[64];
static struct store *store;
static struct err e;

static void begin(void)
{
	strcpy(root, "/tmp/gg-t-profile-XXXXXX");
	if (!mkdtemp(root) || chdir(root) < 0)
		exit(1);
	MUST(store_open(".gg", STORE_CREATE, &store, &e), e);
}

static void end(void)
{
	MUST(store_close(store, &e), e);
	if (chdir("/") < 0)
		exit(1);
	MUST(dir_remove(AT_FDCWD, root, &e), e);
}

static struct thunk of(const char **args)
{
	struct thunk t = { .args = args };

	while (args[t.n_args])
		t.n_args++;
	return t;
}

static const char *shape(const char **args, struct buf *b)
{
	struct thunk t = of(args);

	buf_reset(b);
	shape_name(&t, b);
	buf_char(b, 0);
	return b->p;
}

#define ARGS(...) ((const char *[]){ __VA_ARGS__, NULL })

static void shapes(void)
{
	struct buf b = { 0 };

	CHECK_STR(shape(ARGS("/usr/bin/python3", "train.py", "--seed", "3", "--lr=0.1"), &b),
		  "python# train.py --seed --lr");
	CHECK_STR(shape(ARGS("python3", "-u", "-m", "pkg.train", "-0.5"), &b),
		  "python# -u -m pkg.train");
	CHECK_STR(shape(ARGS("gcc", "-c", "foo.c", "-O2", "-Ia", "-Ib", "-o", "foo.o"), &b),
		  "gcc -c -O -I -o");
	CHECK_STR(shape(ARGS("sh", "-c", "cat in/7 > out/7"), &b), "sh -c cat");
	CHECK_STR(shape(ARGS("./step-12", "data3.csv"), &b), "step-# data#.csv");
	CHECK_STR(shape(ARGS("true"), &b), "true");
	CHECK_STR(shape(ARGS("a", "-", "--"), &b), "a - --");
	buf_release(&b);
}

static void estimates(void)
{
	const struct sample ten = { 10, 1 << 20, 0, 0, 0 }, odd = { 10000, 1 << 20, 0, 0, 0 },
		two = { 2, 1 << 20, 0, 0, 0 }, none = { 0, 1 << 20, 0, 0, 0 },
		wrong = { NAN, 1 << 20, 0, 0, 0 };
	struct exec x = { .o.store = NULL };
	struct node open_node = { 0 };
	struct thunk t = of(ARGS("python3", "train.py"));
	struct shape *s;

	begin();
	x.o.store = store;
	s = profile_shape(&x, &t);
	CHECK(profile_shape(&x, &t) == s && s->n_seen == 0);
	open_node.shape = s;
	profile_open(&x, &open_node);
	CHECK(x.n_unknown == 1 && x.work_s < 0.1);
	for (int i = 0; i < 20; i++)
		profile_learn(&x, s, &ten);
	CHECK(fabs(profile_seconds(s) - 10) < 0.01);
	CHECK(x.n_unknown == 0 && fabs(x.work_s - 10) < 0.01);
	/* One odd run counts for little; a new truth is followed. */
	profile_learn(&x, s, &odd);
	CHECK(profile_seconds(s) < 12);
	for (int i = 0; i < 40; i++)
		profile_learn(&x, s, &two);
	CHECK(fabs(profile_seconds(s) - 2) < 0.2);
	profile_learn(&x, s, &none);
	profile_learn(&x, s, &wrong);
	CHECK(profile_seconds(s) > 0.5 && isfinite(x.work_s));
	profile_close(&x, &open_node);
	CHECK(fabs(x.work_s) < 1e-6 && s->n_open == 0);
	/* It is there for the next process. */
	MUST(profile_flush(&x, &e), e);
	map_release(&x.shapes);
	x.shapes = (struct map){ 0 };
	CHECK(profile_shape(&x, &t) != s && profile_shape(&x, &t)->n_seen == s->n_seen);
	map_release(&x.shapes);
	arena_release(&x.keep);
	buf_release(&x.text);
	end();
}

/* Time that is a line through the size, sizes all mixed, one run in eight odd. */
static void sizes(void)
{
	struct exec x = { .o.store = NULL };
	struct thunk t = of(ARGS("sort"));
	struct node small = { .in_bytes = 1 << 20 }, large = { .in_bytes = 64 << 20 };

	begin();
	x.o.store = store;
	small.shape = large.shape = profile_shape(&x, &t);
	for (unsigned i = 0; i < 40; i++) {
		double mib = 1 << (i * 7 % 6);
		struct sample took = { i % 8 == 7 ? 1000 : 0.5 * mib, 1 << 20,
				       (uint64_t)(mib * 1048576), 100, 0 };

		profile_learn(&x, small.shape, &took);
	}
	CHECK(profile_is_sized(small.shape));
	CHECK(node_seconds(&small) > 0.25 && node_seconds(&small) < 1);
	CHECK(node_seconds(&large) > 16 && node_seconds(&large) < 64);
	/* Those of which nothing is known take what most do. */
	small.in_bytes = 0;
	CHECK(fabs(node_seconds(&small) - profile_seconds(small.shape)) < 1e-9);
	MUST(profile_flush(&x, &e), e);
	map_release(&x.shapes);
	x.shapes = (struct map){ 0 };
	large.shape = profile_shape(&x, &t);
	CHECK(node_seconds(&large) > 16 && node_seconds(&large) < 64);
	/* All of one size are no line. */
	t = of(ARGS("uniq"));
	for (int i = 0; i < 20; i++)
		profile_learn(&x, profile_shape(&x, &t), &(struct sample){ 1, 0, 1 << 20, 0, 0 });
	CHECK(!profile_is_sized(profile_shape(&x, &t)));
	map_release(&x.shapes);
	arena_release(&x.keep);
	buf_release(&x.text);
	end();
}

static void records(void)
{
	struct observation o = { 1700000000, 1.5, 1.25, 126418944, 139, { { 7 } },
				 RUN_SIGNALED, 10, 20, 0.5, 0.25, "fake" }, o2;
	struct hints h = { .cpus = 2.5, .gpus = 1, .time_s = 1800, .mem_bytes = (uint64_t)3 << 30,
			   .disk_bytes = (uint64_t)5 << 40, .priority = -4, .is_watched = true,
			   .is_hushed = true, .fuse = "--out={}", .gpus_most = 7,
			   .aside = (const char *[]){ "--threads", "2" }, .n_aside = 2 }, h2;
	struct id id = id_of(bytes_str("t"));
	struct arena a = { 0 };
	struct { char version; char v[5 * 8]; } old = { 1, { 0 } };

	begin();
	CHECK(observation_get(store, &id, &o2, &e) < 0 && e.code == ERR_MISSING);
	CHECK(hints_get(store, &id, &a, &h2, &e) < 0 && e.code == ERR_MISSING);
	MUST(observation_put(store, &id, &o, &e), e);
	MUST(hints_put(store, &id, &h, &e), e);
	MUST(observation_get(store, &id, &o2, &e), e);
	MUST(hints_get(store, &id, &a, &h2, &e), e);
	CHECK(o2.date_s == o.date_s && o2.code == 139 && o2.max_rss_bytes == 126418944);
	CHECK(o2.status == RUN_SIGNALED && o2.in_bytes == 10 && o2.out_bytes == 20);
	CHECK(o2.dollars > 0.4 && o2.waited_s > 0.2 && strcmp(o2.place, "fake") == 0);
	CHECK(o2.seconds > 1.49 && o2.cpu_seconds < 1.26 && id_equal(&o.log, &o2.log));
	CHECK(h2.cpus > 2.4 && h2.gpus > 0.9 && h2.time_s > 1799 && h2.priority == -4);
	CHECK(h2.mem_bytes == h.mem_bytes && h2.disk_bytes == h.disk_bytes && h2.is_watched &&
	      h2.is_hushed);
	CHECK_STR(h2.fuse, h.fuse);
	CHECK(h2.gpus_most == 7 && h2.n_aside == 2 && strcmp(h2.aside[1], "2") == 0);
	/* One of before there were watched steps. */
	memcpy(old.v, &h.cpus, sizeof h.cpus);
	MUST(store_table_put(store, TABLE_HINT, id_key(&id),
			     (struct bytes){ (char *)&old, sizeof old }, &e), e);
	MUST(hints_get(store, &id, &a, &h2, &e), e);
	CHECK(h2.cpus > 2.4 && !h2.is_watched);
	/* A record of another version or cut short is as good as none. */
	MUST(store_table_put(store, TABLE_HINT, id_key(&id), bytes_str("\1abc"), &e), e);
	CHECK(hints_get(store, &id, &a, &h2, &e) < 0 && e.code == ERR_MISSING);
	arena_release(&a);
	end();
}

static char *label(const char **args, struct arena *a, size_t width)
{
	struct thunk t = of(args);

	return thunk_label(&t, a, width);
}

static void labels(void)
{
	struct arena a = { 0 };

	CHECK_STR(label(ARGS("/usr/bin/python3", "train.py", "--seed", "3"), &a, 80),
		  "python3 train.py --seed 3");
	CHECK_STR(label(ARGS("sh", "-c", "a b", ""), &a, 80), "sh -c 'a b' ''");
	CHECK_STR(label(ARGS("echo", "a\nb\033[2J"), &a, 80), "echo 'a b [2J'");
	CHECK_STR(label(ARGS("echo", "0126418944"), &a, 10), "echo 01...");
	CHECK_STR(label(ARGS("echo", "01234"), &a, 10), "echo 01234");
	CHECK_STR(label(ARGS("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f"), &a, 4),
		  "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f");
	CHECK_STR(label(ARGS("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f-"), &a, 4), "\xc3\xa4...");
	CHECK(strlen(label(ARGS("x", "y"), &a, 0)) == 0);
	arena_release(&a);
}

static const struct test tests[] = {
	{ "commands that differ in values alone have one shape", shapes },
	{ "an estimate learns, forgets and survives an outlier", estimates },
	{ "time that goes by the size of inputs is expected to", sizes },
	{ "observations and hints read back as written", records },
	{ "a label is short, quoted, and safe for a terminal", labels },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
