/* thunk.h - the canonical texts: thunk, tree, result, placeholder, tail
 *
 * src/thunk/text.c (lines and escapes), thunk.c, rules.c (what a thunk must
 * keep besides its spelling), tree.c, result.c, placeholder.c, tail.c, host.c.
 *
 * All of them are lines of fields.  A line is a keyword and its fields, one
 * space between, "\n" at the end; there are no other lines and no empty ones
 * (but see tail).  In a field, bytes below 0x20, 0x7f and the backslash are
 * written \xHH in lower-case hex; a space too, except in the last field of
 * its line.  Other bytes, those of UTF-8 or of no encoding, stand as they
 * are.  No other byte may be escaped, and NUL cannot be written.  ID is 64
 * lower-case hex digits.  NAME is 1 to 255 bytes.  PATH is as path_is_plain says.
 * A reader refuses every other spelling, so that one thing has one name.
 * "In order" below is the order of memcmp on the unescaped bytes, the shorter
 * first; nothing stands twice.
 *
 * Thunk: one step.  Its name is the SHA-256 of its text.
 *
 *     gg-thunk 1
 *     arg WORD                   one or more; WORD may be empty
 *     cwd DIR                    "." or a PATH
 *     env NAME=VALUE             in order of NAME; NAME has no "=" and is unique
 *     in value ID PATH           in order of PATH, all kinds mixed; here PATH
 *     in exec ID PATH            may also be absolute and clean: a file
 *     in tree ID PATH            outside the project, kept by content
 *     in thunk ID OUTPUT PATH    output OUTPUT of thunk ID
 *     out NAME PATH              in order of NAME, both kinds mixed
 *     outdir NAME PATH           a directory, there and empty at the start
 *     stdin PATH                 the path of an in
 *     stdout PATH                the path of an out
 *     stderr PATH                likewise; the same as stdout: one open file
 *     network yes                only when the network is needed
 *     runtime host ID            or: runtime closure ID, runtime image sha256:ID
 *
 * No input or output lies inside another.  An output may have the path of an
 * input: the program updates it in place.
 *
 * Tree: a directory.
 *
 *     gg-tree 1
 *     file ID NAME               in order of NAME, all kinds mixed
 *     exec ID NAME
 *     tree ID NAME
 *     link TARGET NAME           a relative target that stays inside the
 *                                whole tree that is named, checked when it
 *                                is made and when it is laid out; under
 *                                4,096 bytes
 *
 * NAME here has no slash and is not "." or "..".
 *
 * Result: what a thunk gave.
 *
 *     gg-result 1
 *     out value ID NAME          in order of NAME, all kinds mixed
 *     out exec ID NAME
 *     out tree ID NAME
 *     out thunk ID OUTPUT NAME   a tail call: the value is that of another
 *
 * Placeholder: a file of this text stands where an output will be; for a
 * directory, a directory whose one entry, .gg-placeholder, holds it.
 *
 *     gg-placeholder 1
 *     thunk ID OUTPUT
 *
 * Tail: an output file whose content is this text means "the value of that
 * thunk's output".  The thunks that it needs and that may be new follow,
 * each after one empty line.
 *
 *     gg-tail 1
 *     thunk ID OUTPUT
 *
 *     gg-thunk 1
 *     ...
 *
 * Host: what `runtime host ID` names: the machine part of a step.
 *
 *     gg-host 1
 *     arch x86_64
 *     program ID PATH            the file that execve gets; PATH absolute, or
 *                                plain when the program is one of the inputs:
 *                                then ID is all zeros
 *     file ID PATH               absolute; in order of PATH: system files the
 *                                step is known to use (interpreter, headers)
 */
#ifndef GG_THUNK_H
#define GG_THUNK_H

#include "id.h"

/* Where every forced program finds others, and where the program of a step
 * with a closure is looked for: of these folders those that the closure has, if
 * the first word has no slash.  With one it is that path, seen from cwd, so
 * that a program that is elsewhere has to be called by its path. */
#define STANDARD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum ref_kind { REF_VALUE, REF_EXEC, REF_TREE, REF_THUNK };

/* What an input points to, or what an output became. */
struct ref {
	enum ref_kind kind;
	struct id id;
	const char *out;        /* REF_THUNK: which output of it, else NULL */
};

struct input {
	const char *path;
	struct ref ref;
};

