/* t_model.c - commands held against models
 *
 * What a command binds to is written down as one line, so that a table of
 * spellings can be read at a glance: < read, <? optional, </ directory,
 * <* glob, NAME>path an output, NAME>/path a directory, $NAME a variable.
 */
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>
#include "file.h"
#include "model.h"
#include "test.h"

struct row {
	const char *command;    /* (sub) before it: run in root/sub */
	const char *expect;
};

static struct arena arena;
static char root[] = "/tmp/gg-t-model-XXXXXX";

/* Words at single spaces; '' is the empty word, _ in a word a space. */
static void words_of(const char *line, struct strs *out)
{
	char *copy = arena_str(&arena, line), *save = NULL;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		for (char *p = w; *p; p++)
			*p = *p == '_' ? ' ' : *p;
		strs_add(out, strcmp(w, "''") == 0 ? "" : w);
	}
}

static const char *spell(const struct binding *b)
{
	struct buf s = { 0 };
	const char *all;

	buf_str(&s, "");
	for (size_t i = 0; i < b->n_reads; i++)
		buf_printf(&s, " <%s%s%s%s", b->reads[i].is_optional ? "?" : "",
			   b->reads[i].is_dir ? "/" : "", b->reads[i].is_glob ? "*" : "",
			   b->reads[i].path);
	for (size_t i = 0; i < b->n_writes; i++)
		buf_printf(&s, " %s>%s%s", b->writes[i].name, b->writes[i].is_dir ? "/" : "",
			   b->writes[i].path);
	for (size_t i = 0; i < b->n_env; i++)
		buf_printf(&s, " $%s", b->env[i]);
	all = arena_str(&arena, s.n ? s.p + 1 : "");
	buf_release(&s);
	return all;
}

static struct models *read_models(const char *text)
{
	struct models *m;
	struct err e;

	MUST(models_new(bytes_str(text), "gg.models", &m, &e), e);
	return m;
}

/* How `line` binds: spell(), "real", or "none: " and why. */
static const char *bind(const struct models *m, const char *line)
{
	static const char *env[] = { "OMP_NUM_THREADS=2", "OMP_X=1", "HOME=/root", NULL };
	struct strs args = { 0 };
	struct buf why = { 0 };
	struct binding b;
	struct command c = { .env = env, .n_env = 3, .root = root, .cwd = root };
	const char *said;
	enum match match;

	if (*line == '(') {
		size_t n = strcspn(line, ")");

		c.cwd = arena_printf(&arena, "%s/%.*s", root, (int)n - 1, line + 1);
		line += n + 2;
	}
	words_of(line, &args);
	c.args = args.v;
	c.n_args = args.n;
	c.program = strchr(args.v[0], '/') ? path_clean(&arena, c.cwd, args.v[0])
					   : arena_printf(&arena, "/usr/bin/%s", args.v[0]);
	match = models_match(m, &c, &arena, &b, &why);
	CHECK(why.n && why.p[why.n - 1] == '\n');
	said = match == MATCH_BOUND ? spell(&b)
	       : match == MATCH_REAL ? "real"
				     : arena_printf(&arena, "none: %s", why.p);
	CHECK(match == MATCH_NONE || strncmp(b.rule, "gg.models:", 10) == 0);
	buf_release(&why);
	strs_release(&args);
	return said;
}

/* A row's "none" needs only be contained. */
static void check_rows(const char *text, const struct row *rows)
{
	struct models *m = read_models(text);

	for (; rows->command; rows++) {
		const char *is = bind(m, rows->command);
		bool is_good = strncmp(rows->expect, "none: ", 6) == 0
				       ? strncmp(is, "none: ", 6) == 0 &&
						 strstr(is, rows->expect + 6)
				       : strcmp(is, rows->expect) == 0;

		if (!is_good) {
			test_failures++;
			printf("# %s\n#   gives   %s\n#   and not %s\n", rows->command, is,
			       rows->expect);
		}
	}
	models_free(m);
}

static const char train[] =
	"# members\n"
	"python3 train.py --data=@in --seed=@ -o,--out=@out [--resume=@in] -v,--verbose -q \\\n"
	"\t@in...\n";

