/* squeeze.c - the layer of an image: its bytes, compressed on their way to a file
 *
 * In one pass they are named as they came, compressed, and named again.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <zlib.h>
#include "file.h"
#include "image_private.h"

enum { LEVEL_GZIP = 6, OUT_BYTES = 1 << 20, GZIP_WINDOW = 15 + 16 };

struct squeeze {
	enum image_squeeze kind;
	struct chunks *zstd;
	z_stream gzip;
	struct hash *raw, *out;
	uint64_t n_raw, n_out;
	char *room;                     /* OUT_BYTES, of gzip */
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
	s->zstd = chunks_new((unsigned)n);
	return s;
}

void squeeze_free(struct squeeze *s)
{
	if (!s)
		return;
	chunks_free(s->zstd);
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
		chunks_drop(s->zstd);
}

static int put(void *arg, const void *p, size_t n, struct err *e)
{
	struct squeeze *s = arg;

	hash_add(s->out, p, n);
	s->n_out += n;
	return file_write_fd(s->fd, p, n) < 0 ? err_sys(e, "writing a layer") : 0;
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
		if (put(s, s->room, OUT_BYTES - z->avail_out, e) < 0)
			return -1;
	} while (is_end ? rc != Z_STREAM_END : z->avail_in > 0);
	return 0;
}

int squeeze_add(struct squeeze *s, const void *p, size_t n, struct err *e)
{
	hash_add(s->raw, p, n);
	s->n_raw += n;
	if (s->kind == IMAGE_GZIP)
		return add_gzip(s, p, n, false, e);
	return chunks_add(s->zstd, p, n, &(struct chunks_to){ put, s }, e);
}

int squeeze_end(struct squeeze *s, struct image_blob *out, struct err *e)
{
	if (s->kind == IMAGE_GZIP ? add_gzip(s, "", 0, true, e) < 0
				  : chunks_end(s->zstd, &(struct chunks_to){ put, s }, e) < 0)
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
