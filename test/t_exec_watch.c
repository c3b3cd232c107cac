/* Watched steps: what exec tells of their ends, and what follows */
#include "exec_rig.h"

static struct id watched(struct id id)
{
	struct hints h = { .is_watched = true };

	MUST(hints_put(store, &id, &h, &e), e);
	return id;
}

static void asks_more(void)
{
	struct id asks, plain, above, others[20];
	struct end ends[20], first, last;
	int well = 0;

	begin("cpus=1");
	asks = watched(step0("asks=data/x"));
	above = step1("above", asks);
	want(above, "above", &first);
	for (int i = 0; i < 20; i++) {
		char words[20];

		snprintf(words, sizeof words, "other %d", i);
		others[i] = step0(words);
		want(others[i], words, &ends[i]);
	}
	finish();
	for (int i = 0; i < 20; i++)
		well += ends[i].times == 1 && !ends[i].e.code;
	CHECK(well == 20);
	CHECK(first.times == 1 && first.e.code == ERR_FAILED);
	CHECK_STR(asked.p, "data/x;");
	CHECK(n_watched == 1 && n_own_failures == 1 && counts().unrun == 1);

	/* What it gave is not kept, and what is wanted in its place runs. */
	CHECK(store_get_result(store, &asks, &(struct arena){ 0 }, &(struct result){ 0 }, &e) < 0);
	plain = watched(step0("in its place"));
	want(step1("above", plain), "above", &last);
	finish();
	CHECK(last.times == 1 && !last.e.code);
	end();
}

/* A missing output says that the model is wrong; an exit status does not. */
static void which_ends(void)
{
	static const struct { const char *words; bool is_watched; const char *asked; } all[] = {
		{ "nothing", true, ";" }, { "nothing", false, "" },
		{ "exit=3", true, "" }, { "asks=x", false, "" }, { "signal=9", true, "" },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct id id;

		begin("");
		id = step0(all[i].words);
		buf_str(&asked, "");
		CHECK(force(all[i].is_watched ? watched(id) : id, NULL) == ERR_FAILED);
		CHECK_STR(asked.p ? asked.p : "", all[i].asked);
		CHECK(n_failed == 1);
		end();
	}
}

/* Every other failure still halts what was wanted with it. */
static void others_halt(void)
{
	struct end ends[20], first;
	int made = 0;

	begin("cpus=1");
	want(watched(step0("exit=1")), "first", &first);
	for (int i = 0; i < 20; i++) {
		char words[20];

		snprintf(words, sizeof words, "other %d", i);
		want(step0(words), words, &ends[i]);
	}
	finish();
	for (int i = 0; i < 20; i++)
		made += !ends[i].e.code;
	CHECK(first.e.code == ERR_FAILED && made < 20);
	end();
}

static void ends_well(void)
{
	begin("");
	CHECK(force(watched(step0("well")), "x") == ERR_NONE);
	CHECK(n_watched == 1 && n_done == 1);
	end();
}

static const struct test tests[] = {
	{ "one that asks for more says what, and halts nothing else", asks_more },
	{ "only a watched one asks, and not by its exit status", which_ends },
	{ "other failures of watched ones halt as ever", others_halt },
	{ "an end that is well says that it was watched", ends_well },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
