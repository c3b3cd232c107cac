/* model.h - what a command line reads, writes and needs
 *
 * src/thunk/model.c (gg.models read and checked), pattern.c, property.c,
 * words.c, template.c, head.c; match.c, args.c, bind.c (a command against a
 * pattern); makerules.c
 * (scan_parse); builtin.c (the table of built-in models), cc.c, binutils.c, ml.c.
 *
 * Matching reads no file but @list files and touches no store: the same
 * command under the same models binds alike, but that a learned model also
 * asks whether a value names a file now.
 *
 * gg.models: a pattern at the line's begin, its properties below, indented.
 * Empty lines and what follows a # that begins a word are comments; a
 * backslash at the end continues a line; quotes and backslashes as in a shell,
 * $'a\nb' included, for code behind -c that has several lines.
 *
 *     python3 train.py --data=@in --seed=@=0 -o,--out=@out [--resume=@in]
 *     	also	common.py folds/{seed}.csv
 *     	mem	2G
 *
 * The first word is the program.  Without a slash it is compared with the
 * base names of args[0] and of the file executed; a version may follow
 * (python3: python3.11; gcc: gcc-12; python is python3 too).  With a slash it
 * is a path from the project's root, compared as a place and also a read.
 *
 * Of an interpreter (python, pypy, sh, bash, dash, ksh, zsh, perl, ruby,
 * Rscript, node, julia, lua) the next word is the script: a read, spelled as
 * there or naming the same file from the root.  Its own options before the
 * script (-u, -O, -W x) are stepped over.  `python3 -m pkg.mod` is for that
 * module, its files optional reads; `sh -c @ @in` is for program text.  A
 * script that is executed itself (./train.py) is matched as well, and a
 * pattern `./train.py` also matches `python3 train.py`.
 *
 *     @in @out @in/ @out/ @   file read, written, directory read, written,
 *                             any other value: a positional
 *     @any                    the same, whatever file may be called so: a
 *                             learned @ does not match the name of a file
 *     @in... @out... @...     none or more of them; one such word a pattern
 *     [@in]                   may be absent; the others may not
 *     train                   a literal; it must stand there.  One that ends
 *                             as scripts do (.py .sh .pl .rb .R .jl .js .lua)
 *                             is compared as a path, and a read
 *     --flag, -f              an option without value
 *     --data=@in, -d,--data=@in, -lr=@
 *                             an option with one, and its other names
 *     --files=@in...          values up to the next option (or one after =)
 *     key=@in                 hydra's and dd's way
 *     @in,                    one value, several paths: a,b,c
 *     @=0, @out=model.npz     what the program takes when it is absent
 *     [--out=@out]            an option may be absent; one with @out and no
 *                             default only if it stands in [ ]
 *     ...                     whatever else is there names no file; never
 *                             beside positional @ words
 *
 * Options bind wherever they stand: --o v, --o=v, -o v, -ov, -o=v, -abo v,
 * long ones shortened as far as they stay unique; -- ends them, -3 is a
 * number unless the pattern has an option of a digit.  An option given twice
 * binds twice.  As a path, - and /dev/null and /dev/std* are no file, and an
 * empty @in is none.  What a pattern does not explain, it does not match.
 *
 *     also PATH...            reads besides; a / at the end: a directory;
 *                             * ? [ make it a glob unless quoted
 *     optional PATH...        the same, if it is there
 *     makes PATH...           outputs besides; / at the end as above
 *     updates PATH...         reads and writes: what is there is added to or
 *                             changed in place, and it may be absent at first
 *     uses NAME...            files of the system: a package's name, or an
 *                             absolute path; / at the end: a folder.  They
 *                             become the step's closure, its runtime
 *     env NAME... | NAME*...  variables that shape the output
 *     cpus N, gpus N          fractions too
 *     gpus 1-4                any number from 1 to 4: see policy.h
 *     mem 2G                  K M G T, powers of 1024
 *     disk 10G                what it writes while it runs: outputs and what it
 *                             leaves in /tmp.  Kept free for it, as mem is; one
 *                             that writes more is not stopped
 *     time 90s | 1h30m        s m h d
 *     priority N              -1000 to 1000, higher is sooner
 *     network yes             it needs the network
 *     aside OPTION...         of the pattern: no part of the step's name, for they
 *                             change nothing that is written (--threads)
 *     fuse WORD...            how several such commands are one process: fuse.h
 *     lists yes               @FILE stands for FILE's lines, an argument each
 *     shortening no           long options must be written in full
 *     never                   run it for real, always (also: run)
 *
 * In PATH, {seed} is the value of --seed (the last one), {1} the first
 * positional, {script} the script, {root} the project's root, {$NAME} a
 * variable of the environment, which then belongs to the step as if env named
 * it; {seed:03} is a whole number with zeros before it to that width (those it
 * has do not count), {out:stem} is without the suffix, {out:dir} the folder,
 * {out:base} the last part, and {{ a brace.  Paths are seen from the command's
 * cwd.  A path whose {name} is absent is left out if that word stands in [ ];
 * else, and where a {$NAME} is not set, the command does not match.
 *
 * Outputs are called by the option's long name (out), positional ones out1,
 * out2, ..., made and updated ones by their path; -2, -3, ... follow a name that is taken.
 */