static void every_spelling(void)
{
	static const struct row rows[] = {
		{ "python3 train.py --data d --seed 3 --out m", "<train.py <d out>m" },
		{ "python3 train.py --data=d --seed=3 --out=m", "<train.py <d out>m" },
		{ "python3 train.py --data=d -o m", "<train.py <d out>m" },
		{ "python3 train.py --data=d -om", "<train.py <d out>m" },
		{ "python3 train.py --data=d -o=m", "<train.py <d out>m" },
		{ "python3 train.py --data=d -vqo m", "<train.py <d out>m" },
		{ "python3 train.py --data=d -vqom", "<train.py <d out>m" },
		{ "python3 train.py --dat d --se 3 --ou m", "<train.py <d out>m" },
		{ "python3 train.py --d=d --o=m", "<train.py <d out>m" },
		{ "python3 train.py a b -o m c", "<train.py <a <b <c out>m" },
		{ "python3 train.py a -o m --data d b", "<train.py <d <a <b out>m" },
		{ "python3 train.py -o m -- --data -v", "<train.py <--data <-v out>m" },
		{ "python3 train.py -o m --data a --data b", "<train.py <a <b out>m" },
		{ "python3 train.py -o m -o n", "<train.py out>m out-2>n" },
		{ "python3 train.py -o m -o m", "<train.py out>m" },
		{ "python3 train.py -o m --seed -3", "<train.py out>m" },
		{ "python3 train.py -o m --seed -1e-3", "<train.py out>m" },
		{ "python3 train.py -o m --seed=", "<train.py out>m" },
		{ "python3 train.py -o m --seed ''", "<train.py out>m" },
		{ "python3 train.py -o m --resume r", "<train.py <r out>m" },
		{ "python3 train.py -o m --resume ''", "<train.py out>m" },
		{ "python3 train.py -o a_b.npz --data c_d", "<train.py <c d out>a b.npz" },
		{ "python3 train.py -o m -", "<train.py out>m" },
		{ "python3 train.py -o - --data d", "<train.py <d" },
		{ "python3 train.py -o /dev/null --data d", "<train.py <d" },
		{ "python3 train.py -o ../m --data /abs/d", "<train.py </abs/d out>../m" },
		{ 0 }
	};
	check_rows(train, rows);
}

static void every_refusal(void)
{
	static const struct row rows[] = {
		{ "python3 train.py -o m --foo",
		  "none: gg.models:2: `python3 train.py` does not match: "
		  "--foo is not in the pattern\n" },
		{ "python3 train.py -o m --foo=3", "none: --foo is not in the pattern" },
		{ "python3 train.py -o m -x", "none: -x is not in the pattern" },
		{ "python3 train.py -o m -vx", "none: -x of -vx is not in the pattern" },
		{ "python3 train.py -o m --verbose=3", "none: --verbose has a value" },
		{ "python3 train.py -o m --data", "none: --data wants a value" },
		{ "python3 train.py --data --seed 3 -o m",
		  "none: --data wants a value and --seed follows" },
		{ "python3 train.py -o m -- a --", "none: -- stands twice" },
		{ "python3 train.py -o", "none: -o wants a value" },
		{ "python3 train.py -v", "none: --out is missing" },
		{ "python3 train.py --out=", "none: writes a file without a name" },
		{ "python3 train.py --out=models/", "none: models/ is a directory" },
		{ "python3 train.py -o m --data /dev/fd/63", "none: /dev/fd/63 is a pipe" },
		{ "python3 train.py -o m --=3", "none: -- is not in the pattern" },
		{ "python3 other.py -o m", "none: no model is for python3 other.py" },
		{ "python3 -c print(1)", "none: no model is for python3" },
		{ "python3 -m train -o m", "none: no model" },
		{ "python3", "none: no model is for python3\n" },
		{ "python2 train.py -o m", "none: no model" },
		{ "true", "none: no model is for true\n" },
		{ 0 }
	};
	static const struct row two[] = {
		{ "t --se 3", "none: --se is short for --seed and for --set" },
		{ "t --see 3 --set d", "<d" },
		{ "t --s", "none: short for" },
		{ "t --out x", "out-dir>/x" },
		{ 0 }
	};
	static const struct row full[] = {
		{ "t --out x", "none: --out is not in the pattern" },
		{ "t --out-dir x", "out-dir>/x" },
		{ 0 }
	};

	check_rows(train, rows);
	check_rows("t --seed=@ --set=@in [--out-dir=@out/]\n", two);
	check_rows("t [--out-dir=@out/]\n\tshortening no\n", full);
}

