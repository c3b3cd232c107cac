/* f_sighting.c - records of what was learned out of any bytes
 *
 * What is read is written again as the same text, and a model can be asked of
 * it: either there is one that can be read, or a refusal.
 */
#include <stdlib.h>
#include <string.h>
#include "../../src/thunk/learn_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void derive(const struct learned *l)
{
	struct buf text = { 0 };
	struct models *m;
	struct err e;

	if (learn_derive(l->v, l->n, &text, &e) == 0) {
		if (models_new(buf_bytes(&text), "learned", &m, &e) < 0)
			abort();
		models_free(m);
	} else if (e.code != ERR_REFUSED) {
		abort();
	}
	buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a = { 0 };
	struct bytes text = { (const char *)p, n };
	struct buf again = { 0 };
	struct record r;
	struct err e;

	if (record_read(text, &a, &r, &e) == 0) {
		record_write(&r, &again);
		if (!record_read(buf_bytes(&again), &a, &r, &e))
			derive(&r.l);
		else
			abort();
	} else if (e.code != ERR_BAD) {
		abort();
	}
	buf_release(&again);
	arena_release(&a);
	return 0;
}
