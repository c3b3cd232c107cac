/* f_grounds.c - any bytes as the record of what a refusal rests on
 *
 * What is read lies whole within the record: said again in its entries it is a
 * record of the same ones.
 */
#include <stdlib.h>
#include <string.h>
#include "../../src/thunk/learn_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void say(struct buf *b, const char *entry, const char *from, size_t n)
{
	size_t length = strlen(entry) + 1;

	if (entry < from || entry + length > from + n)
		abort();
	buf_add(b, entry, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const char *from = (const char *)p;
	struct buf b = { 0 };
	struct grounds g, again;

	if (!grounds_read((struct bytes){ from, n }, &g))
		return 0;
	for (size_t i = 0; i < g.n_ways; i++)
		say(&b, g.ways[i], from, n);
	for (size_t i = 0; i < g.n_files; i++) {
		say(&b, g.files[i], from, n);
		if (strlen(g.files[i]) < GROUNDS_PATH)
			abort();
	}
	if (g.is_quiet)
		buf_add(&b, "q", 2);
	if (!grounds_read(buf_bytes(&b), &again) || again.is_quiet != g.is_quiet ||
	    again.n_ways != g.n_ways || again.n_files != g.n_files)
		abort();
	for (size_t i = 0; i < g.n_files; i++)
		if (strcmp(g.files[i], again.files[i]) != 0)
			abort();
	buf_release(&b);
	return 0;
}
