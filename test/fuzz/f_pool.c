/* f_pool.c - any bytes as what a worker says: refused, or within all limits */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../src/backends/pool_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = { (const char *)p, n };
	struct arena a = { 0 };
	struct pool_hello h;
	struct pool_beat b;
	struct err e;
	const char *s;

	if (pool_read_hello(in, &a, &h, &e) == 0) {
		if (!*h.name || strlen(h.name) > POOL_NAME_MAX || !(h.room.cpus > 0) ||
		    h.n_slots < 1 || h.n_slots > POOL_SLOTS_MAX || h.n_holds > POOL_LIST_MAX)
			abort();
	}
	if (pool_read_beat(in, &a, &b, &e) == 0)
		for (size_t i = 0; i < b.n_running; i++)
			if (strlen(b.running[i]) >= POOL_ID_ROOM)
				abort();
	for (s = pool_read_error(in, &a); *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			abort();
	arena_release(&a);
	return 0;
}
