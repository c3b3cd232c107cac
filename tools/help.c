/* help.c - help texts, man pages and completion, all from the tables */
#include <fcntl.h>
#include <string.h>
#include "file.h"
#include "gg.h"
#include "help.h"
#include "wrap.h"

enum { OPTION_COLUMN = 23 };

static void option_text(const struct option_row *r, char *out, size_t n)
{
	char letter[8] = "";

	if (r->letter)
		snprintf(letter, sizeof letter, "-%c, ", r->letter);
	snprintf(out, n, "%s--%.*s%s%s", letter, option_name(r), r->key,
		 r->arg ? "=" : "", r->arg ? r->arg : "");
}

static void help_all(void)
{
	printf("usage: gg COMMAND [OPTION...] [ARG...]\n\n"
	       "Training commands become thunks; forcing makes their outputs real.\n\n");
	for (const struct verb *v = verbs; v->name; v++)
		if (!(v->needs & HIDDEN))
			printf("  %-11s %s\n", v->name, v->help);
	printf("\ngg COMMAND --help says more; gg help models the notation of gg.models, gg help\n"
	       "engines where thunks may run, gg help remotes where objects may rest, gg help\n"
	       "events what --json prints of a run.\n"
	       "Exit status: 0 fine; 1 a thunk or the script failed, or what was made differs\n"
	       "from what gg verify, gg.lock or gg diff hold it against; 2 usage; 3 the store\n"
	       "or the machine.\n");
}

static void help_notation(const struct notation *n)
{
	for (; n->name || n->text; n++) {
		if (n->name && n->text) {
			int at = printf("  %-17s", n->name);

			at += at <= 20 ? printf(" ") : 0;
			print_wrapped(n->text, 20, at);
			continue;
		}
		putchar('\n');
		if (n->name || n->text[0] == ' ')
			puts(n->name ? n->name : n->text);
		else
			print_wrapped(n->text, 0, 0);
	}
}

static void help_models(void)
{
	printf("gg.models: what commands read and write\n");
	help_notation(notation);
}

static void help_events(void)
{
	printf("events: what happened in a run, one JSON object a line\n");
	help_notation(events);
}

static const struct {
	const char *name;
	void (*print)(void);
} topics[] = {
	{ "models", help_models },
	{ "engines", engines_help },
	{ "remotes", remotes_help },
	{ "events", help_events },
};

void help_verb(const struct verb *v)
{
	char text[80];

	printf("usage: gg %s%s%s%s\n\n", v->name, *v->options ? " [OPTION...]" : "",
	       *v->args ? " " : "", v->args);
	print_wrapped(v->help, 0, 0);
	print_wrapped(v->more, 0, 0);
	putchar('\n');
	for (const struct option_row *r = option_rows; r->key; r++) {
		if (!option_is_of(v, r))
			continue;
		option_text(r, text, sizeof text);
		print_wrapped(r->help, OPTION_COLUMN, printf("  %-20s ", text));
	}
}

int cmd_help(struct ctx *c, int argc, char **argv, struct err *e)
{
	const struct verb *v;

	(void)c;
	if (!argc) {
		help_all();
		return EXIT_FINE;
	}
	for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
		if (strcmp(argv[0], topics[i].name) == 0) {
			topics[i].print();
			return EXIT_FINE;
		}
	v = verb_find(argv[0]);
	if (!v || (v->needs & HIDDEN))
		return err_set(e, ERR_USAGE, "there is no command \"%s\"; see gg help",
			       argv[0]);
	help_verb(v);
	return EXIT_FINE;
}

/* Troff takes a leading dot or quote as a request, and - as a hyphen. */
static void troff(struct buf *b, const char *s)
{
	if (*s == '.' || *s == '\'')
		buf_str(b, "\\&");
	for (; *s; s++) {
		if (*s == '-' || *s == '\\')
			buf_char(b, '\\');
		buf_char(b, *s);
	}
}

static void man_options(struct buf *b, const struct verb *v)
{
	char text[80];

	buf_str(b, ".SH OPTIONS\n");
	for (const struct option_row *r = option_rows; r->key; r++) {
		if (!option_is_of(v, r))
			continue;
		option_text(r, text, sizeof text);
		buf_str(b, ".TP\n.B ");
		troff(b, text);
		buf_char(b, '\n');
		troff(b, r->help);
		buf_char(b, '\n');
	}
}

static void man_verb(struct buf *b, const struct verb *v)
{
	buf_printf(b, ".TH GG\\-%s 1 \"\" gg\n.SH NAME\ngg\\-%s \\- ", v->name, v->name);
	troff(b, v->help);
	buf_printf(b, "\n.SH SYNOPSIS\n.B gg %s\n", v->name);
	if (*v->options)
		buf_str(b, "[OPTION...] ");
	troff(b, v->args);
	buf_str(b, "\n.SH DESCRIPTION\n");
	troff(b, *v->more ? v->more : v->help);
	buf_char(b, '\n');
	man_options(b, v);
	buf_str(b, ".SH EXIT STATUS\n0 fine, 1 a thunk failed, or what was made "
		   "differs, 2 usage, 3 the store or the machine; of infer, run and learn "
		   "else that of the script.\n.SH SEE ALSO\n.BR gg (1)\n");
}

