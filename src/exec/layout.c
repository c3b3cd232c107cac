/* layout.c - the private folder: from what stands there to what is wanted
 *
 * Two sorted lists are merged.  What both hold stays, the rest goes or comes,
 * so that the cost of a thunk is that of its differences.  Everything is done
 * through the original mount; a thunk has no process left by then, and the
 * walk that tidies has seen to it that every folder in the list is a folder.
 */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>
#include "file.h"

/* Stamps of older kernels move with the clock tick, 10 ms at most. */
#define TICK_NS INT64_C(12000000)

/* ---- going */

static int unbind(const struct cell *c, const char *path)
{
	char name[40];
	int fd = beneath_open(c->box.seen_root_fd, path, O_PATH, 0), rc;

	if (fd < 0)
		return -1;
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	rc = umount2(name, MNT_DETACH);
	close(fd);
	return rc;
}

static int take_away(struct cell *c, const struct item *it, struct err *e)
{
	struct stat st;

	if (it->is_mount && unbind(c, it->path) < 0)
		return err_sys(e, "cannot take %s away", it->path);
	if (it->kind == ITEM_FILE &&
	    fstatat(c->box.root, it->path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    spare_put(c, c->box.root, it->path, &st))
		return 0;
	if (unlinkat(c->box.root, it->path, it->kind == ITEM_DIR ? AT_REMOVEDIR : 0) < 0 &&
	    errno != ENOENT)
		return err_sys(e, "cannot remove %s", it->path);
	return 0;
}

static bool is_same(const struct item *a, const struct item *b)
{
	if (!a->is_laid || a->kind != b->kind || a->is_exec != b->is_exec ||
	    a->is_writable || b->is_writable)
		return false;
	if (a->kind == ITEM_DIR)
		return true;
	if (a->kind == ITEM_LINK)
		return strcmp(a->target, b->target) == 0;
	return id_equal(&a->id, &b->id);
}

static const struct item *find(const struct layout *l, struct bytes path)
{
	size_t i = items_find(l, path);

	return i < l->n && bytes_equal(bytes_str(l->v[i].path), path) ? &l->v[i] : NULL;
}

/* An old file may wait where it is to become a new one, when its folder stays
 * and nothing new comes to its path. */
static bool may_wait(struct cell *c, const struct item *it, bool is_needed)
{
	const char *slash = strrchr(it->path, '/');
	struct bytes above = { it->path, slash ? (size_t)(slash - it->path) : 0 };
	const struct item *old, *new;

	if (it->kind != ITEM_FILE || it->is_mount || is_needed)
		return false;
	if (slash) {
		old = find(c->now, above);
		new = find(c->next, above);
		if (!old || !new || !is_same(old, new))
			return false;
	}
	return spare_wait(c, it);
}

/* Mark in next what stays, and remove the rest of now, inner things first. */
static int keep_common(struct cell *c, struct err *e)
{
	size_t i = c->now->n, j = c->next->n;

	while (i) {
		struct item *old = &c->now->v[i - 1], *new = j ? &c->next->v[j - 1] : NULL;
		int order = new ? strcmp(old->path, new->path) : 1;

		if (order < 0) {
			j--;
			continue;
		}
		i--;
		if (order == 0 && is_same(old, new)) {
			new->is_laid = true;
			new->is_mount = old->is_mount;
			new->stamp = old->stamp;
		} else if (old->is_laid && !may_wait(c, old, order == 0) &&
			   take_away(c, old, e) < 0) {
			return -1;
		}
	}
	return 0;
}

/* ---- coming */

static int fill_large(struct cell *c, struct item *it, int large, int fd,
		      struct err *e)
{
	if (!c->has_no_reflink && ioctl(fd, FICLONE, large) == 0)
		return 0;
	c->has_no_reflink = true;
	if (!it->is_exec && !it->is_writable && (c->box.walls & WALL_MOUNT)) {
		struct object_path p = store_object_path(&it->id);
		int seen = openat(c->box.seen_objects, p.s, O_PATH | O_CLOEXEC);

		it->is_mount = seen >= 0 &&
			view_bind(seen, c->box.seen_root_fd, it->path) == 0;
		if (seen >= 0)
			close(seen);
	}
	return it->is_mount ? 0 : file_copy_fd(large, fd, e);
}

static int lay_file(struct cell *c, struct item *it, struct err *e)
{
	mode_t mode = (it->is_writable ? 0644 : 0444) | (it->is_exec ? 0111 : 0);
	int large, fd = -1, rc = 0;
	struct bytes b;
	struct stat st;

	if (cell_object_open(c, &it->id, &b, &large, e) < 0)
		return err_wrap(e, "input %s", it->path);
	if (large < 0)
		fd = spare_take(c, b, mode, it->path);
	if (fd < 0) {
		fd = openat(c->box.root, it->path, O_WRONLY | O_CREAT | O_EXCL |
			    O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd < 0)
			rc = err_sys(e, "cannot lay out %s", it->path);
		else if (large >= 0)
			rc = fill_large(c, it, large, fd, e);
		else if (file_write_fd(fd, b.p, b.n) < 0)
			rc = err_sys(e, "cannot write %s", it->path);
	}
	if (rc == 0 && fstat(fd, &st) < 0)
		rc = err_sys(e, "%s", it->path);
	if (fd >= 0 && close(fd) < 0 && rc == 0)
		rc = err_sys(e, "%s", it->path);
	if (large >= 0)
		close(large);
	it->is_laid = rc == 0;
	if (it->is_laid)
		it->stamp = stamp_of(&st);
	return rc;
}

static int lay(struct cell *c, struct item *it, struct err *e)
{
	struct stat st;

	if (it->kind == ITEM_FILE)
		return lay_file(c, it, e);
	if (it->kind == ITEM_DIR && mkdirat(c->box.root, it->path, 0755) < 0)
		return err_sys(e, "cannot make the folder %s", it->path);
	if (it->kind == ITEM_LINK) {
		if (symlinkat(it->target, c->box.root, it->path) < 0 ||
		    fstatat(c->box.root, it->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, "cannot make the link %s", it->path);
		it->stamp = stamp_of(&st);
	}
	it->is_laid = true;
	return 0;
}

static int lay_missing(struct cell *c, struct err *e)
{
	for (size_t i = 0; i < c->now->n; i++)
		if (!c->now->v[i].is_laid && lay(c, &c->now->v[i], e) < 0)
			return -1;
	return 0;
}

int layout_make(struct cell *c, struct err *e)
{
	struct layout *old = c->now;
	struct err other;
	int rc;

	if (items_want(c, e) < 0)
		return -1;
	rc = keep_common(c, e);
	if (rc == 0) {
		c->now = c->next;
		c->next = old;
		rc = lay_missing(c, e);
	} else {
		c->is_spoiled = true;
	}
	/* What still waits lends its path from the old list. */
	if (spare_settle(c, rc < 0 ? &other : e) < 0) {
		c->is_spoiled = true;
		return -1;
	}
	return rc;
}

/* ---- what a run did to it */

static bool has_same_bytes(const struct cell *c, const struct item *it)
{
	int fd = beneath_open(c->box.root, it->path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;
	struct err e;
	struct id id;
	uint64_t n;
	bool same;

	if (fd < 0)
		return false;
	same = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		id_of_fd(fd, &id, &n, &e) == 0 && id_equal(&id, &it->id);
	close(fd);
	return same;
}

/* Stamps that differ, or are too young to tell, are settled by the bytes: a
 * program may touch or link its input.  What it touched is laid out anew. */
static bool has_changed(const struct cell *c, struct item *it, int64_t young_ns)
{
	struct stamp s;
	struct stat st;
	bool same;

	if (fstatat(c->box.root, it->path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		it->is_laid = it->is_mount;
		return true;
	}
	s = stamp_of(&st);
	same = stamp_equal(&s, &it->stamp);
	if (it->is_mount || (same && (c->has_fine_stamps || s.ctime_ns < young_ns)))
		return !same;
	it->is_laid = same;
	if (it->kind == ITEM_FILE && has_same_bytes(c, it))
		return false;
	it->is_laid = false;
	return true;
}

const char *layout_changed(struct cell *c)
{
	const char *first = NULL;
	struct timespec now;
	int64_t young_ns;

	clock_gettime(CLOCK_REALTIME, &now);
	young_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec -
		(int64_t)(c->report.seconds * 1e9) - TICK_NS;
	for (size_t i = 0; i < c->now->n; i++) {
		struct item *it = &c->now->v[i];

		if (it->kind != ITEM_DIR && it->is_laid && !it->is_writable &&
		    has_changed(c, it, young_ns) && !first)
			first = it->path;
	}
	return first;
}
