/* filter.c - which system calls are watched
 *
 * One table says for each watched call where its paths are and what event it
 * makes; libseccomp writes the program from it.  A call that is not in the
 * table costs nothing that can be measured: where the verdict depends on the
 * number alone, the kernel keeps it in a bitmap and does not run the program.
 * For the others the frequent ones are compared first; a hundred compares are
 * nothing beside a stop.
 *
 * Not watched on purpose:
 * - fstat in disguise: stat calls with AT_EMPTY_PATH.  What was opened has
 *   been seen.  A path given together with that flag goes by unseen.
 * - readlink with room for 1023 bytes.  It is how realpath() of glibc 2.33
 *   and later asks of each component whether it is a link: 85% of all watched
 *   calls of a gcc build.  The price: that a directory on the way is a link
 *   is then not known to have mattered; the file at its end is seen when it
 *   is opened.
 * - calls on an open descriptor: the open has been seen.
 * io_uring is refused as if the kernel had none, since it opens files past
 * every filter.  32-bit calls go by: call_read() reports 32-bit programs.
 */
#include "tracee.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the tracer knows only the calls and registers of x86-64"
#endif

/* Newer than the headers of Debian 12, or than the oldest kernel meant. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
enum {
	NR_FCHMODAT2 = 452, NR_SETXATTRAT = 463, NR_REMOVEXATTRAT = 466,
	REALPATH_ROOM = 1023,
	TYPES = 0xf,                    /* of a socket, without its flags */
	REQUESTS = 0xff00, OF_SOCKETS = 0x8900,
};

/* When a call of this number is watched. */
enum only {
	ALWAYS,
	NOT_EMPTY_PATH,         /* unless flags have AT_EMPTY_PATH */
	NOT_REALPATH,           /* unless flags (a size) is realpath's */
	WITH_PATH,              /* unless path is NULL */
	NEW_FILTER,             /* if the argument flags is PR_SET_SECCOMP */
	NEW_MOUNTS,             /* if flags have CLONE_NEWNS */
	DATAGRAMS,              /* if flags, the type of a socket, says so */
	INTERFACES,             /* if flags, a request, is one of SIOC... */
	FROM_TERMINAL,          /* if path, a descriptor, is 0, and 0 is a
				 * terminal where the command starts */
	UPPER_ZERO, UPPER_ONES, /* upper half of path (exit_group's status) */
};

enum { NO = NO_ARG };

static const uint64_t UPPER = 0xffffffff00000000;

