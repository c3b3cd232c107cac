/* t_texts.c - every kind of text against its golden files, and what is true
 * of all kinds alike */
#include <fcntl.h>
#include "recode.h"
#include "test.h"

#define GOLDEN "test/golden/"

static struct bytes read_golden(const char *name, struct arena *a)
{
	char path[300];
	struct bytes b;
	struct err e;

	snprintf(path, sizeof(path), GOLDEN "%s", name);
	MUST(file_read(AT_FDCWD, path, 1 << 20, a, &b, &e), e);
	return b;
}

/* Call fn for each golden file that SHA256SUMS names; the count. */
static int each_golden(void (*fn)(const char *name, struct id id, struct bytes b))
{
	struct arena a = { 0 };
	struct bytes sums = read_golden("SHA256SUMS", &a);
	int n = 0;

	for (char *line = strtok((char *)sums.p, "\n"); line; line = strtok(NULL, "\n")) {
		struct id id;

		CHECK(id_parse((struct bytes){ line, ID_HEX }, &id));
		fn(line + ID_HEX + 2, id, read_golden(line + ID_HEX + 2, &a));
		n++;
	}
	arena_release(&a);
	return n;
}

static void check_golden(const char *name, struct id id, struct bytes b)
{
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct err e = { 0 };
	struct id now = id_of(b);
	bool is_same;

	CHECK(id_equal(&id, &now));
	is_same = recoder_for(name)->recode(b, &a, &out, &e) == 0 &&
		bytes_equal(b, buf_bytes(&out));
	if (!is_same)
		printf("# %s: %s\n", name, e.text);
	CHECK(is_same);
	buf_release(&out);
	arena_release(&a);
}

static void golden(void)
{
	CHECK(each_golden(check_golden) >= 16);
}

/* Is b refused with ERR_BAD and a line? */
static bool refused(const struct recoder *r, struct bytes b)
{
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct err e = { 0 };
	bool is_bad = r->recode(b, &a, &out, &e) < 0 && e.code == ERR_BAD &&
		strncmp(e.text, "line ", 5) == 0;

	buf_release(&out);
	arena_release(&a);
	return is_bad;
}

/* Lists end at any line, and the empty line of a tail may begin one more. */
static bool may_end_at(const char *name, struct bytes b, size_t n)
{
	if (strstr(name, ".tree") || strstr(name, ".result") ||
	    strstr(name, ".host") || strstr(name, ".tail"))
		return n > 0 && b.p[n - 1] == '\n';
	return false;
}

static void check_cuts(const char *name, struct id id, struct bytes b)
{
	(void)id;
	for (size_t n = 0; n < b.n; n++)
		if (!may_end_at(name, b, n) &&
		    !refused(recoder_for(name), (struct bytes){ b.p, n })) {
			printf("# %s cut at %zu is taken\n", name, n);
			CHECK(false);
		}
}

static void cuts(void)
{
	each_golden(check_cuts);
}

/* Put what at place at of b, instead of n_gone bytes. */
static struct bytes spliced(struct arena *a, struct bytes b, size_t at,
			    size_t n_gone, struct bytes what)
{
	struct buf s = { 0 };
	struct bytes r;

	buf_add(&s, b.p, at);
	buf_add(&s, what.p, what.n);
	buf_add(&s, b.p + at + n_gone, b.n - at - n_gone);
	r = arena_bytes(a, buf_bytes(&s));
	buf_release(&s);
	return r;
}

/* Bytes that may stand nowhere, put before every byte and at the end. */
static void check_foreign(const char *name, struct id id, struct bytes b)
{
	static const struct bytes foreign[] = {
		{ "\0", 1 }, { "\t", 1 }, { "\r", 1 }, { "\x7f", 1 }, { "\\", 1 },
		{ "\\x41", 4 }, { "\\x00", 4 }, { "\\x0A", 4 }, { "\\n", 2 },
		{ "\n\n\n", 3 },
	};
	struct arena a = { 0 };

	(void)id;
	for (size_t at = 0; at <= b.n; at++) {
		for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++) {
			if (!refused(recoder_for(name),
				     spliced(&a, b, at, 0, foreign[i]))) {
				printf("# %s: foreign %zu at %zu is taken\n", name, i, at);
				CHECK(false);
			}
		}
		arena_reset(&a);
	}
	arena_release(&a);
}

static void foreign_bytes(void)
{
	each_golden(check_foreign);
}

/* Every single change of a byte is refused or kept exactly: never read as
 * something that would be written otherwise. */
static void check_changes(const char *name, struct id id, struct bytes b)
{
	static const char to[] = " \n\\/.=aA0f9x\xff";
	const struct recoder *r = recoder_for(name);
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct err e;

	(void)id;
	for (size_t at = 0; at < b.n; at++) {
		for (size_t i = 0; i < sizeof(to); i++) {
			struct bytes c = spliced(&a, b, at, 1,
						 (struct bytes){ to + i, 1 });

			buf_reset(&out);
			if (r->recode(c, &a, &out, &e) == 0)
				CHECK(bytes_equal(c, buf_bytes(&out)));
		}
		arena_reset(&a);
	}
	buf_release(&out);
	arena_release(&a);
}

static void changes(void)
{
	each_golden(check_changes);
}

/* The first line of each kind, changed. */
static void headers(void)
{
	static const char *const bad[] = {
		"gg-%s 2\n%s", "gg-%s 01\n%s", "gg-%s 10\n%s", "gg-%s 1 \n%s",
		"gg-%s  1\n%s", "gg-%s\n%s", "GG-%s 1\n%s", " gg-%s 1\n%s",
		"gg-%s 1\r\n%s", "gg-%s 1.0\n%s", "\xef\xbb\xbfgg-%s 1\n%s",
	};
	static const char *const files[] = {
		"least.thunk", "empty.tree", "empty.result", "model.placeholder",
		"bare.tail", "own.host",
	};
	struct arena a = { 0 };

	for (size_t f = 0; f < sizeof(files) / sizeof(*files); f++) {
		const struct recoder *r = recoder_for(files[f]);
		struct bytes b = read_golden(files[f], &a);
		const char *rest = memchr(b.p, '\n', b.n);

		rest = arena_strn(&a, rest + 1, (size_t)(b.p + b.n - rest - 1));
		CHECK(!refused(r, b));
		CHECK(refused(r, (struct bytes){ "", 0 }));
		CHECK(refused(r, (struct bytes){ NULL, 0 }));
		for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
			char text[1000];

			snprintf(text, sizeof(text), bad[i], r->ext, rest);
			CHECK(refused(r, bytes_str(text)));
		}
		for (size_t other = 0; other < N_RECODERS; other++)
			CHECK(&recoders[other] == r || refused(&recoders[other], b));
	}
	arena_release(&a);
}

static void newer_version(void)
{
	struct arena a = { 0 };
	struct tree t;
	struct err e;

	CHECK(tree_decode(bytes_str("gg-tree 2\n"), &a, &t, &e) < 0);
	CHECK_STR(e.text, "line 1: \"gg-tree 2\" is not version 1, which this gg reads");
	arena_release(&a);
}

static const struct test tests[] = {
	{ "golden files keep their names and are written as they were read", golden },
	{ "a text cut at any byte is refused", cuts },
	{ "bytes that may stand nowhere are refused at every place", foreign_bytes },
	{ "any one byte changed is refused or kept exactly", changes },
	{ "no other first line is taken, nor another kind's text", headers },
	{ "a newer version is named as such", newer_version },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