static void man_notation(struct buf *b, const char *name, const char *title,
			 const struct notation *n)
{
	buf_str(b, ".TH ");
	troff(b, name);
	buf_str(b, " 5 \"\" gg\n.SH NAME\n");
	troff(b, name);
	buf_printf(b, " \\- %s\n.SH DESCRIPTION\n", title);
	for (; n->name || n->text; n++) {
		bool is_example = !n->name && n->text[0] == ' ';

		buf_str(b, n->name ? n->text ? ".TP\n.B " : ".SH " :
			is_example ? ".nf\n" : ".PP\n");
		if (n->name) {
			troff(b, n->name);
			buf_char(b, '\n');
		}
		if (n->text) {
			troff(b, n->text);
			buf_str(b, is_example ? "\n.fi\n" : "\n");
		}
	}
	buf_str(b, ".SH SEE ALSO\n.BR gg (1)\n");
}

static void man_all(struct buf *b)
{
	buf_str(b, ".TH GG 1 \"\" gg\n.SH NAME\ngg \\- thunks out of training commands, "
		   "forced when wanted\n.SH SYNOPSIS\n.B gg\nCOMMAND [OPTION...] [ARG...]\n"
		   ".SH COMMANDS\n");
	for (const struct verb *v = verbs; v->name; v++) {
		if (v->needs & HIDDEN)
			continue;
		buf_printf(b, ".TP\n.BR gg\\-%s (1)\n", v->name);
		troff(b, v->help);
		buf_char(b, '\n');
	}
	buf_str(b, ".SH ENVIRONMENT\n.TP\n.B GG_DIR\nthe store, instead of the .gg found by "
		   "walking up\n.TP\n.B GG_ENGINE, GG_REMOTE\nas \\-\\-engine and "
		   "\\-\\-remote, with spaces between\n.TP\n.B GG_KEY\nthe file of your "
		   "secret key, instead of ~/.config/gg/key\n.TP\n"
		   ".B GG_STATUS\nhow often a line says how far things are where there is no "
		   "terminal: 1m, 0 for never (30s at first, then more and more seldom)\n.TP\n"
		   ".B GG_HTTP_USER, GG_HTTP_PASSWORD\nfor remotes over HTTP\n.TP\n"
		   ".B NO_COLOR\nno colour, also on a terminal\n"
		   ".SH FILES\n.TP\n.B .gg\nthe store, at the project's root\n.TP\n"
		   ".B gg.models\nwhat commands read and write\n");
}

static int man_write(const char *dir, const char *name, struct buf *b, struct err *e)
{
	char path[4096];
	int rc;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	rc = file_write(AT_FDCWD, path, buf_bytes(b), 0644, 0, e);
	buf_reset(b);
	return rc;
}

static int man_pages(const char *dir, struct buf *b, struct err *e)
{
	char name[80];

	man_all(b);
	if (man_write(dir, "gg.1", b, e) < 0)
		return -1;
	man_notation(b, "gg-models", "what commands read and write", notation);
	if (man_write(dir, "gg-models.5", b, e) < 0)
		return -1;
	man_notation(b, "gg-events", "what happened in a run", events);
	if (man_write(dir, "gg-events.5", b, e) < 0)
		return -1;
	for (const struct verb *v = verbs; v->name; v++) {
		if (v->needs & HIDDEN)
			continue;
		man_verb(b, v);
		snprintf(name, sizeof name, "gg-%s.1", v->name);
		if (man_write(dir, name, b, e) < 0)
			return -1;
	}
	return 0;
}

int cmd_man(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct buf b = { 0 };
	int rc;

	(void)c;
	if (argc != 2)
		return err_set(e, ERR_USAGE, "gg _man takes one folder");
	rc = dir_make(AT_FDCWD, argv[1], e);
	if (rc == 0)
		rc = man_pages(argv[1], &b, e);
	buf_release(&b);
	return rc < 0 ? -1 : EXIT_FINE;
}

int cmd_completion(struct ctx *c, int argc, char **argv, struct err *e)
{
	(void)c;
	(void)argc;
	(void)argv;
	(void)e;
	printf("_gg() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]}\n"
	       "\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\tCOMPREPLY=($(compgen -W '");
	for (const struct verb *v = verbs; v->name; v++)
		if (!(v->needs & HIDDEN))
			printf("%s ", v->name);
	printf("' -- \"$word\"))\n\t\treturn\n\tfi\n\tcase $verb in\n");
	for (const struct verb *v = verbs; v->name; v++) {
		if (v->needs & HIDDEN)
			continue;
		printf("\t%s) [ \"${word:0:1}\" = - ] && COMPREPLY=($(compgen -W '", v->name);
		for (const struct option_row *r = option_rows; r->key; r++)
			if (option_is_of(v, r))
				printf("--%.*s ", option_name(r), r->key);
		printf("' -- \"$word\")) ;;\n");
	}
	printf("\tesac\n}\ncomplete -o default -F _gg gg\n");
	return EXIT_FINE;
}
