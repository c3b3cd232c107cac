/* resume.c - steps that end early and go on where they were
 *
 * What runs then is another command: words of the model's are added, and the
 * checkpoint stands among its inputs.  Its outputs are those of the thunk as it
 * is named all the same; that is what the model's line promises.
 */
#include <string.h>
#include "exec_internal.h"
#include "fuse.h"

enum { LOG_MOST = 256 << 10, STILL_MOST = 3 };

static void tell(struct exec *x, const char *text)
{
	exec_tell(x, &(struct exec_event){ .kind = EXEC_NOTICE, .text = text });
}

/* ---- before it runs */

static bool is_to_be_had(struct exec *x, const struct ref *r)
{
	return ref_is_whole(x, r) || (x->o.depot && depot_knows(x->o.depot, &r->id));
}

/* The checkpoint of n: is there one? */
static bool find(struct exec *x, struct node *n, struct checkpoint *out)
{
	struct err e;

	if (checkpoint_get(x->o.store, &n->reduced, out, &e) < 0)
		return false;
	if (is_to_be_had(x, &out->ref))
		return true;
	checkpoint_drop(x->o.store, &n->reduced, &e);
	return false;
}

static const char **joined(struct arena *a, const char **v, size_t *n, const char **more,
			   size_t n_more)
{
	const char **all = arena_alloc(a, (*n + n_more + 1) * sizeof *all);

	memcpy(all, v, *n * sizeof *all);
	if (n_more)
		memcpy(all + *n, more, n_more * sizeof *all);
	*n += n_more;
	all[*n] = NULL;
	return all;
}

/* ref at path, instead of what stands there. */
static void set_input(struct arena *a, struct thunk *t, const char *path, const struct ref *ref)
{
	struct input *v = arena_alloc(a, (t->n_in + 1) * sizeof *v);
	size_t i = 0;

	if (t->n_in)
		memcpy(v, t->in, t->n_in * sizeof *v);
	while (i < t->n_in && strcmp(v[i].path, path) != 0)
		i++;
	t->n_in += i == t->n_in;
	v[i] = (struct input){ path, *ref };
	t->in = v;
}

/* A time limit is of all runs together. */
static double time_left(double all_s, double gone_s)
{
	if (all_s <= 0)
		return 0;
	return all_s - gone_s > 1 ? all_s - gone_s : 1;
}

/* t as it is to run now. */
static void add_words(struct run *r, const struct resume *how, struct thunk *t)
{
	struct arena *a = &r->arena;
	size_t n = strlen(how->path);

	t->args = joined(a, t->args, &t->n_args, how->state, how->n_state);
	if (!r->continues)
		return;
	t->args = joined(a, t->args, &t->n_args, how->words, how->n_words);
	n -= n && how->path[n - 1] == '/';
	set_input(a, t, arena_strn(a, how->path, n), &r->from.ref);
}

/* What runs is a thunk of its own; false: there can be no such. */
static bool set_text(struct exec *x, struct run *r, const struct thunk *t)
{
	struct err ignored;

	buf_reset(&x->text);
	if (thunk_encode(t, &x->text, &ignored) < 0)
		return false;
	r->job.text = arena_bytes(&r->arena, buf_bytes(&x->text));
	r->job.reduced = id_of(r->job.text);
	return true;
}

void aside_prepare(struct exec *x, struct run *r)
{
	struct arena *a = &r->arena;
	struct hints h;
	struct thunk t;
	struct err e;

	if (!r->node->has_aside || hints_get(x->o.store, &r->node->id, a, &h, &e) < 0 ||
	    thunk_decode(r->job.text, a, &t, &e) < 0)
		return;
	t.args = joined(a, t.args, &t.n_args, h.aside, h.n_aside);
	set_text(x, r, &t);
}

bool resume_prepare(struct exec *x, struct run *r)
{
	struct arena *a = &r->arena;
	struct job before;
	struct hints h;
	struct thunk t;
	struct err e;

	if (!r->node->is_resumable ||
	    hints_get(x->o.store, &r->node->id, a, &h, &e) < 0 || !h.resume ||
	    thunk_decode(r->job.text, a, &t, &e) < 0)
		return true;
	r->continues = find(x, r->node, &r->from);
	add_words(r, h.resume, &t);
	thunk_sort(&t);
	/* A checkpoint that cannot be had is for later, and a place that the thunk
	 * leaves no room for for never. */
	before = r->job;
	if (!set_text(x, r, &t)) {
		r->continues = false;
		return true;
	}
	if (r->continues && away_fetch_inputs(x, r->node, &t, r->site)) {
		r->job = before;
		return false;
	}
	r->job.checkpoint = h.resume->path;
	if (r->continues)
		r->job.timeout_s = time_left(r->job.timeout_s, r->from.seconds);
	return true;
}

bool resume_goes_alone(struct exec *x, const struct node *n)
{
	struct checkpoint c;
	struct err e;

	if (n->is_resumable && x->o.preempts && !fuse_can_stop(n->fuse))
		return true;
	return n->is_resumable && checkpoint_get(x->o.store, &n->reduced, &c, &e) == 0;
}

/* ---- asking */

bool run_may_stop(const struct run *r)
{
	return r->job.checkpoint && !r->is_asked && !r->is_beaten &&
		r->site->engine->ops->stop;
}

