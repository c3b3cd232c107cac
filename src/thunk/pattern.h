/* pattern.h - a hand-written model as it is kept in memory
 *
 * words.c cuts lines into words, head.c knows how a command begins, pattern.c
 * takes a pattern line apart, property.c the lines below it, model.c the whole
 * text; template.c fills {templates}; match.c finds the model for a command,
 * args.c shares the arguments out, bind.c says what that gives.
 */
#ifndef GG_PATTERN_H
#define GG_PATTERN_H

#include <stdatomic.h>
#include "model.h"

/* A word of a line, its quotes taken off.  quoted_at: bytes from here on
 * stood in quotes or behind a backslash and mean only themselves.  at: where
 * in the line it begins. */
struct word {
	const char *s;
	size_t quoted_at, at;
};

/* bad: when something is wrong, the word that it is about. */
struct words {
	struct word *v;
	size_t n, bad;
};

/* Cut a line as a shell would, without expanding anything; a # that begins a
 * word begins a comment.  NULL, or what is wrong. */
const char *words_split(struct bytes line, struct arena *a, struct words *out);

/* How a command begins: the program, and for an interpreter what it is to run. */
enum head_kind {
	HEAD_PROGRAM,           /* its arguments follow at once */
	HEAD_SCRIPT,            /* script is a path */
	HEAD_MODULE,            /* script is a module's name (python3 -m) */
	HEAD_CODE,              /* args[at] is program text (sh -c) */
};

struct head {
	const struct interpreter *interpreter;  /* NULL: it is none */
	enum head_kind kind;
	const char *script;
	size_t at;              /* of the script or the code among the words */
	size_t rest;            /* where its own arguments begin */
};

/* The head of a command of n words, called by this base name. */
struct head head_of(const char *base, const char *const *words, size_t n);
/* Is a program of this base name an interpreter? */
bool head_is_interpreter(const char *base);
/* Does a path look like a script by its suffix (.py, .sh)? */
bool head_is_script(const char *path);
/* Or like settings (.yaml, .json, .ini)? */
bool head_is_settings(const char *path);
/* Does the pattern's program name fit this base name: versions aside? */
bool head_name_fits(const char *pattern, const char *base);
/* A number that names which head_name_fits call alike also share. */
uint32_t head_hash(const char *base);

enum hole {
	HOLE_NONE,              /* a literal, or an option without value */
	HOLE_ANY,
	HOLE_IN,
	HOLE_OUT,
};

struct value {
	enum hole hole;
	bool is_dir;
	bool has_commas;        /* a,b,c: three */
	bool is_any;            /* HOLE_ANY: also what a file is called */
	bool repeats;           /* all words up to the next option */
	const char *fallback;   /* what the program takes when it is absent */
};

struct option {
	const char *label;      /* its long name without dashes */
	size_t first_name;      /* among the model's names: what to call it */
	struct value value;
	bool may_miss;          /* stood in [ ] */
	bool is_key;            /* name=value without dashes */
	bool is_aside;          /* no part of the name */
};

struct option_name {
	const char *s;          /* with its dashes */
	size_t n;
	size_t option;
};

struct positional {
	const char *literal;    /* NULL: a hole */
	bool is_script;         /* a literal that is a path and a read */
	bool may_miss;
	struct value value;
};

enum path_kind { PATH_ALSO, PATH_OPTIONAL, PATH_MAKES, PATH_UPDATES };

struct model_path {
	enum path_kind kind;
	const char *text;       /* with {templates} */
	bool is_dir, is_glob;
};

struct model {
	const char *rule, *pattern;
	const char *program;    /* with a slash: tidied, from the root */
	uint32_t program_hash, script_hash;     /* script_hash 0: none */
	struct head head;       /* script NULL: the first hole is it */
	struct option *options;
	struct option_name *names;
	struct positional *positionals;
	size_t n_options, n_names, n_positionals, n_needed;
	bool has_repeat;        /* a positional repeats */
	bool has_rest;          /* "...": what it does not name is a value */
	bool has_digit_options; /* -3 is an option, not a number */

