/* t_ml.c - gg-ml's command lines and what they read and write
 *
 * With arguments: one line, what gg's model says of them. */
#include "binding_text.h"

static const char folder[] = "/project";

static const struct bound_row rows[] = {
	{ "gg-ml prep x.csv -o d.st", "<x.csv >examples=d.st" },
	{ "gg-ml prep x.gz y.gz --output=d.st --normalise standard",
	  "<x.gz <y.gz >examples=d.st" },
	{ "gg-ml prep x.csv -o d-{}.st --split 0.8,0.1,0.1 --seed 3",
	  "<x.csv >examples0=d-0.st >examples1=d-1.st >examples2=d-2.st" },
	{ "gg-ml prep --shards=2 x.csv -o d{}", "<x.csv >examples0=d0 >examples1=d1" },
	{ "gg-ml prep x.csv -o d{}.st", "<x.csv >examples0=d0.st" },
	{ "gg-ml train --data d.st --model mlp -o w.st", "<d.st >weights=w.st" },
	{ "gg-ml train --data d.st --model mlp -o w-{}.st --members 3 --metrics m-{}.json",
	  "<d.st >weights0=w-0.st >weights1=w-1.st >weights2=w-2.st "
	  ">metrics0=m-0.json >metrics1=m-1.json >metrics2=m-2.json" },
	{ "gg-ml train --data d.st -o s{}.st --snapshots 2 --metrics m.json",
	  "<d.st >weights0=s0.st >weights1=s1.st >metrics=m.json" },
	{ "gg-ml train --data d.st --init i.st --resume r.st --state s.st -o w.st --bag",
	  "<d.st <i.st <r.st >weights=w.st >state=s.st" },
	{ "gg-ml train --data d.st --init i-{}.st --owned m.st -o w{} --members 2",
	  "<d.st <i-0.st <i-1.st <m.st >weights0=w0 >weights1=w1" },
	{ "gg-ml train --data d.st --teacher t.st --teacher-layer fc1 -o w.st",
	  "<d.st <t.st >weights=w.st" },
	{ "gg-ml train --data d.st --owned=m-{}.st -o w", "<d.st <m-0.st >weights=w" },
	{ "gg-ml train --data d.st --resume s.st --state s.st -o w.st",
	  "<d.st <s.st >weights=w.st >state=s.st" },
	{ "gg-ml train --data a --data d.st -o x -o w.st", "<d.st >weights=w.st" },
	{ "gg-ml eval --data d.st --json a.st b.st", "<d.st <a.st <b.st" },
	{ "gg-ml predict --data d.st a.st -o p.csv --proba", "<d.st <a.st >classes=p.csv" },
	{ "gg-ml combine average a.st b.st -o c.st", "<a.st <b.st >weights=c.st" },
	{ "gg-ml combine topk g.st r.st --keep 5 -o c.st --residual r.st",
	  "<g.st <r.st >weights=c.st >residual=r.st" },
	{ "gg-ml prune --keep 0.5 a.st -o b.st", "<a.st >weights=b.st" },
	{ "gg-ml prune --keep 0.5 --by weights --whole --owned m a.st -o b.st --mask n --free f",
	  "<a.st <m >weights=b.st >mask=n >free=f" },
	{ "gg-ml prune --keep 0.5 --by fisher --data d a.st -o b.st", "<a.st <d >weights=b.st" },
	{ "gg-ml prune --without f a.st -o b.st", "<a.st <f >weights=b.st" },
	{ "gg-ml show a.st", "<a.st" },
	{ "gg-ml data --kind rings -o d.st", ">examples=d.st" },
	{ "/opt/bin/gg-ml data -o d.st", ">examples=d.st" },
};

