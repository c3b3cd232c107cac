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
/* The folder at path (absolute) is about to be made by a command. */
void undo_note_folder(struct undo *u, const char *path);
/* Put back what stood there, where nobody but gg has written since, and remove
 * folders that were made and are empty.  What was noted stays noted.  What
 * cannot be put back stays as it is. */
void undo_all(struct undo *u);

#endif
