/* handover.c - a message on a socket, and a descriptor with it */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "file.h"

union room {
	struct cmsghdr h;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int fd_send(int sock, const void *p, size_t n, int fd)
{
	union room u = { .bytes = { 0 } };
	struct iovec v = { (void *)p, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t sent;

	if (fd >= 0) {
		u.h = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
					.cmsg_type = SCM_RIGHTS,
					.cmsg_len = CMSG_LEN(sizeof fd) };
		memcpy(CMSG_DATA(&u.h), &fd, sizeof fd);
		m.msg_control = &u;
		m.msg_controllen = sizeof u;
	}
	do
		sent = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)n ? 0 : -1;
}

ssize_t fd_receive(int sock, void *p, size_t n, int flags, int *fd)
{
	union room u;
	struct iovec v = { p, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u,
			    .msg_controllen = sizeof u };
	ssize_t got;

	*fd = -1;
	do
		got = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | flags);
	while (got < 0 && errno == EINTR);
	if (got > 0 && m.msg_controllen >= CMSG_LEN(sizeof *fd) &&
	    u.h.cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(&u.h), sizeof *fd);
	return got;
}
