/* tracee.c - a process that is stopped in a call: its memory, its end
 *
 * Everything is read from outside with process_vm_readv and /proc, so that
 * nothing is attached to the process.  Only to end one it is attached for an
 * instant: its call is answered with EINTR, the trap that ptrace asked for
 * comes before it gets back to its program, and there its registers are set
 * as for exit_group.  So its parent sees an ordinary exit, however it was
 * started: by fork, vfork or posix_spawn, from one thread of many.
 */
#include "tracee.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "process.h"

enum {
	PAGE = 4096,
	FIRST_BYTES = 256,              /* most paths are shorter */
	MAX_STRINGS_BYTES = 4 << 20,    /* of arguments and environment */
	MAX_RANGES = 64,                /* in one read */
	WHY_PATH = 400,
	EXCHANGE = 2,                   /* RENAME_EXCHANGE */
};

/* What of a struct open_how is needed. */
struct open_flags {
	uint64_t flags;
};

static ssize_t read_memory(pid_t pid, uint64_t at, void *to, size_t n)
{
	struct iovec here = { to, n }, there = { (void *)(uintptr_t)at, n };

	return process_vm_readv(pid, &here, 1, &there, 1, 0);
}

static size_t to_page_end(uint64_t at)
{
	return PAGE - (at & (PAGE - 1));
}

/* The string at `at` with its NUL; its length.  Never reads over the end of a
 * page before it is known that the string goes on there.  -1 with errno;
 * ENAMETOOLONG if it does not end within room. */
static ssize_t read_string(pid_t pid, uint64_t at, char *to, size_t room)
{
	size_t want = FIRST_BYTES;

	for (size_t got = 0; got < room; want = PAGE) {
		size_t n = to_page_end(at + got);
		const char *end;
		ssize_t k;

		n = n < want ? n : want;
		n = n < room - got ? n : room - got;
		k = read_memory(pid, at + got, to + got, n);
		if (k <= 0)
			return -1;
		end = memchr(to + got, 0, (size_t)k);
		if (end)
			return end - to;
		got += (size_t)k;
	}
	errno = ENAMETOOLONG;
	return -1;
}

/* What /proc says that dir is: its length, or -1 with errno. */
static ssize_t dir_path(pid_t pid, int dir, char *to, size_t room)
{
	char link[48];
	ssize_t n;

	if (dir == AT_FDCWD)
		snprintf(link, sizeof link, "/proc/%d/cwd", pid);
	else
		snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, dir);
	n = readlink(link, to, room);
	if (n < (ssize_t)room)
		return n;
	errno = ENAMETOOLONG;
	return -1;
}

/* Does this failure only say that the call itself will fail, or that the
 * process has died? */
static bool is_harmless(int err)
{
	return err == ESRCH || err == ENOENT || err == EFAULT || err == ENAMETOOLONG;
}

void call_unseen(struct call *c, const char *what)
{
	if (!c->why[0])
		snprintf(c->why, sizeof c->why, "process %d: %s", c->ev.pid, what);
}

/* The path in an argument, absolute, in text; NULL if there is none. */
static const char *read_path(struct call *c, int dir_arg, int path_arg, char *text)
{
	char base[PATH_MAX], *name = text + PATH_MAX;
	const __u64 *arg = c->q.data.args;
	int dir = dir_arg == NO_ARG ? AT_FDCWD : (int)arg[dir_arg];
	ssize_t n = read_string(c->ev.pid, arg[path_arg], name, PATH_MAX);

	if (n > 0 && *name == '/')
		return name;
	c->ev.is_relative |= text == c->text[0];
	if (n == 0 && dir == AT_FDCWD)
		return NULL;
	if (n < 0) {
		if (!is_harmless(errno))
			call_unseen(c, "its memory cannot be read");
		return NULL;
	}
	n = dir_path(c->ev.pid, dir, base, sizeof base);
	if (n < 0 && !is_harmless(errno))
		call_unseen(c, "its directory cannot be read");
	if (n <= 0 || *base != '/')
		return NULL;
	if (!*name) {
		base[n] = '\0';
		return memcpy(name, base, (size_t)n + 1);
	}
	if (n > 1)
		*--name = '/';
	return memcpy(name - n, base, (size_t)n);
}

