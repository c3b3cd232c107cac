/* stat_tree.c - a directory on disk, as a tree
 *
 * Files are named through the stat cache, so that a tree that did not change
 * costs one stat for each of its files and one text for each of its folders.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "stat_private.h"

/* Each level holds an open directory. */
enum { DEPTH_MAX = 400 };

struct walk {
	struct store *s;
	const char *root, *skip;
	unsigned flags, depth;
	struct buf path;        /* inside the tree; "" at its root */
};

static int refuse(const struct walk *w, enum err_code code, const char *what,
		  struct err *e)
{
	return err_set(e, code, "%s%s%s: %s", w->root, w->path.n ? "/" : "",
		       w->path.n ? w->path.p : "", what);
}

static int fail(const struct walk *w, struct err *e)
{
	char path[2 * PATH_MAX];
	int errnum = errno;

	snprintf(path, sizeof(path), "%s%s%s", w->root, w->path.n ? "/" : "",
		 w->path.n ? w->path.p : "");
	return stat_fail(errnum, path, e);
}

static int add_link(struct walk *w, int dirfd, struct arena *a,
		    struct entry *out, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dirfd, out->name, target, sizeof(target));

	if (n < 0)
		return fail(w, e);
	if (n == 0 || n == sizeof(target))
		return refuse(w, ERR_BAD, "this symlink is too long", e);
	out->kind = ENTRY_LINK;
	out->target = arena_strn(a, target, (size_t)n);
	if (tree_link_is_inside(w->path.p, out->target))
		return 0;
	return err_set(e, ERR_BAD, "%s/%s: this symlink to %.200s leaves the "
		       "directory; put what it points to inside, or make the link "
		       "relative", w->root, w->path.p, out->target);
}

static int name_folder(struct walk *w, int fd, struct id *out, struct err *e);

static int add_folder(struct walk *w, int dirfd, struct entry *out, struct err *e)
{
	int fd;

	if (w->depth >= DEPTH_MAX)
		return refuse(w, ERR_REFUSED, "folders are nested too deep here", e);
	fd = openat(dirfd, out->name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(w, e);
	out->kind = ENTRY_TREE;
	w->depth++;
	if (name_folder(w, fd, &out->id, e) < 0)
		return -1;
	w->depth--;
	return 0;
}

/* What is at name, whatever it is. */
static int add_entry(struct walk *w, int dirfd, struct arena *a,
		     struct entry *out, struct err *e)
{
	struct named f = { .path = out->name, .open_flags = O_NOFOLLOW };

	if (fstatat(dirfd, out->name, &f.st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(w, e);
	switch (f.st.st_mode & S_IFMT) {
	case S_IFDIR:
		return add_folder(w, dirfd, out, e);
	case S_IFLNK:
		return add_link(w, dirfd, a, out, e);
	case S_IFREG:
		if (stat_name_of(w->s, dirfd, &f, w->flags, &out->id, e) < 0)
			return err_wrap(e, "%s/%s", w->root, w->path.p);
		out->kind = f.st.st_mode & S_IXUSR ? ENTRY_EXEC : ENTRY_FILE;
		return 0;
	case S_IFIFO:
		return refuse(w, ERR_BAD, "this is a named pipe, which cannot be "
			      "kept; remove it, or keep it outside this directory", e);
	case S_IFSOCK:
		return refuse(w, ERR_BAD, "this is a socket, which cannot be kept; "
			      "remove it, or keep it outside this directory", e);
	default:
		return refuse(w, ERR_BAD, "this is a device, which cannot be kept; "
			      "remove it, or keep it outside this directory", e);
	}
}

/* Names first, so that the directory is not read while files are. */
static int list(struct walk *w, int fd, struct arena *a, struct tree *out,
		struct err *e)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	const struct dirent *d;
	size_t room = 0;

	if (!dir) {
		fail(w, e);
		if (own >= 0)
			close(own);
		return -1;
	}
	while (errno = 0, (d = readdir(dir))) {
		const char *n = d->d_name;

		if (!strcmp(n, ".") || !strcmp(n, "..") ||
		    (w->skip && (!strcmp(n, w->skip) || !strcmp(n, "__pycache__"))))
			continue;
		if (out->n == room) {
			room = room ? 2 * room : 32;
			out->v = mem_grow(out->v, room * sizeof(*out->v));
		}
		out->v[out->n++] = (struct entry){ .name = arena_str(a, n) };
	}
	if (errno)
		fail(w, e);
	return closedir(dir) < 0 || errno ? -1 : 0;
}

static int keep_text(struct walk *w, const struct tree *t, struct id *out,
		     struct err *e)
{
	struct buf text = { 0 };
	int rc = tree_encode(t, &text, e);

	if (rc < 0)
		err_wrap(e, "%s/%s", w->root, w->path.n ? w->path.p : "");
	else if (w->flags & STAT_KEEP)
		rc = store_put(w->s, buf_bytes(&text), out, e);
	else
		*out = id_of(buf_bytes(&text));
	buf_release(&text);
	return rc;
}

/* Takes fd. */
static int name_folder(struct walk *w, int fd, struct id *out, struct err *e)
{
	struct arena a = { 0 };
	struct tree t = { 0 };
	size_t stem = w->path.n;
	int rc = list(w, fd, &a, &t, e);

	for (size_t i = 0; i < t.n && rc == 0; i++) {
		if (stem)
			buf_char(&w->path, '/');
		buf_str(&w->path, t.v[i].name);
		rc = add_entry(w, fd, &a, &t.v[i], e);
		w->path.n = stem;
		w->path.p[stem] = 0;
	}
	if (rc == 0) {
		tree_sort(&t);
		rc = keep_text(w, &t, out, e);
	}
	free(t.v);
	arena_release(&a);
	close(fd);
	return rc;
}

int stat_tree(struct store *s, int dirfd, const char *path, unsigned flags,
	      const char *skip, struct id *out, struct err *e)
{
	struct walk w = { .s = s, .root = path, .skip = skip, .flags = flags };
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd < 0 && errno == ENOTDIR)
		return err_set(e, ERR_BAD, "%s: this is not a directory", path);
	if (fd < 0)
		return stat_fail(errno, path, e);
	rc = name_folder(&w, fd, out, e);
	buf_release(&w.path);
	return rc;
}
