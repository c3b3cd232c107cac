/* t_base.c - errors, bytes, arenas, buffers, lists, maps */
#include <errno.h>
#include "base.h"
#include "test.h"

static void errors(void)
{
	struct err e = { 0 };
	char text[2000];

	CHECK(err_set(&e, ERR_MISSING, "no %s", "model") == -1);
	CHECK(e.code == ERR_MISSING);
	CHECK_STR(e.text, "no model");
	CHECK(err_wrap(&e, "thunk %d", 7) == -1);
	CHECK(e.code == ERR_MISSING);
	CHECK_STR(e.text, "thunk 7: no model");
	errno = ENOENT;
	CHECK(err_sys(&e, "%s", "x") == -1 && e.code == ERR_IO);
	CHECK_STR(e.text, "x: No such file or directory");
	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = 0;
	err_set(&e, ERR_BAD, "%s", text);
	CHECK(strlen(e.text) == sizeof(e.text) - 1);
	err_wrap(&e, "%s", text);
	err_sys(&e, "%s", text);
	CHECK(strlen(e.text) == sizeof(e.text) - 1);
}

static void bytes(void)
{
	struct bytes none = { 0 };

	CHECK(bytes_equal(none, bytes_str("")));
	CHECK(!bytes_equal(bytes_str("a"), bytes_str("ab")));
	CHECK(bytes_compare(bytes_str("a"), bytes_str("ab")) < 0);
	CHECK(bytes_compare(bytes_str("b"), bytes_str("ab")) > 0);
	CHECK(bytes_compare(bytes_str("\xff"), bytes_str("a")) > 0);
	CHECK(bytes_compare(none, bytes_str("")) == 0);
	CHECK(bytes_compare(none, bytes_str("a")) < 0);
	CHECK(bytes_start(bytes_str("abc"), "ab") && bytes_start(none, ""));
	CHECK(!bytes_start(bytes_str("a"), "ab"));
}

/* Lend n pieces of the size that size_of says, each filled with its number. */
static void fill(struct arena *a, size_t n, size_t (*size_of)(size_t i))
{
	unsigned char **v = calloc(n, sizeof(*v));
	bool is_clean = true, is_aligned = true, is_kept = true;

	for (size_t i = 0; i < n; i++) {
		v[i] = arena_alloc(a, size_of(i));
		is_aligned &= (uintptr_t)v[i] % _Alignof(max_align_t) == 0;
		for (size_t k = 0; k < size_of(i); k++)
			is_clean &= v[i][k] == 0;
		memset(v[i], (int)(i % 251 + 1), size_of(i));
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < size_of(i); k++)
			is_kept &= v[i][k] == i % 251 + 1;
	CHECK(is_clean && is_aligned && is_kept);
	free(v);
}

static size_t small_sizes(size_t i)
{
	return i % 70;
}

static size_t mixed_sizes(size_t i)
{
	return i % 100 == 99 ? 3 << 20 : i % 10 == 9 ? 5000 : i;
}

static void arenas(void)
{
	struct arena a = { 0 };

	fill(&a, 3000, small_sizes);
	arena_reset(&a);
	fill(&a, 300, mixed_sizes);
	arena_reset(&a);
	CHECK(a.total_bytes <= 2 << 20);
	fill(&a, 300, mixed_sizes);
	arena_release(&a);
	CHECK(!a.block && !a.total_bytes);
	arena_release(&a);
	arena_reset(&a);
}

static void arena_strings(void)
{
	struct arena a = { 0 };
	struct bytes b = arena_bytes(&a, (struct bytes){ "a\0b", 3 });
	const char *s = arena_strn(&a, NULL, 0);

	CHECK(b.n == 3 && memcmp(b.p, "a\0b", 4) == 0);
	CHECK_STR(s, "");
	CHECK_STR(arena_str(&a, "abc"), "abc");
	CHECK_STR(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	CHECK(strlen(arena_printf(&a, "%5000d", 1)) == 5000);
	arena_release(&a);
}

static void buffers(void)
{
	struct buf b = { 0 };

	CHECK(buf_bytes(&b).n == 0);
	buf_reset(&b);
	buf_add(&b, NULL, 0);
	CHECK_STR(b.p, "");
	buf_str(&b, "ab");
	buf_char(&b, 'c');
	buf_printf(&b, "%d", 12);
	CHECK_STR(b.p, "abc12");
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "%04d", i);
	CHECK(b.n == 40005 && b.p[b.n] == 0);
	CHECK_STR(b.p + 40001, "9999");
	buf_reset(&b);
	CHECK_STR(b.p, "");
	CHECK(b.n == 0);
	buf_release(&b);
	CHECK(!b.p && !b.room);
}

