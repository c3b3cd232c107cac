/* http.c - requests over HTTP on the loop, through libcurl
 *
 * libcurl says which sockets it waits for and when it wants to be woken; the
 * loop does the waiting, and whatever happens is handed to libcurl in one
 * place, drive(), which then tells of what has ended.  A call is kept with its
 * easy handle; handles of ended calls are used again.
 */
#include "http.h"
#include "http_body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "curl.h"
#include "http_sockets.h"
#include "loop.h"

enum {
	PER_HOST = 64,
	CONNECT_MS = 10000,
	STALL_MS = 60000,
	DEAD_MS = 30000,
	ANSWER_MAX = 1 << 20,
	HEADERS_MAX = 256 << 10,
	SPARE_MAX = 64,                 /* idle easy handles kept */
	LARGE_BYTES = 1 << 20,
	LARGE_READ = 256 << 10,         /* at once, where much may come */
	DETAIL_MAX = 200,
};

struct http {
	struct curl_api curl;
	struct loop *loop;
	CURLM *multi;
	struct http_sockets *sockets;
	struct timer *timer;
	struct http_call *calls;
	struct http_bodies bodies;
	CURL *spares[SPARE_MAX];
	unsigned n_spares;
	char *ca_file, *proxy, *no_proxy;
	bool trusts_anyone;
	uint32_t dead_ms;
};

struct http_call {
	struct http *h;
	struct http_call *next, **at;
	CURL *easy;
	struct http_request r;
	struct http_file from, to;
	uint64_t n_sent;                /* of the body */
	struct curl_slist *headers;
	struct arena arena;             /* of the answer's headers */
	size_t n_header_bytes;
	struct buf body, late;          /* late: not yet in the file */
	struct http_answer answer;
	char *what;                     /* "GET host/path", for errors */
	struct err err;                 /* found in a call back; code 0: none */
	char detail[CURL_ERROR_SIZE];
};

/* ---- waiting, by the loop */

static void end_call(struct http_call *c, CURLcode code);

static void drive(struct http *h, curl_socket_t s, int events)
{
	int n_running, n_left;
	CURLMsg *m;

	h->curl.multi_socket_action(h->multi, s, events, &n_running);
	while ((m = h->curl.multi_info_read(h->multi, &n_left))) {
		struct http_call *c;

		if (m->msg != CURLMSG_DONE)
			continue;
		h->curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		end_call(c, m->data.result);
	}
}

static void socket_ready(void *arg, int fd, unsigned ready)
{
	drive(arg, fd, (ready & WATCH_READ ? CURL_CSELECT_IN : 0) |
	      (ready & WATCH_WRITE ? CURL_CSELECT_OUT : 0));
}

static int on_socket(CURL *easy, curl_socket_t s, int what, void *arg, void *socket)
{
	struct http *h = arg;

	(void)easy;
	(void)socket;
	http_sockets_want(h->sockets, s, (what & CURL_POLL_IN ? WATCH_READ : 0) |
			  (what & CURL_POLL_OUT ? WATCH_WRITE : 0));
	return 0;
}

static int on_open(void *arg, curl_socket_t s, curlsocktype purpose)
{
	struct http *h = arg;

	(void)purpose;
	http_sockets_keep(h->sockets, s, h->dead_ms);
	return CURL_SOCKOPT_OK;
}

static int on_close(void *arg, curl_socket_t s)
{
	struct http *h = arg;

	http_sockets_closing(h->sockets, s);
	return close(s);
}

