/* kin.h - which study a process belongs to; src/exec/kin.c
 *
 * A process belongs to what its nearest known forebear belongs to.  Safe on any
 * thread.  A thread's number is looked up in /proc once.
 */
#ifndef GG_KIN_H
#define GG_KIN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct kin_slot {
	pid_t tid;                      /* 0: empty */
	void *whose;                    /* NULL: nobody's */
};

struct kin {
	pthread_mutex_t lock;
	struct kin_slot *v;
	size_t n, room;
};

void kin_init(struct kin *k);
void kin_release(struct kin *k);
/* Whose is this thread? */
void *kin_find(struct kin *k, pid_t tid);
void kin_put(struct kin *k, pid_t tid, void *whose);
/* The children of a process, which is about to end and leave them to others. */
void kin_put_children(struct kin *k, pid_t pid, void *whose);
/* Nobody is whose any more; NULL forgets all. */
void kin_forget(struct kin *k, const void *whose);
/* The processes that are known to be whose, at most room of them. */
size_t kin_list(struct kin *k, const void *whose, pid_t *v, size_t room);

#endif