#ifndef GG_MODEL_H
#define GG_MODEL_H

#include "base.h"

enum stream_kind {
	STREAM_QUIET,   /* terminal, /dev/null, closed, or the one gg has */
	STREAM_FILE,    /* a regular file redirected for this command alone */
	STREAM_GATHERED, /* a pipe to a build tool, which prints it afterwards */
	STREAM_OTHER,   /* a shared file, a pipe that is read: cannot be deferred */
	STREAM_PIPE,    /* an output that somebody reads: a pipe, a socket */
};

struct stream {
	enum stream_kind kind;
	const char *path;       /* STREAM_FILE: absolute; OTHER: what, in words;
				 * PIPE: one of PRINTED_... of thunk.h */
	bool appends;           /* STREAM_FILE, output: there was content before */
	bool is_shared;         /* STREAM_FILE, output: the parent has it too */
	bool is_dropped;        /* output: /dev/null, and gg's own is not */
	bool is_hasty;          /* STREAM_PIPE: what started the command stands still
				 * until it executes or has ended */
};

/* A command that is about to run, all strings borrowed. */
struct command {
	const char *program;    /* the file execve was given, absolute */
	const char **args;      /* args[0] is the name it was called by */
	size_t n_args;
	const char **env;
	size_t n_env;
	const char *cwd;        /* absolute */
	const char *root;       /* the project's, absolute; NULL: as cwd */
	struct stream std[3];
};

/* Is its standard output, or its standard error, of this kind? */
bool command_prints_to(const struct command *c, enum stream_kind kind);

/* How a command that was ended by SIGTERM goes on where it was: it leaves its
 * state at path and exits with 75 (or dies of the signal). */
struct resume {
	const char *path;               /* a / at its end: a folder.  As spelled;
					 * once it is a thunk's hint plain, from
					 * the project's root */
	const char **state;             /* words that every run of it is given too,
					 * so that it leaves its state there */
	const char **words;             /* one that goes on is given these as well */
	size_t n_state, n_words;
};

/* Steer where and when; never part of a name.  0 means not said. */
struct hints {
	double cpus, gpus, time_s;
	uint64_t mem_bytes, disk_bytes;
	int priority;
	bool is_watched;                /* its model was learned: a step that
					 * asks for what the project has and
					 * it does not name fails by that */
	bool is_hushed;                 /* its caller wants to see nothing of what it
					 * prints: kept, but shown only if it fails */
	const char *fuse;               /* words of fuse.h, or NULL; lent */
	const struct resume *resume;    /* NULL: it cannot go on; borrowed */
	unsigned gpus_most;             /* it can use up to so many; 0: as gpus */
	/* Words that the command was given and its thunk has not, since they
	 * change nothing that it writes: it is run with them all the same; lent. */
	const char **aside;
	size_t n_aside;
};

struct bound_read {
	const char *path;       /* as spelled, seen from the command's cwd */
	bool is_dir;
	bool is_optional;       /* fine if it is not there now */
	bool is_glob;           /* path is a pattern as glob(7) says */
};

struct bound_write {
	const char *name;       /* the output's name in the thunk */
	const char *path;       /* as spelled */
	bool is_dir;
	bool is_exec;           /* will be a program: the placeholder is one too */
};

