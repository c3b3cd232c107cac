/* trade.h - files that change places instead of coming and going
 *
 * Private to src/thunk; trade.c.
 */
#ifndef GG_TRADE_H
#define GG_TRADE_H

#include <sys/stat.h>
#include "project.h"

/* Open an empty file for what is to stand at a path where a placeholder stands
 * now.  The descriptor is the caller's to close; -1 when this project cannot
 * have one, and then a temporary beside the path is to be used. */
int trade_open(const struct project *p, mode_t mode);
/* Put it there.  The placeholder is what the next one is written
 * into.  -1 with errno. */
int trade_land(const struct project *p, const char *path);
/* For project_open and project_close. */
struct trade *trade_new(void);
void trade_free(struct project *p);

#endif
