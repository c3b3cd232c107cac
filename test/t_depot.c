/* The depot keeps the promises of depot.h over folders as remotes, whatever is
 * done to what rests there. */
#include "depot_rig.h"

static const char *const one[] = { "near", NULL };
static const char *const two[] = { "near", "far", NULL };

static struct bytes noise(size_t n, unsigned seed)
{
	char *p = arena_alloc(&arena, n + 1);

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (char)(seed >> 24);
	}
	return (struct bytes){ p, n };
}

static struct bytes dull(size_t n)
{
	return (struct bytes){ memset(arena_alloc(&arena, n + 1), 'x', n), n };
}

static struct ref put(struct rig *g, struct bytes b)
{
	struct ref r = { .kind = REF_VALUE };

	MUST(store_put(g->store, b, &r.id, &e), e);
	return r;
}

static const char *blob_path(const char *remote, const char *folder, const struct id *id)
{
	return arena_printf(&arena, "%s/%s/%s/%s", rig_dir, remote, folder, id_hex(id).s);
}

static off_t blob_size(const char *remote, const char *folder, const struct id *id)
{
	struct stat st;

	return stat(blob_path(remote, folder, id), &st) < 0 ? -1 : st.st_size;
}

static bool holds(struct rig *g, const struct ref *r, struct bytes b)
{
	struct bytes got;

	return store_get(g->store, &r->id, &arena, &got, &e) == 0 && bytes_equal(got, b);
}

static void fresh(const char *name)
{
	MUST(dir_remove(AT_FDCWD, in_dir(name), &e), e);
}

/* Values of awkward sizes, each noise and dull. */
static void values(void)
{
	static const size_t sizes[] = { 0, 1, 255, 256, 65536, 65537, 1 << 20, (1 << 20) + 1,
					5 << 20 };
	enum { N = sizeof sizes / sizeof *sizes };
	struct bytes v[2 * N];
	struct ref refs[2 * N];
	struct waited w;
	struct rig g;

	rig_open(&g, "a", one, keys);
	for (size_t i = 0; i < N; i++) {
		refs[2 * i] = put(&g, v[2 * i] = noise(sizes[i], (unsigned)i));
		refs[2 * i + 1] = put(&g, v[2 * i + 1] = dull(sizes[i]));
	}
	w = rig_push(&g, refs, 2 * N);
	CHECK(w.code == ERR_NONE);
	CHECK(blob_size("near", "cas", &refs[2 * N - 2].id) == 5 << 20);
	CHECK(blob_size("near", "cas", &refs[2 * N - 1].id) < 10000);
	rig_close(&g);
	rig_open(&g, "b", one, keys);
	w = rig_fetch(&g, refs, 2 * N);
	CHECK(w.code == ERR_NONE);
	for (size_t i = 0; i < 2 * N; i++)
		CHECK(holds(&g, &refs[i], v[i]) && store_check(g.store, &refs[i].id, &e) == 0);
	/* What is here costs nothing. */
	fresh("near");
	w = rig_fetch(&g, refs, 2 * N);
	CHECK(w.code == ERR_NONE && n_notices == 0);
	rig_close(&g);
	fresh("b");
}

/* ---- trees */

static struct ref put_tree(struct rig *g, struct entry *v, size_t n)
{
	struct tree t = { v, n };
	struct ref r = { .kind = REF_TREE };
	struct buf b = { 0 };

	tree_sort(&t);
	MUST(tree_encode(&t, &b, &e), e);
	MUST(store_put(g->store, buf_bytes(&b), &r.id, &e), e);
	buf_release(&b);
	return r;
}

/* Forty levels, each naming the one below twice: 2^40 ways down. */
static struct ref put_tower(struct rig *g, struct ref *leaf)
{
	struct ref r;