void run_stop(struct run *r)
{
	const struct engine *en = r->site->engine;

	r->is_asked = true;
	en->ops->stop(en->backend, &r->job);
}

size_t resume_stop_all(struct exec *x)
{
	size_t n = 0;

	for (struct run *r = x->runs, *next; r; r = next) {
		next = r->next;
		if (!run_may_stop(r))
			continue;
		run_stop(r);
		n++;
	}
	return n;
}

/* ---- afterwards */

/* What the runs before it have printed, and what this one has. */
static struct bytes whole_log(struct exec *x, const struct run *r, struct bytes log)
{
	struct bytes before = { 0 };
	struct buf all = { 0 };
	struct err ignored;

	if (id_is_zero(&r->from.log) ||
	    store_get(x->o.store, &r->from.log, &x->scratch, &before, &ignored) < 0)
		return log;
	buf_add(&all, before.p, before.n);
	buf_add(&all, log.p, log.n);
	log = arena_bytes(&x->scratch, buf_bytes(&all));
	buf_release(&all);
	if (log.n <= LOG_MOST)
		return log;
	return (struct bytes){ log.p + (log.n - LOG_MOST), LOG_MOST };
}

struct run_report resume_whole(struct exec *x, const struct run *r, const struct run_report *rep)
{
	struct run_report all = *rep;

	if (!r->continues)
		return all;
	all.log = whole_log(x, r, rep->log);
	all.seconds += r->from.seconds;
	all.cpu_seconds += r->from.cpu_seconds;
	return all;
}

void resume_done(struct exec *x, const struct node *n)
{
	struct err ignored;

	if (n->is_resumable)
		checkpoint_drop(x->o.store, &n->reduced, &ignored);
}

static int keep(struct exec *x, const struct run *r, const struct run_report *all,
		struct err *e)
{
	struct checkpoint c = { .ref = all->result.v[0].ref, .thunk = r->node->id,
				.seconds = all->seconds, .cpu_seconds = all->cpu_seconds,
				.n_stops = r->from.n_stops + 1 };

	if (all->log.n && store_put(x->o.store, all->log, &c.log, e) < 0)
		return -1;
	return checkpoint_put(x->o.store, &r->node->reduced, &c, e);
}

/* The place ends it each time before it gets any further. */
static bool stands_still(const struct run *r, const struct run_report *rep)
{
	struct node *n = r->node;
	bool is_still = r->continues && !r->is_asked && rep->result.n &&
		id_equal(&rep->result.v[0].ref.id, &r->from.ref.id);

	n->n_still = is_still ? n->n_still + 1 : 0;
	return n->n_still >= STILL_MOST;
}

bool resume_stopped(struct exec *x, struct run *r, const struct run_report *rep)
{
	struct run_report all = resume_whole(x, r, rep);
	struct node *n = r->node;
	bool has_left = rep->result.n > 0;
	struct err e;

	/* Nobody asked for that: the engine lies. */
	if (!r->job.checkpoint)
		return false;
	if (has_left && keep(x, r, &all, &e) < 0) {
		tell(x, arena_printf(&x->scratch, "%s: its checkpoint cannot be kept: %s", r->label,
				     e.text));
		has_left = false;
	}
	exec_flush_later(x);
	profile_observe(x, r, &all, NULL);
	if (stands_still(r, rep))
		return false;
	n->mates = 0;
	/* Once is enough to see that it leaves none. */
	n->is_resumable = has_left;
	x->n_stopped++;
	tell(x, arena_printf(&x->scratch, "%s: ended early after %.1f s; %s", r->label,
			     all.seconds, has_left ? "it goes on from its checkpoint" :
			     "it left no checkpoint and starts from the beginning"));
	return true;
}

/* Ends that may be the checkpoint's fault. */
static bool is_doubtful(struct exec *x, const struct run *r, const struct run_report *rep)
{
	static const bool doubtful[RUN_STATUS_COUNT] = {
		[RUN_EXITED] = true, [RUN_SIGNALED] = true, [RUN_NOT_STARTED] = true,
		[RUN_NO_OUTPUT] = true, [RUN_BAD_OUTPUT] = true, [RUN_WROTE_INPUT] = true,
	};

	return doubtful[rep->status] ||
		(rep->status == RUN_LOST_INPUT && !is_to_be_had(x, &r->from.ref));
}

bool resume_rejected(struct exec *x, struct run *r, const struct run_report *rep)
{
	struct node *n = r->node;
	struct err e;

	if (!r->continues || n->has_restarted || !is_doubtful(x, r, rep) ||
	    checkpoint_drop(x->o.store, &n->reduced, &e) < 0)
		return false;
	n->has_restarted = true;
	tell(x, arena_printf(&x->scratch, "%s: it could not go on from its checkpoint (%s): it "
			     "starts from the beginning", r->label,
			     rep->text && *rep->text ? rep->text : run_status_name(rep->status)));
	return true;
}

bool resume_lost(struct exec *x, struct node *n)
{
	struct checkpoint c;
	struct err e;

	return n->is_resumable && checkpoint_get(x->o.store, &n->reduced, &c, &e) == 0 &&
		!ref_is_whole(x, &c.ref) && checkpoint_drop(x->o.store, &n->reduced, &e) == 0;
}
