/* globs.c - files that a program finds beside itself by how they are called
 *
 * Where a program lists the folder that its modules are in, and then reads all
 * files there with one ending, it looks for *.csv: one more tomorrow is read
 * too.  What else lies there is the modules and what others write.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "learn_private.h"

enum { GLOBS_MAX = 8 };

struct family {
	const char *suffix;             /* with its dot */
	size_t n_prefix;                /* bytes that all of them begin with */
	const char *first;
	size_t n;
};

static const char *suffix_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	return !dot || dot == name || !dot[1] || head_is_script(name) ? NULL : dot;
}

/* As a word of gg.models it needs no quotes. */
static bool is_bare(const char *s)
{
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "0123456789._/+-")] == '\0';
}

static const char *in_folder(const char *dir, const char *path)
{
	size_t n = strcmp(dir, ".") == 0 ? 0 : strlen(dir) + 1;

	if (*path == '/' || (n && (strncmp(dir, path, n - 1) != 0 || path[n - 1] != '/')))
		return NULL;
	return strchr(path + n, '/') ? NULL : path + n;
}

static struct family *family_of(struct family *v, size_t n, const char *suffix)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].suffix, suffix) == 0)
			return &v[i];
	return NULL;
}

/* Those that s read in dir, by their endings. */
static size_t families(const struct sighting *s, const char *dir, struct family *v)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		const char *name = in_folder(dir, s->v[i].path);
		const char *suffix = name ? suffix_of(name) : NULL;
		struct family *f = suffix ? family_of(v, n, suffix) : NULL;
		size_t same = 0;

		if (!suffix || !(s->v[i].deeds & DEED_READ) || !is_bare(name))
			continue;
		if (!f && n < GLOBS_MAX)
			v[n++] = (struct family){ suffix, strcspn(name, "0123456789."), name, 1 };
		while (f && same < f->n_prefix && name[same] == f->first[same])
			same++;
		if (f) {
			f->n_prefix = same;
			f->n++;
		}
	}
	return n;
}

/* Are all files of dir that begin and end so read, and no more than read? */
static bool are_all_read(const struct sighting *s, const char *full, const char *dir,
			 const struct family *f, size_t n_prefix, struct arena *a)
{
	DIR *d = dir_names(AT_FDCWD, full, 0);
	struct dirent *ent;
	bool all = d != NULL;

	while (all && (ent = dir_next(d))) {
		const char *suffix = suffix_of(ent->d_name), *path;

		if (*ent->d_name == '.' || !suffix || strcmp(suffix, f->suffix) != 0 ||
		    strncmp(ent->d_name, f->first, n_prefix) != 0)
			continue;
		path = strcmp(dir, ".") == 0 ? ent->d_name :
		       arena_printf(a, "%s/%s", dir, ent->d_name);
		all = (sighting_deeds(s, path) & (DEED_READ | DEED_WROTE | DEED_UPDATED)) ==
		      DEED_READ;
	}
	if (d)
		closedir(d);
	return all;
}

static const char *pattern_of(const struct sighting *s, const char *full, const char *dir,
			      const struct family *f, struct arena *a)
{
	const char *slash = strcmp(dir, ".") == 0 ? "" : "/";
	size_t n = 0;

	/* One alone is as a rule asked for by its name: config.json. */
	if (f->n < 2)
		return NULL;
	if (!are_all_read(s, full, dir, f, 0, a)) {
		n = f->n_prefix;
		if (!n || !are_all_read(s, full, dir, f, n, a))
			return NULL;
	}
	return arena_printf(a, "%s%s%.*s*%s", *slash ? dir : "", slash, (int)n, f->first,
			    f->suffix);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct deed_at *)a)->path, ((const struct deed_at *)b)->path);
}

void globs_add(struct sighting *s, struct arena *a)
{
	const char *root = s->command.root ? s->command.root : s->command.cwd;
	struct deed_at *all = arena_alloc(a, (s->n + 2 * GLOBS_MAX) * sizeof(*all));
	size_t n = s->n;

	if (s->n)
		memcpy(all, s->v, s->n * sizeof(*all));
	for (size_t i = 0; i < s->n && n <= s->n + GLOBS_MAX; i++) {
		const char *dir = s->v[i].path, *full, *pattern;
		struct family v[GLOBS_MAX];
		size_t n_v;

		if (!(s->v[i].deeds & DEED_LISTED_AGAIN) || !is_bare(dir) || *dir == '/')
			continue;
		full = path_clean(a, root, dir);
		n_v = families(s, dir, v);
		for (size_t k = 0; k < n_v && n < s->n + GLOBS_MAX; k++) {
			pattern = pattern_of(s, full, dir, &v[k], a);
			if (pattern && !sighting_deeds(s, pattern))
				all[n++] = (struct deed_at){ pattern, DEED_FITS };
		}
	}
	qsort(all, n, sizeof(*all), by_path);
	s->v = all;
	s->n = n;
}

void globs_list(const struct plan *p, struct strs *out)
{
	for (size_t i = 0; i < p->n_views; i++)
		for (size_t k = 0; k < p->views[i].s->n; k++) {
			const struct deed_at *d = &p->views[i].s->v[k];
			bool is_here = strcmp(p->views[i].cwd, ".") == 0;

			if (d->deeds & DEED_FITS)
				strs_add(out, is_here ? d->path :
					 arena_printf(p->a, "{root}/%s", d->path));
		}
}

bool glob_holds(const struct sighting *s, const char *path)
{
	for (size_t i = 0; i < s->n; i++) {
		const char *pattern = s->v[i].path, *star;
		size_t before, after, n = strlen(path);

		if (!(s->v[i].deeds & DEED_FITS) || !(star = strchr(pattern, '*')))
			continue;
		before = (size_t)(star - pattern);
		after = strlen(star + 1);
		if (n >= before + after && strncmp(path, pattern, before) == 0 &&
		    strcmp(path + n - after, star + 1) == 0 &&
		    !memchr(path + before, '/', n - before))
			return true;
	}
	return false;
}
