/* lay.h - a stored value written out as new files; src/thunk/lay.c */
#ifndef GG_LAY_H
#define GG_LAY_H

#include <time.h>
#include "store.h"

struct lay {
	struct store *store;
	int dirfd;
	const struct timespec *mtime;   /* what the files get; NULL: now */
	struct id *missing;             /* NULL or where a gone object is named */
};

/* Fill the new empty file fd with the object and give it its time. */
int lay_file(const struct lay *l, int fd, const struct id *id, struct err *e);
/* Fill the new empty directory at path with the tree; the stat cache learns
 * every file.  Errors of both: ERR_MISSING with *missing, ERR_IO, ERR_BAD if
 * the stored tree breaks a rule. */
int lay_tree(const struct lay *l, const char *path, const struct id *id,
	     struct err *e);

#endif
