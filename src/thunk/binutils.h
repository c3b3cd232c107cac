/* binutils.h - built-in models of ar, ranlib, ld, strip and objcopy; binutils.c */
#ifndef GG_BINUTILS_H
#define GG_BINUTILS_H

#include "builtin.h"

/* All as struct builtin's bind. */
enum match ar_bind(const struct command *c, struct arena *a,
		   struct binding *out, struct buf *why);
enum match ranlib_bind(const struct command *c, struct arena *a,
		       struct binding *out, struct buf *why);
enum match ld_bind(const struct command *c, struct arena *a,
		   struct binding *out, struct buf *why);
enum match strip_bind(const struct command *c, struct arena *a,
		      struct binding *out, struct buf *why);
enum match objcopy_bind(const struct command *c, struct arena *a,
			struct binding *out, struct buf *why);

#endif
