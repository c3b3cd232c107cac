/* What gg remote gc may remove, and what not: refs, trees, young ones, and what others
 * write meanwhile. */
#include "depot_rig.h"
#include "remote_gc.h"

#include <time.h>

enum { DAY_S = 24 * 3600 };

static const char *const one[] = { "far", NULL };
static struct rig g;

static struct ref put(const char *text)
{
	struct ref r = { .kind = REF_VALUE };

	MUST(store_put(g.store, bytes_str(text), &r.id, &e), e);
	return r;
}

static struct ref put_tree(const char *name, const struct ref *below)
{
	struct entry v = { .name = name, .id = below->id,
			   .kind = below->kind == REF_TREE ? ENTRY_TREE : ENTRY_FILE };
	struct ref r = { .kind = REF_TREE };
	struct buf b = { 0 };

	MUST(tree_encode(&(struct tree){ &v, 1 }, &b, &e), e);
	MUST(store_put(g.store, buf_bytes(&b), &r.id, &e), e);
	buf_release(&b);
	return r;
}

static struct id publish(const char *name, const struct ref *ref)
{
	struct id id = id_of(bytes_str(name));
	struct result_out v = { "out", *ref };

	depot_publish(g.depot, &id, 1, &(struct result){ &v, 1 }, NULL);
	CHECK(rig_drain(&g).code == ERR_NONE);
	return id;
}

static const char *path_of(const char *folder, const struct id *id)
{
	return arena_printf(&arena, "%s/far/%s/%s", rig_dir, folder, id_hex(id).s);
}

static bool is_there(const char *folder, const struct id *id)
{
	return access(path_of(folder, id), F_OK) == 0;
}

/* All that is there was written so many days ago. */
static void age(int days)
{
	CHECK(system(arena_printf(&arena, "find %s -type f -exec touch -d '-%d days' {} +",
				  in_dir("far"), days)) == 0);
}

static int gc(struct remote_gc *k)
{
	k->loop = loop;
	k->ops = &remote_dir;
	k->remote = g.remotes[0].remote;
	return remote_gc(k, &e);
}

static void begin(void)
{
	rig_open(&g, "a", one, keys);
}

static void finish(void)
{
	rig_close(&g);
	MUST(dir_remove(AT_FDCWD, in_dir("a"), &e), e);
	MUST(dir_remove(AT_FDCWD, in_dir("far"), &e), e);
}

static void reachable(void)
{
	struct remote_gc k = { .grace_s = 7 * DAY_S, .is_dry = true };
	struct ref leaf, tree, value, stray;
	struct id kept, lost, both[2];

	begin();
	leaf = put("deep below");
	tree = put_tree("x", &leaf);
	tree = put_tree("y", &tree);
	value = put("a value");
	stray = put("of nobody's");
	kept = publish("kept", &tree);
	both[0] = kept;
	both[1] = publish("kept, too", &value);
	lost = publish("lost", &stray);
	MUST(remote_ref_write(loop, &remote_dir, g.remotes[0].remote, "proj-1", both, 2, &e), e);
	age(10);
	MUST(gc(&k), e);
	CHECK(k.n_results == 1 && k.n_objects == 1 && k.n_projects == 1 && is_there("ac", &lost));
	k = (struct remote_gc){ .grace_s = 7 * DAY_S };
	MUST(gc(&k), e);
	CHECK(k.n_results == 1 && k.n_objects == 1 && k.n_kept_results == 2);
	CHECK(k.n_kept_objects == 4 && !is_there("ac", &lost) && !is_there("cas", &stray.id));
	CHECK(is_there("ac", &kept) && is_there("cas", &leaf.id) && is_there("cas", &tree.id));
	CHECK(is_there("cas", &value.id));
	finish();
}

/* A young result keeps old objects, for a job that runs relies on them. */
static void young(void)
{
	struct remote_gc k = { .grace_s = 7 * DAY_S };
	struct ref leaf, tree;
	struct id old, fresh;

	begin();
	leaf = put("shared");
	tree = put_tree("x", &leaf);
	old = publish("old", &tree);
	age(10);
	fresh = publish("fresh", &tree);
	MUST(gc(&k), e);
	CHECK(!is_there("ac", &old) && is_there("ac", &fresh));
	CHECK(is_there("cas", &tree.id) && is_there("cas", &leaf.id));
	/* What is old is written again before somebody relies on it. */
	finish();
	begin();
	leaf = put("shared");
	publish("old", &leaf);
	age(4);
	rig_close(&g);
	begin();
	leaf = put("shared");
	publish("fresh", &leaf);
	rig_close(&g);
	begin();
	{
		struct stat st;

		CHECK(stat(path_of("cas", &leaf.id), &st) == 0);
		CHECK(st.st_mtim.tv_sec > time(NULL) - 60);
	}
	finish();
}

