/* learn.h - models from what commands were seen to do
 *
 * src/thunk/learn.c (from sightings to a model), shape.c (which commands are
 * alike), refusal.c (which run for real), facts.c, call.c, generalise.c,
 * plan.c, notation.c, prove.c (the steps of deriving; learn_private.h says
 * which is which), sighting.c (records), learned.c (what is kept in the store),
 * grounds.c (how long a refusal stands), variables.c (names that programs ask for).
 *
 * A sighting is one command that ran for real under the tracer, and what it
 * did to each path.  Commands of one shape share a model: text in the notation
 * of gg.models, derived from all sightings of that shape together and kept
 * only if it says of each of them exactly what it did.  Where no one pattern
 * does, there are several, one for each way in which the program is called.
 *
 * Deriving reads no file; all is a function of the sightings, so that the
 * same runs teach the same model.  Only learned_add() looks at this machine: at
 * the programs of the project that a command read, to know which sightings are
 * of an older version, and at the packages of the system (closure_uses).
 */
#ifndef GG_LEARN_H
#define GG_LEARN_H

#include "model.h"
#include "store.h"

/* What became of a path; several of them may be true. */
enum deed {
	DEED_READ = 1,          /* its bytes were read, and they were there
				 * before this command wrote any */
	DEED_LISTED = 2,        /* its names, a folder's, were read */
	DEED_LOOKED = 4,        /* that it is there was asked, no more */
	DEED_ABSENT = 8,        /* it was asked for and was not there */
	DEED_WROTE = 16,        /* it is there at the end and new: made, emptied
				 * and written, or renamed to there */
	DEED_UPDATED = 32,      /* bytes that were there before were kept in
				 * part: appended to, or opened read-write */
	DEED_REMOVED = 64,      /* was there before, is not at the end */
	DEED_FOLDER = 128,      /* it is a folder; with DEED_WROTE: the command
				 * made it */
	DEED_EXECUTED = 256,    /* a program */
	DEED_NAMED = 512,       /* a word of the command is its path, and it
				 * was left alone */
	DEED_LISTED_HERE = 1024,        /* DEED_LISTED, and the folder was given from
				 * cwd, as a program does and Python, which
				 * looks for modules, does not */
	DEED_LISTED_AGAIN = 2048,       /* DEED_LISTED, and more often than Python
				 * does for modules */
	DEED_FITS = 4096,       /* no path but a pattern: all files that fit it
				 * are read */
	DEED_EXCLUSIVE = 8192,  /* with DEED_WROTE: nothing stood there when it
				 * was made (O_EXCL, mkdir) */
};

struct deed_at {
	const char *path;       /* plain inside the project, else absolute and
				 * clean */
	unsigned deeds;
};

struct sighting {
	struct command command;         /* without streams that are quiet */
	struct deed_at *v;              /* in order of path; what was made and
					 * removed again is left out */
	size_t n;
	const char **set_env;           /* NAME=VALUE: those that differ from
					 * what gg itself was started with */
	size_t n_set_env;
	double seconds;
	bool takes_files;               /* its closure: files, not packages */
	struct closure_ahead *ahead;    /* what is seen of that already, or NULL
					 * (closure.h); is not kept */
};

/* The name of c's shape: the program and, seen through an interpreter, the
 * script or module it runs.  NULL: nothing to learn; *why says why not (a
 * command of the shell's trade like cp, mkdir or make, whose effect is on the
 * folder rather than on a file).  Lives in a. */
const char *learn_shape(const struct command *c, struct arena *a, const char **why);

/* Does a shell run it?  What such a script is for is as a rule the commands
 * that it starts. */
bool learn_is_shell(const struct command *c);

/* Does an interpreter, no shell, take its program from standard input as
 * `python3 - <<END` does?  Then it has no shape. */
bool learn_is_streamed(const struct command *c);

/* Is `inner`, executed below `outer`, a part of it (a worker process, what
 * torchrun starts, a wrapper's own program), not a command in its own right? */
