/* helper.c - commands of our own, traced for placeholders only
 *
 * A compiler is asked what it reads.  It may have to read what is still a
 * placeholder, so it is traced like the script is.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "session_private.h"

void helper_free(struct helper *h)
{
	struct helper **p = &h->s->helpers;

	while (*p != h)
		p = &(*p)->next;
	*p = h->next;
	loop_unwatch(h->watch);
	tracer_free(h->t);
	close(h->out_fd);
	arena_release(&h->arena);
	free(h);
}

static void copy_strs(struct arena *a, const char ***v)
{
	size_t n = 0;
	const char **copy;

	while ((*v)[n])
		n++;
	copy = arena_alloc(a, (n + 1) * sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = arena_str(a, (*v)[i]);
	*v = copy;
}

/* What a probe prints is on both its streams. */
static void join_streams(struct helper *h)
{
	static const char *const shell[] = { "/bin/sh", "-c", "exec \"$@\" 2>&1", "sh" };
	const char **old = h->what.args;
	size_t n = 0;

	while (old[n])
		n++;
	h->what.args = arena_alloc(&h->arena, (n + 5) * sizeof *old);
	memcpy(h->what.args, shell, sizeof shell);
	memcpy(h->what.args + 4, old, n * sizeof *old);
	h->what.program = arena_str(&h->arena, h->what.program);
	h->what.search = arena_str(&h->arena, h->what.search);
}

/* A helper's events count for nothing but placeholders. */
static bool helper_quick(void *arg, const struct trace_event *ev)
{
	struct helper *h = arg;
	struct arena a = { 0 };
	struct placeholder ph;
	const char *at;
	bool is_placeholder = watch_placeholder(h->s, &a, ev, &at, &ph);

	arena_release(&a);
	return !is_placeholder;
}

static enum trace_answer helper_event(void *arg, struct tracer *t,
				      const struct trace_event *ev, int *status)
{
	struct session *s = ((struct helper *)arg)->s;
	struct ask k = { .s = s, .t = t, .cookie = ev->cookie, .kind = ev->kind,
			 .pid = ev->pid, .path = (char *)ev->path,
			 .look = ev->status };
	enum trace_answer a = session_judge(s, &k, status);

	arena_reset(&s->arena);
	return a;
}

static void helper_ready(void *arg)
{
	struct helper *h = arg;
	struct err e;
	struct stat st;
	struct bytes out = { 0 };
	struct ask *k = h->ask;
	int rc = tracer_step(h->t, &e);

	if (rc > 0)
		return;
	if (fstat(h->out_fd, &st) == 0 && st.st_size > 0) {
		void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE,
			       h->out_fd, 0);

		if (p != MAP_FAILED)
			out = (struct bytes){ p, (size_t)st.st_size };
	}
	infer_helper_done(h->s->infer, &h->what, rc < 0 ? 1 : tracer_status(h->t), out);
	if (out.p)
		munmap((void *)out.p, out.n);
	helper_free(h);
	ask_again(k);
}

enum trace_answer helper_start(struct session *s, const struct ask *k,
			       const struct infer_helper *what, int *status)
{
	struct helper *h = mem_alloc(sizeof *h);
	struct tracer_ops ops = { .quick = helper_quick, .event = helper_event,
				  .arg = h };
	struct tracer_opts o;
	struct err e;

	*h = (struct helper){ .s = s, .what = *what };
	copy_strs(&h->arena, &h->what.args);
	copy_strs(&h->arena, &h->what.env);
	h->what.cwd = arena_str(&h->arena, what->cwd);
	if (what->program)
		join_streams(h);
	h->out_fd = memfd_create("gg-helper", MFD_CLOEXEC);
	o = (struct tracer_opts){ .args = h->what.args, .env = h->what.env,
				  .cwd = h->what.cwd, .out_fd = h->out_fd };
	if (k->n_waits > MAX_WAITS || h->out_fd < 0 ||
	    tracer_start(&o, &ops, &h->t, &e) < 0) {
		infer_helper_done(s->infer, &h->what, 1, (struct bytes){ 0 });
		if (h->out_fd >= 0)
			close(h->out_fd);
		arena_release(&h->arena);
		free(h);
		return session_judge(s, &(struct ask){ .s = s, .t = k->t, .cookie = k->cookie,
					       .kind = k->kind, .pid = k->pid,
					       .path = k->path,
					       .n_waits = k->n_waits + 1 }, status);
	}
	h->ask = ask_keep(k);
	h->next = s->helpers;
	s->helpers = h;
	h->watch = loop_watch(s->o.loop, tracer_fd(h->t), helper_ready, h);
	return TRACE_LATER;
}