/* Where something that must be kept cannot be read, nothing is removed. */
static void careful(void)
{
	struct remote_gc k = { .grace_s = DAY_S };
	struct ref value;
	struct id lost;

	begin();
	value = put("a value");
	lost = publish("lost", &value);
	age(10);
	CHECK(mkdir(in_dir("far/refs"), 0755) == 0);
	MUST(file_write(AT_FDCWD, in_dir("far/refs/odd"), bytes_str("gg-ref 1\ndate x\n"), 0644, 0,
			&e), e);
	CHECK(gc(&k) < 0 && e.code == ERR_BAD && strstr(e.text, "refs/odd"));
	CHECK(is_there("ac", &lost) && is_there("cas", &value.id));
	/* Keys that are not ours stay. */
	CHECK(unlink(in_dir("far/refs/odd")) == 0);
	MUST(file_write(AT_FDCWD, in_dir("far/cas/readme"), bytes_str("x"), 0644, 0, &e), e);
	MUST(file_write(AT_FDCWD, in_dir("far/other"), bytes_str("x"), 0644, 0, &e), e);
	age(10);
	MUST(gc(&k), e);
	CHECK(access(in_dir("far/cas/readme"), F_OK) == 0 && access(in_dir("far/other"), F_OK) == 0);
	CHECK(!is_there("ac", &lost) && !is_there("cas", &value.id));
	finish();
}

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void refs(void)
{
	static const char *const bad[] = {
		"", "gg-ref 2\ndate 1\n", "gg-ref 1\n", "gg-ref 1\ndate \n", "gg-ref 1\ndate 1",
		"gg-ref 1\ndate 1\nthunk " A, "gg-ref 1\ndate 1\nthunk " B "\nthunk " A "\n",
		"gg-ref 1\ndate 1\nthunk " A "\nthunk " A "\n", "gg-ref 1\ndate 1\nthunk x\n",
		"gg-ref 1\ndate 1\n\n", "gg-ref 1\ndate 1234567890123456789\n",
	};
	struct id v[3] = { id_of(bytes_str("1")), id_of(bytes_str("2")), id_of(bytes_str("1")) };
	struct id *got;
	int64_t date_s;
	char name[REF_NAME_ROOM], other[REF_NAME_ROOM];
	size_t n;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(remote_ref_read(bytes_str(bad[i]), &arena, &got, &n, &date_s, &e) < 0 &&
		      e.code == ERR_BAD);
	MUST(remote_ref_read(bytes_str("gg-ref 1\ndate 5\nthunk " A "\nthunk " B "\n"), &arena,
			     &got, &n, &date_s, &e), e);
	CHECK(n == 2 && date_s == 5);
	begin();
	remote_ref_name("/home/Ann B/my-Project", name);
	remote_ref_name("/home/ann/my-Project", other);
	CHECK(strcmp(name, other) != 0 && strncmp(name, "my-roject-", 10) == 0);
	CHECK(remote_key_is_good(arena_printf(&arena, "refs/%s", name)));
	remote_ref_name("/", name);
	CHECK(remote_key_is_good(arena_printf(&arena, "refs/%s", name)));
	MUST(remote_ref_get(loop, &remote_dir, g.remotes[0].remote, name, &arena, &got, &n, &e), e);
	CHECK(n == 0);
	MUST(remote_ref_write(loop, &remote_dir, g.remotes[0].remote, name, v, 3, &e), e);
	MUST(remote_ref_get(loop, &remote_dir, g.remotes[0].remote, name, &arena, &got, &n, &e), e);
	CHECK(n == 2);
	finish();
}

static const struct test tests[] = {
	{ "what refs reach stays, through trees; the rest goes, results first", reachable },
	{ "young results keep old objects, and old objects are made young again", young },
	{ "nothing is removed when a ref cannot be read, and nothing that is not ours", careful },
	{ "refs have one spelling and a name for each project", refs },
	{ 0 }
};

int main(void)
{
	return rig_main(tests);
}
