/* litter.h - where temporaries lie that a killed gg has left
 *
 * Private to src/thunk; litter.c.  litter_sweep() is in place.h.
 */
#ifndef GG_LITTER_H
#define GG_LITTER_H

#include "project.h"

/* A temporary is about to be made beside path.  Where that cannot be noted it
 * may stay behind if gg is killed: nothing else is lost. */
void litter_note(const struct project *p, const char *path);
/* What is at path could not be removed: what was noted stays, for the next. */
void litter_keep(const struct project *p, const char *path);
/* For project_open and project_close. */
struct litter *litter_new(void);
void litter_free(struct project *p);

#endif
