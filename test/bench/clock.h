/* clock.h - seconds, for the programs of rows */
#ifndef GG_BENCH_CLOCK_H
#define GG_BENCH_CLOCK_H

#include <time.h>

static inline double clock_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline double now_s(void)
{
	return clock_s(CLOCK_MONOTONIC);
}

/* On a processor: this process alone, all its threads. */
static inline double cpu_s(void)
{
	return clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

#endif
