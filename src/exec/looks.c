/* looks.c - which looks at a placeholder must see the file that it stands for
 *
 * A look says how long a file is and when it was made.  Programs that open it
 * by what they saw (unzip seeks to the end that it knows), or print it, need
 * the real one.  Forcing at every look would force everything, one by one:
 * shells and build tools ask only whether something is there and what is older,
 * and so do programs that start steps of their own, to see whether they did
 * their work.  Which call it is says more: access() and statx() say what is
 * asked for.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "process.h"
#include "session_private.h"

/* Whom a placeholder serves as well as the file. */
static const char *const content[] = {
	"sh", "dash", "bash", "rbash", "zsh", "ksh", "mksh", "fish", "busybox", "test", "[",
	"make", "gmake", "bmake", "ninja", "samu", "cmake", "ctest", "meson", "scons", "tup",
	"snakemake", "mv", "rm", "rmdir", "unlink", "ln", "mkdir", "mktemp", "touch", "chmod",
	"chown", "chgrp", "readlink", "realpath", "cc", "c++", "gcc", "g++", "clang",
	"clang++", "collect2", "ld", "ld.bfd", "ar", "ranlib", "strip", "objcopy",
};

static struct bytes key_of(const struct process *p, char *to, size_t room)
{
	int n = snprintf(to, room, "%d %llu", p->pid, p->started);

	return (struct bytes){ to, (size_t)n };
}

void looks_note_starter(struct session *s, pid_t tid)
{
	struct looks *l = &s->looks;
	struct process p;
	char text[64];
	struct bytes key;
	bool is_new = true;
	pid_t pid = trace_process(tid, NULL);

	if (!pid || !process_read(pid, &p))
		return;
	while (is_new && p.parent > 1 && p.parent != getpid() && process_read(p.parent, &p)) {
		key = key_of(&p, text, sizeof text);
		pthread_mutex_lock(&l->lock);
		is_new = !map_get(&l->starters, key);
		if (is_new)
			*map_at(&l->starters, arena_bytes(&l->arena, key)) = l;
		pthread_mutex_unlock(&l->lock);
	}
}

bool looks_closely(struct session *s, const struct trace_event *ev)
{
	struct process p;
	char text[64];
	struct bytes key;
	bool is_starter;

	if (ev->status != LOOK_STAT ||
	    !process_read(trace_process(ev->pid, NULL), &p))
		return false;
	for (size_t i = 0; i < sizeof content / sizeof *content; i++)
		if (strcmp(p.name, content[i]) == 0)
			return false;
	key = key_of(&p, text, sizeof text);
	pthread_mutex_lock(&s->looks.lock);
	is_starter = map_get(&s->looks.starters, key) != NULL;
	pthread_mutex_unlock(&s->looks.lock);
	return !is_starter;
}

void looks_init(struct looks *l)
{
	pthread_mutex_init(&l->lock, NULL);
}

void looks_release(struct looks *l)
{
	map_release(&l->starters);
	arena_release(&l->arena);
	pthread_mutex_destroy(&l->lock);
}