	*leaf = put(g, noise(100000, 77));
	r = put_tree(g, (struct entry[]){ { .name = "leaf", .kind = ENTRY_FILE, .id = leaf->id },
					  { .name = "up", .kind = ENTRY_LINK, .target = "leaf" } },
		     2);
	for (int i = 0; i < 40; i++)
		r = put_tree(g, (struct entry[]){
			{ .name = "a", .kind = ENTRY_TREE, .id = r.id },
			{ .name = "b", .kind = ENTRY_TREE, .id = r.id } }, 2);
	return r;
}

static void trees(void)
{
	struct ref root, leaf;
	struct depot_counts n;
	struct waited w;
	struct rig g;

	rig_open(&g, "a", one, keys);
	root = put_tower(&g, &leaf);
	CHECK(rig_push(&g, &root, 1).code == ERR_NONE);
	depot_counts(g.depot, &n);
	CHECK(n.n_pushed == 42);
	rig_close(&g);
	rig_open(&g, "b", one, keys);
	CHECK(rig_fetch(&g, &root, 1).code == ERR_NONE);
	depot_counts(g.depot, &n);
	CHECK(n.n_fetched == 42 && store_has(g.store, &leaf.id));
	/* What is missing deep inside is named. */
	MUST(store_drop(g.store, &leaf.id, &e), e);
	CHECK(unlink(blob_path("near", "cas", &leaf.id)) == 0);
	w = rig_fetch(&g, &root, 1);
	CHECK(w.code == ERR_MISSING && id_equal(&w.missing, &leaf.id));
	rig_close(&g);
	fresh("a");
	fresh("b");
	fresh("near");
}

/* ---- what lies */

/* Change one bit of a blob in the middle. */
static void flip(const char *remote, const char *folder, const struct id *id)
{
	const char *path = blob_path(remote, folder, id);
	int fd = open(path, O_RDWR);
	struct stat st;
	char c = 0;

	CHECK(fd >= 0 && fstat(fd, &st) == 0 && pread(fd, &c, 1, st.st_size / 2) == 1);
	c ^= 4;
	CHECK(pwrite(fd, &c, 1, st.st_size / 2) == 1);
	close(fd);
}

static void put_both(struct rig *g, const struct ref *r, size_t n)
{
	struct id name = id_of(bytes_str("both"));
	struct result_out v[8];

	for (size_t i = 0; i < n; i++)
		v[i] = (struct result_out){ arena_printf(&arena, "%zu", i), r[i] };
	depot_publish(g->depot, &name, 1, &(struct result){ v, n }, NULL);
	CHECK(rig_drain(g).code == ERR_NONE);
}

static void flipped_bits(void)
{
	static const size_t sizes[] = { 10, 5000, 70000, 3 << 20 };
	enum { N = sizeof sizes / sizeof *sizes };
	struct ref refs[2 * N];
	struct bytes v[2 * N];
	struct depot_counts n;
	struct waited w;
	struct rig g;

	rig_open(&g, "a", two, keys);
	for (size_t i = 0; i < N; i++) {
		refs[2 * i] = put(&g, v[2 * i] = noise(sizes[i], 100 + (unsigned)i));
		refs[2 * i + 1] = put(&g, v[2 * i + 1] = dull(sizes[i] + 1));
	}
	put_both(&g, refs, 2 * N);
	rig_close(&g);
	for (size_t i = 0; i < 2 * N; i++)
		flip("near", "cas", &refs[i].id);
	rig_open(&g, "b", two, keys);
	w = rig_fetch(&g, refs, 2 * N);
	CHECK(w.code == ERR_NONE);
	for (size_t i = 0; i < 2 * N; i++)
		CHECK(holds(&g, &refs[i], v[i]));
	depot_counts(g.depot, &n);
	CHECK(n.n_bad == 2 * N && n_notices == 1 && strstr(told(), "damaged"));
	/* The nearer place was mended. */
	CHECK(rig_drain(&g).code == ERR_NONE);
	rig_close(&g);
	fresh("far");
	rig_open(&g, "c", two, keys);
	CHECK(rig_fetch(&g, refs, 2 * N).code == ERR_NONE && n_notices == 0);
	for (size_t i = 0; i < 2 * N; i++)
		CHECK(holds(&g, &refs[i], v[i]));
	rig_close(&g);
	/* With no good one anywhere it is missing, and never in the store. */
	for (size_t i = 0; i < 2 * N; i++)
		flip("near", "cas", &refs[i].id);
	rig_open(&g, "d", two, keys);
	for (size_t i = 0; i < 2 * N; i++) {
		w = rig_fetch(&g, &refs[i], 1);
		CHECK(w.code == ERR_MISSING && id_equal(&w.missing, &refs[i].id));
		CHECK(!store_has(g.store, &refs[i].id));
	}
	/* Made again, it takes the place of the bad one. */
	for (size_t i = 0; i < 2 * N; i++)
		put(&g, v[i]);
	put_both(&g, refs, 2 * N);
	rig_close(&g);
	fresh("far");
	rig_open(&g, "e", two, keys);
	CHECK(rig_fetch(&g, refs, 2 * N).code == ERR_NONE);
	rig_close(&g);
	for (const char *p = "abcde"; *p; p++)
		fresh(arena_strn(&arena, p, 1));
	fresh("near");
	fresh("far");
}

