/* lambda_account.c - signed requests to the API of AWS Lambda */
#include "lambda_account.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "aws.h"
#include "id.h"

struct lambda_account {
	struct http *http;
	struct aws *aws;
	struct sigv4 sigv4;
	const char *endpoint;           /* scheme://host[:port][/path] */
	const char *host, *base;        /* of it; base: "" or "/path" */
	struct arena arena;
};

struct lambda_call {
	struct lambda_account *a;
	struct lambda_request r;
	struct http_call *http;         /* NULL: waits for keys */
	struct aws_wait wait;
	const char *path;               /* as it is sent */
	char hash[ID_HEX + 1];
	unsigned keys_version;
	bool was_repeated;
	struct arena arena;
};

/* ---- where, and who */

static const char *setting(const struct lambda_account_opts *o, const char *name)
{
	const char *s = o->setting ? o->setting(o->setting_arg, name) : NULL;

	return s && *s ? s : NULL;
}

static int set_endpoint(struct lambda_account *a, const char *url, struct err *e)
{
	size_t n = strlen(url), n_host;
	const char *host = strstr(url, "://");

	if (!host || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) ||
	    strpbrk(url, "?# ") || !aws_is_plain(url))
		return err_set(e, ERR_USAGE, "the endpoint must be http://HOST[:PORT] or "
			       "https://HOST[:PORT]");
	while (n && url[n - 1] == '/')
		n--;
	a->endpoint = arena_strn(&a->arena, url, n);
	host = strstr(a->endpoint, "://") + 3;
	n_host = strcspn(host, "/");
	a->host = arena_strn(&a->arena, host, n_host);
	a->base = host + n_host;
	return *a->host ? 0 : err_set(e, ERR_USAGE, "the endpoint names no host");
}

static int find_place(struct lambda_account *a, const struct lambda_account_opts *o,
		      struct err *e)
{
	const char *region = o->region, *url = o->endpoint;

	if (!region)
		region = aws_region(a->aws);
	if (!url)
		url = setting(o, "AWS_ENDPOINT_URL_LAMBDA");
	if (!url)
		url = setting(o, "AWS_ENDPOINT_URL");
	if (!region && !url)
		return err_set(e, ERR_MISSING, "no region is known: name one, or set "
			       "AWS_REGION");
	if (region && !aws_is_plain(region))
		return err_set(e, ERR_USAGE, "that is no name of a region");
	region = arena_str(&a->arena, region ? region : "us-east-1");
	a->sigv4 = (struct sigv4){ .region = region, .service = "lambda",
				   .flags = SIGV4_OF_OTHERS };
	if (!url)
		url = arena_printf(&a->arena, "https://lambda.%s.amazonaws.com%s", region,
				   strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
	return set_endpoint(a, url, e);
}

int lambda_account_open(const struct lambda_account_opts *o, struct lambda_account **out,
			struct err *e)
{
	struct lambda_account *a = memset(mem_alloc(sizeof *a), 0, sizeof *a);
	const struct aws_opts ao = { .http = o->http, .setting = o->setting,
				     .setting_arg = o->setting_arg, .profile = o->profile };

