/* collect.c - outputs out of the private folder and into the store
 *
 * Small ones travel as frames and cost three calls.  A large one is hashed,
 * synced and renamed into the store's own folder: its bytes are never copied.
 * The program is gone by now, but what it left may be any trap: nothing is
 * opened by way of a symlink and nothing but files and folders is opened.
 */
#include "inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "file.h"

enum { DEEPEST = 200, OPEN_FLAGS = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC };

struct take {
	struct cell *c;
	const struct output *out;
	struct buf path;                /* inside the tree: "", "a/", "a/b/" */
	unsigned depth;
};

/* The output is amiss: not a failure of the cell. */
static int amiss(struct take *t, const char *inner, const char *what)
{
	struct cell *c = t->c;

	c->report.status = RUN_BAD_OUTPUT;
	c->report.text = arena_printf(&c->arena, "output %s%s%s %s", t->out->path,
				      *inner ? "/" : "", inner, what);
	return 1;
}

/* The result that names the object is committed soon, by another process: after
 * a power cut both are there, or the result is not. */
static int sync_folder(const struct cell *c, const char *folder, bool is_new, struct err *e)
{
	int fd, rc;

	if (c->is_volatile)
		return 0;
	fd = openat(c->box.objects, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 || fsync(fd) < 0 || (is_new && fsync(c->box.objects) < 0) ? -1 : 0;
	if (rc < 0)
		err_sys(e, "objects/%s", folder);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int move_in(struct cell *c, int dirfd, const char *name, const struct id *id,
		   struct err *e)
{
	struct object_path p = store_object_path(id);
	char folder[3] = { p.s[0], p.s[1], '\0' };
	bool is_new = false;

	if (renameat(dirfd, name, c->box.objects, p.s) == 0)
		return sync_folder(c, folder, is_new, e);
	if (errno == ENOENT &&
	    ((is_new = mkdirat(c->box.objects, folder, 0755) == 0) || errno == EEXIST) &&
	    renameat(dirfd, name, c->box.objects, p.s) == 0)
		return sync_folder(c, folder, is_new, e);
	return err_sys(e, "cannot move an output into the store");
}

static int take_large(struct cell *c, int dirfd, const char *name, int fd,
		      struct id *id, struct err *e)
{
	static const struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT }, { .tv_sec = STORE_OBJECT_TIME },
	};
	struct object_path p;
	uint64_t n;

	if (id_of_fd(fd, id, &n, e) < 0)
		return -1;
	p = store_object_path(id);
	if (faccessat(c->box.objects, p.s, F_OK, 0) == 0)
		return 0;
	if (fchmod(fd, 0444) < 0 || futimens(fd, times) < 0 ||
	    (!c->is_volatile && fsync(fd) < 0))
		return err_sys(e, "cannot keep an output");
	return move_in(c, dirfd, name, id, e);
}

/* Take an open regular file that stands at name in dirfd. */
static int take_file(struct cell *c, int dirfd, const char *name, int fd,
		     struct id *id, struct err *e)
{
	struct bytes b;
	ssize_t n;

	n = file_read_fd(fd, c->small, STORE_SMALL + 1);
	if (n < 0)
		return err_sys(e, "cannot read output %s", name);
	if (n > STORE_SMALL)
		return take_large(c, dirfd, name, fd, id, e);
	b = (struct bytes){ c->small, (size_t)n };
	*id = id_of(b);
	frame_object(&c->out, id, b);
	return cell_send(c, false), 0;
}

/* A program may take away its own right to read what it made. */
static int open_made(int dirfd, const char *name, int flags)
{
	int fd = openat(dirfd, name, flags);

	if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
		fd = openat(dirfd, name, flags);
	return fd;
}

static int take_tree(struct take *t, int fd, struct id *id, struct err *e);

static int take_link(struct take *t, int fd, struct entry *ent, struct err *e)
{
	char target[4097];
	const char *inner = arena_printf(&t->c->arena, "%s%s", t->path.p, ent->name);
	ssize_t n = readlinkat(fd, ent->name, target, sizeof target - 1);

	if (n < 0)
		return err_sys(e, "cannot read the link %s", inner);
	target[n] = '\0';
	if (!tree_link_is_inside(inner, target))
		return amiss(t, inner, arena_printf(&t->c->arena,
			     "is a link to %s, which is not in that folder: "
			     "only links that stay inside can be kept", target));
	ent->kind = ENTRY_LINK;
	ent->target = arena_str(&t->c->arena, target);
	return 0;
}

