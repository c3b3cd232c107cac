/* message.h - one step to a worker, and what it gave, as JSON
 *
 * src/exec/message.c (to and from text), message_objects.c (which objects a
 * step needs or gave).
 *
 * A request, which is also the event of a Lambda function:
 *
 *     { "gg": 1,
 *       "thunk": TEXT,             the reduced thunk
 *       "objects": { ID: BASE64 }, what its inputs hold, trees' texts included
 *       "root": "/home/ann/proj",  where the project's root is to be seen
 *       "timeout": 60, "watched": true }
 *
 * and its answer:
 *
 *     { "gg": 1, "status": "ok", "code": 0,
 *       "result": TEXT,            of "ok" only
 *       "objects": { ID: BASE64 }, what the outputs hold
 *       "log": BASE64, "log_dropped": 0,
 *       "text": "why not", "undeclared": PATH, "missing": ID,
 *       "seconds": 1.5, "cpu": 1.4, "rss": 12345678 }
 *
 * Texts are escaped in base64 where they are no UTF-8: "thunk64", "result64",
 * "root64" and so on.  What is absent is empty or zero.  An object whose bytes
 * do not have its name makes a message bad.
 */
#ifndef GG_MESSAGE_H
#define GG_MESSAGE_H

#include "run.h"
#include "store.h"

struct message_object {
	struct id id;
	struct bytes bytes;
};

struct message_objects {
	struct message_object *v;
	size_t n, room;
	uint64_t n_bytes;
};

struct message_request {
	struct bytes thunk;
	const char *root;               /* absolute, or NULL */
	double timeout_s;               /* 0: none */
	bool is_watched;
	struct message_objects objects;
};

struct message_answer {
	struct run_report report;
	struct message_objects objects;
};

/* Append the JSON. */
void message_put_request(const struct message_request *r, struct buf *out);
void message_put_answer(const struct message_answer *r, struct buf *out);
/* Read it: *out lives in a (release objects too).  ERR_BAD says what is wrong. */
int message_read_request(struct bytes json, struct arena *a,
			 struct message_request *out, struct err *e);
int message_read_answer(struct bytes json, struct arena *a,
			struct message_answer *out, struct err *e);

/* Add the objects behind a reference from the store, each once: a value's
 * bytes, a tree's text and all below.  Bytes live in a.  ERR_MISSING;
 * ERR_REFUSED once they are more than max_bytes. */
int message_gather(struct store *s, const struct ref *ref, uint64_t max_bytes,
		   struct arena *a, struct message_objects *out, struct err *e);
void message_objects_release(struct message_objects *o);

#endif
