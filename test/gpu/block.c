/* block.c - a launch: its blocks one after the other, each thread where it stands
 *
 * Of a block's threads those that stand at the lowest instruction go on together,
 * until they meet others, part at a branch, end or wait.  Threads that go together
 * are kept as runs of neighbours, over which an instruction is one loop.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "block.h"

static const uint32_t ended = UINT32_MAX;

enum { SHARED_MOST = 48 << 10, PARAMS_MOST = 4 << 10 };

/* No loop of gg-ml's runs longer in one block. */
static const uint64_t steps_most = 1 << 26;

static void add_thread(struct group *g, unsigned t)
{
	if (g->n && g->runs[g->n - 1].hi == t)
		g->runs[g->n - 1].hi++;
	else
		g->runs[g->n++] = (struct run){ t, t + 1 };
}

int block_fail(struct block *b, const struct ins *i, unsigned t, const char *what)
{
	return fault_set(b->fault, "%s, block %u,%u,%u, thread %u, line %u: %s", b->k->plain,
			 b->at[0], b->at[1], b->at[2], t, i->line, what);
}

/* ---- threads */

static bool is_true(const struct block *b, const struct ins *i, unsigned t)
{
	return !i->is_guarded || (b->regs[i->guard + t] != 0) != i->guard_is_not;
}

/* Those of the group for which i's guard holds. */
static const struct group *guarded(struct block *b, const struct ins *i)
{
	if (!i->is_guarded)
		return &b->group;
	b->some.n = 0;
	for (unsigned r = 0; r < b->group.n; r++)
		for (unsigned t = b->group.runs[r].lo; t < b->group.runs[r].hi; t++)
			if (is_true(b, i, t))
				add_thread(&b->some, t);
	return &b->some;
}

static unsigned count(const struct group *g)
{
	unsigned n = 0;

	for (unsigned r = 0; r < g->n; r++)
		n += g->runs[r].hi - g->runs[r].lo;
	return n;
}

static void stand(struct block *b, const struct group *g, uint32_t pc, bool waits)
{
	for (unsigned r = 0; r < g->n; r++)
		for (unsigned t = g->runs[r].lo; t < g->runs[r].hi; t++) {
			b->pc[t] = pc;
			b->waits[t] = waits;
		}
}

static int execute(struct block *b, const struct ins *i, const struct group *g)
{
	for (unsigned r = 0; r < g->n; r++)
		if (i->kind == INS_LANES)
			i->fn(i, b->regs, g->runs[r].lo, g->runs[r].hi);
		else if (block_access(b, i, g->runs[r]) < 0)
			return -1;
	return 0;
}

/* Who goes next, and how far: up to where the nearest others stand.  1: all have
 * ended or wait. */
static int gather(struct block *b, uint32_t *pc, uint32_t *next)
{
	*pc = *next = ended;
	for (unsigned t = 0; t < b->threads; t++) {
		if (b->waits[t] || b->pc[t] >= *next)
			continue;
		if (b->pc[t] < *pc) {
			*next = *pc;
			*pc = b->pc[t];
		} else if (b->pc[t] > *pc) {
			*next = b->pc[t];
		}
	}
	b->group.n = 0;
	for (unsigned t = 0; t < b->threads && *pc != ended; t++)
		if (!b->waits[t] && b->pc[t] == *pc)
			add_thread(&b->group, t);
	return *pc == ended;
}

/* The group goes on until it must be looked at anew. */
static int advance(struct block *b, uint32_t pc, uint32_t next, uint64_t *steps)
{
	const unsigned all = count(&b->group);

	while (pc < next) {
		const struct ins *i = &b->k->code[pc];
		const struct group *g = guarded(b, i);
		unsigned n = i->is_guarded ? count(g) : all;

		if (++*steps > steps_most)
			return block_fail(b, i, b->group.runs[0].lo, "does not come to an end");
		if (b->m->counts)
			cost_add(b, i, g);
		if (i->kind == INS_LANES || i->kind == INS_LOAD || i->kind == INS_STORE) {
			if (execute(b, i, g) < 0)
				return -1;
			pc++;
			continue;
		}
		if (i->kind == INS_BRANCH && (n == all || n == 0)) {
			pc = n ? i->target : pc + 1;
			continue;
		}
		stand(b, &b->group, pc + 1, false);
		stand(b, g, i->kind == INS_BRANCH ? i->target :
		      i->kind == INS_END ? ended : pc + 1, i->kind == INS_BARRIER);
		return 0;
	}
	stand(b, &b->group, pc, false);
	return 0;
}

