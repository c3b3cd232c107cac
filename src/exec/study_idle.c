/* study_idle.c - who waits for a study does not wait for ever
 *
 * A studied command may itself wait for one of those that wait for it: for a
 * lock, a file, a pipe.  It then either sleeps, or looks for the same thing
 * again and again.  So it has to show progress: processor time or the disk
 * while it does what it has not done before.  After a while without, all that
 * wait run for real; that costs time only, never a result.
 */
#include "process.h"
#include "session_private.h"
#include "when.h"

enum {
	LOOK_EACH_MS = 250,
	ASLEEP_MS = 2000,               /* no processor time, nothing new */
	STALE_MS = 600000,              /* nothing new, however busy */
	BUSY_TICKS = 2,                 /* of 10 ms in LOOK_EACH_MS: not a poll */
	KIN_MAX = 1024,
};

static bool shows_progress(struct study *st, bool *is_new, bool *is_odd)
{
	pid_t v[KIN_MAX];
	size_t n = kin_list(&st->s->studies.kin, st, v, KIN_MAX), news;
	uint64_t cpu = 0, before = st->idle_cpu;
	struct process p;
	bool waits = false;

	for (size_t i = 0; i < n; i++)
		if (trace_process(v[i], NULL) == v[i] && process_read(v[i], &p)) {
			cpu += p.ticks;
			waits |= p.state == 'D';
		}
	pthread_mutex_lock(&st->deeds.lock);
	news = st->deeds.n_news;
	*is_odd = st->deeds.odd != NULL;
	pthread_mutex_unlock(&st->deeds.lock);
	*is_new = news != st->idle_news;
	st->idle_cpu = cpu;
	st->idle_news = news;
	return *is_new || waits || cpu < before || cpu >= before + BUSY_TICKS;
}

/* Has it been long enough? */
static bool is_stuck(struct study *st, uint64_t now)
{
	bool is_new, is_odd;

	if (shows_progress(st, &is_new, &is_odd)) {
		st->idle_since_ms = now;
		if (is_new || !st->stale_since_ms)
			st->stale_since_ms = now;
	}
	return is_odd || now - st->idle_since_ms >= ASLEEP_MS ||
	       now - st->stale_since_ms >= STALE_MS;
}

static void look(void *arg)
{
	struct session *s = arg;
	uint64_t now = when_steady_ms();

	s->studies.timer = NULL;
	for (struct study *st = s->studies.first; st; st = st->next) {
		if (!st->waiting || !is_stuck(st, now))
			continue;
		study_release_waiting(st);
	}
	studies_ask_again(s);
	if (studies_are_awaited(s))
		s->studies.timer = loop_after(s->o.loop, LOOK_EACH_MS, look, s);
}

void study_watch_idle(struct session *s)
{
	uint64_t now = when_steady_ms();

	for (struct study *st = s->studies.first; st; st = st->next)
		if (st->waiting && !st->waiting->next)
			st->idle_since_ms = st->stale_since_ms = now;
	if (!s->studies.timer)
		s->studies.timer = loop_after(s->o.loop, LOOK_EACH_MS, look, s);
}
