/* line.h - an event as a line of JSON, written member by member; tools/line.c
 *
 * A run has a line or two for each step, and a tree of objects for each costs
 * more than all else that is noted of it.  Text is dumped as json_name() has it.
 */
#ifndef GG_LINE_H
#define GG_LINE_H

#include "id.h"

/* Keys and events are plain words; so is what line_word() is given. */
void line_begin(struct buf *b, const char *event);
void line_word(struct buf *b, const char *key, const char *word);
void line_name(struct buf *b, const char *key, const char *s);
void line_id(struct buf *b, const char *key, const struct id *id);
void line_int(struct buf *b, const char *key, int64_t v);
/* In millionths from a thousandth on, by nine digits below it; what is no number
 * is 0. */
void line_real(struct buf *b, const char *key, double v);
void line_true(struct buf *b, const char *key);
/* With the end of the line. */
void line_end(struct buf *b);

#endif
