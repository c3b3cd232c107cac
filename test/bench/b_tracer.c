/* b_tracer.c - what the tracer costs
 *
 *	b_tracer CMD...			run CMD watched; each new path is kept
 *					and looked at once, as a session does
 *	b_tracer --exit NAME CMD...	end each execve of NAME with success
 *	b_tracer --step ...		the same by tracer_fd and tracer_step
 * With B_TRACER_COUNT set, counts go to standard error at the end.
 */
#include "tracer.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

struct bench {
	const char *exit_name;
	pthread_mutex_t lock;
	struct map paths;
	struct arena names;
	size_t n_calls, n_ended, n_asked;
};

static bool is_ended(const struct bench *b, const struct trace_event *ev)
{
	const char *slash;

	if (!b->exit_name || ev->kind != TRACE_EXEC)
		return false;
	slash = strrchr(ev->path, '/');
	return strcmp(slash ? slash + 1 : ev->path, b->exit_name) == 0;
}

static bool quick(void *arg, const struct trace_event *ev)
{
	struct bench *b = arg;
	struct bytes path = bytes_str(ev->path);
	struct stat st;
	bool is_new;

	if (is_ended(b, ev))
		return false;
	pthread_mutex_lock(&b->lock);
	b->n_calls++;
	is_new = !map_get(&b->paths, path);
	if (is_new)
		*map_at(&b->paths, arena_bytes(&b->names, path)) = b;
	pthread_mutex_unlock(&b->lock);
	if (is_new)
		(void)!fstatat(AT_FDCWD, ev->path, &st, 0);
	return true;
}

static enum trace_answer event(void *arg, struct tracer *t,
			       const struct trace_event *ev, int *status)
{
	struct bench *b = arg;
	struct trace_exec x;
	struct arena a = { 0 };
	struct err e;
	bool ends = is_ended(b, ev);

	b->n_asked++;
	if (ends && tracer_exec(t, ev->cookie, &a, &x, &e) == 0)
		b->n_ended++;
	arena_release(&a);
	*status = 0;
	return ends ? TRACE_EXIT : TRACE_GO;
}

static int serve(struct tracer *t, bool steps, struct err *e)
{
	struct pollfd p = { .fd = tracer_fd(t), .events = POLLIN };
	volatile bool leave = false;
	int rc;

	do {
		if (steps)
			poll(&p, 1, -1);
		rc = steps ? tracer_step(t, e) : tracer_serve(t, &leave, e);
	} while (rc == 1);
	return rc;
}

int main(int argc, char **argv)
{
	struct bench b = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct tracer_ops ops = { .quick = quick, .event = event, .arg = &b };
	struct tracer_opts o = { .env = (const char **)(void *)environ, .out_fd = -1 };
	char cwd[PATH_MAX];
	struct tracer *t;
	bool steps = false;
	struct err e;
	int i = 1, status;

	if (i < argc && strcmp(argv[i], "--step") == 0)
		steps = i++;
	if (i + 1 < argc && strcmp(argv[i], "--exit") == 0) {
		b.exit_name = argv[i + 1];
		i += 2;
	}
	if (i >= argc || !getcwd(cwd, sizeof cwd))
		return 125;
	o.args = (const char **)(void *)(argv + i);
	o.cwd = cwd;
	if (tracer_start(&o, &ops, &t, &e) < 0 || serve(t, steps, &e) < 0) {
		fprintf(stderr, "b_tracer: %s\n", e.text);
		return 125;
	}
	status = tracer_status(t);
	tracer_free(t);
	if (getenv("B_TRACER_COUNT"))
		fprintf(stderr, "calls %zu paths %zu asked %zu ended %zu\n", b.n_calls,
			b.paths.n, b.n_asked, b.n_ended);
	return status;
}