static void lists(void)
{
	static const char *const words[] = { "b", "a", "\xff", "ab", "" };
	struct strs l = { 0 };

	strs_sort(&l);
	for (int i = 0; i < 5; i++) {
		strs_add(&l, words[i]);
		CHECK(l.v[l.n] == NULL);
	}
	strs_sort(&l);
	CHECK_STR(l.v[0], "");
	CHECK_STR(l.v[1], "a");
	CHECK_STR(l.v[2], "ab");
	CHECK_STR(l.v[4], "\xff");
	for (int i = 0; i < 100; i++)
		strs_add(&l, "x");
	CHECK(l.n == 105 && !l.v[105]);
	strs_release(&l);
}

enum { N_KEYS = 20000 };

static void maps(void)
{
	static char keys[N_KEYS][12];
	struct map m = { 0 };
	struct bytes key;
	void *value;
	size_t pos = 0, seen = 0;
	bool is_right = true;

	CHECK(!map_get(&m, bytes_str("x")) && !map_each(&m, &pos, &key, &value));
	for (int i = 0; i < N_KEYS; i++) {
		sprintf(keys[i], "%d", i);
		*map_at(&m, bytes_str(keys[i])) = keys[i];
	}
	CHECK(m.n == N_KEYS);
	for (int i = 0; i < N_KEYS; i++)
		is_right &= map_get(&m, bytes_str(keys[i])) == keys[i] &&
			*map_at(&m, bytes_str(keys[i])) == keys[i];
	CHECK(is_right && m.n == N_KEYS);
	CHECK(!map_get(&m, bytes_str("-1")) && !map_get(&m, bytes_str("")));
	*map_at(&m, (struct bytes){ NULL, 0 }) = &m;
	CHECK(map_get(&m, bytes_str("")) == &m);
	*map_at(&m, (struct bytes){ "a\0b", 3 }) = &pos;
	CHECK(!map_get(&m, bytes_str("a")));
	CHECK(!map_get(&m, (struct bytes){ "a\0c", 3 }));
	for (pos = 0; map_each(&m, &pos, &key, &value); seen++)
		is_right &= key.n == 0 || key.p[0] == 'a' ||
			strcmp(key.p, value) == 0;
	CHECK(is_right && seen == N_KEYS + 2);
	map_release(&m);
	CHECK(!map_get(&m, bytes_str("1")));
	/* What is dropped is gone and hides nothing, in any order. */
	for (int i = 0; i < N_KEYS; i++)
		*map_at(&m, bytes_str(keys[i])) = keys[i];
	for (int i = 0; i < N_KEYS; i++) {
		map_drop(&m, bytes_str(keys[i * 7 % N_KEYS]));
		map_drop(&m, bytes_str(keys[i * 7 % N_KEYS]));
		CHECK(!map_get(&m, bytes_str(keys[i * 7 % N_KEYS])));
		if (i + 1 < N_KEYS)
			CHECK(map_get(&m, bytes_str(keys[(i + 1) * 7 % N_KEYS])) ==
			      keys[(i + 1) * 7 % N_KEYS]);
	}
	CHECK(m.n == 0);
	for (pos = 0; map_each(&m, &pos, &key, &value);)
		CHECK(false);
	map_release(&m);
	map_release(&m);
}

static const struct test tests[] = {
	{ "an error gains context, keeps its code and never overflows", errors },
	{ "bytes compare as memcmp does, the shorter first", bytes },
	{ "an arena lends aligned, cleared, separate pieces of any size", arenas },
	{ "strings from an arena end with a NUL", arena_strings },
	{ "a buffer grows and always ends with a NUL", buffers },
	{ "a list sorts by bytes and ends with NULL", lists },
	{ "a map finds what was put and nothing else", maps },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
