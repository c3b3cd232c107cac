/* undo.h - what stood at outputs before a run put something there; src/thunk/undo.c
 *
 * A script that is run once more in the same run of gg is to find its outputs
 * as it found them the first time.  While project.undo is one, place.h notes in
 * it wherever it puts something.
 */
#ifndef GG_UNDO_H
#define GG_UNDO_H

#include "place.h"

struct undo;

struct undo *undo_new(struct store *s, struct project *p);
void undo_free(struct undo *u);

/* gg is about to put something at path (plain), or to take it away.  Only the
 * first time counts. */
void undo_note(struct undo *u, const char *path);

/* What a command is about to do to path (absolute); on any thread. */
enum undo_deed {
	UNDO_WRITES,            /* makes a file, or empties or updates one */
	UNDO_MAKES,             /* makes a folder or link, or changes no bytes */
	UNDO_REMOVES,
};
void undo_hear(struct undo *u, const char *path, enum undo_deed deed);
void undo_hear_rename(struct undo *u, const char *path, const char *path2);

/* Put back what stood there, where nobody but gg has written since.  Files of
 * the project that commands have made go, and folders that are empty then; but
 * not when a file went that was there before, which may have become one of
 * those, and not a large one made before any thunk was deferred that has
 * failed: it would be made again.  What was noted stays noted.  What cannot be
 * put back stays as it is. */
void undo_all(struct undo *u, bool (*fails)(void *arg, const struct id *thunk), void *arg);

#endif
