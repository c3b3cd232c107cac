/* tracee.h - what tracer.c needs from filter.c, tracee.c, peers.c and
 * keeper.c */
#ifndef GG_TRACEE_H
#define GG_TRACEE_H

#include <limits.h>
#include <linux/seccomp.h>
#include "tracer.h"

/* ---- filter.c: which calls are watched, and where their paths are */

/* Kinds of watched calls whose event is not known from the number alone. */
enum {
	KIND_OPEN = TRACE_SIGNAL + 1,  /* by the flags in an argument */
	KIND_OPEN_HOW,                  /* by the flags in a struct open_how */
	KIND_SANDBOX,                   /* it will forbid itself calls: no event */
	KIND_UNSEEN,                    /* changes what paths mean */
	/* From here on read by peers.c. */
	KIND_CONNECT,                   /* a struct sockaddr, flags: its size */
	KIND_SOCKET,                    /* path is its family */
	KIND_INTERFACE,                 /* asks for the network's devices */
	KIND_BIND,                      /* likewise */
	KIND_INPUT,                     /* of standard input */
	KIND_END,
	KIND_SIGNAL,                    /* a process */
	KIND_PIDFD,
	KIND_PTRACE,                    /* flags: the request */
	KIND_IPC,                       /* System V's, by key */
	KIND_QUEUE,                     /* of messages, by name */
};

enum { NO_ARG = -1 };

/* Argument numbers; NO_ARG for none. */
struct watch {
	short nr;
	unsigned char kind;
	signed char dir, path, dir2, path2, flags;
	unsigned char only;             /* enum only in filter.c */
};

/* The row of a call number, NULL if it is not watched. */
const struct watch *filter_watch(int nr);
/* Put this process and all it starts under the filter: the listener, or -1
 * with errno.  all: those of tracer_opts.wants_all too.  Looks and opens that
 * are made by a syscall instruction at gate go by unseen; 0 for none.  Safe
 * between fork and exec. */
int filter_install(bool all, uint64_t gate);

/* ---- tracee.c: a stopped process */

/* One stopped call.  Paths are built from the middle of text, so that a
 * directory can be put before a name where it lies. */
struct call {
	struct call *next;
	struct seccomp_notif q;
	struct trace_event ev;
	bool has_event;                 /* false: nothing that anybody asks for */
	bool is_note;                   /* no call: ev was noted, or only why */
	char why[600];                  /* not empty: something was not seen */
	char text[2][2 * PATH_MAX];
};

/* Fill ev, has_event and why from q and the memory of the process.  all: with
 * the events of tracer_opts.wants_all. */
void call_read(struct call *c, bool all);
/* The same for kinds from KIND_CONNECT on (peers.c): is there an event? */
bool call_read_peer(struct call *c, const struct watch *w, bool all);
/* Read the process's memory, and the string there with its NUL: its length.
 * -1 with errno. */
ssize_t call_memory(const struct call *c, uint64_t at, void *to, size_t n);
ssize_t call_string(const struct call *c, uint64_t at, char *to, size_t room);
/* Something of the call was not seen; the first reason stays. */
void call_unseen(struct call *c, const char *what);
/* Is a call still stopped, so that what was read was its own? */
bool call_waits(int listener, const struct call *c);
/* Let it happen.  -1 with errno if the kernel refuses; that the process has
 * died is no failure. */
int call_go(int listener, const struct call *c);
/* End the process in place of the call.  False: nothing was done, and the
 * call still waits.  Only from one thread at a time. */
bool call_end(int listener, const struct call *c, int status);
/* For tracer_exec. */
int call_exec(const struct call *c, struct arena *a, struct trace_exec *out,
	      struct err *e);
/* Is there a 32-bit program at path?  1, 0, or -1 if it cannot be read. */
int elf_is_32_bit(const char *path);

/* ---- keeper.c: the process between this one and the command */

enum news_kind {
	NEWS_LISTENER,          /* comes with the descriptor */
	NEWS_NO_DIR,            /* value: errno of chdir */
	NEWS_NO_FILTER,         /* value: errno of seccomp */
	NEWS_NO_EXEC,           /* value: errno of execve */
	NEWS_STATUS,            /* value: wait status of the command */
	NEWS_END,               /* nothing is left */
};

struct news {
	int kind, value;
};

struct keeper_opts {
	const char *path;               /* of the program, from cwd */
	const char **args, **env;
	const char **sh_args;           /* for a script without #! */
	const char *cwd;
	int out_fd;
	bool wants_all;
	uint64_t gate;                  /* of the filter */
};

/* Fork the keeper, which forks the command.  *sock brings its news, and ends
 * everything when it is shut down. */
int keeper_start(const struct keeper_opts *o, pid_t *keeper, int *sock,
		 struct err *e);
/* The next message; *fd gets a descriptor that came with it, or -1.  1, 0 if
 * there is none now (only with wait false), -1 at the end. */
int keeper_news(int sock, bool wait, struct news *out, int *fd);
/* Send sig to all processes below root. */
void keeper_kill_below(pid_t root, int sig);

#endif
