/* remote.h - a place where objects rest beyond this machine
 *
 * src/backends/remotes.c (the table), remote_dir.c (a folder), remote_http.c
 * (the HTTP cache protocol of Bazel), remote_s3.c (S3; sigv4.c signs, aws.c finds
 * credentials), remote_redis.c.
 *
 * A remote keeps blobs by key and knows nothing of what is in them: depot.h
 * compresses, checks and signs.  It is a const table of promises and a state
 * of its own, lives on the loop's thread and never blocks it.  Whoever can
 * write to it may lie; nothing that it gives is believed.
 */
#ifndef GG_REMOTE_H
#define GG_REMOTE_H

#include "http.h"
#include "loop.h"

struct remote;

/* What the environment would say of NAME ("AWS_PROFILE", "HOME"), or NULL;
 * borrowed.  Only tools read the environment: they hand this in. */
typedef const char *setting_fn(void *arg, const char *name);

struct remote_opts {
	struct loop *loop;
	struct http *http;              /* for those that speak HTTP */
	setting_fn *setting;
	void *setting_arg;
	const char *token;              /* Authorization: Bearer, or NULL */
	const char *unix_path;          /* HTTP goes through this socket, or NULL */
	const char *pinned_key;         /* of the server, as in http_request */
};

enum remote_verb {
	REMOTE_HEAD,                    /* is it there? */
	REMOTE_GET,
	REMOTE_PUT,
	REMOTE_DELETE,                  /* what is not there is no error */
};

struct remote_answer {
	struct bytes body;              /* of a GET without to_fd */
	uint64_t n_bytes;               /* of the blob, if known; else 0 */
	int64_t modified_s;             /* since 1970; 0: unknown */
	bool was_there;                 /* a PUT of something new found it there */
	unsigned n_tries;
};

/* One request.  The caller keeps it until done(). */
struct remote_call {
	enum remote_verb verb;
	const char *key;                /* "cas/HEX": plain, [a-z0-9._/-] only */
	struct bytes body;              /* PUT */
	const struct http_file *from;   /* PUT of a file instead */
	const struct http_file *to;     /* GET into a file; n_bytes: room for */
	uint64_t max_bytes;             /* of a GET without to; 0: 16 MiB.  More
					 * is ERR_REFUSED, and then the answer's
					 * n_bytes is more than this */
	bool only_new;                  /* PUT: leave alone what is there, as far
					 * as the place can tell */
	/* Called exactly once, later, unless cancelled.  e is NULL, or
	 * ERR_MISSING: not there; ERR_RETRY: unreachable or busy, after the
	 * remote's own tries; ERR_REFUSED: credentials, permissions, too large;
	 * ERR_IO: full or ill; ERR_BAD.  a is never NULL, dies on return. */
	void (*done)(struct remote_call *c, const struct remote_answer *a,
		     const struct err *e);
	void *arg;
	void *remote_data;              /* the remote's own, while it runs */
};

/* All keys that start with a prefix, in any order. */
struct remote_listing {
	const char *prefix;
	/* Lent during the call; non-zero ends the listing. */
	int (*each)(struct remote_listing *l, const char *key, uint64_t n_bytes,
		    int64_t modified_s);
	void (*done)(struct remote_listing *l, const struct err *e);
	void *arg;
	void *remote_data;
};

/* What it is good for.  Which one is nearer the order of their names says. */
struct remote_nature {
	uint64_t small_bytes;           /* larger values are better elsewhere;
					 * 0: it takes all sizes */
	bool is_plain;                  /* others read it who know no zstd */
};

struct remote_ops {
	const char *scheme;             /* "s3" of s3://bucket/prefix */
	const char *help;               /* one line: how its URI is written */
	bool needs_http;                /* opts.http must be there */

	/* Open what the URI names; it is copied.  No request is made.
	 * ERR_USAGE says what is wrong with the URI; ERR_MISSING: no
	 * credentials, no library.  close() cuts off what runs: nobody is
	 * called back any more.  It is never called from inside a done(), of
	 * this remote or of another: one answer may be part of several. */
	int (*open)(const struct remote_opts *o, const char *uri,
		    struct remote **out, struct err *e);
	void (*close)(struct remote *r);

	/* Begin.  After 0 it owes one done, never from inside; after -1 none. */
	int (*start)(struct remote *r, struct remote_call *c, struct err *e);
	void (*cancel)(struct remote *r, struct remote_call *c);

	/* NULL: it cannot list. */
	int (*list)(struct remote *r, struct remote_listing *l, struct err *e);

	struct remote_nature (*nature)(const struct remote *r);

	/* The URI for people and for workers: without secrets; borrowed. */
	const char *(*uri)(const struct remote *r);

	/* Is there more to say of a failed check, in words: the clock, the
	 * secret, the bucket, the permissions?  Serves the loop.  NULL: no. */
	int (*check)(struct remote *r, struct err *e);

	/* Remove what writers have begun up to before_s (since 1970, by the
	 * remote's clock) and not ended, as they were killed; is_dry: only
	 * count it.  Serves the loop.  NULL: nothing is ever half there. */
	int (*halves)(struct remote *r, int64_t before_s, bool is_dry, size_t *n,
		      struct err *e);
};

/* Start c and serve the loop until it is done: for tools.  c's done and arg are not
 * used; what *out holds lives in a.  src/exec/remote_wait.c */
int remote_wait(struct loop *l, const struct remote_ops *ops, struct remote *r,
		const struct remote_call *c, struct arena *a, struct remote_answer *out,
		struct err *e);

extern const struct remote_ops remote_dir, remote_http, remote_https, remote_s3,
	remote_redis, remote_rediss;
/* All of them, NULL at the end. */
extern const struct remote_ops *const remotes[];
/* The row for a URI, or NULL and ERR_USAGE. */
const struct remote_ops *remote_find(const char *uri, struct err *e);
/* Is it a plain path of [a-z0-9._-] parts, none of which begins with a dot, of
 * at most REMOTE_KEY_MAX bytes?  Remotes refuse others: ERR_BAD. */
enum { REMOTE_KEY_MAX = 200 };
bool remote_key_is_good(const char *key);

#endif
