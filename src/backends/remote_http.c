/* remote_http.c - the HTTP cache protocol of Bazel: http://HOST/PATH, https://
 *
 * GET, HEAD, PUT and DELETE of PATH/KEY, as nginx with WebDAV, bazel-remote and
 * gg's own dispatcher speak it.  Others read such a cache who know no zstd, so
 * that blobs are plain unless the URI ends in ?compress=1.
 *
 * What passes is tried again here, after a wait that doubles, by chance shorter,
 * so that many who failed together do not come back together.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include "base64.h"
#include "quantity.h"
#include "remote.h"

enum {
	GET_MAX = 16 << 20,
	TRIES = 4,
	WAIT_MS = 100, WAIT_MAX_MS = 10000,
	PATIENCE_MS = 20000,            /* no new try after so long */
	CONNECT_MS = 5000, STALL_MS = 10000,
};

#define COMPRESS "?compress=1"

struct remote {
	struct loop *loop;
	struct http *http;
	char *uri;                      /* for people */
	char *base;                     /* to put /KEY behind */
	char *authorization;            /* the header, secret; or NULL */
	char *unix_path, *pinned_key;
	bool is_plain;
	struct http_try *tries;
};

/* One call of ours, over all its tries. */
struct http_try {
	struct remote *r;
	struct remote_call *c;
	struct http_try *next, **at;
	struct http_call *call;         /* one of the two */
	struct timer *timer;
	uint64_t begun_ms;
	unsigned n;
};

static void try_once(void *arg);

/* ---- what an answer means */

static const struct meaning {
	int status;
	enum err_code code;             /* ERR_RETRY: it may pass */
	const char *text;
} meanings[] = {
	{ 404, ERR_MISSING, "not there" },
	{ 410, ERR_MISSING, "not there" },
	{ 401, ERR_REFUSED, "the server wants to know who we are: put user:password@ before the "
	  "host, or set GG_HTTP_USER and GG_HTTP_PASSWORD" },
	{ 403, ERR_REFUSED, "the server does not permit it" },
	{ 405, ERR_REFUSED, "the server does not do that here: nginx needs \"dav_methods PUT "
	  "DELETE;\"" },
	{ 501, ERR_REFUSED, "the server does not do that here" },
	{ 409, ERR_REFUSED, "the server has no such folder: nginx needs "
	  "\"create_full_put_path on;\"" },
	{ 411, ERR_REFUSED, "the server wants to know the length before" },
	{ 413, ERR_REFUSED, "too large for the server: nginx needs \"client_max_body_size 0;\"" },
	{ 507, ERR_IO, "the server's disk is full" },
	{ 408, ERR_RETRY, "the server waited too long" },
	{ 425, ERR_RETRY, "the server is busy" },
	{ 429, ERR_RETRY, "the server is busy" },
	{ 500, ERR_RETRY, "the server failed; its log says why" },
	{ 502, ERR_RETRY, "what is behind the server does not answer" },
	{ 503, ERR_RETRY, "the server is busy" },
	{ 504, ERR_RETRY, "what is behind the server does not answer" },
};

static int fail(const struct http_try *t, int status, struct err *e)
{
	static const char *const verbs[] = { "HEAD", "GET", "PUT", "DELETE" };
	size_t i = 0, n = sizeof meanings / sizeof *meanings;
	bool knows_us = t->r->authorization != NULL;

	while (i < n && meanings[i].status != status)
		i++;
	return err_set(e, i < n ? meanings[i].code : ERR_BAD, "%s %s/%s: %s (status %d)",
		       verbs[t->c->verb], t->r->uri, t->c->key,
		       status == 401 && knows_us ? "user or password is wrong" :
		       i < n ? meanings[i].text : "no answer that a cache gives", status);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT"; 0 for others. */
static int64_t read_date(const char *s)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm t = { 0 };
	char month[4] = { 0 };
	const char *m;

	if (!s || sscanf(s, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &t.tm_mday, month, &t.tm_year,
			 &t.tm_hour, &t.tm_min, &t.tm_sec) != 6)
		return 0;
	m = strstr(months, month);
	if (!m || strlen(month) != 3)
		return 0;
	t.tm_mon = (int)(m - months) / 3;
	t.tm_year -= 1900;
	return timegm(&t);
}

static uint64_t length_of(const struct http_answer *a)
{
	const char *s = http_header(a, "content-length");

	return s ? strtoull(s, NULL, 10) : 0;
}