/* 1 and *kind, or 0 if nothing of the file's content is touched. */
static int open_kind(uint64_t flags, struct trace_event *ev)
{
	enum trace_kind *kind = &ev->kind;
	bool writes = (flags & O_ACCMODE) != O_RDONLY;

	if (flags & O_PATH)
		*kind = TRACE_LOOK;
	else if ((flags & O_TMPFILE) == O_TMPFILE)
		return 0;
	else if (flags & O_TRUNC || (flags & O_CREAT && flags & O_EXCL))
		*kind = TRACE_WRITE;
	else if (writes || flags & O_CREAT)
		*kind = TRACE_UPDATE;
	else
		*kind = TRACE_READ;
	ev->status = (*kind == TRACE_WRITE && flags & O_TRUNC) ||
		     (*kind == TRACE_READ && flags & O_DIRECTORY);
	return 1;
}

/* What a call that only looks asks for. */
static enum trace_look look_of(const struct seccomp_data *d)
{
	static const unsigned grows = STATX_SIZE | STATX_BLOCKS | STATX_ATIME | STATX_MTIME |
				      STATX_CTIME | STATX_BTIME;

	switch (d->nr) {
	case SYS_readlink:
	case SYS_readlinkat:
		return LOOK_TARGET;
	case SYS_access:
	case SYS_faccessat:
	case SYS_faccessat2:
		return LOOK_THERE;
	case SYS_statx:
		return d->args[3] & grows ? LOOK_STAT : LOOK_THERE;
	default:
		return LOOK_STAT;
	}
}

/* 1 and the event's kind, 0 if the call makes no event. */
static int read_kind(struct call *c, const struct watch *w)
{
	struct open_flags how = { 0 };

	switch (w->kind) {
	case KIND_SANDBOX:
		return 0;
	case KIND_UNSEEN:
		call_unseen(c, "it changes what paths mean to it");
		return 0;
	case KIND_OPEN_HOW:
		if (read_memory(c->ev.pid, c->q.data.args[w->flags], &how, sizeof how) !=
		    sizeof how)
			return 0;
		return open_kind(how.flags, &c->ev);
	case KIND_OPEN:
		return open_kind(c->q.data.args[w->flags], &c->ev);
	case TRACE_LOOK:
		c->ev.status = look_of(&c->q.data);
		break;
	case TRACE_RENAME:
		if (w->flags != NO_ARG && c->q.data.args[w->flags] & EXCHANGE)
			call_unseen(c, "it exchanges two files");
		break;
	}
	c->ev.kind = (enum trace_kind)w->kind;
	return 1;
}

/* Java's machine opens the folder that it is in only to find back to it. */
static bool finds_back(const struct call *c)
{
	size_t n = strlen(c->ev.path);
	char name[32];

	return c->ev.kind == TRACE_READ && c->q.data.nr == SYS_openat &&
	       c->q.data.args[2] == O_RDONLY && c->ev.is_relative && n > 2 &&
	       strcmp(c->ev.path + n - 2, "/.") == 0 &&
	       process_text(c->ev.pid, "comm", name, sizeof name) &&
	       strncmp(name, "java", 4) == 0;
}

ssize_t call_memory(const struct call *c, uint64_t at, void *to, size_t n)
{
	return read_memory(c->ev.pid, at, to, n);
}

ssize_t call_string(const struct call *c, uint64_t at, char *to, size_t room)
{
	return read_string(c->ev.pid, at, to, room);
}

void call_read(struct call *c, bool all)
{
	const struct watch *w = filter_watch(c->q.data.nr);

	c->has_event = false;
	c->why[0] = '\0';
	c->ev = (struct trace_event){ .pid = (pid_t)c->q.pid, .cookie = c->q.id };
	/* Number 0 stands for a process that this one cannot name. */
	if (!c->ev.pid) {
		call_unseen(c, "it is in another world of processes");
		return;
	}
	if (w && w->kind >= KIND_CONNECT) {
		c->has_event = call_read_peer(c, w, all);
		return;
	}
	if (!w || !read_kind(c, w))
		return;
	c->ev.path = read_path(c, w->dir, w->path, c->text[0]);
	if (!c->ev.path)
		return;
	if (finds_back(c)) {
		c->ev.kind = TRACE_LOOK;
		c->ev.status = LOOK_THERE;
	}
	if (w->path2 != NO_ARG) {
		c->ev.path2 = read_path(c, w->dir2, w->path2, c->text[1]);
		if (!c->ev.path2)
			return;
	}
	c->has_event = true;
}

