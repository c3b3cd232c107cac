/* chunks.c - zstd by several threads, whose bytes do not depend on how many
 *
 * The stream is cut into chunks of one size, each compressed into a frame of
 * its own; frames one after the other are a zstd stream again.  The thread that
 * brings the bytes also writes the frames, in order, and compresses a chunk
 * itself rather than wait for others: on a busy machine each wait would cost a
 * turn of the scheduler.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include "image_private.h"

enum { LEVEL = 3, CHUNK_BYTES = 2 << 20, THREADS_MAX = 16 };

enum state { FREE, READY, BUSY, DONE };

struct chunk {
	enum state state;
	char *in, *out;
	size_t n, n_out;                /* n_out may be an error of zstd's */
};

struct chunks {
	pthread_mutex_t lock;           /* of all states, first, and stops */
	pthread_cond_t some_ready, some_done;
	pthread_t threads[THREADS_MAX];
	unsigned n_threads;
	struct chunk *v;
	size_t n, first, filling;       /* oldest not written, the one that fills */
	size_t room_out;
	ZSTD_CCtx *mine;
	bool stops;
};

static ZSTD_CCtx *new_context(void)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();

	if (!z)
		abort();
	ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, LEVEL);
	return z;
}

/* The oldest chunk that nobody has taken, or NULL; the lock is held. */
static struct chunk *take(struct chunks *k)
{
	for (size_t i = 0; i < k->n; i++) {
		struct chunk *c = &k->v[(k->first + i) % k->n];

		if (c->state == READY) {
			c->state = BUSY;
			return c;
		}
	}
	return NULL;
}

/* The lock is held before and after, not meanwhile. */
static void squeeze(struct chunks *k, struct chunk *c, ZSTD_CCtx *z)
{
	pthread_mutex_unlock(&k->lock);
	c->n_out = ZSTD_compress2(z, c->out, k->room_out, c->in, c->n);
	pthread_mutex_lock(&k->lock);
	c->state = DONE;
}

static void *help(void *arg)
{
	struct chunks *k = arg;
	ZSTD_CCtx *z = new_context();

	pthread_mutex_lock(&k->lock);
	while (!k->stops) {
		struct chunk *c = take(k);

		if (!c) {
			pthread_cond_wait(&k->some_ready, &k->lock);
			continue;
		}
		squeeze(k, c, z);
		pthread_cond_signal(&k->some_done);
	}
	pthread_mutex_unlock(&k->lock);
	ZSTD_freeCCtx(z);
	return NULL;
}

struct chunks *chunks_new(unsigned n_threads)
{
	struct chunks *k = memset(mem_alloc(sizeof *k), 0, sizeof *k);
	unsigned n = n_threads < THREADS_MAX ? n_threads : THREADS_MAX;

	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->some_ready, NULL);
	pthread_cond_init(&k->some_done, NULL);
	k->n = 2 * (size_t)n + 2;
	k->v = memset(mem_alloc(k->n * sizeof *k->v), 0, k->n * sizeof *k->v);
	k->room_out = ZSTD_compressBound(CHUNK_BYTES);
	for (size_t i = 0; i < k->n; i++) {
		k->v[i].in = mem_alloc(CHUNK_BYTES);
		k->v[i].out = mem_alloc(k->room_out);
	}
	k->mine = new_context();
	/* One that cannot be started is done without. */
	while (k->n_threads + 1 < n &&
	       pthread_create(&k->threads[k->n_threads], NULL, help, k) == 0)
		k->n_threads++;
	return k;
}

void chunks_free(struct chunks *k)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	k->stops = true;
	pthread_cond_broadcast(&k->some_ready);
	pthread_mutex_unlock(&k->lock);
	for (unsigned i = 0; i < k->n_threads; i++)
		pthread_join(k->threads[i], NULL);
	for (size_t i = 0; i < k->n; i++) {
		free(k->v[i].in);
		free(k->v[i].out);
	}
	pthread_cond_destroy(&k->some_ready);
	pthread_cond_destroy(&k->some_done);
	pthread_mutex_destroy(&k->lock);
	ZSTD_freeCCtx(k->mine);
	free(k->v);
	free(k);
}

/* Get the oldest chunk done; the lock is held. */
static void await_first(struct chunks *k)
{
	struct chunk *first = &k->v[k->first];

	while (first->state != DONE) {
		struct chunk *c = take(k);

		if (c)
			squeeze(k, c, k->mine);
		else
			pthread_cond_wait(&k->some_done, &k->lock);
	}
}

/* Hand the oldest chunk to put, and free it. */
static int write_first(struct chunks *k, struct chunks_to *to, struct err *e)
{
	struct chunk *first = &k->v[k->first];
	int rc = ZSTD_isError(first->n_out)
		? err_set(e, ERR_IO, "zstd: %s", ZSTD_getErrorName(first->n_out))
		: to->put(to->arg, first->out, first->n_out, e);

	pthread_mutex_lock(&k->lock);
	first->state = FREE;
	first->n = 0;
	k->first = (k->first + 1) % k->n;
	pthread_mutex_unlock(&k->lock);
	return rc;
}

/* Write what is done; with must, the oldest even if that is to be waited for. */
static int write_done(struct chunks *k, bool must, struct chunks_to *to, struct err *e)
{
	int rc = 0;

	while (rc == 0 && k->first != k->filling) {
		bool is_done;

		pthread_mutex_lock(&k->lock);
		if (must)
			await_first(k);
		is_done = k->v[k->first].state == DONE;
		pthread_mutex_unlock(&k->lock);
		if (!is_done)
			break;
		rc = write_first(k, to, e);
		must = false;
	}
	return rc;
}

/* The chunk that was filled is for whoever has time; the next one is filled
 * from now on. */
static int submit(struct chunks *k, struct chunks_to *to, struct err *e)
{
	pthread_mutex_lock(&k->lock);
	k->v[k->filling].state = READY;
	pthread_cond_signal(&k->some_ready);
	pthread_mutex_unlock(&k->lock);
	k->filling = (k->filling + 1) % k->n;
	return write_done(k, (k->filling + 1) % k->n == k->first, to, e);
}

int chunks_add(struct chunks *k, const char *p, size_t n, struct chunks_to *to,
	       struct err *e)
{
	while (n) {
		struct chunk *c = &k->v[k->filling];
		size_t part = n < CHUNK_BYTES - c->n ? n : CHUNK_BYTES - c->n;

		memcpy(c->in + c->n, p, part);
		c->n += part;
		p += part;
		n -= part;
		if (c->n == CHUNK_BYTES && submit(k, to, e) < 0)
			return -1;
	}
	return 0;
}

int chunks_end(struct chunks *k, struct chunks_to *to, struct err *e)
{
	int rc = 0;

	if (k->v[k->filling].n)
		rc = submit(k, to, e);
	while (rc == 0 && k->first != k->filling)
		rc = write_done(k, true, to, e);
	return rc;
}

static int forget(void *arg, const void *p, size_t n, struct err *e)
{
	(void)arg;
	(void)p;
	(void)n;
	(void)e;
	return 0;
}

void chunks_drop(struct chunks *k)
{
	struct chunks_to nowhere = { .put = forget };
	struct err ignored;

	chunks_end(k, &nowhere, &ignored);
}
