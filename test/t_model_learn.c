/* t_model_learn.c - what learned models say that hand-written ones do not */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "model.h"
#include "test.h"

static struct arena arena;
static char root[] = "/tmp/gg-t-model-learn-XXXXXX";

static struct models *read_models(const char *text)
{
	struct models *m;
	struct err e;

	MUST(models_new(bytes_str(text), "gg.models", &m, &e), e);
	return m;
}

static void learn(struct models *m, const char *shape, const char *text)
{
	struct err e;

	MUST(models_learn(m, shape, bytes_str(text), &e), e);
}

/* Reads, writes, what is updated, variables, uses; or why not. */
static const char *spell(enum match found, const struct binding *b, const char *why)
{
	struct buf s = { 0 };
	const char *all;

	if (found != MATCH_BOUND)
		return arena_str(&arena, why);
	buf_str(&s, b->rule);
	for (size_t i = 0; i < b->n_reads; i++)
		buf_printf(&s, " <%s%s%s", b->reads[i].is_optional ? "?" : "",
			   b->reads[i].is_dir ? "/" : "", b->reads[i].path);
	for (size_t i = 0; i < b->n_writes; i++)
		buf_printf(&s, " %s>%s%s", b->writes[i].name, b->writes[i].is_dir ? "/" : "",
			   b->writes[i].path);
	for (size_t i = 0; i < b->n_updates; i++)
		buf_printf(&s, " +%s", b->updates[i]);
	for (size_t i = 0; i < b->n_env; i++)
		buf_printf(&s, " $%s", b->env[i]);
	for (size_t i = 0; i < b->n_uses; i++)
		buf_printf(&s, " &%s", b->uses[i]);
	if (b->is_learned)
		buf_str(&s, b->hints.is_watched ? " learned" : " learned, not watched");
	all = arena_str(&arena, s.p);
	buf_release(&s);
	return all;
}

static const char *bind_args(const struct models *m, const char **args, size_t n)
{
	static const char *env[] = { "RUN=runs/1", "EMPTY=", "RUNNER=no" };
	struct command c = { .env = env, .n_env = 3, .root = root, .cwd = root,
			     .args = args, .n_args = n };
	struct buf why = { 0 };
	struct binding b;
	enum match found;
	const char *said;

	c.program = arena_printf(&arena, "/usr/bin/%s", args[0]);
	found = models_match(m, &c, &arena, &b, &why);
	said = spell(found, &b, why.p);
	buf_release(&why);
	return said;
}

/* Words at single spaces. */
static const char *bind(const struct models *m, const char *line)
{
	char *copy = arena_str(&arena, line), *save = NULL;
	struct strs args = { 0 };
	const char *said;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		strs_add(&args, w);
	said = bind_args(m, args.v, args.n);
	strs_release(&args);
	return said;
}

static void write_at(const char *path, const char *text)
{
	struct err e;

	MUST(file_write(AT_FDCWD, arena_printf(&arena, "%s/%s", root, path),
			bytes_str(text), 0644, 0, &e), e);
}

static void updates(void)
{
	struct models *m = read_models("t --log=@out --db=@in\n\tupdates {log} {db} count n/\n");

	CHECK_STR(bind(m, "t --log l --db d"),
		  "gg.models:1 <d <?l <?d <?count <?/n/ log>l d>d count>count n/>/n/ "
		  "+l +d +count +n/");
	models_free(m);
}

static void uses(void)
{
	struct models *m = read_models("t @out\n\tuses python3-numpy /etc/x.conf /usr/share/y/\n"
				       "\tuses pip:hydra-core pip:/opt/v/x-y libc6:i386\n");

	CHECK_STR(bind(m, "t o"), "gg.models:1 out1>o &python3-numpy &/etc/x.conf &/usr/share/y/ "
		  "&pip:hydra-core &pip:/opt/v/x-y &libc6:i386");
	models_free(m);
}

static void variables(void)
{
	struct models *m = read_models("t\n\tmakes {$RUN}/m {$RUN:base}.x\n"
				       "u\n\tmakes {$EMPTY}m\nv\n\tmakes {$GONE}/m\n");

	CHECK_STR(bind(m, "t"), "gg.models:1 runs/1/m>runs/1/m 1.x>1.x $RUN");
	CHECK_STR(bind(m, "u"), "gg.models:3 m>m $EMPTY");
	CHECK_STR(bind(m, "v"), "gg.models:5: `v` does not match: {$GONE} in {$GONE}/m has no "
		  "value; set it in the environment\n");
	models_free(m);
}

static void padding(void)
{
	static const struct { const char *value, *is; } rows[] = {
		{ "7", "007" }, { "07", "007" }, { "0007", "007" }, { "0", "000" }, { "000", "000" },
		{ "1234", "1234" }, { "01234", "1234" }, { "-3", "-03" }, { "+3", "003" },
		{ "-1234", "-1234" }, { "-03", "-03" }, { "12345678901234567890", "12345678901234567890" },
		{ "x", NULL }, { "1.5", NULL }, { "1e3", NULL }, { " 7", NULL }, { "", NULL },
	};
	struct models *m = read_models("t --s=@\n\tmakes {s:03}\n");

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *args[] = { "t", arena_printf(&arena, "--s=%s", rows[i].value) };
		const char *is = bind_args(m, args, 2);

		if (rows[i].is)
			CHECK_STR(is, arena_printf(&arena, "gg.models:1 %s>%s", rows[i].is,
						   rows[i].is));
		else
			CHECK_STR(is, "gg.models:1: `t` does not match: {...:03} in {s:03}: the "
				  "value is no whole number\n");
	}
	models_free(m);
}

