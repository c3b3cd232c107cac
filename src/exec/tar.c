/* tar.c - the headers of a tar archive, always the same for the same entry
 *
 * ustar, 512 bytes:
 *
 *     name 100 | mode 8 | uid 8 | gid 8 | size 12 | mtime 12 | checksum 8 |
 *     type 1 | link 100 | "ustar\0" | "00" | user 32 | group 32 | dev 8+8 |
 *     prefix 155 | 12 unused
 *
 * A path or target that is too long stands in a pax record ("N path=...\n")
 * before it.  A size over eight gigabytes is written in binary, its first bit
 * set, as GNU and all others read it.
 */
#include <stdio.h>
#include <string.h>
#include "image_private.h"

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8];
	char type, link[100], magic[6], version[2], user[32], group[32];
	char major[8], minor[8], prefix[155], unused[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a header is one block");

#define OCTAL_MAX ((UINT64_C(1) << 33) - 1)

static void put_octal(char *field, size_t n, uint64_t value)
{
	for (field[--n] = 0; n-- > 0; value >>= 3)
		field[n] = (char)('0' + (value & 7));
}

static void put_size(char field[12], uint64_t value)
{
	if (value <= OCTAL_MAX) {
		put_octal(field, 12, value);
		return;
	}
	field[0] = (char)0x80;
	for (int i = 11; i > 0; i--, value >>= 8)
		field[i] = (char)(value & 0xff);
}

/* The path whole, or cut at a slash into prefix and name; false: too long. */
static bool put_path(struct header *h, const char *path)
{
	size_t n = strlen(path);

	if (n <= sizeof h->name) {
		memcpy(h->name, path, n);
		return true;
	}
	for (size_t cut = n - 1; cut-- > 0;)
		if (cut <= sizeof h->prefix && path[cut] == '/' &&
		    n - cut - 1 <= sizeof h->name) {
			memcpy(h->prefix, path, cut);
			memcpy(h->name, path + cut + 1, n - cut - 1);
			return true;
		}
	memcpy(h->name, path, sizeof h->name);
	return false;
}

static void put_header(struct header *h, const struct tar_entry *t, struct buf *out)
{
	unsigned sum = 0;

	put_octal(h->mode, sizeof h->mode, t->mode);
	put_octal(h->uid, sizeof h->uid, 0);
	put_octal(h->gid, sizeof h->gid, 0);
	put_size(h->size, t->n_bytes);
	put_octal(h->mtime, sizeof h->mtime, STORE_OBJECT_TIME);
	h->type = t->type;
	memcpy(h->magic, "ustar", 6);
	memcpy(h->version, "00", 2);
	memset(h->checksum, ' ', sizeof h->checksum);
	for (size_t i = 0; i < sizeof *h; i++)
		sum += ((unsigned char *)h)[i];
	put_octal(h->checksum, 7, sum);
	buf_add(out, h, sizeof *h);
}

/* A record begins with its own length in digits, which counts too. */
static void pax_record(struct buf *b, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3, n = rest + 1;
	char digits[24];

	while ((size_t)snprintf(digits, sizeof digits, "%zu", n) + rest != n)
		n++;
	buf_printf(b, "%s %s=%s\n", digits, key, value);
}

void tar_pad(uint64_t n_bytes, struct buf *out)
{
	static const char zeros[TAR_BLOCK];

	buf_add(out, zeros, (size_t)((TAR_BLOCK - n_bytes % TAR_BLOCK) % TAR_BLOCK));
}

void tar_header(const struct tar_entry *t, struct buf *out)
{
	struct header h = { .type = t->type };
	struct buf pax = { 0 };

	if (!put_path(&h, t->path))
		pax_record(&pax, "path", t->path);
	if (t->target && strlen(t->target) > sizeof h.link)
		pax_record(&pax, "linkpath", t->target);
	else if (t->target)
		memcpy(h.link, t->target, strlen(t->target));
	if (pax.n) {
		struct header before = { .name = "pax" };
		struct tar_entry x = { .type = 'x', .mode = 0644, .n_bytes = pax.n };

		put_header(&before, &x, out);
		buf_add(out, pax.p, pax.n);
		tar_pad(pax.n, out);
		buf_release(&pax);
	}
	put_header(&h, t, out);
}

void tar_end(struct buf *out)
{
	static const char zeros[2 * TAR_BLOCK];

	buf_add(out, zeros, sizeof zeros);
}
