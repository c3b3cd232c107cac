/* cost.c - what a kernel would cost on a GPU, as far as instructions tell
 *
 * Counted by warps of 32 threads.  An access of global memory costs the sectors of
 * 32 bytes that a warp touches, one of shared memory as many turns as some bank has
 * words to give; accesses of 8 and 16 bytes are served to a half and a quarter of a
 * warp at a time.  Beside both is the least that the same bytes could cost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "block.h"

enum { WARP = 32, SECTOR = 32, BANKS = 32 };

static const char *const class_names[COST_CLASSES] = {
	[COST_FLOAT] = "float", [COST_INT] = "int", [COST_WIDE] = "int64",
	[COST_DIVIDE] = "divide", [COST_OTHER] = "other", [COST_PARAM] = "param",
	[COST_GLOBAL] = "global", [COST_SHARED] = "shared", [COST_LOCAL] = "local",
	[COST_BRANCH] = "branch",
};

/* The arithmetic ones by their names: what they divide, and their last type. */
static enum cost_class class_of(const struct ins *i)
{
	static const enum cost_class spaces[SPACE_COUNT] = {
		[SPACE_PARAM] = COST_PARAM, [SPACE_GLOBAL] = COST_GLOBAL,
		[SPACE_SHARED] = COST_SHARED, [SPACE_LOCAL] = COST_LOCAL,
	};
	const char *type = i->op ? strrchr(i->op->name, '_') : NULL;

	if (i->kind == INS_LOAD || i->kind == INS_STORE)
		return spaces[i->space];
	if (!type)
		return COST_BRANCH;
	if (strncmp(i->op->name, "mov", 3) == 0 || strncmp(i->op->name, "cvt", 3) == 0 ||
	    strcmp(type, "_pred") == 0)
		return COST_OTHER;
	if (strncmp(i->op->name, "div", 3) == 0 || strncmp(i->op->name, "rem", 3) == 0 ||
	    strncmp(i->op->name, "rcp", 3) == 0 || strncmp(i->op->name, "sqrt", 4) == 0)
		return COST_DIVIDE;
	if (type[1] == 'f')
		return COST_FLOAT;
	return strcmp(type + 2, "64") == 0 ? COST_WIDE : COST_INT;
}

static size_t put_once(uint64_t *set, size_t n, uint64_t x)
{
	for (size_t i = 0; i < n; i++)
		if (set[i] == x)
			return n;
	set[n] = x;
	return n + 1;
}

static void add_global(struct cost *c, const uint64_t *at, size_t n, unsigned size)
{
	uint64_t sectors[WARP], places[WARP];
	size_t n_sectors = 0, n_places = 0;

	for (size_t i = 0; i < n; i++) {
		n_sectors = put_once(sectors, n_sectors, at[i] / SECTOR);
		n_places = put_once(places, n_places, at[i]);
	}
	c->sectors += n_sectors;
	c->sectors_least += (n_places * size + SECTOR - 1) / SECTOR;
}

static void add_shared(struct cost *c, const uint64_t *at, size_t n, unsigned size)
{
	size_t together = WARP * 4 / (size > 4 ? size : 4);

	for (size_t from = 0; from < n; from += together) {
		uint64_t words[WARP * 4];
		size_t in_bank[BANKS] = { 0 }, n_words = 0, most = 0;

		for (size_t i = from; i < n && i < from + together; i++)
			for (unsigned k = 0; k < (size + 3) / 4; k++)
				n_words = put_once(words, n_words, at[i] / 4 + k);
		for (size_t i = 0; i < n_words; i++)
			if (++in_bank[words[i] % BANKS] > most)
				most = in_bank[words[i] % BANKS];
		c->turns += most;
		c->turns_least += (n_words + BANKS - 1) / BANKS;
	}
}

static void add_warp(struct cost *c, enum cost_class class, const uint64_t *at, size_t n,
		     unsigned size)
{
	if (!n)
		return;
	c->warps[class]++;
	if (class == COST_GLOBAL)
		add_global(c, at, n, size);
	if (class == COST_SHARED)
		add_shared(c, at, n, size);
}

void cost_add(struct block *b, const struct ins *i, const struct group *g)
{
	enum cost_class class = class_of(i);
	unsigned size = (unsigned)i->width * i->n_vector;
	struct cost *c = &b->l->kernel->cost;
	uint64_t at[WARP];
	size_t n = 0;
	unsigned warp = 0;

	for (unsigned r = 0; r < g->n; r++)
		for (unsigned t = g->runs[r].lo; t < g->runs[r].hi; t++) {
			if (t / WARP != warp) {
				add_warp(c, class, at, n, size);
				warp = t / WARP;
				n = 0;
			}
			at[n++] = size ? block_address(b, i, t) : 0;
		}
	add_warp(c, class, at, n, size);
}

int cost_write(const struct program *p, const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return -1;
	fprintf(f, "kernel\tlaunches\twarp instructions");
	for (int k = 0; k < COST_CLASSES; k++)
		fprintf(f, "\t%s", class_names[k]);
	fprintf(f, "\tsectors\tleast\tshared turns\tleast\n");
	for (size_t i = 0; p && i < p->n_kernels; i++) {
		const struct cost *c = &p->kernels[i].cost;
		uint64_t sum = 0;

		for (int k = 0; k < COST_CLASSES; k++)
			sum += c->warps[k];
		if (!sum)
			continue;
		fprintf(f, "%s\t%llu\t%llu", p->kernels[i].plain, (unsigned long long)c->launches,
			(unsigned long long)sum);
		for (int k = 0; k < COST_CLASSES; k++)
			fprintf(f, "\t%.1f%%", 100.0 * (double)c->warps[k] / (double)sum);
		fprintf(f, "\t%llu\t%llu\t%llu\t%llu\n", (unsigned long long)c->sectors,
			(unsigned long long)c->sectors_least, (unsigned long long)c->turns,
			(unsigned long long)c->turns_least);
	}
	return fclose(f);
}