static void timer_fired(void *arg)
{
	struct http *h = arg;

	h->timer = NULL;
	drive(h, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
	struct http *h = arg;

	(void)multi;
	loop_cancel(h->timer);
	h->timer = ms < 0 ? NULL : loop_after(h->loop, (uint64_t)ms, timer_fired, h);
	return 0;
}

/* ---- bytes out and in */

static size_t on_read(char *p, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;
	uint64_t total = c->r.from ? c->from.n_bytes : c->r.body.n;
	uint64_t left = total - c->n_sent;
	ssize_t got;

	n = n * size > left ? (size_t)left : n * size;
	if (!c->r.from) {
		memcpy(p, c->r.body.p ? c->r.body.p + c->n_sent : "", n);
		c->n_sent += n;
		return n;
	}
	do {
		got = n ? pread(c->from.fd, p, n, (off_t)(c->from.offset + c->n_sent)) : 0;
	} while (got < 0 && errno == EINTR);
	if (got < 0 || (got == 0 && n)) {
		if (got < 0)
			err_sys(&c->err, "reading what is to be sent");
		else
			err_set(&c->err, ERR_IO, "what is to be sent became shorter");
		return CURL_READFUNC_ABORT;
	}
	c->n_sent += (uint64_t)got;
	return (size_t)got;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct http_call *c = arg;

	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_FAIL;
	c->n_sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static int status_of(struct http_call *c)
{
	long status = 0;

	c->h->curl.easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

static int too_large(struct http_call *c, uint64_t max)
{
	return err_set(&c->err, ERR_REFUSED, "the answer is larger than %llu bytes",
		       (unsigned long long)max);
}

/* A large body that grew by doubling would be copied again and again. */
static void make_room(struct http_call *c, uint64_t max)
{
	curl_off_t n = -1;

	c->h->curl.easy_getinfo(c->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &n);
	if (n < LARGE_BYTES || (uint64_t)n > max)
		return;
	http_bodies_take(&c->h->bodies, (size_t)n, &c->body);
}

static int take_body(struct http_call *c, const char *p, size_t n)
{
	uint64_t max = c->r.max_bytes ? c->r.max_bytes : ANSWER_MAX;
	bool is_good = (c->r.to || c->r.piece) && status_of(c) / 100 == 2;

	if (is_good && c->r.to)
		return http_file_add(&c->to, c->answer.n_bytes, (struct bytes){ p, n }, &c->late,
				     &c->err);
	if (is_good)
		return c->r.piece(c->r.arg, (struct bytes){ p, n }) ?
			err_set(&c->err, ERR_REFUSED, "the answer was not wanted further") : 0;
	if (c->body.n + n > max)
		return too_large(c, max);
	if (!c->body.p)
		make_room(c, max);
	buf_add(&c->body, p, n);
	return 0;
}

static size_t on_write(char *p, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;

	n *= size;
	if (take_body(c, p, n) < 0)
		return n + 1;           /* any other count ends the transfer */
	c->answer.n_bytes += n;
	return n;
}

/* Each header line, those of answers that are not the last included. */
static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;
	size_t len = n *= size;

	while (len && (p[len - 1] == '\n' || p[len - 1] == '\r'))
		len--;
	if (bytes_start((struct bytes){ p, len }, "HTTP/")) {
		c->answer.headers.n = 0;
		return n;
	}
	c->n_header_bytes += n;
	if (c->n_header_bytes > HEADERS_MAX) {
		err_set(&c->err, ERR_REFUSED, "the answer's headers do not end");
		return n + 1;
	}
	if (len)
		strs_add(&c->answer.headers, arena_strn(&c->arena, p, len));
	return n;
}

/* ---- a call's end */

static void explain(struct http_call *c, CURLcode code, struct err *e)
{
	const struct curl_reason *r = curl_reason_of(code);
	const char *detail = c->detail[0] ? c->detail : c->h->curl.easy_strerror(code);

	if (code == CURLE_OUT_OF_MEMORY)
		abort();
	if (c->err.code)
		err_set(e, c->err.code, "%s: %s", c->what, c->err.text);
	else
		err_set(e, r->code, "%s: %s (%.*s)", c->what, r->text, DETAIL_MAX, detail);
}

static void measure(struct http_call *c)
{
	struct http_answer *a = &c->answer;
	const struct curl_api *api = &c->h->curl;
	long n_sent = 0;

	a->status = status_of(c);
	api->easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &n_sent);
	a->was_sent = n_sent > 0;
	api->easy_getinfo(c->easy, CURLINFO_CONNECT_TIME, &a->connect_s);
	api->easy_getinfo(c->easy, CURLINFO_STARTTRANSFER_TIME, &a->first_s);
	api->easy_getinfo(c->easy, CURLINFO_TOTAL_TIME, &a->total_s);
	a->body = buf_bytes(&c->body);
}

/* Take the call out of libcurl and of the list; it can still be told of. */
static void detach(struct http_call *c)
{
	struct http *h = c->h;

	h->curl.multi_remove_handle(h->multi, c->easy);
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	if (h->n_spares < SPARE_MAX) {
		h->curl.easy_reset(c->easy);
		h->spares[h->n_spares++] = c->easy;
	} else {
		h->curl.easy_cleanup(c->easy);
	}
	h->curl.slist_free_all(c->headers);
}

static void free_call(struct http_call *c)
{
	strs_release(&c->answer.headers);
	http_bodies_give(&c->h->bodies, &c->body);
	buf_release(&c->late);
	arena_release(&c->arena);
	free(c);
}

static void end_call(struct http_call *c, CURLcode code)
{
	struct err e;

	measure(c);
	if (code == CURLE_OK && c->late.n &&
	    http_file_end(&c->to, c->answer.n_bytes, &c->late, &c->err) < 0)
		code = CURLE_WRITE_ERROR;
	if (code != CURLE_OK)
		explain(c, code, &e);
	detach(c);
	c->r.done(c->r.arg, &c->answer, code == CURLE_OK ? NULL : &e);
	free_call(c);
}

void http_cancel(struct http_call *c)
{
	detach(c);
	free_call(c);
}

/* ---- a call's beginning */

/* METHOD host/path, without what may be secret in a URL. */
static int name_call(struct http_call *c, const char *url, struct err *e)
{
	const char *host = strstr(url, "://");
	size_t n_host, n;

	host = host ? host + 3 : "";
	n_host = strcspn(host, "/?#");
	n = strcspn(host, "?#");
	if (!n_host || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))
		return err_set(e, ERR_USAGE, "an address must begin with http:// or "
			       "https:// and a host");
	if (memchr(host, '@', n_host))
		return err_set(e, ERR_USAGE, "a user or password does not belong into the "
			       "address of %.*s", (int)(n_host - strcspn(host, "@") - 1),
			       host + strcspn(host, "@") + 1);
	c->what = arena_printf(&c->arena, "%s %.*s", c->r.method ? c->r.method : "GET",
			       (int)(n > 300 ? 300 : n), host);
	return 0;
}

