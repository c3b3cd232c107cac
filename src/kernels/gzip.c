/* gzip.c - packed data sets, whole into memory */
#include <stdlib.h>
#include <zlib.h>
#include "formats.h"

/* Grow by doubling; the arena keeps the last piece whole. */
int gzip_open(struct bytes b, const char *path, size_t limit_bytes, struct arena *a,
	      struct bytes *out, struct err *e)
{
	z_stream z = { .next_in = (unsigned char *)b.p, .avail_in = (unsigned)b.n };
	size_t room = 4 * b.n + 4096, n = 0;
	char *p = NULL;
	int rc = Z_OK;

	*out = b;
	if (b.n < 2 || (unsigned char)b.p[0] != 0x1f || (unsigned char)b.p[1] != 0x8b)
		return 0;
	if (b.n > UINT32_MAX || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return err_set(e, ERR_REFUSED, "%s: too large to be unpacked", path);
	while (rc == Z_OK && n < limit_bytes) {
		size_t left;

		p = mem_grow(p, room);
		left = room - n < 1u << 30 ? room - n : 1u << 30;
		z.next_out = (unsigned char *)p + n;
		z.avail_out = (unsigned)left;
		rc = inflate(&z, Z_NO_FLUSH);
		n += left - z.avail_out;
		room = n == room ? 2 * room : room;
		/* Another member may follow. */
		if (rc == Z_STREAM_END && z.avail_in > 0)
			rc = inflateReset(&z);
	}
	inflateEnd(&z);
	if (rc == Z_STREAM_END)
		*out = arena_bytes(a, (struct bytes){ p, n });
	free(p);
	if (rc == Z_STREAM_END)
		return 0;
	return err_set(e, ERR_BAD, "%s: %s", path, rc == Z_OK ? "holds too much" :
		       "is damaged or cut: gzip cannot unpack it");
}
