/* trace.h - a journal as Chrome trace events, for Perfetto and its like; tools/trace.c */
#ifndef GG_TRACE_H
#define GG_TRACE_H

#include "base.h"

/* Write the journal's text as a trace into file: a process for each engine, a
 * thread for each slot, a slice for each run, markers for failures.  ERR_IO,
 * ERR_BAD. */
int trace_write(struct bytes journal, const char *file, struct err *e);

#endif