static void add_headers(struct http_call *c)
{
	const struct curl_api *api = &c->h->curl;

	/* Waiting for "100 Continue" costs a second where it is not sent. */
	c->headers = api->slist_append(NULL, "Expect:");
	for (size_t i = 0; c->r.headers && c->r.headers[i]; i++)
		c->headers = api->slist_append(c->headers, c->r.headers[i]);
	if (!c->headers)
		abort();
	api->easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
}

static void set_method(struct http_call *c)
{
	const struct http_request *r = &c->r;
	const char *method = r->method ? r->method : "GET";
	uint64_t n = r->from ? c->from.n_bytes : r->body.n;
	bool sends = n || (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 &&
			   strcmp(method, "DELETE") != 0);
	const struct curl_api *api = &c->h->curl;

	if (sends) {
		api->easy_setopt(c->easy, CURLOPT_UPLOAD, 1L);
		api->easy_setopt(c->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)n);
	}
	if (strcmp(method, "HEAD") == 0)
		api->easy_setopt(c->easy, CURLOPT_NOBODY, 1L);
	api->easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_times(struct http_call *c)
{
	const struct http_request *r = &c->r;
	const struct curl_api *api = &c->h->curl;
	uint32_t stall = r->stall_ms ? r->stall_ms : STALL_MS;
	uint32_t connect = r->connect_ms ? r->connect_ms : CONNECT_MS;

	if (stall != HTTP_NEVER) {
		api->easy_setopt(c->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
		api->easy_setopt(c->easy, CURLOPT_LOW_SPEED_TIME,
				 (long)(stall / 1000 ? stall / 1000 : 1));
	}
	/* 0 would mean libcurl's own five minutes. */
	api->easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS,
			 connect == HTTP_NEVER ? (long)INT32_MAX : (long)connect);
	api->easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)r->total_ms);
}

static void set_server(struct http_call *c)
{
	const struct http *h = c->h;
	const struct curl_api *api = &h->curl;
	bool is_tls = strncmp(c->r.url, "https://", 8) == 0;

	api->easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	api->easy_setopt(c->easy, CURLOPT_REDIR_PROTOCOLS_STR, is_tls ? "https" : "http,https");
	api->easy_setopt(c->easy, CURLOPT_USERAGENT, "gg");
	api->easy_setopt(c->easy, CURLOPT_PATH_AS_IS, 1L);
	api->easy_setopt(c->easy, CURLOPT_FOLLOWLOCATION, c->r.n_redirects ? 1L : 0L);
	api->easy_setopt(c->easy, CURLOPT_MAXREDIRS, (long)c->r.n_redirects);
	api->easy_setopt(c->easy, CURLOPT_PROXY,
			 h->proxy && !http_url_is_local(c->r.url) ? h->proxy : "");
	if (h->no_proxy)
		api->easy_setopt(c->easy, CURLOPT_NOPROXY, h->no_proxy);
	if (c->r.unix_path)
		api->easy_setopt(c->easy, CURLOPT_UNIX_SOCKET_PATH, c->r.unix_path);
	/* Many requests wait for the first one's connection, which may carry
	 * all of them at once. */
	api->easy_setopt(c->easy, CURLOPT_PIPEWAIT, is_tls ? 1L : 0L);
	if (c->r.ca_file || h->ca_file)
		api->easy_setopt(c->easy, CURLOPT_CAINFO,
				 c->r.ca_file ? c->r.ca_file : h->ca_file);
	if (c->r.pinned_key)
		api->easy_setopt(c->easy, CURLOPT_PINNEDPUBLICKEY, c->r.pinned_key);
	if (h->trusts_anyone || c->r.pinned_key) {
		api->easy_setopt(c->easy, CURLOPT_SSL_VERIFYPEER, 0L);
		api->easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void set_calls_back(struct http_call *c)
{
	bool is_large = c->r.max_bytes > LARGE_BYTES || c->r.piece ||
			(c->r.to && c->to.n_bytes > LARGE_BYTES);
	const struct curl_api *api = &c->h->curl;

	api->easy_setopt(c->easy, CURLOPT_PRIVATE, c);
	if (is_large)
		api->easy_setopt(c->easy, CURLOPT_BUFFERSIZE, (long)LARGE_READ);
	api->easy_setopt(c->easy, CURLOPT_SOCKOPTFUNCTION, on_open);
	api->easy_setopt(c->easy, CURLOPT_SOCKOPTDATA, c->h);
	api->easy_setopt(c->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	api->easy_setopt(c->easy, CURLOPT_CLOSESOCKETDATA, c->h);
	api->easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
	api->easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->detail);
	api->easy_setopt(c->easy, CURLOPT_READFUNCTION, on_read);
	api->easy_setopt(c->easy, CURLOPT_READDATA, c);
	api->easy_setopt(c->easy, CURLOPT_SEEKFUNCTION, on_seek);
	api->easy_setopt(c->easy, CURLOPT_SEEKDATA, c);
	api->easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_write);
	api->easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	api->easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, on_header);
	api->easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
}

