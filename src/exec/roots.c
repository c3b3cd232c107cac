/* roots.c - closures as folders, kept between runs
 *
 *     roots/lock          held while a folder is made or looked at
 *     roots/boot          since which start of the machine all of this stands
 *     roots/files/ID[.x]  each content once, with and without the right to run
 *     roots/ID/           a closure: folders, symlinks, hard links to files
 *
 * Machines upgrade their files in place of each other, so that a folder of
 * links to them would not stay what it is; it is copied, or cloned where the
 * file system can.  What stands has one mtime, files and folders alike, that
 * nobody who changes them keeps: that is what is looked at before it is used.
 * A folder appears by rename when it is whole; a file that is in no such folder
 * may have been cut short and goes.  Nothing waits for the disk: what was made
 * before the machine was last started is made anew.
 */
#include "roots.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>
#include "cell.h"
#include "closure.h"
#include "file.h"

#define FILES "files"
#define NEW "new"
#define BOOT "boot"
#define PART FILES "/part"

enum { MARK_TIME = 1, BOOT_ID_MAX = 256 };

static const struct timespec mark_times[2] = {
	{ .tv_nsec = UTIME_OMIT }, { .tv_sec = MARK_TIME },
};

struct making {
	struct store *s;
	struct err *e;
	int roots, top;                 /* .gg/roots; the folder that is made */
	bool differs;
};

/* What stands for folders that were listed is for whoever makes closures. */
static bool is_no_file(const char *path)
{
	return strcmp(path, CLOSURE_NAMES) == 0;
}

/* ---- one that stands */

static bool is_marked(int fd, const char *path, mode_t mode)
{
	struct stat st;

	return fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mode == mode &&
		st.st_mtim.tv_sec == MARK_TIME && st.st_mtim.tv_nsec == 0;
}

static bool is_link_to(int fd, const char *path, const char *target)
{
	char text[4097];
	ssize_t n = readlinkat(fd, path, text, sizeof text - 1);

	return n >= 0 && (size_t)n == strlen(target) && memcmp(text, target, (size_t)n) == 0;
}

static int look_at(void *arg, const char *path, const struct entry *ent)
{
	static const mode_t modes[] = {
		[ENTRY_FILE] = S_IFREG | 0444, [ENTRY_EXEC] = S_IFREG | 0555,
		[ENTRY_TREE] = S_IFDIR | 0755,
	};
	struct making *m = arg;

	if (is_no_file(path))
		return 0;
	m->differs = ent->kind == ENTRY_LINK ? !is_link_to(m->top, path, ent->target) :
		!is_marked(m->top, path, modes[ent->kind]);
	return m->differs;
}

static int stands(struct making *m, const struct id *closure, struct err *e)
{
	int rc;

	m->differs = !is_marked(m->top, ".", S_IFDIR | 0755);
	for (const struct closure_fixed *f = closure_fixed; f->path && !m->differs; f++)
		m->differs = !is_marked(m->top, f->path + 1, S_IFREG | 0444);
	rc = m->differs ? 0 : closure_each(m->s, closure, look_at, m, e);
	return rc < 0 ? -1 : !m->differs;
}

/* ---- making one */

static int copy_whole(int in, int out, struct err *e)
{
	struct stat before, after;
	struct stamp a, b;

	if (fstat(in, &before) < 0 || file_copy_fd(in, out, e) < 0)
		return -1;
	if (fstat(in, &after) < 0)
		return err_sys(e, "a file of the closure");
	a = stamp_of(&before);
	b = stamp_of(&after);
	return stamp_equal(&a, &b) ? 0 :
		err_set(e, ERR_RETRY, "it changed while it was read: try again");
}