/* All wait, or none does. */
static int release(struct block *b, bool *is_over)
{
	unsigned first = 0;

	while (first < b->threads && !b->waits[first])
		first++;
	*is_over = first == b->threads;
	for (unsigned t = 0; t < b->threads && !*is_over; t++)
		if (!b->waits[t] || b->pc[t] != b->pc[first])
			return block_fail(b, &b->k->code[b->pc[first] - 1], t,
				    "does not come to the barrier that others wait at");
	memset(b->waits, 0, sizeof b->waits);
	b->global.now = b->own.now = ++b->m->stretch;
	return 0;
}

static void fill(struct block *b, unsigned special, unsigned value)
{
	uint32_t *regs = (uint32_t *)(b->regs + (size_t)special * 4 * b->k->threads);

	for (unsigned t = 0; t < b->threads; t++)
		regs[t] = value;
}

static int run_block(struct block *b)
{
	uint32_t pc, next;
	uint64_t steps = 0;
	bool is_over = false;

	memset(b->pc, 0, sizeof b->pc);
	for (unsigned k = 0; k < 3; k++)
		fill(b, 6 + k, b->at[k]);
	b->global.block = b->own.block = b->own.launch = b->global.now = b->own.now =
		++b->m->stretch;
	while (!is_over)
		if (gather(b, &pc, &next) ? release(b, &is_over) < 0 :
		    advance(b, pc, next, &steps) < 0)
			return -1;
	return 0;
}

/* ---- launches */

const char *launch_refused(const struct launch *l)
{
	uint64_t threads = 1;

	for (int k = 0; k < 3; k++) {
		threads *= l->block[k];
		if (!l->grid[k] || l->grid[k] > (k ? UINT16_MAX : INT32_MAX))
			return "the grid is beyond what a GPU has";
	}
	if (!threads || threads > l->kernel->threads || l->block[2] > 64)
		return "the block has more threads than it may have";
	if (l->shared || l->kernel->shared_size > SHARED_MOST)
		return "the block wants more shared memory than it may have";
	return l->kernel->params_size > PARAMS_MOST ? "the parameters are too long" : NULL;
}

static void make_regs(struct kernel *k)
{
	k->regs = calloc(1, k->regs_size + 64);
	if (!k->regs)
		abort();
	for (size_t c = 0; c < k->n_constants; c++)
		for (uint32_t t = 0; t < k->threads; t++)
			memcpy(k->regs + k->constants[c].at + (size_t)t * k->constants[c].size,
			       &k->constants[c].value, k->constants[c].size);
}

static void fill_fixed(struct block *b)
{
	const unsigned *n = b->l->block;
	uint32_t *tid = (uint32_t *)b->regs;

	for (unsigned t = 0; t < b->threads; t++) {
		tid[t] = t % n[0];
		tid[b->k->threads + t] = t / n[0] % n[1];
		tid[2 * b->k->threads + t] = t / n[0] / n[1];
	}
	for (unsigned k = 0; k < 3; k++) {
		fill(b, 3 + k, n[k]);
		fill(b, 9 + k, b->l->grid[k]);
	}
}

int machine_run(struct machine *m, const struct launch *l, struct fault *f)
{
	struct kernel *k = l->kernel;
	struct block *b = calloc(1, sizeof *b);
	const unsigned *n = l->grid;
	int rc = 0;

	if (!b)
		abort();
	if (!k->regs)
		make_regs(k);
	*b = (struct block){ .m = m, .l = l, .k = k, .fault = f, .regs = k->regs,
			     .threads = l->block[0] * l->block[1] * l->block[2] };
	b->sizes[SPACE_PARAM] = k->params_size;
	b->sizes[SPACE_SHARED] = k->shared_size;
	b->sizes[SPACE_LOCAL] = k->local_size;
	b->words = calloc(k->shared_size / 4 + 1, sizeof *b->words);
	for (int s = 0; s < SPACE_COUNT; s++)
		b->starts[s] = malloc(b->sizes[s] * (s == SPACE_LOCAL ? b->threads : 1) + 1);
	if (!b->words || !b->starts[SPACE_PARAM] || !b->starts[SPACE_SHARED] ||
	    !b->starts[SPACE_LOCAL])
		abort();
	memcpy(b->starts[SPACE_PARAM], l->params, k->params_size);
	fill_fixed(b);
	b->global.launch = m->stretch + 1;
	k->cost.launches++;
	for (b->at[2] = 0; b->at[2] < n[2] && rc == 0; b->at[2]++)
		for (b->at[1] = 0; b->at[1] < n[1] && rc == 0; b->at[1]++)
			for (b->at[0] = 0; b->at[0] < n[0] && rc == 0; b->at[0]++)
				rc = run_block(b);
	for (int s = 0; s < SPACE_COUNT; s++)
		free(b->starts[s]);
	free(b->words);
	free(b);
	return rc;
}