/* 0 it is done, -1 with *e; out is filled as far as it goes. */
static int understand(const struct http_try *t, const struct http_answer *a,
		      const struct err *why, struct remote_answer *out, struct err *e)
{
	const struct remote_call *c = t->c;
	uint64_t max = c->max_bytes ? c->max_bytes : GET_MAX;
	int s = a->status;

	*out = (struct remote_answer){ .n_tries = t->n, .n_bytes = a->n_bytes };
	if (why && why->code == ERR_REFUSED && s / 100 == 2) {
		out->n_bytes = length_of(a) > max ? length_of(a) : max + 1;
		return err_set(e, ERR_REFUSED, "GET %s/%s: larger than %llu bytes", t->r->uri,
			       c->key, (unsigned long long)max);
	}
	if (why) {
		*e = *why;
		return -1;
	}
	if (c->verb == REMOTE_PUT && s == 412 && c->only_new) {
		out->was_there = true;
		return 0;
	}
	if (c->verb == REMOTE_DELETE && (s == 404 || s == 410))
		return 0;
	if (s / 100 != 2)
		return fail(t, s, e);
	if (c->verb == REMOTE_HEAD)
		out->n_bytes = length_of(a);
	if (c->verb == REMOTE_GET)
		out->body = a->body;
	out->modified_s = read_date(http_header(a, "last-modified"));
	return 0;
}

/* ---- tries */

static void forget(struct http_try *t)
{
	*t->at = t->next;
	if (t->next)
		t->next->at = t->at;
	free(t);
}

/* As the server says, else a random part of what doubles with each try. */
static uint64_t wait_ms(const struct http_try *t, const struct http_answer *a)
{
	const char *after = http_header(a, "retry-after");
	uint64_t ms = (uint64_t)WAIT_MS << t->n, part;
	double s;

	if (after && quantity_number(after, &s) && s > 0)
		return s * 1000 > WAIT_MAX_MS ? WAIT_MAX_MS : (uint64_t)(s * 1000);
	if (getrandom(&part, sizeof part, 0) != sizeof part)
		abort();
	return ms / 2 + part % (ms / 2);
}

/* Another try may do better: not where nobody has even taken the call for so long. */
static bool may_pass(const struct http_try *t, const struct http_answer *a)
{
	uint64_t ms = loop_now_ms(t->r->loop) - t->begun_ms;

	return t->n < TRIES && ms < (a->was_sent ? PATIENCE_MS : CONNECT_MS);
}

static void answered(void *arg, const struct http_answer *a, const struct err *why)
{
	struct http_try *t = arg;
	struct remote_call *c = t->c;
	struct remote_answer out;
	struct err e;
	int rc = understand(t, a, why, &out, &e);

	t->call = NULL;
	if (rc < 0 && e.code == ERR_RETRY && may_pass(t, a)) {
		t->timer = loop_after(t->r->loop, wait_ms(t, a), try_once, t);
		return;
	}
	forget(t);
	c->done(c, &out, rc < 0 ? &e : NULL);
}

static int begin(struct http_try *t, struct err *e)
{
	static const char *const methods[] = {
		[REMOTE_HEAD] = "HEAD", [REMOTE_GET] = "GET", [REMOTE_PUT] = "PUT",
		[REMOTE_DELETE] = "DELETE",
	};
	const struct remote *r = t->r;
	const struct remote_call *c = t->c;
	const char *headers[3] = { r->authorization };
	bool is_get = c->verb == REMOTE_GET, is_put = c->verb == REMOTE_PUT;
	char *url = mem_alloc(strlen(r->base) + strlen(c->key) + 2);
	struct http_request q = {
		.method = methods[c->verb], .url = url, .headers = headers,
		.body = is_put ? c->body : (struct bytes){ 0 },
		.from = is_put ? c->from : NULL, .to = is_get ? c->to : NULL,
		.max_bytes = is_get ? (c->max_bytes ? c->max_bytes : GET_MAX) : 0,
		.connect_ms = CONNECT_MS, .stall_ms = STALL_MS, .unix_path = r->unix_path,
		.pinned_key = r->pinned_key, .done = answered, .arg = t,
	};
	int rc;

	sprintf(url, "%s/%s", r->base, c->key);
	if (is_put && c->only_new)
		headers[r->authorization ? 1 : 0] = "If-None-Match: *";
	t->n++;
	rc = http_start(r->http, &q, &t->call, e);
	free(url);
	return rc;
}

static void try_once(void *arg)
{
	struct http_try *t = arg;
	struct remote_call *c = t->c;
	struct remote_answer none = { .n_tries = t->n };
	struct err e;

	t->timer = NULL;
	if (begin(t, &e) == 0)
		return;
	forget(t);
	c->done(c, &none, &e);
}

static int web_start(struct remote *r, struct remote_call *c, struct err *e)
{
	struct http_try *t;

	if (!remote_key_is_good(c->key))
		return err_set(e, ERR_BAD, "%s: \"%.80s\" is no key", r->uri, c->key);
	t = memset(mem_alloc(sizeof *t), 0, sizeof *t);
	t->r = r;
	t->c = c;
	t->begun_ms = loop_now_ms(r->loop);
	t->next = r->tries;
	t->at = &r->tries;
	if (t->next)
		t->next->at = &t->next;
	r->tries = t;
	c->remote_data = t;
	if (begin(t, e) == 0)
		return 0;
	forget(t);
	return -1;
}

