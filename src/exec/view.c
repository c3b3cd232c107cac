/* view.c - the file system as the inside of a cell sees it
 *
 * Everything is the machine's own, read-only, but for the project's root and
 * the folders for temporary files, which are private.  Sources of binds are
 * named as /proc/self/fd/N, so that it does not matter what covers what.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "file.h"

struct fd_path fd_path(int fd)
{
	struct fd_path p;

	snprintf(p.s, sizeof p.s, "/proc/self/fd/%d", fd);
	return p;
}

static int open_seen(const char *path)
{
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* The cell's folders as paths lead to them, before anything is covered. */
struct sources {
	int root, tmp, var;
};

/* Bind a folder of ours over target.  A target that is not there, or is a
 * symlink, needs no cover. */
static int cover(int fd, const char *target, struct err *e)
{
	struct stat st;

	if (lstat(target, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	if (mount(fd_path(fd).s, target, NULL, MS_BIND, NULL) < 0)
		return err_sys(e, "private %s", target);
	return 0;
}

/* The private root, at the project's own path, which may lie in a folder for
 * temporary files and is then made there. */
static int cover_project(struct sandbox *b, int root, struct err *e)
{
	static const char *const tmps[] = { "/tmp", "/var/tmp" };
	const char *p = b->project;

	if (p[1] == '\0')
		return err_set(e, ERR_REFUSED, "the project is the whole machine");
	for (int i = 0; i < 2; i++) {
		size_t n = strlen(tmps[i]);

		if (strlen(p) > n && path_is_below(tmps[i], p) &&
		    dir_make(b->tmps[i], p + n + 1, e) < 0)
			return -1;
	}
	if (b->shm >= 0 && path_is_below("/dev/shm", p) &&
	    dir_make(b->shm, p + sizeof "/dev/shm", e) < 0)
		return -1;
	if (mount(fd_path(root).s, p, NULL, MS_BIND, NULL) < 0)
		return err_sys(e, "private %s", p);
	return 0;
}

static int cover_shm(struct sandbox *b, struct err *e)
{
	struct stat st;

	if (lstat("/dev/shm", &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	if (mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0)
		return err_sys(e, "private /dev/shm");
	b->shm = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return b->shm < 0 ? err_sys(e, "private /dev/shm") : 0;
}

static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++, out++) {
		*out = *s;
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*out = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
				      (s[3] - '0'));
			s += 3;
		}
	}
	*out = '\0';
}

/* For kernels before 5.12: each mount by itself, with the flags it has. */
static int freeze_each(struct err *e)
{
	struct arena a = { 0 };
	struct bytes all;
	char *save = NULL;

	if (file_read(AT_FDCWD, "/proc/self/mountinfo", 1 << 26, &a, &all, e) < 0)
		return -1;
	for (char *line = strtok_r(arena_strn(&a, all.p, all.n), "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char at[4097];
		struct statvfs st;
		unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY;

		if (sscanf(line, "%*s %*s %*s %*s %4096s", at) != 1)
			continue;
		unescape(at);
		if (statvfs(at, &st) < 0)       /* covered: cannot be reached */
			continue;
		flags |= st.f_flag & ST_NOSUID ? MS_NOSUID : 0;
		flags |= st.f_flag & ST_NODEV ? MS_NODEV : 0;
		flags |= st.f_flag & ST_NOEXEC ? MS_NOEXEC : 0;
		flags |= st.f_flag & ST_NOATIME ? MS_NOATIME : 0;
		flags |= st.f_flag & ST_NODIRATIME ? MS_NODIRATIME : 0;
		flags |= st.f_flag & ST_RELATIME ? MS_RELATIME : 0;
		if (mount(NULL, at, NULL, flags, NULL) < 0 && errno != EINVAL &&
		    errno != ENOENT && errno != EACCES) {
			arena_release(&a);
			return err_sys(e, "cannot make %s read-only", at);
		}
	}
	arena_release(&a);
	return 0;
}

static int thaw(const char *path, bool is_new, struct err *e)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY };
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	if (is_new && mount_setattr(AT_FDCWD, path, 0, &attr, sizeof attr) < 0)
		return err_sys(e, "private %s", path);
	if (!is_new && mount(NULL, path, NULL, MS_REMOUNT | MS_BIND, NULL) < 0)
		return err_sys(e, "private %s", path);
	return 0;
}

