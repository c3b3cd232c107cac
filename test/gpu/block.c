/* block.c - a launch: its blocks one after the other, each thread where it stands
 *
 * Of a block's threads those that stand at the lowest instruction go on together,
 * until they meet others, part at a branch, end or wait.  Threads that go together
 * are kept as runs of neighbours, over which an instruction is one loop.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "machine.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

static const uint32_t ended = UINT32_MAX;

enum { SHARED_MOST = 48 << 10, PARAMS_MOST = 4 << 10 };

/* No loop of gg-ml's runs longer in one block. */
static const uint64_t steps_most = 1 << 26;

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

static void add_thread(struct group *g, unsigned t)
{
	if (g->n && g->runs[g->n - 1].hi == t)
		g->runs[g->n - 1].hi++;
	else
		g->runs[g->n++] = (struct run){ t, t + 1 };
}

static int fail(struct block *b, const struct ins *i, unsigned t, const char *what)
{
	return fault_set(b->fault, "%s, block %u,%u,%u, thread %u, line %u: %s", b->k->plain,
			 b->at[0], b->at[1], b->at[2], t, i->line, what);
}

/* ---- memory */

static uint64_t address_of(const struct block *b, const struct ins *i, unsigned t)
{
	const char *at = b->regs + i->at[PTX_OPERANDS - 1] + (size_t)t * i->address_width;
	uint32_t narrow;
	uint64_t wide;

	if (i->address_width == 4) {
		memcpy(&narrow, at, 4);
		return narrow + (uint64_t)i->offset;
	}
	memcpy(&wide, at, 8);
	return wide + (uint64_t)i->offset;
}

/* Where the bytes of an access are, and the words that watch them. */
struct spot {
	unsigned char *bytes;
	struct touched *words;
};

static int find_global(struct block *b, const struct ins *i, unsigned t, uint64_t at, size_t n,
		       struct piece **known, struct spot *out)
{
	struct piece *p = *known;

	if (!p || at - p->at >= p->size)
		p = memory_piece(&b->m->memory, at);
	if (!p || n > p->size - (at - p->at))
		return fail(b, i, t, "is out of bounds of global memory");
	*known = p;
	out->bytes = p->bytes + (at - p->at);
	out->words = p->words + (at - p->at) / 4;
	return 0;
}

ALWAYS_INLINE int find_spot(struct block *b, const struct ins *i, enum space space, unsigned t,
			    uint64_t at, struct piece **known, struct spot *out)
{
	size_t n = (size_t)i->width * i->n_vector;

	if (at & (n - 1))
		return fail(b, i, t, "is at no multiple of its size");
	if (space == SPACE_GLOBAL)
		return find_global(b, i, t, at, n, known, out);
	if (at > b->sizes[space] || n > b->sizes[space] - at)
		return fail(b, i, t, "is out of bounds of its memory");
	out->bytes = b->starts[space] + at;
	if (space == SPACE_LOCAL)
		out->bytes += (size_t)t * b->k->local_size;
	if (space == SPACE_SHARED)
		out->words = b->words + at / 4;
	return 0;
}

ALWAYS_INLINE int touch(struct block *b, const struct ins *i, enum space space, unsigned t,
			struct touched *words)
{
	const struct when *when = space == SPACE_SHARED ? &b->own : &b->global;
	unsigned n = ((unsigned)i->width * i->n_vector + 3) / 4;

	for (unsigned w = 0; w < n; w++) {
		const char *wrong = i->kind == INS_STORE ? touch_write(&words[w], when, t) :
			touch_read(&words[w], when, space == SPACE_SHARED, t);

		if (wrong)
			return fail(b, i, t, wrong);
	}
	return 0;
}

static void load(const struct ins *i, char *reg, const unsigned char *from)
{
	uint64_t x = 0;

	memcpy(&x, from, i->width);
	if (i->is_signed && i->width < 8 && x >> (8 * i->width - 1))
		x |= ~(uint64_t)0 << 8 * i->width;
	memcpy(reg, &x, i->reg_width);
}

