/* f_pool.c - any bytes as what a worker says: refused, or within all limits
 *
 * Most bytes are no JSON, so they are also put where a value stands. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../src/backends/pool_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What stands before the bytes, and after them. */
static const char *const around[][2] = {
	{ "", "" },
	{ "{\"gg\":1,\"name\":\"a\",\"host\":\"h\",\"cpus\":", "}" },
	{ "{\"gg\":1,\"name\":\"", "\",\"host\":\"h\",\"cpus\":1}" },
	{ "{\"gg\":1,\"name\":\"a\",\"host\":\"h\",\"cpus\":1,\"slots\":", "}" },
	{ "{\"gg\":1,\"name\":\"a\",\"host\":\"h\",\"cpus\":1,\"holds\":[\"", "\"]}" },
	{ "{\"running\":[", "]}" },
	{ "{\"running\":[\"", "\"],\"ends\":true}" },
	{ "{\"dropped\":[\"", "\"],\"closures\":[]}" },
	{ "{\"errorMessage\":\"", "\"}" },
};

static void read_all(struct bytes in)
{
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
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
		struct buf b = { 0 };

		buf_str(&b, around[i][0]);
		buf_add(&b, p, n);
		buf_str(&b, around[i][1]);
		read_all(buf_bytes(&b));
		buf_release(&b);
	}
	return 0;
}
