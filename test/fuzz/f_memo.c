/* f_memo.c - any bytes as a remembered inference */
#include <stdlib.h>
#include <string.h>
#include "../../src/thunk/memo_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes all = { (const char *)p, n };
	struct memo_reader r = { .all = all, .rest = all };
	struct memo_entry x;
	struct err e;

	while (r.rest.n && memo_next(&r, &x, &e) == 0) {
		if (x.kind > MEMO_CLOSURE || strlen(x.path) >= sizeof r.path ||
		    strlen(x.out) >= sizeof r.out)
			abort();
		if (x.kind == MEMO_CLOSURE &&
		    (!x.uses.n || x.uses.p < all.p || x.uses.p + x.uses.n > all.p + n ||
		     x.uses.p[x.uses.n - 1]))
			abort();
	}
	return 0;
}