static const struct watch watches[] = {
	/*                    kind          dir path dir2 path2 flags only */
	{ SYS_openat,         KIND_OPEN,      0,  1, NO, NO,  2, ALWAYS },
	{ SYS_newfstatat,     TRACE_LOOK,     0,  1, NO, NO,  3, NOT_EMPTY_PATH },
	{ SYS_access,         TRACE_LOOK,    NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_readlink,       TRACE_LOOK,    NO,  0, NO, NO,  2, NOT_REALPATH },
	{ SYS_execve,         TRACE_EXEC,    NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_open,           KIND_OPEN,     NO,  0, NO, NO,  1, ALWAYS },
	{ SYS_stat,           TRACE_LOOK,    NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_lstat,          TRACE_LOOK,    NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_statx,          TRACE_LOOK,     0,  1, NO, NO,  2, NOT_EMPTY_PATH },
	{ SYS_faccessat,      TRACE_LOOK,     0,  1, NO, NO, NO, ALWAYS },
	{ SYS_faccessat2,     TRACE_LOOK,     0,  1, NO, NO,  3, NOT_EMPTY_PATH },
	{ SYS_unlink,         TRACE_REMOVE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_unlinkat,       TRACE_REMOVE,   0,  1, NO, NO, NO, ALWAYS },
	{ SYS_readlinkat,     TRACE_LOOK,     0,  1, NO, NO,  3, NOT_REALPATH },
	{ SYS_openat2,        KIND_OPEN_HOW,  0,  1, NO, NO,  2, ALWAYS },
	{ SYS_creat,          TRACE_WRITE,   NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_execveat,       TRACE_EXEC,     0,  1, NO, NO, NO, ALWAYS },
	{ SYS_rename,         TRACE_RENAME,  NO,  0, NO,  1, NO, ALWAYS },
	{ SYS_renameat,       TRACE_RENAME,   0,  1,  2,  3, NO, ALWAYS },
	{ SYS_renameat2,      TRACE_RENAME,   0,  1,  2,  3,  4, ALWAYS },
	{ SYS_mkdir,          TRACE_MAKE_DIR, NO, 0, NO, NO, NO, ALWAYS },
	{ SYS_mkdirat,        TRACE_MAKE_DIR, 0,  1, NO, NO, NO, ALWAYS },
	{ SYS_rmdir,          TRACE_REMOVE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_link,           TRACE_LINK,    NO,  0, NO,  1, NO, ALWAYS },
	{ SYS_linkat,         TRACE_LINK,     0,  1,  2,  3, NO, ALWAYS },
	{ SYS_symlink,        TRACE_CHANGE,  NO,  1, NO, NO, NO, ALWAYS },
	{ SYS_symlinkat,      TRACE_CHANGE,   1,  2, NO, NO, NO, ALWAYS },
	{ SYS_chmod,          TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_fchmodat,       TRACE_CHANGE,   0,  1, NO, NO, NO, ALWAYS },
	{ NR_FCHMODAT2,       TRACE_CHANGE,   0,  1, NO, NO,  3, NOT_EMPTY_PATH },
	{ SYS_chown,          TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_lchown,         TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_fchownat,       TRACE_CHANGE,   0,  1, NO, NO,  4, NOT_EMPTY_PATH },
	{ SYS_truncate,       TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_mknod,          TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_mknodat,        TRACE_CHANGE,   0,  1, NO, NO, NO, ALWAYS },
	{ SYS_utimensat,      TRACE_TIMES,    0,  1, NO, NO, NO, WITH_PATH },
	{ SYS_futimesat,      TRACE_TIMES,    0,  1, NO, NO, NO, WITH_PATH },
	{ SYS_utimes,         TRACE_TIMES,   NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_utime,          TRACE_TIMES,   NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_setxattr,       TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_lsetxattr,      TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_removexattr,    TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_lremovexattr,   TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ NR_SETXATTRAT,      TRACE_CHANGE,   0,  1, NO, NO,  2, NOT_EMPTY_PATH },
	{ NR_REMOVEXATTRAT,   TRACE_CHANGE,   0,  1, NO, NO,  2, NOT_EMPTY_PATH },
	{ SYS_chdir,          TRACE_ENTER,   NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_connect,        KIND_CONNECT,  NO,  1, NO, NO,  2, ALWAYS },
	{ SYS_chroot,         KIND_UNSEEN,   NO, NO, NO, NO, NO, ALWAYS },
	{ SYS_pivot_root,     KIND_UNSEEN,   NO, NO, NO, NO, NO, ALWAYS },
	{ SYS_setns,          KIND_UNSEEN,   NO, NO, NO, NO, NO, ALWAYS },
	{ SYS_open_by_handle_at, KIND_UNSEEN, NO, NO, NO, NO, NO, ALWAYS },
	{ SYS_seccomp,        KIND_SANDBOX,  NO, NO, NO, NO, NO, ALWAYS },
	{ SYS_prctl,          KIND_SANDBOX,  NO, NO, NO, NO,  0, NEW_FILTER },
	{ SYS_unshare,        KIND_UNSEEN,   NO, NO, NO, NO,  0, NEW_MOUNTS },
};

/* What besides says how a command deals with other processes, and how it ends.
 * A memfd, a pipe, a socket pair stay among its own.  Messages are not watched
 * (sendmsg): they are how worker processes hand each other tensors, hundreds a
 * second, the listener itself comes to the tracer by one, and who talks to the
 * network by them connects first, or has a socket for datagrams.  The exit that call_end()
 * makes is none of the command's: its status has another upper half. */
