/* claim.c - one living process at a time makes a thunk
 *
 * Claims stand on a board, a file that all who have the store open map: a word
 * for each says what is claimed and by whom.  Who has a number among the claimers
 * holds a lock on the byte of that number (F_OFD_SETLK), which the kernel drops when the
 * process dies, however it dies: its words count for nothing then, and who meets
 * one removes it.  A child made by fork keeps the lock until it runs another
 * program.  A lock for each claim was slower: the kernel looks through all locks of
 * a file one after the other, and there may be ten thousand.
 *
 * The word of a name can stand anywhere in one row of the board.  Who wants it
 * writes it there first, then looks whether another has done so too, and if so
 * takes it back.  The later of two sees the earlier; both may see each other,
 * and then both come again.
 *
 *	0	how many claimers there were; the rest of HEAD_BYTES is free
 *	4096	ROWS rows of WORDS words: claimer (16 bits), name (48 bits); 0: free
 *
 * Two names may have one word.  Then another process waits for nothing but a
 * little, and this one counts, so that dropping one keeps the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "store_private.h"

enum { ROWS = 1024, WORDS = 64, HEAD_BYTES = 4096, NAME_BITS = 48, REST_BITS = 35 };

static const uint64_t NAME_MASK = ((uint64_t)1 << NAME_BITS) - 1;
static const uint64_t CLAIMERS_MOST = ((uint64_t)1 << (64 - NAME_BITS)) - 1;

typedef _Atomic uint64_t word;

struct claim_board {
	union {
		word n_claimers;
		char bytes[HEAD_BYTES];
	} head;
	word row[ROWS][WORDS];
};

struct claim {
	struct claim *next;
	word *at;
	struct id id;
};

static size_t bucket_of(const struct id *id)
{
	return (size_t)(id->b[1] << 8 | id->b[2]) % CLAIM_BUCKETS;
}

/* Names with the same word share the bucket, and so the row. */
static uint64_t name_of(const struct id *id)
{
	uint64_t n;

	memcpy(&n, id->b + 8, sizeof(n));
	return (uint64_t)bucket_of(id) << REST_BITS | n >> (64 - REST_BITS);
}

static int fail(const struct store *s, int errnum, struct err *e)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/claims", s->dir);
	return disk_fail(errnum, path, e);
}

static int lock(const struct store *s, uint64_t claimer, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET,
			   .l_start = (off_t)claimer, .l_len = 1 };

	return fcntl(s->claims_fd, F_OFD_SETLK, &l);
}

/* If whoever wrote w is no more, remove it.  The lock keeps others from becoming
 * that claimer meanwhile. */
static bool bury(const struct store *s, word *at, uint64_t w)
{
	uint64_t claimer = w >> NAME_BITS;

	if (claimer == s->claimer)
		return false;
	if (lock(s, claimer, F_WRLCK) < 0)
		return false;
	atomic_compare_exchange_strong(at, &w, 0);
	lock(s, claimer, F_UNLCK);
	return true;
}

/* All of the file has its place on the disk and has been read: a full or ill
 * disk would be a SIGBUS in the map. */
static int prepare(int fd)
{
	char piece[1 << 14];
	struct stat st;
	off_t at = 0;
	int rc = 0;

	if (fstat(fd, &st) < 0)
		return errno;
	if (st.st_size < (off_t)sizeof(struct claim_board))
		rc = posix_fallocate(fd, 0, sizeof(struct claim_board));
	while (!rc && at < (off_t)sizeof(struct claim_board)) {
		ssize_t n = pread(fd, piece, sizeof(piece), at);

		if (n > 0)
			at += n;
		else if (n == 0 || errno != EINTR)
			rc = n == 0 ? EIO : errno;
	}
	return rc;
}

/* A number that nobody has.  What the board still says of it was written by
 * somebody who is no more. */
