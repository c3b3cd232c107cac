/* redis.h - one connection to a Redis server, which comes back when it breaks
 *
 * Private to src/backends.  redis_link.c (commands and replies), redis_stream.c
 * (the socket, with TLS or without), redis_uri.c; remote_redis.c is the remote.
 */
#ifndef GG_REDIS_H
#define GG_REDIS_H

#include <sys/types.h>
#include "remote.h"

/* ---- redis_uri.c */

struct redis_place {
	const char *host, *port, *shown;        /* shown: the URI without secrets */
	const char *user, *password;    /* or NULL */
	const char *prefix;             /* of all keys */
	const char *ca_file;            /* NULL: the authorities of the system */
	bool is_tls;
	unsigned db;
	uint64_t ttl_s, small_bytes;    /* 0: keys stay; all sizes */
};
int redis_place_read(const char *uri, const struct remote_opts *o, struct arena *a,
		     struct redis_place *out, struct err *e);

/* ---- redis_stream.c */

struct redis_stream;

/* Connect; ready() says when something can be read or written, or that it
 * failed (redis_stream_state).  After free, silence. */
struct redis_stream *redis_stream_new(struct loop *l, const struct redis_place *p,
				      void (*ready)(void *arg), void *arg);
void redis_stream_free(struct redis_stream *s);
enum redis_state { REDIS_CONNECTING, REDIS_OPEN, REDIS_BROKEN };
/* *why is filled when it is broken. */
enum redis_state redis_stream_state(const struct redis_stream *s, struct err *why);
/* How many bytes went; 0: none now; -1: broken. */
ssize_t redis_stream_read(struct redis_stream *s, void *p, size_t n);
ssize_t redis_stream_write(struct redis_stream *s, const void *p, size_t n);
/* What is waited for: an answer, room to write more.  Neither: the loop may end
 * meanwhile. */
void redis_stream_want(struct redis_stream *s, bool reads, bool writes);

/* ---- redis_link.c */

struct redis_link;
struct redisReply;
struct redis_call;

/* Called once, later: what the server says, which may be an error of its own
 * (redis_meaning), or ERR_RETRY, ERR_REFUSED, ERR_BAD when it is not reached. */
typedef void redis_done(void *arg, const struct redisReply *reply, const struct err *e);

struct redis_link *redis_link_new(struct loop *l, const struct redis_place *p);
void redis_link_free(struct redis_link *l);
/* args are copied.  A command that a broken connection left open is sent again:
 * it must do no harm twice. */
struct redis_call *redis_send(struct redis_link *l, const struct bytes *args, size_t n,
			      redis_done *done, void *arg);
/* Its done is not called any more. */
void redis_forget(struct redis_call *c);
/* An error reply as one of ours: only its first word is shown. */
int redis_meaning(const struct redis_place *p, const char *error, struct err *e);

#endif