static const struct refusal refusals[] = {
	{ "gg-ml", "no command" },
	{ "gg-ml fly", "no command" },
	{ "gg-ml train --help", "prints" },
	{ "gg-ml train --data d.st", "no --output" },
	{ "gg-ml train -o w.st", "no --data" },
	{ "gg-ml train --data d.st -o w.st x", "x is no option" },
	{ "gg-ml train --data d.st -o w.st --lr 3", "no option" },
	{ "gg-ml train --data d.st -o w.st --rate", "no option" },
	{ "gg-ml train --data d.st -o w{}.st --members many", "no number" },
	{ "gg-ml train --data d.st -o w{}.st --members 100000", "no number" },
	{ "gg-ml train --data d.st -o w.st --metrics w.st", "twice" },
	{ "gg-ml train --data - -o w.st", "standard streams" },
	{ "gg-ml prep -o d.st", "too few files" },
	{ "gg-ml combine average -o d.st", "too few files" },
	{ "gg-ml prune --keep 0.5 -o d.st", "too few files" },
	{ "gg-ml prune --keep 0.5 a.st", "no --output" },
	{ "gg-ml eval --data d.st", "too few files" },
	{ "gg-ml data @list -o d.st", "@list" },
};

static void rows_bind(void)
{
	check_bound(rows, sizeof rows / sizeof *rows, folder);
}

static void refusals_say_why(void)
{
	check_refusals(refusals, sizeof refusals / sizeof *refusals, folder);
}

static void hints(void)
{
	struct bound o = { 0 };

	bind_line(&o, folder, "gg-ml train --data d --threads 2 -o w", NULL);
	CHECK(o.match == MATCH_BOUND && o.b.hints.cpus == 2 && o.b.hints.gpus == 0);
	bind_line(&o, folder, "gg-ml train --data d --device cuda -o w", NULL);
	CHECK(o.match == MATCH_BOUND && o.b.hints.cpus == 0 && o.b.hints.gpus == 1);
	CHECK(o.b.hints.fuse && strstr(o.b.hints.fuse, "--members={n}"));
	bind_line(&o, folder, "gg-ml train --data d --owned m -o w", NULL);
	CHECK(o.match == MATCH_BOUND && o.b.hints.fuse);
	bind_line(&o, folder, "gg-ml train --data d --owned m{} -o w", NULL);
	CHECK(o.match == MATCH_BOUND && !o.b.hints.fuse);
	bind_line(&o, folder, "gg-ml eval --data d w", NULL);
	CHECK(o.match == MATCH_BOUND && !o.b.hints.fuse);
	bound_release(&o);
}

static void put_aside(void)
{
	static const struct {
		const char *command, *args, *aside;
	} cases[] = {
		{ "gg-ml train --threads 4 --data d --device=cuda -o w",
		  "gg-ml train --data d -o w", "--threads 4 --device=cuda" },
		{ "gg-ml eval --data d w --threads 2 --json", "gg-ml eval --data d w --json",
		  "--threads 2" },
		{ "gg-ml train --data d --profile exact --device loops -o w",
		  "gg-ml train --data d --profile exact -o w", "--device loops" },
		{ "gg-ml train --data d --device cuda --profile cublas -o w", NULL, "" },
		{ "gg-ml train --data d -o w", NULL, "" },
	};
	struct bound o = { 0 };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bind_line(&o, folder, cases[i].command, NULL);
		CHECK(!o.b.args == !cases[i].args);
		if (cases[i].args)
			CHECK_STR(joined(o.b.args, o.b.n_args, &o.a), cases[i].args);
		CHECK_STR(joined(o.b.hints.aside, o.b.hints.n_aside, &o.a), cases[i].aside);
	}
	bound_release(&o);
}

static const struct test tests[] = {
	{ "in exact numbers threads and device are no part of the name", put_aside },
	{ "a command line gives these reads and writes", rows_bind },
	{ "what cannot be expressed runs for real, with a reason", refusals_say_why },
	{ "threads and devices steer where it runs", hints },
	{ 0 },
};

int main(int argc, char **argv)
{
	struct arena a = { 0 };
	struct buf why = { 0 };
	struct binding b;
	enum match m;

	if (argc < 2)
		return test_main(tests);
	m = bind_args((const char **)argv + 1, (size_t)argc - 1, NULL, folder, &a, &b,
		      &why);
	puts(binding_text(m, &b, &why, &a, " "));
	buf_release(&why);
	arena_release(&a);
	return m != MATCH_BOUND;
}
