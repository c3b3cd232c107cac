/* claim.c - one living process at a time makes a thunk
 *
 * A claim is a lock on one byte of a file in the folder locks, file and offset
 * taken from the thunk's name: the kernel drops it when the process dies,
 * however it dies.  The locks belong to the open file (F_OFD_SETLK), so that closing
 * another descriptor of the same file loses none.  A child made by fork
 * shares them until it runs another program.
 *
 * The kernel looks through all locks of a file one after the other, so that
 * there are several files for those who have ten thousand workers.
 *
 * Two names may meet at one offset.  Then another process waits for nothing
 * but a little, and this one counts, so that dropping one keeps the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "store_private.h"

struct claim {
	struct claim *next;
	off_t at;
	struct id id;
};

/* 61 bits: an offset may not be negative, nor the one after it. */
static off_t place_of(const struct id *id)
{
	uint64_t n;

	memcpy(&n, id->b, sizeof(n));
	return (off_t)(n >> 3);
}

static size_t bucket_of(const struct id *id)
{
	return (id->b[1] << 8 | id->b[2]) % CLAIM_BUCKETS;
}

/* Names that share an offset share the bucket, and so the file. */
static size_t file_of(const struct id *id)
{
	return bucket_of(id) % CLAIM_FILES;
}

static int lock(const struct store *s, const struct id *id, short type)
{
	off_t at = place_of(id);
	struct flock l = { .l_type = type, .l_whence = SEEK_SET,
			   .l_start = at, .l_len = 1 };

	return fcntl(s->claim_fds[file_of(id)], F_OFD_SETLK, &l);
}

static int fail(const struct store *s, struct err *e)
{
	char path[4096];
	int errnum = errno;

	snprintf(path, sizeof(path), "%s/locks", s->dir);
	return disk_fail(errnum, path, e);
}

static int open_file(struct store *s, size_t i)
{
	char name[32];

	if (s->claim_fds[i] >= 0)
		return 0;
	snprintf(name, sizeof(name), "locks/%03zu", i);
	if (mkdirat(s->dir_fd, "locks", 0755) < 0 && errno != EEXIST)
		return -1;
	s->claim_fds[i] = openat(s->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	return s->claim_fds[i] < 0 ? -1 : 0;
}

int store_claim(struct store *s, const struct id *thunk, struct err *e)
{
	struct claim **first = &s->claims[bucket_of(thunk)], *c;

	if (store_may_write(s, e) < 0)
		return -1;
	for (c = *first; c; c = c->next)
		if (id_equal(&c->id, thunk))
			return 1;
	if (open_file(s, file_of(thunk)) < 0)
		return fail(s, e);
	if (lock(s, thunk, F_WRLCK) < 0)
		return errno == EAGAIN || errno == EACCES ? 0 : fail(s, e);
	c = mem_alloc(sizeof(*c));
	*c = (struct claim){ *first, place_of(thunk), *thunk };
	*first = c;
	return 1;
}

void store_unclaim(struct store *s, const struct id *thunk)
{
	struct claim **first = &s->claims[bucket_of(thunk)], **at = first, *c;

	while (*at && !id_equal(&(*at)->id, thunk))
		at = &(*at)->next;
	c = *at;
	if (!c)
		return;
	*at = c->next;
	for (const struct claim *o = *first; o; o = o->next)
		if (o->at == c->at)
			goto out;
	lock(s, &c->id, F_UNLCK);
out:
	free(c);
}

void claim_release(struct store *s)
{
	for (size_t i = 0; i < CLAIM_BUCKETS; i++) {
		while (s->claims[i]) {
			struct claim *c = s->claims[i];

			s->claims[i] = c->next;
			free(c);
		}
	}
	for (size_t i = 0; i < CLAIM_FILES; i++)
		if (s->claim_fds[i] >= 0)
			close(s->claim_fds[i]);
}
