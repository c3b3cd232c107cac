/* store.h - objects kept by content, results kept by thunk, and small tables
 *
 * src/thunk/db.c (the only file that knows the database), store.c (opening,
 * flushing, results), table.c (records), object.c, object_file.c, pack.c,
 * compact.c (objects), claim.c, stat.c and stat_tree.c (which file has which
 * name), names.c (what else must be on the disk).
 *
 * A store is one directory, .gg.  Bytes go in once and never change.  Any
 * number of processes share one store.  What is put is seen at once by this
 * process and by others after store_flush(), which also makes it durable;
 * puts are gathered so that thousands cost one transaction.  A process that
 * dies loses what it had not flushed and nothing else; after a power cut the
 * store opens and holds only whole objects.  That relies on nothing but fsync:
 * of a file for its bytes, of a folder for its names, in any order otherwise.
 *
 * One thread uses a store.  A child process must open its own.
 */
#ifndef GG_STORE_H
#define GG_STORE_H

#include <sys/stat.h>
#include "thunk.h"

struct store;

/* Open the store in dir, making it if absent (STORE_CREATE).  *out is the
 * caller's until store_close(), which flushes.  A process has a folder open
 * once at most.  ERR_MISSING if there is none, ERR_IO, ERR_REFUSED if it may
 * not be written (STORE_READ_ONLY opens it all the same), ERR_BAD if a newer
 * version made it or it is damaged.  STORE_VOLATILE waits for no disk, ever: a
 * power cut may leave it damaged, for those who can do without it. */
enum { STORE_CREATE = 1, STORE_READ_ONLY = 2, STORE_VOLATILE = 4 };
int store_open(const char *dir, unsigned flags, struct store **out,
	       struct err *e);
int store_close(struct store *s, struct err *e);

/* Another number for each start of this machine, as far as can be known. */
uint64_t store_boot(const struct store *s);

/* Commit and sync all that was put.  store_settle() also waits out the
 * file system's clock tick (4 ms at most), so that any later edit of a file
 * that gg has just named or written shows in its ctime. */
int store_flush(struct store *s, struct err *e);
int store_settle(struct store *s, struct err *e);
/* Something new stands at path below dirfd, which stays open as long as s: the
 * next flush waits for the folders on the way to it first. */
void store_note_name(struct store *s, int dirfd, const char *path);
/* Bytes put and not yet flushed: the owner flushes at leisure. */
size_t store_pending_bytes(const struct store *s);

/* Objects.  Small ones (STORE_SMALL at most) rest in the database, others as
 * read-only files objects/HH/HEX. */
enum { STORE_SMALL = 1 << 16 };

/* Keep b; *id is its name.  Putting what is there is cheap. */
int store_put(struct store *s, struct bytes b, struct id *id, struct err *e);
/* Keep b, whose name the caller has just computed from these bytes. */
int store_put_named(struct store *s, const struct id *id, struct bytes b,
		    struct err *e);
/* Keep all that fd holds; reads it once for its name, and copies it (reflink
 * where possible) when it is large and new.  ERR_RETRY if it changed while
 * it was read. */
int store_put_fd(struct store *s, int fd, struct id *id, struct err *e);

bool store_has(struct store *s, const struct id *id);
/* Lend the bytes of id, of any size: they live in a, or for a large object
 * in a mapping that a's owner need not release before store_close().  Small
 * ones are checked against their name; one that lies is removed and missing.
 * ERR_MISSING, ERR_IO. */
int store_get(struct store *s, const struct id *id, struct arena *a,
	      struct bytes *out, struct err *e);
/* The text of a value that is marked as a tail (thunk.h), lent as above: 1; 0: it
 * is a plain one; -1. */
int store_get_tail(struct store *s, const struct id *id, struct arena *a,
		   struct bytes *out, struct err *e);
/* Size without reading.  ERR_MISSING. */
int store_size(struct store *s, const struct id *id, uint64_t *n_bytes,
	       struct err *e);
/* A large object as an open file (caller closes), *fd = -1 for a small one.
 * ERR_MISSING. */
int store_open_large(struct store *s, const struct id *id, int *fd,
		     struct err *e);
/* Read the object again and check its name: ERR_BAD if it lies, and then it
 * is removed, so that it is missing from now on. */
int store_check(struct store *s, const struct id *id, struct err *e);
/* Forget an object.  store_compact gives back the room that small ones held;
 * call it once after many drops. */
int store_drop(struct store *s, const struct id *id, struct err *e);
int store_compact(struct store *s, struct err *e);

/* The mtime of every large object, in seconds.  One with another was written
 * to by somebody: it is read again, and removed if it lies. */
enum { STORE_OBJECT_TIME = 1 };

/* Where large objects rest, for those that rename a finished file into place
 * themselves: an open directory, and the path of id relative to it.  The file
 * must be synced, mode 0444, of STORE_OBJECT_TIME, and really have that name.  The folder HH may be
 * absent, even after it was there: make it (dir_make_above) and try again. */
int store_objects_fd(const struct store *s);
struct object_path {
	char s[ID_HEX + 2];             /* HH/HEX... */
};
struct object_path store_object_path(const struct id *id);

