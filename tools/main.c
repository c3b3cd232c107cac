/* main.c - from a command line to a command of the table, and its exit status
 *
 * gg has one table (gg.c), gg-worker another (gg-worker.c).
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "gg.h"
#include "printed.h"
#include "shown.h"

const struct verb *verb_find(const char *name)
{
	for (const struct verb *c = verbs; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

void note(const char *fmt, ...)
{
	struct arena a = { 0 };
	char text[4096], *line, *rest = text;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fputs("gg: ", stderr);
	while ((line = strsep(&rest, "\n")))
		fprintf(stderr, "%s\n", shown(&a, line));
	arena_release(&a);
}

static int exit_code(enum err_code code)
{
	return code == ERR_USAGE ? EXIT_USAGE : code == ERR_FAILED ? EXIT_THUNK : EXIT_STORE;
}

static int run_command(struct ctx *c, const struct verb *cmd, int argc,
		       char **argv, struct err *e)
{
	int first, rc;
	struct err late;

	if (cmd->needs & HIDDEN)
		return cmd->run(c, argc, argv, e);
	first = options_parse(c, cmd, argc, argv, e);
	if (first < 0)
		return -1;
	if (c->o.help) {
		help_verb(cmd);
		return EXIT_FINE;
	}
	if ((cmd->needs & NEED_ARGS) && first == argc)
		return err_set(e, ERR_USAGE, "gg %s needs %s; see gg %s --help",
			       cmd->name, cmd->args, cmd->name);
	rc = ctx_open(c, cmd->needs, e);
	if (rc == 0)
		rc = cmd->run(c, argc - first, argv + first, e);
	if (ctx_close(c, rc < 0 ? &late : e) < 0 && !c->has_told)
		rc = -1;
	return rc;
}

/* gg-infer and gg-force are gg infer and gg force. */
static const char *called_as(const char *argv0)
{
	const char *base = path_base(argv0);

	return strncmp(base, "gg-", 3) == 0 && verb_find(base + 3) ? base + 3 : NULL;
}

/* Leave the command's word as argv[0]. */
static const char *find_name(int *argc, char ***argv)
{
	const char *as = program.has_one_verb ? NULL : called_as(**argv);
	bool is_said = *argc > 1 && (!program.has_one_verb || verb_find((*argv)[1]) ||
				     strcmp((*argv)[1], "--version") == 0);

	if (as)
		return as;
	if (!is_said && *argc > 1)
		return program.fallback;
	--*argc;
	++*argv;
	return is_said ? (*argv)[0] : program.fallback;
}

int main(int argc, char **argv)
{
	const char *name = find_name(&argc, &argv);
	const struct verb *cmd;
	struct ctx c = { .lock_fd = -1 };
	struct err e = { 0 };
	int rc;

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0) {
		puts("gg 1");
		return EXIT_FINE;
	}
	cmd = verb_find(name);
	if (!cmd) {
		note("there is no command \"%s\"; see gg help", name);
		return EXIT_USAGE;
	}
	c.command = (const char *const *)argv;
	rc = run_command(&c, cmd, argc, argv, &e);
	if (rc < 0) {
		note("%s", e.text);
		rc = exit_code(e.code);
	}
	if (printed_end(&e) < 0 && rc == 0) {
		note("%s", e.text);
		rc = EXIT_STORE;
	}
	return rc;
}
