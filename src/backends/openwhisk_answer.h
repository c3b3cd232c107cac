/* openwhisk_answer.h - what an invocation of an OpenWhisk action came to;
 * openwhisk_answer.c
 *
 * Private to src/backends.  An answer is an activation: what the action gave,
 * or how it failed, and how long it took and waited; or only its id, when the
 * controller did not wait for the end.
 */
#ifndef GG_OPENWHISK_ANSWER_H
#define GG_OPENWHISK_ANSWER_H

#include "http.h"
#include "run.h"

enum whisk_end {
	WHISK_ANSWERED,         /* result is the worker's answer */
	WHISK_PENDING,          /* it runs on: ask for the activation */
	WHISK_THROTTLED,        /* 429: too many at once, or in a minute */
	WHISK_BUSY,             /* 5xx without an activation */
	WHISK_TIMED_OUT,        /* the action's own limit */
	WHISK_OUT_OF_MEMORY,
	WHISK_LOST,             /* the container ended, or OpenWhisk failed it */
	WHISK_FAILED,           /* the action answers with an error */
	WHISK_TOO_LARGE,
	WHISK_DENIED,
	WHISK_ABSENT,
	WHISK_REFUSED,
	WHISK_UNREACHED, WHISK_CUT,
	WHISK_END_COUNT
};

struct whisk_said {
	enum whisk_end end;
	const char *activation; /* id, or NULL */
	const char *error;      /* one line, or NULL */
	struct bytes result;    /* WHISK_ANSWERED: JSON */
	struct bytes log;
	double duration_s, init_s, wait_s;
};

/* Of an invocation, or (is_poll) of asking for an activation, where 404 means
 * that it has not ended.  *out lives in ar. */
void whisk_answer_read(const struct http_answer *a, const struct err *e, bool is_poll,
		       struct arena *ar, struct whisk_said *out);
const char *whisk_end_name(enum whisk_end end);
enum run_status whisk_end_status(enum whisk_end end);
const char *whisk_end_remedy(enum whisk_end end);

#endif
