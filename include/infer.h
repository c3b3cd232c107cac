/* infer.h - from commands that are about to run to thunks
 *
 * src/thunk/infer.c (one command), question.c (its thunk), adopt.c (one that
 * has run), gather.c (paths to inputs), machine.c (the host text), scan.c (what
 * compilers read besides).
 *
 * infer_command() sees a command before it runs and says what is to become of
 * it.  When a model explains it, the thunk is built and kept, and its outputs
 * stand as placeholders, or as real files when the result is known.
 */
#ifndef GG_INFER_H
#define GG_INFER_H

#include "model.h"
#include "place.h"

struct closure_ahead;

struct infer;

enum infer_verdict {
	INFER_REAL,             /* let it run */
	INFER_UNKNOWN,          /* let it run: no model explains it, so that
				 * one may be learned from what it does */
	INFER_DEFERRED,         /* it need not run: success */
	INFER_REFUSED,          /* it must not run: *e says why */
	INFER_HELPER,           /* run the helper first, then ask again */
	INFER_FORCE,            /* make `first` real, then ask again */
	INFER_FAILED,           /* it is known to fail (infer_opts.fails) */
};

/* What infer needs before it can go on; lives in the arena of the question.
 * For INFER_HELPER a command whose output says what a compiler reads: it runs
 * traced, so that placeholders are made real first.  For INFER_FORCE a
 * placeholder and where it stands.  A command that prints into a pipe (prints) is
 * first the former, without a path, as often as that is not known, and then
 * INFER_DEFERRED, with first as its own thunk, whose text is still to be printed. */
struct infer_helper {
	const char **args, **env;       /* NULL at their ends */
	const char *cwd;
	struct id key;                  /* for infer_helper_done */
	const char *program;            /* a probe of this program, or NULL */
	const char *search;             /* its PATH */
	const char *path;
	struct placeholder first;
	bool prints;
};

/* What a script has made under a name that is another each time, lent. */
struct temp_name {
	const char *path;               /* absolute */
	const char *suffix;             /* the end of it that is no chance */
};

enum infer_input {
	INPUT_CONTENT,          /* the file, or all that is in the folder */
	INPUT_VALUE,            /* the file; with other content the command
				 * would read and write the same paths */
	INPUT_NAMES,            /* the names in the folder */
	INPUT_ABSENT,           /* that nothing is there */
	INPUT_UPDATED,          /* whatever is there, and another thing then:
				 * the same again would give a third */
};

struct infer_opts {
	struct store *store;
	struct project *project;
	const struct models *models;
	/* Has this thunk failed already?  Then the verdict is INFER_FAILED, and
	 * nothing is put at its outputs.  NULL: none has. */
	bool (*fails)(void *arg, const struct id *thunk);
	/* Has it asked for more than its learned model says, and may do so again?
	 * Then the verdict is INFER_UNKNOWN.  NULL: none has. */
	bool (*asks_more)(void *arg, const struct id *thunk);
	/* A path of the project became an output of a thunk. */
	void (*output)(void *arg, const char *path, const struct placeholder *ph);
	/* A deferred command depends on what is at path: clean, absolute when
	 * outside. */
	void (*input)(void *arg, const char *path, enum infer_input kind);
	/* A deferred command's runtime is this closure of these uses. */
	void (*closure)(void *arg, const char *const *uses, size_t n,
			const struct id *tree);
	/* A model gave hints for a thunk. */
	void (*hints)(void *arg, const struct id *thunk, const struct hints *h);
	/* Is what a learned model says of c, b, to be seen before it is believed?
	 * Then the verdict is INFER_UNKNOWN.  NULL: never. */
	bool (*doubts)(void *arg, const struct command *c, const struct binding *b);
	/* Does this absolute path begin with such a name?  The thunk has one of
	 * gg's there.  NULL: none does. */
	bool (*temporary)(void *arg, const char *path, struct temp_name *out);
	/* c runs for real although a learned model (rule) explains it.  NULL: it
	 * is nobody's news. */
	void (*real)(void *arg, const struct command *c, const char *rule,
		     const char *why);
	void *arg;
	/* The environment gg itself was started with, NULL at its end: what a
	 * learned command's differs in belongs to its thunk.  NULL: nothing
	 * does but what its model names. */
	const char **base_env;
	/* Is this NAME=VALUE one that forcing fixes itself (run.h)? */
	bool (*env_is_fixed)(const char *name_value);
	/* The folders in which a forced program's name is looked for. */
	const char *search;
};

int infer_new(const struct infer_opts *o, struct infer **out, struct err *e);
void infer_free(struct infer *in);

/* Say what becomes of c.  why gets the lines for --explain.  helper is filled
 * for INFER_HELPER and INFER_FORCE, *e for INFER_REFUSED only. */
enum infer_verdict infer_command(struct infer *in, const struct command *c,
				 struct arena *a, struct buf *why,
				 struct infer_helper *helper, struct err *e);

/* The command has run for real and well, and what it left stands at its
 * outputs: build the thunk as infer_command would have, with the inputs as
 * they are now, keep its outputs and put its result, as if it had been forced.
 * INFER_DEFERRED, or INFER_REAL with the reason in why if that cannot be. */
struct infer_ran {
	struct strs made;               /* the paths from the root, sorted, at
					 * which nothing was before, so that it
					 * can have read nothing there */
	struct closure_ahead *ahead;    /* what was seen of its closure while it
					 * ran, or NULL (closure.h) */
	bool has_printed[3];            /* is known what it printed into a pipe, */
	struct id printed[3];           /* by its streams? */
	struct id thunk;                /* INFER_DEFERRED: filled in */
};
enum infer_verdict infer_adopt(struct infer *in, const struct command *c,
			       struct infer_ran *ran, struct arena *a,
			       struct buf *why, struct err *e);

/* The helper ended with this exit status and this output. */
void infer_helper_done(struct infer *in, const struct infer_helper *h,
		       int status, struct bytes output);

#endif
