/* limit.h - how many requests a place takes at once, learned from its refusals;
 * limit.c
 *
 * Private to src/backends.  Additive increase, multiplicative decrease: each
 * window of answers widens it by one, a refusal halves it, once for all the
 * requests that were sent before it was told.  When even few are too many there
 * is a pause, twice as long each time.
 */
#ifndef GG_LIMIT_H
#define GG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct limit {
	double window;
	unsigned max, n_flying;
	uint64_t n_begun, cut_at;       /* serial numbers */
	uint64_t paused_until_ms;
	unsigned pause_ms;
	uint64_t n_refused;
};

/* Begin with `max` at once, which is never exceeded. */
void limit_init(struct limit *l, unsigned max);
/* How many may be in flight now. */
unsigned limit_room(const struct limit *l, uint64_t now_ms);
bool limit_may(const struct limit *l, uint64_t now_ms);
/* One goes: its serial number, for its end. */
uint64_t limit_begin(struct limit *l);
/* It ended: it was taken, refused, or says nothing of the place. */
void limit_taken(struct limit *l);
void limit_refused(struct limit *l, uint64_t serial, uint64_t now_ms);
void limit_dropped(struct limit *l);

#endif
