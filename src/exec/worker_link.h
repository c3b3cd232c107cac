/* worker_link.h - between a worker and its dispatcher: worker_connect.c,
 * worker_slot.c
 *
 * Private to src/exec.
 */
#ifndef GG_WORKER_LINK_H
#define GG_WORKER_LINK_H

#include "worker_private.h"

enum { REQUEST_ID_MAX = 128 };

enum slot_state { SLOT_IDLE, SLOT_WAITING, SLOT_WORKING, SLOT_ANSWERING, SLOT_PAUSED };

struct slot {
	struct link *link;
	enum slot_state state;
	struct http_call *http;
	struct timer *timer;
	struct worker_call call;
	struct buf request, answer;
	char id[REQUEST_ID_MAX];
	bool is_error;                  /* the answer is to the question itself */
};

struct link {
	struct worker *w;
	const struct connect_opts *o;
	struct loop *loop;
	struct arena arena;
	const char *base, *unix_path, *authorization, *pinned_key;
	const char *as;                 /* header Gg-Worker, once welcome */
	struct welcome welcome;
	struct slot *slots;
	struct http_call *hello, *beat;
	struct timer *hello_timer, *beat_timer;
	struct buf words;               /* of the hello or beat on its way */
	struct worker_news told;
	uint64_t heard_ms, grows_ms;    /* the pauses do not grow before */
	uint32_t pause_ms;
	bool is_welcome, has_rejoined;
	bool ends;                      /* no more requests are wanted */
	bool winds_up;                  /* this worker itself was asked to end */
	bool has_said_so, is_over, has_failed;
	bool wakes;                     /* the loop's stop */
	struct err err;
};

/* An answer came, of whatever kind: the dispatcher is there. */
void link_heard(struct link *k);
/* Milliseconds before the next try; 0: it is of no use, the link has failed. */
uint32_t link_pause(struct link *k, const struct err *e);
/* Is this status about the worker as a whole?  Then that is seen to. */
bool link_is_about_us(struct link *k, int status);
/* The dispatcher does not know this worker (any more). */
void link_join_again(struct link *k);
/* Send q, whose method, limits and call-back are set, to a path of the
 * dispatcher's; if it cannot even start, the link fails. */
void link_send(struct link *k, struct http_request *q, const char *path,
	       struct bytes body, struct http_call **out);
/* If no more is wanted and nothing runs, that is it. */
void link_look_for_end(struct link *k);

/* Ask for a request, and do it; over and over. */
void slot_wait(struct slot *s);

#endif
