/* zip.c - a zip archive that is the same bytes each time
 *
 *     local header: "PK\3\4" version flags method time date crc packed raw
 *                   name-length extra-length, then the name, then the bytes
 *     central one:  "PK\1\2" made-by, the same as above from version on,
 *                   comment-length disk inner-attributes outer-attributes offset
 *     end:          "PK\5\6" 0 0 files files central-bytes central-offset 0
 */
#include "zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { LEVEL = 9, RAW_WINDOW = -15, DEFLATED = 8, VERSION_NEEDED = 20,
	MADE_BY_UNIX = 3 << 8 | VERSION_NEEDED, REGULAR = 0100000 };

/* The first day that the format knows: 1 January 1980. */
enum { DATE = 1 << 5 | 1, TIME = 0 };

struct packed {
	uint32_t crc, n_packed, offset;
};

static void put16(struct buf *b, unsigned v)
{
	buf_char(b, (char)(v & 255));
	buf_char(b, (char)(v >> 8 & 255));
}

static void put32(struct buf *b, uint32_t v)
{
	put16(b, v & 65535);
	put16(b, v >> 16);
}

static void deflate_into(struct bytes in, struct buf *out)
{
	z_stream z = { 0 };
	char part[1 << 16];
	int rc;

	if (deflateInit2(&z, LEVEL, Z_DEFLATED, RAW_WINDOW, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	z.next_in = (unsigned char *)in.p;
	z.avail_in = (unsigned)in.n;
	do {
		z.next_out = (unsigned char *)part;
		z.avail_out = sizeof part;
		rc = deflate(&z, Z_FINISH);
		buf_add(out, part, sizeof part - z.avail_out);
	} while (rc == Z_OK);
	deflateEnd(&z);
}

/* What both kinds of header have in common. */
static void put_header(struct buf *out, const struct zip_file *f, const struct packed *k)
{
	put16(out, VERSION_NEEDED);
	put16(out, 0);
	put16(out, DEFLATED);
	put16(out, TIME);
	put16(out, DATE);
	put32(out, k->crc);
	put32(out, k->n_packed);
	put32(out, (uint32_t)f->b.n);
	put16(out, (unsigned)strlen(f->name));
	put16(out, 0);
}

static void put_file(struct buf *out, const struct zip_file *f, struct packed *k,
		     struct buf *scratch)
{
	buf_reset(scratch);
	deflate_into(f->b, scratch);
	k->crc = (uint32_t)crc32(0, (const unsigned char *)f->b.p, (unsigned)f->b.n);
	k->n_packed = (uint32_t)scratch->n;
	buf_add(out, "PK\3\4", 4);
	put_header(out, f, k);
	buf_str(out, f->name);
	buf_add(out, scratch->p, scratch->n);
}

static void put_central(struct buf *out, const struct zip_file *f, const struct packed *k)
{
	buf_add(out, "PK\1\2", 4);
	put16(out, MADE_BY_UNIX);
	put_header(out, f, k);
	put16(out, 0);
	put16(out, 0);
	put16(out, 0);
	put32(out, (uint32_t)(REGULAR | f->mode) << 16);
	put32(out, k->offset);
	buf_str(out, f->name);
}

int zip_write(const struct zip_file *v, size_t n, struct buf *out, struct err *e)
{
	struct packed *all;
	struct buf scratch = { 0 };
	size_t first = out->n, central, end;
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += v[i].b.n + strlen(v[i].name) + 256;
	if (total >= UINT32_MAX || n > UINT16_MAX)
		return err_set(e, ERR_REFUSED, "too much for one zip archive");
	all = mem_alloc((n + 1) * sizeof *all);
	for (size_t i = 0; i < n; i++) {
		all[i].offset = (uint32_t)(out->n - first);
		put_file(out, &v[i], &all[i], &scratch);
	}
	central = out->n;
	for (size_t i = 0; i < n; i++)
		put_central(out, &v[i], &all[i]);
	end = out->n;
	buf_add(out, "PK\5\6", 4);
	put32(out, 0);
	put16(out, (unsigned)n);
	put16(out, (unsigned)n);
	put32(out, (uint32_t)(end - central));
	put32(out, (uint32_t)(central - first));
	put16(out, 0);
	free(all);
	buf_release(&scratch);
	return 0;
}