static void every_program(void)
{
	static const struct row rows[] = {
		{ "python train.py -o m", "<train.py out>m" },
		{ "python3.11 train.py -o m", "<train.py out>m" },
		{ "/opt/venv/bin/python3 train.py -o m", "<train.py out>m" },
		{ "python3 ./train.py -o m", "<./train.py out>m" },
		{ "python3 .//./train.py -o m", "<.//./train.py out>m" },
		{ "python3 sub/../train.py -o m", "<sub/../train.py out>m" },
		{ "(sub) python3 ../train.py -o m", "<../train.py out>m" },
		{ "(sub) python3 train.py -o m", "<train.py out>m" },
		{ "python3 sub/train.py -o m", "none: no model" },
		{ "python3 ../train.py -o m", "none: no model" },
		{ "python3 -u train.py -o m", "<train.py out>m" },
		{ "python3 -uOB train.py -o m", "<train.py out>m" },
		{ "python3 -W error -X dev train.py -o m", "<train.py out>m" },
		{ "python3 -Werror -Xdev -I train.py -o m", "<train.py out>m" },
		{ "python3 -uW ignore train.py -o m", "<train.py out>m" },
		{ "python3 -- train.py -o m", "<train.py out>m" },
		{ "./train.py -o m", "<./train.py out>m" },
		{ "(sub) ../train.py -o m", "<../train.py out>m" },
		{ "sub/train.py -o m", "none: no model" },
		{ 0 }
	};
	static const struct row paths[] = {
		{ "./run.sh a", "<./run.sh <a" },
		{ "(sub) ../run.sh a", "<../run.sh <a" },
		{ "sub/run.sh a", "none: no model" },
		{ "(sub) ./run.sh a", "none: no model" },
		{ "bash run.sh a", "<run.sh <a" },
		{ "(sub) bash -euo pipefail ../run.sh a", "<../run.sh <a" },
		{ "sh -x -o errexit +e ./run.sh a", "<./run.sh <a" },
		{ "sh -c run.sh a", "none: no model" },
		{ "tools/x o", "<tools/x out1>o" },
		{ "(tools) ./x o", "<./x out1>o" },
		{ "x o", "none: no model" },
		{ "gcc-12 f", "<f" },
		{ "gccx f", "none: no model" },
		{ "/usr/lib/tool2 f", "none: no model" },
		{ "/opt/bin/abs f", "<f" },
		{ "/usr/bin/abs f", "none: no model" },
		{ 0 }
	};
	check_rows(train, rows);
	check_rows("./run.sh @in\ntools/x @out\ngcc @in\ntool @in\n/opt/bin/abs @in\n", paths);
}

#define MODULE "<?pkg/__init__.py <?pkg/mod.py <?pkg/mod/__init__.py <?pkg/mod/__main__.py o>m"

static void modules_and_code(void)
{
	static const struct row rows[] = {
		{ "python3 -m pkg.mod -o m", MODULE },
		{ "python3 -um pkg.mod -o m", MODULE },
		{ "python3 -mpkg.mod -o m", MODULE },
		{ "python3 -m pkg.other -o m", "none: no model" },
		{ "python3 pkg.mod -o m", "none: no model" },
		{ "sh -c cat_<$0_>$1 in out", "<in out1>out" },
		{ "sh -ec cat_<$0_>$1 in out", "<in out1>out" },
		{ "sh in out", "none: no model" },
		{ "Rscript any.R -o m", "<any.R o>m" },
		{ "Rscript --vanilla any.R -o m", "<any.R o>m" },
		{ "perl -pe s/a/b/", "real" },
		{ "torchrun --nproc 4 train.py --lr 3 -o m", "<train.py o>m" },
		{ "(sub) torchrun --nproc 4 ../train.py -o m", "<../train.py o>m" },
		{ "torchrun other.py -o m", "none: no model" },
		{ 0 }
	};
	check_rows("python3 -m pkg.mod -o=@out\nsh -c @ @in @out\nRscript @in -o=@out\n"
		   "perl ...\n\tnever\ntorchrun train.py --nproc=@ --lr=@ -o=@out\n",
		   rows);
}

