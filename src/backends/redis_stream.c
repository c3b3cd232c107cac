/* redis_stream.c - the socket to a Redis server, with TLS or without
 *
 * Debian's hiredis has no TLS; what it offers of the protocol does not care
 * where bytes come from.  Names are looked up off the thread.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "redis.h"

enum { CONNECT_MS = 5000 };

/* A look-up that outlives its stream frees itself. */
struct lookup {
	struct redis_stream *s;         /* NULL: nobody waits */
	char *host, *port;
	struct addrinfo *found;
	int rc;
};

struct redis_stream {
	struct loop *loop;
	const struct redis_place *place;
	void (*ready)(void *arg);
	void *arg;
	struct lookup *lookup;
	struct addrinfo *found, *next;
	int fd;
	struct watch *watch;
	struct timer *patience;
	SSL_CTX *tls;
	SSL *ssl;
	bool is_connected, is_shaking, wants_read, wants_write, tls_wants_write;
	enum redis_state state;
	struct err why;
};

static void breaks(struct redis_stream *s, enum err_code code, const char *what)
{
	s->state = REDIS_BROKEN;
	err_set(&s->why, code, "%s: %s", s->place->shown, what);
}

static void watch_again(struct redis_stream *s)
{
	bool begins = s->state == REDIS_CONNECTING;
	bool reads = begins || s->wants_read;
	bool writes = (begins && !s->is_connected) || s->wants_write || s->tls_wants_write;

	if (s->watch)
		watch_want(s->watch, (reads ? WATCH_READ : 0) | (writes ? WATCH_WRITE : 0));
}

static void no_more_watch(struct redis_stream *s)
{
	loop_unwatch(s->watch);
	s->watch = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* ---- TLS */

static bool begin_tls(struct redis_stream *s)
{
	const struct redis_place *p = s->place;
	bool is_number = strspn(p->host, "0123456789.") == strlen(p->host) ||
			 strchr(p->host, ':');

	s->tls = SSL_CTX_new(TLS_client_method());
	if (!s->tls)
		abort();
	SSL_CTX_set_min_proto_version(s->tls, TLS1_2_VERSION);
	SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(s->tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
			 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (p->ca_file ? SSL_CTX_load_verify_file(s->tls, p->ca_file) != 1
		       : SSL_CTX_set_default_verify_paths(s->tls) != 1) {
		breaks(s, ERR_USAGE, "the file of authorities (cacert) cannot be read");
		return false;
	}
	s->ssl = SSL_new(s->tls);
	if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1)
		abort();
	if (is_number ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s->ssl), p->host) != 1
		      : SSL_set1_host(s->ssl, p->host) != 1 ||
			SSL_set_tlsext_host_name(s->ssl, p->host) != 1) {
		breaks(s, ERR_USAGE, "its host is no name that a certificate could have");
		return false;
	}
	return true;
}

/* What an SSL call that did not go through wants: 0 later, -1 broken. */
static int tls_wants(struct redis_stream *s, int rc)
{
	int want = SSL_get_error(s->ssl, rc);

	s->tls_wants_write = want == SSL_ERROR_WANT_WRITE;
	ERR_clear_error();
	if (want == SSL_ERROR_WANT_READ || want == SSL_ERROR_WANT_WRITE)
		return 0;
	if (SSL_get_verify_result(s->ssl) != X509_V_OK)
		breaks(s, ERR_REFUSED, "the server's certificate is not trusted: name its "
		       "authority by cacert=FILE");
	else
		breaks(s, ERR_RETRY, s->is_shaking ? "no TLS connection: does the server speak "
		       "TLS on this port?" : "the connection broke");
	return -1;
}

static void shake(struct redis_stream *s)
{
	int rc;

	s->is_shaking = true;
	ERR_clear_error();
	rc = SSL_connect(s->ssl);
	if (rc == 1) {
		s->is_shaking = s->tls_wants_write = false;
		s->state = REDIS_OPEN;
	} else {
		tls_wants(s, rc);
	}
}

/* ---- connecting */

static void on_io(void *arg, unsigned ready);

