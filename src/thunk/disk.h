/* disk.h - what a failed call on the store's disk means; src/thunk/disk.c */
#ifndef GG_DISK_H
#define GG_DISK_H

#include "base.h"

/* Fill *e with the path, what errnum means there and what to do about it, and
 * return -1.  ERR_REFUSED where access is denied, ERR_MISSING for what is
 * absent, else ERR_IO. */
int disk_fail(int errnum, const char *path, struct err *e);

#endif
