/* locked.h - holding a run against gg.lock; tools/locked.c */
#ifndef GG_LOCKED_H
#define GG_LOCKED_H

#include "gg.h"
#include "lock.h"

struct locked;

/* What gg.lock says; in c->arena.  ERR_MISSING when there is none. */
int lock_read(struct ctx *c, struct lock *out, struct err *e);
/* Hold a run against gg.lock.  ERR_USAGE when there is none: what to do. */
int locked_open(struct ctx *c, struct locked **out, struct err *e);
void locked_free(struct locked *k);
/* This output is wanted: false, after a word about it, if gg.lock says that
 * another thunk makes it or does not know it. */
bool locked_allows(struct locked *k, const char *path, const struct placeholder *ph);
/* All that was wanted is there: hold the values against gg.lock.  is_all: what
 * it names and nobody wanted is an error too.  The count of what differs, told
 * of one by one. */
size_t locked_end(struct locked *k, bool is_all);
/* The command of a thunk as it stands in gg.lock; from c->arena. */
int locked_command(struct ctx *c, const struct id *thunk, const char **out, struct err *e);

#endif
