/* closure_private.h - what the files of closure.h share
 *
 * sys.c (the machine), treatment.c (what becomes of which path), dpkg.c and
 * pip.c (readers of the two databases), packages.c (who owns what, what is in
 * what), owned.c (what is remembered of it), walk.c (where a path leads),
 * closure_uses.c, closure.c (make), closure_hash.c, loader_cache.c,
 * closure_mark.c (what is remembered), closure_ahead.c (and looked at before it
 * is asked for), closure_look.c (check, open), closure_compare.c.
 */
#ifndef GG_CLOSURE_PRIVATE_H
#define GG_CLOSURE_PRIVATE_H

#include <sys/stat.h>
#include "closure.h"

/* A machine: its root folder, "/" but in tests. */
struct sys {
	int fd;
	const char *root;
	struct closure_ahead *ahead;    /* what is known of it already, or NULL */
};
int sys_open(struct sys *m, const char *root, struct err *e);
void sys_close(struct sys *m);
/* lstat of an absolute path; false if there is nothing. */
bool sys_lstat(const struct sys *m, const char *path, struct stat *st);
bool sys_may_read(const struct sys *m, const char *path);
/* All of a file into a; false if it is not there or cannot be read. */
bool sys_read(const struct sys *m, const char *path, struct arena *a,
	      struct bytes *out);
/* A regular file opened for reading, links not followed; -1 with errno. */
int sys_open_file(const struct sys *m, const char *path);
/* The target of a link in a, or NULL. */
const char *sys_link(const struct sys *m, const char *path, struct arena *a);
/* The names in a folder, sorted, appended to out; false if it is none. */
bool sys_names(const struct sys *m, const char *dir, struct arena *a,
	       struct strs *out);

enum treat {
	TREAT_KEEP,
	TREAT_NAMED,            /* not with a whole package; when a use names it */
	TREAT_ABOUT,            /* tells of its package: kept with it, but looking
				 * at it is no use of the package */
	TREAT_LEAVE,            /* never */
	TREAT_STRAY,            /* never, and a step that reads it is no step */
	TREAT_FIXED,            /* never; closure_fixed has one for all */
};
enum treat treatment_of(const char *path);
/* The same; *why is set unless it is TREAT_KEEP by default. */
enum treat treatment_why(const char *path, const char **why);
/* Is it never part of a closure? */
bool treatment_is_out(const char *path);
bool treatment_match(const char *pattern, const char *path);

/* ---- dpkg.c */

/* Call fn for each path in a package's list file, as dpkg spells it. */
void dpkg_list_each(struct bytes text, void (*fn)(void *arg, struct bytes path),
		    void *arg);
/* The version of a package in the text of /var/lib/dpkg/status, in a; NULL.
 * name may end in ":ARCH". */
const char *dpkg_version(struct bytes status, const char *name, struct arena *a);

struct diversion {
	const char *from, *to, *by;     /* by: a package, ":" for the admin */
};
struct diversions {
	struct diversion *v;
	size_t n;
};
void dpkg_diversions(struct bytes text, struct arena *a, struct diversions *out);

/* ---- pip.c */

/* Call fn for each path in a RECORD (csv) or installed-files.txt, relative to
 * where that says.  The path lives in a. */
void pip_record_each(struct bytes text, struct arena *a,
		     void (*fn)(void *arg, const char *path), void *arg);
/* "Hydra_Core-1.3.2.dist-info" is hydra-core, 1.3.2; false if it is no such
 * name.  Both in a. */
bool pip_dist_name(const char *folder, struct arena *a, const char **name,
		   const char **version);

/* ---- packages.c and owned.c */

#define DPKG_LISTS "/var/lib/dpkg/info"
#define DPKG_DIVERSIONS "/var/lib/dpkg/diversions"

struct owner {
	const char *path;               /* absolute, parents resolved */
	const char *package;            /* as a use says it; NULL: none */
	const char *version;            /* only of pip */
	unsigned n_owners;              /* packages of dpkg that list it */
	bool is_known;                  /* by what is remembered */
};
/* Fill in who owns each; strings live in a.  What dpkg says is remembered in
 * s, unless that is NULL. */
void packages_own(const struct sys *m, struct store *s, struct owner *v, size_t n,
		  struct arena *a);

/* What is remembered of dpkg's owners. */
struct owned {
	struct store *store;
	struct bytes known;             /* the record, without its stamps */
	struct buf text;                /* what it becomes */
	bool is_trusted, has_new;
};
/* Those of the n at v that are remembered are filled in; strings live in a. */
void owned_open(struct owned *k, struct store *s, const struct sys *m, struct owner *v,
		size_t n, struct arena *a);
void owned_add(struct owned *k, const struct owner *v);
void owned_close(struct owned *k);

struct package {
	const char *name;               /* the use */
	const char *version;            /* "" if not known */
	const char **files;             /* absolute, as listed and diverted */
	size_t n;
	const char *places[16];         /* what says so and, there or not, what
					 * would if there were more of it */
	size_t n_places;
};
/* One package's files.  An absent one has none. */
void package_files(const struct sys *m, struct bytes status, const char *use,
		   struct arena *a, struct package *out);
