/* The cells keep what run.h and backend.h promise of steps that behave. */
#include "cell_rig.h"

static struct rig rig;

static void works(void)
{
	struct step s = { .script = "cat in/1 > out/1", .in = { { "in/1", "hello\n" } },
			  .out = { "out/1" } };
	struct got g;

	for (int i = 0; i < 3; i++) {
		rig_run(&rig, &s, &g);
		CHECK_GOT(&g, RUN_OK, "");
		CHECK_STR(rig_out(&rig, &g, "out/1"), "hello\n");
		CHECK(g.n_done == 1);
		CHECK(g.r.seconds > 0 && g.r.max_rss_bytes > 0);
		got_free(&g);
	}
}

static const struct test tests[] = {
	{ "a step that works gives its output's bytes", works },
	{ 0 }
};

int main(int argc, char **argv)
{
	int rc;

	if (argc > 1 && strcmp(argv[1], "cell") == 0)
		return cell_main(argc - 2, argv + 2);
	rig_open(&rig);
	rc = test_main(tests);
	rig_close(&rig);
	return rc;
}