static const struct watch watches_all[] = {
	{ SYS_exit_group,     KIND_END,      NO,  0, NO, NO, NO, UPPER_ZERO },
	{ SYS_exit_group,     KIND_END,      NO,  0, NO, NO, NO, UPPER_ONES },
	{ SYS_read,           KIND_INPUT,    NO,  0, NO, NO, NO, FROM_TERMINAL },
	{ SYS_sendto,         KIND_CONNECT,  NO,  4, NO, NO,  5, WITH_PATH },
	{ SYS_bind,           KIND_BIND,     NO,  1, NO, NO,  2, ALWAYS },
	{ SYS_socket,         KIND_SOCKET,   NO,  0, NO, NO,  1, DATAGRAMS },
	{ SYS_ioctl,          KIND_INTERFACE, NO, 0, NO, NO,  1, INTERFACES },
	{ SYS_kill,           KIND_SIGNAL,   NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_tkill,          KIND_SIGNAL,   NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_tgkill,         KIND_SIGNAL,   NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_rt_sigqueueinfo, KIND_SIGNAL,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_rt_tgsigqueueinfo, KIND_SIGNAL, NO, 0, NO, NO, NO, ALWAYS },
	{ SYS_process_vm_readv, KIND_SIGNAL, NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_process_vm_writev, KIND_SIGNAL, NO, 0, NO, NO, NO, ALWAYS },
	{ SYS_pidfd_send_signal, KIND_PIDFD, NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_pidfd_getfd,    KIND_PIDFD,    NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_ptrace,         KIND_PTRACE,   NO,  1, NO, NO,  0, ALWAYS },
	{ SYS_shmget,         KIND_IPC,      NO,  0, NO, NO, NO, WITH_PATH },
	{ SYS_semget,         KIND_IPC,      NO,  0, NO, NO, NO, WITH_PATH },
	{ SYS_msgget,         KIND_IPC,      NO,  0, NO, NO, NO, WITH_PATH },
	{ SYS_mq_open,        KIND_QUEUE,    NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_inotify_add_watch, TRACE_LOOK, NO,  1, NO, NO, NO, ALWAYS },
	{ SYS_fanotify_mark,  TRACE_LOOK,     3,  4, NO, NO, NO, WITH_PATH },
	{ SYS_mount,          KIND_UNSEEN,   NO, NO, NO, NO, NO, ALWAYS },
	{ SYS_umount2,        KIND_UNSEEN,   NO, NO, NO, NO, NO, ALWAYS },
};

enum {
	N_WATCHES = sizeof watches / sizeof *watches,
	N_ALL = sizeof watches_all / sizeof *watches_all,
};

static const struct watch *row(size_t i)
{
	return i < N_WATCHES ? &watches[i] : &watches_all[i - N_WATCHES];
}

const struct watch *filter_watch(int nr)
{
	for (size_t i = 0; i < N_WATCHES + N_ALL; i++)
		if (row(i)->nr == nr)
			return row(i);
	return NULL;
}

/* What the arguments must be for the call to be watched; how many tests. */
static unsigned tests(const struct watch *w, struct scmp_arg_cmp cmp[1])
{
	switch (w->only) {
	case NOT_EMPTY_PATH:
		cmp[0] = SCMP_CMP((unsigned)w->flags, SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, 0);
		return 1;
	case NOT_REALPATH:
		cmp[0] = SCMP_CMP((unsigned)w->flags, SCMP_CMP_NE, REALPATH_ROOM, 0);
		return 1;
	case NEW_FILTER:
		cmp[0] = SCMP_CMP((unsigned)w->flags, SCMP_CMP_EQ, PR_SET_SECCOMP, 0);
		return 1;
	case NEW_MOUNTS:
		cmp[0] = SCMP_CMP((unsigned)w->flags, SCMP_CMP_MASKED_EQ, CLONE_NEWNS,
				  CLONE_NEWNS);
		return 1;
	case DATAGRAMS:
		cmp[0] = SCMP_CMP((unsigned)w->flags, SCMP_CMP_MASKED_EQ, TYPES, SOCK_DGRAM);
		return 1;
	case INTERFACES:
		cmp[0] = SCMP_CMP((unsigned)w->flags, SCMP_CMP_MASKED_EQ, REQUESTS, OF_SOCKETS);
		return 1;
	case WITH_PATH:
		cmp[0] = SCMP_CMP((unsigned)w->path, SCMP_CMP_NE, 0, 0);
		return 1;
	case FROM_TERMINAL:
		cmp[0] = SCMP_CMP((unsigned)w->path, SCMP_CMP_EQ, STDIN_FILENO, 0);
		return 1;
	case UPPER_ZERO:
	case UPPER_ONES:
		cmp[0] = SCMP_CMP((unsigned)w->path, SCMP_CMP_MASKED_EQ, UPPER,
				  w->only == UPPER_ONES ? UPPER : 0);
		return 1;
	}
	return 0;
}

