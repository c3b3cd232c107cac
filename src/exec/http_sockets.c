/* http_sockets.c - what libcurl's sockets wait for
 *
 * libcurl forgets and names a connection's socket with each request.  To tell
 * the kernel each time costs more than to be woken once in vain: what is no
 * longer wanted is only taken back when it happens.
 */
#include "http_sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct sock {
	struct http_sockets *s;
	int fd;
	struct watch *watch;
	unsigned wanted, watched;
	bool is_kept;
};

struct http_sockets {
	struct loop *loop;
	void (*ready)(void *arg, int fd, unsigned ready);
	void *arg;
	struct sock **v;                /* by descriptor */
	size_t n;
};

static struct sock *sock_of(struct http_sockets *s, int fd)
{
	size_t n = s->n;

	if ((size_t)fd >= n) {
		s->n = (size_t)fd + 64;
		s->v = mem_grow(s->v, s->n * sizeof *s->v);
		memset(s->v + n, 0, (s->n - n) * sizeof *s->v);
	}
	if (!s->v[fd]) {
		s->v[fd] = memset(mem_alloc(sizeof **s->v), 0, sizeof **s->v);
		s->v[fd]->s = s;
		s->v[fd]->fd = fd;
	}
	return s->v[fd];
}

static void is_ready(void *arg, unsigned ready)
{
	struct sock *k = arg;

	ready &= k->wanted;
	if (ready) {
		k->s->ready(k->s->arg, k->fd, ready);
		return;
	}
	k->watched = k->wanted;
	watch_want(k->watch, k->wanted);
}

void http_sockets_closing(struct http_sockets *s, int fd)
{
	if ((size_t)fd >= s->n || !s->v[fd])
		return;
	loop_unwatch(s->v[fd]->watch);
	free(s->v[fd]);
	s->v[fd] = NULL;
}

/* Who waits for an answer sends nothing, so that only probes show that nobody is
 * there any more.  What is no TCP is on this machine, and tells by itself. */
static void guard(int fd, uint32_t dead_ms)
{
	int on = 1, probes = 4, quiet_s = (int)(dead_ms / 3000), between_s = (int)(dead_ms / 6000);

	quiet_s = quiet_s ? quiet_s : 1;
	between_s = between_s ? between_s : 1;
	if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &quiet_s, sizeof quiet_s) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between_s, sizeof between_s) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof dead_ms);
}

void http_sockets_keep(struct http_sockets *s, int fd, uint32_t dead_ms)
{
	/* One that was closed unsaid may have had its number. */
	http_sockets_closing(s, fd);
	sock_of(s, fd)->is_kept = true;
	guard(fd, dead_ms);
}

/* libcurl closes a socket that has not come to be connected without saying so. */
static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

void http_sockets_want(struct http_sockets *s, int fd, unsigned events)
{
	struct sock *k = sock_of(s, fd);

	if (!events && (!k->is_kept || !is_open(fd))) {
		http_sockets_closing(s, fd);
		return;
	}
	k->wanted = events;
	if (!k->watch) {
		k->watched = events;
		k->watch = loop_watch_io(s->loop, fd, events, is_ready, k);
	} else if (events & ~k->watched) {
		k->watched = events;
		watch_want(k->watch, events);
	}
	watch_holds(k->watch, events != 0);
}

struct http_sockets *http_sockets_new(struct loop *l,
				      void (*ready)(void *arg, int fd, unsigned ready), void *arg)
{
	struct http_sockets *s = memset(mem_alloc(sizeof *s), 0, sizeof *s);

	s->loop = l;
	s->ready = ready;
	s->arg = arg;
	return s;
}

void http_sockets_free(struct http_sockets *s)
{
	if (!s)
		return;
	for (size_t fd = 0; fd < s->n; fd++)
		http_sockets_closing(s, (int)fd);
	free(s->v);
	free(s);
}