/* Any bytes but NUL, written as a word, are read as just that. */
static void words(void)
{
	static const char *const odd[] = {
		"plain", "a b", "it's", "\"q\"", "\\", "a\\b", "@in", "[x]", "...", "-x", "#c", "a#b",
		"line\nline", "\t", "'\n'", "\\\n\\", "\x01\x7f", "\xc3\xa9 \xff", "$'x'", "$HOME",
		"*?[", "k=@in", "import x; x.main('a', \"b\")\nprint(1)\n", "~", "{x}",
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		const char *args[] = { "python3", "-c", odd[i], "--seed=3" };
		const char *other[] = { "t", odd[i], NULL };
		struct buf text = { 0 };
		struct models *m;

		buf_str(&text, "python3 -c ");
		model_word(&text, odd[i]);
		buf_str(&text, " --seed=@\n\tmakes out\nt ");
		model_word(&text, odd[i]);
		buf_str(&text, "\n\tmakes out\n");
		m = read_models(text.p);
		CHECK_STR(bind_args(m, args, 4), "gg.models:1 out>out");
		args[2] = "other";
		CHECK(strncmp(bind_args(m, args, 4), "no model", 8) == 0);
		if (odd[i][0] != '-')
			CHECK_STR(bind_args(m, other, 2), "gg.models:3 out>out");
		models_free(m);
		buf_release(&text);
	}
}

static void order_and_replacing(void)
{
	struct models *m = read_models("t by-hand @out\n");
	size_t pos = 0;
	struct model_info info;

	CHECK(!models_know(m, "u"));
	learn(m, "t", "t @ @out\nt x @ @out\n");
	learn(m, "u", "u @out\n");
	CHECK(models_know(m, "u"));
	CHECK_STR(bind(m, "t by-hand o"), "gg.models:1 out1>o");
	CHECK_STR(bind(m, "t by-learning o"), "learned t out1>o learned");
	CHECK_STR(bind(m, "t x y o"), "learned t out1>o learned");
	CHECK_STR(bind(m, "u o"), "learned u out1>o learned");
	learn(m, "t", "t --o=@out\n");
	CHECK(strstr(bind(m, "t by-learning o"), "learned t: `t` does not match: "));
	CHECK_STR(bind(m, "t --o=o"), "learned t o>o learned");
	CHECK_STR(bind(m, "u o"), "learned u out1>o learned");
	learn(m, "u", "");
	CHECK(!models_know(m, "u") && models_know(m, "t"));
	CHECK(models_each(m, &pos, &info) && !models_each(m, &pos, &info));
	models_free(m);
}

static void bad_text(void)
{
	struct models *m = read_models("");
	struct err e;

	learn(m, "python3 -c a\nb", "t @out\n");
	CHECK(models_learn(m, "python3 -c a\nb", bytes_str("t @out\n\tmem x\n"), &e) < 0);
	CHECK(e.code == ERR_BAD);
	CHECK_STR(e.text, "learned python3 -c a?b:2:6: mem x: say a number and K, M, G or T, "
		  "as in 2G");
	CHECK_STR(bind(m, "t o"), "learned python3 -c a?b out1>o learned");
	models_free(m);
}

static void values_that_are_files(void)
{
	static const char text[] = "t --tag=@ [--why=@=there.csv] [k=@] @ @out\n";
	struct models *m = read_models("");
	struct models *hand = read_models(text);

	learn(m, "t", text);
	write_at("there.csv", "1\n");
	write_at("ph", "gg-placeholder 1\n");
	mkdir(arena_printf(&arena, "%s/dir", root), 0777);
	mkdir(arena_printf(&arena, "%s/later", root), 0777);
	write_at("later/.gg-placeholder", "gg-placeholder 1\n");
	CHECK_STR(bind(m, "t --tag x y o"), "learned t out1>o learned");
	CHECK_STR(bind(m, "t --tag there.csv y o"), "learned t: `t` does not match: --tag "
		  "there.csv is a file, which the learned model does not know\n");
	CHECK(strstr(bind(m, "t --tag x there.csv o"), "there.csv is a file, which"));
	CHECK(strstr(bind(m, "t --tag x ./dir/../there.csv o"), "is a file, which"));
	CHECK(strstr(bind(m, "t k=there.csv --tag x y o"), "k there.csv is a file, which"));
	CHECK(strstr(bind(m, "t --tag ph y o"), "--tag ph is a file, which"));
	CHECK(strstr(bind(m, "t --tag later y o"), "--tag later is a file, which"));
	CHECK_STR(bind(m, "t --tag dir y o"), "learned t out1>o learned");
	CHECK_STR(bind(m, "t --tag /etc/passwd y o"), "learned t out1>o learned");
	CHECK_STR(bind(hand, "t --tag there.csv y o"), "gg.models:1 out1>o");
	learn(m, "t", "t --tag=@ @out\n\talso {tag}/last.npz\n");
	CHECK_STR(bind(m, "t --tag later o"), "learned t <later/last.npz out1>o learned");
	models_free(hand);
	models_free(m);
}

static const struct test tests[] = {
	{ "updates is an optional read and a write of one path", updates },
	{ "uses names packages and files of the system", uses },
	{ "{$NAME} is a variable, and the step's; unset, nothing matches", variables },
	{ "{name:03} is a whole number to a width, however it is written", padding },
	{ "any text becomes one word that means itself", words },
	{ "learned rules come after others and are replaced by shape", order_and_replacing },
	{ "a bad learned text changes nothing and says where", bad_text },
	{ "a value that is a file of the project fits no learned model", values_that_are_files },
	{ 0 }
};

int main(void)
{
	int rc;

	if (!mkdtemp(root))
		return 99;
	rc = test_main(tests);
	dir_remove(AT_FDCWD, root, &(struct err){ 0 });
	arena_release(&arena);
	return rc;
}
