/* filter.c - which system calls are watched
 *
 * One table says for each watched call where its paths are and what event it
 * makes; the seccomp program is written from it.  A call that is not in the
 * table costs nothing that can be measured: where the verdict depends on the
 * number alone, the kernel keeps it in a bitmap and does not run the program.
 * For the others the program is a plain chain, the frequent ones first; a
 * hundred compares are nothing beside a stop.
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
#include <stddef.h>
#include <sys/prctl.h>
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
	X32_BIT = 0x40000000, REALPATH_ROOM = 1023,
};

/* When a call of this number is watched. */
enum only {
	ALWAYS,
	NOT_EMPTY_PATH,         /* unless flags have AT_EMPTY_PATH */
	NOT_REALPATH,           /* unless flags (a size) is realpath's */
	WITH_PATH,              /* unless path is NULL */
	NEW_MOUNTS,             /* if flags have CLONE_NEWNS */
};

enum { NO = NO_ARG };

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
	{ SYS_utimensat,      TRACE_CHANGE,   0,  1, NO, NO, NO, WITH_PATH },
	{ SYS_futimesat,      TRACE_CHANGE,   0,  1, NO, NO, NO, WITH_PATH },
	{ SYS_utimes,         TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_utime,          TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_setxattr,       TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_lsetxattr,      TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_removexattr,    TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ SYS_lremovexattr,   TRACE_CHANGE,  NO,  0, NO, NO, NO, ALWAYS },
	{ NR_SETXATTRAT,      TRACE_CHANGE,   0,  1, NO, NO,  2, NOT_EMPTY_PATH },
	{ NR_REMOVEXATTRAT,   TRACE_CHANGE,   0,  1, NO, NO,  2, NOT_EMPTY_PATH },
	{ SYS_chroot,         KIND_UNSEEN,   NO, NO, NO, NO, NO, ALWAYS },
	{ SYS_pivot_root,     KIND_UNSEEN,   NO, NO, NO, NO, NO, ALWAYS },
	{ SYS_setns,          KIND_UNSEEN,   NO, NO, NO, NO, NO, ALWAYS },
	{ SYS_open_by_handle_at, KIND_UNSEEN, NO, NO, NO, NO, NO, ALWAYS },
	{ SYS_unshare,        KIND_UNSEEN,   NO, NO, NO, NO,  0, NEW_MOUNTS },
};

enum {
	N_WATCHES = sizeof watches / sizeof *watches,
	MAX_OPS = 10 + 7 * N_WATCHES,
};

const struct watch *filter_watch(int nr)
{
	for (size_t i = 0; i < N_WATCHES; i++)
		if (watches[i].nr == nr)
			return &watches[i];
	return NULL;
}

struct program {
	struct sock_filter op[MAX_OPS];
	unsigned short n;
};

static void op(struct program *p, unsigned code, uint32_t k)
{
	p->op[p->n++] = (struct sock_filter)BPF_STMT((unsigned short)code, k);
}

/* Skip so many operations if the test holds, or if it does not. */
static void jump(struct program *p, unsigned test, uint32_t k, unsigned yes,
		 unsigned no)
{
	p->op[p->n++] = (struct sock_filter)BPF_JUMP(
		(unsigned short)(BPF_JMP | test | BPF_K), k,
		(unsigned char)yes, (unsigned char)no);
}

/* The low or the high half of argument i. */
static void load_arg(struct program *p, int i, bool is_high)
{
	op(p, BPF_LD | BPF_W | BPF_ABS,
	   (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (unsigned)i + 4 * is_high));
}

static void add_watch(struct program *p, const struct watch *w)
{
	unsigned short at = p->n;

	jump(p, BPF_JEQ, (uint32_t)w->nr, 0, 0);
	switch (w->only) {
	case NOT_EMPTY_PATH:
		load_arg(p, w->flags, false);
		jump(p, BPF_JSET, AT_EMPTY_PATH, 0, 1);
		op(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		break;
	case NOT_REALPATH:
		load_arg(p, w->flags, false);
		jump(p, BPF_JEQ, REALPATH_ROOM, 0, 1);
		op(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		break;
	case NEW_MOUNTS:
		load_arg(p, w->flags, false);
		jump(p, BPF_JSET, CLONE_NEWNS, 1, 0);
		op(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		break;
	case WITH_PATH:
		load_arg(p, w->path, false);
		jump(p, BPF_JEQ, 0, 0, 3);
		load_arg(p, w->path, true);
		jump(p, BPF_JEQ, 0, 0, 1);
		op(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		break;
	}
	op(p, BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	p->op[at].jf = (unsigned char)(p->n - at - 1);
}

static void write_program(struct program *p)
{
	op(p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	jump(p, BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
	op(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	op(p, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	jump(p, BPF_JGE, X32_BIT, 1, 0);
	jump(p, BPF_JEQ, SYS_io_uring_setup, 0, 1);
	op(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	for (size_t i = 0; i < N_WATCHES; i++)
		add_watch(p, &watches[i]);
	op(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
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

int filter_install(void)
{
	struct program p = { .n = 0 };
	struct sock_fprog prog;
	int fd;

	write_program(&p);
	prog = (struct sock_fprog){ .len = p.n, .filter = p.op };
	fd = install(&prog);
	/* Whoever may administer the system keeps sudo working below. */
	if (fd < 0 && errno == EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		fd = install(&prog);
	return fd;
}
