/* work.c - the folder in which one gg keeps its cells' folders
 *
 * Its lock falls with the process, so that who comes later can tell a dead
 * one's folder, in whatever namespace its pid meant something.
 */
#include "work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "file.h"

enum { TRIES = 1000 };

static int lock_folder(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	close(fd);
	return -1;
}

static void remove_dead(const char *above)
{
	DIR *d = opendir(above);
	struct dirent *ent;

	while (d && (ent = readdir(d))) {
		struct err ignored;     /* the next one to start tries again */
		int fd;

		if (ent->d_name[0] == '.')
			continue;
		fd = lock_folder(dirfd(d), ent->d_name);
		if (fd < 0)
			continue;
		dir_remove(dirfd(d), ent->d_name, &ignored);
		close(fd);
	}
	if (d)
		closedir(d);
}

/* Another gg may take a folder that is not locked yet for a dead one's: what
 * counts is that it is still there once it is locked. */
static int make_locked(const char *path)
{
	struct stat st, now;
	int fd;

	if (mkdir(path, 0700) < 0)
		return -1;
	fd = lock_folder(AT_FDCWD, path);
	if (fd >= 0 && fstat(fd, &st) == 0 && stat(path, &now) == 0 &&
	    st.st_ino == now.st_ino)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = EEXIST;
	return -1;
}

int work_folder_open(struct work_folder *w, const char *store_dir, struct err *e)
{
	struct buf b = { 0 };

	buf_printf(&b, "%s/work", store_dir);
	w->fd = -1;
	if (mkdir(b.p, 0755) < 0 && errno != EEXIST) {
		err_sys(e, "cannot make %s", b.p);
		buf_release(&b);
		return -1;
	}
	w->above = mem_str(b.p);
	remove_dead(w->above);
	for (int i = 0; i < TRIES && w->fd < 0; i++) {
		buf_reset(&b);
		buf_printf(&b, "%s/%ld-%d", w->above, (long)getpid(), i);
		w->fd = make_locked(b.p);
		if (w->fd < 0 && errno != EEXIST)
			break;
	}
	if (w->fd < 0)
		err_sys(e, "cannot make %s", b.p);
	else
		w->path = mem_str(b.p);
	buf_release(&b);
	return w->fd < 0 ? -1 : 0;
}

void work_folder_close(struct work_folder *w)
{
	struct err ignored;

	if (w->path)
		dir_remove(AT_FDCWD, w->path, &ignored);
	if (w->fd >= 0)
		close(w->fd);
	free(w->path);
	free(w->above);
	*w = (struct work_folder){ .fd = -1 };
}

const char *work_folder_cell(const struct work_folder *w, unsigned number,
			     struct arena *a)
{
	return arena_printf(a, "%s/%u", w->path, number);
}

void work_folder_remove_cell(const struct work_folder *w, unsigned number)
{
	struct arena a = { 0 };
	struct err ignored;

	dir_remove(AT_FDCWD, work_folder_cell(w, number, &a), &ignored);
	arena_release(&a);
}
