/* held.c - redirected files that several commands may write
 *
 * In `{ train; echo done; } >log` the shell writes log after train does, and
 * nothing tells it from `train >log` when train starts.  So the file that was
 * opened is kept under another name while a placeholder stands in its place.
 * If somebody has written to it by the time that anyone asks, then the value
 * of the thunk belongs before that: both are put together, in the very file
 * that the shell still has open, and the offset is moved behind them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "file.h"
#include "session_private.h"

struct held {
	struct held *next;
	dev_t dev;
	ino_t ino;
	pid_t writer;                   /* has it open as fd */
	int fd;
	char *path, *kept;              /* plain; absolute */
	struct placeholder ph;
};

static void held_free(struct session *s, struct held *h)
{
	struct held **p = &s->held;

	while (*p && *p != h)
		p = &(*p)->next;
	if (*p)
		*p = h->next;
	unlink(h->kept);
	free(h->path);
	free(h->kept);
	free((char *)h->ph.out);
	free(h);
}

static bool stat_stream(pid_t pid, int fd, struct stat *st)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
	return stat(path, st) == 0;
}

struct held *held_find(struct session *s, pid_t pid, int fd)
{
	struct stat st;

	if (!s->held || !stat_stream(pid, fd, &st))
		return NULL;
	for (struct held *h = s->held; h; h = h->next)
		if (h->ino == st.st_ino && h->dev == st.st_dev)
			return h;
	return NULL;
}

/* The one that stands at path, if others have written it since. */
struct held *held_at(struct session *s, const char *path)
{
	struct stat st;

	for (struct held *h = s->held; h; h = h->next)
		if (strcmp(h->path, path) == 0 && stat(h->kept, &st) == 0 &&
		    st.st_size > 0)
			return h;
	return NULL;
}

const struct placeholder *held_placeholder(const struct held *h)
{
	return &h->ph;
}

struct held *held_keep(struct session *s, pid_t pid, int fd, const char *path)
{
	const char *inside = watch_inside(s, &s->arena, path);
	struct held *h;
	struct stat st;
	pid_t parent = stream_parent(pid);

	if (!inside || !stat_stream(pid, fd, &st))
		return NULL;
	h = mem_alloc(sizeof *h);
	*h = (struct held){ .dev = st.st_dev, .ino = st.st_ino, .writer = parent,
			    .fd = fd, .path = mem_str(inside) };
	h->kept = mem_str(arena_printf(&s->arena, "%s/work/held-%d-%lu",
				       s->o.project->store_dir, (int)getpid(),
				       (unsigned long)st.st_ino));
	if (link(path, h->kept) < 0) {
		held_free(s, h);
		return NULL;
	}
	h->next = s->held;
	s->held = h;
	return h;
}

void held_decide(struct session *s, struct held *h, bool is_deferred)
{
	struct ref_record r;
	struct err e;

	if (!h)
		return;
	if (!is_deferred || ref_get(s->o.store, h->path, &s->arena, &r, &e) < 0) {
		held_free(s, h);
		return;
	}
	h->ph.thunk = r.thunk;
	h->ph.out = mem_str(r.out);
}

static int value_of(struct session *s, const struct held *h, struct bytes *out,
		    struct err *e)
{
	struct result r;
	const struct ref *ref;

	if (store_get_result(s->o.store, &h->ph.thunk, &s->arena, &r, e) < 0)
		return -1;
	ref = result_output(&r, h->ph.out);
	if (!ref || ref->kind == REF_THUNK)
		return err_set(e, ERR_MISSING, "%s is not known yet", h->path);
	return store_get(s->o.store, &ref->id, &s->arena, out, e);
}

bool held_is_known(struct session *s, const struct held *h)
{
	struct bytes b;
	struct err e;

	return value_of(s, h, &b, &e) == 0;
}

/* The shell goes on writing behind what is there now. */
static void move_offset(const struct held *h, off_t to)
{
	int pidfd = (int)syscall(SYS_pidfd_open, h->writer, 0);
	struct stat st = { .st_dev = h->dev, .st_ino = h->ino };
	int theirs = pidfd < 0 ? -1 : stream_fd_of(h->writer, &st, h->fd);
	int fd = theirs < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, theirs, 0);

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == h->ino)
		lseek(fd, to, SEEK_SET);
	if (fd >= 0)
		close(fd);
	if (pidfd >= 0)
		close(pidfd);
}

int held_settle(struct session *s, struct held *h, struct err *e)
{
	char *path = arena_printf(&s->arena, "%s/%s", s->o.project->root, h->path);
	struct bytes value, rest;
	int fd = -1, rc = -1;

	if (value_of(s, h, &value, e) < 0 ||
	    file_read(AT_FDCWD, h->kept, SIZE_MAX, &s->arena, &rest, e) < 0)
		return -1;
	fd = open(h->kept, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || file_write_fd(fd, value.p, value.n) < 0 ||
	    file_write_fd(fd, rest.p, rest.n) < 0 || rename(h->kept, path) < 0)
		err_sys(e, "cannot write %s", path);
	else
		rc = 0;
	if (fd >= 0)
		close(fd);
	if (rc == 0) {
		move_offset(h, (off_t)(value.n + rest.n));
		memo_touch(s->o.memo, path, MEMO_WRITE);
		rc = ref_delete(s->o.store, h->path, e);
	}
	held_free(s, h);
	return rc;
}

enum trace_answer held_before(struct session *s, struct ask *k, int *status)
{
	for (int fd = 1; fd < 3; fd++) {
		struct held *h = held_find(s, k->pid, fd);
		struct err e;

		if (!h)
			continue;
		if (!held_is_known(s, h))
			return ask_force(s, k, NULL, held_placeholder(h), status);
		if (held_settle(s, h, &e) < 0)
			s->o.complain(s->o.arg, &e);
	}
	return TRACE_GO;
}

struct making {
	bool has_ended, failed;         /* the latter is told by who makes it */
};

static void made(void *arg, const struct err *e)
{
	*(struct making *)arg = (struct making){ true, e != NULL };
}

void held_finish(struct session *s)
{
	while (s->held) {
		struct held *h = s->held;
		struct want w = { .thunk = h->ph.thunk, .out = h->ph.out };
		struct making m = { .has_ended = false };
		struct stat st;
		struct err e;

		if (stat(h->kept, &st) < 0 || st.st_size == 0) {
			held_free(s, h);
			continue;
		}
		w.done = made;
		w.arg = &m;
		if (exec_want(s->o.exec, &w, &e) == 0)
			loop_run(s->o.loop, &m.has_ended);
		if (!m.failed && held_settle(s, h, &e) < 0)
			s->o.complain(s->o.arg, &e);
		if (s->held == h)
			held_free(s, h);
		arena_reset(&s->arena);
	}
}

void held_drop(struct session *s)
{
	while (s->held)
		held_free(s, s->held);
}
