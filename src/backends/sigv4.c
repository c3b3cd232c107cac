/* sigv4.c - requests signed as AWS wants them
 *
 * A request is written in one canonical spelling; its hash, the moment and the
 * scope are what is signed, with a key made of the secret, the day, the region
 * and the service.
 */
#include "sigv4.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "id.h"
#include "when.h"

enum { SKEW_MIN_S = 30 };

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void sigv4_encode(struct bytes text, bool keeps_slash, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (is_unreserved(c) || (c == '/' && keeps_slash)) {
			buf_char(out, c);
			continue;
		}
		buf_char(out, '%');
		buf_char(out, digits[(unsigned char)c >> 4]);
		buf_char(out, digits[(unsigned char)c & 15]);
	}
}

/* ---- path and query */

/* Without ".", ".." and empty parts; a slash at the end stays. */
static void normalise(const char *path, struct buf *out)
{
	size_t n = 0;

	for (const char *p = path + strspn(path, "/"); *p; p += n, p += strspn(p, "/")) {
		n = strcspn(p, "/");
		if (n == 1 && p[0] == '.')
			continue;
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			while (out->n && out->p[--out->n] != '/')
				;
			continue;
		}
		buf_char(out, '/');
		buf_add(out, p, n);
	}
	if (!out->n || (path[strlen(path) - 1] == '/' && out->p[out->n - 1] != '/'))
		buf_char(out, '/');
}

static void add_path(const char *path, unsigned flags, struct buf *out)
{
	struct buf plain = { 0 };

	if (!*path)
		path = "/";
	if (flags & SIGV4_NORMALISE)
		normalise(path, &plain);
	else
		buf_str(&plain, path);
	if (flags & SIGV4_ENCODE)
		sigv4_encode(buf_bytes(&plain), true, out);
	else
		buf_add(out, plain.p, plain.n);
	buf_release(&plain);
}

static int nibble(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* One part of a query, however it was spelled, in the one spelling. */
static void encode_again(const char *p, size_t n, struct buf *out)
{
	struct buf plain = { 0 };

	for (size_t i = 0; i < n; i++) {
		bool is_code = p[i] == '%' && i + 2 < n && nibble(p[i + 1]) >= 0 &&
			       nibble(p[i + 2]) >= 0;

		buf_char(&plain, is_code ? (char)(nibble(p[i + 1]) << 4 | nibble(p[i + 2])) : p[i]);
		i += is_code ? 2 : 0;
	}
	sigv4_encode(buf_bytes(&plain), false, out);
	buf_release(&plain);
}

struct pair {
	const char *name, *value;
};

static int by_name(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->value, y->value);
}

static const char *part(struct arena *a, const char *p, size_t n)
{
	struct buf b = { 0 };
	const char *s;

	encode_again(p, n, &b);
	s = arena_strn(a, b.p, b.n);
	buf_release(&b);
	return s;
}

static void add_query(const char *query, struct arena *a, struct buf *out)
{
	size_t room = 1, n = 0, len;
	struct pair *pairs;

	for (const char *p = query; *p; p++)
		room += *p == '&';
	pairs = arena_alloc(a, room * sizeof *pairs);
	for (const char *p = query; *p; p += len, p += *p == '&') {
		size_t n_name = strcspn(p, "=&");

		len = strcspn(p, "&");
		if (!len)
			continue;
		pairs[n].name = part(a, p, n_name);
		pairs[n++].value = n_name < len ? part(a, p + n_name + 1, len - n_name - 1) : "";
	}
	qsort(pairs, n, sizeof *pairs, by_name);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%s=%s", i ? "&" : "", pairs[i].name, pairs[i].value);
}

/* ---- headers */

struct field {
	const char *name;               /* lower case */
	const char *value;
	size_t place;                   /* those of one name keep their order */
};

static int by_field(const void *a, const void *b)
{
	const struct field *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->place > y->place) - (x->place < y->place);
}

/* Without spaces at the ends, each run of them one. */
static const char *squeeze(struct arena *a, const char *s)
{
	char *out = arena_alloc(a, strlen(s) + 1), *p = out;

	for (; *s; s++) {
		bool is_space = isspace((unsigned char)*s);

		if (!is_space)
			*p++ = *s;
		else if (p > out && p[-1] != ' ')
			*p++ = ' ';
	}
	while (p > out && p[-1] == ' ')
		p--;
	*p = 0;
	return out;
}

struct fields {
	struct field *v;
	size_t n;
	struct arena *a;
};

