/* verify.c - is this machine what the thunk's name says it is
 *
 * System files are named by content.  A cell remembers which stamp had which
 * name, and looks at a stamp again only after a while, so that a thousand
 * thunks of one compiler cost a handful of calls.
 */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "file.h"

enum { TRUSTED_MS = 100 };

struct known_file {
	struct id id;
	struct stamp stamp;
	int64_t looked_ms;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* Does the file at path hold id?  1, 0, or -1 when there is none. */
static int holds(struct cell *c, const char *path, const struct id *id)
{
	struct known_file *k = map_get(&c->files, bytes_str(path));
	int64_t now = now_ms();
	struct stamp s;
	struct stat st;
	struct err e;

	if (k && now - k->looked_ms < TRUSTED_MS)
		return id_equal(&k->id, id);
	if (stat(path, &st) < 0)
		return -1;
	s = stamp_of(&st);
	if (!k || !stamp_equal(&k->stamp, &s)) {
		struct known_file new = { .stamp = s };

		if (stat_name(c->store, AT_FDCWD, path, 0, &new.id, NULL, &e) < 0)
			return -1;
		if (!k) {
			k = arena_alloc(&c->known, sizeof *k);
			*map_at(&c->files, bytes_str(arena_str(&c->known, path))) = k;
		}
		*k = new;
	}
	k->looked_ms = now;
	return id_equal(&k->id, id);
}

static int check_file(struct cell *c, const struct host_file *f, struct err *e)
{
	int rc = holds(c, f->path, &f->id);

	if (rc < 0)
		return err_set(e, ERR_REFUSED, "%s, which this step uses, cannot be "
			       "read here: run gg infer again", f->path);
	if (rc == 0)
		return err_set(e, ERR_REFUSED, "%s has changed since inference: "
			       "run gg infer again", f->path);
	return 0;
}

static struct host *learn_host(struct cell *c, struct err *e)
{
	struct id id = id_of(c->request->host);
	struct host *h;
	struct utsname u;

	if (!id_equal(&id, &c->thunk.runtime_id)) {
		err_set(e, ERR_REFUSED, "the host text is not the one that the step names");
		return NULL;
	}
	h = arena_alloc(&c->known, sizeof *h);
	if (host_decode(arena_bytes(&c->known, c->request->host), &c->known, h, e) < 0) {
		err_wrap(e, "host text");
		e->code = ERR_REFUSED;
		return NULL;
	}
	if (uname(&u) == 0 && strcmp(u.machine, h->arch) != 0) {
		err_set(e, ERR_REFUSED, "this step is for %s, this machine is %s",
			h->arch, u.machine);
		return NULL;
	}
	*map_at(&c->hosts, arena_bytes(&c->known, id_key(&id))) = h;
	return h;
}

static int check_host(struct cell *c, struct err *e)
{
	struct host *h = map_get(&c->hosts, id_key(&c->thunk.runtime_id));

	c->search = STANDARD_PATH;
	if (!h && !(h = learn_host(c, e)))
		return -1;
	for (size_t i = 0; i < h->n; i++)
		if (check_file(c, &h->files[i], e) < 0)
			return -1;
	c->program = h->program.path;
	if (h->program.path[0] == '/')
		return check_file(c, &h->program, e);
	if (!thunk_input(&c->thunk, h->program.path))
		return err_set(e, ERR_REFUSED, "the program %s is not among the inputs",
			       h->program.path);
	c->program = arena_printf(&c->arena, "%s/%s", c->box.seen_root,
				  h->program.path);
	return 0;
}

/* ---- inputs outside the project */

int verify_write(struct cell *c, const struct input *in, int dirfd,
		 const char *path, struct err *e)
{
	struct bytes b;
	int large, rc, fd;

	if (cell_object_open(c, &in->ref.id, &b, &large, e) < 0)
		return err_wrap(e, "input %s", in->path);
	fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    in->ref.kind == REF_EXEC ? 0555 : 0444);
	if (fd < 0)
		rc = err_sys(e, "input %s", in->path);
	else if (large >= 0)
		rc = file_copy_fd(large, fd, e);
	else if ((rc = file_write_fd(fd, b.p, b.n)) < 0)
		err_sys(e, "input %s", in->path);
	if (large >= 0)
		close(large);
	if (fd >= 0 && close(fd) < 0 && rc == 0)
		rc = err_sys(e, "input %s", in->path);
	return rc;
}