	a->http = o->http;
	if (aws_open(&ao, &a->aws, e) < 0 || find_place(a, o, e) < 0) {
		lambda_account_close(a);
		return -1;
	}
	*out = a;
	return 0;
}

void lambda_account_close(struct lambda_account *a)
{
	if (!a)
		return;
	if (a->aws)
		aws_close(a->aws);
	arena_release(&a->arena);
	free(a);
}

const char *lambda_account_region(const struct lambda_account *a)
{
	return a->sigv4.region;
}

struct loop *lambda_account_loop(const struct lambda_account *a)
{
	return http_loop(a->http);
}

void lambda_account_http(struct lambda_account *a, struct http *h)
{
	a->http = h;
}

bool lambda_account_is_local(const struct lambda_account *a)
{
	const char *end = *a->host == '[' ? strchr(a->host, ']') : NULL;
	size_t n = end ? (size_t)(end - a->host) + 1 : strcspn(a->host, ":");

	return http_host_is_local((struct bytes){ a->host, n });
}

/* ---- a request */

static void free_call(struct lambda_call *c)
{
	arena_release(&c->arena);
	free(c);
}

static void end_call(struct lambda_call *c, const struct http_answer *h, const struct err *e)
{
	c->r.done(c->r.arg, h, e);
	free_call(c);
}

static int send(struct lambda_call *c, const struct aws_keys *k, struct err *e);

/* The words of an error that other keys, or a look at the clock, may mend. */
static bool can_be_helped(struct lambda_call *c, const struct http_answer *h)
{
	const char *date = http_header(h, "Date");

	if (h->status != 403 || c->was_repeated)
		return false;
	return (date && sigv4_learn_clock(&c->a->sigv4, date, (int64_t)time(NULL))) ||
		aws_renew(c->a->aws, c->keys_version);
}

static void on_keys(struct aws_wait *w, const struct err *e);

/* Send now, or once there are keys. */
static int proceed(struct lambda_call *c, struct err *e)
{
	const struct aws_keys *k = aws_keys(c->a->aws);

	if (k)
		return send(c, k, e);
	c->http = NULL;
	c->wait = (struct aws_wait){ .done = on_keys, .arg = c };
	aws_wait(c->a->aws, &c->wait);
	return 0;
}

static void on_keys(struct aws_wait *w, const struct err *e)
{
	const struct http_answer none = { .body = { "", 0 } };
	struct lambda_call *c = w->arg;
	struct err why;

	if (e)
		end_call(c, &none, e);
	else if (proceed(c, &why) < 0)
		end_call(c, &none, &why);
}

static void on_answer(void *arg, const struct http_answer *h, const struct err *e)
{
	struct lambda_call *c = arg;
	struct err why;

	c->http = NULL;
	if (e || !can_be_helped(c, h)) {
		end_call(c, h, e);
		return;
	}
	c->was_repeated = true;
	if (proceed(c, &why) < 0)
		end_call(c, h, &why);
}

static int send(struct lambda_call *c, const struct aws_keys *k, struct err *e)
{
	struct lambda_account *a = c->a;
	struct arena scratch = { 0 };
	const struct sigv4_request q = {
		.method = c->r.method, .host = a->host, .path = c->path, .query = c->r.query,
		.headers = c->r.headers, .payload = c->r.body.n ? c->hash : NULL,
		.now_s = (int64_t)time(NULL),
	};
	struct http_request h = {
		.method = c->r.method, .body = c->r.body, .max_bytes = c->r.max_bytes,
		.total_ms = c->r.total_ms, .stall_ms = HTTP_NEVER,
		.ca_file = aws_ca_file(a->aws), .done = on_answer, .arg = c,
	};
	struct strs headers = { 0 };
	size_t n_scheme = strcspn(a->endpoint, ":") + 3;
	int rc;

	for (size_t i = 0; c->r.headers && c->r.headers[i]; i++)
		strs_add(&headers, c->r.headers[i]);
	c->keys_version = aws_version(a->aws);
	sigv4_sign(&a->sigv4, k, &q, &scratch, &headers);
	h.headers = headers.v;
	h.url = arena_printf(&scratch, "%.*s%s%s%s%s", (int)n_scheme, a->endpoint, a->host,
			     c->path, c->r.query ? "?" : "", c->r.query ? c->r.query : "");
	rc = http_start(a->http, &h, &c->http, e);
	strs_release(&headers);
	arena_release(&scratch);
	return rc;
}

static const char *path_of(struct lambda_call *c)
{
	struct buf name = { 0 };
	const char *path;

	if (c->r.function)
		sigv4_encode(bytes_str(c->r.function), false, &name);
	path = arena_printf(&c->arena, "%s" LAMBDA_API "%s%s%s", c->a->base, name.n ? "/" : "",
			    name.n ? name.p : "", c->r.tail ? c->r.tail : "");
	buf_release(&name);
	return path;
}

static const char *const *copy_headers(struct arena *a, const char *const *from)
{
	size_t n = 0;
	const char **v;

	while (from && from[n])
		n++;
	v = arena_alloc(a, (n + 1) * sizeof *v);
	for (size_t i = 0; i < n; i++)
		v[i] = arena_str(a, from[i]);
	return v;
}

int lambda_call_start(struct lambda_account *a, const struct lambda_request *r,
		      struct lambda_call **out, struct err *e)
{
	struct lambda_call *c = memset(mem_alloc(sizeof *c), 0, sizeof *c);
	struct id id = id_of(r->body);

	c->a = a;
	c->r = *r;
	c->r.method = arena_str(&c->arena, r->method);
	c->r.query = r->query ? arena_str(&c->arena, r->query) : NULL;
	c->r.headers = copy_headers(&c->arena, r->headers);
	memcpy(c->hash, id_hex(&id).s, sizeof c->hash);
	c->path = path_of(c);
	if (proceed(c, e) < 0) {
		free_call(c);
		return -1;
	}
	*out = c;
	return 0;
}

void lambda_call_cancel(struct lambda_call *c)
{
	if (c->http)
		http_cancel(c->http);
	else
		aws_unwait(c->a->aws, &c->wait);
	free_call(c);
}
