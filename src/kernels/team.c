/* team.c - threads that wait for a loop and share its turns
 *
 * Turns are taken from one counter.  Threads wait in the kernel between loops:
 * a trainer that shares its machine must not spin.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "team.h"

struct team {
	enum isa isa;
	unsigned n_threads;             /* the caller's among them */
	pthread_t *threads;
	pthread_mutex_t lock;
	pthread_cond_t begun, ended;
	unsigned long round;            /* of the loop that runs or ran last */
	unsigned n_busy;                /* threads inside it, without the caller */
	bool is_over;
	void (*fn)(void *arg, size_t i, unsigned thread);
	void *arg;
	size_t n;
	atomic_size_t next;
	atomic_uint n_numbered;         /* threads that have had a turn of this loop */
};

static size_t next_turn(struct team *t)
{
	return atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed);
}

/* Only who has a turn has a number: there are no more of them than turns. */
static void take_turns(struct team *t)
{
	size_t i = next_turn(t);
	unsigned thread;

	if (i >= t->n)
		return;
	thread = atomic_fetch_add_explicit(&t->n_numbered, 1, memory_order_relaxed);
	for (; i < t->n; i = next_turn(t))
		t->fn(t->arg, i, thread);
}

static void *serve(void *arg)
{
	struct team *t = arg;
	unsigned long seen = 0;

	pthread_mutex_lock(&t->lock);
	for (;;) {
		while (t->round == seen && !t->is_over)
			pthread_cond_wait(&t->begun, &t->lock);
		if (t->is_over)
			break;
		seen = t->round;
		pthread_mutex_unlock(&t->lock);
		take_turns(t);
		pthread_mutex_lock(&t->lock);
		if (--t->n_busy == 0)
			pthread_cond_signal(&t->ended);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static unsigned processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) < 0 ? 1 : (unsigned)CPU_COUNT(&set);
}

/* More than these help no loop of ours; a mistyped number takes a machine's all. */
enum { THREADS_MAX = 1024 };

/* A thread that cannot be had is done without: the others take its turns. */
struct team *team_new(unsigned n_threads, enum isa isa)
{
	struct team *t = mem_alloc(sizeof *t);
	unsigned wanted = n_threads ? n_threads : processors();

	if (wanted > THREADS_MAX)
		wanted = THREADS_MAX;
	*t = (struct team){ .isa = isa, .n_threads = 1 };
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->begun, NULL);
	pthread_cond_init(&t->ended, NULL);
	t->threads = mem_alloc(wanted * sizeof *t->threads);
	while (t->n_threads < wanted &&
	       pthread_create(&t->threads[t->n_threads - 1], NULL, serve, t) == 0)
		t->n_threads++;
	return t;
}

void team_free(struct team *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->is_over = true;
	pthread_cond_broadcast(&t->begun);
	pthread_mutex_unlock(&t->lock);
	for (unsigned i = 0; i + 1 < t->n_threads; i++)
		pthread_join(t->threads[i], NULL);
	pthread_cond_destroy(&t->ended);
	pthread_cond_destroy(&t->begun);
	pthread_mutex_destroy(&t->lock);
	free(t->threads);
	free(t);
}

enum isa team_best_isa(void)
{
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
		return ISA_AVX512;
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return ISA_AVX2;
	return ISA_SCALAR;
}

enum isa team_isa(const struct team *t)
{
	return t->isa;
}

unsigned team_size(const struct team *t)
{
	return t->n_threads;
}

void team_for(struct team *t, size_t n,
	      void (*fn)(void *arg, size_t i, unsigned thread), void *arg)
{
	if (t->n_threads == 1 || n < 2) {
		for (size_t i = 0; i < n; i++)
			fn(arg, i, 0);
		return;
	}
	pthread_mutex_lock(&t->lock);
	t->fn = fn;
	t->arg = arg;
	t->n = n;
	atomic_store_explicit(&t->next, 0, memory_order_relaxed);
	atomic_store_explicit(&t->n_numbered, 0, memory_order_relaxed);
	t->n_busy = t->n_threads - 1;
	t->round++;
	pthread_cond_broadcast(&t->begun);
	pthread_mutex_unlock(&t->lock);
	take_turns(t);
	pthread_mutex_lock(&t->lock);
	while (t->n_busy)
		pthread_cond_wait(&t->ended, &t->lock);
	pthread_mutex_unlock(&t->lock);
}