/* The frequent calls are decided first. */
static int add_watches(scmp_filter_ctx ctx, bool all)
{
	struct scmp_arg_cmp cmp[1];

	for (size_t i = 0; i < N_WATCHES + (all ? N_ALL : 0); i++) {
		const struct watch *w = row(i);

		if (w->only == FROM_TERMINAL && !isatty(STDIN_FILENO))
			continue;
		if (seccomp_rule_add_array(ctx, SCMP_ACT_NOTIFY, w->nr, tests(w, cmp),
					   cmp) < 0 ||
		    seccomp_syscall_priority(ctx, w->nr, (uint8_t)(255 - i)) < 0)
			return -1;
	}
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SYS_io_uring_setup, 0);
}

/* The program as bytes; the library cannot yet install it in the way that is
 * wanted here (waits that only a kill may end). */
static int write_program(struct sock_filter *ops, size_t room, bool all,
			 size_t *n_ops)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int fd = memfd_create("filter", MFD_CLOEXEC);
	ssize_t n = -1;

	if (ctx && fd >= 0 &&
	    seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW) == 0 &&
	    add_watches(ctx, all) == 0 && seccomp_export_bpf(ctx, fd) == 0)
		n = pread(fd, ops, room, 0);
	if (ctx)
		seccomp_release(ctx);
	if (fd >= 0)
		close(fd);
	if (n <= 0 || (size_t)n == room) {
		errno = EINVAL;
		return -1;
	}
	*n_ops = (size_t)n / sizeof *ops;
	return 0;
}

/* Before the program: calls of the library in notes.c, which notes them
 * itself.  Only for these numbers does the verdict depend on where a call is
 * made, so that the kernel's bitmap keeps its use for all others. */
static size_t write_gate(uint64_t gate, struct sock_filter *ops)
{
	enum { NR = offsetof(struct seccomp_data, nr),
	       ARCH = offsetof(struct seccomp_data, arch),
	       AT = offsetof(struct seccomp_data, instruction_pointer) };
	const uint64_t at = gate + 2;   /* behind the instruction */
	const struct sock_filter v[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARCH),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 10),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NR),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_newfstatat, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_access, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_readlink, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)at, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(at >> 32), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	memcpy(ops, v, sizeof v);
	return gate ? sizeof v / sizeof *v : 0;
}

static int install(const struct sock_fprog *prog)
{
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			      flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, prog);

	/* Before 5.19; signals may then interrupt a stopped call. */
	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, prog);
	return fd;
}

int filter_install(bool all, uint64_t gate)
{
	static const size_t room = BPF_MAXINSNS * sizeof(struct sock_filter);
	struct sock_filter *ops = mem_alloc(room);
	size_t n_gate = write_gate(gate, ops), n_rest;
	struct sock_fprog prog = { .filter = ops };
	int fd = -1;

	if (write_program(ops + n_gate, room - n_gate * sizeof *ops, all,
			  &n_rest) == 0) {
		prog.len = (unsigned short)(n_gate + n_rest);
		fd = install(&prog);
	}
	/* Whoever may administer the system keeps sudo working below. */
	if (fd < 0 && errno == EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		fd = install(&prog);
	free(ops);
	return fd;
}