/* ---- answers */

bool call_waits(int listener, const struct call *c)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &c->q.id) == 0;
}

static int answer(int listener, const struct call *c, uint32_t flags, int error)
{
	struct seccomp_notif_resp r = { .id = c->q.id, .flags = flags, .error = error };

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r) == 0 || errno == ENOENT)
		return 0;
	return -1;
}

int call_go(int listener, const struct call *c)
{
	return answer(listener, c, SECCOMP_USER_NOTIF_FLAG_CONTINUE, 0);
}

/* The process is attached and stopped with this wait status: send it into
 * exit_group.  A process that was elsewhere when it stopped (a signal was
 * first) is left alone: it makes its call again, or not. */
static void set_exit(const struct call *c, int wait_status, int status)
{
	struct user_regs_struct r;
	pid_t pid = c->ev.pid;

	if (ptrace(PTRACE_GETREGS, pid, 0, &r) < 0)
		return;                 /* killed while stopped */
	if (r.rip == c->q.data.instruction_pointer &&
	    (int)r.orig_rax == c->q.data.nr) {
		r.rip -= 2;             /* onto the syscall instruction again */
		r.rax = SYS_exit_group;
		r.rdi = (unsigned)status | 1ULL << 32;  /* see filter.c */
		r.orig_rax = ~0ULL;     /* no call that might be restarted */
		ptrace(PTRACE_SETREGS, pid, 0, &r);
	}
	/* A stop for a signal, not for an event, hands the signal on. */
	ptrace(PTRACE_DETACH, pid, 0, (long)(wait_status >> 16 ? 0 : WSTOPSIG(wait_status)));
}

bool call_end(int listener, const struct call *c, int status)
{
	pid_t pid = c->ev.pid, got;
	int wait_status;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
		return false;           /* dead, or traced by another */
	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	answer(listener, c, 0, -EINTR);
	do
		got = waitpid(pid, &wait_status, __WALL);
	while (got < 0 && errno == EINTR);
	if (got == pid && WIFSTOPPED(wait_status))
		set_exit(c, wait_status, status);
	return true;
}

/* ---- arguments and environment */

/* A string and where it goes. */
struct want {
	uint64_t at;
	const char **to;
};

struct wants {
	struct want *v;
	size_t n, room;
};

/* Read the NULL-ended array at `at` into wants: their number, or -1. */
static ssize_t read_array(pid_t pid, uint64_t at, struct wants *w)
{
	size_t before = w->n;

	while (at) {
		uint64_t part[PAGE / sizeof(uint64_t)];
		size_t n = at & 7 ? sizeof *part : to_page_end(at);
		ssize_t k = read_memory(pid, at, part, n);

		if (k < (ssize_t)sizeof *part)
			return -1;
		for (size_t i = 0; i < (size_t)k / sizeof *part; i++) {
			if (!part[i])
				return (ssize_t)(w->n - before);
			if (w->n == w->room) {
				w->room = w->room ? 2 * w->room : 128;
				w->v = mem_grow(w->v, w->room * sizeof *w->v);
			}
			w->v[w->n++] = (struct want){ .at = part[i] };
		}
		if (w->n > MAX_STRINGS_BYTES / sizeof(uint64_t))
			return -1;
		at += (uint64_t)k / sizeof *part * sizeof *part;
	}
	return 0;
}

/* A part of a page, from the first string wanted there to the page's end. */
struct range {
	uint64_t at;
	size_t n;
	char *copy;
};

static int read_ranges(pid_t pid, const struct range *r, size_t n)
{
	struct iovec here[MAX_RANGES], there[MAX_RANGES];
	size_t total = 0;

	for (size_t i = 0; i < n; i++) {
		here[i] = (struct iovec){ r[i].copy, r[i].n };
		there[i] = (struct iovec){ (void *)(uintptr_t)r[i].at, r[i].n };
		total += r[i].n;
	}
	return process_vm_readv(pid, here, n, there, n, 0) == (ssize_t)total ? 0 : -1;
}

