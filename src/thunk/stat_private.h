/* stat_private.h - what stat.c offers stat_tree.c */
#ifndef GG_STAT_PRIVATE_H
#define GG_STAT_PRIVATE_H

#include "store_private.h"

/* A file, and what stat says of it. */
struct named {
	const char *path;
	int open_flags;         /* O_NOFOLLOW or 0 */
	struct stat st;
};

/* As stat_name; f->st is filled and is what the name holds for. */
int stat_name_of(struct store *s, int dirfd, struct named *f, unsigned flags,
		 struct id *out, struct err *e);

/* What a failed call on an input means. */
int stat_fail(int errnum, const char *path, struct err *e);

#endif
