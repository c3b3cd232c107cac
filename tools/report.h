/* report.h - parts of gg report; tools/cmd_report.c */
#ifndef GG_REPORT_H
#define GG_REPORT_H

#include <jansson.h>
#include "thunk.h"
#include "store.h"

/* The page, with @HASH@ for its script and @DATA@ in it: tools/report.html. */
extern const unsigned char report_page[];
extern const size_t report_page_size;

/* Metrics by step, as programs write them (report_curves.c): for each JSON file
 * among the outputs of t, given r, an object {"file": NAME, "series": [{"name":
 * NAME, "points": [[STEP, VALUE]...]}...]} is added to out. */
void report_curves(struct store *s, const struct thunk *t, const struct result *r,
		   json_t *out);
/* Those of one text; NULL if it holds none. */
json_t *report_series(struct bytes text);

#endif
