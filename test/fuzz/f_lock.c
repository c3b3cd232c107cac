/* f_lock.c - any bytes as gg.lock: refused, or exactly what is written again */
#include <stdlib.h>
#include <string.h>
#include "lock.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a = { 0 };
	struct buf again = { 0 };
	struct lock l;
	struct err e;

	if (lock_decode((struct bytes){ (const char *)p, n }, &a, &l, &e) == 0) {
		lock_encode(&l, &again);
		if (again.n != n || memcmp(again.p, p, n) != 0)
			abort();
		for (size_t i = 0; i < l.n; i++)
			if (lock_find(&l, l.v[i].path) != &l.v[i])
				abort();
	}
	buf_release(&again);
	arena_release(&a);
	return 0;
}
