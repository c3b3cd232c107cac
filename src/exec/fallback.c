/* fallback.c - commands that are known to fail
 *
 * What is deferred succeeds, as far as its script can tell.  When it has failed
 * after all, the script is run again, and the command ends as it did: with its
 * status, and with what it had written by then where that would be.
 */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "file.h"
#include "session_private.h"

/* What it had printed, into the file that it has open. */
static int print_left(struct session *s, pid_t pid, int fd, const struct ref *left,
		      struct err *e)
{
	int pidfd = (int)syscall(SYS_pidfd_open, trace_process(pid, NULL), 0);
	int to = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	struct bytes b;
	int rc = store_get(s->o.store, &left->id, &s->arena, &b, e);

	if (rc == 0 && (to < 0 || file_write_fd(to, b.p, b.n) < 0))
		rc = err_sys(e, "what it had printed cannot be written");
	if (to >= 0)
		close(to);
	if (pidfd >= 0)
		close(pidfd);
	return rc;
}

/* The stream that is this output, or 0. */
static int stream_of_output(const struct thunk *t, const struct output *o)
{
	for (int fd = 1; fd < 3; fd++)
		if (t->std[fd] && strcmp(t->std[fd], o->path) == 0)
			return fd;
	return 0;
}

static int put_left(struct session *s, const struct id *id, const struct output *o,
		    const struct ref *left, struct err *e)
{
	const struct placeholder ph = { .thunk = *id, .out = o->name };

	memo_touch(s->o.memo, arena_printf(&s->arena, "%s/%s", s->o.project->root, o->path),
		   MEMO_WRITE);
	return place_left(s->o.store, s->o.project, o->path, &ph, left, e);
}

/* pid: the process that is to have printed; 0: it has gone. */
static void put_all(struct session *s, const struct id *id, const struct step_failure *f,
		    pid_t pid)
{
	struct thunk t;
	struct err e;

	if (session_thunk(s, id, &t, &e) < 0) {
		s->o.complain(s->o.arg, &e);
		return;
	}
	for (size_t i = 0; i < t.n_out; i++) {
		const struct ref *left = result_output(&f->left, t.out[i].name);
		int fd = pid ? stream_of_output(&t, &t.out[i]) : 0;
		int rc = 0;

		if (output_is_printed(&t.out[i]))
			continue;
		if (!fd)
			rc = put_left(s, id, &t.out[i], left, &e);
		else if (left)
			rc = print_left(s, pid, fd, left, &e);
		if (rc < 0)
			s->o.complain(s->o.arg, &e);
	}
}

/* With other inputs it may not fail, which nobody else would notice: it has no
 * output that could be made anew. */
static void note_inputs(struct session *s, const struct id *id)
{
	struct thunk t;
	struct err e;

	if (session_thunk(s, id, &t, &e) < 0)
		return;
	for (size_t i = 0; i < t.n_in; i++)
		memo_touch(s->o.memo, *t.in[i].path == '/' ? t.in[i].path :
			   arena_printf(&s->arena, "%s/%s", s->o.project->root, t.in[i].path),
			   MEMO_READ);
}

enum trace_answer fallback_answer(struct session *s, const struct ask *k, int *status)
{
	const struct id thunk = s->failed_thunk;
	const struct step_failure *f = s->o.fails(s->o.arg, &thunk);
	struct thunk t;
	struct err e;

	if (k->prints && s->o.waited)
		s->o.waited(s->o.arg, &thunk);
	note_inputs(s, &thunk);
	put_all(s, &thunk, f, k->pid);
	*status = f->status;
	if (session_thunk(s, &thunk, &t, &e) < 0)
		return TRACE_EXIT;
	return replay_begin(s, k, &thunk, &t, &f->left, status);
}

bool fallback_settle(struct session *s, const struct ask *k)
{
	const struct step_failure *f = s->o.fails ? s->o.fails(s->o.arg, &k->thunk) : NULL;

	/* Whoever waits for its own thunk is asked again with its streams as they are. */
	if (f && !k->prints)
		put_all(s, &k->thunk, f, 0);
	return f != NULL;
}
