/* sigv4.h - requests signed as AWS wants them, Signature Version 4; sigv4.c
 *
 * Private to src/backends.
 */
#ifndef GG_SIGV4_H
#define GG_SIGV4_H

#include "base.h"

/* Who signs; token is of a session, or NULL. */
struct aws_keys {
	const char *access_key, *secret_key, *token;
	int64_t expires_s;              /* since 1970; 0: never */
};

enum {
	SIGV4_NORMALISE = 1,            /* ".", ".." and empty parts go from the path */
	SIGV4_ENCODE = 2,               /* it is percent-encoded once more */
	SIGV4_TELL_HASH = 4,            /* x-amz-content-sha256 is sent too */
	SIGV4_TOKEN_LATER = 8,          /* the token is sent but not signed */
	SIGV4_OF_S3 = SIGV4_TELL_HASH,
	SIGV4_OF_OTHERS = SIGV4_NORMALISE | SIGV4_ENCODE,
};

/* What a signature is good for; a zeroed rest is right.  The key of a day is
 * derived once. */
struct sigv4 {
	const char *region, *service;   /* lent */
	unsigned flags;
	int64_t skew_s;                 /* the server's clock before ours */
	char day[9];                    /* what follows is sigv4.c's */
	unsigned char tag[32], key[32];
};

/* The hash of a body that is not signed. */
#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

struct sigv4_request {
	const char *method;
	const char *host;               /* with its port, as it is sent */
	const char *path;               /* as it is sent; "" is "/" */
	const char *query;              /* as it is sent, without "?"; or NULL */
	const char *const *headers;     /* others to be signed: "Name: value"; or NULL */
	const char *payload;            /* hex SHA-256 of the body or SIGV4_UNSIGNED;
					 * NULL: there is no body */
	int64_t now_s;                  /* by this machine's clock */
};

/* What was made on the way, in the arena: for tests and for people. */
struct sigv4_made {
	const char *canonical, *to_sign, *signature;
};

/* Append the headers to be sent beside r's own: x-amz-date and so on, and
 * Authorization.  They live in a; the array of out is the caller's. */
struct sigv4_made sigv4_sign(struct sigv4 *s, const struct aws_keys *k,
			     const struct sigv4_request *r, struct arena *a, struct strs *out);

/* Believe the clock of a server's Date header.  false: it is none, or about
 * as now_s + skew_s says, so that the clock is not what is wrong. */
bool sigv4_learn_clock(struct sigv4 *s, const char *date, int64_t now_s);

/* Append text percent-encoded as SigV4 wants it, "/" too unless it is kept. */
void sigv4_encode(struct bytes text, bool keeps_slash, struct buf *out);

#endif
