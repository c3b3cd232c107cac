/* memory.c - a device's memory: its pieces and what was written
 *
 * Addresses lie in a stretch of the host's address space that nothing may touch, so
 * that host code which takes one for its own pointer ends at once.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "machine.h"

enum { POISON = 0xff, APART = 512 };

static const size_t addresses = (size_t)1 << 40;

int memory_init(struct memory *m, size_t most, struct fault *f)
{
	void *p = mmap(NULL, addresses, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);

	if (p == MAP_FAILED)
		return fault_set(f, "no addresses for a device's memory");
	*m = (struct memory){ .most = most, .base = (uint64_t)(uintptr_t)p };
	m->next = m->base + APART;
	return 0;
}

void memory_release(struct memory *m)
{
	for (size_t i = 0; i < m->n_pieces; i++) {
		free(m->pieces[i].bytes);
		free(m->pieces[i].words);
	}
	free(m->pieces);
	if (m->base)
		munmap((void *)(uintptr_t)m->base, addresses);
	*m = (struct memory){ 0 };
}

/* No address is given twice, so that the pieces stay in order and what was given
 * back is nobody's. */
uint64_t memory_take(struct memory *m, size_t n)
{
	struct piece p = { .at = m->next, .size = n };

	if (n == 0 || n > m->most - m->used)
		return 0;
	p.bytes = malloc(n);
	p.words = calloc(n / 4 + 1, sizeof *p.words);
	m->pieces = realloc(m->pieces, (m->n_pieces + 1) * sizeof *m->pieces);
	if (!p.bytes || !p.words || !m->pieces)
		abort();
	memset(p.bytes, POISON, n);
	m->pieces[m->n_pieces++] = p;
	m->used += n;
	m->next = (m->next + n + 2 * APART - 1) / APART * APART;
	return p.at;
}

struct piece *memory_piece(struct memory *m, uint64_t at)
{
	size_t lo = 0, hi = m->n_pieces;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->pieces[mid].at <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || at - m->pieces[lo - 1].at >= m->pieces[lo - 1].size)
		return NULL;
	return &m->pieces[lo - 1];
}

int memory_give(struct memory *m, uint64_t at)
{
	struct piece *p = memory_piece(m, at);

	if (!p || p->at != at)
		return -1;
	m->used -= p->size;
	free(p->bytes);
	free(p->words);
	m->n_pieces--;
	memmove(p, p + 1, (size_t)(m->pieces + m->n_pieces - p) * sizeof *p);
	return 0;
}

unsigned char *memory_at(struct memory *m, uint64_t at, size_t n)
{
	struct piece *p = memory_piece(m, at);

	return p && n <= p->size - (at - p->at) ? p->bytes + (at - p->at) : NULL;
}

void memory_wrote(struct memory *m, uint64_t at, size_t n)
{
	struct piece *p = memory_piece(m, at);

	for (size_t i = (at - p->at) / 4; n && i <= (at - p->at + n - 1) / 4; i++)
		p->words[i] = (struct touched){ .wrote = 1 };
}
