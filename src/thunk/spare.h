/* spare.h - files that change places instead of coming and going
 *
 * Private to src/thunk; spare.c.
 */
#ifndef GG_SPARE_H
#define GG_SPARE_H

#include <sys/stat.h>
#include "project.h"

/* Open an empty file for what is to stand at a path where a placeholder stands
 * now.  The descriptor is the caller's to close; -1 when this project cannot
 * have one, and then a temporary beside the path is to be used. */
int spare_open(const struct project *p, mode_t mode);
/* Put it there.  The placeholder is the next spare.  -1 with errno. */
int spare_land(const struct project *p, const char *path);
/* For project_open and project_close. */
struct spare *spare_new(void);
void spare_free(struct project *p);

#endif
