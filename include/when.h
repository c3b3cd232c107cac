/* when.h - moments as servers write them; src/when.c
 *
 * Seconds since 1970, whatever the locale and the time zone here.
 */
#ifndef GG_WHEN_H
#define GG_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/* Both take the whole text and leave *out alone when it is something else. */
bool when_http(const char *s, int64_t *out);    /* Sun, 06 Nov 1994 08:49:37 GMT */
bool when_iso(const char *s, int64_t *out);     /* 1994-11-06T08:49:37[.123]Z */

/* 19941106T084937Z. */
struct when_basic {
	char s[17];
};
struct when_basic when_basic(int64_t at_s);

#endif
