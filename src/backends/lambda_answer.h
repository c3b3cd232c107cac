/* lambda_answer.h - what an invocation came to; lambda_answer.c
 *
 * Private to src/backends.  The Invoke API says it in four places: the status,
 * the header X-Amz-Function-Error, the words of the error, and the REPORT line
 * at the end of the log.
 */
#ifndef GG_LAMBDA_ANSWER_H
#define GG_LAMBDA_ANSWER_H

#include "http.h"
#include "run.h"

enum lambda_end {
	LAMBDA_ANSWERED,        /* the worker's answer is the body */
	LAMBDA_THROTTLED,       /* 429: too many at once */
	LAMBDA_BUSY,            /* not ready, or ill for the moment */
	LAMBDA_TIMED_OUT,       /* the function's own limit */
	LAMBDA_OUT_OF_MEMORY,
	LAMBDA_EXITED,          /* the worker ended without an answer */
	LAMBDA_THREW,           /* the function answers with an error */
	LAMBDA_TOO_LARGE,       /* the request */
	LAMBDA_ANSWER_TOO_LARGE,
	LAMBDA_CLOCK,           /* this machine's is wrong */
	LAMBDA_EXPIRED,         /* credentials that were good once */
	LAMBDA_DENIED,
	LAMBDA_ABSENT,          /* no such function */
	LAMBDA_REFUSED,         /* any other word against the request */
	LAMBDA_UNREACHED,       /* no connection: it never began */
	LAMBDA_CUT,             /* a connection that broke: it may have run */
	LAMBDA_END_COUNT
};

struct lambda_said {
	enum lambda_end end;
	const char *error;      /* "TYPE: MESSAGE", or NULL */
	struct bytes log;       /* the last 4 KiB that the function printed */
	/* From the REPORT line; 0: it does not say. */
	double billed_s, init_s, mem_mb, used_mb;
	double pause_s;         /* Retry-After */
	const char *date;       /* of the server, or NULL */
};

/* e: as http's done has it.  *out lives in ar. */
void lambda_answer_read(const struct http_answer *a, const struct err *e,
			struct arena *ar, struct lambda_said *out);

/* What to call it in counts: "throttled"; and how a step ends by it. */
const char *lambda_end_name(enum lambda_end end);
enum run_status lambda_end_status(enum lambda_end end);
/* The remedy, for after the error; or NULL. */
const char *lambda_end_remedy(enum lambda_end end);

#endif
