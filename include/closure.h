/* closure.h - the system files that a command uses, as one tree
 *
 * src/thunk/closure.c (from uses to a tree), closure_uses.c (from paths to
 * uses), closure_ahead.c (looked at beforehand), closure_look.c (back to this
 * machine), closure_compare.c; packages.c (Debian and pip packages: which owns a
 * file, what is in one), treatment.c (the one table of what becomes of which
 * system path); closure_private.h names the rest.
 *
 * A use is what `uses` in a model says: an absolute path, or the name of a
 * package: "python3-numpy", "libc6:i386" when not of this machine's kind,
 * "pip:hydra-core" below /usr/local, or with the folder it lies in,
 * "pip:/opt/venv/lib/python3.11/site-packages/hydra-core".  A package means all
 * of its files that the table of treatments keeps; a path means that file; with
 * a slash at its end the whole folder, and a folder without one the names in it
 * and no more.  A use that is absent now and there later gives another
 * closure.  Files that no package owns (all of them where there is neither dpkg
 * nor pip) are taken one by one.  The tree's root is /.  Its files need not
 * be in the store: they are named through the stat cache and read from this
 * machine when somebody wants their bytes.  Links are kept as links, and
 * absolute targets are written as relative ones.
 */
#ifndef GG_CLOSURE_H
#define GG_CLOSURE_H

#include "store.h"

enum closure_mode {
	CLOSURE_PACKAGE,        /* whole packages of which a file was used */
	CLOSURE_FILES,          /* exactly the files */
};

/* From absolute paths that commands touched (those not there included) to uses:
 * sorted, each once, in a; what is ignored by the table of treatments is left
 * out.  What a path leads over (links) and what an ELF file needs is found by
 * the tracer and need not be added.  The store remembers who owns which path;
 * without one (NULL) dpkg's lists are read, 10 MB in 30 ms. */
int closure_uses(struct store *s, const char *const *paths, size_t n, enum closure_mode mode,
		 struct arena *a, struct strs *out, struct err *e);

/* What the closure of a program was the last time, looked at while it runs: on a
 * thread that gets only time nobody else wants.  closure_uses_after() compares
 * all that the command touched with what was there then, and forgets the rest
 * when anything differs; closure_make_after() looks only at what is not known
 * yet.  So the tree says of what the command touched what held all the while,
 * and of the rest what held meanwhile.  NULL counts as having seen nothing. */
struct closure_ahead;
struct closure_ahead *closure_ahead_begin(struct store *s, const char *program);
void closure_ahead_free(struct closure_ahead *h);
int closure_uses_after(struct closure_ahead *h, struct store *s, const struct strs *paths,
		       enum closure_mode mode, struct arena *a, struct strs *out,
		       struct err *e);
int closure_make_after(struct closure_ahead *h, struct store *s, const char *const *uses,
		       size_t n, struct id *tree, struct err *e);

/* NULL, or what path is, in words, if it is neither the system's nor can be
 * left out: a command that reads it (a personal or a temporary file) depends on
 * what no closure holds. */
const char *closure_stray(const char *path);

/* The tree of these uses as this machine has them.  Its texts are put into the
 * store; file bytes are not.  The first time costs the hashing; later ones a
 * stat of each file (10,000 in well under 100 ms).  ERR_RETRY if a file
 * changed while it was read. */
int closure_make(struct store *s, const char *const *uses, size_t n,
		 struct id *tree, struct err *e);

/* Does this machine hold all of the closure, byte for byte?  0, or -1: ERR_MISSING
 * with the first path that is absent or differs, and its package. */
int closure_check(struct store *s, const struct id *tree, struct err *e);

/* What a listed folder is known by in a tree: one file at its root says which
 * names are in it.  It is no file of the system. */
#define CLOSURE_NAMES ".gg-names"
/* The loader's cache in a tree: made of the other files, not this machine's. */
#define CLOSURE_LOADER "etc/ld.so.cache"

/* Each entry below tree, folders before what is in them, path without the
 * leading slash.  fn returns non-zero to stop, which is then the result. */
int closure_each(struct store *s, const struct id *tree,
		 int (*fn)(void *arg, const char *path, const struct entry *ent),
		 void *arg, struct err *e);

/* Open the bytes of a file of a closure: from the store, or from this machine
 * at path (without the leading slash) when it still is that content.
 * ERR_MISSING if neither; the caller closes *fd. */
int closure_open(struct store *s, const char *path, const struct id *id, int *fd,
		 struct err *e);

/* What a closure has at path, links followed: a file, a program or a tree, in
 * *out with its name and target NULL.  ERR_MISSING. */
int closure_find(struct store *s, const struct id *tree, const char *path,
		 struct entry *out, struct err *e);

/* Which package owns an absolute path ("python3-numpy 1:1.24.2-1", with its
 * version), NULL if none is known. */
const char *closure_package(struct store *s, const char *path, struct arena *a);

/* The packages that tree was made of on this machine, "NAME VERSION", sorted, in
 * a (release *out).  -1 when that is not known here. */
int closure_packages(struct store *s, const struct id *tree, struct arena *a,
		     struct strs *out);

/* What differs between two closures, in words, one line each for a package (or a
 * file that no package owns): "python3-numpy 1.24.2 -> 1.24.3 (12 files)". */
int closure_compare(struct store *s, const struct id *was, const struct id *now,
		    struct buf *out, struct err *e);

/* What is put into a closure's place when it is a whole root: the name, the
 * mode and the bytes of files that must be there and hold nothing personal
 * (/etc/passwd, /etc/hosts, ...); NULL name at the end. */
struct closure_fixed {
	const char *path;
	const char *text;
};
extern const struct closure_fixed closure_fixed[];

/* Forget what is remembered of closures whose tree is not kept; for gc, before
 * it drops them. */
int closure_sweep(struct store *s, bool (*is_kept)(void *arg, const struct id *tree),
		  void *arg, struct err *e);

#endif
