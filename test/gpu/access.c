/* access.c - loads and stores of a block's threads: bounds, widths, who touches what */
#include <string.h>
#include "block.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

uint64_t block_address(const struct block *b, const struct ins *i, unsigned t)
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
		return block_fail(b, i, t, "is out of bounds of global memory");
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
		return block_fail(b, i, t, "is at no multiple of its size");
	if (space == SPACE_GLOBAL)
		return find_global(b, i, t, at, n, known, out);
	if (at > b->sizes[space] || n > b->sizes[space] - at)
		return block_fail(b, i, t, "is out of bounds of its memory");
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
			return block_fail(b, i, t, wrong);
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
		at = block_address(b, i, t);
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

int block_access(struct block *b, const struct ins *i, struct run run)
{
	static int (*const all[SPACE_COUNT])(struct block *b, const struct ins *i,
					     struct run run) = {
		[SPACE_PARAM] = access_param, [SPACE_GLOBAL] = access_global,
		[SPACE_SHARED] = access_shared, [SPACE_LOCAL] = access_local,
	};

	return all[i->space](b, i, run);
}
