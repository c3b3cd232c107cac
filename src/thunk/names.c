/* names.c - names that are on the disk before the records that speak of them
 *
 * What a power cut took from a file's bytes shows.  But where an older thing
 * stood again than the one that its record speaks of, that would look like an
 * edit.  So folders with new names are synced once for each commit.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "store_private.h"

static void note_folder(struct store *s, const char *folder, size_t n)
{
	struct bytes key = { folder, n };

	if (map_get(&s->folders, key))
		return;
	key.p = arena_strn(&s->folder_names, folder, n);
	*map_at(&s->folders, key) = (void *)key.p;
}

void store_note_name(struct store *s, int dirfd, const char *path)
{
	size_t n = (size_t)(path_base(path) - path);

	if (s->is_volatile || s->is_read_only ||
	    (s->last_folder && strncmp(s->last_folder, path, n) == 0 && !s->last_folder[n]))
		return;
	s->folders_fd = dirfd;
	s->last_folder = arena_strn(&s->folder_names, path, n);
	/* Those above may be new, too. */
	for (note_folder(s, "", 0); n; n--)
		if (path[n - 1] == '/')
			note_folder(s, path, n);
}

/* One that is gone, may not be read or cannot be synced is as it is. */
static bool may_be_left(int why)
{
	return why == ENOENT || why == ENOTDIR || why == EACCES || why == EINVAL ||
		why == ENOTSUP;
}

static int sync_folder(const struct store *s, const char *folder, struct err *e)
{
	int fd = openat(s->folders_fd, *folder ? folder : ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return rc && !may_be_left(rc) ? disk_fail(rc, *folder ? folder : "the project", e) : 0;
}

int names_sync(struct store *s, struct err *e)
{
	struct bytes key;
	size_t pos = 0;
	void *folder;

	while (map_each(&s->folders, &pos, &key, &folder))
		if (sync_folder(s, folder, e) < 0)
			return -1;
	names_release(s);
	return 0;
}

void names_release(struct store *s)
{
	map_release(&s->folders);
	arena_release(&s->folder_names);
	s->last_folder = NULL;
}
