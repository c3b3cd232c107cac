/* f_s3.c - any bytes as an answer of S3, and as the address of a bucket or of a
 * Redis server: refused, or read into what is plain */
#include "../../src/backends/redis.h"
#include "../../src/backends/s3.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void leaf(void *arg, const char *name, const char *text)
{
	size_t *left = arg;

	/* What is told was in the bytes, if only as references to characters. */
	if (strlen(name) + strlen(text) > *left)
		abort();
}

static void address(const char *uri, struct arena *a)
{
	struct s3_place place;
	struct s3_address where;
	struct redis_place redis;
	struct remote_opts o = { .setting = NULL };
	struct err e;

	if (s3_place_read(uri, a, &place, &e) == 0 &&
	    s3_address_of(&place, "us-east-1", a, &where, &e) == 0 &&
	    (!*where.host || strpbrk(where.host, "/?#@") || *where.path != '/'))
		abort();
	if (s3_address_moved(&(struct s3_address){ .is_tls = true }, "bucket", uri + 5, a, &where) &&
	    (!where.is_tls || !*where.host || strpbrk(where.host, "/?#@\r\n ") ||
	     *where.path != '/'))
		abort();
	if (redis_place_read(uri, &o, a, &redis, &e) == 0 && !*redis.host)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes b = { (const char *)p, n };
	struct arena a = { 0 };
	size_t room = 4 * n + 16;
	struct err e;

	s3_read_xml(b, &(struct s3_reader){ leaf, NULL, &room }, &e);
	s3_xml_text(b, "Code", &a);
	if (!memchr(p, 0, n)) {
		address(arena_printf(&a, "s3://%.*s", (int)n, b.p), &a);
		address(arena_printf(&a, "rediss://%.*s", (int)n, b.p), &a);
	}
	arena_release(&a);
	return 0;
}
