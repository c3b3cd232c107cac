/* f_scan.c - make rules out of any bytes */
#include <stdlib.h>
#include <string.h>
#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a = { 0 };
	struct strs out = { 0 };
	struct err e;

	/* No name is empty, longer than the text or there twice. */
	if (scan_parse((struct bytes){ (const char *)p, n }, &a, &out, &e) == 0) {
		strs_sort(&out);
		for (size_t i = 0; i < out.n; i++)
			if (!*out.v[i] || strlen(out.v[i]) > n ||
			    (i && strcmp(out.v[i - 1], out.v[i]) == 0))
				abort();
	}
	strs_release(&out);
	arena_release(&a);
	return 0;
}
