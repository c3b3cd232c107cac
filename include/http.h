/* http.h - requests over HTTP, many at once, on the loop
 *
 * src/exec/http.c (requests), http_body.c, http_sockets.c, fetch.c (one at a time), curl.c
 * (libcurl, opened when it is first needed), curl_reason.c.
 *
 * A client keeps its connections and uses them again, by HTTP/2 where a server
 * has it.  Any status is an answer: what it means, and whether to ask again,
 * is the caller's affair.  Errors name the method, the host and the path;
 * headers, bodies and what follows "?" may hold secrets and are never shown.
 * The environment is not read: no proxy unless one is given.
 */
#ifndef GG_HTTP_H
#define GG_HTTP_H

#include "base.h"

struct http;
struct loop;

struct http_opts {
	struct loop *loop;
	unsigned n_per_host;            /* connections to one host; 0: 64.  More
					 * requests than that wait for one */
	const char *ca_file;            /* NULL: the authorities of the system */
	bool trusts_anyone;             /* certificates are not checked */
	const char *proxy, *no_proxy;   /* as in http_proxy, no_proxy; or NULL */
	uint32_t dead_ms;               /* a connection whose other end does not
					 * even acknowledge for so long is cut;
					 * 0: 30 s */
};

/* Strings are copied.  ERR_MISSING if libcurl is not on this machine.  After
 * http_free() nobody is called back; what runs is cut off. */
int http_new(const struct http_opts *o, struct http **out, struct err *e);
void http_free(struct http *h);
struct loop *http_loop(const struct http *h);
/* Another client that is set up the same but for its connections to one host,
 * and how long those may be dead (0: the same): for those who keep many requests
 * open at once. */
int http_like(const struct http *h, unsigned n_per_host, uint32_t dead_ms, struct http **out,
	      struct err *e);
/* The file that libcurl was loaded from; borrowed. */
const char *http_library(const struct http *h);

/* A part of an open regular file; the descriptor's own offset is not used. */
struct http_file {
	int fd;
	uint64_t offset, n_bytes;
};

struct http_answer {
	int status;                     /* 0: none came */
	struct strs headers;            /* "name: value", as they came */
	struct bytes body;              /* unless it went to file or piece() */
	uint64_t n_bytes;               /* of the body, wherever it went */
	bool was_sent;                  /* the server may have acted upon it */
	double connect_s, first_s, total_s; /* to: connected, first byte, end */
};

/* No limit, for stall_ms and connect_ms. */
#define HTTP_NEVER UINT32_MAX

struct http_request {
	const char *method;             /* NULL: GET */
	const char *url;                /* http or https, ASCII, no user in it */
	const char *const *headers;     /* "Name: value", NULL at the end; or NULL */
	struct bytes body;              /* lent until done() */
	const struct http_file *from;   /* the body instead; fd open until done() */
	/* Where the body of an answer of 200 to 299 goes; others, and all
	 * without these, go to answer.body. */
	const struct http_file *to;     /* n_bytes: how much there is room for */
	int (*piece)(void *arg, struct bytes b); /* non-zero ends the request; it
					 * must not start, cancel or free any */
	uint64_t max_bytes;             /* of answer.body; 0: 1 MiB.  More of it,
					 * or of `to`, is ERR_REFUSED */
	uint32_t connect_ms;            /* 0: 10 s */
	uint32_t stall_ms;              /* nothing moves for so long; 0: 60 s.  In
					 * whole seconds */
	uint32_t total_ms;              /* 0: none */
	unsigned n_redirects;           /* to follow; Authorization stays with
					 * the first host */
	const char *unix_path;          /* socket to connect to instead of the host */
	const char *ca_file;            /* instead of the client's; or NULL */
	const char *pinned_key;         /* "sha256//BASE64": the server is who has
					 * this public key, whatever it is called
					 * and whoever signed its certificate */
	/* Called exactly once, later, unless cancelled.  e is NULL when a whole
	 * answer has come.  Otherwise ERR_RETRY (no connection, cut off, too
	 * slow), ERR_REFUSED (certificate, too large), ERR_IO (a file here),
	 * ERR_BAD.  answer is never NULL and dies when this returns. */
	void (*done)(void *arg, const struct http_answer *answer, const struct err *e);
	void *arg;
};

/* Begin.  The struct, its strings and its http_file structs are copied.
 * ERR_USAGE for a URL that is none. */
struct http_call;
int http_start(struct http *h, const struct http_request *r,
	       struct http_call **out, struct err *e);
/* End a call that is not done: it is not called back. */
void http_cancel(struct http_call *c);

/* Start r and serve the loop until it is done: for tools.  r's done and arg
 * are not used.  What *out holds lives in a. */
int http_fetch(struct http *h, const struct http_request *r, struct arena *a,
	       struct http_answer *out, struct err *e);

/* The value of the last header of that name, in any case, or NULL. */
const char *http_header(const struct http_answer *a, const char *name);
/* Is host (of a URL, without port) this machine itself? */
bool http_host_is_local(struct bytes host);
/* The same of the host of a URL.  No proxy leads there. */
bool http_url_is_local(const char *url);

#endif
