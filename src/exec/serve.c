/* serve.c - answering HTTP on the loop, through libmicrohttpd
 *
 * The library has an epoll descriptor of its own, which the loop watches; all
 * it does happens in drive().  A call that is not answered at once is suspended:
 * then the library does not look at its socket, so a second epoll descriptor
 * tells when the peer of such a call has gone.
 */
#include "serve_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ticket.h"

enum {
	IDLE_S = 120,
	STRANGER_S = 10,                /* for the first request with a token */
	CONNECTION_BYTES = 16 << 10,    /* what the library keeps for each */
	SPARE_FDS = 128,                /* for everything else in this process */
	TURNS = 16,
	GONE_AT_ONCE = 64,
};

#define MAX_BYTES ((uint64_t)16 << 30)

static int fd_of(const struct call *c)
{
	return c->s->api.connection_info(c->connection,
					 MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static void drive_later(struct serve *s, uint64_t ms);

void serve_rest(struct call *c)
{
	struct serve *s = c->s;
	struct epoll_event ev = { .events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = c };

	c->is_waiting = true;
	c->next = s->waiting;
	c->at = &s->waiting;
	if (c->next)
		c->next->at = &c->next;
	s->waiting = c;
	s->api.suspend(c->connection);
	/* A descriptor too many shows as a peer whose going is not seen. */
	(void)!epoll_ctl(s->gone_fd, EPOLL_CTL_ADD, fd_of(c), &ev);
}

void serve_wake(struct call *c)
{
	struct serve *s = c->s;

	c->is_waiting = false;
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	(void)!epoll_ctl(s->gone_fd, EPOLL_CTL_DEL, fd_of(c), NULL);
	s->api.resume(c->connection);
	if (!s->is_running)
		drive_later(s, 0);
}

static void peers_gone(void *arg)
{
	struct serve *s = arg;
	struct epoll_event ev[GONE_AT_ONCE];
	int n = epoll_wait(s->gone_fd, ev, GONE_AT_ONCE, 0);

	/* What `gone` does may answer others of this list: they are marked first,
	 * so that their answers go nowhere. */
	for (int i = 0; i < n; i++)
		((struct call *)ev[i].data.ptr)->has_gone = true;
	for (int i = 0; i < n; i++) {
		struct call *c = ev[i].data.ptr;

		if (s->o.gone && !c->response)
			s->o.gone(s->o.arg, &c->c);
		serve_wake(c);
	}
}

/* ---- who may speak */

void serve_knows(struct peer *p)
{
	if (!p->next)
		return;
	p->prev->next = p->next;
	p->next->prev = p->prev;
	p->next = p->prev = NULL;
}

static void cut_strangers(void *arg)
{
	struct serve *s = arg;
	uint64_t now = loop_now_ms(s->o.loop);
	struct peer *p;

	s->stranger_timer = NULL;
	while ((p = s->strangers.next) != &s->strangers &&
	       now - p->since_ms >= STRANGER_S * 1000) {
		serve_knows(p);
		shutdown(p->fd, SHUT_RDWR);
	}
	if (p != &s->strangers)
		s->stranger_timer = loop_after(s->o.loop, p->since_ms + STRANGER_S * 1000 - now + 1,
					       cut_strangers, s);
}

static void on_connection(void *arg, struct MHD_Connection *c, void **own,
			  enum MHD_ConnectionNotificationCode code)
{
	struct serve *s = arg;
	struct peer *p = *own;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (p)
			serve_knows(p);
		free(p);
		return;
	}
	p = mem_alloc(sizeof *p);
	*p = (struct peer){ .next = &s->strangers, .prev = s->strangers.prev,
			    .since_ms = loop_now_ms(s->o.loop) };
	p->fd = s->api.connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	p->prev->next = p->next->prev = p;
	*own = p;
	if (!s->stranger_timer)
		s->stranger_timer = loop_after(s->o.loop, STRANGER_S * 1000, cut_strangers, s);
}

/* ---- the loop */

static void drive(struct serve *s);

static void on_time(void *arg)
{
	struct serve *s = arg;

	s->timer = NULL;
	drive(s);
}

/* At the latest so many ms from now; a timer that comes sooner is left. */
static void drive_later(struct serve *s, uint64_t ms)
{
	uint64_t at = loop_now_ms(s->o.loop) + ms;

	if (s->timer && s->timer_at_ms <= at)
		return;
	loop_cancel(s->timer);
	s->timer_at_ms = at;
	s->timer = loop_after(s->o.loop, ms, on_time, s);
}

static void drive(struct serve *s)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;
	enum MHD_Result waits = MHD_YES;

	s->is_running = true;
	for (int i = 0; i < TURNS && waits == MHD_YES && ms == 0; i++) {
		s->api.run(s->daemon);
		waits = s->api.timeout(s->daemon, &ms);
	}
	s->is_running = false;
	if (waits == MHD_YES)
		drive_later(s, ms);
}