/* A string that goes over the end of its page. */
static int read_long(pid_t pid, const struct want *w, struct arena *a, size_t *left)
{
	size_t room = 2 * PAGE;
	char *s = mem_alloc(room);
	ssize_t n = read_string(pid, w->at, s, room);

	while (n < 0 && errno == ENAMETOOLONG && room < *left) {
		room *= 2;
		s = mem_grow(s, room);
		n = read_string(pid, w->at, s, room);
	}
	if (n >= 0 && (size_t)n < *left) {
		*left -= (size_t)n;
		*w->to = arena_strn(a, s, (size_t)n);
	}
	free(s);
	return *w->to ? 0 : -1;
}

static int by_address(const void *x, const void *y)
{
	const struct want *a = x, *b = y;

	return (a->at > b->at) - (a->at < b->at);
}

/* Strings mostly lie close together: read the pages they begin in, many at
 * once, and point into the copies. */
static int read_strings(pid_t pid, struct wants *w, struct arena *a)
{
	size_t left = MAX_STRINGS_BYTES, i = 0;

	qsort(w->v, w->n, sizeof *w->v, by_address);
	while (i < w->n) {
		struct range r[MAX_RANGES];
		size_t n = 0, first = i, k = 0;

		for (; i < w->n; i++) {
			uint64_t at = w->v[i].at;

			if (n && at < r[n - 1].at + r[n - 1].n)
				continue;
			if (n == MAX_RANGES || left < PAGE)
				break;
			r[n] = (struct range){ at, to_page_end(at), NULL };
			r[n].copy = arena_alloc(a, r[n].n);
			left -= r[n++].n;
		}
		if (!n || read_ranges(pid, r, n) < 0)
			return -1;
		for (size_t j = first; j < i; j++) {
			const struct want *s = &w->v[j];

			k += s->at >= r[k].at + r[k].n;
			size_t skip = s->at - r[k].at;

			if (memchr(r[k].copy + skip, 0, r[k].n - skip))
				*s->to = r[k].copy + skip;
			else if (read_long(pid, s, a, &left) < 0)
				return -1;
		}
	}
	return 0;
}

int call_exec(const struct call *c, struct arena *a, struct trace_exec *out,
	      struct err *e)
{
	/* execveat has a directory before its path */
	const __u64 *arg = c->q.data.args + (c->q.data.nr == SYS_execveat);
	struct wants w = { 0 };
	pid_t pid = c->ev.pid;
	char cwd[PATH_MAX];
	ssize_t n_args, n_env = -1, n_cwd;
	int rc = -1;

	n_args = read_array(pid, arg[1], &w);
	if (n_args >= 0)
		n_env = read_array(pid, arg[2], &w);
	n_cwd = dir_path(pid, AT_FDCWD, cwd, sizeof cwd);
	if (n_env >= 0 && n_cwd > 0) {
		*out = (struct trace_exec){
			.args = arena_alloc(a, ((size_t)n_args + 1) * sizeof(char *)),
			.env = arena_alloc(a, ((size_t)n_env + 1) * sizeof(char *)),
			.n_args = (size_t)n_args,
			.n_env = (size_t)n_env,
			.cwd = arena_strn(a, cwd, (size_t)n_cwd),
		};
		for (size_t i = 0; i < w.n; i++)
			w.v[i].to = i < out->n_args ? &out->args[i]
						    : &out->env[i - out->n_args];
		rc = read_strings(pid, &w, a);
	}
	free(w.v);
	if (rc < 0)
		return err_set(e, ERR_MISSING,
			       "process %d: its arguments cannot be read", pid);
	return 0;
}

int elf_is_32_bit(const char *path)
{
	unsigned char head[EI_CLASS + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = pread(fd, head, sizeof head, 0);
	close(fd);
	return n == sizeof head && memcmp(head, ELFMAG, SELFMAG) == 0 &&
	       head[EI_CLASS] == ELFCLASS32;
}
