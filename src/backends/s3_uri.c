/* s3_uri.c - s3://bucket/prefix?endpoint=...&region=...&style=...&profile=... */
#include <string.h>
#include "s3.h"

enum { AUTHORITY_MAX = 300 };

static int nibble(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) % 16 : -1;
}

static const char *decode(struct bytes b, struct arena *a)
{
	char *s = arena_alloc(a, b.n + 1), *to = s;

	for (size_t i = 0; i < b.n; i++) {
		bool is_code = b.p[i] == '%' && i + 2 < b.n && nibble(b.p[i + 1]) >= 0 &&
			       nibble(b.p[i + 2]) >= 0;

		*to++ = is_code ? (char)(nibble(b.p[i + 1]) << 4 | nibble(b.p[i + 2])) : b.p[i];
		i += is_code ? 2 : 0;
	}
	*to = 0;
	return s;
}

static int read_word(struct s3_place *p, struct bytes name, const char *value, struct err *e)
{
	static const struct word {
		const char *name;
		size_t offset;
	} words[] = {
		{ "endpoint", offsetof(struct s3_place, endpoint) },
		{ "region", offsetof(struct s3_place, region) },
		{ "profile", offsetof(struct s3_place, profile) },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (bytes_equal(name, bytes_str(words[i].name)) && *value && aws_is_plain(value)) {
			*(const char **)((char *)p + words[i].offset) = value;
			return 0;
		}
	if (bytes_equal(name, bytes_str("style")) && strcmp(value, "path") == 0)
		return 0;
	if (bytes_equal(name, bytes_str("style")) && strcmp(value, "virtual") == 0) {
		p->is_virtual = true;
		return 0;
	}
	return err_set(e, ERR_USAGE, "an s3:// address knows endpoint=URL, region=NAME, "
		       "style=path or style=virtual, and profile=NAME after the ?, not \"%.*s\"",
		       name.n > 40 ? 40 : (int)name.n, name.p);
}

static int read_words(const char *query, struct arena *a, struct s3_place *p, struct err *e)
{
	bool has_style = false;

	while (*query) {
		size_t n = strcspn(query, "&");
		size_t n_name = strcspn(query, "=&");
		struct bytes name = { query, n_name };
		struct bytes value = { query + n_name + (n_name < n), n - n_name - (n_name < n) };

		if (read_word(p, name, decode(value, a), e) < 0)
			return -1;
		has_style |= bytes_equal(name, bytes_str("style"));
		query += n + (query[n] == '&');
	}
	/* AWS wants the bucket in the host's name, most others do not. */
	if (!has_style)
		p->is_virtual = !p->endpoint;
	return 0;
}

static bool is_bucket(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if (!(b.p[i] >= 'a' && b.p[i] <= 'z') && !(b.p[i] >= 'A' && b.p[i] <= 'Z') &&
		    !(b.p[i] >= '0' && b.p[i] <= '9') && !strchr(".-_", b.p[i]))
			return false;
	return b.n >= 3 && b.n <= 255;
}

int s3_place_read(const char *uri, struct arena *a, struct s3_place *out, struct err *e)
{
	const char *rest = strncmp(uri, "s3://", 5) == 0 ? uri + 5 : "";
	size_t n = strcspn(rest, "/?"), n_prefix;
	struct bytes bucket = { rest, n };

	*out = (struct s3_place){ .uri = arena_str(a, uri), .prefix = "" };
	if (memchr(rest, '@', n))
		return err_set(e, ERR_USAGE, "keys do not belong into an s3:// address: set "
			       "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them into "
			       "~/.aws/credentials");
	if (!is_bucket(bucket))
		return err_set(e, ERR_USAGE, "\"%.*s\" is no name of a bucket: write "
			       "s3://bucket/prefix?endpoint=http://host:port",
			       n > 80 ? 80 : (int)n, rest);
	out->bucket = arena_strn(a, rest, n);
	rest += n;
	rest += strspn(rest, "/");
	n_prefix = strcspn(rest, "?");
	while (n_prefix && rest[n_prefix - 1] == '/')
		n_prefix--;
	if (n_prefix)
		out->prefix = arena_printf(a, "%s/", decode((struct bytes){ rest, n_prefix }, a));
	if (!aws_is_plain(out->prefix))
		return err_set(e, ERR_USAGE, "the prefix of s3://%s holds a control character",
			       out->bucket);
	rest += strcspn(rest, "?");
	return read_words(*rest ? rest + 1 : "", a, out, e);
}

/* The host as libcurl sends it: without the port that is usual. */
static const char *host_of(const char *authority, bool is_tls, struct arena *a)
{
	const char *usual = is_tls ? ":443" : ":80";
	size_t n = strlen(authority), n_usual = strlen(usual);

	if (n > n_usual && strcmp(authority + n - n_usual, usual) == 0)
		n -= n_usual;
	return arena_strn(a, authority, n);
}

int s3_address_of(const struct s3_place *p, const char *region, struct arena *a,
		  struct s3_address *out, struct err *e)
{
	const char *endpoint = p->endpoint ? p->endpoint :
			       arena_printf(a, "https://s3.%s.amazonaws.com", region);
	const char *authority = strstr(endpoint, "://");
	size_t n;

	out->is_tls = strncmp(endpoint, "https://", 8) == 0;
	if (!authority || (!out->is_tls && strncmp(endpoint, "http://", 7) != 0))
		return err_set(e, ERR_USAGE, "the endpoint of s3://%s must begin with http:// or "
			       "https://", p->bucket);
	authority += 3;
	n = strcspn(authority, "/?#");
	if (!n || memchr(authority, '@', n) || (authority[n] && strcmp(authority + n, "/") != 0))
		return err_set(e, ERR_USAGE, "the endpoint of s3://%s must be a host and a port, "
			       "nothing else", p->bucket);
	authority = arena_printf(a, "%s%s%.*s", p->is_virtual ? p->bucket : "",
				 p->is_virtual ? "." : "", (int)n, authority);
	out->host = host_of(authority, out->is_tls, a);
	out->base = arena_printf(a, "%s://%s", out->is_tls ? "https" : "http", authority);
	out->path = p->is_virtual ? "/" : arena_printf(a, "/%s/", p->bucket);
	return 0;
}

bool s3_address_moved(const struct s3_address *from, const char *bucket, const char *location,
		      struct arena *a, struct s3_address *out)
{
	const char *authority = strstr(location, "://"), *path;
	size_t n, n_bucket = strlen(bucket);
	bool is_virtual;

	out->is_tls = authority ? strncmp(location, "https://", 8) == 0 : from->is_tls;
	if (authority && !out->is_tls && (from->is_tls || strncmp(location, "http://", 7) != 0))
		return false;
	authority = authority ? authority + 3 : location;
	n = strcspn(authority, "/?#");
	if (!n || n > AUTHORITY_MAX || strspn(authority, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:[]") < n)
		return false;
	path = authority + n;
	is_virtual = strncmp(authority, bucket, n_bucket) == 0 && authority[n_bucket] == '.';
	if (!is_virtual && *path == '/' && path[1] && path[1] != '?' &&
	    (strncmp(path + 1, bucket, n_bucket) != 0 ||
	     !strchr("/?#", path[1 + n_bucket])))
		return false;
	authority = arena_strn(a, authority, n);
	out->host = host_of(authority, out->is_tls, a);
	out->base = arena_printf(a, "%s://%s", out->is_tls ? "https" : "http", authority);
	out->path = is_virtual ? "/" : arena_printf(a, "/%s/", bucket);
	return true;
}