/* The next address that a name has. */
static void try_next(struct redis_stream *s)
{
	no_more_watch(s);
	for (; s->next; s->next = s->next->ai_next) {
		int one = 1;

		s->fd = socket(s->next->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (s->fd < 0)
			continue;
		setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (connect(s->fd, s->next->ai_addr, s->next->ai_addrlen) == 0 ||
		    errno == EINPROGRESS) {
			s->next = s->next->ai_next;
			s->watch = loop_watch_io(s->loop, s->fd, WATCH_READ | WATCH_WRITE, on_io,
						 s);
			return;
		}
		close(s->fd);
		s->fd = -1;
	}
	breaks(s, ERR_RETRY, "nobody answers there: is the server running, and is this its port?");
}

static void connected(struct redis_stream *s)
{
	socklen_t n = sizeof(int);
	int wrong = 0;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &wrong, &n) < 0 || wrong) {
		try_next(s);
		return;
	}
	s->is_connected = true;
	if (!s->place->is_tls)
		s->state = REDIS_OPEN;
	else if (begin_tls(s))
		shake(s);
}

static void on_io(void *arg, unsigned ready)
{
	struct redis_stream *s = arg;

	if (!s->is_connected) {
		if (ready & WATCH_WRITE)
			connected(s);
	} else if (s->is_shaking) {
		shake(s);
	}
	if (s->state != REDIS_CONNECTING) {
		loop_cancel(s->patience);
		s->patience = NULL;
	}
	watch_again(s);
	if (s->state != REDIS_CONNECTING)
		s->ready(s->arg);
}

static void too_slow(void *arg)
{
	struct redis_stream *s = arg;

	s->patience = NULL;
	breaks(s, ERR_RETRY, s->is_shaking ? "no TLS connection in time: does the server speak TLS "
	       "on this port?" : "no connection in time");
	s->ready(s->arg);
}

static void look_up(void *arg)
{
	struct lookup *k = arg;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };

	k->rc = getaddrinfo(k->host, k->port, &hints, &k->found);
}

static void looked_up(void *arg)
{
	struct lookup *k = arg;
	struct redis_stream *s = k->s;

	if (s) {
		s->lookup = NULL;
		s->found = s->next = k->rc == 0 ? k->found : NULL;
	} else if (k->rc == 0) {
		freeaddrinfo(k->found);
	}
	if (s && k->rc != 0)
		breaks(s, ERR_RETRY, "no such host is known");
	else if (s)
		try_next(s);
	free(k->host);
	free(k->port);
	free(k);
	if (s && s->state == REDIS_BROKEN)
		s->ready(s->arg);
}

struct redis_stream *redis_stream_new(struct loop *l, const struct redis_place *p,
				      void (*ready)(void *arg), void *arg)
{
	struct redis_stream *s = memset(mem_alloc(sizeof *s), 0, sizeof *s);
	struct lookup *k = memset(mem_alloc(sizeof *k), 0, sizeof *k);

	s->loop = l;
	s->place = p;
	s->ready = ready;
	s->arg = arg;
	s->fd = -1;
	s->lookup = k;
	k->s = s;
	k->host = mem_str(p->host);
	k->port = mem_str(p->port);
	s->patience = loop_after(l, CONNECT_MS, too_slow, s);
	loop_work(l, look_up, looked_up, k);
	return s;
}

void redis_stream_free(struct redis_stream *s)
{
	if (!s)
		return;
	if (s->lookup)
		s->lookup->s = NULL;
	loop_cancel(s->patience);
	SSL_free(s->ssl);
	SSL_CTX_free(s->tls);
	no_more_watch(s);
	if (s->found)
		freeaddrinfo(s->found);
	free(s);
}

/* ---- bytes */

enum redis_state redis_stream_state(const struct redis_stream *s, struct err *why)
{
	if (s->state == REDIS_BROKEN)
		*why = s->why;
	return s->state;
}

void redis_stream_want(struct redis_stream *s, bool reads, bool writes)
{
	s->wants_read = reads;
	s->wants_write = writes;
	watch_again(s);
}

static ssize_t plain_end(struct redis_stream *s, ssize_t n)
{
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	breaks(s, ERR_RETRY, "the server closed the connection; if it wants TLS, write rediss://");
	return -1;
}

ssize_t redis_stream_read(struct redis_stream *s, void *p, size_t n)
{
	ssize_t got;

	if (s->ssl) {
		int rc;

		ERR_clear_error();
		rc = SSL_read(s->ssl, p, (int)n);
		return rc > 0 ? rc : tls_wants(s, rc);
	}
	got = read(s->fd, p, n);
	return got > 0 ? got : plain_end(s, got);
}

ssize_t redis_stream_write(struct redis_stream *s, const void *p, size_t n)
{
	ssize_t put;

	if (s->ssl) {
		int rc;

		ERR_clear_error();
		rc = SSL_write(s->ssl, p, (int)n);
		return rc > 0 ? rc : tls_wants(s, rc);
	}
	put = send(s->fd, p, n, MSG_NOSIGNAL);
	return put >= 0 ? put : plain_end(s, put);
}