/* A blob cut short, grown, emptied, of another object, plain and packed, a frame in
 * a frame, a frame that does not end. */
static void odd_blobs_of(size_t n_bytes)
{
	struct bytes v = dull(n_bytes), other = dull(n_bytes + n_bytes / 2);
	struct buf frame = { 0 }, twice = { 0 }, others = { 0 };
	struct ref r, o;
	struct rig g;

	CHECK(codec_pack(v, &frame));
	CHECK(codec_pack(other, &others));
	buf_add(&twice, frame.p, frame.n);
	buf_add(&twice, frame.p, frame.n);
	rig_open(&g, "a", one, keys);
	r = put(&g, v);
	o = put(&g, other);
	CHECK(rig_push(&g, (struct ref[]){ r, o }, 2).code == ERR_NONE);
	rig_close(&g);
	rig_open(&g, "b", one, keys);
	for (int i = 0; i < 7; i++) {
		const struct bytes bad[] = {
			{ frame.p, frame.n - 1 }, { frame.p, 4 }, { "", 0 }, { other.p, other.n },
			buf_bytes(&others), buf_bytes(&twice), { v.p, v.n - 1 },
		};

		MUST(file_write(AT_FDCWD, blob_path("near", "cas", &r.id), bad[i], 0644, 0, &e), e);
		CHECK(rig_fetch(&g, &r, 1).code == ERR_MISSING && !store_has(g.store, &r.id));
	}
	/* Plain, or packed by somebody else. */
	MUST(file_write(AT_FDCWD, blob_path("near", "cas", &r.id), v, 0644, 0, &e), e);
	CHECK(rig_fetch(&g, &r, 1).code == ERR_NONE && holds(&g, &r, v));
	rig_close(&g);
	buf_release(&frame);
	buf_release(&twice);
	buf_release(&others);
	fresh("a");
	fresh("b");
	fresh("near");
}

static void odd_blobs(void)
{
	odd_blobs_of(200000);
	odd_blobs_of(3000);     /* these are not checked on their way to a file */
}

/* ---- results */

static struct result one_output(const struct ref *r)
{
	struct result_out *v = arena_alloc(&arena, sizeof *v);

	*v = (struct result_out){ "out", *r };
	return (struct result){ v, 1 };
}

