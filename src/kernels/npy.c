/* npy.c - one NumPy array
 *
 *     \x93NUMPY MAJOR MINOR LENGTH | a Python dictionary as text | the elements
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "formats.h"

enum { TEXT_MAX = 4096 };

bool npy_is(struct bytes b)
{
	return b.n > 10 && memcmp(b.p, "\x93NUMPY", 6) == 0;
}

static bool read_type(const char *s, enum dtype *out)
{
	static const struct {
		const char *name;
		enum dtype type;
	} types[] = {
		{ "<f4", DT_F32 }, { "<f8", DT_F64 }, { "|u1", DT_U8 }, { "<i4", DT_I32 },
		{ "<i8", DT_I64 },
	};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strncmp(s, types[i].name, 3) == 0) {
			*out = types[i].type;
			return true;
		}
	return false;
}

/* What stands behind 'KEY': in the dictionary. */
static const char *value_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	at = at ? strchr(at, ':') : NULL;
	return at ? at + 1 + strspn(at + 1, " ") : NULL;
}

static bool read_shape(const char *s, struct tensor *out)
{
	char *end;

	out->n = 1;
	if (*s++ != '(')
		return false;
	while (*(s += strspn(s, " ,")) != ')') {
		if (!isdigit((unsigned char)*s) || out->n_dims == 8)
			return false;
		out->dims[out->n_dims] = strtoull(s, &end, 10);
		if (__builtin_mul_overflow(out->n, out->dims[out->n_dims], &out->n))
			return false;
		out->n_dims++;
		s = end;
	}
	return true;
}

int npy_read(struct bytes b, const char *path, struct arena *a, struct tensor *out,
	     struct err *e)
{
	size_t wide, n, at;
	const char *type, *order, *shape;
	char text[TEXT_MAX];

	*out = (struct tensor){ 0 };
	if (!npy_is(b))
		return err_set(e, ERR_BAD, "%s: offset 0: does not begin as an npy file", path);
	wide = b.p[6] == 1 ? 2 : 4;
	n = (unsigned char)b.p[8] | (size_t)(unsigned char)b.p[9] << 8;
	if (wide == 4 && b.n > 12)
		n |= (size_t)(unsigned char)b.p[10] << 16 | (size_t)(unsigned char)b.p[11] << 24;
	at = 8 + wide + n;
	if (at > b.n || n >= sizeof text)
		return err_set(e, ERR_BAD, "%s: ends inside its header", path);
	memcpy(text, b.p + 8 + wide, n);
	text[n] = 0;
	type = value_of(text, "'descr'");
	order = value_of(text, "'fortran_order'");
	shape = value_of(text, "'shape'");
	if (!type || (*type != '\'' && *type != '"') || !read_type(type + 1, &out->type))
		return err_set(e, ERR_BAD, "%s: elements are not f4, f8, u1, i4 or i8 in "
			       "little-endian order; save it with .astype('<f4')", path);
	if (!order || strncmp(order, "False", 5) != 0)
		return err_set(e, ERR_BAD, "%s: is in Fortran order; save it with "
			       "np.ascontiguousarray", path);
	if (!shape || !read_shape(shape, out) || out->n > SIZE_MAX / 8)
		return err_set(e, ERR_BAD, "%s: its shape cannot be read", path);
	if (b.n - at != out->n * dtype_bytes(out->type))
		return err_set(e, ERR_BAD, "%s: holds %zu bytes of elements, its header says "
			       "%zu", path, b.n - at, out->n * dtype_bytes(out->type));
	out->data = b.p + at;
	if ((uintptr_t)out->data % dtype_bytes(out->type))
		out->data = arena_bytes(a, (struct bytes){ b.p + at, b.n - at }).p;
	return 0;
}
