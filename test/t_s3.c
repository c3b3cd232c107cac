/* Where a bucket has moved to, by what a server says of it. */
#include "../src/backends/s3.h"

#include <string.h>
#include "test.h"

static struct arena arena;

static void followed(void)
{
	static const struct {
		const char *from, *said, *base, *host, *path;
	} rows[] = {
		/* AWS: where a bucket is that was made a moment ago */
		{ "https://s3.us-east-1.amazonaws.com", "https://data.s3-eu-west-1.amazonaws.com/cas/1?x=y",
		  "https://data.s3-eu-west-1.amazonaws.com", "data.s3-eu-west-1.amazonaws.com", "/" },
		/* its XML has a host alone */
		{ "https://s3.us-east-1.amazonaws.com", "data.s3.eu-west-1.amazonaws.com",
		  "https://data.s3.eu-west-1.amazonaws.com", "data.s3.eu-west-1.amazonaws.com", "/" },
		{ "https://s3.us-east-1.amazonaws.com", "s3.eu-west-1.amazonaws.com",
		  "https://s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com", "/data/" },
		/* radosgw: the other zone group's endpoint */
		{ "http://here:7480", "http://there:7481/data/cas/1?partNumber=1", "http://there:7481",
		  "there:7481", "/data/" },
		{ "http://here:7480", "http://there:80/data", "http://there:80", "there", "/data/" },
		{ "http://here", "http://there/data?list-type=2", "http://there", "there", "/data/" },
		{ "http://here", "https://[::1]:443/data/x", "https://[::1]:443", "[::1]", "/data/" },
	};
	struct s3_address to, from;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		from.is_tls = strncmp(rows[i].from, "https", 5) == 0;
		CHECK(s3_address_moved(&from, "data", rows[i].said, &arena, &to));
		CHECK(strcmp(to.base, rows[i].base) == 0);
		CHECK(strcmp(to.host, rows[i].host) == 0);
		CHECK(strcmp(to.path, rows[i].path) == 0);
		CHECK(to.is_tls == (strncmp(rows[i].base, "https", 5) == 0));
	}
}

static void refused(void)
{
	static const char *const always[] = {
		"", "/data/x", "ftp://there/data", "http://", "http:///data", "http://a@there/data",
		"http://there/other/x", "http://there/database/x", "http://the re/data",
		"http://there\r\nX: y/data", "https://there\\x/data",
	};
	struct s3_address to, plain = { .is_tls = false }, tls = { .is_tls = true };

	for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
		CHECK(!s3_address_moved(&plain, "data", always[i], &arena, &to));
		CHECK(!s3_address_moved(&tls, "data", always[i], &arena, &to));
	}
	CHECK(!s3_address_moved(&tls, "data", "http://there/data/x", &arena, &to));
	CHECK(s3_address_moved(&tls, "data", "https://there/data/x", &arena, &to));
}

static const struct test tests[] = {
	{ "an address is taken from what AWS and radosgw say, by host or by path", followed },
	{ "what is no address of the bucket is not followed, nor is one without TLS after TLS",
	  refused },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&arena);
	return rc;
}
