/* printed.h - has all that was printed arrived? tools/printed.c */
#ifndef GG_PRINTED_H
#define GG_PRINTED_H

#include "base.h"

/* At the end of a program: flush standard output.  ERR_IO when some of what was
 * printed is lost, but not where the reader has gone, who had enough of it. */
int printed_end(struct err *e);

#endif
