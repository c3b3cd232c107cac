/* closure_ahead.c - a closure's files looked at before the closure is asked for
 *
 * A command that is learned from is let go when it has ended and its closure is
 * known: a stat of each file of each package that it used.  What its program
 * used the last time is a good guess, and while it computes a core is free.
 *
 * A stamp that was taken meanwhile counts for a file that the command did not
 * touch: the tree then tells of the machine as it was while the command ran.
 * What it did touch has to be as it was when the stamp was taken; if any of it
 * is not, nothing counts.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "closure_private.h"

struct seen {
	const char *path;
	struct stamp stamp;             /* zero: absent */
};

struct closure_ahead {
	struct id program, tree, uses;
	struct sys m;
	pthread_t thread;
	bool is_running, is_confirmed;
	atomic_bool must_stop;
	/* The thread's, while it runs. */
	struct arena arena;
	struct mark_reader r;
	struct seen *v;                 /* in order of path */
	size_t n;
};

struct record {
	struct id tree, uses;
};

static struct bytes key_of(const struct id *program, char room[1 + ID_BYTES])
{
	room[0] = 'p';
	memcpy(room + 1, program->b, ID_BYTES);
	return (struct bytes){ room, 1 + ID_BYTES };
}

/* It takes nothing from the command that it waits for. */
static void *look(void *arg)
{
	const struct sched_param none = { 0 };
	struct closure_ahead *h = arg;

	sched_setscheduler(0, SCHED_IDLE, &none);
	while (h->n < h->r.n_paths && !atomic_load(&h->must_stop) && mark_next(&h->r)) {
		struct seen *x = &h->v[h->n++];
		struct stat st;

		x->path = arena_str(&h->arena, h->r.path);
		if (sys_lstat(&h->m, x->path, &st))
			x->stamp = stamp_of(&st);
	}
	return NULL;
}

/* Signals are for the threads that wait for them. */
static bool start(struct closure_ahead *h)
{
	sigset_t all, old;
	bool starts;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	starts = pthread_create(&h->thread, NULL, look, h) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return starts;
}

static bool recall(struct closure_ahead *h, struct store *s)
{
	char room[1 + ID_BYTES];
	struct record last;
	struct bytes b;
	struct err ignored;

	if (store_table_get(s, TABLE_CLOSURE, key_of(&h->program, room), &h->arena, &b,
			    &ignored) < 0 || b.n != sizeof last)
		return false;
	memcpy(&last, b.p, sizeof last);
	h->tree = last.tree;
	h->uses = last.uses;
	return mark_get(s, &h->tree, &h->uses, &h->arena, &h->r) &&
	       h->r.n_paths <= (size_t)(h->r.end - h->r.p) / 6;
}

struct closure_ahead *closure_ahead_begin_at(struct store *s, const char *root,
					     const char *program)
{
	struct closure_ahead *h = mem_alloc(sizeof *h);
	struct err ignored;

	memset(h, 0, sizeof *h);
	h->program = id_of(bytes_str(program));
	if (sys_open(&h->m, root, &ignored) == 0 && recall(h, s)) {
		h->v = arena_alloc(&h->arena, (h->r.n_paths + 1) * sizeof *h->v);
		h->is_running = start(h);
	}
	return h;
}

struct closure_ahead *closure_ahead_begin(struct store *s, const char *program)
{
	char *real = realpath(program, NULL);
	struct closure_ahead *h = closure_ahead_begin_at(s, "/", real ? real : program);

	free(real);
	return h;
}

void ahead_wait(struct closure_ahead *h)
{
	if (h->is_running)
		pthread_join(h->thread, NULL);
	h->is_running = false;
}

static void stop(struct closure_ahead *h)
{
	atomic_store(&h->must_stop, true);
	ahead_wait(h);
}

void closure_ahead_free(struct closure_ahead *h)
{
	if (!h)
		return;
	stop(h);
	sys_close(&h->m);
	arena_release(&h->arena);
	free(h);
}

static int by_path(const void *key, const void *item)
{
	return strcmp(key, ((const struct seen *)item)->path);
}

static bool is_as_seen(const struct closure_ahead *h, const struct leaf *l)
{
	const struct seen *x = h->n ? bsearch(l->path, h->v, h->n, sizeof *h->v, by_path)
				    : NULL;

	return !x || stamp_equal(&x->stamp, &l->stamp);
}

void ahead_confirm(struct closure_ahead *h, const struct leaf *v, size_t n)
{
	if (!h)
		return;
	stop(h);
	h->is_confirmed = true;
	for (size_t i = 0; i < n; i++)
		h->is_confirmed &= is_as_seen(h, &v[i]);
}

bool ahead_saw(const struct closure_ahead *h, size_t *at, const char *path,
	       struct stamp *out)
{
	if (!h || !h->is_confirmed)
		return false;
	while (*at < h->n && strcmp(h->v[*at].path, path) < 0)
		++*at;
	if (*at == h->n || strcmp(h->v[*at].path, path) != 0)
		return false;
	*out = h->v[*at].stamp;
	return true;
}

/* It is kept beside: nothing is wrong when it cannot be kept. */
void ahead_keep(const struct closure_ahead *h, struct store *s, const struct id *tree,
		const struct id *uses)
{
	const struct record now = { *tree, *uses };
	char room[1 + ID_BYTES];
	struct err ignored;

	if (h && (!id_equal(tree, &h->tree) || !id_equal(uses, &h->uses)))
		store_table_put(s, TABLE_CLOSURE, key_of(&h->program, room),
				(struct bytes){ (const char *)&now, sizeof now }, &ignored);
}