static void positionals(void)
{
	static const struct row rows[] = {
		{ "mv2 a b", "none: no model" },
		{ "move a b", "<a out1>b" },
		{ "move a", "none: @out is missing" },
		{ "move", "none: @in is missing" },
		{ "move a b c", "none: c is not in the pattern" },
		{ "move -3 b", "<-3 out1>b" },
		{ "move -x b", "none: -x is not in the pattern" },
		{ "many a b c d", "<a <b <c out1>/d" },
		{ "many d", "out1>/d" },
		{ "many", "none: @out/ is missing" },
		{ "maybe a", "<a" },
		{ "maybe a b", "<a out1>b" },
		{ "maybe a b c", "<a out1>b out2>c" },
		{ "maybe a b c d", "<a out1>b out2>c out3>d" },
		{ "toolkit train i m", "<i out1>m" },
		{ "toolkit -v train i m", "<i out1>m" },
		{ "toolkit train -v i m", "<i out1>m" },
		{ "toolkit eval m", "<m" },
		{ "toolkit eval a b", "none: b is not in the pattern" },
		{ "toolkit other m", "none: no model is for toolkit\n" },
		{ "dirs in out", "</in out1>/out" },
		{ "dflt", "<data.npz model>m.npz" },
		{ "dflt x --model y", "<x model>y" },
		{ "same --out1 a b", "out1>a out1-2>b" },
		{ "nums -3 x", "<x" },
		{ 0 }
	};
	check_rows("move @in @out\nmany @in... @out/\nmaybe @in [@out] @out...\n"
		   "toolkit train @in @out -v\ntoolkit eval @in -v\n"
		   "dirs @in/ @out/\ndflt [@in=data.npz] --model=@out=m.npz\n"
		   "same --out1=@out [@out]\nnums @in... -3\n",
		   rows);
}

static void other_dialects(void)
{
	static const struct row rows[] = {
		{ "hy lr=3 data=d out=m", "<d out>m" },
		{ "hy out=m +data=d", "none: +data=d is not in the pattern" },
		{ "hy out=m ++extra=d", "<d out>m" },
		{ "hy out=m foo=3", "none: foo=3 is not in the pattern" },
		{ "hy out=m data=a=b", "<a=b out>m" },
		{ "hy data=d", "none: out is missing" },
		{ "dd if=a of=b bs=1M count=3", "<a of>b" },
		{ "lr -lr 3 -lr=3 -out m", "out>m" },
		{ "lr -lr -3 -out=m", "out>m" },
		{ "lr -l -out=m", "out>m" },
		{ "lr -lr3 -out=m", "none: -r of -lr3 is not in the pattern" },
		{ "comma --files a,b,c", "<a <b <c" },
		{ "comma --files=a,,c,", "<a <c" },
		{ "nargs --files a b c --out m", "<a <b <c out>m" },
		{ "nargs --out m --files a b -- c", "none: c is not in the pattern" },
		{ "nargs --files --out m", "out>m" },
		{ "nargs --files=a --out m", "<a out>m" },
		{ "rest --lr 3 x --zeta=4 -qq --out m -- y", "out>m" },
		{ "rest train.py", "none: --out is missing" },
		{ 0 }
	};
	check_rows("hy lr=@ data=@in out=@out ++extra=@in\ndd if=@in of=@out bs=@ count=@\n"
		   "lr -lr=@ -out=@out -l\ncomma --files=@in,\nnargs --files=@in... --out=@out\n"
		   "rest --out=@out ...\n",
		   rows);
}

