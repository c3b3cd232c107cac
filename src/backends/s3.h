/* s3.h - what the files of the S3 remote share
 *
 * Private to src/backends.  s3_uri.c (its URI), s3_request.c (one signed
 * request and its tries), s3_moved.c (buckets elsewhere), s3_words.c (XML, and
 * what errors mean), s3_upload.c and s3_download.c (large objects in parts),
 * s3_list.c, s3_halves.c, s3_check.c, remote_s3.c (the table).
 */
#ifndef GG_S3_H
#define GG_S3_H

#include "aws.h"
#include "remote.h"
#include "sigv4.h"

enum {
	S3_PART_BYTES = 8 << 20,        /* at least 5 MiB, says the protocol */
	S3_WHOLE_BYTES = 2 * S3_PART_BYTES,     /* larger objects go in parts */
	S3_PARTS_MAX = 10000,
	S3_ABREAST = 4,                 /* parts of one object in flight */
};

/* ---- s3_uri.c */

struct s3_place {
	const char *uri, *bucket, *prefix;      /* prefix "" or with a slash at its end */
	const char *endpoint, *region, *profile;        /* NULL: not said */
	bool is_virtual;                /* the bucket is in the host's name */
};
int s3_place_read(const char *uri, struct arena *a, struct s3_place *out, struct err *e);

/* Where requests go: https://bucket.s3.eu-west-1.amazonaws.com and so on. */
struct s3_address {
	const char *base;               /* scheme and host, no slash at the end */
	const char *host;               /* as libcurl sends it */
	const char *path;               /* before the key, "/" or "/bucket/" */
	bool is_tls;
};
int s3_address_of(const struct s3_place *p, const char *region, struct arena *a,
		  struct s3_address *out, struct err *e);
/* The same by what a server says of where the bucket is: a URL of it or of an
 * object in it, or, as AWS has it, a host alone.  false: it is none that may be
 * followed; who was asked by TLS is not sent where there is none. */
bool s3_address_moved(const struct s3_address *from, const char *bucket, const char *location,
		      struct arena *a, struct s3_address *out);

/* ---- s3_words.c */

/* Elements without others in them, with their text; then the end of each. */
struct s3_reader {
	void (*leaf)(void *arg, const char *name, const char *text);
	void (*end)(void *arg, const char *name);
	void *arg;
};
int s3_read_xml(struct bytes xml, const struct s3_reader *r, struct err *e);
/* The text of the first element of that name, in a; NULL: none. */
const char *s3_xml_text(struct bytes xml, const char *name, struct arena *a);

/* What can be done about a refusal. */
enum s3_remedy {
	S3_GIVE_UP,
	S3_AGAIN,                       /* later */
	S3_CLOCK, S3_KEYS, S3_REGION,   /* once that is put right */
	S3_ASIDE,                       /* elsewhere, or here, but later */
};
struct s3_meaning {
	const char *code;               /* of the XML; NULL: any */
	int status;                     /* 0: any */
	enum s3_remedy remedy;
	enum err_code err;
	const char *text;
};
const struct s3_meaning *s3_meaning_of(int status, const char *code);

/* ---- the remote */

struct s3_request;

/* What close() has to end: each call, listing and so on is one. */
struct s3_job {
	struct remote *r;
	struct s3_job *next, **at;
	void (*drop)(struct s3_job *j); /* ends it in silence, frees it */
};

enum s3_fact { S3_UNKNOWN, S3_YES, S3_NO };

struct remote {
	struct loop *loop;
	struct http *http;
	char *unix_path;
	struct arena arena;
	struct s3_place place;
	struct s3_address address;
	struct s3_address aside;        /* where some are sent for now */
	struct aws *aws;
	struct sigv4 sign;
	struct s3_job *jobs;
	struct s3_request *first, **last;       /* wait for room */
	unsigned n_running;
	double window, slow_start_to;   /* how many may run; see s3_request.c */
	uint64_t shrunk_ms, seed;
	bool is_down;                   /* the last try in all its time failed */
	bool has_answered;              /* ever */
	bool is_closing;
	enum s3_fact has_if_none_match;
};

/* While it is in the list, closing the remote ends it. */
void s3_job_add(struct remote *r, struct s3_job *j);
void s3_job_remove(struct s3_job *j);

/* ---- s3_request.c */

/* One request with all its tries.  A zeroed rest is right; what it points to
 * stays until done() or s3_cancel(). */
struct s3_request {
	struct remote *r;
	const char *method;
	const char *key;                /* in the bucket, after the prefix; NULL: the bucket */
	const char *query;              /* encoded, or NULL */
	const char *headers[3];         /* NULL behind the last */
	struct bytes body;
	const struct http_file *from, *to;
	uint64_t max_bytes;
	/* e NULL: the status is 2xx.  Otherwise as remote.h has it; a->status
	 * and code tell more.  Later, never from inside s3_begin(). */
	void (*done)(struct s3_request *q, const struct http_answer *a, const struct err *e);
	void *arg;

	char code[48];                  /* of the last refusal, "" if none */
	unsigned n_tries;
	struct s3_request *next;        /* what follows is s3_request.c's */
	bool is_queued, is_running, is_explaining;
	bool mended_keys, mended_region;
	bool is_aside;                  /* it goes to r->aside */
	unsigned keys_version;
	int64_t skew_s;
	uint64_t began_ms;
	struct http_call *call;
	struct timer *pause;
	struct aws_wait wait;
	struct err err;
};
void s3_begin(struct s3_request *q);
void s3_cancel(struct s3_request *q);

/* ---- s3_moved.c: the bucket is elsewhere.  Each works once for a request. */

/* true: by the region or the address that a says q is to be sent again, as all
 * others are from now on. */
bool s3_follow(struct s3_request *q, const struct http_answer *a);
/* The same, for q alone. */
bool s3_step_aside(struct s3_request *q, const struct http_answer *a);
/* What a says of where the bucket is, for people: "" or " (...)"; lives in work. */
const char *s3_whereabouts(const struct http_answer *a, struct arena *work);

/* ---- the calls; each owes one c->done */

/* As the calls of remote_ops, for objects too large for one request; s3_halves is
 * remote_ops.halves. */
void s3_upload(struct remote *r, struct remote_call *c);
void s3_download(struct remote *r, struct remote_call *c);
int s3_list(struct remote *r, struct remote_listing *l, struct err *e);
int s3_check(struct remote *r, struct err *e);
int s3_halves(struct remote *r, int64_t before_s, bool is_dry, size_t *n, struct err *e);
/* Fill in what headers say of an object. */
void s3_answer_of(const struct http_answer *a, struct remote_answer *out);

#endif