static void results(void)
{
	struct id names[2] = { id_of(bytes_str("as written")), id_of(bytes_str("reduced")) };
	struct id unknown = id_of(bytes_str("unknown"));
	struct result r;
	struct ref ref;
	struct waited w;
	struct rig g;

	rig_open(&g, "a", two, keys);
	ref = put(&g, noise(70000, 1));
	r = one_output(&ref);
	depot_publish(g.depot, names, 2, &r, NULL);
	CHECK(rig_drain(&g).code == ERR_NONE && n_notices == 0);
	rig_close(&g);
	rig_open(&g, "b", two, keys);
	for (int i = 0; i < 2; i++) {
		struct result got;

		w = rig_ask(&g, &names[i]);
		CHECK(w.code == ERR_NONE && w.has_result);
		MUST(result_decode(buf_bytes(&w.result), &arena, &got, &e), e);
		CHECK(got.n == 1 && id_equal(&got.v[0].ref.id, &ref.id));
		CHECK(!store_has(g.store, &ref.id));
		buf_release(&w.result);
	}
	w = rig_ask(&g, &unknown);
	CHECK(w.code == ERR_NONE && !w.has_result && n_notices == 0);
	/* One whose objects are gone is no trap. */
	fresh("near/cas");
	fresh("far/cas");
	w = rig_ask(&g, &names[0]);
	CHECK(w.has_result);
	buf_release(&w.result);
	w = rig_fetch(&g, &ref, 1);
	CHECK(w.code == ERR_MISSING && id_equal(&w.missing, &ref.id));
	/* A nearer place that lacks it gets it. */
	fresh("near/ac");
	w = rig_ask(&g, &names[0]);
	CHECK(w.has_result && rig_drain(&g).code == ERR_NONE);
	CHECK(blob_size("near", "ac", &names[0]) > 0 && blob_size("near", "ac", &names[1]) < 0);
	buf_release(&w.result);
	rig_close(&g);
	fresh("a");
	fresh("b");
	fresh("near");
	fresh("far");
}

static bool is_believed(const struct keyring *k, const struct id *name, unsigned n_told,
			const char *what)
{
	struct waited w;
	struct rig g;
	bool is_fine;

	rig_open(&g, "b", one, k);
	w = rig_ask(&g, name);
	is_fine = w.has_result;
	CHECK(w.code == ERR_NONE && n_notices == n_told && strstr(told(), what));
	buf_release(&w.result);
	/* Told once. */
	w = rig_ask(&g, name);
	buf_release(&w.result);
	CHECK(n_notices == n_told);
	rig_close(&g);
	return is_fine;
}

static void believing(void)
{
	struct id name = id_of(bytes_str("thunk"));
	struct keyring *strangers, *trusting;
	struct public_key own;
	struct result r;
	struct ref ref;
	struct rig g;
	struct bytes text;

	MUST(key_make(in_dir("stranger"), &own, &e), e);
	MUST(keyring_open(in_dir("stranger"), (struct bytes){ 0 }, &strangers, &e), e);
	text = bytes_str(arena_printf(&arena, "# friends\n%s ann of the lab\n\n",
				      public_key_hex(keyring_own(keys)).s));
	MUST(keyring_open(in_dir("stranger"), text, &trusting, &e), e);
	rig_open(&g, "a", one, keys);
	ref = put(&g, noise(10, 1));
	r = one_output(&ref);
	depot_publish(g.depot, &name, 1, &r, NULL);
	CHECK(rig_drain(&g).code == ERR_NONE);
	rig_close(&g);
	CHECK(is_believed(keys, &name, 0, ""));
	CHECK(is_believed(trusting, &name, 0, ""));
	CHECK(!is_believed(strangers, &name, 1, "is not trusted"));
	CHECK(!is_believed(NULL, &name, 0, ""));
	keyring_free(strangers);
	keyring_free(trusting);
	fresh("a");
	fresh("near");
}

