/* lock.h - gg.lock: what each output is, and which thunk makes it; src/thunk/lock.c
 *
 * To be committed beside the script, and to be read in a diff:
 *
 *     gg-lock 1
 *     out PATH value|tree ID THUNK OUTPUT COMMAND
 *
 * one line for each output, sorted by path, each path once; fields and escapes
 * as in thunk.h.  It has one spelling.  COMMAND is for people, and for machines
 * that do not know the thunk: its command line.
 */
#ifndef GG_LOCK_H
#define GG_LOCK_H

#include "thunk.h"

#define LOCK_FILE "gg.lock"
enum { LOCK_COMMAND_WIDTH = 1000 };       /* as far as it is written */

struct lock_entry {
	const char *path;               /* plain */
	struct ref value;               /* REF_VALUE or REF_TREE */
	struct placeholder ph;          /* which output of which thunk */
	const char *command;
};

struct lock {
	struct lock_entry *v;           /* by path */
	size_t n;
};

/* Append the text; v is in order, each path once. */
void lock_encode(const struct lock *l, struct buf *out);
/* What *out holds lives in a.  ERR_BAD names the line. */
int lock_decode(struct bytes text, struct arena *a, struct lock *out, struct err *e);
/* The entry of a path, or NULL. */
const struct lock_entry *lock_find(const struct lock *l, const char *path);

#endif
