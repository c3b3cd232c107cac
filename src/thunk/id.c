/* id.c - names made from content
 *
 * SHA-256 by libcrypto's plain functions on a context that lies on the stack:
 * the newer interface looks its algorithm up by name and allocates for each
 * message, which for a text of 200 bytes costs more than the hashing.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "id.h"

struct hash {
	SHA256_CTX ctx;
};

struct id id_of(struct bytes b)
{
	SHA256_CTX ctx;
	struct id id;

	SHA256_Init(&ctx);
	SHA256_Update(&ctx, b.p, b.n);
	SHA256_Final(id.b, &ctx);
	return id;
}

struct id_hex id_hex(const struct id *id)
{
	static const char digits[] = "0123456789abcdef";
	struct id_hex h;

	for (int i = 0; i < ID_BYTES; i++) {
		h.s[2 * i] = digits[id->b[i] >> 4];
		h.s[2 * i + 1] = digits[id->b[i] & 15];
	}
	h.s[ID_HEX] = 0;
	return h;
}

/* 0 to 15, or 16 for what is no lower-case hex digit. */
static unsigned nibble(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	return 16;
}

bool id_parse(struct bytes hex, struct id *out)
{
	struct id id;
	unsigned bad = 0;

	if (hex.n != ID_HEX)
		return false;
	for (int i = 0; i < ID_BYTES; i++) {
		unsigned high = nibble(hex.p[2 * i]), low = nibble(hex.p[2 * i + 1]);

		bad |= high | low;
		id.b[i] = (unsigned char)(high << 4 | low);
	}
	if (bad & 16)
		return false;
	*out = id;
	return true;
}

bool id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a->b, b->b, ID_BYTES) == 0;
}

bool id_is_zero(const struct id *id)
{
	static const struct id zero;

	return id_equal(id, &zero);
}

struct bytes id_key(const struct id *id)
{
	return (struct bytes){ (const char *)id->b, ID_BYTES };
}

struct hash *hash_new(void)
{
	struct hash *h = mem_alloc(sizeof(*h));

	SHA256_Init(&h->ctx);
	return h;
}

void hash_add(struct hash *h, const void *p, size_t n)
{
	SHA256_Update(&h->ctx, p, n);
}

struct id hash_end(struct hash *h)
{
	struct id id;

	SHA256_Final(id.b, &h->ctx);
	SHA256_Init(&h->ctx);
	return id;
}

void hash_free(struct hash *h)
{
	free(h);
}

/* A piece fits the second-level cache, and a stack. */
enum { PIECE = 1 << 16, HOLE_MIN = 1 << 22 };

static const unsigned char zeros[4096];

static void add_zeros(SHA256_CTX *ctx, off_t n)
{
	while (n > 0) {
		size_t some = n < (off_t)sizeof(zeros) ? (size_t)n : sizeof(zeros);

		SHA256_Update(ctx, zeros, some);
		n -= (off_t)some;
	}
}

/* Add [at, end) of fd.  1 when the file ended before, -1 with errno. */
static int add_range(SHA256_CTX *ctx, int fd, off_t *at, off_t end)
{
	unsigned char piece[PIECE];

	while (*at < end) {
		size_t want = end - *at < PIECE ? (size_t)(end - *at) : PIECE;
		ssize_t n = pread(fd, piece, want, *at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			return 1;
		SHA256_Update(ctx, piece, (size_t)n);
		*at += n;
	}
	return 0;
}

/* Holes are not read.  lseek moves the offset, so *at is known and the caller
 * puts the old one back. */
static int add_sparse(SHA256_CTX *ctx, int fd, off_t size, off_t *at)
{
	while (*at < size) {
		off_t data = lseek(fd, *at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			data = size;
		if (data < 0)
			return 0;
		if (data > size)
			data = size;
		add_zeros(ctx, data - *at);
		*at = data;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 || hole > size)
			hole = size;
		if (add_range(ctx, fd, at, hole) < 0)
			return -1;
	}
	return 0;
}

int id_of_fd(int fd, struct id *out, uint64_t *n_bytes, struct err *e)
{
	SHA256_CTX ctx;
	struct stat st;
	off_t at = 0, old;
	int failed = 0;

	SHA256_Init(&ctx);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot look at a file to name it");
	if (st.st_size >= HOLE_MIN && (off_t)st.st_blocks * 512 < st.st_size) {
		old = lseek(fd, 0, SEEK_CUR);
		failed = old < 0 ? 0 : add_sparse(&ctx, fd, st.st_size, &at);
		if (old >= 0 && lseek(fd, old, SEEK_SET) < 0)
			failed = -1;
	}
	if (!failed)
		failed = add_range(&ctx, fd, &at, INT64_MAX) < 0;
	if (failed)
		return err_sys(e, "cannot read a file to name it");
	SHA256_Final(out->b, &ctx);
	*n_bytes = (uint64_t)at;
	return 0;
}
