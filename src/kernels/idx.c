/* idx.c - the arrays that MNIST came in
 *
 *     0 0 TYPE DIMS | DIMS times a size of 4 bytes | the elements
 */
#include <string.h>
#include "formats.h"

static const struct {
	unsigned char code;
	enum dtype type;
	size_t bytes;
} types[] = {
	{ 0x08, DT_U8, 1 }, { 0x0c, DT_I32, 4 }, { 0x0d, DT_F32, 4 },
};

static uint32_t big(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

bool idx_is(struct bytes b)
{
	return b.n >= 4 && b.p[0] == 0 && b.p[1] == 0;
}

int idx_read(struct bytes b, const char *path, struct arena *a, struct tensor *out,
	     struct err *e)
{
	size_t at, bytes = 0;

	*out = (struct tensor){ .n = 1 };
	if (!idx_is(b))
		return err_set(e, ERR_BAD, "%s: offset 0: does not begin as an IDX file", path);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].code == (unsigned char)b.p[2]) {
			out->type = types[i].type;
			bytes = types[i].bytes;
		}
	if (!bytes)
		return err_set(e, ERR_BAD, "%s: offset 2: elements of IDX type %#x, not bytes, "
			       "ints or floats", path, (unsigned)(unsigned char)b.p[2]);
	if (b.p[3] < 1 || b.p[3] > 8)
		return err_set(e, ERR_BAD, "%s: offset 3: an IDX array of %u dimensions", path,
			       (unsigned)(unsigned char)b.p[3]);
	out->n_dims = (size_t)b.p[3];
	at = 4 + 4 * out->n_dims;
	for (size_t i = 0; i < out->n_dims; i++) {
		if (4 + 4 * (i + 1) > b.n)
			return err_set(e, ERR_BAD, "%s: ends inside its header", path);
		out->dims[i] = big(b.p + 4 + 4 * i);
		if (__builtin_mul_overflow(out->n, out->dims[i], &out->n) ||
		    out->n > b.n)
			return err_set(e, ERR_BAD, "%s: offset %zu: more elements than the "
				       "file has bytes", path, 4 + 4 * i);
	}
	if (b.n - at != out->n * bytes)
		return err_set(e, ERR_BAD, "%s: holds %zu bytes of elements, its header says "
			       "%zu", path, b.n - at, out->n * bytes);
	out->data = b.p + at;
	if (bytes > 1) {
		uint32_t *v = arena_alloc(a, out->n * bytes + 1);

		for (size_t i = 0; i < out->n; i++)
			v[i] = big(b.p + at + 4 * i);
		out->data = v;
	}
	return 0;
}