static void copy_request(struct http_call *c, const struct http_request *r)
{
	c->r = *r;
	if (r->from)
		c->from = *r->from;
	if (r->to)
		c->to = *r->to;
	c->r.method = r->method ? arena_str(&c->arena, r->method) : NULL;
}

int http_start(struct http *h, const struct http_request *r,
	       struct http_call **out, struct err *e)
{
	struct http_call *c = memset(mem_alloc(sizeof *c), 0, sizeof *c);

	c->h = h;
	copy_request(c, r);
	if (name_call(c, r->url, e) < 0) {
		free_call(c);
		return -1;
	}
	c->easy = h->n_spares ? h->spares[--h->n_spares] : h->curl.easy_init();
	if (!c->easy)
		abort();
	if (h->curl.easy_setopt(c->easy, CURLOPT_URL, r->url) != CURLE_OK)
		abort();
	set_server(c);
	set_method(c);
	set_times(c);
	set_calls_back(c);
	add_headers(c);
	c->next = h->calls;
	c->at = &h->calls;
	if (c->next)
		c->next->at = &c->next;
	h->calls = c;
	if (h->curl.multi_add_handle(h->multi, c->easy) != CURLM_OK)
		abort();
	if (out)
		*out = c;
	return 0;
}

/* ---- a client */

int http_new(const struct http_opts *o, struct http **out, struct err *e)
{
	struct http *h = memset(mem_alloc(sizeof *h), 0, sizeof *h);
	long per_host = o->n_per_host ? (long)o->n_per_host : PER_HOST;

	if (curl_api_open(&h->curl, e) < 0) {
		free(h);
		return -1;
	}
	h->loop = o->loop;
	h->ca_file = o->ca_file ? mem_str(o->ca_file) : NULL;
	h->proxy = o->proxy ? mem_str(o->proxy) : NULL;
	h->no_proxy = o->no_proxy ? mem_str(o->no_proxy) : NULL;
	h->trusts_anyone = o->trusts_anyone;
	h->dead_ms = o->dead_ms ? o->dead_ms : DEAD_MS;
	h->multi = h->curl.multi_init();
	if (!h->multi)
		abort();
	h->sockets = http_sockets_new(h->loop, socket_ready, h);
	h->curl.multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	h->curl.multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	h->curl.multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	h->curl.multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	h->curl.multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, per_host);
	h->curl.multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, 2 * per_host);
	*out = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	while (h->calls)
		http_cancel(h->calls);
	while (h->n_spares)
		h->curl.easy_cleanup(h->spares[--h->n_spares]);
	http_bodies_release(&h->bodies);
	h->curl.multi_cleanup(h->multi);
	http_sockets_free(h->sockets);
	loop_cancel(h->timer);
	curl_api_close(&h->curl);
	free(h->ca_file);
	free(h->proxy);
	free(h->no_proxy);
	free(h);
}

int http_like(const struct http *h, unsigned n_per_host, uint32_t dead_ms, struct http **out,
	      struct err *e)
{
	const struct http_opts o = { .loop = h->loop, .n_per_host = n_per_host,
				     .dead_ms = dead_ms ? dead_ms : h->dead_ms,
				     .ca_file = h->ca_file, .proxy = h->proxy,
				     .no_proxy = h->no_proxy,
				     .trusts_anyone = h->trusts_anyone };

	return http_new(&o, out, e);
}

struct loop *http_loop(const struct http *h)
{
	return h->loop;
}

const char *http_library(const struct http *h)
{
	return h->curl.path;
}
