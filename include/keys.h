/* keys.h - who may say what a thunk gives: Ed25519 keys and signed results
 *
 * src/exec/keys.c (files of keys), signed.c (the text of a signed result).
 *
 *     gg-signed 1
 *     key 64 hex digits
 *     sig 128 hex digits
 *     gg-result 1
 *     ...
 *
 * The signature is over "gg-signed 1\n", the 64 hex digits of the thunk and a
 * newline, and the text of the result, so that no result can be passed off as
 * that of another thunk.  It has one spelling; a reader refuses others.
 */
#ifndef GG_KEYS_H
#define GG_KEYS_H

#include "thunk.h"

enum { KEY_BYTES = 32, SIGNATURE_BYTES = 64 };

struct public_key {
	unsigned char b[KEY_BYTES];
};

/* As 64 lower-case hex digits, and back: exactly 64 of them. */
struct id_hex public_key_hex(const struct public_key *p);
bool public_key_parse(struct bytes hex, struct public_key *out);

/* The own secret key, if any, and the public ones that are trusted. */
struct keyring;

/* A new key pair: the secret as PEM in file `path` (mode 0600, never replaced:
 * ERR_REFUSED), the public one in *out.  ERR_IO. */
int key_make(const char *path, struct public_key *out, struct err *e);

/* secret_path: PEM, or NULL, or where none is; a file that others may read is
 * ERR_REFUSED.
 * trusted: lines of 64 hex digits, a name after a space, # comments.  The own
 * key is trusted.  ERR_BAD names the line. */
int keyring_open(const char *secret_path, struct bytes trusted,
		 struct keyring **out, struct err *e);
/* More lines of trusted keys. */
int keyring_add(struct keyring *k, struct bytes trusted, struct err *e);
void keyring_free(struct keyring *k);
bool keyring_can_sign(const struct keyring *k);
bool keyring_trusts(const struct keyring *k, const struct public_key *p);
const struct public_key *keyring_own(const struct keyring *k);     /* or NULL */
/* Every trusted key but the own one, in the order of the lines; name is "" when
 * none was given.  fn returns non-zero to stop. */
void keyring_each(const struct keyring *k,
		  int (*fn)(void *arg, const struct public_key *p, const char *name),
		  void *arg);

/* Append the signed text; ERR_MISSING without a secret key. */
int signed_write(const struct keyring *k, const struct id *thunk, struct bytes result,
		 struct buf *out, struct err *e);
/* The result text inside, lent from text.  ERR_BAD: no such text or a wrong
 * signature; ERR_REFUSED: a good one, of a key that is not trusted (*by). */
int signed_read(const struct keyring *k, const struct id *thunk, struct bytes text,
		struct bytes *result, struct public_key *by, struct err *e);

#endif
