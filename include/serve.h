/* serve.h - answering HTTP on the loop; src/exec/serve.c (connections,
 * waiting, libmicrohttpd), serve_call.c (one request), certificate.c, listen.c
 *
 * One listener: a unix socket, or TCP with TLS and a certificate made for it.
 * Who does not show the token gets 401 and nothing else: no path, no version.
 * An answer may be given much later (a worker that waits for work), from
 * anywhere on the loop; thousands may wait at once.
 */
#ifndef GG_SERVE_H
#define GG_SERVE_H

#include "loop.h"
#include "http.h"

struct serve;

/* One request, until it is answered. */
struct serve_call {
	const char *method, *path;      /* path: plain, without query */
	const char *query;              /* after "?", or "" */
	struct bytes body;              /* when it went to memory */
	int body_fd;                    /* else an unlinked file, -1: none.  Its
					 * offset is at the start */
	uint64_t n_bytes;               /* of the body */
	void *data;                     /* NULL; for who answers later */
};

struct serve_opts {
	struct loop *loop;
	const char *unix_path;          /* mode 0600; removed at the end */
	const char *address;            /* "127.0.0.1:0"; IPv6 in brackets.  Anything
					 * but this machine itself must be asked
					 * for by the user */
	const char *token;              /* compared in constant time */
	bool is_open;                   /* no token is asked for, and TCP is without
					 * TLS: for a protocol that has neither,
					 * behind another wall */
	uint64_t memory_bytes;          /* bodies beyond go to files in spool_dir;
					 * 0: 1 MiB */
	uint64_t max_bytes;             /* beyond: 413; 0: 16 GiB */
	const char *spool_dir;
	unsigned idle_s;                /* a connection that says nothing is cut
					 * off, one that waits for us is not; 0: 120 */
	/* A whole request has come; it must be answered once, now or later. */
	void (*request)(void *arg, struct serve_call *c);
	/* The peer of a waiting call has gone: it must not be answered. */
	void (*gone)(void *arg, struct serve_call *c);
	/* May the body come at all?  Asked before it does: a status from 400 to
	 * say no, else 0.  NULL: yes. */
	int (*accepts)(void *arg, const struct serve_call *c, uint64_t n_bytes);
	void *arg;
};

/* Listen from now on; o is copied, what it points to is not.  ERR_USAGE: that is
 * no address; ERR_REFUSED: another process listens there; ERR_MISSING: there is
 * no libmicrohttpd; ERR_IO. */
int serve_open(const struct serve_opts *o, struct serve **out, struct err *e);
/* Answers given before are sent; calls that wait still are cut off without a
 * word to `gone`. */
void serve_close(struct serve *s);

/* The value of a header in any case, or NULL. */
const char *serve_header(const struct serve_call *c, const char *name);

struct serve_answer {
	int status;
	const char *const *headers;     /* "Name: value", NULL at the end, or NULL */
	struct bytes body;              /* copied */
	const struct http_file *file;   /* instead; its fd is closed when sent */
};
void serve_answer(struct serve_call *c, const struct serve_answer *a);

/* What a client needs to get here: a text for ticket files, see ticket.h. */
struct ticket;
void serve_ticket(const struct serve *s, struct ticket *out);
unsigned serve_connections(const struct serve *s);

#endif
