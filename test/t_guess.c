/* t_guess.c - what a difference looks like */
#include "guess.h"
#include "base.h"
#include "test.h"

enum { NOW = 1790000000 };

static const char *guess(const char *x, size_t n, const char *y, size_t m)
{
	uint64_t at = 0;

	while (at < n && at < m && x[at] == y[at])
		at++;
	return guess_cause((struct bytes){ x, n }, (struct bytes){ y, m }, at, NOW);
}

/* The guess begins so, or is none when that is "". */
static void looks(const char *x, const char *y, const char *like)
{
	const char *got = guess(x, strlen(x), y, strlen(y));

	if (!got)
		got = "";
	if (*like ? strncmp(got, like, strlen(like)) != 0 : *got != 0)
		CHECK_STR(got, like);
}

static void times(void)
{
	looks("made 1790000012", "made 1790000044", "a time");
	looks("made 1790000012.25\n", "made 1790000013.5\n", "a time");
	looks("{\"t\": 1790000012123}", "{\"t\": 1790000013456}", "a time");
	looks("at 12:00:01", "at 12:00:02", "a time");
	looks("on 2026-09-21 x", "on 2026-09-22 x", "a time");
	looks("number 12", "number 13", "");
	looks("id 9999999999", "id 9999999998", "");
}

static void binary_time(void)
{
	struct { char magic[4]; uint32_t time; char rest[8]; } x = { "\x1f\x8b\x08", NOW, "same" },
		y = { "\x1f\x8b\x08", NOW + 61, "same" };
	const char *got = guess((char *)&x, sizeof x, (char *)&y, sizeof y);

	CHECK(got && strncmp(got, "a time", 6) == 0);
}

static void orders(void)
{
	looks("b\na\nc\n", "a\nb\nc\n", "the order of lines");
	looks("x {'a', 'b', 'q'} y", "x {'b', 'a', 'q'} y", "");
	looks("x a b c y\n", "x b a c y\n", "the order within a line");
	looks("b\na\nd\n", "a\nb\nc\n", "");
}

static void rounding(void)
{
	float f[2][4] = { { 1, 2, 0.1234567f, 4 }, { 1, 2, 0.1234568f, 4 } };
	const char *got = guess((char *)f[0], sizeof f[0], (char *)f[1], sizeof f[1]);

	looks("loss 0.12345678\n", "loss 0.12345679\n", "how sums are rounded");
	looks("loss 0.1\n", "loss 0.9\n", "");
	CHECK(got && strncmp(got, "how sums", 8) == 0);
}

static void places(void)
{
	looks("<object at 0x7f1234567890>", "<object at 0x7f1234561234>", "an address");
	looks("in /tmp/tmpa1b2/x", "in /tmp/tmpzz99/x", "a path");
}

static void edges(void)
{
	looks("", "x", "");
	looks("same", "same and more", "");
	looks("\n", "", "");
}

static const struct test tests[] = {
	{ "times are told: seconds, clocks, dates", times },
	{ "in binary files too", binary_time },
	{ "the same lines or words in another order", orders },
	{ "numbers that differ in their last digits", rounding },
	{ "addresses and temporary paths", places },
	{ "short files give no guess and no fault", edges },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
