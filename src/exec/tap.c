/* tap.c - what a studied command prints into a pipe is kept as it goes by
 *
 * The reader of a pipe takes the only copy.  So while the command's execve waits,
 * its end of the pipe is changed for one of ours, and what comes there is kept
 * and handed on, no faster than its reader takes it.  The command ends when all
 * of it is handed on, as it would have.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "session_private.h"

enum {
	PART = 1 << 16,
	PIPE_MOST = 1 << 20,            /* that a pipe may hold */
};

struct tap {
	struct tap *next;
	struct session *s;
	struct watch *in, *out;         /* of from, of to */
	int from, to, keep;
	struct buf left;                /* kept, and not handed on yet */
	size_t n_gone;                  /* of left */
	pid_t root;
	struct tracer *t;               /* not NULL: the end of root waits, */
	uint64_t cookie;                /* this call */
	bool is_owned;                  /* by a study */
	bool is_whole;                  /* keep has all that came */
	bool is_cut;                    /* its reader left before the end */
};

static void tap_free(struct tap *p)
{
	struct tap **at = &p->s->taps;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	if (p->in)
		loop_unwatch(p->in);
	if (p->out)
		loop_unwatch(p->out);
	for (int i = 0; i < 3; i++)
		if ((int[]){ p->from, p->to, p->keep }[i] >= 0)
			close((int[]){ p->from, p->to, p->keep }[i]);
	buf_release(&p->left);
	free(p);
}

static void close_in(struct tap *p)
{
	loop_unwatch(p->in);
	close(p->from);
	p->in = NULL;
	p->from = -1;
}

/* What is there, and no more than `most` bytes of it. */
static void take(struct tap *p, size_t most)
{
	char *part = mem_alloc(PART);
	ssize_t n = 1;

	while (p->from >= 0 && most && n > 0) {
		n = read(p->from, part, most < PART ? most : PART);
		if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
			n = errno == EINTR;
			continue;
		}
		if (n <= 0) {
			close_in(p);
			break;
		}
		p->is_whole &= file_write_fd(p->keep, part, (size_t)n) == 0;
		buf_add(&p->left, part, (size_t)n);
		most -= (size_t)n;
	}
	free(part);
}

/* Nobody reads any more: who prints on is to hear of it. */
static void reader_gone(struct tap *p)
{
	p->n_gone = p->left.n;
	if (p->from >= 0) {
		p->is_whole = false;
		p->is_cut = true;
		close_in(p);
	}
}

static void hand_on(struct tap *p)
{
	while (p->n_gone < p->left.n) {
		struct bytes b = { p->left.p + p->n_gone, p->left.n - p->n_gone };
		ssize_t n = pipe_write(p->to, pipe_part(b));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			reader_gone(p);
		else
			p->n_gone += (size_t)n;
	}
	buf_reset(&p->left);
	p->n_gone = 0;
}

/* Has something that root printed not been handed on?  Then its end waits. */
static bool is_held(struct session *s, pid_t root, struct tracer *t, uint64_t cookie)
{
	for (struct tap *p = s->taps; p; p = p->next)
		if (p->root == root && p->left.n) {
			p->t = t;
			p->cookie = cookie;
			return true;
		}
	return false;
}

/* All is handed on, if its other stream is. */
static void let_end(struct tap *p)
{
	struct tracer *t = p->t;
	uint64_t cookie = p->cookie;

	p->t = NULL;
	if (!is_held(p->s, p->root, t, cookie))
		tracer_answer(t, cookie, TRACE_GO, 0);
}

/* Go on as things are; p may be gone then. */
static void tap_on(struct tap *p)
{
	struct session *s = p->s;
	bool is_full;

	hand_on(p);
	is_full = p->left.n > 0;
	watch_want(p->out, is_full ? WATCH_WRITE : 0);
	if (p->in)
		watch_want(p->in, is_full ? 0 : WATCH_READ);
	if (!is_full && p->t)
		let_end(p);
	if (!is_full && p->from < 0) {
		loop_unwatch(p->out);
		close(p->to);
		p->out = NULL;
		p->to = -1;
		if (!p->is_owned)
			tap_free(p);
	}
	session_note_idle(s);
}

static void in_ready(void *arg, unsigned ready)
{
	struct tap *p = arg;

	(void)ready;
	take(p, PART);
	tap_on(p);
}

static void out_ready(void *arg, unsigned ready)
{
	(void)ready;
	tap_on(arg);
}

static int open_keep(const struct session *s)
{
	const char *work = arena_printf(&((struct session *)s)->arena, "%s/work",
					s->o.project->store_dir);

	return open(work, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

struct tap *tap_begin(struct session *s, const struct ask *k, unsigned fds)
{
	struct tap *p = mem_alloc(sizeof *p);
	int ends[2] = { -1, -1 }, first = fds & 1u << 1 ? 1 : 2;
	bool is_in = false, is_socket = false;

	*p = (struct tap){ .s = s, .root = trace_process(k->pid, NULL), .from = -1,
			   .keep = open_keep(s), .is_owned = true, .is_whole = true };
	p->to = pipe_end(p->root, first, &is_socket);
	if (p->to >= 0 && !is_socket && p->keep >= 0 && pipe2(ends, O_CLOEXEC) == 0 &&
	    fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
		for (int fd = first; fd < 3; fd++)
			is_in |= fds & 1u << fd &&
				 tracer_give(k->t, k->cookie, ends[1], fd) == 0;
	if (ends[1] >= 0)
		close(ends[1]);
	p->from = ends[0];
	p->next = s->taps;
	s->taps = p;
	if (!is_in) {
		tap_free(p);
		return NULL;
	}
	p->in = loop_watch_io(s->o.loop, p->from, WATCH_READ, in_ready, p);
	p->out = loop_watch_io(s->o.loop, p->to, 0, out_ready, p);
	s->must_wait = true;
	return p;
}

/* The command has printed all that it will, and that fits into a pipe. */
static void take_rest(struct tap *p)
{
	take(p, PIPE_MOST);
	watch_want(p->out, WATCH_WRITE);
}

int tap_text(struct tap *p, struct id *id, struct err *e)
{
	if (p->from >= 0)
		take_rest(p);
	if (!p->is_whole)
		return err_set(e, ERR_FAILED, "not all that it printed was kept");
	return store_put_fd(p->s->o.store, p->keep, id, e);
}

bool tap_is_cut(const struct tap *p)
{
	return p && p->is_cut;
}

void tap_leave(struct tap *p)
{
	if (!p)
		return;
	p->is_owned = false;
	if (p->to < 0)
		tap_free(p);
}

bool taps_hold(struct session *s, struct tracer *t, const struct trace_event *ev)
{
	pid_t root = s->taps ? trace_process(ev->pid, NULL) : 0;

	for (struct tap *p = s->taps; p; p = p->next)
		if (p->root == root && p->from >= 0)
			take_rest(p);
	return is_held(s, root, t, ev->cookie);
}

void taps_drop(struct session *s)
{
	while (s->taps)
		tap_free(s->taps);
}