static void move(struct block *b, const struct ins *i, unsigned t, unsigned char *bytes)
{
	for (unsigned k = 0; k < i->n_vector; k++, bytes += i->width) {
		char *reg = b->regs + i->at[k] + (size_t)t * i->reg_width;

		if (i->at[k] == UINT32_MAX)
			continue;
		if (i->kind == INS_LOAD)
			load(i, reg, bytes);
		else
			memcpy(bytes, reg, i->width);
	}
}

/* Most are of whole floats. */
ALWAYS_INLINE void move_floats(struct block *b, const struct ins *i, unsigned t,
			       unsigned char *bytes)
{
	for (unsigned k = 0; k < i->n_vector; k++) {
		char *reg = b->regs + i->at[k] + (size_t)t * 4;

		if (i->kind == INS_LOAD)
			memcpy(reg, bytes + 4 * k, 4);
		else
			memcpy(bytes + 4 * k, reg, 4);
	}
}

/* After two threads have read the same, more that do change nothing. */
ALWAYS_INLINE int access_in(struct block *b, const struct ins *i, enum space space,
			    struct run run)
{
	uint64_t at, last = UINT64_MAX;
	struct piece *known = NULL;
	struct spot s = { 0 };
	unsigned n_same = 0;

	for (unsigned t = run.lo; t < run.hi; t++, last = at) {
		at = address_of(b, i, t);
		n_same = at == last ? n_same + 1 : 0;
		if (n_same > 1 && i->is_floats && i->kind == INS_LOAD && space != SPACE_LOCAL) {
			move_floats(b, i, t, s.bytes);
			continue;
		}
		if (find_spot(b, i, space, t, at, &known, &s) < 0 ||
		    (s.words && touch(b, i, space, t, s.words) < 0))
			return -1;
		if (i->is_floats)
			move_floats(b, i, t, s.bytes);
		else
			move(b, i, t, s.bytes);
	}
	return 0;
}

static int access_global(struct block *b, const struct ins *i, struct run run)
{
	return access_in(b, i, SPACE_GLOBAL, run);
}

static int access_shared(struct block *b, const struct ins *i, struct run run)
{
	return access_in(b, i, SPACE_SHARED, run);
}

static int access_local(struct block *b, const struct ins *i, struct run run)
{
	return access_in(b, i, SPACE_LOCAL, run);
}

/* Where all have the same address, one looks and the others get it too. */
static int access_param(struct block *b, const struct ins *i, struct run run)
{
	const char *address = b->regs + i->at[PTX_OPERANDS - 1];
	size_t width = i->address_width, size = i->reg_width;

	if (memcmp(address + run.lo * width, address + (run.lo + 1) * width,
		   (run.hi - run.lo - 1) * width) != 0)
		return access_in(b, i, SPACE_PARAM, run);
	if (access_in(b, i, SPACE_PARAM, (struct run){ run.lo, run.lo + 1 }) < 0)
		return -1;
	for (unsigned k = 0; k < i->n_vector; k++) {
		char *first = b->regs + i->at[k] + run.lo * size;
		size_t all = (run.hi - run.lo) * size, n = size;

		for (; n < all && i->at[k] != UINT32_MAX; n *= 2)
			memcpy(first + n, first, n < all - n ? n : all - n);
	}
	return 0;
}

static int access(struct block *b, const struct ins *i, struct run run)
{
	static int (*const all[SPACE_COUNT])(struct block *b, const struct ins *i,
					     struct run run) = {
		[SPACE_PARAM] = access_param, [SPACE_GLOBAL] = access_global,
		[SPACE_SHARED] = access_shared, [SPACE_LOCAL] = access_local,
	};

	return all[i->space](b, i, run);
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
		else if (access(b, i, g->runs[r]) < 0)
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
			return fail(b, i, b->group.runs[0].lo, "does not come to an end");
		b->m->n_instructions += n;
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
			return fail(b, &b->k->code[b->pc[first] - 1], t,
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