bool learn_is_part(const struct command *outer, const struct command *inner);

/* Why a command that did this must run for real each time, in words for
 * people ("it adds to log.csv and reads it"), or NULL.  Lives in a. */
const char *learn_refusal(const struct sighting *s, struct arena *a);
/* Does what it printed go into a file, or to a reader of what it makes of the
 * project's files?  Of what it says of other things, the time or the machine,
 * nobody should be told twice. */
bool learn_prints(const struct sighting *s);
/* What stands in path behind a place for temporary files: /tmp and its like, or what
 * TMPDIR says in these NAME=VALUE.  NULL: it does not lie there. */
const char *learn_behind_temps(const char *const *env, size_t n_env, const char *path);

/* The model of all n sightings (of one shape), oldest first, as text in the
 * notation of gg.models: one pattern or more.  ERR_REFUSED with the reason if
 * what they did follows no rule that can be written down. */
int learn_derive(const struct sighting *v, size_t n, struct buf *text, struct err *e);

/* ---- what is kept, by shape, in TABLE_LEARN */

enum { LEARN_SIGHTINGS_MAX = 8 };       /* kept of a shape; the newest, and of
					 * each way it is called at least one */

/* Variables of c's environment, NAME=VALUE and borrowed, that the project's scripts
 * and settings which s read ask for by name; added to out.  Not those that say
 * only where and for whom a command runs, and those that are known to shape
 * results anyway (variables.c). */
void learn_variables(const struct sighting *s, const struct command *c, struct arena *a,
		     struct strs *out);
/* Does its name promise something that no thunk may hold? */
bool env_is_secret(const char *name_value);

struct learned {
	const char *shape;
	struct bytes text;              /* the model */
	struct sighting *v;
	size_t n;
	uint64_t n_held, n_failed;      /* thunks that ended well by this model;
					 * that asked for more than it said */
	const char *never;              /* it must run for real: why; or NULL */
};

/* Add a sighting and derive anew.  *out, if not NULL, lives in a.
 * ERR_REFUSED as learn_derive: then the shape is kept as one that must run for
 * real, until another sighting is added.  One of the same command takes the
 * older one's place; those of an older version of the script go when they
 * contradict.  Of the environment only what shapes the result is kept, and of
 * files outside the project that no argument names one list for the shape,
 * with the newest sighting. */
int learned_add(struct store *st, const char *shape, const struct sighting *s,
		struct arena *a, struct learned *out, struct err *e);
/* Keep that commands of this shape run for real, and why. */
int learned_never(struct store *st, const char *shape, const char *why,
		  struct err *e);
/* Does that still stand for c: its program, its options and what was read of
 * the project's programs and settings are as they were?  *is_quiet: it is
 * nobody's news (grounds.c). */
bool learned_stands(struct store *st, const char *shape, const struct command *c,
		    bool *is_quiet);
/* Keep what it rests on, beside learned_never() or a learned_add() that refused;
 * read: files of the project, from its root. */
int learned_rests_on(struct store *st, const char *shape, const struct command *c,
		     const struct strs *read, bool is_quiet, struct err *e);
/* Lives in a.  ERR_MISSING. */
int learned_get(struct store *st, const char *shape, struct arena *a,
		struct learned *out, struct err *e);
int learned_count(struct store *st, const char *shape, bool held, struct err *e);
int learned_forget(struct store *st, const char *shape, struct err *e);
int learned_each(struct store *st, int (*fn)(void *arg, const struct learned *l),
		 void *arg, struct err *e);
/* The same without what was seen and how often it held: a few lines of each
 * record in the place of hundreds. */
int learned_text(struct store *st, const char *shape, struct arena *a,
		 struct learned *out, struct err *e);
int learned_each_text(struct store *st, int (*fn)(void *arg, const struct learned *l),
		      void *arg, struct err *e);

#endif
