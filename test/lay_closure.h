/* lay_closure.h - lay a closure out as a root, by hand, for tests */
#ifndef GG_LAY_CLOSURE_H
#define GG_LAY_CLOSURE_H

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "closure.h"
#include "file.h"

struct laying {
	struct store *s;
	int root_fd;
	struct err *e;
};

static inline int lay_file(const struct laying *l, const char *path,
			   const struct entry *v)
{
	int in, out, rc;

	if (closure_open(l->s, path, &v->id, &in, l->e) < 0)
		return -1;
	out = openat(l->root_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		     v->kind == ENTRY_EXEC ? 0755 : 0644);
	rc = out < 0 ? err_sys(l->e, "%s", path) : file_copy_fd(in, out, l->e);
	close(in);
	if (out >= 0)
		close(out);
	return rc;
}

static inline int lay_entry(void *arg, const char *path, const struct entry *v)
{
	const struct laying *l = arg;

	switch (v->kind) {
	case ENTRY_TREE:
		return mkdirat(l->root_fd, path, 0755) < 0 ? err_sys(l->e, "%s", path) : 0;
	case ENTRY_LINK:
		return symlinkat(v->target, l->root_fd, path) < 0 ?
			err_sys(l->e, "%s", path) : 0;
	default:
		return lay_file(l, path, v);
	}
}

/* All of tree below the empty folder root_fd, and what is put beside it. */
static inline int lay_closure(struct store *s, const struct id *tree, int root_fd,
			      struct err *e)
{
	struct laying l = { .s = s, .root_fd = root_fd, .e = e };

	if (closure_each(s, tree, lay_entry, &l, e) != 0 ||
	    dir_make(root_fd, "etc", e) < 0 || dir_make(root_fd, "tmp", e) < 0)
		return -1;
	for (const struct closure_fixed *f = closure_fixed; f->path; f++)
		if (file_write(root_fd, f->path + 1, bytes_str(f->text), 0644, 0, e) < 0)
			return -1;
	return 0;
}

#endif
