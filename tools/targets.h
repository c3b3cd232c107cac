/* targets.h - the outputs that a person means; tools/targets.c */
#ifndef GG_TARGETS_H
#define GG_TARGETS_H

#include "gg.h"

/* An output that gg knows. */
struct target {
	const char *path;
	struct placeholder ph;
	enum place_now now;
};

struct targets {
	struct target *v;
	size_t n, room;
};

/* Those at the paths, or in folders among them; without any, all of the project.
 * Strings live in c->arena; free v.  ERR_USAGE: no output is there. */
int targets_find(struct ctx *c, int argc, char **argv, struct targets *out, struct err *e);
/* Only the paths, each once and sorted, and a folder without outputs has none.
 * Strings live in c->arena; release out.  ERR_USAGE: nothing at all is there. */
int outputs_find(struct ctx *c, int argc, char **argv, struct strs *out, struct err *e);

#endif
