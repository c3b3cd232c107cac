/* draft.h - a binding while a built-in model makes it
 *
 * draft.c gathers what the command reads and writes, option by option, and
 * keeps the first reason why it has to run for real instead.  It also matches
 * arguments against a table of options, since all built-in models have one.
 */
#ifndef GG_DRAFT_H
#define GG_DRAFT_H

#include "model.h"

struct draft {
	const struct command *c;
	struct arena *a;
	const char *rule;               /* "built-in gcc" */
	const char *reason;             /* NULL while all can be expressed */
	bool is_in_place;               /* an output may be an input too */
	struct strs args, lists;        /* lists taken in; without args[0] */
	struct strs env, scan, probe;
	struct buf reads, writes;       /* of struct bound_read, bound_write */
	struct map seen;                /* paths among the reads */
};

/* Begin with c's arguments, @list files taken in.  draft_end() gives the
 * verdict, fills *out and why (which may be NULL), and releases d; it is
 * called whatever happened before. */
void draft_begin(struct draft *d, const struct command *c, struct arena *a);
enum match draft_end(struct draft *d, struct binding *out, struct buf *why);

/* Say why the command must run for real; the first reason stays.  false. */
bool draft_refuse(struct draft *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* One read; twice is as once.  false: a path that cannot be kept, such as
 * another program's temporary file. */
enum { READ_OPTIONAL = 1 };
bool draft_read(struct draft *d, const char *path, unsigned flags);

/* One write.  Its output is called kind, and if there are more of the kind
 * kind2, kind3 and so on. */
enum { WRITE_EXEC = 1 };
bool draft_write(struct draft *d, const char *kind, const char *path,
		 unsigned flags);

/* The output depends on this environment variable. */
void draft_env(struct draft *d, const char *name);
/* Its value in the command's environment, or NULL. */
const char *draft_getenv(const struct draft *d, const char *name);

/* What is at path, as seen from the command's cwd? */
bool draft_is_file(const struct draft *d, const char *path);
bool draft_is_dir(const struct draft *d, const char *path);
bool draft_is_exec(const struct draft *d, const char *path);

/* Take in the @list files among n arguments (GCC's quoting), seen from cwd.
 * false: *bad (from a) says which one could not be read and why. */
bool lists_expand(const char *cwd, const char *const *args, size_t n,
		  struct arena *a, struct strs *out, struct strs *lists,
		  const char **bad);

enum opt_form {
	OPT_FLAG,       /* -c */
	OPT_SEP,        /* -Xlinker ARG */
	OPT_BOTH,       /* -o ARG, -oARG */
	OPT_EQ,         /* --sysroot ARG, --sysroot=ARG */
	OPT_JOIN,       /* -l=ARG only: a rest that is not empty */
	OPT_START,      /* whatever begins so */
};

struct opt {
	const char *name;
	unsigned char form;     /* enum opt_form */
	unsigned char act;      /* the table's own */
	unsigned char flags;    /* likewise */
	const char *why;        /* an act that refuses: the reason */
};

/* An argument as its row explains it. */
struct opt_hit {
	const struct opt *o;
	const char *arg;        /* as it stands */
	const char *value;      /* after or beside the name; "" for a flag */
	size_t n_args;          /* taken: 1 or 2 */
};

/* The longest row that fits args[i]; exact names come first.  false: none,
 * or one whose value is missing. */
bool opt_match(const struct opt *table, const struct strs *args, size_t i,
	       struct opt_hit *hit);

#endif