static int take_entry(struct take *t, int above, struct entry *ent, struct err *e)
{
	size_t before = t->path.n;
	struct stat st;
	int fd, rc = -1;

	if (fstatat(above, ent->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "output %s%s", t->path.p, ent->name);
	if (S_ISLNK(st.st_mode))
		return take_link(t, above, ent, e);
	buf_str(&t->path, ent->name);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		rc = amiss(t, t->path.p, "is a pipe, socket or device, "
			   "which cannot be kept");
		goto out;
	}
	fd = open_made(above, ent->name, OPEN_FLAGS);
	if (fd < 0) {
		err_sys(e, "output %s", t->path.p);
		goto out;
	}
	ent->kind = st.st_mode & 0111 ? ENTRY_EXEC : ENTRY_FILE;
	if (S_ISDIR(st.st_mode)) {
		ent->kind = ENTRY_TREE;
		buf_char(&t->path, '/');
		rc = take_tree(t, fd, &ent->id, e);
	} else {
		rc = take_file(t->c, above, ent->name, fd, &ent->id, e);
	}
	close(fd);
out:
	t->path.n = before;
	t->path.p[before] = '\0';
	return rc;
}

static int list_folder(struct take *t, int fd, struct tree *tree, struct err *e)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	struct dirent *ent;
	size_t room = 0;

	if (!d) {
		if (own >= 0)
			close(own);
		return err_sys(e, "output %s", t->path.p);
	}
	while ((errno = 0, ent = readdir(d))) {
		if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
			continue;
		if (tree->n == room) {
			room = room ? room * 2 : 16;
			tree->v = mem_grow(tree->v, room * sizeof *tree->v);
		}
		tree->v[tree->n++] = (struct entry){
			.name = arena_str(&t->c->arena, ent->d_name) };
	}
	if (errno) {
		err_sys(e, "output %s", t->path.p);
		closedir(d);
		return -1;
	}
	closedir(d);
	return 0;
}

static int take_tree(struct take *t, int fd, struct id *id, struct err *e)
{
	struct tree tree = { 0 };
	struct buf text = { 0 };
	int rc;

	if (++t->depth > DEEPEST)
		return amiss(t, t->path.p, "is deeper than 200 folders");
	rc = list_folder(t, fd, &tree, e);
	for (size_t i = 0; rc == 0 && i < tree.n; i++)
		rc = take_entry(t, fd, &tree.v[i], e);
	if (rc == 0) {
		tree_sort(&tree);
		rc = tree_encode(&tree, &text, e);
	}
	if (rc == 0) {
		*id = id_of(buf_bytes(&text));
		frame_object(&t->c->out, id, buf_bytes(&text));
		cell_send(t->c, false);
	}
	free(tree.v);
	buf_release(&text);
	t->depth--;
	return rc;
}

static int missing(struct take *t)
{
	struct cell *c = t->c;

	c->report.status = RUN_NO_OUTPUT;
	c->report.text = arena_printf(&c->arena, "%s ended well but did not write "
				      "its output %s%s", blame_who(c), t->out->path,
				      blame_missing(c, t->out));
	return 1;
}

/* A symlink in an output's place stands for the file it leads to, when that
 * is in the private folder as the program saw it. */
static int take_linked(struct take *t, struct ref *ref, struct err *e)
{
	struct cell *c = t->c;
	int fd = inside_open(c->box.seen_root_fd, t->out->path), copy, rc;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || t->out->is_dir) {
		if (fd >= 0)
			close(fd);
		return amiss(t, "", "is a link, and not to a file of this project "
			     "that the program made or was given: write the file itself");
	}
	copy = openat(c->box.work, "copy", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	rc = copy < 0 ? err_sys(e, "output %s", t->out->path) :
		file_copy_fd(fd, copy, e);
	if (rc == 0 && lseek(copy, 0, SEEK_SET) < 0)
		rc = err_sys(e, "output %s", t->out->path);
	if (rc == 0)
		rc = take_file(c, c->box.work, "copy", copy, &ref->id, e);
	ref->kind = st.st_mode & 0111 ? REF_EXEC : REF_VALUE;
	unlinkat(c->box.work, "copy", 0);
	if (copy >= 0)
		close(copy);
	close(fd);
	return rc;
}