static int become_claimer(struct store *s)
{
	struct claim_board *b = s->board;
	word *first = &b->row[0][0];
	int rc;

	do {
		s->claimer = atomic_fetch_add(&b->head.n_claimers, 1) % CLAIMERS_MOST + 1;
		rc = lock(s, s->claimer, F_WRLCK) < 0 ? errno : 0;
	} while (rc == EAGAIN || rc == EACCES);
	if (rc)
		return rc;
	for (size_t i = 0; i < (size_t)ROWS * WORDS; i++) {
		uint64_t w = atomic_load_explicit(&first[i], memory_order_relaxed);

		if (w >> NAME_BITS == s->claimer)
			atomic_compare_exchange_strong(&first[i], &w, 0);
	}
	return 0;
}

static void close_board(struct store *s)
{
	if (s->board)
		munmap(s->board, sizeof(*s->board));
	s->board = NULL;
	if (s->claims_fd >= 0)
		close(s->claims_fd);
	s->claims_fd = -1;
}

static int map_board(struct store *s)
{
	void *p = mmap(NULL, sizeof(*s->board), PROT_READ | PROT_WRITE, MAP_SHARED,
		       s->claims_fd, 0);

	if (p == MAP_FAILED)
		return errno;
	s->board = p;
	return 0;
}

static int open_board(struct store *s, struct err *e)
{
	int rc;

	if (s->board)
		return 0;
	s->claims_fd = openat(s->dir_fd, "claims", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	rc = s->claims_fd < 0 ? errno : prepare(s->claims_fd);
	if (!rc)
		rc = map_board(s);
	if (!rc)
		rc = become_claimer(s);
	if (!rc)
		return 0;
	close_board(s);
	return fail(s, rc, e);
}

/* Does another than the one at own have the name in this row?  *room: a free
 * place, or NULL. */
static bool is_taken(const struct store *s, word *row, const word *own, uint64_t name,
		     word **room)
{
	*room = NULL;
	for (size_t i = 0; i < WORDS; i++) {
		uint64_t w = atomic_load(&row[i]);

		if (w && &row[i] != own && (w & NAME_MASK) == name && !bury(s, &row[i], w))
			return true;
		if (!w && !*room)
			*room = &row[i];
	}
	return false;
}

/* A place in a full row that was somebody's who is no more, or NULL. */
static word *make_room(const struct store *s, word *row)
{
	for (size_t i = 0; i < WORDS; i++)
		if (bury(s, &row[i], atomic_load(&row[i])))
			return &row[i];
	return NULL;
}

/* The name's word, now on the board, or NULL: another has it, or there is no
 * room in the row, so that it is to be asked for again. */
static word *take(const struct store *s, word *row, uint64_t name)
{
	const uint64_t own = s->claimer << NAME_BITS | name;
	word *at, *ignored;
	uint64_t was;

	do {
		was = 0;
		if (is_taken(s, row, NULL, name, &at) || !(at || (at = make_room(s, row))))
			return NULL;
	} while (!atomic_compare_exchange_strong(at, &was, own));
	if (!is_taken(s, row, at, name, &ignored))
		return at;
	atomic_store(at, 0);
	return NULL;
}

int store_claim(struct store *s, const struct id *thunk, struct err *e)
{
	struct claim **first = &s->claims[bucket_of(thunk)], *c;
	word *at = NULL;

	if (store_may_write(s, e) < 0)
		return -1;
	for (c = *first; c; c = c->next) {
		if (id_equal(&c->id, thunk))
			return 1;
		if (name_of(&c->id) == name_of(thunk))
			at = c->at;
	}
	if (open_board(s, e) < 0)
		return -1;
	if (!at)
		at = take(s, s->board->row[bucket_of(thunk) % ROWS], name_of(thunk));
	if (!at)
		return 0;
	c = mem_alloc(sizeof(*c));
	*c = (struct claim){ *first, at, *thunk };
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
	atomic_store(c->at, 0);
out:
	free(c);
}

/* In the child of a fork the board is its parent's. */
void claim_release(struct store *s)
{
	for (size_t i = 0; i < CLAIM_BUCKETS; i++) {
		while (s->claims[i]) {
			struct claim *c = s->claims[i];

			if (*s->is_mine)
				atomic_store(c->at, 0);
			s->claims[i] = c->next;
			free(c);
		}
	}
	close_board(s);
}