bool package_is_name(const char *use);

/* ---- walk.c: from paths to what lies there */

enum leaf_kind {
	LEAF_ABSENT, LEAF_FILE, LEAF_EXEC, LEAF_LINK, LEAF_FOLDER,
	LEAF_WATCHED,           /* no part of the tree, but what it says counts */
	LEAF_IGNORED,           /* neither, as the treatments say */
};

struct leaf {
	const char *path;               /* absolute, parents resolved */
	enum leaf_kind kind;
	struct stamp stamp;             /* zero when absent */
	const char *target;             /* LEAF_LINK: relative, or as it is */
	struct id id;
	bool is_known;
	bool is_list;                   /* LEAF_FOLDER: its names are meant */
	bool is_whole;                  /* likewise: all that is in it */
	bool is_watched;                /* in any case: its stamp counts */
	unsigned package;               /* 0: none, else index + 1 */
	size_t via;                     /* the link that led here, or SIZE_MAX */
};

struct walk_state {
	const struct sys *m;
	struct arena *a;
	struct map dirs;                /* folder as spelled -> resolved */
	struct map seen;                /* resolved path -> index + 1 */
	struct leaf *v;
	size_t n, room;
	unsigned package;               /* whose files are walked now */
	unsigned depth;
	bool is_fresh;                  /* something may change and not show */
};
/* What is at path, and all links on the way; those that a package's file is
 * are not followed.  Returns the index of its leaf. */
size_t walk_path(struct walk_state *w, const char *path, bool follows);
/* All below a folder, which is at path. */
void walk_folder(struct walk_state *w, const char *path);
/* Note that path counts, whatever it is. */
void walk_watch(struct walk_state *w, const char *path);
void walk_release(struct walk_state *w);

/* ---- closure_mark.c: remembered by stamps, in TABLE_CLOSURE */

/* Is all as it was when these uses gave *tree?  false: not known. */
bool mark_of_uses(struct store *s, const struct sys *m, const struct id *uses,
		  struct id *tree);
bool mark_of_tree(struct store *s, const struct sys *m, const struct id *tree);
struct mark {
	struct id uses, tree;
	const struct leaf *v;
	const struct package *packages;
	size_t n, n_packages;
};
int mark_save(struct store *s, const struct mark *k, struct err *e);
bool mark_is_known(struct store *s, const struct id *tree);
/* The paths of a mark, in order; false at a damaged one.  The mark itself is in
 * the arena that mark_get() was given. */
struct mark_reader {
	const char *p, *end;
	struct id stamps;
	uint32_t n_packages, n_paths;
	struct marked *packages;
	char path[4200];
	unsigned package;
};
bool mark_get(struct store *s, const struct id *tree, const struct id *uses,
	      struct arena *a, struct mark_reader *r);
bool mark_next(struct mark_reader *r);
/* Forget what would answer with this tree. */
int mark_forget(struct store *s, const struct id *tree, struct err *e);
/* Which package, with its version, each path was of when tree was made here:
 * path -> struct marked, all in a but the map's own room.  false if that is
 * not known. */
struct marked {
	const char *package, *version;
};
bool mark_owners(struct store *s, const struct id *tree, struct arena *a,
		 struct map *out);

/* ---- closure_ahead.c */

/* All that was seen ahead counts only if these leaves are as they were then. */
void ahead_confirm(struct closure_ahead *h, const struct leaf *v, size_t n);
/* The stamp that path had.  Paths are asked for in order; *at begins as 0. */
bool ahead_saw(const struct closure_ahead *h, size_t *at, const char *path,
	       struct stamp *out);
/* This is what the program uses now. */
void ahead_keep(const struct closure_ahead *h, struct store *s, const struct id *tree,
		const struct id *uses);

/* For tests: until it has seen all. */
void ahead_wait(struct closure_ahead *h);

/* For tests: on the machine below root. */
struct closure_ahead *closure_ahead_begin_at(struct store *s, const char *root,
					     const char *program);
int closure_uses_at(struct store *s, const struct sys *m, const char *const *paths,
		    size_t n, enum closure_mode mode, struct arena *a, struct strs *out);
int closure_make_at(struct store *s, const struct sys *m, const char *const *uses,
		    size_t n, struct id *tree, struct err *e);
int closure_compare_at(struct store *s, const struct sys *m, const struct id *was,
		       const struct id *now, struct buf *out, struct err *e);
int closure_check_at(struct store *s, const struct sys *m, const struct id *tree,
		     struct err *e);

/* The loader's cache for those leaves that it would not find without; nothing
 * if there are none.  What it was made from is watched. */
void loader_cache(struct walk_state *w, struct buf *out);

/* What listed folders are known by in a tree: one file at its root says which
 * names are in each.  That file anew, for the folders that text is about. */
void names_write_again(const struct sys *m, struct bytes text, struct buf *out);

/* Name all files whose names are not known, on all cores. */
int hash_leaves(struct store *s, const struct sys *m, struct leaf *v, size_t n,
		struct err *e);

#endif