static void stop(struct http_try *t)
{
	if (t->call)
		http_cancel(t->call);
	loop_cancel(t->timer);
	forget(t);
}

static void web_cancel(struct remote *r, struct remote_call *c)
{
	(void)r;
	stop(c->remote_data);
}

/* ---- the URI */

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* What %41 and the like stand for. */
static void plain(struct bytes s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		bool is_escape = s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 &&
				 hex(s.p[i + 2]) >= 0;

		buf_char(out, is_escape ? (char)(hex(s.p[i + 1]) * 16 + hex(s.p[i + 2])) : s.p[i]);
		i += is_escape ? 2 : 0;
	}
}

/* clear is wiped. */
static char *basic(struct buf *clear)
{
	struct buf header = { 0 };

	buf_str(&header, "Authorization: Basic ");
	base64_encode(buf_bytes(clear), &header);
	explicit_bzero(clear->p, clear->n);
	buf_release(clear);
	return header.p;
}

/* Who we are: by the URI, by the token handed in, by the environment, which is not
 * written as in a URI. */
static char *authorization(const struct remote_opts *o, struct bytes in_uri)
{
	const char *user = o->setting ? o->setting(o->setting_arg, "GG_HTTP_USER") : NULL;
	const char *password = o->setting ? o->setting(o->setting_arg, "GG_HTTP_PASSWORD") : NULL;
	struct buf b = { 0 };

	if (in_uri.n) {
		plain(in_uri, &b);
		return basic(&b);
	}
	if (o->token) {
		buf_printf(&b, "Authorization: Bearer %s", o->token);
		return b.p;
	}
	if (!user || !*user || !password)
		return NULL;
	buf_printf(&b, "%s:%s", user, password);
	return basic(&b);
}

static int web_open(const struct remote_opts *o, const char *uri, struct remote **out,
		    struct err *e)
{
	const char *scheme_end = strstr(uri, "://"), *host = scheme_end ? scheme_end + 3 : "";
	size_t n_authority = strcspn(host, "/?#"), n_rest = strlen(host), n_user = 0;
	bool packs = n_rest >= strlen(COMPRESS) &&
		     strcmp(host + n_rest - strlen(COMPRESS), COMPRESS) == 0;
	struct buf base = { 0 };
	struct remote *r;

	for (size_t i = 0; i < n_authority; i++)
		if (host[i] == '@')
			n_user = i + 1;
	n_rest -= packs ? strlen(COMPRESS) : 0;
	while (n_rest > n_authority && host[n_rest - 1] == '/')
		n_rest--;
	if (n_authority == n_user || memchr(host, '?', n_rest) || memchr(host, '#', n_rest))
		return err_set(e, ERR_USAGE, "a remote over HTTP is written http://HOST/PATH, "
			       "perhaps with user:password@ before the host and "
			       COMPRESS " at the end");
	r = memset(mem_alloc(sizeof *r), 0, sizeof *r);
	r->loop = o->loop;
	r->http = o->http;
	r->is_plain = !packs;
	buf_add(&base, uri, (size_t)(host - uri));
	buf_add(&base, host + n_user, n_rest - n_user);
	r->base = mem_str(base.p);
	buf_str(&base, packs ? COMPRESS : "");
	r->uri = base.p;
	r->authorization = authorization(o, (struct bytes){ host, n_user ? n_user - 1 : 0 });
	r->unix_path = o->unix_path ? mem_str(o->unix_path) : NULL;
	r->pinned_key = o->pinned_key ? mem_str(o->pinned_key) : NULL;
	*out = r;
	return 0;
}

static void web_close(struct remote *r)
{
	if (!r)
		return;
	while (r->tries)
		stop(r->tries);
	if (r->authorization)
		explicit_bzero(r->authorization, strlen(r->authorization));
	free(r->authorization);
	free(r->uri);
	free(r->base);
	free(r->unix_path);
	free(r->pinned_key);
	free(r);
}

static struct remote_nature web_nature(const struct remote *r)
{
	return (struct remote_nature){ .is_plain = r->is_plain };
}

static const char *web_uri(const struct remote *r)
{
	return r->uri;
}

#define WEB_OPS(name, text) { \
	.scheme = name, .help = text, .needs_http = true, .open = web_open, .close = web_close, \
	.start = web_start, .cancel = web_cancel, .nature = web_nature, .uri = web_uri, \
}

const struct remote_ops remote_http = WEB_OPS("http",
	"http://HOST/PATH, the HTTP cache protocol of Bazel: nginx with WebDAV, bazel-remote; "
	"user:password@ before HOST, or GG_HTTP_USER and GG_HTTP_PASSWORD; " COMPRESS
	" at the end when only gg reads it");
const struct remote_ops remote_https = WEB_OPS("https", "https://HOST/PATH, likewise");