/* All of it read-only, then what is private writable again. */
static int freeze(struct sandbox *b, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	bool is_new = mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr,
				    sizeof attr) == 0;

	if (!is_new && errno != ENOSYS && errno != EINVAL && errno != EPERM)
		return err_sys(e, "cannot make the file system read-only");
	if (!is_new && freeze_each(e) < 0)
		return -1;
	if (thaw("/tmp", is_new, e) < 0 || thaw("/var/tmp", is_new, e) < 0 ||
	    (b->shm >= 0 && thaw("/dev/shm", is_new, e) < 0))
		return -1;
	return thaw(b->project, is_new, e);
}

static int mount_own(struct sandbox *b, const struct sources *from, struct err *e)
{
	struct stat st;

	if (cover(from->tmp, "/tmp", e) < 0 || cover(from->var, "/var/tmp", e) < 0)
		return -1;
	if (!path_is_below(b->project, b->store_dir) &&
	    lstat(b->store_dir, &st) == 0 &&
	    mount("none", b->store_dir, "tmpfs", MS_RDONLY, "size=4k,mode=555") < 0)
		return err_sys(e, "cannot hide %s", b->store_dir);
	if (cover_shm(b, e) < 0 || cover_project(b, from->root, e) < 0)
		return -1;
	/* The old /proc is of the other processes; binds went by it. */
	if ((b->walls & WALL_PID) &&
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return err_sys(e, "own /proc");
	return freeze(b, e);
}

static int view_plain(struct sandbox *b, struct err *e)
{
	struct buf s = { 0 };

	buf_printf(&s, "%s/root", b->work_dir);
	b->seen_root = mem_str(s.p);
	buf_reset(&s);
	buf_printf(&s, "%s/tmp", b->work_dir);
	b->tmp = mem_str(s.p);
	buf_release(&s);
	b->seen_root_fd = b->root;
	b->seen_objects = b->objects;
	(void)e;
	return 0;
}

static int open_sources(struct sandbox *b, struct sources *from, struct err *e)
{
	struct arena a = { 0 };

	b->seen_work = open_seen(b->work_dir);
	b->seen_objects = open_seen(arena_printf(&a, "%s/objects", b->store_dir));
	if (b->closure)
		b->closure_root = open_seen(arena_printf(&a, "%s/roots/%s", b->store_dir,
							 b->closure));
	from->root = open_seen(arena_printf(&a, "%s/root", b->work_dir));
	from->tmp = open_seen(arena_printf(&a, "%s/tmp", b->work_dir));
	from->var = open_seen(arena_printf(&a, "%s/vartmp", b->work_dir));
	arena_release(&a);
	if (b->seen_work < 0 || b->seen_objects < 0 || from->root < 0 ||
	    from->tmp < 0 || from->var < 0 || (b->closure && b->closure_root < 0))
		return err_sys(e, "%s", b->work_dir);
	return 0;
}

int view_make(struct sandbox *b, struct err *e)
{
	struct sources from;

	if (!(b->walls & WALL_MOUNT))
		return view_plain(b, e);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "own mounts");
	if (open_sources(b, &from, e) < 0 || mount_own(b, &from, e) < 0)
		return -1;
	close(from.root);
	close(from.tmp);
	close(from.var);
	b->seen_root = b->project;
	b->tmp = "/tmp";
	b->seen_root_fd = open_seen(b->project);
	return b->seen_root_fd < 0 ? err_sys(e, "%s", b->project) : 0;
}

int view_bind(int fd, int dirfd, const char *path)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int at = openat(dirfd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc;

	if (at < 0)
		return -1;
	rc = mount(fd_path(fd).s, fd_path(at).s, NULL, MS_BIND, NULL);
	close(at);
	if (rc < 0)
		return -1;
	/* What was bound from a frozen mount is frozen; make sure. */
	if (mount_setattr(dirfd, path, AT_SYMLINK_NOFOLLOW, &attr, sizeof attr) < 0 &&
	    errno != ENOSYS)
		return -1;
	return 0;
}
