/* sandbox.c - the walls of a cell: namespaces, once for thousands of programs
 *
 * A cell is cloned straight into its namespaces.  Whatever is not permitted
 * makes that clone or its set-up fail as a whole, and the next weaker set of
 * walls is tried in a new process, so that no half-made set is ever used.
 * view.c arranges what the inside sees.
 */
#include "sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "file.h"
#include "process.h"

/* Only touched pages cost; folders may be as deep as a path is long. */
enum { STACK_BYTES = 64 << 20 };

static int open_folder(int at, const char *name, mode_t mode, struct err *e)
{
	int fd;

	if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
		return err_sys(e, "cannot make a work folder %s", name);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOATIME | O_CLOEXEC);
	if (fd < 0 && errno == EPERM)   /* another's folder */
		fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, mode) < 0)
		return err_sys(e, "work folder %s", name);
	return fd;
}

int sandbox_open(struct sandbox *b, const char *store_dir, const char *work_dir,
		 struct err *e)
{
	int store = open(store_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (store < 0)
		return err_sys(e, "%s", store_dir);
	b->store_dir = store_dir;
	b->work_dir = work_dir;
	b->seen_root_fd = b->seen_objects = b->seen_work = b->shm = -1;
	b->closure_root = b->jail = -1;
	b->objects = open_folder(store, "objects", 0755, e);
	close(store);
	b->work = open_folder(AT_FDCWD, work_dir, 0700, e);
	if (b->objects < 0 || b->work < 0)
		return -1;
	if (b->closure && (mkdirat(b->work, JAIL_EVEN, 0700) < 0 ||
			   mkdirat(b->work, JAIL_ODD, 0700) < 0))
		return err_sys(e, "a work folder");
	b->root = open_folder(b->work, "root", 0755, e);
	b->tmps[TMP_TMP] = open_folder(b->work, "tmp", 01777, e);
	b->tmps[TMP_VAR] = open_folder(b->work, "vartmp", 01777, e);
	b->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	b->real_project = open(b->project, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (b->real_project < 0)
		return err_sys(e, "%s", b->project);
	return b->root < 0 || b->tmps[0] < 0 || b->tmps[1] < 0 ? -1 : 0;
}

/* In a new user namespace this process is nobody until it says which one of
 * the outside it is: the same. */
static int map_ids(uid_t uid, gid_t gid, struct err *e)
{
	struct { const char *path; char text[48]; } maps[] = {
		{ .path = "/proc/self/setgroups", .text = "deny" },
		{ .path = "/proc/self/uid_map" },
		{ .path = "/proc/self/gid_map" },
	};

	snprintf(maps[1].text, sizeof maps[1].text, "%u %u 1", uid, uid);
	snprintf(maps[2].text, sizeof maps[2].text, "%u %u 1", gid, gid);
	for (int i = 0; i < 3; i++) {
		int fd = open(maps[i].path, O_WRONLY | O_CLOEXEC);
		size_t n = strlen(maps[i].text);

		if (fd < 0 || write(fd, maps[i].text, n) != (ssize_t)n)
			return err_sys(e, "%s", maps[i].path);
		close(fd);
	}
	return 0;
}

static int raise_loopback(struct err *e)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return err_sys(e, "loopback network");
	rc = ioctl(fd, SIOCGIFFLAGS, &r);
	r.ifr_flags |= IFF_UP;
	if (rc == 0)
		rc = ioctl(fd, SIOCSIFFLAGS, &r);
	if (rc < 0)
		err_sys(e, "loopback network");
	close(fd);
	return rc;
}

/* What even root's program may do.  Everything else could reach out of the
 * cell: mounts, devices, modules, other processes, raw network. */
static void drop_powers(void)
{
	static const int kept[] = {
		CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL,
		CAP_SETGID, CAP_SETUID, CAP_NET_BIND_SERVICE,
	};

	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool keeps = false;

		for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
			keeps |= cap == kept[i];
		if (!keeps)             /* not permitted: there is none to drop */
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

struct level {
	unsigned walls;
	int flags;
};

static const struct level levels[] = {
	{ WALL_MOUNT | WALL_PID | WALL_NET | WALL_MISC,
	  CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS },
	{ WALL_MOUNT | WALL_PID | WALL_MISC,
	  CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS },
	{ WALL_MOUNT | WALL_NET | WALL_MISC,
	  CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS },
	{ WALL_MOUNT, CLONE_NEWNS },
	{ WALL_NET, CLONE_NEWNET },
	{ 0, 0 },
};

/* One try to get behind a level's walls. */
struct attempt {
	struct sandbox *box;
	int (*inside)(void *arg);
	void *arg;
	struct err *e;
	uid_t uid;
	gid_t gid;
	int flags;
	bool has_failed;
};

static int build(struct attempt *t)
{
	struct sandbox *b = t->box;
	struct err *e = t->e;

	if ((t->flags & CLONE_NEWUSER) && map_ids(t->uid, t->gid, e) < 0)
		return -1;
	if ((b->walls & WALL_NET) && raise_loopback(e) < 0)
		return -1;
	if ((b->walls & WALL_MISC) && sethostname("localhost", 9) < 0)
		return err_sys(e, "host name");
	if (view_make(b, e) < 0)
		return -1;
	if (b->closure && (b->walls & WALL_MOUNT) && jail_make(b, NULL, 0, e) < 0)
		return -1;
	if (!(b->walls & WALL_PID) && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_sys(e, "looking after left-over processes");
	drop_powers();
	/* Last, for a change of credentials takes it back. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_sys(e, "ending with gg");
	return 0;
}

static int enter(void *arg)
{
	struct attempt *t = arg;

	t->has_failed = build(t) < 0;
	return t->has_failed ? 1 : t->inside(t->arg);
}

/* The inside shares this process's memory, and this process sleeps until the
 * inside is gone (vfork), so that the store opened here serves there: its
 * place among the readers is held under this pid, which means something to
 * the other processes; inside, every cell is pid 1. */
static int try_level(struct attempt *t, char *stack)
{
	int flags = t->flags | CLONE_VM | CLONE_VFORK | SIGCHLD, status = 0;
	pid_t pid = clone(enter, stack + STACK_BYTES, flags, t);

	t->has_failed |= pid < 0;
	if (pid < 0)
		return err_sys(t->e, "own name spaces");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(t->e, "waiting for the inside of a cell");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int sandbox_enter(struct sandbox *b, int (*inside)(void *arg), void *arg,
		  struct err *e)
{
	struct attempt t = { .box = b, .inside = inside, .arg = arg, .e = e,
			   .uid = geteuid(), .gid = getegid() };
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (stack == MAP_FAILED)
		return err_sys(e, "memory for a cell");
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		unsigned less = b->uses_network ? WALL_NET : 0;

		/* Root needs no user namespace, but may be a root that is not
		 * permitted to mount. */
		for (int user = t.uid == 0 ? 0 : 1; user < 2; user++) {
			int status;

			b->walls = levels[i].walls & ~less;
			t.flags = levels[i].flags & ~(less ? CLONE_NEWNET : 0);
			t.flags |= user && t.flags ? CLONE_NEWUSER : 0;
			t.has_failed = false;
			status = try_level(&t, stack);
			if (!t.has_failed)
				return status;
			if (!b->why[0])
				snprintf(b->why, sizeof b->why, "%.200s", e->text);
		}
	}
	return -1;
}

/* Children by looking through /proc: only where there is no namespace that
 * names them all at once. */
static void kill_children(void)
{
	DIR *d = opendir("/proc");
	struct dirent *ent;
	struct process p;

	while (d && (ent = readdir(d))) {
		pid_t pid = (pid_t)atol(ent->d_name);

		if (pid > 0 && process_read(pid, &p) && p.parent == getpid())
			kill(pid, SIGKILL);
	}
	if (d)
		closedir(d);
}

void sandbox_kill_all(const struct sandbox *b, pid_t group)
{
	if (b->walls & WALL_PID)
		kill(-1, SIGKILL);
	else
		kill(-group, SIGKILL);
	for (;;) {
		if (!(b->walls & WALL_PID))
			kill_children();
		if (wait4(-1, NULL, __WALL, NULL) < 0 && errno != EINTR)
			return;
	}
}
