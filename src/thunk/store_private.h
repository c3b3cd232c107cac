/* store_private.h - what the files of the store share
 *
 * store.c (open, close, flush), table.c (what is put and not yet committed),
 * object.c, object_file.c (large ones), pack.c and compact.c (small ones),
 * claim.c, stat.c, stat_tree.c, names.c.
 */
#ifndef GG_STORE_PRIVATE_H
#define GG_STORE_PRIVATE_H

#include "db.h"
#include "disk.h"
#include "pack.h"
#include "store.h"

/* A file that gg wrote and whose ctime an edit in the same tick of the clock
 * could repeat. */
struct noted {
	uint64_t dev, ino;
	int64_t ctime_ns;
};

/* Packs are a table that only pack.c and compact.c know. */
#define TABLE_PACK ((enum table)(PACK_PREFIX - 1))

/* A piece that is read and hashed while it is in the second-level cache;
 * holds every small object and one byte more. */
enum { PIECE_BYTES = 1 << 17 };

enum { CLAIM_BUCKETS = 8192 };

struct store {
	char *dir;
	int dir_fd, objects_fd;
	bool is_read_only, is_volatile;
	uint64_t boot;
	/* A page that the kernel clears in the child of a fork. */
	const unsigned char *is_mine;
	struct db *db;

	struct arena scratch;           /* for the length of one call */
	struct map pending;             /* key -> struct db_change, in arena */
	struct arena arena;
	size_t pending_bytes;
	unsigned char dirty[256 / 8];   /* folders of objects to be synced */
	unsigned n_temps;
	char *piece;                    /* PIECE_BYTES */
	struct hash *hash;
	struct mapping *mappings;       /* large objects that are lent */
	struct map mapped;              /* their ids */

	int folders_fd;                 /* names.c: what is to be synced below it */
	struct map folders;
	struct arena folder_names;
	const char *last_folder;

	struct claim *claims[CLAIM_BUCKETS];
	struct claim_board *board;      /* NULL until the first claim */
	int claims_fd;
	uint64_t claimer;               /* this process, there */
	struct noted *noted;
	size_t n_noted, noted_room;
};

/* ERR_REFUSED unless this process opened s. */
int store_is_mine(const struct store *s, struct err *e);
/* The same, and s may be written. */
int store_may_write(const struct store *s, struct err *e);

/* As store_table_get: 1, 0 if there is none, -1.  a NULL: only the size. */
int table_get(struct store *s, enum table t, struct bytes key, struct arena *a,
	      struct bytes *out, struct err *e);
/* Commit all that is pending; table_release forgets it. */
int table_commit(struct store *s, struct err *e);
void table_release(struct store *s);
/* As store_table_each, for keys that start with prefix (of 400 bytes at
 * most). */
int table_each(struct store *s, enum table t, struct bytes prefix,
	       int (*fn)(void *arg, struct bytes key, struct bytes value),
	       void *arg, struct err *e);

/* As store_put_fd, once: 1 kept, 0 if the file's size is not st's, -1.  That
 * st still holds afterwards is the caller's to see. */
int object_put_fd(struct store *s, int fd, const struct stat *st,
		  struct id *id, struct err *e);

/* Wait for all that store_note_name told of; forget it. */
int names_sync(struct store *s, struct err *e);
void names_release(struct store *s);

/* Large objects, in files. */
int object_file_put(struct store *s, const struct id *id, struct bytes b,
		    struct err *e);
/* Keep what fd holds, st->st_size bytes, with its name.  1, or 0 if its size
 * was another. */
int object_file_put_fd(struct store *s, int fd, const struct stat *st,
		       struct id *id, struct err *e);
/* 1 and the open file, 0 if there is none.  One that somebody wrote to is read
 * again, and removed if it lies; not so by _any. */
int object_file_open(struct store *s, const struct id *id, int *fd,
		     struct err *e);
int object_file_open_any(struct store *s, const struct id *id, int *fd, struct err *e);
bool object_file_size(struct store *s, const struct id *id, uint64_t *n_bytes);
/* 1 and the bytes, mapped until store_close; 0 if there is none. */
int object_file_map(struct store *s, const struct id *id, struct bytes *out,
		    struct err *e);
int object_file_drop(struct store *s, const struct id *id, struct err *e);
/* Visit ids of files whose names start with prefix, of hex digits. */
int object_file_each(struct store *s, const char *prefix,
		     int (*fn)(void *arg, const struct id *id, uint64_t n_bytes),
		     void *arg, struct err *e);
int object_file_sync(struct store *s, struct err *e);
/* Remove what processes that were killed had begun. */
void object_file_tidy(struct store *s);
void object_file_release(struct store *s);

void claim_release(struct store *s);

/* The name in the stat cache of the file with this inode, when it had this
 * size: a guess for one that was touched. */
bool stat_guess(struct store *s, const struct stat *st, struct id *out);
/* Trust what gg noted, as far as the clock has gone on since. */
int stat_trust(struct store *s, struct err *e);
/* Wait until it has gone on for all of them. */
void stat_wait(const struct store *s);

#endif
