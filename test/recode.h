/* recode.h - every canonical text read and written again, by kind
 *
 * For the golden files, the tables of bad spellings and the fuzz targets.
 */
#ifndef GG_RECODE_H
#define GG_RECODE_H

#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "thunk.h"

static inline int recode_thunk(struct bytes b, struct arena *a, struct buf *out,
			       struct err *e)
{
	struct thunk t;

	return thunk_decode(b, a, &t, e) < 0 ? -1 : thunk_encode(&t, out, e);
}

static inline int recode_tree(struct bytes b, struct arena *a, struct buf *out,
			      struct err *e)
{
	struct tree t;

	return tree_decode(b, a, &t, e) < 0 ? -1 : tree_encode(&t, out, e);
}

static inline int recode_result(struct bytes b, struct arena *a,
				struct buf *out, struct err *e)
{
	struct result r;

	return result_decode(b, a, &r, e) < 0 ? -1 : result_encode(&r, out, e);
}

static inline int recode_placeholder(struct bytes b, struct arena *a,
				     struct buf *out, struct err *e)
{
	struct placeholder p;

	return placeholder_decode(b, a, &p, e) < 0 ? -1
						   : placeholder_encode(&p, out, e);
}

static inline int recode_host(struct bytes b, struct arena *a, struct buf *out,
			      struct err *e)
{
	struct host h;

	return host_decode(b, a, &h, e) < 0 ? -1 : host_encode(&h, out, e);
}

/* gg only reads tails; this is how a program writes one. */
static inline int recode_tail(struct bytes b, struct arena *a, struct buf *out,
			      struct err *e)
{
	struct buf value = { 0 };
	struct tail t;

	if (tail_decode(b, a, &t, e) < 0 ||
	    placeholder_encode(&t.value, &value, e) < 0)
		return -1;
	buf_str(out, "gg-tail 1\n");
	buf_str(out, strchr(value.p, '\n') + 1);
	buf_release(&value);
	for (size_t i = 0; i < t.n; i++) {
		buf_char(out, '\n');
		if (recode_thunk(t.thunks[i], a, out, e) < 0)
			return -1;
	}
	return 0;
}

static const struct recoder {
	const char *ext;
	int (*recode)(struct bytes b, struct arena *a, struct buf *out,
		      struct err *e);
} recoders[] = {
	{ "thunk", recode_thunk },
	{ "tree", recode_tree },
	{ "result", recode_result },
	{ "placeholder", recode_placeholder },
	{ "tail", recode_tail },
	{ "host", recode_host },
};

enum { N_RECODERS = sizeof(recoders) / sizeof(*recoders) };

static inline const struct recoder *recoder_for(const char *file)
{
	const char *dot = strrchr(file, '.');

	for (size_t i = 0; dot && i < N_RECODERS; i++)
		if (strcmp(recoders[i].ext, dot + 1) == 0)
			return &recoders[i];
	return NULL;
}

/* What a fuzz target does with its bytes: no crash, and whatever is read is
 * written with the same bytes. */
static inline int recode_fuzz(const char *ext, const uint8_t *p, size_t n)
{
	const struct recoder *r = NULL;
	struct bytes b = { (const char *)p, n };
	struct arena a = { 0 };
	struct buf out = { 0 };
	struct err e;

	for (size_t i = 0; i < N_RECODERS; i++)
		if (strcmp(recoders[i].ext, ext) == 0)
			r = &recoders[i];
	if (r->recode(b, &a, &out, &e) == 0) {
		if (!bytes_equal(b, buf_bytes(&out)))
			abort();
	} else if (e.code != ERR_BAD || strncmp(e.text, "line ", 5) != 0) {
		abort();
	}
	buf_release(&out);
	arena_release(&a);
	return 0;
}

#endif
