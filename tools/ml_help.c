/* ml_help.c - help and the manual, from the tables of commands and options */
#include <string.h>
#include "ml.h"
#include "wrap.h"

enum { INDENT = 24 };

void ml_usage(FILE *f)
{
	fprintf(f, "usage: gg-ml COMMAND [OPTION...]\n\n");
	for (const struct ml_command *c = ml_commands; c->name; c++)
		fprintf(f, "  %-9s %s\n", c->name, c->help);
	fprintf(f, "\ngg-ml COMMAND --help tells more.\n");
}

void ml_help(const struct ml_command *c)
{
	printf("usage: gg-ml %s [OPTION...]%s%s\n\n%s\n\n", c->name, *c->args ? " " : "",
	       c->args, c->help);
	print_wrapped(c->more, 0, 0);
	putchar('\n');
	for (const struct ml_option *o = ml_options; o->key; o++) {
		char left[40], letter[5] = "";

		if (!ml_option_is_of(c, o))
			continue;
		if (o->letter)
			snprintf(letter, sizeof letter, "-%c, ", o->letter);
		snprintf(left, sizeof left, "%s--%.*s%s%s", letter, ml_option_name(o), o->key,
			 o->arg ? " " : "", o->arg ? o->arg : "");
		printf("  %-*s ", INDENT - 3, left);
		print_wrapped(o->help, INDENT, INDENT);
	}
}

/* Troff takes a leading dot or quote as a request, and - as a hyphen. */
static void troff_part(const char *s, size_t n)
{
	if (n && (*s == '.' || *s == '\''))
		fputs("\\&", stdout);
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '-' || s[i] == '\\')
			putchar('\\');
		putchar(s[i]);
	}
}

static void troff(const char *s)
{
	troff_part(s, strlen(s));
}

static void man_command(const struct ml_command *c)
{
	fputs(".SS gg\\-ml ", stdout);
	troff(c->name);
	fputs(" [OPTION...] ", stdout);
	troff(c->args);
	putchar('\n');
	troff(c->help);
	fputs(".\n.PP\n", stdout);
	troff(c->more);
	putchar('\n');
	for (const struct ml_option *o = ml_options; o->key; o++) {
		if (!ml_option_is_of(c, o))
			continue;
		fputs(".TP\n.B ", stdout);
		if (o->letter)
			printf("\\-%c, ", o->letter);
		fputs("\\-\\-", stdout);
		troff_part(o->key, (size_t)ml_option_name(o));
		if (o->arg)
			printf(" %s", o->arg);
		putchar('\n');
		troff(o->help);
		putchar('\n');
	}
}

int ml_man(void)
{
	fputs(".TH GG\\-ML 1 \"\" gg\n.SH NAME\ngg\\-ml \\- train ensembles of small networks, "
	      "the same bits everywhere\n.SH SYNOPSIS\n.B gg\\-ml\nCOMMAND [OPTION...]\n"
	      ".SH COMMANDS\n", stdout);
	for (const struct ml_command *c = ml_commands; c->name; c++)
		man_command(c);
	fputs(".SH EXIT STATUS\n0 fine, 1 bad data, no room or no file, 2 usage, 75 told to end; "
	      "the state is written.\n.SH SEE ALSO\n.BR gg (1)\n", stdout);
	return fflush(stdout) == 0 ? EXIT_FINE : EXIT_FAILED;
}
