/* shown.h - names and texts as a terminal and as JSON can carry them;
 * tools/shown.c says by which rule
 */
#ifndef GG_SHOWN_H
#define GG_SHOWN_H

#include <jansson.h>
#include "base.h"

/* One line for people, whatever s holds; from a. */
char *shown(struct arena *a, const char *s);
/* A name, an argument or a sentence with such in it. */
json_t *json_name(const char *s);
/* A canonical text, where a backslash already is part of an escape. */
json_t *json_text(struct bytes text);
/* Add o to b; flags are json_dumps()'s.  -1: o is none, or holds itself. */
int json_add(struct buf *b, const json_t *o, size_t flags);

#endif
