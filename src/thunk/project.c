/* project.c - where a project is, and what is inside it
 *
 * A path is walked part by part with readlink, as the kernel would walk it,
 * because its last part need not exist and because a project's folders are
 * seldom links: for a file in the root that is no system call at all, and one
 * for each folder between.  Nothing is remembered, since folders change while
 * gg runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "litter.h"
#include "project.h"
#include "trade.h"

enum { WALK_ROOM = 4096, LINKS_MAX = 40 };

static int open_root(struct project *out, struct err *e)
{
	out->root_fd = open(out->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	out->trade = trade_new();
	out->litter = litter_new();
	if (out->root_fd >= 0)
		return 0;
	err_sys(e, "%s: cannot open the project's folder", out->root);
	project_close(out);
	return -1;
}

/* Cut the last part off an absolute path; "/" stays. */
static void cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	slash[slash == path] = 0;
}

static int open_named(const char *cwd, const char *store_dir,
		      struct project *out, struct err *e)
{
	struct arena a = { 0 };
	char *given = path_clean(&a, cwd, store_dir), *real = realpath(given, NULL);

	out->store_dir = real ? real : mem_str(given);
	arena_release(&a);
	if (strcmp(path_base(out->store_dir), PROJECT_DIR) == 0) {
		out->root = mem_str(out->store_dir);
		cut_last(out->root);
	} else {
		out->root = realpath(cwd, NULL);
	}
	if (!out->root) {
		err_sys(e, "%s", cwd);
		project_close(out);
		return -1;
	}
	return open_root(out, e);
}

static char *store_in(const char *root)
{
	struct buf b = { 0 };

	buf_printf(&b, "%s/%s", root[1] ? root : "", PROJECT_DIR);
	return b.p;
}

int project_open(const char *cwd, const char *store_dir, struct project *out,
		 struct err *e)
{
	struct stat st;
	char *root;

	*out = (struct project){ .root_fd = -1 };
	if (store_dir)
		return open_named(cwd, store_dir, out, e);
	root = realpath(cwd, NULL);
	if (!root)
		return err_sys(e, "%s", cwd);
	for (;;) {
		char *store = store_in(root);

		if (stat(store, &st) == 0 && S_ISDIR(st.st_mode)) {
			out->root = root;
			out->store_dir = store;
			return open_root(out, e);
		}
		free(store);
		if (!root[1])
			break;
		cut_last(root);
	}
	free(root);
	return err_set(e, ERR_MISSING, "%s is in no project: neither it nor a folder above "
		       "holds %s; make one with `gg init`", cwd, PROJECT_DIR);
}

void project_close(struct project *p)
{
	/* A zeroed struct has no root, and so no descriptor. */
	if (p->root && p->root_fd >= 0)
		close(p->root_fd);
	free(p->root);
	trade_free(p);
	litter_free(p);
	free(p->store_dir);
	*p = (struct project){ .root_fd = -1 };
}

/* at is what is known so far: absolute, real, "" for "/".  rest is still to
 * be walked. */
struct walk {
	const struct project *p;
	char at[WALK_ROOM], rest[2 * WALK_ROOM];
	size_t n;
	unsigned n_links;
	bool is_absent;         /* at names nothing: what follows is text */
};

/* The path of at below the root, or NULL. */
static const char *below_root(const struct project *p, const char *at)
{
	size_t n = p->root[1] ? strlen(p->root) : 0;

	if (strncmp(at, p->root, n) != 0 || (at[n] != '/' && at[n] != 0))
		return NULL;
	return at[n] && at[n + 1] ? at + n + 1 : ".";
}

/* Put what the link at the end of at says before the rest. */
static bool follow(struct walk *w, const char *target, size_t n,
		   const char *rest)
{
	char *slash = strrchr(w->at, '/');
	size_t left = strlen(rest);

	if (++w->n_links > LINKS_MAX || n + left + 2 > sizeof(w->rest))
		return false;
	memmove(w->rest + n + 1, rest, left + 1);
	memcpy(w->rest, target, n);
	w->rest[n] = '/';
	w->n = target[0] == '/' ? 0 : (size_t)(slash - w->at);
	w->at[w->n] = 0;
	return true;
}

/* at has a new last part, and more follows it: see whether it is a link.
 * false: too many or too long. */
static bool look(struct walk *w, const char **rest)
{
	const char *below;
	char target[WALK_ROOM];
	ssize_t n;

	if (w->is_absent || path_is_below(w->at, w->p->root))
		return true;
	below = below_root(w->p, w->at);
	n = below ? readlinkat(w->p->root_fd, below, target, sizeof(target))
		  : readlink(w->at, target, sizeof(target));
	if (n < 0) {
		w->is_absent = errno != EINVAL;
		return true;
	}
	if (n == 0 || !follow(w, target, (size_t)n, *rest))
		return false;
	*rest = w->rest;
	return true;
}

/* Walk rest from at; false if it is too long or has too many links. */
static bool walk(struct walk *w, const char *rest)
{
	while (*rest) {
		size_t len = strcspn(rest, "/");
		const char *part = rest;

		rest += len;
		if (len == 2 && part[0] == '.' && part[1] == '.') {
			while (w->n && w->at[--w->n] != '/')
				;
			w->at[w->n] = 0;
			w->is_absent = false;
		} else if (len && !(len == 1 && part[0] == '.')) {
			if (w->n + len + 2 > sizeof(w->at))
				return false;
			w->at[w->n] = '/';
			memcpy(w->at + w->n + 1, part, len);
			w->n += len + 1;
			w->at[w->n] = 0;
			if (*rest && !look(w, &rest))
				return false;
		}
		while (*rest == '/')
			rest++;
	}
	return true;
}

const char *project_path(const struct project *p, struct arena *a,
			 const char *cwd, const char *path, bool *inside)
{
	struct walk w;
	const char *at = w.at, *below;

	w.p = p;
	w.n_links = 0;
	w.is_absent = false;
	w.n = path[0] == '/' || !cwd[1] ? 0 : strlen(cwd);
	if (w.n < sizeof(w.at)) {
		memcpy(w.at, cwd, w.n);
		w.at[w.n] = 0;
	}
	if (w.n >= sizeof(w.at) || !walk(&w, path))
		at = path_clean(a, cwd, path);
	else if (w.n == 0)
		at = "/";
	below = below_root(p, at);
	*inside = below != NULL;
	return arena_str(a, below ? below : at);
}