static int make_file(struct making *m, const char *path, const struct entry *ent,
		     const char *name, struct err *e)
{
	mode_t mode = ent->kind == ENTRY_EXEC ? 0555 : 0444;
	int in = -1, out, rc;

	if (closure_open(m->s, path, &ent->id, &in, e) < 0)
		return -1;
	out = openat(m->roots, PART, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	rc = out < 0 ? err_sys(e, "/%s", path) : copy_whole(in, out, e);
	if (rc == 0 && (fchmod(out, mode) < 0 || futimens(out, mark_times) < 0 ||
			renameat(m->roots, PART, m->roots, name) < 0))
		rc = err_sys(e, "/%s", path);
	close(in);
	if (out >= 0 && close(out) < 0 && rc == 0)
		rc = err_sys(e, "/%s", path);
	return rc;
}

static int lay_file(struct making *m, const char *path, const struct entry *ent,
		    struct err *e)
{
	char name[sizeof FILES + ID_HEX + 4];
	bool is_exec = ent->kind == ENTRY_EXEC;

	snprintf(name, sizeof name, FILES "/%s%s", id_hex(&ent->id).s, is_exec ? ".x" : "");
	if (is_marked(m->roots, name, S_IFREG | (is_exec ? 0555 : 0444))) {
		if (linkat(m->roots, name, m->top, path, 0) == 0)
			return 0;
		if (errno != EMLINK)
			return err_sys(e, "/%s", path);
	}
	if (make_file(m, path, ent, name, e) < 0)
		return -1;
	return linkat(m->roots, name, m->top, path, 0) < 0 ? err_sys(e, "/%s", path) : 0;
}

/* gg has gone while this process was copying. */
static bool is_alone(void)
{
	struct pollfd p = { .fd = CELL_FD, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP);
}

static int lay_entry(void *arg, const char *path, const struct entry *ent)
{
	struct making *m = arg;

	if (is_no_file(path))
		return 0;
	if (ent->kind == ENTRY_TREE)
		return mkdirat(m->top, path, 0755) < 0 ? err_sys(m->e, "/%s", path) : 0;
	if (ent->kind == ENTRY_LINK) {
		if (!tree_link_is_inside(path, ent->target))
			return err_set(m->e, ERR_BAD, "the link /%s leaves the closure", path);
		return symlinkat(ent->target, m->top, path) < 0 ?
			err_sys(m->e, "/%s", path) : 0;
	}
	if (is_alone())
		return err_set(m->e, ERR_REFUSED, "stopped");
	return lay_file(m, path, ent, m->e);
}

/* After all that changes a folder: a name made in it is a change. */
static int mark_folder(void *arg, const char *path, const struct entry *ent)
{
	struct making *m = arg;

	if (ent->kind != ENTRY_TREE || utimensat(m->top, path, mark_times, 0) == 0)
		return 0;
	return err_sys(m->e, "/%s", path);
}

static int lay_fixed(struct making *m, struct err *e)
{
	for (const struct closure_fixed *f = closure_fixed; f->path; f++) {
		const char *path = f->path + 1;

		if (dir_make_above(m->top, path, e) < 0 ||
		    file_write(m->top, path, bytes_str(f->text), 0444, 0, e) < 0)
			return -1;
		if (utimensat(m->top, path, mark_times, 0) < 0)
			return err_sys(e, "%s", f->path);
	}
	return 0;
}

static int lay_all(struct making *m, const struct id *closure, struct err *e)
{
	if (closure_each(m->s, closure, lay_entry, m, e) != 0 || lay_fixed(m, e) < 0 ||
	    closure_each(m->s, closure, mark_folder, m, e) != 0)
		return -1;
	if (fchmod(m->top, 0755) < 0 || futimens(m->top, mark_times) < 0)
		return err_sys(e, "the folder of a closure");
	return 0;
}

/* Files that no folder has. */
static int sweep_files(struct making *m, struct err *e)
{
	DIR *d = dir_names(m->roots, FILES, 0);
	struct dirent *ent;
	struct stat st;

	if (!d)
		return err_sys(e, "roots/" FILES);
	while ((ent = dir_next(d)))
		if (fstatat(dirfd(d), ent->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_nlink == 1)
			unlinkat(dirfd(d), ent->d_name, 0);
	closedir(d);
	return 0;
}

static int open_folder(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int make(struct making *m, const struct id *closure, struct err *e)
{
	const struct id_hex name = id_hex(closure);

	if (dir_remove(m->roots, NEW, e) < 0 || dir_make(m->roots, FILES, e) < 0 ||
	    sweep_files(m, e) < 0 || dir_make(m->roots, NEW, e) < 0)
		return -1;
	m->top = open_folder(m->roots, NEW);
	if (m->top < 0)
		return err_sys(e, "roots/" NEW);
	if (lay_all(m, closure, e) < 0)
		return -1;
	if (dir_remove(m->roots, name.s, e) < 0)
		return -1;
	return renameat(m->roots, NEW, m->roots, name.s) < 0 ?
		err_sys(e, "roots/%s", name.s) : 0;
}

/* All that is in roots but the lock. */
static int remove_all(struct making *m, struct err *e)
{
	DIR *d = dir_names(m->roots, ".", 0);
	struct dirent *ent;
	int rc = 0;

	if (!d)
		return err_sys(e, "roots");
	while (rc == 0 && (ent = readdir(d)))
		if (ent->d_name[0] != '.' && strcmp(ent->d_name, "lock") != 0)
			rc = dir_remove(m->roots, ent->d_name, e);
	closedir(d);
	return rc;
}

static int begin_boot(struct making *m, struct err *e)
{
	static const char now_path[] = "/proc/sys/kernel/random/boot_id";
	struct arena a = { 0 };
	struct bytes now, then;
	struct err ignored;
	int rc = file_read(AT_FDCWD, now_path, BOOT_ID_MAX, &a, &now, e);

	if (rc == 0 && (file_read(m->roots, BOOT, BOOT_ID_MAX, &a, &then, &ignored) < 0 ||
			!bytes_equal(now, then))) {
		rc = remove_all(m, e);
		if (rc == 0)
			rc = file_write(m->roots, BOOT, now, 0644, 0, e);
	}
	arena_release(&a);
	return rc;
}

static int find_or_make(struct making *m, const struct id *closure, struct err *e)
{
	int rc = 0;

	m->top = open_folder(m->roots, id_hex(closure).s);
	if (m->top >= 0) {
		rc = stands(m, closure, e);
		if (rc)
			return rc < 0 ? -1 : 0;
		close(m->top);
	}
	return make(m, closure, e);
}

/* roots/ and its lock; *lock is -1 after a failure. */
static int open_roots(const char *path, int *roots, int *lock, struct err *e)
{
	*roots = open_folder(AT_FDCWD, path);
	*lock = *roots < 0 ? -1 : openat(*roots, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (*lock >= 0 && flock(*lock, LOCK_EX) == 0)
		return 0;
	err_sys(e, "%s", path);
	if (*roots >= 0)
		close(*roots);
	if (*lock >= 0)
		close(*lock);
	return -1;
}

int root_make(struct store *s, const char *store_dir, const struct id *closure,
	      int *fd, struct err *e)
{
	struct making m = { .s = s, .e = e, .roots = -1, .top = -1 };
	struct arena a = { 0 };
	const char *path = arena_printf(&a, "%s/roots", store_dir);
	int lock = -1, rc = dir_make(AT_FDCWD, path, e);

	if (rc == 0)
		rc = open_roots(path, &m.roots, &lock, e);
	if (rc == 0) {
		rc = begin_boot(&m, e);
		if (rc == 0)
			rc = find_or_make(&m, closure, e);
		close(lock);
		close(m.roots);
	}
	if (rc == 0)
		*fd = m.top;
	else
		err_wrap(e, "--hermetic");
	if (rc < 0 && m.top >= 0)
		close(m.top);
	arena_release(&a);
	return rc;
}

int roots_sweep(const char *store_dir,
		bool (*is_kept)(void *arg, const struct id *closure), void *arg,
		struct err *e)
{
	struct making m = { .e = e };
	struct arena a = { 0 };
	const char *path = arena_printf(&a, "%s/roots", store_dir);
	DIR *d = opendir(path);
	struct dirent *ent;
	struct id id;
	int lock, rc = 0;

	if (d && open_roots(path, &m.roots, &lock, e) == 0) {
		while (rc == 0 && (ent = readdir(d)))
			if (strcmp(ent->d_name, NEW) == 0 ||
			    (id_parse(bytes_str(ent->d_name), &id) && !is_kept(arg, &id)))
				rc = dir_remove(m.roots, ent->d_name, e);
		if (rc == 0 && faccessat(m.roots, FILES, F_OK, 0) == 0)
			rc = sweep_files(&m, e);
		close(lock);
		close(m.roots);
	} else if (d) {
		rc = -1;
	}
	if (d)
		closedir(d);
	arena_release(&a);
	return rc;
}
