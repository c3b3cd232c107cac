/* flight.h - one step on its way to a function and back; flight.c
 *
 * Private to src/backends.  What all engines that call functions do: pack the
 * step, see to it that its large objects are at a remote, hand the request to
 * the one who knows the place, open the answer, and end the job once.
 */
#ifndef GG_FLIGHT_H
#define GG_FLIGHT_H

#include "backend.h"
#include "parcel.h"

struct flight;

struct flights {
	const struct backend_opts *o;   /* lent */
	const char *place;              /* "lambda", for errors */
	uint64_t max_bytes;             /* of a request, and of an answer */
	bool is_near;                   /* functions reach what this machine does */
	/* Send f->parcel.body, now.  After 0 it owes one flight_answer or
	 * flight_fail, later. */
	int (*send)(struct flight *f, struct err *e);
	void (*cut)(struct flight *f);  /* what was sent is not wanted any more */
	/* What the place adds to a report: who ran it, what it costs. */
	void (*ended)(struct flight *f, struct run_report *r);
	void (*free)(struct flight *f); /* called once */
	struct flight *first;
	unsigned n_pushing;
	bool is_quiet;                  /* no push is under way */
};

struct flight {
	struct flights *in;
	struct job *job;
	struct parcel parcel;
	struct depot_push push;
	struct timer *timer;            /* ends it soon */
	struct flight *next, **at;
	struct run_report end;          /* when the timer is to end it */
	struct arena arena;
	enum { FLIGHT_PUSHING, FLIGHT_SENT, FLIGHT_ENDING } state;
	bool is_answered, is_pushing, is_dead;
};

/* f is zeroed, and the caller's until free().  As backend_ops.start. */
int flight_begin(struct flights *in, struct flight *f, struct job *j, struct err *e);
/* The worker's answer has come. */
void flight_answer(struct flight *f, struct bytes text);
/* None has: how the step ends.  log may be empty. */
void flight_fail(struct flight *f, enum run_status status, const char *text,
		 struct bytes log);
void flight_cancel(struct flight *f);
/* All of them end without a word; serves the loop until the depot has let go of
 * what it was pushing. */
void flights_close(struct flights *in);

#endif
