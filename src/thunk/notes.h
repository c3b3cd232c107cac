/* notes.h - looks that programs note themselves, in place of a stop each
 *
 * src/thunk/notes.c (which program gets the library, and what it noted),
 * inside/notes_inside.c (the library, which runs in those programs).
 */
#ifndef GG_NOTES_H
#define GG_NOTES_H

#include "tracee.h"

struct notes;

/* For a project at root.  NULL if this cannot be had; all goes by stops then. */
struct notes *notes_new(const char *root);
void notes_free(struct notes *n);
/* Where calls are made that the filter lets by; 0 for NULL. */
uint64_t notes_gate(const struct notes *n);

/* Any thread; n may be NULL.  Does c ask for something of gg's own that was
 * promised to its process?  Then it has been answered. */
bool notes_answer(struct notes *n, int listener, const struct call *c);
/* c is an execve. */
void notes_exec(struct notes *n, const struct call *c);
/* From now on every look stops: a program is about to forbid itself calls, and
 * the library makes some that the program itself would not. */
void notes_stop(struct notes *n);
/* In place of letting c happen, once it has been told of: it may be the
 * loader's question for libraries to put first.  False: it is not. */
bool notes_offer(struct notes *n, int listener, const struct call *c);

/* Is there so much that it should be taken soon?  Anything at all? */
bool notes_are_many(const struct notes *n);
bool notes_are_there(const struct notes *n);
/* Tell each note, in order: kind, pid, path, is_late, error.  Any thread; what
 * other threads had begun to tell has been told on return.  NULL, or why
 * nothing may be concluded from what was told. */
const char *notes_take(struct notes *n, void (*tell)(void *arg, const struct trace_event *ev),
		       void *arg);
/* At the end: is something left that cannot be read? */
bool notes_are_lost(const struct notes *n);

#endif
