/* serve_private.h - what the two halves of the server share; serve.c, serve_call.c */
#ifndef GG_SERVE_PRIVATE_H
#define GG_SERVE_PRIVATE_H

#include "certificate.h"
#include "httpd.h"
#include "listen.h"
#include "serve.h"

enum { SERVE_MEMORY_BYTES = 1 << 20 };

/* A connection, until it has shown the token. */
struct peer {
	struct peer *next, *prev;       /* among strangers, oldest first; else NULL */
	int fd;
	bool is_known;
	uint64_t since_ms;
};

struct call {
	struct serve_call c;            /* first */
	struct serve *s;
	struct MHD_Connection *connection;
	struct call *next, **at;        /* of those that wait */
	char *path;
	struct buf body, query;
	uint64_t max_bytes;
	int status;                     /* of a refusal, once the body has come */
	struct MHD_Response *response;  /* the answer, to be sent */
	bool has_begun, is_whole, is_told, is_waiting, has_gone;
};

struct serve {
	struct httpd_api api;
	struct serve_opts o;
	struct MHD_Daemon *daemon;
	struct certificate certificate;
	struct listener listener;
	struct watch *watch, *gone_watch;
	struct timer *timer, *stranger_timer;
	uint64_t timer_at_ms;
	int gone_fd;
	struct call *waiting;
	struct call *spares;            /* by next */
	unsigned n_spares;
	struct peer strangers;          /* the ends of the list */
	bool is_running, is_closing;
};

/* serve_call.c: what libmicrohttpd calls for a request, in this order. */
void *serve_on_address(void *arg, const char *address, struct MHD_Connection *connection);
enum MHD_Result serve_on_request(void *arg, struct MHD_Connection *connection, const char *url,
				 const char *method, const char *version, const char *p,
				 size_t *n, void **own);
void serve_on_completed(void *arg, struct MHD_Connection *connection, void **own,
			enum MHD_RequestTerminationCode code);
/* Memory of calls that have ended. */
void serve_free_spares(struct serve *s);

/* serve.c: a call that has no answer yet waits, until it has one; a connection
 * has shown the token. */
void serve_rest(struct call *c);
void serve_wake(struct call *c);
void serve_knows(struct peer *p);

#endif
