/* The depot keeps the promises of depot.h over folders as remotes, whatever is
 * done to what rests there. */
#include "depot_rig.h"

static const char *const one[] = { "near", NULL };
__attribute__((unused)) static const char *const two[] = { "near", "far", NULL };

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

static const struct test tests[] = {
	{ "values of awkward sizes come back as they went, compressed when that pays", values },
	{ 0 }
};

int main(void)
{
	int rc;

	rig_begin();
	rc = test_main(tests);
	rig_end();
	return rc;
}
