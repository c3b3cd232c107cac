/* bench.h - a way out, and clocks, for the programs of rows */
#ifndef GG_BENCH_H
#define GG_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include "base.h"
#include "clock.h"

static struct err e;

/* A call that fails ends the program. */
#define MUST(call) \
	do { \
		if ((call) < 0) { \
			fprintf(stderr, "%s: %s\n", #call, e.text); \
			exit(1); \
		} \
	} while (0)

#endif
