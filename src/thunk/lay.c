/* lay.c - a stored value written out as new files
 *
 * Modes are 0666 and 0777, so that the umask of the process decides as it
 * would have for the program itself.  Files are copies or reflinks and never
 * hard links: an edit in the project must not reach the store.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "lay.h"

enum { DEPTH_MAX = 2048, PATH_MOST = 4096 };

/* An object that no longer has its name is as good as gone. */
static int is_gone(const struct lay *l, const struct id *id, struct err *e)
{
	struct err lie;

	if (e->code != ERR_MISSING && store_check(l->store, id, &lie) < 0 &&
	    (lie.code == ERR_BAD || lie.code == ERR_MISSING))
		e->code = ERR_MISSING;
	if (e->code == ERR_MISSING && l->missing)
		*l->missing = *id;
	return -1;
}

int lay_file(const struct lay *l, int fd, const struct id *id, struct err *e)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					   l->mtime ? *l->mtime : (struct timespec){ 0 } };
	struct arena a = { 0 };
	struct bytes b;
	int in = -1, rc = 0;

	if (store_open_large(l->store, id, &in, e) < 0)
		return is_gone(l, id, e);
	if (in >= 0) {
		rc = file_copy_fd(in, fd, e);
		close(in);
	} else if (store_get(l->store, id, &a, &b, e) < 0) {
		rc = is_gone(l, id, e);
	} else if (file_write_fd(fd, b.p, b.n) < 0) {
		rc = err_sys(e, "cannot write");
	}
	arena_release(&a);
	if (rc == 0 && l->mtime && futimens(fd, times) < 0)
		rc = err_sys(e, "cannot set its time");
	return rc;
}

/* Where lay_tree is: the path is root and what lies below it; rel is where
 * the part below begins. */
struct walk {
	const struct lay *l;
	struct buf path;
	size_t rel, depth;
};

static int entry_file(struct walk *w, const struct entry *en, struct err *e)
{
	const struct lay *l = w->l;
	mode_t mode = en->kind == ENTRY_EXEC ? 0777 : 0666;
	struct stat st;
	int fd, rc;

	fd = openat(l->dirfd, w->path.p,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return err_sys(e, "%s: cannot make it", w->path.p + w->rel);
	rc = lay_file(l, fd, &en->id, e);
	if (rc == 0 && fstat(fd, &st) < 0)
		rc = err_sys(e, "cannot stat");
	if (close(fd) < 0 && rc == 0)
		rc = err_sys(e, "cannot write");
	if (rc < 0)
		return err_wrap(e, "%s", w->path.p + w->rel);
	return stat_note(l->store, &st, &en->id, e);
}

static int entry_link(struct walk *w, const struct entry *en, struct err *e)
{
	const char *rel = w->path.p + w->rel;

	if (!tree_link_is_inside(rel, en->target))
		return err_set(e, ERR_BAD, "%s: a link to %s leaves its directory",
			       rel, en->target);
	if (symlinkat(en->target, w->l->dirfd, w->path.p) < 0)
		return err_sys(e, "%s: cannot make it", rel);
	return 0;
}

static int walk_tree(struct walk *w, const struct id *id, struct err *e);

static int entry_lay(struct walk *w, const struct entry *en, struct err *e)
{
	if (w->path.n >= PATH_MOST)
		return err_set(e, ERR_BAD, "%.200s...: the path is too long",
			       w->path.p + w->rel);
	if (en->kind == ENTRY_LINK)
		return entry_link(w, en, e);
	if (en->kind != ENTRY_TREE)
		return entry_file(w, en, e);
	if (mkdirat(w->l->dirfd, w->path.p, 0777) < 0)
		return err_sys(e, "%s: cannot make it", w->path.p + w->rel);
	return walk_tree(w, &en->id, e);
}

static int walk_tree(struct walk *w, const struct id *id, struct err *e)
{
	const struct lay *l = w->l;
	struct arena a = { 0 };
	struct bytes b;
	struct tree t;
	size_t n = w->path.n;
	int rc = 0;

	if (++w->depth > DEPTH_MAX)
		return err_set(e, ERR_BAD, "tree %.12s: too deep", id_hex(id).s);
	if (store_get(l->store, id, &a, &b, e) < 0)
		rc = is_gone(l, id, e);
	else if (tree_decode(b, &a, &t, e) < 0)
		rc = err_wrap(e, "tree %.12s", id_hex(id).s);
	for (size_t i = 0; rc == 0 && i < t.n; i++) {
		buf_char(&w->path, '/');
		buf_str(&w->path, t.v[i].name);
		rc = entry_lay(w, &t.v[i], e);
		w->path.n = n;
		w->path.p[n] = 0;
	}
	arena_release(&a);
	w->depth--;
	if (rc == 0 && l->mtime) {
		const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, *l->mtime };

		if (utimensat(l->dirfd, w->path.p, times, 0) < 0)
			rc = err_sys(e, "cannot set its time");
	}
	return rc;
}

int lay_tree(const struct lay *l, const char *path, const struct id *id,
	     struct err *e)
{
	struct walk w = { .l = l, .rel = strlen(path) + 1 };
	int rc;

	buf_str(&w.path, path);
	rc = walk_tree(&w, id, e);
	buf_release(&w.path);
	return rc;
}
