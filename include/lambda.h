/* lambda.h - functions of AWS Lambda, made, listed and removed;
 * src/backends/lambda_deploy.c (what is asked), lambda_account.c (signed
 * requests), zip.c
 *
 * For tools: each call serves the loop until it is done.  The engine that runs
 * steps on them is backend_lambda.
 */
#ifndef GG_LAMBDA_H
#define GG_LAMBDA_H

#include "remote.h"

struct lambda_account;

struct lambda_account_opts {
	struct http *http;
	setting_fn *setting;
	void *setting_arg;
	const char *region, *endpoint, *profile;        /* NULL: as the environment
							 * or ~/.aws says */
};

/* ERR_MISSING: no keys or no region; ERR_USAGE: an endpoint that is no URL. */
int lambda_account_open(const struct lambda_account_opts *o, struct lambda_account **out,
			struct err *e);
void lambda_account_close(struct lambda_account *a);

/* Zero in numbers: as it is, or for a new one 1024 MB, 15 minutes, 2 GiB. */
struct lambda_spec {
	const char *name;
	unsigned mem_mb, timeout_s, disk_mb;
	const char *role;               /* ARN of the role it runs as; a new one needs it */
	const char *image;              /* URI in ECR, or NULL: */
	struct bytes worker;            /* the static worker, for a zip */
	bool is_arm;
	void (*progress)(void *arg, const char *text);  /* a line now and then */
	void *arg;
};

struct lambda_info {
	const char *name, *state, *package, *modified, *arch;
	unsigned mem_mb, timeout_s, disk_mb;
	uint64_t code_bytes;
};

/* Make it, or bring it up to date, and wait until it can be called; *out lives
 * in a.  ERR_REFUSED says what is not allowed or not right. */
int lambda_deploy(struct lambda_account *api, const struct lambda_spec *s, struct arena *a,
		  struct lambda_info *out, struct err *e);
/* Those that lambda_deploy() has made. */
int lambda_list(struct lambda_account *api, struct arena *a, struct lambda_info **out,
		size_t *n, struct err *e);
/* ERR_MISSING; ERR_REFUSED: it was not made by gg. */
int lambda_remove(struct lambda_account *api, const char *name, struct err *e);

#endif
