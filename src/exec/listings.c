/* listings.c - folders that a program lists once more than its imports need
 *
 * Python lists a folder to find modules in it, once, and anew only after the
 * folder has changed.  A program that wants the names for itself makes the very
 * same calls, Path(__file__).parent.glob("*.csv"): it shows by one listing too
 * many.  Nor does it list a folder as it is given from where it stands.
 * importlib.metadata does both with all that is on the path, and goes on to the
 * interpreter's own folder; that is taken back.
 */
#include <ctype.h>
#include <string.h>
#include <sys/stat.h>
#include "deeds.h"
#include "file.h"

enum { OWN_MAX = 16 };

struct lister {
	struct map at;                  /* struct stamp of each folder it listed */
	struct own {
		struct touched *at;
		unsigned deed;
	} own[OWN_MAX];                 /* it seems; not known yet what for */
	size_t n_own;
};

static struct lister *lister_of(struct deeds *d, pid_t pid)
{
	struct bytes key = { (const char *)&pid, sizeof pid };
	struct lister *l = map_get(&d->listers, key);

	if (l)
		return l;
	l = arena_alloc(&d->arena, sizeof *l);
	*map_at(&d->listers, arena_bytes(&d->arena, key)) = l;
	return l;
}

static void settle(struct lister *l)
{
	for (size_t i = 0; i < l->n_own; i++)
		l->own[i].at->deeds |= l->own[i].deed;
	l->n_own = 0;
}

static void push(struct lister *l, struct touched *at, unsigned deed)
{
	if (l->n_own == OWN_MAX)
		settle(l);
	l->own[l->n_own++] = (struct own){ at, deed };
}

/* /usr/lib/python3.11, that of a pyenv likewise. */
static bool is_of_interpreter(const char *path)
{
	const char *base = path_base(path);

	return *path == '/' && strncmp(base, "python", 6) == 0 &&
	       isdigit((unsigned char)base[6]) && base[6 + strspn(base + 6, "0123456789.")] == '\0';
}

/* Had it listed the folder already, as it is now? */
static bool had_listed(struct deeds *d, struct lister *l, const struct touched *at)
{
	struct stamp *before, now;
	struct stat st;
	bool had;

	if (fstatat(d->project->root_fd, at->path, &st, 0) < 0)
		return false;
	now = stamp_of(&st);
	before = map_get(&l->at, bytes_str(at->path));
	had = before && stamp_equal(before, &now);
	if (!before) {
		before = arena_alloc(&d->arena, sizeof *before);
		*map_at(&l->at, bytes_str(at->path)) = before;
	}
	*before = now;
	return had;
}

void listings_note(struct deeds *d, struct touched *at, pid_t pid, bool is_relative)
{
	struct lister *l = lister_of(d, pid);
	bool is_root = strcmp(at->path, d->project->root) == 0;
	bool is_inside = is_root || *at->path != '/', again = had_listed(d, l, at);

	if (again && is_of_interpreter(at->path))
		l->n_own = 0;
	else if (!is_inside || (!again && !is_relative))
		settle(l);
	if (is_relative && !at->is_written)
		push(l, at, DEED_LISTED_HERE);
	else if (again && is_inside)
		push(l, is_root ? deeds_root(d) : at, DEED_LISTED_AGAIN);
}

void listings_begin_anew(struct deeds *d, pid_t pid)
{
	struct lister *l = map_get(&d->listers, (struct bytes){ (const char *)&pid, sizeof pid });

	if (!l)
		return;
	settle(l);
	map_release(&l->at);
	l->at = (struct map){ 0 };
}

void listings_end(struct deeds *d)
{
	struct bytes key;
	size_t pos = 0;
	void *l;

	while (map_each(&d->listers, &pos, &key, &l))
		settle(l);
}

void listings_release(struct deeds *d)
{
	struct bytes key;
	size_t pos = 0;
	void *l;

	while (map_each(&d->listers, &pos, &key, &l))
		map_release(&((struct lister *)l)->at);
	map_release(&d->listers);
}
