/* quantity.h - amounts as people write them; src/quantity.c
 *
 * Each is true and fills *out when the whole text is one such amount: plain
 * decimal, no sign, no exponent, no space.
 */
#ifndef GG_QUANTITY_H
#define GG_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

bool quantity_number(const char *s, double *out);       /* 1, 0.5 */
bool quantity_bytes(const char *s, uint64_t *out);      /* 2G, 512MiB: K M G T, powers of
							 * 1024; more than 0, at most 1e18 */
bool quantity_seconds(const char *s, double *out);      /* 90s, 1h30m: s m h d, more than 0 */

#endif
