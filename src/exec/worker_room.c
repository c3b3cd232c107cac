/* worker_room.c - one engine for each project root that steps want to see
 *
 * Cells show the root at its own path, so that an engine is for one root.  Most
 * workers serve one project; a function may serve many, one after the other.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "worker_private.h"

enum { ENGINES_MAX = 4 };

struct site_engine {
	char *root;
	struct backend *backend;
	unsigned n_running;
	uint64_t used;
	size_t made_from;               /* of root: what this worker has made is
					 * longer; 0: nothing */
	struct site_engine *next;
};

/* How much of the path was there before this worker came. */
static size_t existing_part(const struct worker *w, const char *root)
{
	char *path = mem_str(root), *slash;
	struct stat st;
	size_t n;

	while (path[1] && lstat(path, &st) < 0 && (slash = strrchr(path, '/')))
		slash[slash == path] = 0;
	n = strlen(path);
	free(path);
	for (struct site_engine *s = w->engines; s; s = s->next)
		if (s->made_from && s->made_from < n && strncmp(s->root, root, n) == 0)
			n = s->made_from;
	return n;
}

static size_t count(const struct worker *w)
{
	size_t n = 0;

	for (struct site_engine *s = w->engines; s; s = s->next)
		n++;
	return n;
}

static struct site_engine *find(const struct worker *w, const char *root)
{
	for (struct site_engine *s = w->engines; s; s = s->next)
		if (strcmp(s->root, root) == 0)
			return s;
	return NULL;
}

static int open_site(struct worker *w, const char *root, size_t made_from,
		     struct site_engine **out, struct err *e)
{
	struct site_engine *s = memset(mem_alloc(sizeof *s), 0, sizeof *s);
	struct backend_opts o = { .loop = w->o.loop, .store = w->o.store,
				  .store_dir = w->o.store_dir, .self = w->o.self,
				  .jobs = w->o.jobs, .devices = w->o.devices,
				  .is_volatile = true };

	s->root = mem_str(root);
	s->made_from = made_from;
	o.project_root = s->root;
	if (w->o.engine->open(&o, "", &s->backend, e) < 0) {
		free(s->root);
		free(s);
		return -1;
	}
	s->next = w->engines;
	w->engines = s;
	*out = s;
	return 0;
}

int room_find(struct worker *w, const char *root, struct backend **out, struct err *e)
{
	struct site_engine *s = root ? find(w, root) : NULL;
	size_t made_from = 0;
	struct err ignored;

	if (!s && (!root || count(w) >= ENGINES_MAX)) {
		root = w->o.spare_root;
		s = find(w, root);
	}
	if (!s) {
		made_from = existing_part(w, root);
		if (dir_make(AT_FDCWD, root, &ignored) < 0) {
			root = w->o.spare_root;
			made_from = 0;
			s = find(w, root);
		}
	}
	if (!s && open_site(w, root, made_from, &s, e) < 0)
		return -1;
	s->n_running++;
	s->used = ++w->clock;
	*out = s->backend;
	return 0;
}

void room_left(struct worker *w, struct backend *b)
{
	for (struct site_engine *s = w->engines; s; s = s->next)
		if (s->backend == b)
			s->n_running--;
}

/* Folders that were made for it, as far as they are empty. */
static void remove_root(struct site_engine *s)
{
	size_t n = strlen(s->root);

	while (s->made_from && n > s->made_from && rmdir(s->root) == 0) {
		while (n > s->made_from && s->root[n - 1] != '/')
			n--;
		while (n > s->made_from && s->root[n - 1] == '/')
			n--;
		s->root[n] = 0;
	}
}

static void close_site(struct worker *w, struct site_engine *s)
{
	struct site_engine **at = &w->engines;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	w->o.engine->close(s->backend);
	remove_root(s);
	free(s->root);
	free(s);
}

/* Closing waits for cells to end, so that it is not done in a call back. */
void room_tend(struct worker *w)
{
	struct site_engine *oldest = NULL;

	if (count(w) < ENGINES_MAX)
		return;
	for (struct site_engine *s = w->engines; s; s = s->next)
		if (!s->n_running && (!oldest || s->used < oldest->used))
			oldest = s;
	if (oldest)
		close_site(w, oldest);
}

void room_free(struct worker *w)
{
	while (w->engines)
		close_site(w, w->engines);
}
