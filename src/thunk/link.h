/* link.h - what a linker reads and writes, by its own arguments; link.c
 *
 * Shared by ld and by compilers, which hand on -Wl, and -Xlinker arguments
 * among their inputs.
 */
#ifndef GG_LINK_H
#define GG_LINK_H

#include "draft.h"

struct link {
	struct draft *d;
	bool is_static;         /* -l means archives: toggled by -Bstatic */
	bool needs_static;      /* is_static as the probe has been told */
	bool is_shared, is_relocatable;
	bool is_ld;             /* -o and -( are ours, not the compiler's */
	const char *out;        /* is_ld: what -o says */
	size_t n_inputs;
	struct strs dirs;       /* -L, in order */
	struct strs rpaths;     /* where libraries that libraries need are sought */
	struct strs needs;      /* arguments a probe wants: -L and -l of the
				 * system, -static, in order */
};

/* Explain args[0..n): reads and writes go to l->d.  Flags that are set before
 * hold from the start; extra_dirs (LIBRARY_PATH) follow all -L.  false: l->d
 * has a reason. */
bool link_args(struct link *l, const struct strs *args, const char *extra_dirs);
void link_release(struct link *l);

#endif
