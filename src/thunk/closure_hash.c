/* closure_hash.c - names of many files at once, on all cores
 *
 * The store belongs to one thread; so the stat cache is asked before and told
 * after, and in between threads only read files and hash.  A file whose stamp
 * is as young as the clock's tick is left to stat_name, which knows how to
 * doubt it.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "closure_private.h"

enum outcome { HASH_UNTRIED, HASH_DONE, HASH_CHANGED, HASH_FAILED };

struct unknown {
	struct leaf *leaf;
	enum outcome outcome;
	int errnum;
};

struct hashing {
	const struct sys *m;
	struct unknown *v;
	size_t n;
	atomic_size_t next;
};

static bool is_still(int fd, const struct stamp *t)
{
	struct stat st;
	struct stamp now;

	if (fstat(fd, &st) < 0)
		return false;
	now = stamp_of(&st);
	return stamp_equal(&now, t);
}

static void hash_one(const struct sys *m, struct unknown *u)
{
	int fd = sys_open_file(m, u->leaf->path);
	uint64_t n_bytes;
	struct err e;

	u->outcome = HASH_CHANGED;
	if (fd < 0) {
		u->errnum = errno;
		u->outcome = errno == ENOENT || errno == ELOOP ? HASH_CHANGED : HASH_FAILED;
		return;
	}
	errno = 0;
	if (!is_still(fd, &u->leaf->stamp))
		u->outcome = HASH_CHANGED;
	else if (id_of_fd(fd, &u->leaf->id, &n_bytes, &e) < 0) {
		u->errnum = errno ? errno : EIO;
		u->outcome = HASH_FAILED;
	} else if (is_still(fd, &u->leaf->stamp)) {
		u->outcome = HASH_DONE;
	}
	close(fd);
}

static void *hash_some(void *arg)
{
	struct hashing *h = arg;

	for (;;) {
		size_t i = atomic_fetch_add(&h->next, 1);

		if (i >= h->n)
			return NULL;
		hash_one(h->m, &h->v[i]);
	}
}

enum { THREADS_MAX = 16 };

static void hash_all(struct hashing *h)
{
	pthread_t threads[THREADS_MAX];
	cpu_set_t cpus;
	size_t wanted = 1, n = 0;

	if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
		wanted = (size_t)CPU_COUNT(&cpus);
	if (wanted > THREADS_MAX)
		wanted = THREADS_MAX;
	if (wanted > h->n / 8 + 1)
		wanted = h->n / 8 + 1;
	while (n + 1 < wanted && pthread_create(&threads[n], NULL, hash_some, h) == 0)
		n++;
	hash_some(h);
	while (n)
		pthread_join(threads[--n], NULL);
}

/* The largest first, so that no core is left with it at the end. */
static int by_size(const void *a, const void *b)
{
	uint64_t x = ((const struct unknown *)a)->leaf->stamp.size;
	uint64_t y = ((const struct unknown *)b)->leaf->stamp.size;

	return x < y ? 1 : x > y ? -1 : 0;
}

static int name_young(struct store *s, const struct sys *m, struct leaf *l,
		      struct err *e)
{
	struct stat st;

	if (stat_name(s, m->fd, l->path + 1, 0, &l->id, &st, e) < 0)
		return err_wrap(e, "closure");
	l->stamp = stamp_of(&st);
	return 0;
}

static int keep_outcome(struct store *s, const struct unknown *u, struct err *e)
{
	switch (u->outcome) {
	case HASH_DONE:
		return stat_learn(s, &u->leaf->stamp, &u->leaf->id, e);
	case HASH_FAILED:
		errno = u->errnum;
		return err_sys(e, "%s, a file of the closure", u->leaf->path);
	default:
		return err_set(e, ERR_RETRY, "%s: it changed while it was read for a "
			       "closure; try again once nothing writes to it (is a "
			       "package being installed?)", u->leaf->path);
	}
}

int hash_leaves(struct store *s, const struct sys *m, struct leaf *v, size_t n,
		struct err *e)
{
	struct hashing h = { .m = m, .v = mem_alloc((n + 1) * sizeof(*h.v)) };
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct leaf *l = &v[i];

		if ((l->kind != LEAF_FILE && l->kind != LEAF_EXEC) ||
		    stat_known(s, &l->stamp, &l->id))
			continue;
		if (stamp_is_old(&l->stamp))
			h.v[h.n++] = (struct unknown){ .leaf = l };
		else
			rc = name_young(s, m, l, e);
	}
	if (rc == 0 && h.n) {
		qsort(h.v, h.n, sizeof(*h.v), by_size);
		hash_all(&h);
		for (size_t i = 0; i < h.n && rc == 0; i++)
			rc = keep_outcome(s, &h.v[i], e);
	}
	free(h.v);
	return rc;
}
