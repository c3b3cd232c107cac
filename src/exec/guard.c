/* guard.c - a watched program: started under the tracer's filter, answered here
 *
 * Each look-up waits until the cell has judged it (asks.c).  The execve itself
 * is one of them, so that such a program is forked and not started as by vfork,
 * and sends the filter's listener over a socket first.
 */
#include "inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "file.h"
#include "guard.h"

/* Newer than the headers of Debian 12; Linux 6.6. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* ---- the program's start */

int guard_open(struct cell *c, struct err *e)
{
	struct guard *g = c->guard;
	int pair[2];

	if (!g) {
		g = c->guard = mem_alloc(sizeof *g);
		*g = (struct guard){ .c = c };
	}
	g->sock = g->theirs = g->listener = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "a socket to a watched program");
	g->sock = pair[0];
	g->theirs = pair[1];
	return 0;
}

/* Say how far the child has come: 0 with the listener, else errno.  Where nobody
 * is left to hear it this process is about to be killed. */
static void tell(int sock, int errnum, int fd)
{
	fd_send(sock, &errnum, sizeof errnum, fd);
}

/* 1 and what the child told, 0 when it has told nothing. */
static int hear(struct guard *g, int flags, int *errnum, int *fd)
{
	return fd_receive(g->sock, errnum, sizeof *errnum, flags, fd) == sizeof *errnum;
}

int guard_enter(struct guard *g)
{
	int fd = filter_install(false, 0), errnum = fd < 0 ? errno : 0;

	tell(g->theirs, errnum, fd);
	return errnum;
}

void guard_fail(struct guard *g, int errnum)
{
	tell(g->theirs, errnum, -1);
}

int guard_meet(struct guard *g, struct err *e)
{
	int errnum = EIO;

	close(g->theirs);
	g->theirs = -1;
	if (!hear(g, 0, &errnum, &g->listener) || errnum || g->listener < 0)
		return err_set(e, ERR_REFUSED, "this step is watched, since its model was "
			       "learned, and cannot be here: %s%s", strerror(errnum),
			       errnum == EBUSY ? " (another gg watches this one: force "
			       "it outside of gg infer)" : "");
	/* Refused before Linux 6.6, which then wakes as it always did. */
	ioctl(g->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
	      SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	return 0;
}

int guard_errno(struct guard *g)
{
	int errnum, fd;

	return hear(g, MSG_DONTWAIT, &errnum, &fd) ? errnum : 0;
}

int guard_fd(const struct guard *g)
{
	return g ? g->listener : -1;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}


/* ---- its calls */

/* Nobody can be told any more what the program may do. */
static bool break_off(struct guard *g)
{
	struct cell *c = g->c;

	c->report.status = RUN_CELL_FAILED;
	c->report.text = arena_printf(&c->arena, "watching it: %s", strerror(errno));
	return false;
}

bool guard_serve(struct guard *g)
{
	struct call *k = &g->call;
	bool may;

	memset(&k->q, 0, sizeof k->q);  /* or the kernel refuses */
	if (ioctl(g->listener, SECCOMP_IOCTL_NOTIF_RECV, &k->q) < 0) {
		/* ENOENT: the asker has died. */
		return errno == EINTR || errno == ENOENT || break_off(g);
	}
	call_read(k, false);
	may = !k->has_event || asks_may_go(g, &k->ev);
	arena_reset(&g->scratch);
	/* What was read may be of another process, if the asker has died. */
	if (!may && !call_waits(g->listener, k)) {
		g->c->report.status = RUN_OK;
		g->c->report.undeclared = g->c->report.text = NULL;
		may = true;
	}
	return may && (call_go(g->listener, k) == 0 || break_off(g));
}

void guard_close(struct guard *g)
{
	if (!g)
		return;
	close_fd(&g->sock);
	close_fd(&g->theirs);
	close_fd(&g->listener);
	decoys_hide(g);
}

void guard_free(struct guard *g)
{
	if (!g)
		return;
	arena_release(&g->scratch);
	free(g);
}
