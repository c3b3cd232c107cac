/* codec.c - objects on the way: themselves, or a zstd frame of them
 *
 * Whether compressing pays is decided by the content alone, from samples when
 * there is much of it, so that the same object always travels in the same form.
 * A reader needs no flag: the form is the one whose bytes have the name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#include "depot.h"
#include "file.h"

enum {
	LEVEL = 1,
	WORTH_BYTES = 256,              /* smaller ones travel as they are */
	SAMPLE = 32 << 10, N_SAMPLES = 4,
	PIECE = 1 << 18,
	WINDOW_LOG = 27,                /* what a frame may ask of a reader, log2 */
};

/* An eighth less, or it is not worth a reader's while. */
static bool pays(size_t n, size_t packed)
{
	return packed < n - n / 8;
}

static bool sample_pays(struct bytes b)
{
	size_t room = ZSTD_compressBound(b.n), n;
	void *out = mem_alloc(room);

	n = ZSTD_compress(out, room, b.p, b.n, LEVEL);
	free(out);
	return !ZSTD_isError(n) && pays(b.n, n);
}

bool codec_pack(struct bytes b, struct buf *out)
{
	size_t room, n;
	char *p;

	if (b.n < WORTH_BYTES)
		return false;
	if (b.n > N_SAMPLES * SAMPLE) {
		bool any = false;

		for (size_t i = 0; i < N_SAMPLES && !any; i++)
			any = sample_pays((struct bytes){ b.p + i * (b.n - SAMPLE) / N_SAMPLES,
							  SAMPLE });
		if (!any)
			return false;
	}
	room = ZSTD_compressBound(b.n);
	p = mem_alloc(room);
	n = ZSTD_compress(p, room, b.p, b.n, LEVEL);
	if (!ZSTD_isError(n) && pays(b.n, n))
		buf_add(out, p, n);
	else
		n = 0;
	free(p);
	return n > 0;
}

static bool has_name(struct bytes b, const struct id *id)
{
	struct id is = id_of(b);

	return id_equal(&is, id);
}

static bool is_frame(const void *p, size_t n)
{
	static const unsigned char magic[4] = { 0x28, 0xb5, 0x2f, 0xfd };

	return n >= sizeof magic && memcmp(p, magic, sizeof magic) == 0;
}

static ZSTD_DCtx *new_reader(void)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();

	if (!z || ZSTD_isError(ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, WINDOW_LOG)))
		abort();
	return z;
}

/* All frames of blob; at most max bytes. */
static bool unpack(struct bytes blob, uint64_t max, struct buf *out)
{
	ZSTD_DCtx *z = new_reader();
	ZSTD_inBuffer in = { blob.p, blob.n, 0 };
	char *piece = mem_alloc(PIECE);
	size_t left = 1;

	while (left && out->n <= max) {
		ZSTD_outBuffer o = { piece, PIECE, 0 };

		left = ZSTD_decompressStream(z, &o, &in);
		if (ZSTD_isError(left) || (left && o.pos == 0 && in.pos == in.size))
			break;
		buf_add(out, piece, o.pos);
		/* Another frame may follow. */
		if (left == 0 && in.pos < in.size)
			left = 1;
	}
	free(piece);
	ZSTD_freeDCtx(z);
	return left == 0 && out->n <= max;
}

int codec_unpack(struct bytes blob, const struct id *id, uint64_t max_bytes, struct arena *a,
		 struct bytes *out, struct err *e)
{
	struct buf b = { 0 };
	bool is_good = blob.n <= max_bytes && has_name(blob, id);

	*out = blob;
	if (!is_good && is_frame(blob.p, blob.n)) {
		is_good = unpack(blob, max_bytes, &b) && has_name(buf_bytes(&b), id);
		if (is_good)
			*out = arena_bytes(a, buf_bytes(&b));
		buf_release(&b);
	}
	return is_good ? 0 : err_set(e, ERR_BAD, "these bytes are not those of object %.12s...",
				     id_hex(id).s);
}

/* ---- from file to file */

static ssize_t read_at(int fd, void *p, size_t n, uint64_t at)
{
	ssize_t got;

	do
		got = pread(fd, p, n, (off_t)at);
	while (got < 0 && errno == EINTR);
	return got;
}

/* 1 some sample pays, 0 none does. */
static int samples_pay(int in, uint64_t n_bytes, struct err *e)
{
	char *piece = mem_alloc(SAMPLE);
	int any = 0;

	for (uint64_t i = 0; i < N_SAMPLES && !any; i++) {
		size_t n = n_bytes < SAMPLE ? (size_t)n_bytes : SAMPLE;
		ssize_t got = read_at(in, piece, n, i * (n_bytes - n) / N_SAMPLES);

		if (got < 0)
			any = err_sys(e, "reading an object");
		else
			any = got && sample_pays((struct bytes){ piece, (size_t)got });
	}
	free(piece);
	return any;
}

