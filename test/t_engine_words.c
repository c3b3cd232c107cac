/* t_engine_words.c - what stands behind an engine's name */
#include "engine_words.h"
#include "test.h"

struct given {
	const char *image;
	struct strs functions;
	unsigned jobs;
	double gpus, time_s;
	uint64_t mem_bytes;
	bool keeps;
};

#define AT(member) offsetof(struct given, member)

static const struct engine_word words[] = {
	{ "image", WORD_TEXT, AT(image), "" },
	{ "function", WORD_LIST, AT(functions), "" },
	{ "jobs", WORD_COUNT, AT(jobs), "" },
	{ "gpus", WORD_NUMBER, AT(gpus), "" },
	{ "mem", WORD_BYTES, AT(mem_bytes), "" },
	{ "time", WORD_SECONDS, AT(time_s), "" },
	{ "keep", WORD_YES, AT(keeps), "" },
	{ 0 }
};

static void all_kinds(void)
{
	struct arena a = { 0 };
	struct given g = { 0 };
	struct err e;

	MUST(engine_words_read("x", "image=a,,b,function=f,jobs=12,gpus=0.5,mem=2G,"
			       "time=1h30m,keep,function=g", words, &a, &g, &e), e);
	CHECK_STR(g.image, "a,b");
	CHECK(g.functions.n == 2 && g.jobs == 12 && g.gpus == 0.5 && g.keeps);
	CHECK_STR(g.functions.v[1], "g");
	CHECK(g.mem_bytes == 2ull << 30 && g.time_s == 5400);
	strs_release(&g.functions);
	arena_release(&a);
}

static void nothing(void)
{
	struct arena a = { 0 };
	struct given g = { .jobs = 7 };
	struct err e;

	MUST(engine_words_read("x", "", words, &a, &g, &e), e);
	CHECK(g.jobs == 7);
	arena_release(&a);
}

static void mistakes(void)
{
	static const char *const wrong[][2] = {
		{ "job=1", "x does not know \"job\", only: image, function, jobs" },
		{ "jobs", "jobs wants a value" },
		{ "jobs=many", "jobs=many: say a whole number" },
		{ "jobs=-1", "say a whole number" },
		{ "mem=2", "say a size such as 512M" },
		{ "time=90", "say a time such as 90s" },
		{ "keep=yes", "keep is said alone" },
		{ "image=", "say a text" },
		{ "=1", "does not know \"\"" },
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct arena a = { 0 };
		struct given g = { 0 };
		struct err e;

		CHECK(engine_words_read("x", wrong[i][0], words, &a, &g, &e) < 0);
		CHECK(e.code == ERR_USAGE && strstr(e.text, wrong[i][1]));
		strs_release(&g.functions);
		arena_release(&a);
	}
}

static const struct test tests[] = {
	{ "every kind of word is read, a doubled comma is one", all_kinds },
	{ "no words leave what was there", nothing },
	{ "a wrong word is named with what would be right", mistakes },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
