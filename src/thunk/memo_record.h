/* memo_record.h - the remembered inference as it is kept
 *
 * A record is the head and then entries, one after another, each
 *
 *     kind:1  path length:2  path
 *     link:32                          with MEMO_LINK: what the link says
 *     stamp:40                         FILE, LOOKED, LIST, TREE, OUTPUT
 *     id:32                            FILE, TREE content, LIST names,
 *                                      OUTPUT thunk
 *     output name length:1  name       OUTPUT
 *
 * The stamp of an output is zero if it was not real when it was kept.  All is
 * in the byte order of this machine: a store is not carried to others.
 */
#ifndef GG_MEMO_RECORD_H
#define GG_MEMO_RECORD_H

#include "memo.h"

enum { MEMO_VERSION = 3 };

/* Beside the kind: a program, a link stands at the path itself. */
enum { MEMO_EXEC = 0x40, MEMO_LINK = 0x80, MEMO_KIND = 0x3f };

struct memo_head {
	uint32_t version, n_entries;
	uint64_t n_thunks;
};

enum memo_kind {
	MEMO_ABSENT,            /* nothing is there */
	MEMO_FILE,              /* a file of that content */
	MEMO_LOOKED,            /* a file with that stamp */
	MEMO_DIR,               /* a directory */
	MEMO_LIST,              /* a directory of those names */
	MEMO_TREE,              /* a directory of that content */
	MEMO_ODD,               /* a device, socket or the like */
	MEMO_OUTPUT,            /* that output of that thunk */
};

struct memo_entry {
	enum memo_kind kind;
	uint8_t flags;                  /* MEMO_EXEC, MEMO_LINK */
	const char *path;
	struct id link;
	struct stamp stamp;
	struct id id;
	const char *out;
};

/* What stands at path: its kind (ABSENT, LOOKED, DIR or ODD), flags, stamp and
 * link; the path stays as it is. */
void memo_look(int root_fd, const char *path, struct memo_entry *out);
/* Are flags and link the same? */
bool memo_same_form(const struct memo_entry *a, const struct memo_entry *b);

/* The name of a directory's names.  ERR_IO. */
int memo_list_id(int root_fd, const char *path, struct id *out, struct err *e);

#endif