static int take_open(struct take *t, int fd, struct ref *ref, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "output %s", t->out->path);
	if (S_ISDIR(st.st_mode)) {
		if (!t->out->is_dir)
			return amiss(t, "", "is a folder, and a file was declared: "
				     "write @out/ in the model");
		buf_str(&t->path, "");
		ref->kind = REF_TREE;
		return take_tree(t, fd, &ref->id, e);
	}
	if (!S_ISREG(st.st_mode))
		return amiss(t, "", "is a pipe, socket or device, which cannot be kept");
	if (t->out->is_dir)
		return amiss(t, "", "is a file, and a folder was declared: "
			     "write @out in the model");
	ref->kind = st.st_mode & 0111 ? REF_EXEC : REF_VALUE;
	return take_file(t->c, t->c->box.root, t->out->path, fd, &ref->id, e);
}

static int take_output(struct take *t, struct ref *ref, struct err *e)
{
	int fd = beneath_open(t->c->box.root, t->out->path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;
	int rc;

	if (fd < 0 && errno == EACCES &&
	    fchmodat(t->c->box.root, t->out->path, 0700, 0) == 0)
		fd = beneath_open(t->c->box.root, t->out->path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return missing(t);
		if (errno == ELOOP)
			return take_linked(t, ref, e);
		if (errno == ENXIO ||
		    (fstatat(t->c->box.root, t->out->path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		     !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
			return amiss(t, "", "is a pipe, socket or device, "
				     "which cannot be kept");
		return err_sys(e, "output %s", t->out->path);
	}
	rc = take_open(t, fd, ref, e);
	close(fd);
	return rc;
}

int collect_checkpoint(struct cell *c, struct err *e)
{
	struct result *r = &c->report.result;
	struct take k = { .c = c, .out = &c->checkpoint };
	struct run_report before = c->report;
	int fd = beneath_open(c->box.root, c->checkpoint.path, O_PATH, 0), rc;

	if (fd < 0)
		return 0;
	close(fd);
	r->v = arena_alloc(&c->arena, sizeof *r->v);
	r->v[0].name = RUN_CHECKPOINT;
	rc = take_output(&k, &r->v[0].ref, e);
	buf_release(&k.path);
	r->n = rc == 0;
	c->report.status = before.status;
	c->report.text = before.text;
	return rc < 0 ? -1 : rc == 0;
}

int collect_outputs(struct cell *c, struct err *e)
{
	const struct thunk *t = &c->thunk;
	struct result *r = &c->report.result;
	int rc = 0;

	r->v = arena_alloc(&c->arena, (t->n_out + 1) * sizeof *r->v);
	for (size_t i = 0; i < t->n_out && rc == 0; i++) {
		struct take k = { .c = c, .out = &t->out[i] };

		r->v[i].name = t->out[i].name;
		rc = take_output(&k, &r->v[i].ref, e);
		buf_release(&k.path);
	}
	r->n = rc == 0 ? t->n_out : 0;
	return rc < 0 ? -1 : 0;
}

/* What failed is worth less than the last room there is. */
static bool is_nearly_full(const struct cell *c)
{
	struct statvfs fs;

	return fstatvfs(c->box.objects, &fs) < 0 || fs.f_bavail < fs.f_blocks / 20;
}

void collect_left(struct cell *c)
{
	const struct thunk *t = &c->thunk;
	struct run_report *r = &c->report, said = *r;
	struct result left = { arena_alloc(&c->arena, (t->n_out + 1) * sizeof *left.v), 0 };

	for (size_t i = 0; i < t->n_out && !is_nearly_full(c); i++) {
		struct take k = { .c = c, .out = &t->out[i] };
		struct err ignored;

		left.v[left.n] = (struct result_out){ .name = t->out[i].name };
		left.n += take_output(&k, &left.v[left.n].ref, &ignored) == 0;
		buf_release(&k.path);
	}
	*r = said;
	r->result = left;
}
