/* certificate.h - a key and a certificate for one run; certificate.c
 *
 * Private to src/exec.  Nobody signs it: who has the ticket knows the sha256
 * of its public key and asks for no more.
 */
#ifndef GG_CERTIFICATE_H
#define GG_CERTIFICATE_H

#include "base.h"

struct certificate {
	struct buf key, certificate;    /* PEM */
	char pin[64];                   /* "sha256//BASE64" of the public key */
};

/* ERR_IO. */
int certificate_make(struct certificate *out, struct err *e);
void certificate_release(struct certificate *c);

#endif
