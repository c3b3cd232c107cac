/* jail.c - a closure as the whole root of the program
 *
 * The cell itself stays where it can see the store.  Beside its own view it
 * arranges a second one: a small file system in memory, into which the folders
 * of the closure are bound.  Where something else has to stand further down
 * (the project, /tmp, /dev), the folders on the way are made there and what
 * else is in them is bound one by one, so that the closure's folder is never
 * written to and shows nothing that is not its own.  The program starts with
 * chroot, without the right to do so again; no descriptor leads out.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "file.h"

struct building {
	const struct sandbox *box;
	struct strs points;             /* what else stands in it, plain paths */
	struct arena arena;
	int top;
};

static int open_at(int dirfd, const char *path)
{
	return openat(dirfd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* Bind what fd is over path below top. */
static int bind_fd(int fd, int top, const char *path, struct err *e)
{
	int at = open_at(top, path), rc = -1;

	if (at >= 0)
		rc = mount(fd_path(fd).s, fd_path(at).s, NULL, MS_BIND | MS_REC, NULL);
	if (rc < 0)
		err_sys(e, "/%s of the closure's root", path);
	if (at >= 0)
		close(at);
	return rc;
}

static int make_file(int top, const char *path, struct err *e)
{
	int fd = openat(top, path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0444);

	if (fd < 0)
		return err_sys(e, "/%s of the closure's root", path);
	close(fd);
	return 0;
}

/* Bind path of the machine as the cell sees it. */
static int bind_path(const char *from, int top, const char *path, struct err *e)
{
	int fd = open(from, O_PATH | O_CLOEXEC), rc;

	if (fd < 0)
		return err_sys(e, "%s", from);
	rc = bind_fd(fd, top, path, e);
	close(fd);
	return rc;
}

/* ---- the closure's own entries */

static bool has_point_at(const struct building *b, const char *path, bool below)
{
	for (size_t i = 0; i < b->points.n; i++)
		if (path_is_below(path, b->points.v[i]) &&
		    (strcmp(path, b->points.v[i]) != 0) == below)
			return true;
	return false;
}

static int show_folder(struct building *b, const char *path, struct err *e);

static int show_link(struct building *b, const char *path, struct err *e)
{
	char target[4097];
	ssize_t n = readlinkat(b->box->closure_root, path, target, sizeof target - 1);

	if (n < 0)
		return err_sys(e, "/%s of the closure", path);
	target[n] = '\0';
	return symlinkat(target, b->top, path) < 0 ? err_sys(e, "/%s", path) : 0;
}

static int show_entry(struct building *b, const char *path, struct err *e)
{
	struct stat st;
	int fd, rc;

	if (has_point_at(b, path, false))
		return 0;
	if (fstatat(b->box->closure_root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "/%s of the closure", path);
	if (S_ISLNK(st.st_mode))
		return show_link(b, path, e);
	if (!S_ISDIR(st.st_mode)) {
		if (make_file(b->top, path, e) < 0)
			return -1;
	} else if (mkdirat(b->top, path, 0755) < 0) {
		return err_sys(e, "/%s of the closure's root", path);
	} else if (has_point_at(b, path, true)) {
		return show_folder(b, path, e);
	}
	fd = open_at(b->box->closure_root, path);
	rc = fd < 0 ? err_sys(e, "/%s of the closure", path) : bind_fd(fd, b->top, path, e);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int show_folder(struct building *b, const char *path, struct err *e)
{
	DIR *d = dir_names(b->box->closure_root, path, 0);
	struct dirent *ent;
	int rc = 0;

	if (!d)
		return err_sys(e, "/%s of the closure", path);
	while (rc == 0 && (ent = dir_next(d)))
		rc = show_entry(b, strcmp(path, ".") == 0 ? ent->d_name :
				arena_printf(&b->arena, "%s/%s", path, ent->d_name), e);
	closedir(d);
	return rc;
}

/* ---- what else is there */

static int make_devices(struct building *b, struct err *e)
{
	static const char *const all[] = { "null", "zero", "full", "random", "urandom" };
	static const struct { const char *to, *at; } links[] = {
		{ "/proc/self/fd", "dev/fd" }, { "fd/0", "dev/stdin" },
		{ "fd/1", "dev/stdout" }, { "fd/2", "dev/stderr" },
		{ "pts/ptmx", "dev/ptmx" },
	};

	if (dir_make(b->top, "dev/shm", e) < 0 || dir_make(b->top, "dev/pts", e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		const char *at = arena_printf(&b->arena, "dev/%s", all[i]);

		if (make_file(b->top, at, e) < 0 ||
		    bind_path(arena_printf(&b->arena, "/%s", at), b->top, at, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (symlinkat(links[i].to, b->top, links[i].at) < 0)
			return err_sys(e, "/%s", links[i].at);
	return b->box->shm < 0 ? 0 : bind_path("/dev/shm", b->top, "dev/shm", e);
}

/* Terminals of its own are for the few programs that want one. */
static void make_terminals(struct building *b)
{
	int fd = open_at(b->top, "dev/pts");

	if (fd >= 0 && mount("devpts", fd_path(fd).s, "devpts", MS_NOSUID | MS_NOEXEC,
			     "newinstance,ptmxmode=0666,mode=0620") < 0)
		unlinkat(b->top, "dev/ptmx", 0);
	if (fd >= 0)
		close(fd);
}

/* The devices of NVIDIA's and the kernel's own GPU drivers. */
static int make_gpus(struct building *b, struct err *e)
{
	DIR *d = opendir("/dev");
	struct dirent *ent;
	int rc = 0;

	while (rc == 0 && d && (ent = readdir(d))) {
		const char *at = arena_printf(&b->arena, "dev/%s", ent->d_name);
		bool is_folder = ent->d_type == DT_DIR;

		if (strncmp(ent->d_name, "nvidia", 6) != 0 &&
		    strcmp(ent->d_name, "dri") != 0 && strcmp(ent->d_name, "kfd") != 0)
			continue;
		rc = is_folder ? dir_make(b->top, at, e) : make_file(b->top, at, e);
		if (rc == 0)
			rc = bind_path(arena_printf(&b->arena, "/%s", at), b->top, at, e);
	}
	if (d)
		closedir(d);
	return rc;
}

static int make_places(struct building *b, const struct jail_file *files, size_t n,
		       struct err *e)
{
	static const char *const folders[] = { "proc", "tmp", "var/tmp" };

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (dir_make(b->top, folders[i], e) < 0 ||
		    bind_path(arena_printf(&b->arena, "/%s", folders[i]), b->top,
			      folders[i], e) < 0)
			return -1;
	if (make_devices(b, e) < 0 || (b->box->uses_gpus && make_gpus(b, e) < 0))
		return -1;
	make_terminals(b);
	/* Below /tmp it has been made already, by the cell's own view. */
	if (dir_make(b->top, b->box->project + 1, e) < 0 ||
	    bind_fd(b->box->seen_root_fd, b->top, b->box->project + 1, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (dir_make_above(b->top, files[i].path + 1, e) < 0 ||
		    make_file(b->top, files[i].path + 1, e) < 0 ||
		    bind_fd(files[i].fd, b->top, files[i].path + 1, e) < 0)
			return -1;
	return 0;
}

/* ---- the whole */

static int freeze_top(int top, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (mount_setattr(top, "", AT_EMPTY_PATH, &attr, sizeof attr) == 0)
		return 0;
	if (errno == ENOSYS && mount(NULL, fd_path(top).s, NULL,
				     MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0)
		return 0;
	return err_sys(e, "cannot make the closure's root read-only");
}

static int mount_top(const struct sandbox *b, const char *name, struct err *e)
{
	int at = open_at(b->seen_work, name), top = -1;

	if (at >= 0 && mount("closure", fd_path(at).s, "tmpfs", MS_NOSUID | MS_NODEV,
			     "mode=755") == 0)
		top = openat(b->seen_work, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		err_sys(e, "the closure's root");
	if (at >= 0)
		close(at);
	return top;
}

static int build(struct building *b, const struct jail_file *files, size_t n,
		 struct err *e)
{
	static const char *const own[] = { "proc", "dev", "tmp", "var/tmp" };

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		strs_add(&b->points, own[i]);
	strs_add(&b->points, b->box->project + 1);
	for (size_t i = 0; i < n; i++)
		strs_add(&b->points, files[i].path + 1);
	if (show_folder(b, ".", e) < 0 || make_places(b, files, n, e) < 0)
		return -1;
	return freeze_top(b->top, e);
}

/* Go over to the new root and take the old one away. */
static int move_in(struct sandbox *b, int top, struct err *e)
{
	char path[4096];
	ssize_t n = readlink(fd_path(top).s, path, sizeof path - 1);
	int root = openat(top, b->project + 1, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (n < 0 || root < 0)
		return err_sys(e, "the closure's root");
	path[n] = '\0';
	if (b->jail >= 0 && umount2(fd_path(b->jail).s, MNT_DETACH) < 0) {
		close(root);
		return err_sys(e, "the closure's root");
	}
	if (b->jail >= 0)
		close(b->jail);
	close(b->seen_root_fd);
	free(b->jail_path);
	b->jail_path = mem_str(path);
	b->seen_root_fd = root;
	b->jail = top;
	b->n_jails++;
	return 0;
}

int jail_make(struct sandbox *b, const struct jail_file *files, size_t n, struct err *e)
{
	const char *name = b->n_jails % 2 ? JAIL_ODD : JAIL_EVEN;
	struct building k = { .box = b, .top = mount_top(b, name, e) };
	int rc = k.top < 0 ? -1 : build(&k, files, n, e);

	if (rc == 0)
		rc = move_in(b, k.top, e);
	if (rc < 0 && k.top >= 0) {
		umount2(fd_path(k.top).s, MNT_DETACH);
		close(k.top);
	}
	strs_release(&k.points);
	arena_release(&k.arena);
	return rc;
}

int jail_open(const struct sandbox *b, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, b->jail, path, &how, sizeof how);
}
