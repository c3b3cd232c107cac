/* block.h - a block that runs; private to block.c and access.c */
#ifndef GG_GPU_BLOCK_H
#define GG_GPU_BLOCK_H

#include "machine.h"

/* Neighbours: lo to hi - 1. */
struct run {
	unsigned lo, hi;
};

/* Threads that go together. */
struct group {
	struct run runs[PTX_THREADS_MAX / 2 + 1];
	unsigned n;
};

struct block {
	struct machine *m;
	const struct launch *l;
	const struct kernel *k;
	struct fault *fault;
	unsigned at[3], threads;
	char *regs;
	unsigned char *starts[SPACE_COUNT];
	size_t sizes[SPACE_COUNT];
	struct touched *words;
	struct when global, own;        /* of global memory, of shared */
	uint32_t pc[PTX_THREADS_MAX];
	bool waits[PTX_THREADS_MAX];
	struct group group, some;
};

/* Where thread t does what it must not. */
int block_fail(struct block *b, const struct ins *i, unsigned t, const char *what);
/* A load or store of those threads. */
int block_access(struct block *b, const struct ins *i, struct run run);
uint64_t block_address(const struct block *b, const struct ins *i, unsigned t);
/* cost.c: that the group does i. */
void cost_add(struct block *b, const struct ins *i, const struct group *g);

#endif