static void properties(void)
{
	static const struct row rows[] = {
		{ "python3 t.py --fold 3 -o m.npz d",
		  "<t.py <d <common.py </pkg/ <folds/3.csv <*conf/*.yaml <?extra.txt "
		  "out>m.npz m.json>m.json logs/3/>/logs/3/ $SEED $OMP_NUM_THREADS $OMP_X" },
		{ "python3 t.py -o m d", "none: {fold} in folds/{fold}.csv has no value" },
		{ "python3 s/u.py a/b.c/d.tar.gz",
		  "<s/u.py <a/b.c/d.tar.gz <a/b.c/d.tar <d.tar.gz <a/b.c <d.tar <s/x.py <{x} 1>1" },
		{ "g x*y", "<x*y <*x\\*y/*.h <?n" },
		{ "k --in i", "<i" },
		{ "k --in i --log l", "<i l>l l.2>l.2" },
		{ "r", "out>d", },
		{ 0 }
	};
	check_rows("python3 t.py --fold=@ -o,--out=@out @in\n"
		   "    also common.py pkg/ folds/{fold}.csv conf/*.yaml # here\n"
		   "\toptional\textra.txt\n\n\t# a comment\n"
		   "\tmakes {out:stem}.json logs/{fold}/\n"
		   "\tenv SEED OMP_*\n"
		   "python3 s/u.py @in\n\talso {1:stem} {1:base} {1:dir} {1:base:stem} "
		   "{script:dir}/x.py {{x}}\n"
		   "\tmakes 1\n"
		   "g @in\n\talso {1}/*.h\n\toptional 'n'\n"
		   "k --in=@in [--log=@]\n\tmakes {log} {log}.2\n"
		   "r --out=@out=d \\\n  --x=@\n\tnetwork no\n",
		   rows);
}

static void lists(void)
{
	static const struct row rows[] = {
		{ "python3 t.py @l.txt", "<t.py <l.txt <a b <c out>m" },
		{ "(sub) python3 t.py @../l.txt", "<t.py <../l.txt <a b <c out>m" },
		{ "python3 t.py @deep.txt x", "<t.py <deep.txt <l.txt <a b <c <x out>m" },
		{ "python3 t.py @none.txt", "none: the list none.txt cannot be read" },
		{ "python3 t.py @sub", "none: the list sub is no regular file" },
		{ "python3 t.py @fifo", "none: the list fifo is no regular file" },
		{ "python3 t.py @loop.txt", "none: too deep" },
		{ "python3 t.py @ph.txt", "none: is still to be made" },
		{ "plain @l.txt", "<@l.txt" },
		{ 0 }
	};
	struct err e;
	int dir = -1;

	MUST(file_write(dir, arena_printf(&arena, "%s/l.txt", root),
			bytes_str("--out\nm\r\na b\nc"), 0644, 0, &e), e);
	MUST(file_write(dir, arena_printf(&arena, "%s/deep.txt", root),
			bytes_str("@l.txt\n"), 0644, 0, &e), e);
	MUST(file_write(dir, arena_printf(&arena, "%s/loop.txt", root),
			bytes_str("@loop.txt\n"), 0644, 0, &e), e);
	MUST(file_write(dir, arena_printf(&arena, "%s/ph.txt", root),
			bytes_str("gg-placeholder 1\nthunk 0 x\n"), 0644, 0, &e), e);
	CHECK(mkfifo(arena_printf(&arena, "%s/fifo", root), 0600) == 0);
	check_rows("python3 t.py --out=@out @in...\n\tlists yes\nplain @in\n", rows);
}

static void order_of_models(void)
{
	static const struct row rows[] = {
		{ "t --a x", "<x" },
		{ "t --b x", "x>x" },
		{ "t --c", "none: gg.models:1: `t` does not match: --c is not in the pattern\n"
			   "gg.models:2: `t` does not match: --c is not in the pattern\n" },
		{ "u anything --at=all", "real" },
		{ 0 }
	};
	check_rows("t --a=@in\nt --b=@\n\tmakes x\nu ...\n\tnever\n", rows);
}

