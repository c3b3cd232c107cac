/* t_checkpoint.c - how steps go on, and what they have left, as it is kept */
#include <fcntl.h>
#include <unistd.h>
#include "exec.h"
#include "file.h"
#include "test.h"

static struct store *store;
static struct arena arena;
static struct err e;

static struct id name_of(const char *s)
{
	return id_of(bytes_str(s));
}

static void hints_come_back(void)
{
	const char *state[] = { "--state", "a b\nc" }, *words[] = { "", "--resume", "x" };
	const struct resume how = { "out/m.ckpt", state, words, 2, 3 };
	struct hints h = { .cpus = 2, .priority = -3, .resume = &how }, got;
	struct id one = name_of("one"), two = name_of("two");

	MUST(hints_put(store, &one, &h, &e), e);
	MUST(hints_get(store, &one, &arena, &got, &e), e);
	CHECK(got.cpus == 2 && got.priority == -3 && got.resume);
	CHECK_STR(got.resume->path, "out/m.ckpt");
	CHECK(got.resume->n_state == 2 && got.resume->n_words == 3);
	CHECK_STR(got.resume->state[1], "a b\nc");
	CHECK_STR(got.resume->words[0], "");
	CHECK_STR(got.resume->words[2], "x");
	h.resume = NULL;
	MUST(hints_put(store, &two, &h, &e), e);
	MUST(hints_get(store, &two, &arena, &got, &e), e);
	CHECK(got.cpus == 2 && !got.resume);
}

static void hints_of_before(void)
{
	const double numbers[5] = { 1, 0.5, 60, 0, 0 };
	char old[1 + sizeof numbers] = { 1 };
	struct id id = name_of("old");
	struct hints h;

	memcpy(old + 1, numbers, sizeof numbers);
	MUST(store_table_put(store, TABLE_HINT, id_key(&id), (struct bytes){ old, sizeof old },
			     &e), e);
	MUST(hints_get(store, &id, &arena, &h, &e), e);
	CHECK(h.cpus == 1 && h.gpus == 0.5 && h.time_s == 60 && !h.is_watched && !h.resume);
	MUST(store_table_put(store, TABLE_HINT, id_key(&id), (struct bytes){ old, 20 }, &e), e);
	CHECK(hints_get(store, &id, &arena, &h, &e) < 0 && e.code == ERR_MISSING);
}

static struct checkpoint sample(const char *thunk)
{
	return (struct checkpoint){ .ref = { REF_TREE, name_of("tree"), NULL },
				    .thunk = name_of(thunk), .log = name_of("log"),
				    .seconds = 2.5, .cpu_seconds = 1.25, .n_stops = 7 };
}

static void checkpoints_come_back(void)
{
	struct checkpoint c = sample("written"), got;
	struct id id = name_of("reduced");

	CHECK(checkpoint_get(store, &id, &got, &e) < 0 && e.code == ERR_MISSING);
	MUST(checkpoint_drop(store, &id, &e), e);
	MUST(checkpoint_put(store, &id, &c, &e), e);
	MUST(checkpoint_get(store, &id, &got, &e), e);
	CHECK(got.ref.kind == REF_TREE && id_equal(&got.ref.id, &c.ref.id) &&
	      id_equal(&got.thunk, &c.thunk) && id_equal(&got.log, &c.log) &&
	      got.seconds == 2.5 && got.cpu_seconds == 1.25 && got.n_stops == 7);
	MUST(checkpoint_drop(store, &id, &e), e);
	CHECK(checkpoint_get(store, &id, &got, &e) < 0);
}

static bool is_wanted(void *arg, const struct id *thunk)
{
	struct id wanted = name_of("wanted");

	(void)arg;
	return id_equal(thunk, &wanted);
}

static void note_kept(void *arg, const struct ref *r)
{
	unsigned *n = arg;

	(void)r;
	++*n;
}

static bool is_there(const char *reduced)
{
	struct id id = name_of(reduced);
	struct checkpoint got;

	return checkpoint_get(store, &id, &got, &e) == 0;
}

static void put(const char *reduced, const char *thunk)
{
	struct checkpoint c = sample(thunk);
	struct id id = name_of(reduced);

	MUST(checkpoint_put(store, &id, &c, &e), e);
}

static void old_ones_go(void)
{
	struct result_out out = { "out", { REF_VALUE, name_of("value"), NULL } };
	struct result made = { &out, 1 };
	struct id id = name_of("made");
	unsigned n_kept = 0;
	struct checkpoint_sweep w = { .only_looks = true, .is_kept = is_wanted,
				      .keep = note_kept, .arg = &n_kept };

	put("made", "wanted");
	put("open", "wanted");
	put("forgotten", "gone");
	MUST(store_put_result(store, &id, &made, &e), e);
	MUST(checkpoints_sweep(store, &w, &e), e);
	CHECK(n_kept == 2 && is_there("made") && is_there("open") && is_there("forgotten"));
	w.only_looks = false;
	MUST(checkpoints_sweep(store, &w, &e), e);
	CHECK(!is_there("made") && is_there("open") && !is_there("forgotten"));
}

static const struct test tests[] = {
	{ "how a step goes on is read back as it was put", hints_come_back },
	{ "hints of before are read, damaged ones are missing", hints_of_before },
	{ "a checkpoint is there until it is dropped", checkpoints_come_back },
	{ "gc keeps those that somebody may go on from, and no others", old_ones_go },
	{ 0 }
};

int main(void)
{
	char dir[] = "/tmp/gg-t_checkpoint.XXXXXX";
	int rc;

	if (!mkdtemp(dir))
		return 1;
	MUST(store_open(dir, STORE_CREATE, &store, &e), e);
	rc = test_main(tests);
	MUST(store_close(store, &e), e);
	MUST(dir_remove(AT_FDCWD, dir, &e), e);
	arena_release(&arena);
	return rc;
}
