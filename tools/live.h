/* live.h - what running thunks print, for others to read meanwhile;
 * tools/live.c writes, tools/follow.c reads
 *
 * While a run goes on, .gg/runs/RUN.live/THUNK (THUNK.2 for a second run of it
 * beside the first) grows by what that thunk prints.  The file has no name any
 * more once the run of the thunk has ended and all of it is written: whoever
 * has it open sees that by its count of links.
 */
#ifndef GG_LIVE_H
#define GG_LIVE_H

#include "exec.h"

#define LIVE_ENDING ".live"

struct live;

/* For the run of that journal.  Nothing is made before something is printed,
 * and a file that cannot be written is done without. */
struct live *live_new(const char *store_dir, const char *run);
void live_event(struct live *l, const struct exec_event *ev);
void live_free(struct live *l);

struct ctx;
/* Print what the thunk prints until it has ended: 0, 1 if it failed, -1.  *found
 * says whether any gg that runs here now has it before it or running; if not,
 * nothing was printed. */
int live_follow(struct ctx *c, const struct id *thunk, bool *found, struct err *e);

#endif
