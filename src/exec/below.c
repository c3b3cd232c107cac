/* below.c - all that is still to be made below a folder that is about to be packed
 *
 * tar and its like look at a folder, read all in it, and look again: what was
 * put into it meanwhile is a file that changed as they read it, and they fail.
 * So what lies there is made before they look at all; side by side, too.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "file.h"
#include "session_private.h"

/* One call that waits for several placeholders. */
struct below {
	struct ask *ask;
	size_t n_left;
	bool has_failed;
	struct err why;
};

static bool packs(const struct trace_event *ev)
{
	static const char *const programs[] = { "tar", "bsdtar", "zip", "7z", "7zz", "7za", "du" };
	char name[64];

	if (!stream_comm(ev->pid, name, sizeof name))
		return false;
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		if (strcmp(name, programs[i]) == 0)
			return true;
	return false;
}

const char *below_packed(struct session *s, struct arena *a, const struct trace_event *ev)
{
	const char *path = ev->kind == TRACE_LOOK && ev->status == LOOK_STAT ?
			   watch_inside(s, a, ev->path) : NULL;
	struct stat st;

	if (!path || fstatat(s->o.project->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode) || !packs(ev))
		return NULL;
	return path;
}

static void made(void *arg, const struct err *e)
{
	struct below *b = arg;

	if (e && !b->has_failed) {
		b->has_failed = true;
		b->why = *e;
	}
	if (--b->n_left)
		return;
	ask_forced(b->ask, b->has_failed ? &b->why : NULL);
	free(b);
}

static bool want(struct session *s, struct below *b, const char *path,
		 const struct placeholder *ph)
{
	struct want w = { .thunk = ph->thunk, .out = ph->out, .done = made, .arg = b,
			  .path = held_at(s, path) ? NULL : path };
	struct err e;

	if (exec_want(s->o.exec, &w, &e) < 0)
		return false;
	b->n_left++;
	return true;
}

static void want_below(struct session *s, struct below *b, const char *dir)
{
	int root = s->o.project->root_fd;
	DIR *d = dir_names(root, dir, O_NOFOLLOW);
	struct dirent *ent;
	struct placeholder ph;
	struct stat st;
	struct err e;

	while (d && (ent = dir_next(d))) {
		const char *path = arena_printf(&s->arena, "%s/%s", dir, ent->d_name);

		if (strcmp(ent->d_name, PROJECT_DIR) == 0 ||
		    fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (!S_ISDIR(st.st_mode) &&
		     (!S_ISREG(st.st_mode) || st.st_size > PLACEHOLDER_MAX)))
			continue;
		if (placeholder_at(root, path, &s->arena, &ph, &e) == 1)
			want(s, b, path, &ph);
		else if (S_ISDIR(st.st_mode))
			want_below(s, b, path);
	}
	if (d)
		closedir(d);
}

bool below_force(struct session *s, const struct ask *k, const char *dir)
{
	struct below *b = mem_alloc(sizeof *b);

	*b = (struct below){ 0 };
	if (k->n_waits < MAX_WAITS)
		want_below(s, b, dir);
	if (!b->n_left) {
		free(b);
		return false;
	}
	b->ask = ask_keep(k);
	return true;
}
