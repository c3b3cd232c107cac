/* trade.c - outputs put in place by files that change places, not by new ones
 *
 * A thousand placeholders replaced by real files would be a thousand inodes
 * made and a thousand freed, and some file systems are slow to give out
 * inodes just after many were freed (ext4 without a journal looks through all
 * of those).  So the real file is written into the placeholder that was
 * replaced before it, and the two change places: as atomic as a rename.  Only
 * placeholders are used again: a real file may be open somewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "trade.h"

struct trade {
	char *path;
	bool is_useless;        /* not on the project's file system, say */
	mode_t umask;
};

struct trade *trade_new(void)
{
	return memset(mem_alloc(sizeof(struct trade)), 0, sizeof(struct trade));
}

/* The store's own folder lies on the same file system as a rule. */
static struct trade *trade_of(const struct project *p)
{
	struct trade *s = p->trade;

	if (!s->path) {
		size_t n = strlen(p->store_dir) + 40;

		s->path = mem_alloc(n);
		snprintf(s->path, n, "%s/work/trade-%d", p->store_dir, (int)getpid());
		s->umask = umask(0);
		umask(s->umask);
	}
	return s;
}

int trade_open(const struct project *p, mode_t mode)
{
	struct trade *s = p->trade ? trade_of(p) : NULL;
	int fd;

	if (!s || s->is_useless)
		return -1;
	fd = open(s->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && fchmod(fd, mode & ~s->umask) < 0) {
		close(fd);
		fd = -1;
	}
	s->is_useless = fd < 0;
	return fd;
}

int trade_land(const struct project *p, const char *path)
{
	struct trade *s = trade_of(p);

	if (renameat2(AT_FDCWD, s->path, p->root_fd, path, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno == EXDEV || errno == EINVAL || errno == ENOSYS)
		s->is_useless = true;
	return -1;
}

void trade_free(struct project *p)
{
	if (!p->trade)
		return;
	if (p->trade->path)
		unlink(p->trade->path);
	free(p->trade->path);
	free(p->trade);
	p->trade = NULL;
}