	struct model_path *paths;
	const char **env, **uses;
	size_t n_paths, n_env, n_uses;
	const char **resume, **state;   /* templates; resume[0] is the path */
	size_t n_resume, n_state;
	struct hints hints;
	bool uses_network, has_lists, has_no_short_forms, is_never;
	bool has_aside;         /* one of its options is */
	bool is_learned;        /* strict: a value may be no file */
};

/* What one text says. */
struct rules {
	struct rules *older;    /* among all that models_learn() read */
	const char *shape;      /* NULL: gg.models itself */
	struct arena a;
	struct model *v;
	size_t n;
	bool has_scripts;       /* a program may be a script: any interpreter */
};

/* The rules that hold; the hand-written ones are the first. */
struct rule_set {
	struct rule_set *older;
	size_t n;
	const struct rules *v[];
};

/* models_know() may look from any thread while models_learn() goes on: a set
 * never changes, and what was replaced lives until models_free(). */
struct models {
	struct rules own;
	struct rules *learned;
	_Atomic(struct rule_set *) now;
};

/* A text of models while it is read. */
struct source {
	struct rules *rules;
	struct arena *a;
	struct model *m;        /* the one that is being read */
	const char *name;
	size_t line;
};

/* Take a pattern line's words apart into *m, which is zeroed.  NULL, or what
 * is wrong and the remedy, from a; then w->bad is filled. */
const char *pattern_read(struct words *w, struct arena *a, struct model *m);
/* The same for a line below it: a property of s->m. */
const char *property_read(struct source *s, struct words *w);
/* Which option has this name (with its dashes), or NULL. */
const struct option_name *pattern_name(const struct model *m, const char *s,
				       size_t n);

/* {NAME} and {NAME:HOW:HOW} in a text.  value() gives what NAME stands for,
 * or NULL; then *missing is NAME and the whole is NULL.  It is NULL, too, if
 * HOW cannot be had of the value: is_unfit, and *missing is HOW.  escapes: a
 * value is to mean itself in a glob. */
struct template {
	const char *(*value)(void *arg, struct bytes name);
	void *arg;
	bool escapes, is_unfit;
	struct bytes missing;
};
const char *template_fill(struct template *t, const char *text,
			  struct arena *a);
/* NULL, or what is wrong with the text as a template for m. */
const char *template_check(const struct model *m, const char *text,
			   struct arena *a);

/* One attempt to bind a command to a model. */
struct fit {
	const struct model *m;
	const struct command *c;
	struct arena *a;
	struct binding *b;
	struct buf *why;        /* or NULL */
	struct head head;       /* of the command */
	const char **args;      /* lists taken in */
	size_t n_args, at;      /* at: the next one */
	const char **words;     /* positionals */
	size_t n_words;
	const char **last;      /* by option: its last value */
	size_t *uses;           /* by option: outputs so far */
	size_t n_positional_outs;
	const char **numbered;  /* by {number}: its word or NULL */
	size_t n_numbered;
	const char *script;     /* as spelled, NULL if none */
	size_t why_at, n_notes; /* where in why this attempt begins */
};

/* Share f's arguments out among the pattern's words.  false: they do not fit. */
bool fit_args(struct fit *f);
/* Do the pattern's script and a word of the command name the same file? */
bool fit_same_script(struct fit *f, const char *pattern, const char *path);
/* Say why f fails; false. */
bool fit_no(struct fit *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* One read; the path is copied. */
struct bound_read *bind_read(struct fit *f, const char *path);
/* One value of an option (o) or of a positional (o NULL). */
bool bind_value(struct fit *f, const struct option *o, const struct value *v,
		const char *text);
/* What the properties say.  false: a template had no value. */
bool bind_properties(struct fit *f);

/* More room for one more at v[n]; from a. */
void *arena_more(struct arena *a, void *v, size_t n, size_t item_bytes);

#endif
