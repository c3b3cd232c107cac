/* f_worker_words.c - any bytes as what a dispatcher says, and as an image's list of
 * closures: refused, or within what the worker can bear */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../src/exec/worker_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(const struct strs *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (!runtime_id_is_good(names->v[i]))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = { (const char *)p, n };
	struct arena a = { 0 };
	struct orders o = { 0 };
	struct welcome w;
	struct id *ids;
	size_t n_ids;
	struct err e;

	if (words_read_welcome(in, &w, &e) == 0 &&
	    (!runtime_id_is_good(w.name) || !(w.beat_s > 0) || !(w.lease_s > 0)))
		abort();
	if (words_read_beat(in, &a, &o, &e) == 0) {
		check(&o.cancel);
		check(&o.stop);
	}
	if (worker_read_closures(in, &a, &ids, &n_ids, &e) == 0 && n_ids * (ID_HEX + 1) != n)
		abort();
	strs_release(&o.cancel);
	strs_release(&o.stop);
	arena_release(&a);
	return 0;
}
