/* litter.c - where temporaries lie that a killed gg has left
 *
 * What appears in the project is written beside its place first, by a name
 * that begins with ".gg-".  Each gg notes the folders in which it does so, in
 * a file of its own in .gg/work; the next gg that has the store for itself
 * looks for such names there, and nowhere else.  Notes can go with the power
 * and what they told of be there; then all folders with outputs are looked at.
 */
#include "litter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "place.h"

#define NOTES "folders-"
enum { NOTES_MAX = 64 << 20 };

struct litter {
	int fd;                 /* of the notes; -1: none yet */
	char *path, *last;      /* of the notes; the folder noted last */
	bool is_useless, is_left;
};

struct litter *litter_new(void)
{
	struct litter *l = memset(mem_alloc(sizeof(*l)), 0, sizeof(*l));

	l->fd = -1;
	return l;
}

static int notes_open(const struct project *p)
{
	struct litter *l = p->litter;
	size_t n = strlen(p->store_dir) + 40;

	if (l->fd >= 0 || l->is_useless)
		return l->fd;
	l->path = mem_alloc(n);
	/* Engines that run nothing here do not make it. */
	snprintf(l->path, n, "%s/work", p->store_dir);
	(void)mkdir(l->path, 0755);
	snprintf(l->path, n, "%s/work/" NOTES "%d", p->store_dir, (int)getpid());
	l->fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	l->is_useless = l->fd < 0;
	return l->fd;
}

void litter_note(const struct project *p, const char *path)
{
	struct litter *l = p->litter;
	size_t n = (size_t)(path_base(path) - path);

	if (!l || (l->last && strncmp(l->last, path, n) == 0 && !l->last[n]))
		return;
	if (notes_open(p) < 0)
		return;
	free(l->last);
	l->last = mem_alloc(n + 1);
	memcpy(l->last, path, n);
	l->last[n] = 0;
	if (file_write_fd(l->fd, l->last, n + 1) < 0)
		l->is_useless = true;
}

void litter_keep(const struct project *p, const char *path)
{
	struct litter *l = p->litter;

	if (!l)
		return;
	if (l->is_useless) {
		if (l->fd >= 0)
			close(l->fd);
		free(l->path);
		free(l->last);
		*l = (struct litter){ .fd = -1 };
		litter_note(p, path);
	}
	l->is_left = true;
}

void litter_free(struct project *p)
{
	struct litter *l = p->litter;

	if (!l)
		return;
	if (l->fd >= 0) {
		if (!l->is_left)
			unlink(l->path);
		close(l->fd);
	}
	free(l->path);
	free(l->last);
	free(l);
	p->litter = NULL;
}

bool litter_is_temporary(const char *name)
{
	const char *dot = strrchr(name, '.');

	return bytes_start(bytes_str(name), ".gg-") && strcmp(name, PLACEHOLDER_NAME) != 0 &&
		(strcmp(dot, ".tmp") == 0 || strcmp(dot, ".old") == 0);
}

/* False if some is there still. */
static bool sweep_folder(int root, const char *folder)
{
	int fd = openat(root, *folder ? folder : ".",
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *ent;
	struct err ignored;
	bool is_clean;

	if (!d) {
		is_clean = fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP);
		if (fd >= 0)
			close(fd);
		return is_clean;
	}
	is_clean = true;
	while (errno = 0, (ent = readdir(d)))
		if (litter_is_temporary(ent->d_name) &&
		    dir_remove(dirfd(d), ent->d_name, &ignored) < 0)
			is_clean = false;
	is_clean = is_clean && !errno;
	closedir(d);
	return is_clean;
}

static bool sweep_noted(const struct project *p, int work, const char *name)
{
	struct arena a = { 0 };
	struct bytes b;
	struct err e;
	bool is_clean = file_read(work, name, NOTES_MAX, &a, &b, &e) == 0;

	if (is_clean)
		for (const char *nul; (nul = memchr(b.p, 0, b.n)); b.n -= (size_t)(nul + 1 - b.p),
							    b.p = nul + 1)
			is_clean &= sweep_folder(p->root_fd, b.p);
	arena_release(&a);
	return is_clean;
}

void litter_sweep(const struct project *p)
{
	struct arena a = { 0 };
	char *work = arena_printf(&a, "%s/work", p->store_dir);
	DIR *d = opendir(work);
	const struct dirent *ent;
	bool is_clean = d || errno == ENOENT;
	struct err ignored;

	while (d && (errno = 0, ent = readdir(d)))
		if (bytes_start(bytes_str(ent->d_name), NOTES))
			is_clean &= sweep_noted(p, dirfd(d), ent->d_name);
	is_clean = is_clean && !errno;
	if (d)
		closedir(d);
	/* The notes go last, with all else, or stay for the next. */
	if (is_clean)
		dir_remove(AT_FDCWD, work, &ignored);
	arena_release(&a);
}

struct known {
	int root;
	struct arena a;
	struct map folders;
	bool is_clean;
};

static int sweep_beside(void *arg, const char *path, const struct ref_record *r)
{
	struct known *k = arg;
	size_t n = (size_t)(path_base(path) - path);
	char *folder;

	(void)r;
	if (map_get(&k->folders, (struct bytes){ path, n }))
		return 0;
	folder = arena_strn(&k->a, path, n);
	*map_at(&k->folders, (struct bytes){ folder, n }) = folder;
	k->is_clean &= sweep_folder(k->root, folder);
	return 0;
}

int litter_sweep_after_start(struct store *s, const struct project *p, struct err *e)
{
	uint64_t boot = store_boot(s), last = 0;
	struct known k = { .root = p->root_fd, .is_clean = true };
	struct bytes b;
	int rc = 0;

	if (store_table_get(s, TABLE_RUN, bytes_str("boot"), &k.a, &b, e) == 0 &&
	    b.n == sizeof(last))
		memcpy(&last, b.p, sizeof(last));
	if (last != boot)
		rc = ref_each(s, sweep_beside, &k, e);
	if (rc == 0 && last != boot && k.is_clean)
		rc = store_table_put(s, TABLE_RUN, bytes_str("boot"),
				     (struct bytes){ (char *)&boot, sizeof(boot) }, e);
	map_release(&k.folders);
	arena_release(&k.a);
	return rc;
}
