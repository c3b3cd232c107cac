/* question.h - one command while it becomes a thunk
 *
 * question.c makes the thunk; infer.c puts placeholders where its outputs are
 * to be, adopt.c keeps the outputs that stand there.
 */
#ifndef GG_QUESTION_H
#define GG_QUESTION_H

#include "gather.h"

struct question {
	struct gather g;
	struct binding b;
	struct thunk t;
	struct output *out;             /* t.out, writable */
	struct buf *why;
	struct buf text;
	const char *reason;             /* why it runs for real, once it is asked */
	const struct infer_ran *ran;    /* not NULL: it has run */
	const struct strs *made;        /* it has run, and made these: sorted
					 * paths from the root.  NULL: none */
};

/* Hold the command of q->g against the models; q->b is filled. */
enum match question_match(struct question *q);
/* Where q->t reads what has a name of chance, let it have one of gg's (temporary.c). */
void question_name_temporary(struct question *q);
/* Make q->t, a bound command's thunk.  *v is INFER_DEFERRED when that was done,
 * INFER_HELPER, or INFER_REAL with the reason in q->why; -1 with *e, and with
 * q->g.must_force when a placeholder stands in the way. */
int question_thunk(struct question *q, enum infer_verdict *v, struct err *e);
/* Keep the text of q->t as it is now: its name. */
int question_encode(struct question *q, struct id *id, struct err *e);
/* Is this output one that the command updates in place? */
bool question_updates(const struct question *q, const struct output *o);
/* Whoever remembers is told of those: before what is there goes. */
void question_tell_updates(const struct question *q);
/* Has the command, which has run, made what is at path? */
bool question_made(const struct question *q, const char *path);
/* Tell what the model says of where and when to run it. */
void question_hint(const struct question *q, const struct id *thunk);
/* INFER_REAL, and the reason in q->reason and q->why. */
enum infer_verdict question_real(struct question *q, const char *reason);
void question_release(struct question *q);

#endif
