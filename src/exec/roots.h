/* roots.h - a closure as a folder, to be the root of a program; roots.c
 *
 * Private to src/exec.
 */
#ifndef GG_ROOTS_H
#define GG_ROOTS_H

#include "store.h"

/* Make .gg/roots/ID show exactly the closure and closure_fixed, or find that it
 * does.  *fd is that folder, the caller's.  Costs a copy of what no closure
 * before had, else a look at each file (10 us).  ERR_MISSING if neither
 * the store nor this machine has some file's bytes, ERR_IO, ERR_REFUSED. */
int root_make(struct store *s, const char *store_dir, const struct id *closure,
	      int *fd, struct err *e);

#endif
