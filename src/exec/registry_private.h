/* registry_private.h - what the parts of registry.h share; private to src/exec */
#ifndef GG_REGISTRY_PRIVATE_H
#define GG_REGISTRY_PRIVATE_H

#include "registry.h"

struct registry {
	const struct registry_opts *o;
	const struct image *m;
	int archive;
	struct arena arena;
	const char *base;               /* "https://host:port" */
	const char *authorization;      /* a header, or NULL */
};

/* One request. */
struct registry_ask {
	const char *method, *url;       /* absolute */
	const char *headers[4];         /* NULL at the end */
	struct bytes body;
	const struct http_file *from;
};

/* Ask, logging in when that is asked for.  The answer lives in r->arena. */
int registry_call(struct registry *r, const struct registry_ask *ask,
		  struct http_answer *out, struct err *e);
/* The status was none of those that mean success: *e in words; -1. */
int registry_refused(struct registry *r, const char *what, const struct http_answer *a,
		     struct err *e);

/* The value of key="value" in a challenge, in a; NULL if absent. */
const char *registry_challenge(const char *s, const char *key, struct arena *a);
/* Set r->authorization as a 401's WWW-Authenticate wants it. */
int registry_login(struct registry *r, const char *challenge, struct err *e);

#endif