/* A file that becomes a large object once it is whole, for those who write it
 * from other threads.  store_temp_seal, for any thread, after the last write:
 * mode and times, and on the disk.  keep and drop close it; keep wants a sealed
 * one that really has the name. */
struct store_temp {
	int fd;
	char name[48];          /* relative to objects */
	bool is_volatile;       /* as the store */
};
int store_temp_open(struct store *s, struct store_temp *out, struct err *e);
int store_temp_seal(const struct store_temp *t, struct err *e);
int store_temp_keep(struct store *s, struct store_temp *t, const struct id *id,
		    struct err *e);
void store_temp_drop(struct store *s, struct store_temp *t);

/* Results, by thunk as written or as reduced.  *out lives in a.
 * ERR_MISSING if there is none. */
int store_put_result(struct store *s, const struct id *thunk,
		     const struct result *r, struct err *e);
int store_get_result(struct store *s, const struct id *thunk, struct arena *a,
		     struct result *out, struct err *e);

/* Tables of small records; keys of any length, values opaque here. */
enum table {
	TABLE_OBJECT,           /* id -> a small object; store.c's own */
	TABLE_RESULT,           /* id -> result text */
	TABLE_STAT,             /* device, inode -> stamp and id (stat.c) */
	TABLE_REF,              /* project path -> struct ref_record (place.h) */
	TABLE_HINT,             /* id -> hints of a thunk */
	TABLE_OBSERVATION,      /* id -> what running it took, and its logs */
	TABLE_SHAPE,            /* command shape -> seconds expected */
	TABLE_SCAN,             /* compiler command -> headers it used */
	TABLE_RUN,              /* runs and remembered inferences */
	TABLE_LEARN,            /* shape -> what was learned of it (learn.h) */
	TABLE_CLOSURE,          /* packages and closures by stamp (closure.h) */
	TABLE_CHECKPOINT,       /* reduced id -> what it has left (exec.h) */
	TABLE_COUNT
};

/* Get lends *out from a.  ERR_MISSING.  Each: key and value are lent during
 * the call back, which returns non-zero to stop; it may put and delete. */
int store_table_get(struct store *s, enum table t, struct bytes key,
		    struct arena *a, struct bytes *out, struct err *e);
int store_table_put(struct store *s, enum table t, struct bytes key,
		    struct bytes value, struct err *e);
int store_table_delete(struct store *s, enum table t, struct bytes key,
		       struct err *e);
int store_table_each(struct store *s, enum table t,
		     int (*fn)(void *arg, struct bytes key, struct bytes value),
		     void *arg, struct err *e);

/* Every object there is: size in bytes, large or small.  For gc. */
int store_each_object(struct store *s,
		      int (*fn)(void *arg, const struct id *id, uint64_t n_bytes),
		      void *arg, struct err *e);
/* Objects whose names start with these hex digits (4 at least): the count, 2
 * for "more than one", *out the first.  -1 on error. */
int store_find(struct store *s, const char *hex, struct id *out, struct err *e);

/* A claim is held by at most one living process at a time: 1 taken, 0 held
 * by another.  It falls with its process.  After taking it, look for the
 * result once more; flush before dropping it. */
int store_claim(struct store *s, const struct id *thunk, struct err *e);
void store_unclaim(struct store *s, const struct id *thunk);

/* What stat said of a file when its name was computed. */
struct stamp {
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
};

struct stamp stamp_of(const struct stat *st);
bool stamp_equal(const struct stamp *a, const struct stamp *b);
/* Would any change from now on show in the stamp?  False within the tick of
 * the clock in which the last one was made. */
bool stamp_is_old(const struct stamp *t);
/* Now, by the clock that file systems take their times from. */
int64_t stamp_clock(void);

/* The name of a regular file, from its stamp when that is known and old
 * enough to be trusted, else by reading it; with STAT_KEEP its bytes are also
 * put into the store.  *st is filled when not NULL.  ERR_MISSING, ERR_BAD if
 * it is not a regular file. */
enum { STAT_KEEP = 1 };
int stat_name(struct store *s, int dirfd, const char *path, unsigned flags,
	      struct id *out, struct stat *st, struct err *e);
/* The same from the stamp alone, without a call to the kernel: false if no
 * name is known that can be trusted. */
bool stat_known(struct store *s, const struct stamp *t, struct id *out);
/* Is what was noted for this stamp still so, though within its tick of the clock
 * the file may have been edited?  False if a power cut may have come between. */
bool stat_has_lasted(struct store *s, const struct stamp *t, struct id *out);
/* Keep id for a stamp that was old before what it names was looked at: also
 * of a directory, where id is the name of its names. */
int stat_learn(struct store *s, const struct stamp *t, const struct id *id,
	       struct err *e);
/* Say that the file with this stat holds id: gg has just written it. */
int stat_note(struct store *s, const struct stat *st, const struct id *id,
	      struct err *e);
/* Name a directory as a tree, and keep it (STAT_KEEP); symlinks must stay
 * inside, sockets and devices are refused.  skip, if not NULL, is a name to
 * leave out at every level (".gg"); then __pycache__ is left out as well, which
 * Python makes anew and which says when it did. */
int stat_tree(struct store *s, int dirfd, const char *path, unsigned flags,
	      const char *skip, struct id *out, struct err *e);

#endif
