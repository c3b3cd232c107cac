/* temps.c - names that are another every time
 *
 * Scripts put things that are soon gone into mktemp's files and folders, or call
 * them by the number of their own process.  What such a file holds matters to a
 * step that reads it, its name does not.  Only who made it can tell which part of
 * the name is chance.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "learn.h"
#include "process.h"
#include "session_private.h"

enum { LINE_ROOM = 4096 };

struct temp {
	struct temp *next;
	const char *path, *suffix;      /* the latter says of what kind it is */
};

void temps_init(struct temps *t)
{
	pthread_mutex_init(&t->lock, NULL);
}

void temps_release(struct temps *t)
{
	arena_release(&t->arena);
	pthread_mutex_destroy(&t->lock);
}

static struct temp *find(const struct temps *t, const char *path)
{
	for (struct temp *k = t->first; k; k = k->next)
		if (strncmp(path, k->path, strlen(k->path)) == 0)
			return k;
	return NULL;
}

/* Behind the X's of its template, or what it is told. */
static const char *suffix_of_mktemp(pid_t pid, struct arena *a)
{
	static const char option[] = "--suffix=";
	char line[LINE_ROOM + 1] = "";
	const char *suffix = "";

	process_text(pid, "cmdline", line, LINE_ROOM);
	for (const char *w = line; *w; w += strlen(w) + 1) {
		const char *x = *w == '-' ? NULL : strstr(w, "XXX");

		if (strncmp(w, option, sizeof option - 1) == 0)
			suffix = w + sizeof option - 1;
		else if (x)
			suffix = x + strspn(x, "X");
	}
	return arena_str(a, suffix);
}

/* The name holds the number of who made it, or of a process above that: what
 * stands behind it; else NULL. */
static const char *behind_pid(pid_t pid, const char *base)
{
	pid_t own = getpid();

	if (!strpbrk(base, "0123456789"))
		return NULL;
	for (; pid > 1 && pid != own; pid = stream_parent(pid)) {
		char digits[16];
		int n = snprintf(digits, sizeof digits, "%d", (int)pid);
		const char *at = strstr(base, digits);

		if (at && (at == base || at[-1] < '0' || at[-1] > '9') &&
		    (at[n] < '0' || at[n] > '9'))
			return at + n;
	}
	return NULL;
}

/* What stands behind the part that is chance; NULL: nothing of it is. */
static const char *suffix_of(pid_t pid, const char *base, struct arena *a)
{
	static const char of_python[] = "tmp????????";
	char name[32];

	pid = trace_process(pid, NULL);
	if (!pid || !stream_comm(pid, name, sizeof name))
		return NULL;
	if (strcmp(name, "mktemp") == 0)
		return suffix_of_mktemp(pid, a);
	if (fnmatch("python*", name, 0) == 0 && fnmatch("tmp????????*", base, 0) == 0)
		return arena_str(a, base + sizeof of_python - 1);
	base = behind_pid(pid, base);
	return base ? arena_str(a, base) : NULL;
}

static bool is_for_temps(const struct session *s, const char *path)
{
	const char *behind;
	size_t n = 0;

	while (s->o.env[n])
		n++;
	behind = learn_behind_temps(s->o.env, n, path);
	return behind && *behind;
}

void temps_note(struct session *s, const struct trace_event *ev)
{
	struct temps *t = &s->temps;
	const char *suffix;
	struct temp *k;

	if ((ev->kind != TRACE_WRITE && ev->kind != TRACE_MAKE_DIR) ||
	    !is_for_temps(s, ev->path) || path_is_below(s->o.project->root, ev->path))
		return;
	pthread_mutex_lock(&t->lock);
	if (!find(t, ev->path)) {
		suffix = suffix_of(ev->pid, path_base(ev->path), &t->arena);
		if (suffix) {
			k = arena_alloc(&t->arena, sizeof *k);
			*k = (struct temp){ .next = t->first, .suffix = suffix,
					    .path = arena_str(&t->arena, ev->path) };
			t->first = k;
		}
	}
	pthread_mutex_unlock(&t->lock);
}

bool temps_find(struct session *s, const char *path, struct temp_name *out)
{
	const struct temp *k;

	pthread_mutex_lock(&s->temps.lock);
	k = find(&s->temps, path);
	pthread_mutex_unlock(&s->temps.lock);
	if (k)
		*out = (struct temp_name){ k->path, k->suffix };
	return k != NULL;
}
