/* container_images.c - images that were made of closures, when they are used no more
 *
 * Projects share them, and container engines do not know when one was used last.
 * So each use touches a file of its tag's name in the user's cache:
 *
 *     ~/.cache/gg/images/TAG
 *
 * An image without such a file counts as used now.
 */
#include "container_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "file.h"

static const char *setting(const struct backend_opts *o, const char *name)
{
	const char *s = o->setting ? o->setting(o->setting_arg, name) : NULL;

	return s && *s == '/' ? s : NULL;
}

/* NULL: there is no place for it. */
static const char *stamp_path(const struct backend_opts *o, const char *tag, struct arena *a)
{
	const char *cache = setting(o, "XDG_CACHE_HOME"), *home = setting(o, "HOME");

	if (cache)
		return arena_printf(a, "%s/gg/images/%s", cache, tag);
	return home ? arena_printf(a, "%s/.cache/gg/images/%s", home, tag) : NULL;
}

/* One that cannot be written is no reason not to run. */
static void touch(const char *path)
{
	struct err ignored;
	int fd;

	if (dir_make_above(AT_FDCWD, path, &ignored) < 0)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	futimens(fd, NULL);
	close(fd);
}

void container_stamp(const struct backend_opts *o, const char *tag)
{
	struct arena a = { 0 };
	const char *path = *tag ? stamp_path(o, tag, &a) : NULL;

	if (path)
		touch(path);
	arena_release(&a);
}

/* ---- gc */

struct images {
	struct container_sweep sweep;   /* first: what read_list() is given */
	const struct backend_opts *o;
	int64_t grace_s;
	bool is_dry;
	struct arena arena;
};

struct removal {
	struct images *of;
	const char *stamp;
};

/* Neither forced nor by its id: what a container runs from stays, and what has
 * another name keeps that. */
static void on_removed(void *arg, const struct http_answer *a, const struct err *e)
{
	struct removal *r = arg;

	if (!e && a->status / 100 == 2) {
		r->of->sweep.n_removed++;
		if (r->stamp)
			unlink(r->stamp);
	}
	container_sweep_end_one(&r->of->sweep);
}

static int64_t unused_s(const struct images *w, const char *stamp)
{
	struct stat st;

	if (stamp && stat(stamp, &st) == 0)
		return time(NULL) - st.st_mtim.tv_sec;
	if (stamp && !w->is_dry)
		touch(stamp);
	return 0;
}

static void look_at(void *arg, const char *tag)
{
	struct images *w = arg;
	struct removal *r = arena_alloc(&w->arena, sizeof *r);
	const char *path = arena_printf(&w->arena, "/v1.41/images/" CONTAINER_MADE ":%s", tag);

	*r = (struct removal){ w, stamp_path(w->o, tag, &w->arena) };
	if (unused_s(w, r->stamp) < w->grace_s)
		return;
	if (w->is_dry)
		w->sweep.n_removed++;
	else
		container_sweep_remove(&w->sweep, path, on_removed, r);
}

static void read_list(struct container_sweep *w, struct bytes list)
{
	struct err ignored;

	container_read_made(list, look_at, w, &ignored);
}

size_t container_images_sweep(struct container_client *c, const struct backend_opts *o,
			      int64_t grace_s, bool is_dry)
{
	struct images w = { .sweep = { .client = c, .read_list = read_list }, .o = o,
			    .grace_s = grace_s, .is_dry = is_dry };
	size_t n;

	container_sweep_begin(&w.sweep, "/v1.41/images/json?", CONTAINER_CLOSURES);
	n = container_sweep_finish(&w.sweep);
	arena_release(&w.arena);
	return n;
}
