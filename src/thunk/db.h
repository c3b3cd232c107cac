/* db.h - one ordered table of keys and values on disk; src/thunk/db.c
 *
 * Private to the store.  db.c is the only file that knows the database.
 * Keys are DB_KEY_MAX bytes at most and not empty.
 */
#ifndef GG_DB_H
#define GG_DB_H

#include "base.h"

enum { DB_KEY_MAX = 511 };

struct db;

/* Open the file at path (and path-lock beside it), made if absent unless it
 * is for reading only.  A process opens one path at most once at a time: the
 * locks of the database belong to the process.  ERR_MISSING, ERR_REFUSED if
 * this folder cannot be written, ERR_IO, ERR_BAD if it is no database. */
int db_open(const char *path, bool is_read_only, struct db **out,
	    struct err *e);
/* From now on wait for no disk: a power cut may damage the file. */
void db_relax(struct db *d);
/* Close, and make the last commit proof against a power cut. */
int db_close(struct db *d, struct err *e);
/* For the child of a fork: let go of the memory and touch nothing else. */
void db_abandon(struct db *d);

/* Read what any process has committed, between begin and end: 1 and the
 * value, lent until db_end, 0 if there is none, -1.  What was read holds only
 * if db_end gives true; else it is to be read again. */
int db_begin(struct db *d, struct err *e);
int db_peek(struct db *d, struct bytes key, struct bytes *out, struct err *e);
bool db_end(struct db *d);

/* Visit what starts with prefix, in order, as of the call; fn returns
 * non-zero to stop, and may use d. */
int db_each(struct db *d, struct bytes prefix,
	    int (*fn)(void *arg, struct bytes key, struct bytes value),
	    void *arg, struct err *e);

struct db_change {
	struct bytes key, value;
	bool deletes;
};

/* Make n changes, in order of their keys, in one transaction that other
 * processes wait for.  All or none of them; ERR_REFUSED when the disk or the
 * address space is full, ERR_IO. */
int db_commit(struct db *d, struct db_change *const *v, size_t n, struct err *e);

#endif
