/* t_shape.c - which commands are alike, which are parts of another, and which
 * must run for real
 */
#include "learn_rig.h"

struct row {
	const char *command, *expect;
};

static const char *shape(const char *command)
{
	struct sighting s = sighting_of((struct sight){ command, "" });
	const char *why, *name = learn_shape(&s.command, &arena, &why);

	return name ? name : arena_printf(&arena, "none: %s", why);
}

static void shapes(void)
{
	static const struct row rows[] = {
		{ "python3 train.py --seed 1", "python3 train.py" },
		{ "python3.11 -u -W ignore ./train.py", "python3 train.py" },
		{ "(exp) python ../src/train.py", "python3 src/train.py" },
		{ "python3 -m pkg.train -k 1", "python3 -m pkg.train" },
		{ "python3 -c print(1)", "python3 -c 'print(1)'" },
		{ "perl -ne print corpus.txt", "perl -e 'print'" },
		{ "./fit.sh 3", "./fit.sh" },
		{ "./bin/fit 3", "./bin/fit" },
		{ "bash steps.sh", "bash steps.sh" },
		{ "svm-train -s 0 a b", "svm-train" },
		{ "fasttext supervised -input f", "fasttext supervised" },
		{ "xgboost train.conf", "xgboost" },
		{ "Rscript --vanilla fit.R", "Rscript fit.R" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		CHECK_STR(shape(rows[i].command), rows[i].expect);
}

static void no_shapes(void)
{
	static const char *const commands[] = {
		"cp a b", "mkdir -p out", "make -j4", "gcc-12 -c a.c", "ssh host true",
		"nice svm-train a b", "git rev-parse HEAD", "sh -c true", "python3", "python3 -",
		"tar cf a.tar b", "python3 -m pip install x", "nvidia-smi",
		"uv run train.py", "python3 /usr/bin/pipenv run t.py", "python3 -m poetry run t.py",
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		CHECK(strncmp(shape(commands[i]), "none: ", 6) == 0);
	/* Long code is told apart by all of it. */
	CHECK(strcmp(shape("python3 -c aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1"),
		     shape("python3 -c aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2")));
}

static void parts(void)
{
	static const struct {
		const char *outer, *inner;
		bool is;
	} rows[] = {
		{ "python3 t.py", "python3 -c from^multiprocessing.spawn", true },
		{ "python3 t.py", "python3 -m joblib.externals.loky.backend.popen^loky^posix", true },
		{ "torchrun --nproc^per^node=2 ddp.py --lr 1", "python3 -u ddp.py --lr 1", true },
		{ "uv run train.py", "python3 train.py", true },
		{ "python3 t.py --lr 1", "python3 t.py --lr 1 --rank 1", true },
		{ "python3 t.py", "nvidia-smi -L", true },
		{ "python3 t.py", "git rev-parse HEAD", true },
		{ "python3 t.py", "ffmpeg -version", true },
		{ "Rscript fit.R table.csv", "sh /usr/bin/which uname", true },
		{ "Rscript fit.R table.csv", "R --no-echo --file=fit.R --args table.csv", true },
		{ "python3 sweep.py", "python3 train.py --seed 1", false },
		{ "python3 sweep.py", "svm-train data/a.scale m/a.model", false },
		{ "python3 sweep.py", "./bin/fit 3", false },
		{ "bash sweep.sh", "svm-train heart model", false },
		{ "bash sweep.sh", "python3 -c print", false },
		{ "bash sweep.sh", "cp a b", true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sighting o = sighting_of((struct sight){ rows[i].outer, "" });
		struct sighting s = sighting_of((struct sight){ rows[i].inner, "" });

		if (learn_is_part(&o.command, &s.command) != rows[i].is) {
			printf("# %s in %s\n", rows[i].inner, rows[i].outer);
			CHECK(!"as the table says");
		}
	}
}

static void refusals(void)
{
	static const struct {
		const char *command, *did, *why;
	} rows[] = {
		{ "python3 t.py", "r:t.py w:m", NULL },
		{ "python3 t.py", "w:m wo:/tmp/tmpabcdefgh wo:/var/tmp/f-x7Kq2b wo:/dev/shm/s.a1b2c3", NULL },
		{ "python3 t.py", "w:m mo:/tmp/run_x7k2qq91 w:/tmp/run_x7k2qq91/log", NULL },
		{ "TMPDIR=/scratch/me python3 t.py", "w:m wo:/scratch/me/tmpabcdefgh", NULL },
		{ "python3 t.py", "w:m w:/tmp/tmpabcdefgh",
		  "it writes /tmp/tmpabcdefgh, outside the project" },
		{ "python3 t.py", "w:m wo:/tmp/fold-seed42",
		  "it writes /tmp/fold-seed42, outside the project" },
		{ "python3 t.py", "w:m u:/tmp/results.csv",
		  "it writes /tmp/results.csv, outside the project" },
		{ "python3 t.py", "w:m w:/root/.cache/matplotlib/fontlist.json", NULL },
		{ "python3 t.py", "w:m r:/dev/urandom u:/dev/nvidia0 w:/dev/null", NULL },
		{ "python3 t.py", "w:m w:/srv/models/m", "it writes /srv/models/m, outside the project" },
		{ "python3 t.py", "w:m x:/srv/old", "it removes /srv/old, outside the project" },
		{ "python3 t.py", "w:m x:old.pt", "it removes old.pt, which it had not made" },
		{ "python3 t.py", "w:m r:/dev/tty", "it asks a person at the terminal (/dev/tty)" },
		{ "./fit.sh 3", "r:fit.sh e:/usr/bin/bash u:/dev/tty w:m", NULL },
		{ "python3 t.py", "w:m u:/dev/fuse", "it mounts a file system (/dev/fuse)" },
		{ "python3 t.py", "w:t.py", "it changes itself, t.py" },
		{ "python3 t.py", "r:t.py l:out w:out/m", "it lists out and writes out/m in it" },
		{ "python3 t.py", "r:t.py ml:out/a w:out/a/m", NULL },
		{ "python3 t.py", "m:runs/2026-11-21^10-00 w:runs/2026-11-21^10-00/m",
		  "it calls what it makes by the date (runs/2026-11-21^10-00)" },
		{ "python3 t.py --day 2026-11-21", "w:m-2026-11-21", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sighting s = sighting_of((struct sight){ rows[i].command, rows[i].did });
		const char *why = learn_refusal(&s, &arena);

		if (rows[i].why)
			CHECK_STR(why, rows[i].why);
		else if (why)
			CHECK_STR(why, "(fine)");
	}
}

static void refused_derivations(void)
{
	static const struct {
		struct sight seen[3];
		const char *why;
	} rows[] = {
		{ { { "python3 t.py", "r:t.py" } }, "refused: it writes no file" },
		{ { { "python3 t.py --s 1", "r:t.py w:out/x81" },
		    { "python3 t.py --s 2", "r:t.py w:out/k07" } },
		  "refused: it writes out/x81, and how that name comes from the arguments does not "
		  "show in 2 runs of it" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		CHECK_STR(derived(rows[i].seen), rows[i].why);
}

static const struct test tests[] = {
	{ "a shape is the program, or the interpreter's script from the root", shapes },
	{ "the shell's trade, wrappers and program text from a pipe teach nothing", no_shapes },
	{ "workers and ranks are parts, other training commands are not", parts },
	{ "what reaches out of the project or asks a person runs for real, and why", refusals },
	{ "what follows no rule is refused with the path", refused_derivations },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&arena);
	return rc;
}
