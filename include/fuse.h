/* fuse.h - several commands of one kind as one process; src/thunk/fuse.c
 *
 * A model may say how (the property `fuse` of gg.models), in words of one option
 * each:
 *
 *     --members={n}       what says how many there are; no command has it alone
 *     --seed=,0           values with commas between, in the order of the commands;
 *                         0 is what the program takes where it is absent
 *     --rate=,            likewise; then either all have it, or none
 *     -o,--output={}      a path that is written; the process is given one with {}
 *                         in it, and writes for each command what it alone would
 *                         write, {} being its number, from 0
 *     --keep={stop}       a path with {} in it, likewise, of what each leaves when the
 *                         process is told to end: its checkpoint, as if it had been
 *                         alone; no command has it
 *     !--state            a command with this option, or with !--profile=fast with
 *                         this value, is left alone
 *
 * All else has to be the same word for word: other arguments, inputs, environment,
 * runtime, cwd.  All outputs have to be paths of {} options.  Which of them ran
 * together enters no name: what a command gives is what it gives alone.
 */
#ifndef GG_FUSE_H
#define GG_FUSE_H

#include "thunk.h"

/* Longer text than this is refused. */
enum { FUSE_TEXT_MAX = 1000 };

struct fuse;

/* Read such words, blanks between; *out and what it holds live in a.  ERR_BAD. */
int fuse_read(const char *words, struct arena *a, struct fuse **out, struct err *e);

/* What commands must have in common to go together, as a name that enters nothing;
 * t is reduced.  false: this one goes alone. */
bool fuse_common(const struct fuse *f, const struct thunk *t, struct id *out);

/* One thunk for those n, at least two, that have all that in common; in a. */
int fuse_make(const struct fuse *f, const struct thunk *const *v, size_t n, struct arena *a,
	      struct thunk *out, struct err *e);

/* The folder in which such a thunk leaves checkpoints, as spelled by a model, with a /
 * at its end; NULL where it cannot stop.  And what that of number i is called there.  Both in
 * a. */
bool fuse_can_stop(const struct fuse *f);
const char *fuse_checkpoints(const struct fuse *f, const struct thunk *whole, struct arena *a);
const char *fuse_checkpoint_name(const struct fuse *f, size_t i, struct arena *a);

/* What v[i] == t has of what that thunk gave; in a.  ERR_BAD if something lacks. */
int fuse_part(const struct fuse *f, const struct thunk *t, size_t i,
	      const struct result *whole, struct arena *a, struct result *out,
	      struct err *e);

#endif
