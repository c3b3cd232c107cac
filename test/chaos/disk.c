/* disk.c - a disk that forgets what was not flushed, for test/chaos
 *
 *     disk FOLDER BYTES [NAMESPACE]
 *
 * NAMESPACE is a file that names the mount namespace to go into once FOLDER is mounted.
 *
 * FOLDER shows two files.  "disk" is for a loop device: a real file system on
 * it gives just the promises that it gives on a real disk, and loop turns its
 * flushes into fsync.  What is written to "control" commands:
 *
 *     cut N           the power fails at the Nth write from now: it, and every
 *                     call after it, ends with EIO
 *     back SEED SHARE the power is back.  Of the sectors written since the last
 *                     flush, SHARE percent are there, by chance of SEED; what
 *                     was written before is there
 *
 * A disk may write its cache out in any order, and a sector at a time, so that
 * any of them can be missing while later ones are there.
 */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum { SECTOR = 512, COMMAND_MAX = 64 };

struct unflushed {
	struct unflushed *next;
	off_t at;
	size_t n;
	char bytes[];
};

struct disk {
	int home;                       /* a mount namespace; -1: the one that it is in */
	char *now, *safe;               /* as seen; as of the last flush */
	off_t size;
	struct unflushed *first, **last;
	bool is_cut;
	long n_writes_left;             /* until it is; 0: no cut is ahead */
	uint64_t chance;
};

static struct disk *disk(void)
{
	return fuse_get_context()->private_data;
}

static bool is_control(const char *path)
{
	return strcmp(path, "/control") == 0;
}

/* xorshift64: any but zero will do as its state. */
static unsigned percent(struct disk *d)
{
	d->chance ^= d->chance << 13;
	d->chance ^= d->chance >> 7;
	d->chance ^= d->chance << 17;
	return (unsigned)(d->chance >> 32) % 100;
}

static struct unflushed *take_first(struct disk *d)
{
	struct unflushed *u = d->first;

	if (u && !(d->first = u->next))
		d->last = &d->first;
	return u;
}

static void put_some(struct disk *d, const struct unflushed *u, unsigned share)
{
	for (size_t i = 0; i < u->n; i += SECTOR)
		if (percent(d) < share)
			memcpy(d->safe + u->at + i, u->bytes + i,
			       u->n - i < SECTOR ? u->n - i : SECTOR);
}

static void flush(struct disk *d, unsigned share)
{
	struct unflushed *u;

	while ((u = take_first(d))) {
		put_some(d, u, share);
		free(u);
	}
}

static void come_back(struct disk *d, uint64_t seed, unsigned share)
{
	d->chance = seed * 2 + 1;
	for (int i = 0; i < 8; i++)
		percent(d);
	flush(d, share);
	/* Where nothing was ever written there is no page to copy. */
	for (off_t at = 0; at < d->size; at += 4096)
		if (memcmp(d->now + at, d->safe + at, 4096) != 0)
			memcpy(d->now + at, d->safe + at, 4096);
	d->is_cut = false;
	d->n_writes_left = 0;
}

static int command(struct disk *d, const char *text)
{
	unsigned long long seed;
	unsigned share;

	if (sscanf(text, "cut %ld", &d->n_writes_left) == 1) {
		d->is_cut = d->n_writes_left <= 0;
		return 0;
	}
	if (sscanf(text, "back %llu %u", &seed, &share) != 2)
		return -EINVAL;
	come_back(d, seed, share);
	return 0;
}

/* Were it the last one in the namespace where the file system on its disk is mounted,
 * its own exit would unmount that, and wait for an answer of its own for ever. */
static void *begin(struct fuse_conn_info *conn, struct fuse_config *config)
{
	(void)conn;
	config->direct_io = 1;
	if (disk()->home >= 0 && setns(disk()->home, CLONE_NEWNS) != 0)
		fuse_exit(fuse_get_context()->fuse);
	return disk();
}

static int look(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	bool is_root = strcmp(path, "/") == 0;

	(void)fi;
	if (!is_root && !is_control(path) && strcmp(path, "/disk") != 0)
		return -ENOENT;
	*st = (struct stat){ .st_mode = is_root ? S_IFDIR | 0700 : S_IFREG | 0600,
			     .st_nlink = 1 };
	if (!is_root && !is_control(path))
		st->st_size = disk()->size;
	return 0;
}

static int cut_to(const char *path, off_t size, struct fuse_file_info *fi)
{
	(void)path;
	(void)size;
	(void)fi;
	return 0;
}

static int read_some(const char *path, char *out, size_t n, off_t at, struct fuse_file_info *fi)
{
	struct disk *d = disk();

	(void)fi;
	if (is_control(path) || at >= d->size)
		return 0;
	if (d->is_cut)
		return -EIO;
	if ((off_t)n > d->size - at)
		n = (size_t)(d->size - at);
	memcpy(out, d->now + at, n);
	return (int)n;
}

static int keep(struct disk *d, const char *p, size_t n, off_t at)
{
	struct unflushed *u = malloc(sizeof(*u) + n);

	if (!u)
		return -ENOMEM;
	u->next = NULL;
	u->at = at;
	u->n = n;
	memcpy(u->bytes, p, n);
	*d->last = u;
	d->last = &u->next;
	memcpy(d->now + at, p, n);
	return (int)n;
}

static int write_some(const char *path, const char *p, size_t n, off_t at,
		      struct fuse_file_info *fi)
{
	struct disk *d = disk();
	char text[COMMAND_MAX + 1] = "";
	int rc;

	(void)fi;
	if (is_control(path)) {
		memcpy(text, p, n < COMMAND_MAX ? n : COMMAND_MAX);
		rc = command(d, text);
		return rc < 0 ? rc : (int)n;
	}
	if (d->n_writes_left > 0 && --d->n_writes_left == 0)
		d->is_cut = true;
	if (d->is_cut)
		return -EIO;
	if (at >= d->size || (off_t)n > d->size - at)
		return -ENOSPC;
	return keep(d, p, n, at);
}

static int flush_all(const char *path, int only_data, struct fuse_file_info *fi)
{
	struct disk *d = disk();

	(void)fi;
	(void)only_data;
	if (is_control(path))
		return 0;
	if (d->is_cut)
		return -EIO;
	flush(d, 100);
	return 0;
}

static char *room(off_t size)
{
	return mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static const struct fuse_operations operations = {
	.init = begin,
	.getattr = look,
	.truncate = cut_to,
	.read = read_some,
	.write = write_some,
	.fsync = flush_all,
};

int main(int argc, char **argv)
{
	char *args[] = { argv[0], "-f", "-s", "-ofsname=gg-disk", argc > 1 ? argv[1] : "", NULL };
	struct disk d = { .size = argc > 2 ? atoll(argv[2]) : 0, .home = -1 };

	if (d.size <= 0 || d.size % 4096 != 0) {
		fprintf(stderr, "disk FOLDER BYTES [NAMESPACE]\n");
		return 2;
	}
	if (argc > 3 && (d.home = open(argv[3], O_RDONLY | O_CLOEXEC)) < 0) {
		perror(argv[3]);
		return 1;
	}
	/* It does not outlive the harness, however that ends. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	d.last = &d.first;
	d.now = room(d.size);
	d.safe = room(d.size);
	if (d.now == MAP_FAILED || d.safe == MAP_FAILED) {
		perror("disk");
		return 1;
	}
	return fuse_main(5, args, &operations, &d);
}
