/* looks.c - which looks at a placeholder must see the file that it stands for
 *
 * A look says how long a file is and when it was made.  Programs that open it
 * by what they saw (unzip seeks to the end that it knows), or print it, need
 * the real one.  Forcing at every look would force everything, one by one:
 * shells and build tools ask only whether something is there and what is older,
 * and so do programs that start steps of their own, to see whether they did
 * their work.  Which call it is says more: access() and statx() say what is
 * asked for.  A shell that looks at what it has just had a command print into
 * knows that it is there: it asks whether it is empty.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "process.h"
#include "session_private.h"

static const char *const shells[] = {
	"sh", "dash", "bash", "rbash", "zsh", "ksh", "mksh", "fish", "busybox", "test", "[",
};

/* Whom besides a placeholder serves as well as the file. */
static const char *const content[] = {
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

void looks_note_output(struct session *s, const struct placeholder *ph)
{
	struct looks *l = &s->looks;

	if (strcmp(ph->out, "stdout") != 0 && strcmp(ph->out, "stderr") != 0)
		return;
	pthread_mutex_lock(&l->lock);
	*map_at(&l->printers, arena_bytes(&l->arena, id_key(&ph->thunk))) = l;
	pthread_mutex_unlock(&l->lock);
}

/* Is it what a command of this session prints? */
static bool is_printed(struct session *s, const struct placeholder *ph)
{
	bool is = ph->out && (strcmp(ph->out, "stdout") == 0 || strcmp(ph->out, "stderr") == 0);

	pthread_mutex_lock(&s->looks.lock);
	is = is && map_get(&s->looks.printers, id_key(&ph->thunk));
	pthread_mutex_unlock(&s->looks.lock);
	return is;
}

static bool is_in(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* A script that is executed itself has its own name in the place of its shell's. */
static bool is_shell(pid_t pid)
{
	char link[64], exe[256];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
	n = readlink(link, exe, sizeof exe - 1);
	exe[n > 0 ? n : 0] = '\0';
	return is_in(shells, sizeof shells / sizeof *shells, path_base(exe));
}

bool looks_closely(struct session *s, const struct trace_event *ev,
		   const struct placeholder *ph)
{
	struct process p;
	char text[64];
	struct bytes key;
	bool is_starter;

	if (ev->status != LOOK_STAT ||
	    !process_read(trace_process(ev->pid, NULL), &p))
		return false;
	if (is_in(shells, sizeof shells / sizeof *shells, p.name))
		return is_printed(s, ph);
	if (is_in(content, sizeof content / sizeof *content, p.name))
		return false;
	key = key_of(&p, text, sizeof text);
	pthread_mutex_lock(&s->looks.lock);
	is_starter = map_get(&s->looks.starters, key) != NULL;
	pthread_mutex_unlock(&s->looks.lock);
	return !is_starter || (is_printed(s, ph) && is_shell(p.pid));
}

void looks_init(struct looks *l)
{
	pthread_mutex_init(&l->lock, NULL);
}

void looks_release(struct looks *l)
{
	map_release(&l->starters);
	map_release(&l->printers);
	arena_release(&l->arena);
	pthread_mutex_destroy(&l->lock);
}