static void forged(void)
{
	struct id name = id_of(bytes_str("thunk")), other = id_of(bytes_str("other"));
	struct result r;
	struct ref ref;
	struct rig g;
	struct bytes text, bare;
	struct waited w;

	rig_open(&g, "a", one, keys);
	ref = put(&g, noise(10, 1));
	r = one_output(&ref);
	depot_publish(g.depot, &name, 1, &r, NULL);
	CHECK(rig_drain(&g).code == ERR_NONE);
	rig_close(&g);
	/* Passed off as the result of another thunk. */
	MUST(file_read(AT_FDCWD, blob_path("near", "ac", &name), 1 << 20, &arena, &text, &e), e);
	MUST(file_write(AT_FDCWD, blob_path("near", "ac", &other), text, 0644, 0, &e), e);
	CHECK(!is_believed(keys, &other, 1, "signature"));
	/* Every byte counts: in the key, the signature, the result. */
	for (size_t i = 0; i < text.n; i += 7) {
		char *bad = arena_strn(&arena, text.p, text.n);

		bad[i] ^= 1;
		MUST(file_write(AT_FDCWD, blob_path("near", "ac", &name),
				(struct bytes){ bad, text.n }, 0644, 0, &e), e);
		CHECK(!is_believed(keys, &name, 1, "not used"));
	}
	/* Without a signature, and without anything. */
	bare = (struct bytes){ memmem(text.p, text.n, "gg-result", 9), 0 };
	bare.n = (size_t)(text.p + text.n - bare.p);
	MUST(file_write(AT_FDCWD, blob_path("near", "ac", &name), bare, 0644, 0, &e), e);
	CHECK(!is_believed(keys, &name, 1, "no signed result"));
	rig_open(&g, "b", one, NULL);
	depot_free(g.depot);
	g.remotes[0].trusts_results = true;
	rig_depot(&g, NULL);
	w = rig_ask(&g, &name);
	CHECK(w.has_result);
	buf_release(&w.result);
	rig_close(&g);
	MUST(file_write(AT_FDCWD, blob_path("near", "ac", &name), (struct bytes){ "", 0 }, 0644, 0,
			&e), e);
	CHECK(!is_believed(keys, &name, 1, "no signed result"));
	/* Who cannot be believed is replaced. */
	rig_open(&g, "a", one, keys);
	depot_publish(g.depot, &name, 1, &r, NULL);
	CHECK(rig_drain(&g).code == ERR_NONE);
	rig_close(&g);
	CHECK(is_believed(keys, &name, 0, ""));
	fresh("a");
	fresh("b");
	fresh("near");
}

/* A result is where its objects are, or nowhere. */
static void no_result_without_objects(void)
{
	struct id name = id_of(bytes_str("thunk"));
	struct ref ref = { .kind = REF_VALUE, .id = id_of(bytes_str("never kept")) };
	struct result r = one_output(&ref);
	struct rig g;

	rig_open(&g, "a", one, keys);
	depot_publish(g.depot, &name, 1, &r, NULL);
	CHECK(rig_drain(&g).code == ERR_MISSING);
	CHECK(blob_size("near", "ac", &name) < 0);
	/* Unless somebody put it there who says so. */
	CHECK(!depot_knows(g.depot, &ref.id));
	depot_note(g.depot, &ref.id);
	CHECK(depot_knows(g.depot, &ref.id));
	depot_publish(g.depot, &name, 1, &r, NULL);
	CHECK(rig_drain(&g).code == ERR_NONE);
	CHECK(blob_size("near", "ac", &name) > 0);
	rig_close(&g);
	fresh("a");
	fresh("near");
}

static const struct test tests[] = {
	{ "values of awkward sizes come back as they went, compressed when that pays", values },
	{ "trees bring all below them once, and what is missing is named", trees },
	{ "a flipped bit is a miss, told once, fetched elsewhere and mended", flipped_bits },
	{ "blobs that are cut, grown or another's never reach the store", odd_blobs },
	{ "results are known under both names, and where they were lacking", results },
	{ "results count only when a trusted key has signed them", believing },
	{ "and has signed this very text, for this thunk", forged },
	{ "a result is published where its objects rest, or not at all", no_result_without_objects },
	{ 0 }
};

int main(void)
{
	return rig_main(tests);
}
