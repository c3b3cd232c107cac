/* tidy.c - after a thunk: only what the next one may use again is left
 *
 * One walk over the private folder with the list of what was laid: whatever
 * is not in it goes.  Nothing is opened by way of a symlink.
 */
#include "inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "file.h"

struct walk {
	struct cell *c;
	struct err *e;
	struct buf path;                /* of the folder, with a slash; "" */
};

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Call fn for every entry of the folder fd; it may remove it. */
static int each_entry(int fd, int (*fn)(void *arg, int fd, const char *name),
		      void *arg, struct err *e)
{
	_Alignas(struct dirent64) char room[1 << 14];
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "private folder");
	while ((n = getdents64(fd, room, sizeof room)) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *d = (void *)(room + at);

			if (!is_dots(d->d_name) && fn(arg, fd, d->d_name) < 0)
				return -1;
			at += d->d_reclen;
		}
	}
	return n < 0 ? err_sys(e, "private folder") : 0;
}

static int tidy_entry(void *arg, int fd, const char *name);

/* A folder of the list: as it was made, and only with what the list has. */
static int tidy_folder(struct walk *w, int above, const char *name, struct item *it)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC;
	int fd = openat(above, name, flags), rc;
	struct stat st;

	if (fd < 0 && errno == EACCES && fchmodat(above, name, 0755, 0) == 0)
		fd = openat(above, name, flags);
	if (fd < 0)                     /* replaced by something else */
		return dir_remove(above, name, w->e);
	if (fstat(fd, &st) < 0 ||
	    ((st.st_mode & 07777) != 0755 && fchmod(fd, 0755) < 0)) {
		close(fd);
		return err_sys(w->e, "%s", it->path);
	}
	it->is_seen = true;
	buf_char(&w->path, '/');
	rc = each_entry(fd, tidy_entry, w, w->e);
	close(fd);
	return rc;
}

static int remove_entry(struct walk *w, int fd, const char *name)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    spare_put(w->c, fd, name, &st))
		return 0;
	return dir_remove(fd, name, w->e);
}

static int tidy_entry(void *arg, int fd, const char *name)
{
	struct walk *w = arg;
	struct layout *l = w->c->now;
	size_t before = w->path.n, i;
	struct item *it = NULL;
	int rc = 0;

	buf_str(&w->path, name);
	i = items_find(l, buf_bytes(&w->path));
	if (i < l->n && strcmp(l->v[i].path, w->path.p) == 0)
		it = &l->v[i];
	if (!it || !it->is_laid || (it->kind != ITEM_DIR && it->is_writable))
		rc = remove_entry(w, fd, name);
	else if (it->kind == ITEM_DIR)
		rc = tidy_folder(w, fd, name, it);
	else
		it->is_seen = true;
	w->path.n = before;
	w->path.p[before] = '\0';
	return rc;
}

/* A program may have changed the mode of a folder that it was given. */
static int restore_mode(int fd, mode_t mode, struct stat *st, struct err *e)
{
	if (fstat(fd, st) < 0 || ((st->st_mode & 07777) != mode && fchmod(fd, mode) < 0))
		return err_sys(e, "private folder");
	return 0;
}

static int tidy_root(struct cell *c, struct err *e)
{
	struct walk w = { .c = c, .e = e };
	struct stat st;
	int rc;

	for (size_t i = 0; i < c->now->n; i++)
		c->now->v[i].is_seen = false;
	if (restore_mode(c->box.root, 0755, &st, e) < 0)
		return -1;
	buf_str(&w.path, "");
	rc = each_entry(c->box.root, tidy_entry, &w, e);
	buf_release(&w.path);
	if (rc < 0)
		return -1;
	for (size_t i = 0; i < c->now->n; i++) {
		struct item *it = &c->now->v[i];

		if (it->is_mount && !it->is_seen)
			return err_set(e, ERR_IO, "%s was moved", it->path);
		it->is_laid = it->is_laid && it->is_seen;
	}
	return 0;
}

/* A private folder for temporary files.  When the project lies below it, the
 * folders on the way there stay. */
struct sweep {
	struct err *e;
	const char *kept;               /* way to the project, or NULL */
	bool has_met;
};

static int sweep_entry(void *arg, int fd, const char *name)
{
	struct sweep *s = arg;
	size_t n = strlen(name);
	struct sweep inner = { .e = s->e };
	int sub, rc;

	if (!s->kept || strncmp(s->kept, name, n) != 0 ||
	    (s->kept[n] && s->kept[n] != '/'))
		return dir_remove(fd, name, s->e);
	s->has_met = true;
	if (!s->kept[n])
		return 0;
	inner.kept = s->kept + n + 1;
	sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return err_sys(s->e, "%s", name);
	rc = each_entry(sub, sweep_entry, &inner, s->e);
	close(sub);
	if (rc == 0 && !inner.has_met)
		return err_set(s->e, ERR_IO, "%s was moved", inner.kept);
	return rc;
}

/* An equal stamp shows that nothing came or went since it was empty; where
 * the project is below, a change may be deeper. */
static int sweep(struct cell *c, int which, int fd, const char *seen, struct err *e)
{
	struct sweep s = { .e = e };
	bool trusts_stamp = c->has_fine_stamps;
	struct stamp now;
	struct stat st;

	if (fd < 0)
		return 0;
	if ((c->box.walls & WALL_MOUNT) && path_is_below(seen, c->box.project) &&
	    c->box.project[strlen(seen)]) {
		s.kept = c->box.project + strlen(seen) + 1;
		trusts_stamp = false;
	}
	if (restore_mode(fd, 01777, &st, e) < 0)
		return -1;
	now = stamp_of(&st);
	if (trusts_stamp && stamp_equal(&now, &c->swept[which]))
		return 0;
	if (each_entry(fd, sweep_entry, &s, e) < 0)
		return -1;
	if (s.kept && !s.has_met)
		return err_set(e, ERR_IO, "%s was moved", c->box.project);
	if (trusts_stamp && fstat(fd, &st) == 0)
		c->swept[which] = stamp_of(&st);
	return 0;
}

int layout_tidy(struct cell *c, struct err *e)
{
	if (tidy_root(c, e) < 0 || sweep(c, 0, c->box.tmps[TMP_TMP], "/tmp", e) < 0 ||
	    sweep(c, 1, c->box.tmps[TMP_VAR], "/var/tmp", e) < 0)
		return -1;
	return sweep(c, 2, c->box.shm, "/dev/shm", e);
}