/* One step of the stream: what is in `i`, and its end. */
static int pack_piece(ZSTD_CCtx *z, ZSTD_inBuffer *i, bool is_end, char *room, int out,
		      uint64_t *n_out, struct err *e)
{
	size_t left;

	do {
		ZSTD_outBuffer o = { room, PIECE, 0 };

		left = ZSTD_compressStream2(z, &o, i, is_end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return err_set(e, ERR_RETRY, "compressing: %s", ZSTD_getErrorName(left));
		if (file_write_fd(out, room, o.pos) < 0)
			return err_sys(e, "writing a compressed object");
		*n_out += o.pos;
	} while (is_end ? left > 0 : i->pos < i->size);
	return 0;
}

static int pack_all(int in, uint64_t n_bytes, int out, uint64_t *n_out, struct err *e)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	char *piece = mem_alloc(2 * PIECE);
	uint64_t at = 0;
	int rc = 0;

	if (!z)
		abort();
	ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setPledgedSrcSize(z, n_bytes);
	while (rc == 0 && at < n_bytes) {
		size_t want = n_bytes - at < PIECE ? (size_t)(n_bytes - at) : PIECE;
		ssize_t n = read_at(in, piece, want, at);
		ZSTD_inBuffer i = { piece, n > 0 ? (size_t)n : 0, 0 };

		if (n < 0)
			rc = err_sys(e, "reading an object");
		else if (n == 0)
			rc = err_set(e, ERR_RETRY, "an object became shorter");
		else
			rc = pack_piece(z, &i, at + (uint64_t)n == n_bytes, piece + PIECE, out,
					n_out, e);
		at += n > 0 ? (uint64_t)n : 0;
	}
	free(piece);
	ZSTD_freeCCtx(z);
	return rc;
}

int codec_pack_fd(int in, uint64_t n_bytes, int out, uint64_t *n_out, struct err *e)
{
	int some = n_bytes < WORTH_BYTES ? 0 : samples_pay(in, n_bytes, e);

	*n_out = 0;
	if (some <= 0)
		return some;
	if (lseek(out, 0, SEEK_SET) < 0)
		return err_sys(e, "a temporary file");
	if (pack_all(in, n_bytes, out, n_out, e) < 0)
		return -1;
	return pays(n_bytes, *n_out);
}

/* 1 out holds what the frames in `in` hold and it has the name, 0 not. */
static int unpack_all(int in, const struct id *id, int out, struct err *e)
{
	ZSTD_DCtx *z = new_reader();
	struct hash *h = hash_new();
	char *piece = mem_alloc(2 * PIECE);
	size_t left = 0;
	uint64_t at = 0;
	ssize_t n = 0;
	struct id is;
	int rc = 1;

	while (rc == 1 && (n = read_at(in, piece, PIECE, at)) > 0) {
		ZSTD_inBuffer i = { piece, (size_t)n, 0 };
		bool is_full = false;

		at += (uint64_t)n;
		while (rc == 1 && (i.pos < i.size || is_full)) {
			ZSTD_outBuffer o = { piece + PIECE, PIECE, 0 };

			left = ZSTD_decompressStream(z, &o, &i);
			is_full = o.pos == o.size && left;
			hash_add(h, o.dst, o.pos);
			if (ZSTD_isError(left))
				rc = 0;
			else if (file_write_fd(out, o.dst, o.pos) < 0)
				rc = err_sys(e, "writing an object");
		}
	}
	is = hash_end(h);
	hash_free(h);
	free(piece);
	ZSTD_freeDCtx(z);
	if (n < 0)
		return err_sys(e, "reading what came");
	return rc < 0 ? -1 : rc == 1 && left == 0 && id_equal(&is, id);
}

int codec_unpack_fd(int in, const struct id *id, int out, struct err *e)
{
	char magic[4];
	struct id is;
	uint64_t n_bytes;
	ssize_t n = read_at(in, magic, sizeof magic, 0);
	int rc;

	if (n < 0)
		return err_sys(e, "reading what came");
	if (id_of_fd(in, &is, &n_bytes, e) < 0)
		return -1;
	if (id_equal(&is, id))
		return 0;
	rc = is_frame(magic, (size_t)n) ? unpack_all(in, id, out, e) : 0;
	return rc ? rc : err_set(e, ERR_BAD, "these bytes are not those of object %.12s...",
				 id_hex(id).s);
}
