/* redis_uri.c - redis://[[USER]:PASSWORD@]HOST[:PORT][/DB][?ttl=7d&small=1M&prefix=x&cacert=FILE]
 */
#include <stdlib.h>
#include <string.h>
#include "quantity.h"
#include "redis.h"

enum { SMALL_BYTES = 1 << 20, DB_MAX = 1 << 20 };

static int nibble(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) % 16 : -1;
}

static char *decode(const char *p, size_t n, struct arena *a)
{
	char *s = arena_alloc(a, n + 1), *to = s;

	for (size_t i = 0; i < n; i++) {
		bool is_code = p[i] == '%' && i + 2 < n && nibble(p[i + 1]) >= 0 &&
			       nibble(p[i + 2]) >= 0;

		*to++ = is_code ? (char)(nibble(p[i + 1]) << 4 | nibble(p[i + 2])) : p[i];
		i += is_code ? 2 : 0;
	}
	*to = 0;
	return s;
}

static void read_user(const char *p, size_t n, struct arena *a, struct redis_place *out)
{
	const char *colon = memchr(p, ':', n);
	size_t n_user = colon ? (size_t)(colon - p) : n;

	if (n_user)
		out->user = decode(p, n_user, a);
	if (colon)
		out->password = decode(colon + 1, n - n_user - 1, a);
}

static int read_host(const char *p, size_t n, struct arena *a, struct redis_place *out,
		     struct err *e)
{
	bool is_number = n && *p == '[';        /* an IPv6 address */
	const char *end = memchr(p, is_number ? ']' : ':', n);
	size_t n_host = end ? (size_t)(end - p) + is_number : n;

	if (is_number)
		out->host = end ? arena_strn(a, p + 1, n_host - 2) : "";
	else
		out->host = arena_strn(a, p, n_host);
	if (n > n_host + 1 && p[n_host] == ':')
		out->port = arena_strn(a, p + n_host + 1, n - n_host - 1);
	if (!*out->host || strspn(out->port, "0123456789") != strlen(out->port))
		return err_set(e, ERR_USAGE, "a redis:// address is redis://HOST[:PORT][/DB]: it "
			       "has no host, or its port is no number");
	return 0;
}

static int read_word(const char *name, const char *value, struct redis_place *p, struct err *e)
{
	double ttl;

	if (strcmp(name, "ttl") == 0 && quantity_seconds(value, &ttl) && ttl >= 1) {
		p->ttl_s = (uint64_t)ttl;
		return 0;
	}
	if (strcmp(name, "small") == 0 && quantity_bytes(value, &p->small_bytes))
		return 0;
	if (strcmp(name, "prefix") == 0) {
		p->prefix = value;
		return 0;
	}
	if (strcmp(name, "cacert") == 0 && *value) {
		p->ca_file = value;
		return 0;
	}
	return err_set(e, ERR_USAGE, "after the ? a redis:// address knows ttl=7d, small=1M, "
		       "prefix=NAME and cacert=FILE, not \"%.40s\"", name);
}

static int read_words(const char *query, struct arena *a, struct redis_place *p, struct err *e)
{
	while (*query) {
		size_t n = strcspn(query, "&"), n_name = strcspn(query, "=&");
		const char *value = query + n_name + (n_name < n);

		if (read_word(arena_strn(a, query, n_name),
			      decode(value, n - (size_t)(value - query), a), p, e) < 0)
			return -1;
		query += n + (query[n] == '&');
	}
	return 0;
}

static const char *set(const struct remote_opts *o, const char *name)
{
	const char *s = o->setting ? o->setting(o->setting_arg, name) : NULL;

	return s && *s ? s : NULL;
}

static void add_secrets(const struct remote_opts *o, struct arena *a, struct redis_place *p)
{
	const char *user = set(o, "GG_REDIS_USER"), *password = set(o, "GG_REDIS_PASSWORD");

	if (p->password || !password)
		return;
	p->password = arena_str(a, password);
	if (!p->user && user)
		p->user = arena_str(a, user);
}

int redis_place_read(const char *uri, const struct remote_opts *o, struct arena *a,
		     struct redis_place *out, struct err *e)
{
	size_t n_scheme = strcspn(uri, ":");
	const char *rest = strncmp(uri + n_scheme, "://", 3) == 0 ? uri + n_scheme + 3 : "";
	size_t n = strcspn(rest, "/?");
	const char *at = memrchr(rest, '@', n);
	char *end;

	*out = (struct redis_place){ .port = "6379", .prefix = "gg", .small_bytes = SMALL_BYTES,
				     .is_tls = n_scheme == 6 };
	if (at) {
		read_user(rest, (size_t)(at - rest), a, out);
		n -= (size_t)(at + 1 - rest);
		rest = at + 1;
	}
	out->shown = arena_printf(a, "%.*s://%s", (int)n_scheme, uri, rest);
	add_secrets(o, a, out);
	if (read_host(rest, n, a, out, e) < 0)
		return -1;
	rest += n;
	if (*rest == '/')
		rest++;
	out->db = (unsigned)strtoul(rest, &end, 10);
	if (*end && *end != '?')
		return err_set(e, ERR_USAGE, "after its host a redis:// address has the number of "
			       "a database: \"/%.40s\" is none", rest);
	if (out->db > DB_MAX)
		return err_set(e, ERR_USAGE, "no Redis server has so many databases");
	return *end ? read_words(end + 1, a, out, e) : 0;
}