/* Below a folder that is private here: the original of that folder, and the
 * rest of the path. */
static int private_folder(const struct cell *c, const char *path, const char **rest)
{
	const struct { const char *dir; int fd; } all[] = {
		{ "/tmp", c->box.tmps[TMP_TMP] },
		{ "/var/tmp", c->box.tmps[TMP_VAR] },
		{ "/dev/shm", c->box.shm },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (!path_is_below(all[i].dir, path) || !path[strlen(all[i].dir)])
			continue;
		*rest = path + strlen(all[i].dir) + 1;
		return all[i].fd;
	}
	return -1;
}

static int cover(struct cell *c, const struct input *in, struct err *e)
{
	const char *name = arena_printf(&c->arena, "over-%zu", c->overs.n);
	int fd, rc;

	if (access(in->path, F_OK) < 0)
		return err_set(e, ERR_REFUSED, "input %s is no longer on this machine, "
			       "and its recorded content has no place to stand: "
			       "put a file there, or run gg infer again", in->path);
	strs_add(&c->overs, arena_str(&c->arena, in->path));
	if (verify_write(c, in, c->box.work, name, e) < 0)
		return -1;
	fd = openat(c->box.seen_work, name, O_PATH | O_CLOEXEC);
	rc = fd < 0 ? -1 : view_bind(fd, AT_FDCWD, in->path);
	if (rc < 0)
		err_sys(e, "cannot show the recorded content of %s", in->path);
	if (fd >= 0)
		close(fd);
	return rc;
}

int verify_private(struct cell *c, const struct input *in, struct err *e)
{
	const char *rest;
	int fd;

	if (in->ref.kind == REF_TREE)
		return err_set(e, ERR_REFUSED, "input %s: a folder outside the project "
			       "cannot be an input", in->path);
	fd = c->box.walls & WALL_MOUNT ? private_folder(c, in->path, &rest) : -1;
	if (fd < 0)
		return 0;
	if (dir_make_above(fd, rest, e) < 0 || verify_write(c, in, fd, rest, e) < 0)
		return -1;
	return 1;
}

static int show_outside(struct cell *c, const struct input *in, struct err *e)
{
	int rc = verify_private(c, in, e);

	if (rc)
		return rc < 0 ? -1 : 0;
	if (holds(c, in->path, &in->ref.id) == 1)
		return 0;
	if (c->box.walls & WALL_MOUNT)
		return cover(c, in, e);
	return err_set(e, ERR_REFUSED, "input %s has changed since inference: "
		       "run gg infer again", in->path);
}

int verify_machine(struct cell *c, struct err *e)
{
	int rc;

	switch (c->thunk.runtime) {
	case RUNTIME_HOST:    rc = check_host(c, e); break;
	case RUNTIME_CLOSURE: rc = verify_closure(c, e); break;
	default:
		rc = err_set(e, ERR_REFUSED, "this engine runs steps of this machine and "
			     "of closures only, not of images");
	}
	if (rc < 0 || c->box.jail >= 0)
		return rc < 0 ? -1 : verify_jail(c, e);
	for (size_t i = 0; i < c->thunk.n_in; i++)
		if (c->thunk.in[i].path[0] == '/' &&
		    show_outside(c, &c->thunk.in[i], e) < 0)
			return -1;
	return 0;
}

int verify_undo(struct cell *c, struct err *e)
{
	for (size_t i = 0; i < c->overs.n; i++) {
		const char *name = arena_printf(&c->arena, "over-%zu", i);

		if (c->box.jail < 0 && umount2(c->overs.v[i], MNT_DETACH | UMOUNT_NOFOLLOW) < 0 &&
		    errno != EINVAL)
			return err_sys(e, "cannot uncover %s", c->overs.v[i]);
		if (unlinkat(c->box.work, name, 0) < 0 && errno != ENOENT)
			return err_sys(e, "cannot remove %s", name);
	}
	c->overs.n = 0;
	return 0;
}
