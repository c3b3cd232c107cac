/* touch.h - who read and wrote four bytes, and whether two did so at once
 *
 * Two accesses of which one writes are at once when nothing puts one after the
 * other: in two blocks of a launch, or in two threads of a block with no barrier
 * between.  What threads of a warp do is not taken to be in step.
 */
#ifndef GG_TOUCH_H
#define GG_TOUCH_H

#include <stdbool.h>
#include <stdint.h>

enum { MANY = UINT16_MAX };

/* Who touched four bytes last.  Stretches are counted through all launches, so
 * that what is older than a block or a launch is known by its number; 0: never. */
struct touched {
	uint32_t wrote, read;                   /* stretches */
	uint16_t writer, reader;                /* threads; MANY */
	uint32_t read_elsewhere;                /* the launch in which other blocks read */
};

/* When something happens: the first stretch of a launch and block, and this one. */
struct when {
	uint32_t launch, block, now;
};

/* Whether what `thread` did at `stretch` may come before or after what t does now:
 * in another block of this launch, or since the last barrier of this one. */
static inline bool is_at_once(const struct when *when, uint32_t stretch, uint16_t thread,
			      unsigned t)
{
	if (stretch < when->launch)
		return false;
	return stretch < when->block || (stretch == when->now && thread != t);
}

/* What thread t may not do, or NULL once it is noted.  In a stretch whose first
 * reader was looked at, a write would have been found since. */
static inline const char *touch_read(struct touched *w, const struct when *when,
				     bool is_shared, unsigned t)
{
	bool others_read;

	if (w->read == when->now && (w->reader == MANY || w->reader == t))
		return NULL;
	if (w->wrote == 0 || (is_shared && w->wrote < when->block))
		return "reads what nobody has written";
	if (is_at_once(when, w->wrote, w->writer, t))
		return "reads what another thread may be writing";
	others_read = is_at_once(when, w->read, w->reader, t);
	if (others_read && w->read < when->block)
		w->read_elsewhere = when->launch;
	w->reader = others_read && w->read >= when->block ? MANY : (uint16_t)t;
	w->read = when->now;
	return NULL;
}

static inline const char *touch_write(struct touched *w, const struct when *when, unsigned t)
{
	if (is_at_once(when, w->wrote, w->writer, t))
		return "writes what another thread may be writing";
	if (is_at_once(when, w->read, w->reader, t) || w->read_elsewhere == when->launch)
		return "writes what another thread may be reading";
	w->wrote = when->now;
	w->writer = (uint16_t)t;
	return NULL;
}

#endif
