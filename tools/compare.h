/* compare.h - where two values differ; tools/compare.c */
#ifndef GG_COMPARE_H
#define GG_COMPARE_H

#include "store.h"

/* The first difference of two values, in order of path. */
struct difference {
	const char *file;       /* inside the folder, "" for a plain output */
	uint64_t offset;        /* of the first byte; the shorter one's size, if
				 * the other goes on where it ends */
	uint64_t sizes[2];
	struct bytes bytes[2];  /* all of both, lent */
	const char *what;       /* not NULL: no bytes, but this: "is only in the
				 * first", "is executable in one only" */
};

/* 1 and *out (in a) if they differ, 0, or -1: ERR_MISSING if bytes are gone. */
int compare_values(struct store *s, const struct ref *x, const struct ref *y,
		   struct arena *a, struct difference *out, struct err *e);

/* Write a value at path, absent so far, for people to look at. */
int compare_keep(struct store *s, const struct ref *v, const char *path, struct err *e);

#endif