/* What the model says of one command; lives in the arena given. */
struct binding {
	const char *rule;               /* "gg.models:12", "built-in gcc" */
	struct bound_read *reads;
	size_t n_reads;
	struct bound_write *writes;
	size_t n_writes;
	const char **env;               /* names, not values; PWD, where the
					 * command has none, means its cwd */
	size_t n_env;
	struct hints hints;
	bool uses_network;
	/* The arguments without hints.aside; NULL: there are none such. */
	const char **args;
	size_t n_args;
	/* Not NULL: a command that prints, as make rules, what is read besides
	 * (compilers: headers); it runs in the command's cwd and environment. */
	const char **scan;
	size_t n_scan;
	/* What its closure is made of (closure.h); none: the host's program. */
	const char **uses;
	size_t n_uses;
	/* The rule was learned: variables that the caller set belong to the
	 * step whether env names them or not. */
	bool is_learned;
	/* Paths among the writes that the command updates in place. */
	const char **updates;
	size_t n_updates;
	/* Programs and files of the system that shape the output besides the
	 * program itself (compilers: cc1, as, ld); absolute. */
	const char **system;
	size_t n_system;
	/* Not NULL: a command that prints, on its two output streams together,
	 * which further files of the system it would use (gcc -###).  It makes
	 * nothing and runs in the command's cwd and environment; what it says
	 * depends on these arguments, the program and the named env alone, so
	 * that one answer serves many commands.  system_files() reads it. */
	const char **probe;
	size_t n_probe;
};

enum match {
	MATCH_NONE,     /* no model is for this program or shape */
	MATCH_REAL,     /* a model knows it and says: run it for real */
	MATCH_BOUND,    /* *out is filled */
};

struct models;

/* Read gg.models text (n = 0 for none).  name is for messages.  *out is the
 * caller's.  ERR_BAD with file, line and column. */
int models_new(struct bytes text, const char *name, struct models **out,
	       struct err *e);
void models_free(struct models *m);
/* Add what was learned of one shape, or put it in the place of what was there
 * of that shape (text.n 0: forget it).  Learned rules come after hand-written
 * ones and are strict besides: an argument that the pattern calls a value and
 * that names a file of the project does not fit it.  The rule is called
 * "learned SHAPE".  ERR_BAD as models_new, and nothing has changed.  Meanwhile
 * other threads may call models_know(), and nothing else. */
int models_learn(struct models *m, const char *shape, struct bytes text,
		 struct err *e);

/* Append s as one word of gg.models that means itself, in quotes where it
 * must be.  Braces stay what they are: in a PATH a plain one is written {{. */
void model_word(struct buf *out, const char *s);

/* The hand-written models in file order; *pos starts at 0.  Borrowed from m. */
struct model_info {
	const char *rule;               /* "gg.models:12" */
	const char *pattern;            /* its first line, tidied */
};
bool models_each(const struct models *m, size_t *pos, struct model_info *out);
/* The built-in ones: rule is "built-in", pattern the program. */
bool models_each_builtin(size_t *pos, struct model_info *out);

/* Bind c.  why, if not NULL, gets one line per rule that was for this program:
 * which matched, or what in the arguments it could not explain.  Hand-written
 * models are tried in file order before built-in ones.  A path may come twice
 * among the reads.  MATCH_REAL sets out->rule alone. */
enum match models_match(const struct models *m, const struct command *c,
			struct arena *a, struct binding *out, struct buf *why);

/* The absolute path, from a, of the file of the project, or the output that is
 * to be, that this word of c would name now; NULL if there is none. */
const char *model_names_file(const struct command *c, const char *text, struct arena *a);

/* Could this program have a model at all, by its base name?  Cheap: lets the
 * caller skip reading arguments and environment. */
bool models_know(const struct models *m, const char *program_base);

/* Names of what a make rule set depends on (the output of cc -M), without
 * the targets, each once, in a. */
int scan_parse(struct bytes rules, struct arena *a, struct strs *out,
	       struct err *e);

/* Files of the system that `program` (absolute) is made of and that its probe
 * named: programs it starts, their shared libraries, start files, linker
 * scripts and libraries.  said is what the probe printed, empty if there was
 * none; search is the PATH value by which programs find others.  Absolute,
 * tidied, existing regular files, each once, sorted, in a.  Reads the ELF
 * headers: about a millisecond. */
void system_files(const char *program, struct bytes said, const char *search,
		  struct arena *a, struct strs *out);

#endif
