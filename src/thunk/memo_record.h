/* memo_record.h - the remembered inference as it is kept
 *
 * A record is the head and then entries, one after another, each
 *
 *     kind:1  path length:2  path
 *     link:32                          with MEMO_LINK: what the link says
 *     stamp:40                         FILE, LOOKED, LIST, TREE, OUTPUT
 *     id:32                            FILE, TREE content, LIST names,
 *                                      OUTPUT thunk, CLOSURE tree
 *     output name length:1  name       OUTPUT
 *     length:4  uses, a NUL behind each   CLOSURE, whose path is empty
 *
 * The stamp of an output is zero if it was not real when it was kept.  All is
 * in the byte order of this machine: a store is not carried to others.
 */
#ifndef GG_MEMO_RECORD_H
#define GG_MEMO_RECORD_H

#include "memo.h"

enum { MEMO_VERSION = 7 };

/* Beside the kind: an input whose content only enters thunks (rebind.c), a
 * program, a link stands at the path itself. */
enum { MEMO_VALUE = 0x20, MEMO_EXEC = 0x40, MEMO_LINK = 0x80, MEMO_KIND = 0x1f };

struct memo_head {
	uint32_t version, n_entries;
	uint64_t n_thunks, n_failed;
	uint64_t boot;                  /* whose stamps speak for content */
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
	MEMO_CLOSURE,           /* a closure of these uses */
};

struct memo_entry {
	enum memo_kind kind;
	uint8_t flags;                  /* MEMO_EXEC, MEMO_LINK */
	const char *path;
	struct id link;
	struct stamp stamp;
	struct id id;
	const char *out;
	struct bytes uses;
};

/* What stands at path: its kind (ABSENT, LOOKED, DIR or ODD), flags, stamp and
 * link; the path stays as it is. */
void memo_look(int root_fd, const char *path, struct memo_entry *out);
/* Are flags and link the same? */
bool memo_same_form(const struct memo_entry *a, const struct memo_entry *b);

/* Records are read entry by entry; what x points to lives until the next. */
struct memo_reader {
	struct bytes all, rest;
	const char *stamp;              /* where the entry's stamp is in all */
	char path[4200], out[256];
};
int memo_next(struct memo_reader *r, struct memo_entry *x, struct err *e);

/* Inputs that have other content now, by path; each has its new name. */
struct memo_change {
	const char *path;
	struct ref now;
	size_t id_at;                   /* where its id is in the record */
};

/* Give every thunk of the record that read one of them, or an output of such
 * a thunk, its new inputs; placeholders of the new ones take the place of
 * their outputs, and record, a copy, says so.  The paths of these are keys of
 * *placed, in a.  1; 0 if the script must run after all. */
int memo_rebind(struct store *s, struct project *p, struct buf *record,
		const struct memo_change *v, size_t n, struct map *placed,
		struct arena *a, struct err *e);

/* What a MEMO_CLOSURE of now would be: 1 the same, 0 another and *how says in
 * which way, in a, or -1. */
int memo_closure_holds(struct store *s, const struct memo_entry *x, struct arena *a,
		       const char **how, struct err *e);

/* The name of a directory's names.  ERR_IO. */
int memo_list_id(int root_fd, const char *path, struct id *out, struct err *e);

#endif
