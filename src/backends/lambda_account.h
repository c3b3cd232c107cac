/* lambda_account.h - signed requests to the API of AWS Lambda, and of what speaks
 * like it; lambda_account.c
 *
 * Private to src/backends.
 */
#ifndef GG_LAMBDA_ACCOUNT_H
#define GG_LAMBDA_ACCOUNT_H

#include "lambda.h"

#define LAMBDA_API "/2015-03-31/functions"

const char *lambda_account_region(const struct lambda_account *a);
/* Is the endpoint this machine itself? */
bool lambda_account_is_local(const struct lambda_account *a);
struct loop *lambda_account_loop(const struct lambda_account *a);
/* Use this client from now on, which is closed after the account. */
void lambda_account_http(struct lambda_account *a, struct http *h);

struct lambda_request {
	const char *method;
	const char *function;           /* name or ARN; NULL: all of them */
	const char *tail;               /* "/invocations", or "" */
	const char *query;              /* encoded and sorted, or NULL */
	const char *const *headers;     /* "Name: value", NULL at the end; or NULL */
	struct bytes body;              /* lent until done */
	uint64_t max_bytes;             /* of the answer */
	uint32_t total_ms;
	/* Once, later: as in http_request. */
	void (*done)(void *arg, const struct http_answer *a, const struct err *e);
	void *arg;
};

/* Begin.  Where the server says that the clock or the keys are not right and
 * that can be helped here, it is sent once more.  Strings are copied. */
struct lambda_call;
int lambda_call_start(struct lambda_account *a, const struct lambda_request *r,
		      struct lambda_call **out, struct err *e);
void lambda_call_cancel(struct lambda_call *c);

#endif
