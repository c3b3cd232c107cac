/* base64.c - bytes as letters, and back, one spelling only */
#include "base64.h"

#include <string.h>

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct bytes b, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)b.p;

	buf_add(out, "", 0);
	for (size_t i = 0; i < b.n; i += 3) {
		size_t n = b.n - i;
		uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (n > 2 ? p[i + 2] : 0);
		char four[4] = {
			alphabet[v >> 18], alphabet[v >> 12 & 63],
			n > 1 ? alphabet[v >> 6 & 63] : '=', n > 2 ? alphabet[v & 63] : '=',
		};

		buf_add(out, four, sizeof four);
	}
}

/* 0 to 63, or -1. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool decode_four(const char *p, size_t n, struct buf *out)
{
	uint32_t v = 0;
	char three[3];

	for (size_t i = 0; i < 4; i++) {
		int d = i < n ? value_of(p[i]) : 0;

		if (d < 0)
			return false;
		v = v << 6 | (uint32_t)d;
	}
	if (n < 2 || (n == 2 && (v & 0xffff)) || (n == 3 && (v & 0xff)))
		return false;
	three[0] = (char)(v >> 16);
	three[1] = (char)(v >> 8);
	three[2] = (char)v;
	buf_add(out, three, n - 1);
	return true;
}

bool base64_decode(struct bytes text, struct buf *out)
{
	size_t before = out->n, n = text.n;

	if (n % 4)
		return false;
	for (int i = 0; i < 2 && n && text.p[n - 1] == '='; i++)
		n--;
	buf_add(out, "", 0);
	for (size_t i = 0; i < n; i += 4)
		if (!decode_four(text.p + i, n - i < 4 ? n - i : 4, out)) {
			out->n = before;
			return false;
		}
	return true;
}
