/* guess.h - why a thunk may give other bytes each time; src/exec/guess.c */
#ifndef GG_GUESS_H
#define GG_GUESS_H

#include "base.h"

/* What the first difference of two files, at offset, looks like, in words with
 * a remedy, or NULL.  now_s: when they were made, seconds since 1970, to a day. */
const char *guess_cause(struct bytes x, struct bytes y, uint64_t offset, int64_t now_s);

#endif
