/* bench.h - clocks and a way out, for the programs of rows */
#ifndef GG_BENCH_H
#define GG_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include "base.h"

static struct err e;

/* A call that fails ends the program. */
#define MUST(call) \
	do { \
		if ((call) < 0) { \
			fprintf(stderr, "%s: %s\n", #call, e.text); \
			exit(1); \
		} \
	} while (0)

static inline double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of this process alone. */
static inline double cpu_s(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
		(double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

#endif
