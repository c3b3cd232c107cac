/* listen.c - a socket to be found at, by path or by address */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

/* ---- by path */

static bool is_alive(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof *at) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

/* Made with no right for others from its first moment. */
static int bind_path(int fd, const struct sockaddr_un *at)
{
	mode_t old = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)at, sizeof *at);

	umask(old);
	return rc;
}

static int open_path(const char *path, struct listener *l, struct err *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof at.sun_path || *path != '/')
		return err_set(e, ERR_USAGE, "%s: a socket's path must be absolute and shorter "
			       "than %zu bytes", path, sizeof at.sun_path);
	strcpy(at.sun_path, path);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return err_sys(e, "socket");
	if (bind_path(l->fd, &at) < 0) {
		if (errno != EADDRINUSE)
			return err_sys(e, "cannot listen at %s", path);
		if (is_alive(&at))
			return err_set(e, ERR_REFUSED, "%s: another process listens there: name "
				       "another path", path);
		unlink(path);
		if (bind_path(l->fd, &at) < 0)
			return err_sys(e, "cannot listen at %s", path);
	}
	l->unix_path = mem_str(path);
	snprintf(l->url, sizeof l->url, "unix:%s", path);
	return listen(l->fd, BACKLOG) < 0 ? err_sys(e, "cannot listen at %s", path) : 0;
}

/* ---- by address */

/* "HOST:PORT" or "[HOST]:PORT". */
static int split(const char *address, char *host, size_t room, const char **port,
		 struct err *e)
{
	const char *colon = strrchr(address, ':');
	size_t n = colon ? (size_t)(colon - address) : 0;
	bool is_bracketed = n > 2 && address[0] == '[' && address[n - 1] == ']';

	if (!n || n >= room || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strtoul(colon + 1, NULL, 10) > 65535 ||
	    (!is_bracketed && memchr(address, ':', n)))
		return err_set(e, ERR_USAGE, "%s is no address to listen at: say HOST:PORT, such "
			       "as 127.0.0.1:0 or [::1]:0", address);
	snprintf(host, room, "%.*s", (int)(is_bracketed ? n - 2 : n), address + is_bracketed);
	*port = colon + 1;
	return 0;
}

static bool is_anywhere(const struct sockaddr_storage *at)
{
	if (at->ss_family == AF_INET)
		return ((const struct sockaddr_in *)at)->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)at)->sin6_addr);
}

/* Where it is found: with its port, by the machine's name if it listens
 * everywhere. */
static int name_place(struct listener *l, struct err *e)
{
	struct sockaddr_storage at;
	socklen_t n = sizeof at;
	char host[128], port[16];

	if (getsockname(l->fd, (struct sockaddr *)&at, &n) < 0 ||
	    getnameinfo((struct sockaddr *)&at, n, host, sizeof host, port, sizeof port,
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return err_sys(e, "where a socket listens");
	if (is_anywhere(&at)) {
		if (gethostname(host, sizeof host) < 0)
			return err_sys(e, "the name of this machine");
		host[sizeof host - 1] = 0;
		snprintf(l->url, sizeof l->url, "https://%s:%s", host, port);
		return 0;
	}
	snprintf(l->url, sizeof l->url, at.ss_family == AF_INET6 ? "https://[%s]:%s" :
		 "https://%s:%s", host, port);
	return 0;
}

static int open_address(const char *address, struct listener *l, struct err *e)
{
	struct addrinfo want = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
				 .ai_socktype = SOCK_STREAM }, *found = NULL;
	char host[128];
	const char *port = "";
	int rc, one = 1;

	if (split(address, host, sizeof host, &port, e) < 0)
		return -1;
	rc = getaddrinfo(host, port, &want, &found);
	if (rc != 0)
		return err_set(e, ERR_USAGE, "cannot listen at %s: %s", address, gai_strerror(rc));
	l->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = l->fd < 0 ? -1 : 0;
	if (rc == 0) {
		setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		rc = bind(l->fd, found->ai_addr, found->ai_addrlen);
	}
	if (rc == 0)
		rc = listen(l->fd, BACKLOG);
	freeaddrinfo(found);
	if (rc < 0)
		return err_sys(e, "cannot listen at %s", address);
	return name_place(l, e);
}

int listener_open(const char *unix_path, const char *address, struct listener *out,
		  struct err *e)
{
	int rc;

	*out = (struct listener){ .fd = -1 };
	rc = unix_path ? open_path(unix_path, out, e) : open_address(address, out, e);
	if (rc < 0)
		listener_close(out);
	return rc;
}

void listener_close(struct listener *l)
{
	if (l->unix_path)
		unlink(l->unix_path);
	free(l->unix_path);
	if (l->fd >= 0)
		close(l->fd);
	*l = (struct listener){ .fd = -1 };
}
