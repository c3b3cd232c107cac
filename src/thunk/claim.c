/* claim.c - one living process at a time makes a thunk
 *
 * A claim is a lock on one byte of the file claims, at an offset taken from
 * the thunk's name: the kernel drops it when the process dies, however it
 * dies.  The locks belong to the open file (F_OFD_SETLK), so that closing
 * another descriptor of the same file loses none.  A child made by fork
 * shares them until it runs another program.
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

static struct claim **bucket(struct store *s, const struct id *id)
{
	return &s->claims[id->b[1] % (sizeof(s->claims) / sizeof(s->claims[0]))];
}

static int lock(const struct store *s, off_t at, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET,
			   .l_start = at, .l_len = 1 };

	return fcntl(s->claims_fd, F_OFD_SETLK, &l);
}

static int fail(const struct store *s, struct err *e)
{
	char path[4096];
	int errnum = errno;

	snprintf(path, sizeof(path), "%s/claims", s->dir);
	return disk_fail(errnum, path, e);
}

int store_claim(struct store *s, const struct id *thunk, struct err *e)
{
	struct claim **first = bucket(s, thunk), *c;
	off_t at = place_of(thunk);

	if (store_may_write(s, e) < 0)
		return -1;
	for (c = *first; c; c = c->next)
		if (id_equal(&c->id, thunk))
			return 1;
	if (s->claims_fd < 0)
		s->claims_fd = openat(s->dir_fd, "claims",
				      O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (s->claims_fd < 0)
		return fail(s, e);
	if (lock(s, at, F_WRLCK) < 0)
		return errno == EAGAIN || errno == EACCES ? 0 : fail(s, e);
	c = mem_alloc(sizeof(*c));
	*c = (struct claim){ *first, at, *thunk };
	*first = c;
	return 1;
}

void store_unclaim(struct store *s, const struct id *thunk)
{
	struct claim **at = bucket(s, thunk), *c;

	while (*at && !id_equal(&(*at)->id, thunk))
		at = &(*at)->next;
	c = *at;
	if (!c)
		return;
	*at = c->next;
	/* Names that share an offset share the bucket. */
	for (const struct claim *o = *bucket(s, thunk); o; o = o->next)
		if (o->at == c->at)
			goto out;
	lock(s, c->at, F_UNLCK);
out:
	free(c);
}

void claim_release(struct store *s)
{
	for (size_t i = 0; i < sizeof(s->claims) / sizeof(s->claims[0]); i++) {
		while (s->claims[i]) {
			struct claim *c = s->claims[i];

			s->claims[i] = c->next;
			free(c);
		}
	}
	if (s->claims_fd >= 0)
		close(s->claims_fd);
}
