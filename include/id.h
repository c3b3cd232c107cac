/* id.h - names made from content: SHA-256; src/thunk/id.c
 *
 * The name of bytes is what sha256sum prints for them.
 */
#ifndef GG_ID_H
#define GG_ID_H

#include "base.h"

enum { ID_BYTES = 32, ID_HEX = 64 };

struct id {
	unsigned char b[ID_BYTES];
};

struct id_hex {
	char s[ID_HEX + 1];
};

/* The name of b. */
struct id id_of(struct bytes b);

/* As 64 lower-case hex digits, and back.  id_parse takes exactly 64 of them
 * and nothing else; false leaves *out alone. */
struct id_hex id_hex(const struct id *id);
bool id_parse(struct bytes hex, struct id *out);

bool id_equal(const struct id *a, const struct id *b);
bool id_is_zero(const struct id *id);
/* The id's own bytes, as a key; borrowed from id. */
struct bytes id_key(const struct id *id);

/* Bytes that come in pieces.  hash_new is reusable: hash_end gives the name
 * of what was added since the last hash_end. */
struct hash;
struct hash *hash_new(void);
void hash_add(struct hash *h, const void *p, size_t n);
struct id hash_end(struct hash *h);
void hash_free(struct hash *h);

/* Name all that fd holds from its start, in pieces; fd's offset is left
 * alone.  *n_bytes is how many were read.  ERR_IO. */
int id_of_fd(int fd, struct id *out, uint64_t *n_bytes, struct err *e);

#endif
