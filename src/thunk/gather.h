/* gather.h - the inputs of one command while its thunk is being made
 *
 * gather.c turns paths into inputs, machine.c gathers the system's files,
 * scan.c what compilers read besides.  infer.c puts them together.
 */
#ifndef GG_GATHER_H
#define GG_GATHER_H

#include "infer.h"

/* What a program is made of, and the host text when that is all. */
struct known_program {
	const char **files;
	size_t n_files;
	struct id host;
	bool has_host;
};

/* System files by path, named once per run: they do not change in it. */
struct machine {
	struct map ids;                 /* path -> struct id */
	struct map programs;            /* probe key -> struct known_program */
	struct map closures;            /* uses -> struct id, its tree */
	struct map held;                /* closure and program -> it has it */
	struct closure_ahead *ahead;    /* of the command that is adopted */
	struct arena arena;
};

struct infer {
	struct infer_opts o;
	struct machine machine;
	struct map output_dirs;         /* folders that hold outputs */
	struct arena arena;             /* lives as long as the inference */
	struct map failed;              /* helpers that gave nothing, by key */
	struct map names;               /* name of chance, file -> it holds it */
	struct map foretold;            /* output -> the learned rule and the command */
	bool knows_output_dirs;
};

struct gather {
	struct infer *in;
	const struct command *c;
	struct arena *a;
	struct input *v;                /* heap: gather_release */
	size_t n, room;
	struct host_file *files;        /* heap: system files */
	size_t n_files, files_room;
	struct known_program *known;    /* what machine_probe found */
	struct host_file program;
	struct infer_helper *helper;    /* filled when must_force */
	bool is_plain;                  /* paths depend on no file's content */
	bool must_force;                /* a placeholder is to be real first */
	bool is_of_another;             /* program: none of those that its model uses */
	const char *real, *spelled;     /* what is at real is named by a way
					 * over a link; else NULL */
};

void gather_release(struct gather *g);

/* Tell whoever remembers this inference. */
void gather_tell(const struct gather *g, const char *path, enum infer_input kind);
/* Add the values of the variables that b names to h, as a key has them. */
void gather_hash_env(const struct gather *g, const struct binding *b,
		     struct hash *h);
/* Ask for a helper of these args, in the command's place. */
void gather_ask(struct gather *g, const char **args, size_t n,
		const struct id *key);

/* path by text alone, from the root, or NULL if it does not lie there: where
 * the command will look for it when no link is on the way. */
const char *gather_spelled(const struct gather *g, const char *path);
/* Add what stands at path, as spelled from the command's cwd: by that way too
 * where links lead elsewhere.  ERR_MISSING with the tidied path if nothing
 * stands there; with must_force set, ERR_RETRY. */
int gather_path(struct gather *g, const char *path, struct err *e);
/* The same for all that a pattern of glob(7) finds now. */
int gather_glob(struct gather *g, const char *pattern, struct err *e);
/* Sort, and drop what stands twice or lies inside a tree that is there. */
void gather_finish(struct gather *g);
/* The path gathered so, or NULL. */
const struct input *gather_find(const struct gather *g, const char *path);

/* Note that a plain path is now an output. */
void gather_note_output(struct infer *in, const char *path);

/* A system file that shapes what the command gives. */
int machine_add(struct gather *g, const char *path, struct err *e);
/* Find out what the program is made of: 1 known, 0 to be found out by helper,
 * or -1.  A program of the project is gathered as an input. */
int machine_probe(struct gather *g, const struct binding *b, struct err *e);
/* For a step of b's uses: their closure, and the first word by which the
 * program is found there.  A program of the project is gathered. */
int machine_closure(struct gather *g, const struct binding *b, struct id *tree,
		    const char **program, struct err *e);
/* The host text: the program, what it is made of, and all that was added. */
int machine_host(struct gather *g, struct id *host, struct err *e);
/* Keep what a probe said. */
int machine_learn(struct infer *in, const struct infer_helper *h,
		  struct bytes said, struct err *e);
void machine_release(struct machine *m);

/* What b's scan is known to read: gathered (1), to be found out by helper
 * (0), or -1; ERR_FAILED if the helper was asked and could not say. */
int scan_gather(struct gather *g, const struct binding *b, struct err *e);

#endif
