/* worker_image.c - what an image says of itself: its closures, and their trees */
#include <string.h>
#include "worker.h"

int worker_read_closures(struct bytes text, struct arena *a, struct id **out, size_t *n,
			 struct err *e)
{
	*n = 0;
	*out = arena_alloc(a, (text.n / ID_HEX + 1) * sizeof **out);
	for (size_t at = 0; at < text.n; at += ID_HEX + 1) {
		if (text.n - at <= ID_HEX || text.p[at + ID_HEX] != '\n' ||
		    !id_parse((struct bytes){ text.p + at, ID_HEX }, &(*out)[*n]))
			return err_set(e, ERR_BAD, "line %zu is no name of a closure", *n + 1);
		(*n)++;
	}
	return 0;
}

int worker_read_trees(struct store *s, struct bytes text, struct err *e)
{
	struct arena a = { 0 };
	int rc = 0;

	while (text.n && rc == 0) {
		const char *gap = memmem(text.p, text.n, "\n\n", 2);
		struct bytes one = { text.p, gap ? (size_t)(gap - text.p) + 1 : text.n };
		struct tree t;
		struct id id;

		rc = tree_decode(one, &a, &t, e);
		if (rc == 0)
			rc = store_put(s, one, &id, e);
		text.p += one.n + (gap != NULL);
		text.n -= one.n + (gap != NULL);
		arena_reset(&a);
	}
	arena_release(&a);
	return rc < 0 ? -1 : store_flush(s, e);
}
