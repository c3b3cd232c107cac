/* deeds_end.c - what became of each path, once the command has ended
 *
 * Calls say what was tried; what stands there now, beside what stood there
 * before, says what was done.  A call that failed leaves the path as it was,
 * and what was made and removed again leaves nothing.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "deeds.h"
#include "file.h"

/* A path as it is now. */
struct now {
	bool is_there, is_dir, is_link;
	struct stamp stamp;
};

static struct now look_now(const struct deeds *d, const struct touched *at)
{
	int root = d->project->root_fd;
	struct now now = { 0 };
	struct stat st;

	if (fstatat(root, at->path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return now;
	now.is_link = S_ISLNK(st.st_mode);
	if (now.is_link && fstatat(root, at->path, &st, 0) < 0)
		fstatat(root, at->path, &st, AT_SYMLINK_NOFOLLOW);
	now.is_there = true;
	now.is_dir = S_ISDIR(st.st_mode);
	now.stamp = stamp_of(&st);
	return now;
}

/* Only looked at or read: by another's hand it may have changed. */
static int end_seen(const struct touched *at, const struct now *now, unsigned *deeds,
		    struct err *e)
{
	bool was_file = at->kind == DEED_FILE && at->deeds & DEED_READ && !at->is_to_come;

	*deeds = at->deeds;
	if (at->kind == DEED_DIR)
		*deeds |= DEED_FOLDER;
	if (was_file && (!now->is_there || !stamp_equal(&now->stamp, &at->first)))
		return err_set(e, ERR_RETRY, "%s, which it read, was written anew "
			       "while it ran", at->path);
	return 0;
}

/* Before HDF5 empties a file it opens it as it is, to see whether it has it open
 * already, and closes it again. */
static bool is_hdf5(const struct deeds *d, const struct touched *at)
{
	static const char magic[] = "\211HDF\r\n\032\n";
	int fd = openat(d->project->root_fd, at->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[sizeof magic - 1];
	bool is = fd >= 0 && file_read_fd(fd, text, sizeof text) == (ssize_t)sizeof text &&
		  memcmp(text, magic, sizeof text) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

/* It was absent, and is there: would what had been there have shaped it? */
static bool is_continued(const struct deeds *d, const struct touched *at)
{
	return at->is_resumed || (at->is_tried && !(at->is_emptied && is_hdf5(d, at)));
}

/* Something that writes was tried. */
static unsigned end_written(const struct deeds *d, const struct touched *at,
			    const struct now *now)
{
	bool was_there = at->kind != DEED_NOTHING;
	unsigned folder = now->is_dir ? DEED_FOLDER : 0;
	unsigned made = at->is_exclusive ? DEED_EXCLUSIVE : 0;

	if (!was_there && now->is_there)
		return at->deeds | folder | made |
		       (is_continued(d, at) ? DEED_UPDATED : DEED_WROTE);
	if (!was_there)
		return 0;
	if (!now->is_there)
		return at->deeds | DEED_REMOVED | (at->kind == DEED_DIR ? DEED_FOLDER : 0);
	if (at->kind == DEED_DIR && now->is_dir && !now->is_link)
		return at->deeds | DEED_LOOKED | DEED_FOLDER;
	if (at->is_old && stamp_equal(&now->stamp, &at->first))
		return at->deeds | (at->is_replaced ? DEED_LOOKED : DEED_READ);
	return at->deeds | folder | (at->is_replaced ? DEED_WROTE : DEED_UPDATED);
}

/* A thunk's output is a file or a folder; links within a folder that the
 * command made go along with it, but not in one that others use too. */
static int refuse_link(struct deeds *d, const struct touched *at, struct err *e)
{
	const char *slash = strrchr(at->path, '/');
	const struct touched *dir = NULL;

	if (slash && memchr(at->path, '/', (size_t)(slash - at->path)))
		dir = map_get(&d->by_path, (struct bytes){ at->path,
							   (size_t)(slash - at->path) });
	if (dir && dir->is_written && dir->kind == DEED_NOTHING)
		return 0;
	return err_set(e, ERR_REFUSED, "it makes %s, a symbolic link", at->path);
}

static int by_path(const void *x, const void *y)
{
	const struct deed_at *a = x, *b = y;

	return strcmp(a->path, b->path);
}

/* By what a step is to find it: what was only read, over a link, as it was
 * called.  That what is written lies where the link leads is for others to see. */
static size_t put(const struct touched *at, unsigned deeds, struct arena *a,
		  struct deed_at *out)
{
	bool is_only_read = at->spelled && !at->is_written;
	size_t n = 0;

	if (deeds && is_only_read)
		out[n++] = (struct deed_at){ arena_str(a, at->spelled), deeds };
	if (deeds && (!is_only_read || at->is_plain))
		out[n++] = (struct deed_at){ arena_str(a, at->path), deeds };
	return n;
}

/* Sorted, each path once. */
static size_t in_order(struct deed_at *v, size_t n)
{
	size_t kept = 0;

	qsort(v, n, sizeof *v, by_path);
	for (size_t i = 0; i < n; i++)
		if (kept && strcmp(v[kept - 1].path, v[i].path) == 0)
			v[kept - 1].deeds |= v[i].deeds;
		else
			v[kept++] = v[i];
	return kept;
}

int deeds_end(struct deeds *d, struct arena *a, struct deed_at **v, size_t *n,
	      struct err *e)
{
	struct deed_at *out;
	size_t k = 0;
	int rc = 0;

	pthread_mutex_lock(&d->lock);
	listings_end(d);
	out = arena_alloc(a, (2 * d->n + 1) * sizeof *out);
	for (size_t i = 0; rc == 0 && i < d->n; i++) {
		const struct touched *at = d->v[i];
		struct now now = { 0 };
		unsigned deeds = 0;

		/* What was absent and not made stays so for the model. */
		if (at->is_written || at->kind == DEED_FILE)
			now = look_now(d, at);
		if (at->is_written)
			deeds = end_written(d, at, &now);
		else
			rc = end_seen(at, &now, &deeds, e);
		if (rc == 0 && now.is_link && at->path[0] != '/' &&
		    deeds & (DEED_WROTE | DEED_UPDATED))
			rc = refuse_link(d, at, e);
		k += put(at, deeds, a, out + k);
	}
	pthread_mutex_unlock(&d->lock);
	*v = out;
	*n = in_order(out, k);
	return rc;
}
