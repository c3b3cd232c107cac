/* ticket.h - what a worker has to know to find its dispatcher; src/exec/ticket.c
 *
 * A small text, mode 0600 where it is a file, for the worker alone:
 *
 *     gg-ticket 1
 *     url https://10.0.0.7:41234         or unix:/path/to/socket
 *     token 64 hex digits
 *     key sha256//BASE64                 of the certificate's public key; TLS only
 *     pool slurm                         which pool its worker belongs to
 */
#ifndef GG_TICKET_H
#define GG_TICKET_H

#include "base.h"

struct ticket {
	char url[256], token[65], key[64], pool[32];
};

/* A new token.  ERR_IO. */
int ticket_token(char token[65], struct err *e);

/* Append it as text. */
void ticket_write(const struct ticket *t, struct buf *out);
/* ERR_BAD says what is wrong. */
int ticket_read(struct bytes text, struct ticket *out, struct err *e);

#endif
