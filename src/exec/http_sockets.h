/* http_sockets.h - what libcurl's sockets wait for; http_sockets.c
 *
 * Private to src/exec.  A connection that is kept goes on being watched while it
 * rests, so that its next request costs no call to say so again.
 */
#ifndef GG_HTTP_SOCKETS_H
#define GG_HTTP_SOCKETS_H

#include "loop.h"

struct http_sockets;

struct http_sockets *http_sockets_new(struct loop *l,
				      void (*ready)(void *arg, int fd, unsigned ready), void *arg);
void http_sockets_free(struct http_sockets *s);
/* fd is a connection: http_sockets_closing() will be called before it is closed.
 * It breaks when its other end has been out of reach for dead_ms. */
void http_sockets_keep(struct http_sockets *s, int fd, uint32_t dead_ms);
/* Wait for these (WATCH_...); 0: for nothing, and the loop may end meanwhile. */
void http_sockets_want(struct http_sockets *s, int fd, unsigned events);
void http_sockets_closing(struct http_sockets *s, int fd);

#endif
