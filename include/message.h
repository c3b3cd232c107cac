/* message.h - steps to a worker, and what they gave
 *
 * src/exec/message.c (requests and answers), message_fields.c (their fields),
 * message_objects.c (which objects a step needs or gave).
 *
 * A request, which is also the event of a Lambda function:
 *
 *     { "gg": 1,
 *       "root": "/home/ann/proj",  where the project's root is to be seen
 *       "steps": [ { "thunk": TEXT,        a reduced thunk
 *                    "host": TEXT,         that its runtime names, if any
 *                    "timeout": 60, "watched": true,
 *                    "checkpoint": PATH,   if it can go on from one
 *                    "gpus": 1 }, ... ],   of the worker's
 *       "objects": { ID: BASE64 }, what inputs hold, trees' texts included
 *       "remotes": [ URI, ... ],   where the others are, nearest first
 *       "max_bytes": 4194304 }     of the answer
 *
 * and its answer, with one entry for each step, in their order:
 *
 *     { "gg": 1,
 *       "answers": [ { "step": ID, "status": "ok", "code": 0,
 *                      "result": TEXT,     of "ok"; of "stopped" one with the
 *                                          checkpoint, if there is one
 *                      "log": TEXT, "log_dropped": 0,
 *                      "text": "why not", "undeclared": PATH, "missing": ID,
 *                      "seconds": 1.5, "cpu": 1.4, "rss": 12345678,
 *                      "cold": true }, ... ],      its first answer
 *       "objects": { ID: BASE64 }, what the outputs hold
 *       "elsewhere": [ ID, ... ] } outputs that were put to the remotes
 *
 * Texts are escaped in base64 where they are no UTF-8: "thunk64", "result64",
 * "root64" and so on.  What is absent is empty or zero.  An object whose bytes
 * do not have its name makes a message bad.
 *
 * Where both ends are gg's own, objects travel as they are, behind the JSON,
 * which names them and their sizes as "parts" instead of "objects":
 *
 *     gg-message 1 BYTES\n       of the JSON, in decimal
 *     { "gg": 1, ..., "parts": [ ID, SIZE, ID, SIZE, ... ] }
 *     the first object, the second, ...
 *
 * A reader takes both; an answer has the form of its request.
 */
#ifndef GG_MESSAGE_H
#define GG_MESSAGE_H

#include "run.h"
#include "store.h"

#define MESSAGE_TYPE_JSON "application/json"
#define MESSAGE_TYPE_PARTS "application/vnd.gg.message"

struct message_object {
	struct id id;
	struct bytes bytes;
};

struct message_objects {
	struct message_object *v;
	size_t n, room;
	uint64_t n_bytes;
};

struct message_step {
	struct bytes thunk, host;       /* host: empty for a closure */
	double timeout_s;               /* 0: none */
	bool is_watched;
	const char *checkpoint;         /* as in struct job, or NULL */
	double gpus;                    /* that it needs */
};

struct message_request {
	const struct message_step *steps;
	size_t n_steps;                 /* one at least */
	const char *root;               /* absolute, or NULL */
	struct message_objects objects;
	const char *const *remotes;     /* NULL at the end; or NULL */
	uint64_t max_bytes;             /* 0: the worker's own limit */
	bool is_json;                   /* which of the two forms */
};

struct message_report {
	struct id step;                 /* name of the reduced thunk */
	struct run_report report;
};

struct message_answer {
	const struct message_report *reports;
	size_t n_reports;
	struct message_objects objects;
	const struct id *elsewhere;
	size_t n_elsewhere;
	bool is_json;
};

/* Append the text. */
void message_put_request(const struct message_request *r, struct buf *out);
void message_put_answer(const struct message_answer *r, struct buf *out);
/* Read it: *out lives in a and may borrow from text (release its objects too).
 * ERR_BAD says what is wrong. */
int message_read_request(struct bytes text, struct arena *a,
			 struct message_request *out, struct err *e);
int message_read_answer(struct bytes text, struct arena *a,
			struct message_answer *out, struct err *e);
void message_objects_add(struct message_objects *o, const struct id *id, struct bytes b);
void message_objects_release(struct message_objects *o);

/* Sorting the objects behind references into those that travel inside a message
 * and those that are to be had elsewhere.  Callers fill the first part. */
struct message_gather {
	struct store *store;
	struct arena *arena;            /* bytes and names live in it */
	uint64_t each_max;              /* larger objects stay outside; 0: none does */
	uint64_t all_max;               /* of those inside, bytes */
	bool takes_all;                 /* more than all_max is ERR_REFUSED */
	bool texts_only;                /* trees' texts, not the files' bytes */
	/* Need it not travel?  And is it to be had although it is not in the
	 * store?  NULL: no. */
	bool (*holds)(void *arg, const struct id *id);
	bool (*knows)(void *arg, const struct id *id);
	void *arg;

	struct message_objects inside;
	struct id *outside;             /* in the store, and to be put elsewhere */
	size_t n_outside, room_outside;
	uint64_t n_bytes;               /* of all, travelling or not */
	struct id missing;              /* ERR_MISSING: which */
	struct map seen;
};

/* Add what ref reaches, each once: a value's bytes, a tree's text and all
 * below. */
int message_gather(struct message_gather *g, const struct ref *ref, struct err *e);
void message_gather_release(struct message_gather *g);

#endif
