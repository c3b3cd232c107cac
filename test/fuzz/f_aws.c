/* f_aws.c - any bytes as a file of ~/.aws or as an endpoint's answer: what is
 * read lies in them, on one line, and is found again by its name */
#include "../../src/backends/aws.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void inside(struct bytes b, const uint8_t *p, size_t n)
{
	const char *from = (const char *)p;

	if (b.n && (b.p < from || b.p + b.n > from + n || memchr(b.p, '\n', b.n)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct aws_ini i = { .rest = { (const char *)p, n } };
	struct arena a = { 0 };
	struct aws_keys k;
	struct err e;

	while (aws_ini_next(&i)) {
		inside(i.section, p, n);
		inside(i.name, p, n);
		inside(i.value, p, n);
		if (i.value.n && memchr(" \t\r", i.value.p[i.value.n - 1], 3))
			abort();
	}
	if (i.rest.n)
		abort();
	if (aws_container_parse((struct bytes){ (const char *)p, n }, &a, &k, &e) == 0 &&
	    (!aws_is_plain(k.access_key) || !aws_is_plain(k.secret_key)))
		abort();
	arena_release(&a);
	return 0;
}
