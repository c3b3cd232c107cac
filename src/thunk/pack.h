/* pack.h - small objects side by side; src/thunk/pack.c
 *
 * Private to the store.  A record of an object is what the database keeps
 * under its name: the bytes, or where they lie in a pack.
 */
#ifndef GG_PACK_H
#define GG_PACK_H

#include "db.h"

enum { PACK_ID_BYTES = 12 };

/* Where an object lies. */
struct place {
	const char *pack;       /* its id, PACK_ID_BYTES; NULL: in the record */
	size_t at, n;
};

/* Read a record; false if it is none. */
bool pack_place(struct bytes record, struct place *out);
/* Lend the bytes that a record stands for, between db_begin and db_end: 1, 0
 * if it is damaged, -1. */
int pack_bytes(struct db *d, struct bytes record, struct bytes *out,
	       struct err *e);

/* Objects on their way into the database.  A zeroed struct is empty; all that
 * it gives dies with pack_release. */
struct packer {
	struct arena arena;
	struct buf open;                /* the pack that is being filled */
	char id[PACK_ID_BYTES];         /* its name */
	struct db_change **v;           /* the full ones */
	size_t n, room;
};

/* The change that puts the record of c, a put of an object's bytes. */
struct db_change *pack_add(struct packer *p, const struct db_change *c);
/* Close the last pack: v[0..n) are then to be committed too. */
void pack_finish(struct packer *p);
void pack_release(struct packer *p);

/* The key of a pack in the database has PACK_KEY_BYTES: PACK_PREFIX, its id. */
enum { PACK_PREFIX = 0x7f, PACK_KEY_BYTES = 1 + PACK_ID_BYTES };

#endif
