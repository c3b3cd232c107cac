/* fetch.c - a request for those who can wait for its answer, and headers of answers */
#include <string.h>
#include <strings.h>
#include "http.h"
#include "loop.h"

struct fetch {
	struct arena *a;
	struct http_answer *out;
	struct err *e;
	const struct http_request *r;
	bool is_done, has_failed;
};

static void fetched(void *arg, const struct http_answer *answer, const struct err *e)
{
	struct fetch *f = arg;
	struct strs headers = { 0 };

	*f->out = *answer;
	f->out->body = arena_bytes(f->a, answer->body);
	headers.v = arena_alloc(f->a, (answer->headers.n + 1) * sizeof *headers.v);
	for (; headers.n < answer->headers.n; headers.n++)
		headers.v[headers.n] = arena_str(f->a, answer->headers.v[headers.n]);
	f->out->headers = headers;
	f->has_failed = e != NULL;
	if (e)
		*f->e = *e;
	f->is_done = true;
}

static int piece(void *arg, struct bytes b)
{
	struct fetch *f = arg;

	return f->r->piece(f->r->arg, b);
}

int http_fetch(struct http *h, const struct http_request *r, struct arena *a,
	       struct http_answer *out, struct err *e)
{
	struct fetch f = { .a = a, .out = out, .e = e, .r = r };
	struct http_request mine = *r;

	mine.done = fetched;
	mine.arg = &f;
	mine.piece = r->piece ? piece : NULL;
	if (http_start(h, &mine, NULL, e) < 0)
		return -1;
	loop_run(http_loop(h), &f.is_done);
	return f.has_failed ? -1 : 0;
}

const char *http_header(const struct http_answer *a, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = a->headers.n; i-- > 0;) {
		const char *s = a->headers.v[i];

		if (strncasecmp(s, name, n) == 0 && s[n] == ':')
			return s + n + 1 + strspn(s + n + 1, " \t");
	}
	return NULL;
}

bool http_host_is_local(struct bytes host)
{
	static const char *const names[] = { "localhost", "::1", "[::1]" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (bytes_equal(host, bytes_str(names[i])))
			return true;
	for (size_t i = 0; i < host.n; i++)
		if (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9'))
			return false;
	return bytes_start(host, "127.");
}

bool http_url_is_local(const char *url)
{
	const char *host = strstr(url, "://");
	const char *bracket;

	host = host ? host + 3 : url;
	bracket = *host == '[' ? strchr(host, ']') : NULL;
	return http_host_is_local((struct bytes){
		host, bracket ? (size_t)(bracket + 1 - host) : strcspn(host, ":/?#") });
}
