/* kin.c - which study a process belongs to
 *
 * Parents are asked for in /proc, and what is found is kept.  A process whose
 * parent has ended has another one; so its number is noted when the parent
 * ends.  Numbers come round again only after tens of thousands of processes;
 * a new program in an old number is told by kin_put.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base.h"
#include "kin.h"
#include "tracer.h"

enum { GENERATIONS_MAX = 64 };

void kin_init(struct kin *k)
{
	*k = (struct kin){ .n = 0 };
	pthread_mutex_init(&k->lock, NULL);
}

void kin_release(struct kin *k)
{
	free(k->v);
	pthread_mutex_destroy(&k->lock);
}

static struct kin_slot *slot(struct kin_slot *v, size_t room, pid_t tid)
{
	size_t i = (size_t)tid * 2654435761U % room;

	while (v[i].tid && v[i].tid != tid)
		i = (i + 1) % room;
	return &v[i];
}

/* Under lock, as all that follow up to kin_find. */
static bool get(const struct kin *k, pid_t tid, void **whose)
{
	const struct kin_slot *s = k->room ? slot(k->v, k->room, tid) : NULL;

	if (!s || !s->tid)
		return false;
	*whose = s->whose;
	return true;
}

static void rebuild(struct kin *k, size_t room, const void *but)
{
	struct kin_slot *old = k->v;
	size_t n_old = k->room;

	k->v = mem_alloc(room * sizeof *k->v);
	memset(k->v, 0, room * sizeof *k->v);
	k->room = room;
	k->n = 0;
	for (size_t i = 0; i < n_old; i++) {
		if (!old[i].tid || (but && old[i].whose == but))
			continue;
		*slot(k->v, room, old[i].tid) = old[i];
		k->n++;
	}
	free(old);
}

static void put(struct kin *k, pid_t tid, void *whose)
{
	struct kin_slot *s;

	if (2 * k->n >= k->room)
		rebuild(k, k->room ? 2 * k->room : 64, NULL);
	s = slot(k->v, k->room, tid);
	k->n += !s->tid;
	*s = (struct kin_slot){ tid, whose };
}

static void *climb(struct kin *k, pid_t tid)
{
	pid_t at = tid, parent = 0, pid;
	void *whose = NULL;

	for (int i = 0; i < GENERATIONS_MAX && !get(k, at, &whose); i++) {
		pid = trace_process(at, &parent);
		if (pid && pid != at && get(k, pid, &whose))
			break;
		if (pid <= 1 || parent <= 1 || parent == getpid())
			break;
		at = parent;
	}
	return whose;
}

void *kin_find(struct kin *k, pid_t tid)
{
	void *whose;

	pthread_mutex_lock(&k->lock);
	if (!get(k, tid, &whose)) {
		whose = climb(k, tid);
		put(k, tid, whose);
	}
	pthread_mutex_unlock(&k->lock);
	return whose;
}

void kin_put(struct kin *k, pid_t tid, void *whose)
{
	pthread_mutex_lock(&k->lock);
	put(k, tid, whose);
	pthread_mutex_unlock(&k->lock);
}

static void put_children_of(struct kin *k, pid_t pid, const char *task, void *whose)
{
	char path[300];
	FILE *f;
	int child;

	snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", (int)pid, task);
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &child) == 1)
		kin_put(k, child, whose);
	if (f)
		fclose(f);
}

void kin_put_children(struct kin *k, pid_t pid, void *whose)
{
	char path[64];
	struct dirent *de;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d && (de = readdir(d)))
		if (de->d_name[0] != '.')
			put_children_of(k, pid, de->d_name, whose);
	if (d)
		closedir(d);
}

void kin_forget(struct kin *k, const void *whose)
{
	pthread_mutex_lock(&k->lock);
	if (whose && k->room)
		rebuild(k, k->room, whose);
	else if (k->room)
		memset(k->v, 0, k->room * sizeof *k->v);
	if (!whose)
		k->n = 0;
	pthread_mutex_unlock(&k->lock);
}

size_t kin_list(struct kin *k, const void *whose, pid_t *v, size_t room)
{
	size_t n = 0;

	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < k->room && n < room; i++)
		if (k->v[i].tid && k->v[i].whose == whose)
			v[n++] = k->v[i].tid;
	pthread_mutex_unlock(&k->lock);
	return n;
}