static void add_field(struct fields *f, const char *name, size_t n_name, const char *value)
{
	char *low = arena_strn(f->a, name, n_name);

	for (char *p = low; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	f->v[f->n] = (struct field){ low, squeeze(f->a, value), f->n };
	f->n++;
}

/* A header that is signed and sent. */
static void send_field(struct fields *f, const char *name, const char *value, struct strs *out)
{
	add_field(f, name, strlen(name), value);
	strs_add(out, arena_printf(f->a, "%s: %s", name, value));
}

static struct fields gather(const struct sigv4_request *r, struct arena *a)
{
	struct fields f = { .a = a };
	size_t n = 0;

	while (r->headers && r->headers[n])
		n++;
	f.v = arena_alloc(a, (n + 4) * sizeof *f.v);
	add_field(&f, "host", 4, r->host);
	for (size_t i = 0; i < n; i++) {
		const char *h = r->headers[i];
		size_t n_name = strcspn(h, ":");

		add_field(&f, h, n_name, h[n_name] ? h + n_name + 1 : "");
	}
	return f;
}

/* The headers, then their names in *names. */
static void add_fields(struct fields *f, struct buf *out, struct buf *names)
{
	qsort(f->v, f->n, sizeof *f->v, by_field);
	for (size_t i = 0; i < f->n; i++) {
		bool is_same = i && strcmp(f->v[i].name, f->v[i - 1].name) == 0;

		if (is_same) {
			buf_printf(out, ",%s", f->v[i].value);
			continue;
		}
		buf_printf(out, "%s%s:%s", i ? "\n" : "", f->v[i].name, f->v[i].value);
		buf_printf(names, "%s%s", i ? ";" : "", f->v[i].name);
	}
	buf_str(out, "\n\n");
}

/* ---- the signature */

static void mac(const void *key, size_t n_key, const char *text, unsigned char out[32])
{
	unsigned n = 32;

	if (!HMAC(EVP_sha256(), key, (int)n_key, (const unsigned char *)text, strlen(text),
		  out, &n))
		abort();
}

static void derive_key(struct sigv4 *s, const struct aws_keys *k, const char *day)
{
	struct id tag = id_of(bytes_str(k->secret_key));
	struct buf first = { 0 };

	if (memcmp(s->day, day, 9) == 0 && memcmp(s->tag, tag.b, sizeof s->tag) == 0)
		return;
	buf_printf(&first, "AWS4%s", k->secret_key);
	mac(first.p, first.n, day, s->key);
	mac(s->key, 32, s->region, s->key);
	mac(s->key, 32, s->service, s->key);
	mac(s->key, 32, "aws4_request", s->key);
	memcpy(s->day, day, 9);
	memcpy(s->tag, tag.b, sizeof s->tag);
	explicit_bzero(first.p, first.n);
	buf_release(&first);
}

static const char *sign_text(struct sigv4 *s, const char *text, struct arena *a)
{
	struct id m;
	struct id_hex hex;

	mac(s->key, 32, text, m.b);
	hex = id_hex(&m);
	return arena_str(a, hex.s);
}

static struct sigv4_made finish(struct sigv4 *s, const struct aws_keys *k, const char *moment,
				const char *canonical, const char *names, struct arena *a,
				struct strs *out)
{
	struct id hash = id_of(bytes_str(canonical));
	char day[9] = "";
	const char *scope;
	struct sigv4_made m = { .canonical = canonical };

	memcpy(day, moment, 8);
	derive_key(s, k, day);
	scope = arena_printf(a, "%s/%s/%s/aws4_request", day, s->region, s->service);
	m.to_sign = arena_printf(a, "AWS4-HMAC-SHA256\n%s\n%s\n%s", moment, scope,
				 id_hex(&hash).s);
	m.signature = sign_text(s, m.to_sign, a);
	strs_add(out, arena_printf(a, "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, "
				   "SignedHeaders=%s, Signature=%s", k->access_key, scope, names,
				   m.signature));
	return m;
}

struct sigv4_made sigv4_sign(struct sigv4 *s, const struct aws_keys *k,
			     const struct sigv4_request *r, struct arena *a, struct strs *out)
{
	struct when_basic moment = when_basic(r->now_s + s->skew_s);
	struct id none = id_of((struct bytes){ 0 });
	struct id_hex none_hex = id_hex(&none);
	const char *payload = r->payload ? r->payload : none_hex.s;
	struct fields f = gather(r, a);
	struct buf text = { 0 }, names = { 0 };
	struct sigv4_made m;

	send_field(&f, "X-Amz-Date", moment.s, out);
	if (s->flags & SIGV4_TELL_HASH)
		send_field(&f, "X-Amz-Content-Sha256", payload, out);
	if (k->token && s->flags & SIGV4_TOKEN_LATER)
		strs_add(out, arena_printf(a, "X-Amz-Security-Token: %s", k->token));
	else if (k->token)
		send_field(&f, "X-Amz-Security-Token", k->token, out);
	buf_printf(&text, "%s\n", r->method);
	add_path(r->path, s->flags, &text);
	buf_char(&text, '\n');
	add_query(r->query ? r->query : "", a, &text);
	buf_char(&text, '\n');
	add_fields(&f, &text, &names);
	buf_printf(&text, "%s\n%s", names.p, payload);
	m = finish(s, k, moment.s, arena_strn(a, text.p, text.n), names.p, a, out);
	buf_release(&text);
	buf_release(&names);
	return m;
}

bool sigv4_learn_clock(struct sigv4 *s, const char *date, int64_t now_s)
{
	int64_t server_s, off_s;

	if (!date || !when_http(date, &server_s))
		return false;
	off_s = server_s - now_s - s->skew_s;
	if (off_s > -SKEW_MIN_S && off_s < SKEW_MIN_S)
		return false;
	s->skew_s += off_s;
	return true;
}
