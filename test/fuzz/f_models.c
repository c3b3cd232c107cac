/* f_models.c - gg.models and a command line out of any bytes
 *
 * Up to the first NUL the input is gg.models, each piece after it is one
 * argument.  What matches must keep the promises of model.h, also when the
 * same text is taken for a learned one, and any argument written as a word is
 * read as itself.
 */
#include <stdlib.h>
#include <string.h>
#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(const struct binding *b)
{
	if (!b->rule)
		abort();
	for (size_t i = 0; i < b->n_reads; i++)
		if (!*b->reads[i].path)
			abort();
	for (size_t i = 0; i < b->n_updates; i++) {
		size_t k = 0;

		while (k < b->n_writes && strcmp(b->writes[k].path, b->updates[i]) != 0)
			k++;
		if (k == b->n_writes)
			abort();
	}
	for (size_t i = 0; i < b->n_writes; i++) {
		size_t len = strlen(b->writes[i].name);

		if (!len || len > 255 || !*b->writes[i].path)
			abort();
		for (size_t k = 0; k < i; k++)
			if (strcmp(b->writes[i].name, b->writes[k].name) == 0 ||
			    strcmp(b->writes[i].path, b->writes[k].path) == 0)
				abort();
	}
}

static void match(const struct models *m, const struct strs *args)
{
	static const char *env[] = { "OMP_NUM_THREADS=1", "A=", "B", NULL };
	struct command c = { .args = args->v, .n_args = args->n, .env = env, .n_env = 3,
			     .cwd = "/nonexistent/root/sub", .root = "/nonexistent/root" };
	struct arena a = { 0 };
	struct buf why = { 0 };
	struct binding with, without;
	enum match found;

	c.program = arena_printf(&a, "/bin/%s", args->v[0]);
	found = models_match(m, &c, &a, &with, &why);
	if (found != models_match(m, &c, &a, &without, NULL))
		abort();
	if (found != MATCH_NONE && (!why.n || why.p[why.n - 1] != '\n'))
		abort();
	if (found == MATCH_BOUND)
		check(&with);
	if (found == MATCH_BOUND && (with.n_reads != without.n_reads ||
				     with.n_writes != without.n_writes))
		abort();
	buf_release(&why);
	arena_release(&a);
}

/* As the one literal behind a program: a pattern that the command matches. */
static void write_word(const char *word)
{
	const char *args[] = { "t", word };
	struct command c = { .program = "/t", .args = args, .n_args = 2, .cwd = "/" };
	struct arena a = { 0 };
	struct buf text = { 0 };
	struct models *m;
	struct binding b;
	struct err e;

	buf_str(&text, "t ");
	model_word(&text, word);
	buf_str(&text, "\n\tmakes o\n");
	if (models_new(buf_bytes(&text), "gg.models", &m, &e) < 0)
		abort();
	if (*word != '-' && models_match(m, &c, &a, &b, NULL) != MATCH_BOUND)
		abort();
	models_free(m);
	buf_release(&text);
	arena_release(&a);
}

static void learn(struct bytes text, const struct strs *args)
{
	struct models *m;
	struct err e;

	if (models_new((struct bytes){ 0 }, "gg.models", &m, &e) < 0 ||
	    models_learn(m, "shape", text, &e) < 0 || models_learn(m, "other", text, &e) < 0 ||
	    models_learn(m, "shape", (struct bytes){ 0 }, &e) < 0)
		abort();
	match(m, args);
	models_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a = { 0 };
	const char *text = arena_strn(&a, (const char *)p, n);
	size_t n_text = strlen(text);
	struct strs args = { 0 };
	struct models *m;
	struct err e;

	if (models_new((struct bytes){ text, n_text }, "gg.models", &m, &e) == 0) {
		for (const char *s = text + n_text + 1; s < text + n; s += strlen(s) + 1)
			strs_add(&args, s);
		if (args.n) {
			models_know(m, args.v[0]);
			match(m, &args);
			write_word(args.v[args.n - 1]);
			learn((struct bytes){ text, n_text }, &args);
		}
		models_free(m);
	}
	strs_release(&args);
	arena_release(&a);
	return 0;
}