static void on_ready(void *arg)
{
	drive(arg);
}

/* ---- opening and closing */

/* As many connections as this process may have descriptors. */
static unsigned connection_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return 512;
	if (r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) < 0 && getrlimit(RLIMIT_NOFILE, &r) < 0)
			return 512;
	}
	return r.rlim_cur > 2 * SPARE_FDS ? (unsigned)(r.rlim_cur - SPARE_FDS) : SPARE_FDS;
}

static struct MHD_Daemon *start_daemon(struct serve *s, bool is_tls)
{
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, s->certificate.key.p },
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, s->certificate.certificate.p },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0,
		  "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (is_tls ? MHD_USE_TLS : 0);

	return s->api.start(flags, 0, NULL, NULL, serve_on_request, s,
			    MHD_OPTION_LISTEN_SOCKET, s->listener.fd,
			    MHD_OPTION_CONNECTION_LIMIT, connection_limit(),
			    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
			    MHD_OPTION_CONNECTION_TIMEOUT, s->o.idle_s,
			    MHD_OPTION_URI_LOG_CALLBACK, serve_on_address, s,
			    MHD_OPTION_NOTIFY_COMPLETED, serve_on_completed, s,
			    MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
			    MHD_OPTION_ARRAY, is_tls ? tls : tls + 3,
			    MHD_OPTION_END);
}

static void set_defaults(struct serve *s, const struct serve_opts *o)
{
	s->o = *o;
	s->o.token = mem_str(o->is_open ? "" : o->token);
	s->o.spool_dir = o->spool_dir ? mem_str(o->spool_dir) : NULL;
	s->o.memory_bytes = o->memory_bytes ? o->memory_bytes : SERVE_MEMORY_BYTES;
	s->o.max_bytes = o->max_bytes ? o->max_bytes : MAX_BYTES;
	s->o.idle_s = o->idle_s ? o->idle_s : IDLE_S;
	s->strangers.next = s->strangers.prev = &s->strangers;
	s->gone_fd = s->listener.fd = -1;
}

static int open_all(struct serve *s, struct err *e)
{
	bool is_tls = !s->o.unix_path && !s->o.is_open;

	if (httpd_api_open(&s->api, e) < 0 ||
	    listener_open(s->o.unix_path, s->o.address, &s->listener, e) < 0 ||
	    (is_tls && certificate_make(&s->certificate, e) < 0))
		return -1;
	s->gone_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->gone_fd < 0)
		return err_sys(e, "serving workers");
	s->daemon = start_daemon(s, is_tls);
	s->listener.fd = -1;            /* it is the library's now */
	if (!s->daemon)
		return err_set(e, ERR_IO, "cannot serve at %s: libmicrohttpd does not start%s",
			       s->o.unix_path ? s->o.unix_path : s->o.address,
			       is_tls ? " (has it TLS?)" : "");
	return 0;
}

int serve_open(const struct serve_opts *o, struct serve **out, struct err *e)
{
	struct serve *s = memset(mem_alloc(sizeof *s), 0, sizeof *s);

	set_defaults(s, o);
	if (open_all(s, e) < 0) {
		serve_close(s);
		return -1;
	}
	s->watch = loop_watch(s->o.loop,
			      s->api.daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
			      on_ready, s);
	s->gone_watch = loop_watch(s->o.loop, s->gone_fd, peers_gone, s);
	drive(s);
	*out = s;
	return 0;
}

void serve_close(struct serve *s)
{
	if (!s)
		return;
	s->is_closing = true;
	if (s->watch)
		drive(s);               /* answers that were given are sent */
	s->is_running = true;
	if (s->watch)
		loop_unwatch(s->watch);
	if (s->gone_watch)
		loop_unwatch(s->gone_watch);
	while (s->waiting)
		serve_wake(s->waiting);
	if (s->daemon)
		s->api.stop(s->daemon);
	loop_cancel(s->timer);
	loop_cancel(s->stranger_timer);
	if (s->gone_fd >= 0)
		close(s->gone_fd);
	listener_close(&s->listener);
	certificate_release(&s->certificate);
	serve_free_spares(s);
	explicit_bzero((char *)s->o.token, strlen(s->o.token));
	free((char *)s->o.token);
	free((char *)s->o.spool_dir);
	free(s);
}

void serve_ticket(const struct serve *s, struct ticket *out)
{
	snprintf(out->url, sizeof out->url, "%s", s->listener.url);
	snprintf(out->token, sizeof out->token, "%s", s->o.token);
	snprintf(out->key, sizeof out->key, "%s", s->certificate.pin);
}

unsigned serve_connections(const struct serve *s)
{
	return s->api.daemon_info(s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}