struct output {
	const char *name, *path;
	bool is_dir;
};

/* What a step printed into a pipe is an output like any, but has no place in the
 * project: gg's own folder, which no step has, is where the cell has it. */
#define PRINTED_OUT ".gg/stdout"
#define PRINTED_ERR ".gg/stderr"
bool output_is_printed(const struct output *o);

enum runtime_kind { RUNTIME_HOST, RUNTIME_CLOSURE, RUNTIME_IMAGE };

/* Filled by callers; arrays and strings are borrowed. */
struct thunk {
	const char **args, **env;
	struct input *in;
	struct output *out;
	size_t n_args, n_env, n_in, n_out;
	const char *cwd;                /* NULL means "." */
	const char *std[3];             /* paths or NULL */
	bool uses_network;
	enum runtime_kind runtime;
	struct id runtime_id;
};

/* Sort env, inputs and outputs into canonical order, in place. */
void thunk_sort(struct thunk *t);

/* Append t's text to out.  t must be sorted; ERR_BAD if t breaks a rule of
 * the grammar, so that what is written can always be read. */
int thunk_encode(const struct thunk *t, struct buf *out, struct err *e);

/* Read a text: *out and what it holds live in a.  ERR_BAD with the line
 * number for any other spelling. */
int thunk_decode(struct bytes text, struct arena *a, struct thunk *out,
		 struct err *e);

/* Are all inputs values or trees, so that it can be executed? */
bool thunk_is_reduced(const struct thunk *t);
/* The output of that name, the input of that path, or NULL; t is sorted. */
const struct output *thunk_output(const struct thunk *t, const char *name);
const struct input *thunk_input(const struct thunk *t, const char *path);

enum entry_kind { ENTRY_FILE, ENTRY_EXEC, ENTRY_TREE, ENTRY_LINK };

struct entry {
	const char *name;
	enum entry_kind kind;
	struct id id;
	const char *target;     /* ENTRY_LINK only */
};

struct tree {
	struct entry *v;
	size_t n;
};

void tree_sort(struct tree *t);
int tree_encode(const struct tree *t, struct buf *out, struct err *e);
int tree_decode(struct bytes text, struct arena *a, struct tree *out,
		struct err *e);
/* Does a link at path (plain, inside the tree) to target stay inside?  ".."
 * is taken only at target's front: further on it may climb from a link. */
bool tree_link_is_inside(const char *path, const char *target);

struct result_out {
	const char *name;
	struct ref ref;
};

struct result {
	struct result_out *v;
	size_t n;
};

int result_encode(const struct result *r, struct buf *out, struct err *e);
int result_decode(struct bytes text, struct arena *a, struct result *out,
		  struct err *e);
/* The output of that name, or NULL; r is sorted, as what is read always is. */
const struct ref *result_output(const struct result *r, const char *name);

#define PLACEHOLDER_NAME ".gg-placeholder"
enum { PLACEHOLDER_MAX = 1200 };        /* no placeholder is longer, bytes */

struct placeholder {
	struct id thunk;
	const char *out;
};

int placeholder_encode(const struct placeholder *p, struct buf *out,
		       struct err *e);
int placeholder_decode(struct bytes text, struct arena *a,
		       struct placeholder *out, struct err *e);
/* Is there one at path, a file or a directory, also by way of a symlink?  1
 * and *out (in a), 0 if what is there is something else or nothing, -1 if it
 * cannot be read; ERR_BAD if it begins as one but was damaged. */
int placeholder_at(int dirfd, const char *path, struct arena *a,
		   struct placeholder *out, struct err *e);

/* A tail call: whose output, and the thunk texts that came with it. */
struct tail {
	struct placeholder value;
	struct bytes *thunks;
	size_t n;
};

/* Is b marked as a tail (its first line)?  Then decode it; each text inside
 * is checked as a thunk. */
bool tail_is(struct bytes b);
int tail_decode(struct bytes text, struct arena *a, struct tail *out,
		struct err *e);

struct host_file {
	const char *path;
	struct id id;
};

struct host {
	const char *arch;
	struct host_file program;
	struct host_file *files;
	size_t n;
};

int host_encode(const struct host *h, struct buf *out, struct err *e);
int host_decode(struct bytes text, struct arena *a, struct host *out,
		struct err *e);

#endif
