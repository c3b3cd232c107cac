/* litter.c - where temporaries lie that a killed gg has left
 *
 * What appears in the project is written beside its place first, by a name
 * that begins with ".gg-".  Each gg notes the folders in which it does so, in
 * a file of its own in .gg/work; the next gg that has the store for itself
 * looks for such names there, and nowhere else.
 */
#include "litter.h"

#include <dirent.h>
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
	bool is_useless;
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

void litter_free(struct project *p)
{
	struct litter *l = p->litter;

	if (!l)
		return;
	if (l->fd >= 0) {
		unlink(l->path);
		close(l->fd);
	}
	free(l->path);
	free(l->last);
	free(l);
	p->litter = NULL;
}

static bool is_temporary(const char *name)
{
	const char *dot = strrchr(name, '.');

	return bytes_start(bytes_str(name), ".gg-") && strcmp(name, PLACEHOLDER_NAME) != 0 &&
		(strcmp(dot, ".tmp") == 0 || strcmp(dot, ".old") == 0);
}

static void sweep_folder(int root, const char *folder)
{
	int fd = openat(root, *folder ? folder : ".",
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *ent;
	struct err ignored;

	while (d && (ent = readdir(d)))
		if (is_temporary(ent->d_name))
			dir_remove(dirfd(d), ent->d_name, &ignored);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
}

static void sweep_noted(const struct project *p, int work, const char *name)
{
	struct arena a = { 0 };
	struct bytes b;
	struct err ignored;

	if (file_read(work, name, NOTES_MAX, &a, &b, &ignored) == 0)
		for (const char *nul; (nul = memchr(b.p, 0, b.n)); b.n -= (size_t)(nul + 1 - b.p),
							    b.p = nul + 1)
			sweep_folder(p->root_fd, b.p);
	arena_release(&a);
}

void litter_sweep(const struct project *p)
{
	struct arena a = { 0 };
	char *work = arena_printf(&a, "%s/work", p->store_dir);
	DIR *d = opendir(work);
	const struct dirent *ent;
	struct err ignored;

	while (d && (ent = readdir(d)))
		if (bytes_start(bytes_str(ent->d_name), NOTES))
			sweep_noted(p, dirfd(d), ent->d_name);
	if (d)
		closedir(d);
	dir_remove(AT_FDCWD, work, &ignored);
	arena_release(&a);
}
