/* http_body.c - where the body of an answer goes: a file, memory used again */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "http_body.h"

enum { GATHERED = 512 << 10, KEPT_LEAST = 1 << 20, HUGE_PAGE = 2 << 20 };

int http_file_end(const struct http_file *to, uint64_t n_bytes, struct buf *late,
		  struct err *e)
{
	const char *p = late->p;
	size_t n = late->n;
	uint64_t at = to->offset + n_bytes - n;

	while (n) {
		ssize_t put = pwrite(to->fd, p, n, (off_t)at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_sys(e, "writing the answer");
		p += put;
		n -= (size_t)put;
		at += (uint64_t)put;
	}
	buf_reset(late);
	return 0;
}

int http_file_add(const struct http_file *to, uint64_t n_before, struct bytes b,
		  struct buf *late, struct err *e)
{
	if (n_before + b.n > to->n_bytes)
		return err_set(e, ERR_REFUSED, "the answer is larger than %llu bytes",
			       (unsigned long long)to->n_bytes);
	buf_add(late, b.p, b.n);
	return late->n < GATHERED ? 0 : http_file_end(to, n_before + b.n, late, e);
}

/* The first use of thousands of small pages costs a fifth of what fetching into
 * them does. */
static char *room_for(size_t n)
{
	void *p;

	if (n < HUGE_PAGE || posix_memalign(&p, HUGE_PAGE, n) != 0)
		return mem_alloc(n);
	madvise(p, n / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
	return p;
}

void http_bodies_take(struct http_bodies *s, size_t n, struct buf *out)
{
	for (size_t i = 0; i < HTTP_BODIES; i++)
		if (s->v[i].room > n) {
			*out = s->v[i];
			s->v[i] = (struct buf){ 0 };
			buf_reset(out);
			return;
		}
	*out = (struct buf){ .p = room_for(n + 1), .room = n + 1 };
}

void http_bodies_give(struct http_bodies *s, struct buf *b)
{
	size_t smallest = 0;

	for (size_t i = 1; i < HTTP_BODIES; i++)
		if (s->v[i].room < s->v[smallest].room)
			smallest = i;
	if (b->room >= KEPT_LEAST && b->room <= HTTP_BODY_MOST + 1 &&
	    b->room > s->v[smallest].room) {
		buf_release(&s->v[smallest]);
		s->v[smallest] = *b;
		*b = (struct buf){ 0 };
	}
	buf_release(b);
}

void http_bodies_release(struct http_bodies *s)
{
	for (size_t i = 0; i < HTTP_BODIES; i++)
		buf_release(&s->v[i]);
}
