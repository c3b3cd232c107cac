/* keys_private.h - what signed.c needs of keys.c */
#ifndef GG_KEYS_PRIVATE_H
#define GG_KEYS_PRIVATE_H

#include "keys.h"

/* ERR_MISSING without a secret key. */
int key_sign(const struct keyring *k, struct bytes what, unsigned char out[SIGNATURE_BYTES],
	     struct err *e);
bool key_verify(const struct public_key *p, struct bytes what,
		const unsigned char signature[SIGNATURE_BYTES]);

#endif
