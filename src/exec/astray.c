/* astray.c - a step left no file where its output should be: where it may have gone
 *
 * Most often the program wrote the right name into the wrong folder, or a
 * name that differs; both are seen by listing what it left.
 */
#include "inside.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "file.h"

enum { SHOWN = 3, DEEPEST = 16, LOOKED_AT_MAX = 10000 };

struct search {
	struct cell *c;
	const char *base;               /* of the output that is missing */
	const char *same;               /* path of a file with that name */
	const char *others[SHOWN];
	size_t n_others, looked_at, most;
	unsigned depth;
};

static bool is_known(const struct cell *c, const char *path)
{
	size_t i = items_find(c->now, bytes_str(path));

	if (i < c->now->n && strcmp(c->now->v[i].path, path) == 0)
		return true;
	for (size_t k = 0; k < c->thunk.n_out; k++)
		if (path_is_below(c->thunk.out[k].path, path))
			return true;
	return false;
}

static void search(struct search *s, int above, const char *name, const char *path);

static void note(struct search *s, int above, const struct dirent *d, const char *path)
{
	if (!is_known(s->c, path)) {
		if (strcmp(path_base(path), s->base) == 0 && !s->same)
			s->same = path;
		else if (d->d_type != DT_DIR && s->n_others++ < SHOWN)
			s->others[s->n_others - 1] = path;
	}
	if (d->d_type == DT_DIR)
		search(s, above, d->d_name, path);
}

static void search(struct search *s, int above, const char *name, const char *path)
{
	DIR *d = s->depth < DEEPEST ? dir_names(above, name, O_NOFOLLOW) : NULL;
	struct dirent *ent;

	if (!d)
		return;
	s->depth++;
	while (!s->same && (ent = dir_next(d)) && s->looked_at++ < s->most)
		note(s, dirfd(d), ent, *path ?
		     arena_printf(&s->c->arena, "%s/%s", path, ent->d_name) :
		     arena_str(&s->c->arena, ent->d_name));
	s->depth--;
	closedir(d);
}

/* The folder of a path, with a slash. */
static const char *folder_of(struct arena *a, const char *path)
{
	size_t n = (size_t)(path_base(path) - path);

	return n ? arena_strn(a, path, n) : "./";
}

const char *blame_missing(struct cell *c, const struct output *o)
{
	struct search s = { .c = c, .base = path_base(o->path), .most = LOOKED_AT_MAX };
	struct buf b = { 0 };
	const char *text;

	search(&s, c->box.root, ".", "");
	if (s.same)
		return arena_printf(&c->arena, ": it wrote %s in %s instead of %s",
				    s.base, folder_of(&c->arena, s.same),
				    folder_of(&c->arena, o->path));
	if (!s.n_others)
		return ": it wrote nothing that was not declared";
	buf_str(&b, ": it wrote ");
	for (size_t i = 0; i < s.n_others && i < SHOWN; i++)
		buf_printf(&b, "%s%s", i ? ", " : "", s.others[i]);
	buf_str(&b, s.n_others > SHOWN ? " and others instead" : " instead");
	text = arena_str(&c->arena, b.p);
	buf_release(&b);
	return text;
}

const char *astray_first(struct cell *c)
{
	/* No file has this name, so that none is "the same". */
	struct search s = { .c = c, .base = "/", .most = SIZE_MAX };

	search(&s, c->box.root, ".", "");
	return s.n_others ? s.others[0] : NULL;
}
