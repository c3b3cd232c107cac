/* builtin.h - models that code explains better than a pattern
 *
 * builtin.c holds the table; each row's function is in the file beside it.
 */
#ifndef GG_BUILTIN_H
#define GG_BUILTIN_H

#include "model.h"

struct builtin {
	const char *program;    /* base name, "gcc"; versions (gcc-12) and
				 * target prefixes are tried too */
	const char *help;
	/* As models_match, for one command of this program. */
	enum match (*bind)(const struct command *c, struct arena *a,
			   struct binding *out, struct buf *why);
};

/* The row for a program's base name, or NULL. */
const struct builtin *builtin_find(const char *program_base);

#endif
