/* base64.h - bytes as letters, for JSON and HTTP headers; src/base64.c */
#ifndef GG_BASE64_H
#define GG_BASE64_H

#include "base.h"

/* Append b in the usual alphabet, padded. */
void base64_encode(struct bytes b, struct buf *out);
/* Append what text stands for: padded, no other byte in it, and nothing in its
 * last bits.  false leaves out as it was. */
bool base64_decode(struct bytes text, struct buf *out);

#endif
