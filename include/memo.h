/* memo.h - remember an inference, so that it need not be made again
 *
 * src/thunk/memo.c (recording), memo_save.c (keeping), recall.c (checking),
 * memo_closure.c (closures in all three).
 *
 * What the script and the commands that ran for real saw of the file system
 * is noted with what it was; so is what they and the deferred commands left.
 * While all of that still holds, running the script again would issue the
 * same commands, and the answer is the one of last time.  An inference that
 * changed what it had read before is not remembered: it would do something
 * else the next time.
 *
 * Between memo_new and memo_free any thread may call memo_quick; all else is
 * for one thread.
 */
#ifndef GG_MEMO_H
#define GG_MEMO_H

#include "infer.h"

struct memo;

struct memo *memo_new(struct store *s, struct project *p);
void memo_free(struct memo *m);

/* A real command is about to touch path (absolute, not tidied). */
enum memo_touch {
	MEMO_LOOK,      /* is it there, of what kind, how old */
	MEMO_READ,      /* its bytes or, for a directory, its names */
	MEMO_WRITE,     /* it is made, emptied, removed or renamed */
	MEMO_UPDATE,    /* read and written */
	MEMO_TIMES,     /* dated anew; what is an output stays one */
	MEMO_ENTER,     /* gone into: each part of the way may be a link */
};
void memo_touch(struct memo *m, const char *path, enum memo_touch how);
/* The same from any thread, several at once; false if this one must be noted
 * by memo_touch() on the thread that owns the store. */
bool memo_quick(struct memo *m, const char *path, enum memo_touch how);
/* A look or a read that has happened already, or may have, is about to be told
 * by memo_quick: error is its errno, -1 if that is not known.  What stands
 * there now must be what stood there then, or this is not remembered. */
void memo_late(struct memo *m, const char *path, int error);
/* A deferred command depends on what is at path. */
void memo_input(struct memo *m, const char *path, enum infer_input kind);
/* A deferred command runs in the closure `tree` of these uses. */
void memo_closure(struct memo *m, const char *const *uses, size_t n,
		  const struct id *tree);
/* path (plain) is an output of a deferred command; a later one wins. */
void memo_output(struct memo *m, const char *path, const struct placeholder *ph);
/* Somebody read what a deferred command printed. */
void memo_read_printed(struct memo *m);
/* The output at path has been renamed to path2, or dropped (NULL). */
void memo_output_moved(struct memo *m, const char *path, const char *path2);
/* Has a command that ran for real looked at path (plain), or for the names in
 * its folder?  A pattern of a deferred one counts as well; what was joined does
 * not. */
bool memo_saw(struct memo *m, const char *path);
/* All that other noted counts as noted here, as of then; other is freed. */
void memo_join(struct memo *m, struct memo *other);
/* This inference must not be remembered, and why; the first reason stays. */
void memo_spoil(struct memo *m, const char *why);
const char *memo_spoilt(const struct memo *m);

/* Outputs that were noted, and outputs of earlier inferences that were looked
 * at and are placeholders still: what there is to force. */
struct memo_want {
	const char *path;               /* plain */
	struct placeholder ph;
};
void memo_wants(struct memo *m, struct arena *a, struct memo_want **v, size_t *n);
/* Each output that was noted. */
void memo_each(struct memo *m, void (*fn)(void *arg, const struct memo_want *w),
	       void *arg);

/* Keep it under key; the counts are for the summary.  It is no error that it
 * cannot be remembered: memo_spoilt() then says why. */
struct memo_counts {
	size_t n_thunks, n_failed;      /* all; steps that the script let fail */
};
int memo_save(struct memo *m, const struct id *key, const struct memo_counts *n,
	      struct err *e);

/* The name of an inference: command, place, environment, models. */
struct id memo_key(const struct project *p, const char **args, const char **env,
		   const char *cwd, struct bytes models);

/* Does what is remembered under key still hold?  Then 1 and the outputs that
 * are not real now; else 0 and the reason, in words.  It holds, too, when only
 * inputs of deferred commands have other content: their thunks are then made
 * anew, and so is what comes after them, as the script would. */
struct memo_recall {
	struct memo_want *wants;        /* from a */
	size_t n_wants, n_outputs;
	struct memo_counts n;
	size_t n_changed;               /* inputs that have other content now */
	const char *reason;
};
int memo_recall(struct store *s, struct project *p, const struct id *key,
		struct arena *a, struct memo_recall *out, struct err *e);

#endif
