/* when.h - moments as servers write them, and how long ago; src/when.c */
#ifndef GG_WHEN_H
#define GG_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds since 1970, whatever the locale and the time zone here.  Both take the
 * whole text and leave *out alone when it is something else. */
bool when_http(const char *s, int64_t *out);    /* Sun, 06 Nov 1994 08:49:37 GMT */
bool when_iso(const char *s, int64_t *out);     /* 1994-11-06T08:49:37[.123]Z */

/* 19941106T084937Z. */
struct when_basic {
	char s[17];
};
struct when_basic when_basic(int64_t at_s);

/* Milliseconds of a clock that nobody sets; any thread. */
uint64_t when_steady_ms(void);

#endif