static void good_files(void)
{
	static const struct row rows[] = {
		{ "a_b x", "<x" },
		{ "at @home", "" },
		{ "cr x", "<x" },
		{ "gr --x i --y j o", "<i <j out1>o" },
		{ "long a b", "<a out1>b" },
		{ 0 }
	};

	check_rows("\xef\xbb\xbf'a b' @in\nat '@home'\r\ncr @in\r\n# no continuation \\\n"
		   "gr [--x=@in --y=@in] [@out]\nlong \\\n\t@in \\\n\t@out", rows);
}

static void the_explanation(void)
{
	struct models *m = read_models(train);
	const char *args[] = { "python3", "train.py", "--data", "d.npz", "-o", "m\n.npz", NULL };
	struct command c = { .program = "/usr/bin/python3", .args = args, .n_args = 6,
			     .cwd = "/p" };
	struct buf why = { 0 };
	struct binding b;

	CHECK(models_match(m, &c, &arena, &b, &why) == MATCH_BOUND);
	CHECK_STR(why.p, "gg.models:2: `python3 train.py` matched: --data reads d.npz, "
			 "--out writes m?.npz\n");
	CHECK_STR(b.rule, "gg.models:2");
	buf_release(&why);
	models_free(m);
}

static void long_names(void)
{
	struct models *m = read_models("t @in\n\tmakes {1}.a {1}.b\n");
	char in[600];
	const char *args[] = { "t", in, NULL };
	struct command c = { .program = "/t", .args = args, .n_args = 2, .cwd = "/" };
	struct binding b;

	memset(in, 'x', sizeof(in) - 1);
	in[sizeof(in) - 1] = '\0';
	CHECK(models_match(m, &c, &arena, &b, NULL) == MATCH_BOUND && b.n_writes == 2);
	CHECK(strlen(b.writes[0].name) <= 255 && strlen(b.writes[1].name) <= 255);
	CHECK(strcmp(b.writes[0].name, b.writes[1].name) != 0);
	models_free(m);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The bound is ten times what is wanted, for busy machines and sanitizers. */
static void speed(void)
{
	struct buf text = { 0 };
	struct models *m;
	const char *args[] = { "python3", "train19.py", "--data", "d", "--seed=3", "-v", "-om",
			       NULL };
	struct command c = { .program = "/usr/bin/python3", .args = args, .n_args = 7,
			     .cwd = root, .root = root };
	struct arena a = { 0 };
	struct binding b;
	double best = 1;

	for (int i = 0; i < 20; i++)
		buf_printf(&text, "python3 train%d.py --data=@in --seed=@ -o,--out=@out -v\n"
				  "\talso common.py\n", i);
	m = read_models(text.p);
	for (int k = 0; k < 20; k++) {
		double start = seconds();

		for (int i = 0; i < 1000; i++) {
			arena_reset(&a);
			CHECK(models_match(m, &c, &a, &b, NULL) == MATCH_BOUND);
		}
		if (seconds() - start < best)
			best = seconds() - start;
	}
	printf("# %.2f us for a command against 20 models\n", best * 1e3);
	CHECK(best * 1e3 < 50);
	arena_release(&a);
	models_free(m);
	buf_release(&text);
}

static const struct test tests[] = {
	{ "every getopt and argparse spelling of a command binds alike", every_spelling },
	{ "what a pattern does not explain does not match, and why is said", every_refusal },
	{ "programs, versions and scripts are recognised as people write them", every_program },
	{ "modules, program text and launchers", modules_and_code },
	{ "positionals: required, optional, repeated, literal, default", positionals },
	{ "key=value words, single-dash long options, comma lists, many values", other_dialects },
	{ "also, optional, makes and env, with templates and globs", properties },
	{ "@list files are taken in when the model says so", lists },
	{ "models of one program are tried in order", order_of_models },
	{ "quotes, continued lines, CRLF and comments are read", good_files },
	{ "a match is explained in one line, odd bytes masked", the_explanation },
	{ "output names stay within 255 bytes and differ", long_names },
	{ "a match costs microseconds", speed },
	{ 0 }
};

int main(void)
{
	int rc;
	struct err e;

	if (!mkdtemp(root))
		return 1;
	mkdir(arena_printf(&arena, "%s/sub", root), 0755);
	rc = test_main(tests);
	dir_remove(-1, root, &e);
	arena_release(&arena);
	return rc;
}
