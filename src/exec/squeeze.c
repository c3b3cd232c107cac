/* squeeze.c - a layer's bytes on their way to a file
 *
 * In one pass they are named as they came, compressed, and named again.  zstd
 * always works as if by several threads, so that the bytes do not depend on
 * how many there are: it cuts the stream into jobs of a fixed size.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <zlib.h>
#include <zstd.h>
#include "file.h"
#include "image_private.h"

enum { LEVEL_ZSTD = 3, LEVEL_GZIP = 6, OUT_BYTES = 1 << 20, GZIP_WINDOW = 15 + 16 };

struct squeeze {
	enum image_squeeze kind;
	ZSTD_CCtx *zstd;
	z_stream gzip;
	struct hash *raw, *out;
	uint64_t n_raw, n_out;
	char *room;                     /* OUT_BYTES */
	int fd;
};

struct squeeze *squeeze_new(enum image_squeeze kind, unsigned n_threads)
{
	struct squeeze *s = memset(mem_alloc(sizeof *s), 0, sizeof *s);
	int n = n_threads ? (int)n_threads : get_nprocs();

	s->kind = kind;
	s->raw = hash_new();
	s->out = hash_new();
	s->room = mem_alloc(OUT_BYTES);
	if (kind == IMAGE_GZIP) {
		if (deflateInit2(&s->gzip, LEVEL_GZIP, Z_DEFLATED, GZIP_WINDOW, 8,
				 Z_DEFAULT_STRATEGY) != Z_OK)
			abort();
		return s;
	}
	s->zstd = ZSTD_createCCtx();
	if (!s->zstd)
		abort();
	ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, LEVEL_ZSTD);
	/* A library built without threads refuses; then there are none. */
	ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_nbWorkers, n > 64 ? 64 : n);
	return s;
}

void squeeze_free(struct squeeze *s)
{
	if (!s)
		return;
	ZSTD_freeCCtx(s->zstd);
	if (s->kind == IMAGE_GZIP)
		deflateEnd(&s->gzip);
	hash_free(s->raw);
	hash_free(s->out);
	free(s->room);
	free(s);
}

void squeeze_begin(struct squeeze *s, int fd)
{
	s->fd = fd;
	s->n_raw = s->n_out = 0;
	hash_end(s->raw);               /* what a failed stream left */
	hash_end(s->out);
	if (s->kind == IMAGE_GZIP)
		deflateReset(&s->gzip);
	else
		ZSTD_CCtx_reset(s->zstd, ZSTD_reset_session_only);
}

static int put(struct squeeze *s, size_t n, struct err *e)
{
	hash_add(s->out, s->room, n);
	s->n_out += n;
	return file_write_fd(s->fd, s->room, n) < 0 ? err_sys(e, "writing a layer") : 0;
}

static int add_zstd(struct squeeze *s, const void *p, size_t n, bool is_end,
		    struct err *e)
{
	ZSTD_inBuffer in = { p, n, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { s->room, OUT_BYTES, 0 };

		left = ZSTD_compressStream2(s->zstd, &out, &in,
					    is_end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return err_set(e, ERR_IO, "zstd: %s", ZSTD_getErrorName(left));
		if (out.pos && put(s, out.pos, e) < 0)
			return -1;
	} while (is_end ? left > 0 : in.pos < in.size);
	return 0;
}

static int add_gzip(struct squeeze *s, const void *p, size_t n, bool is_end,
		    struct err *e)
{
	z_stream *z = &s->gzip;
	int rc;

	z->next_in = (Bytef *)p;
	z->avail_in = (uInt)n;
	do {
		z->next_out = (Bytef *)s->room;
		z->avail_out = OUT_BYTES;
		rc = deflate(z, is_end ? Z_FINISH : Z_NO_FLUSH);
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return err_set(e, ERR_IO, "gzip: %s", z->msg ? z->msg : "failed");
		if (put(s, OUT_BYTES - z->avail_out, e) < 0)
			return -1;
	} while (is_end ? rc != Z_STREAM_END : z->avail_in > 0);
	return 0;
}

static int add(struct squeeze *s, const void *p, size_t n, bool is_end, struct err *e)
{
	return s->kind == IMAGE_GZIP ? add_gzip(s, p, n, is_end, e)
				     : add_zstd(s, p, n, is_end, e);
}

int squeeze_add(struct squeeze *s, const void *p, size_t n, struct err *e)
{
	hash_add(s->raw, p, n);
	s->n_raw += n;
	return add(s, p, n, false, e);
}

int squeeze_end(struct squeeze *s, struct image_blob *out, struct err *e)
{
	if (add(s, "", 0, true, e) < 0)
		return -1;
	out->raw_id = hash_end(s->raw);
	out->id = hash_end(s->out);
	out->raw_bytes = s->n_raw;
	out->n_bytes = s->n_out;
	return 0;
}

const char *squeeze_suffix(enum image_squeeze kind)
{
	return kind == IMAGE_GZIP ? "+gzip" : "+zstd";
}
