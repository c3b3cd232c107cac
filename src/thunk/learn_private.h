/* learn_private.h - a model while it is derived
 *
 * facts.c says what in a sighting must be explained, call.c takes its
 * arguments apart, generalise.c builds paths out of values, plan.c explains
 * fact by fact, notation.c writes the model down, prove.c holds it against
 * each sighting; learn.c joins them.
 */
#ifndef GG_LEARN_PRIVATE_H
#define GG_LEARN_PRIVATE_H

#include "learn.h"
#include "pattern.h"

/* What a sighting did to one path and a model must say. */
enum fact_kind {
	FACT_READ,
	FACT_TREE,              /* a folder and all in it is read */
	FACT_ABSENT,            /* would have been read */
	FACT_WRITE,
	FACT_MADE,              /* a folder that was not there before */
	FACT_UPDATE,
};

struct fact {
	const char *path;       /* from the root, or absolute */
	enum fact_kind kind;
	bool is_done;           /* some line of the model says it */
};

/* A word of the command that belongs to a slot. */
struct given {
	size_t slot;
	const char *text;       /* NULL: an option without a value */
	const char *path;       /* what it names, as a path: as in facts */
};

/* One sighting while a model is derived.  Facts are in order of path. */
struct view {
	const struct sighting *s;
	const char *root, *cwd; /* cwd from the root, or "." */
	struct head head;
	const char *script;     /* as spelled, or NULL */
	const char *script_path;        /* as in facts, or NULL */
	struct given *v;
	struct fact *facts;
	const char **named;     /* what its words may name, whole paths */
	size_t n, n_facts, n_named;
};

/* An option or a positional of the pattern. */
struct slot {
	const char *name;       /* with dashes; NULL: a positional */
	const char *ref;        /* what {} calls it, or NULL: cannot be named */
	const char *literal;    /* a positional that must stand there */
	const char *fallback;   /* what its absence was seen to mean */
	enum hole hole;         /* HOLE_NONE: an option without value */
	bool is_dir, has_commas, repeats, is_key, may_miss;
	bool is_any;            /* a file that it named was left alone */
};

/* One line of the model's properties. */
enum rule_kind { RULE_ALSO, RULE_OPTIONAL, RULE_MAKES, RULE_UPDATES, RULE_KINDS };

struct rule {
	enum rule_kind kind;
	const char *text;       /* a template */
};

struct plan {
	struct arena *a;
	struct view *views;
	struct slot *slots;
	struct rule *rules;
	const char **uses;
	size_t n_views, n_slots, n_rules, n_uses;
	size_t n_strays;        /* reads that only some sightings had */
	bool has_no_folders;    /* outputs are named file by file */
};

/* src/thunk/facts.c */
struct view view_of(const struct sighting *s, struct arena *a);
struct fact *fact_at(const struct view *v, const char *path);
/* The path that a word names, as facts have it; NULL for the empty word. */
const char *view_path(const struct view *v, const char *word, struct arena *a);
/* What s did at a path, 0 if nothing. */
unsigned sighting_deeds(const struct sighting *s, const char *path);
/* Does this folder of the project belong to Python's or somebody's caches, so
 * that what is written there counts for nothing? */
bool path_is_cache(const char *path);
/* The paths outside the project that s used and no argument names, and those
 * it asked for in vain, added to out; borrowed. */
void learn_system(const struct sighting *s, struct arena *a, struct strs *out);
const char *path_folder(struct arena *a, const char *path);
/* Is this variable one that says only where or for whom a command runs? */
bool env_is_local(const char *name_value);
/* Is it one that shapes what programs compute, whoever set it? */
bool env_is_known(const char *name_value);
/* Is it TMPDIR, in which what has a name by chance counts for nothing? */
bool env_is_tmpdir(const char *name_value);

/* src/thunk/folders.c: put folders in the place of very many facts in them. */
void folders_fold(struct view *v, struct arena *a);

/* src/thunk/imports.c: add to s what Python would have imported from the
 * project had it been there, from the programs as they are now. */
void imports_add(struct sighting *s, struct arena *a);
/* How many bytes from p on are letters, digits or _. */
size_t word_length(const char *p, const char *end);

/* src/thunk/globs.c: add to s the patterns by which it looked for files beside
 * its modules, from the folders as they are now. */
void globs_add(struct sighting *s, struct arena *a);
/* The patterns of all views as words for also, added to out. */
void globs_list(const struct plan *p, struct strs *out);
/* Is path one of those that s read by a pattern? */
bool glob_holds(const struct sighting *s, const char *path);

/* src/thunk/call.c: the slots of all views, and which words they took. */
int plan_call(struct plan *p, struct err *e);
/* The last value given for a slot, or NULL. */
const char *view_value(const struct view *v, size_t slot);

/* src/thunk/generalise.c */
struct candidate {
	const char *text;       /* a template */
	int cost;
	unsigned n_refs;        /* how many values it is built of */
};
enum { CANDIDATES_MAX = 256 };
/* Templates that give the path of f in v, cheapest first; at least one. */
size_t candidates_of(const struct plan *p, const struct view *v,
		     const struct fact *f, struct candidate *out);
/* What a template means in v, as a path of facts; NULL if one of its values
 * is absent there. */
const char *candidate_path(const struct plan *p, const struct view *v,
			   const char *text);

/* src/thunk/plan.c: holes of slots, and rules for all facts. */
int plan_make(struct plan *p, struct err *e);

/* src/thunk/notation.c */
int notation_write(const struct plan *p, struct buf *text, struct err *e);

/* src/thunk/prove.c: does the text say of each sighting what it did? */
int learn_prove(const struct sighting *v, size_t n, struct bytes text,
		struct err *e);

/* src/thunk/learn.c: learn_derive with the system files as the closure has
 * them. */
int learn_text(const struct sighting *v, size_t n, const struct strs *uses,
	       struct buf *text, struct err *e);
/* How a command calls its program: the options given, the words that are no
 * values. */
const char *learn_way(const struct sighting *s, struct arena *a);

/* src/thunk/grounds.c: a record of what a refusal rests on, in its entries, lent
 * from the text.  A file's has its path from GROUNDS_PATH on.  False: it is none. */
enum { GROUNDS_WAYS = 16, GROUNDS_FILES = 64, GROUNDS_PATH = 1 + 64 };
struct grounds {
	bool is_quiet;
	const char *ways[GROUNDS_WAYS];
	const char *files[GROUNDS_FILES];
	size_t n_ways, n_files;
};
bool grounds_read(struct bytes text, struct grounds *g);
/* Forget what the shape's refusal rests on. */
int learned_stands_no_more(struct store *st, const char *shape, struct err *e);

/* src/thunk/sighting.c: a shape's record as text.  code: for each sighting the
 * name of the programs of the project that it read, all zeros if unknown. */
struct record {
	struct learned l;
	struct id *code;
};
void record_write(const struct record *r, struct buf *out);
/* All but the sightings, which are hundreds of lines each. */
int record_read_head(struct bytes text, struct arena *a, struct record *out,
		     struct err *e);
int record_read(struct bytes text, struct arena *a, struct record *out,
		struct err *e);

#endif
