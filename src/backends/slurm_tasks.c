/* slurm_tasks.c - the jobs of the slurm engine: asked for, followed, ended
 *
 * What squeue says is the truth: a job that sbatch made and could not tell of
 * is found there, one that it says nothing of any more has ended.  When squeue
 * itself fails nothing is concluded; the leases of the pool go on telling who
 * is alive.
 */
#include "slurm_private.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	TICK_MS = 500,
	POLL_LEAST_MS = 1000, POLL_MOST_MS = 10000,
	ARRAY_MOST = 1000,              /* Slurm's own default limit is 1,001 */
	AGAIN_LEAST_MS = 2000, AGAIN_MOST_MS = 60000,
	STILLBORN_MOST = 3,
};

struct task_name {
	char s[48];
};

static struct task_name name_of(const struct slurm_task *t)
{
	struct task_name n;

	snprintf(n.s, sizeof n.s, "slurm-%" PRIu64 "-%" PRIu32, t->job, t->index);
	return n;
}

static struct slurm_task *task_find(struct backend *b, uint64_t job, uint32_t index)
{
	for (size_t i = 0; i < b->n_tasks; i++)
		if (b->tasks[i].job == job && b->tasks[i].index == index)
			return &b->tasks[i];
	return NULL;
}

static struct slurm_task *task_add(struct backend *b, uint64_t job, uint32_t index)
{
	struct slurm_task *t;

	if (b->n_tasks == b->tasks_room) {
		b->tasks_room = b->tasks_room ? 2 * b->tasks_room : 64;
		b->tasks = mem_grow(b->tasks, b->tasks_room * sizeof *b->tasks);
	}
	t = &b->tasks[b->n_tasks++];
	*t = (struct slurm_task){ .job = job, .index = index,
				  .since_ms = loop_now_ms(b->o.loop) };
	return t;
}

static size_t n_up(const struct backend *b)
{
	size_t n = b->n_asked;

	for (size_t i = 0; i < b->n_tasks; i++)
		n += !b->tasks[i].is_retired;
	return n;
}

/* ---- ends */

/* The pool's workers of it are gone; what they had runs again elsewhere. */
static void lose(struct backend *b, const struct slurm_task *t, enum run_status how,
		 const char *why)
{
	struct task_name n = name_of(t);
	char text[400];

	snprintf(text, sizeof text, "the worker %s%s%s is gone: %s", n.s,
		 *t->node ? " on " : "", t->node, why);
	pool_lost(b->pool, n.s, how, text);
}

/* A worker that ends before it has come will do so again and again. */
static void count_stillborn(struct backend *b, const struct slurm_task *t, const char *why)
{
	struct arena a = { 0 };
	const char *said = slurm_folder_said(&b->folder, t->job, t->index, &a);

	b->n_stillborn++;
	b->fails_to_start = true;
	snprintf(b->trouble, sizeof b->trouble, "job %" PRIu64 "_%" PRIu32 " ended%s%s before "
		 "its worker had come: %s%s%s", t->job, t->index, *t->node ? " on " : "",
		 t->node, why, *said ? "; it said: " : "", said);
	if (b->n_stillborn >= STILLBORN_MOST && !b->refusal[0]) {
		snprintf(b->refusal, sizeof b->refusal, "%u jobs in a row ended so: %s",
			 b->n_stillborn, b->trouble);
		b->o.changed(b->o.changed_arg);
	}
	arena_release(&a);
}

static void task_ended(struct backend *b, struct slurm_task *t,
		       const struct slurm_state *how)
{
	bool is_ours = t->is_retired || b->is_closing;

	if (!is_ours && how->how == RUN_LOST_WORKER && !t->has_come &&
	    t->phase == SLURM_RUNS && strcmp(how->name, "CANCELLED") != 0)
		count_stillborn(b, t, how->text);
	t->phase = SLURM_ENDED;
	lose(b, t, how->how, how->text);
}

static void drop_ended(struct backend *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n_tasks; i++)
		if (b->tasks[i].phase != SLURM_ENDED)
			b->tasks[n++] = b->tasks[i];
	b->n_tasks = n;
}

/* ---- squeue */

static void see(struct backend *b, const struct slurm_line *l)
{
	static const char again[] = "Slurm has put its job back into the queue";
	struct slurm_task *t = task_find(b, l->job, l->task);
	const struct slurm_state *s = l->state;

	if (!t && s->phase == SLURM_ENDED)
		return;
	if (!t)
		t = task_add(b, l->job, l->task);
	t->was_seen = true;
	if (*l->node)
		snprintf(t->node, sizeof t->node, "%s", l->node);
	snprintf(t->reason, sizeof t->reason, "%s", l->reason);
	if (s->phase == t->phase)
		return;
	if (s->phase == SLURM_ENDED) {
		/* A short job may never have been seen running. */
		if (t->phase == SLURM_WAITS && *t->node)
			t->phase = SLURM_RUNS;
		task_ended(b, t, s);
		return;
	}
	if (t->phase == SLURM_RUNS) {
		lose(b, t, RUN_LOST_WORKER, again);
		t->has_come = t->is_retired = false;
	}
	t->phase = s->phase;
	t->since_ms = loop_now_ms(b->o.loop);
	b->poll_every_ms = POLL_LEAST_MS;
}

static void said_nothing(void *arg, int status, struct bytes said)
{
	(void)arg;
	(void)status;
	(void)said;
}

static void cancel_task(struct strs *args, struct arena *a, struct slurm_task *t)
{
	t->is_retired = true;
	strs_add(args, arena_printf(a, "%" PRIu64 "_%" PRIu32, t->job, t->index));
}

/* What Slurm could not start and holds for ever makes room for another job.  They may
 * be many, when a controller comes back; as a sign that none will start they are one. */
static void drop_held(struct backend *b)
{
	struct slurm_task *held = NULL;
	struct arena a = { 0 };
	struct strs args = { 0 };
	struct err ignored;             /* whoever closes cancels all */

	strs_add(&args, "scancel");
	for (size_t i = 0; i < b->n_tasks; i++) {
		struct slurm_task *t = &b->tasks[i];

		if (t->phase != SLURM_WAITS || t->is_retired || !slurm_is_held(t->reason))
			continue;
		held = t;
		cancel_task(&args, &a, t);
	}
	if (held) {
		count_stillborn(b, held, slurm_reason(held->reason));
		slurm_call(b->o.loop, &args, said_nothing, NULL, NULL, &ignored);
	}
	strs_release(&args);
	arena_release(&a);
}

static void read_queue(struct backend *b, struct bytes said)
{
	static const struct slurm_state gone = {
		"", SLURM_ENDED, RUN_LOST_WORKER, "Slurm knows nothing of its job any more",
	};
	struct arena a = { 0 };
	struct slurm_line l;

	for (size_t i = 0; i < b->n_tasks; i++)
		b->tasks[i].was_seen = false;
	while (slurm_line_next(&said, &a, &l))
		if (strcmp(l.name, b->folder.job_name) == 0)
			see(b, &l);
	for (size_t i = 0; i < b->n_tasks; i++) {
		struct slurm_task *t = &b->tasks[i];

		if (!t->was_seen && t->since_ms < b->poll_began_ms && t->phase != SLURM_ENDED)
			task_ended(b, t, &gone);
	}
	drop_ended(b);
	drop_held(b);
	arena_release(&a);
}

static void squeue_done(void *arg, int status, struct bytes said)
{
	struct backend *b = arg;
	struct arena a = { 0 };

	b->squeue = NULL;
	b->polled_ms = loop_now_ms(b->o.loop);
	b->poll_every_ms = b->poll_every_ms * 3 / 2;
	if (b->poll_every_ms > POLL_MOST_MS)
		b->poll_every_ms = POLL_MOST_MS;
	if (status == 0) {
		read_queue(b, said);
		slurm_scale(b);
	} else {
		snprintf(b->trouble, sizeof b->trouble, "squeue: %s; what runs goes on",
			 slurm_said(said, &a));
	}
	arena_release(&a);
}

static void ask_squeue(struct backend *b)
{
	struct arena a = { 0 };
	struct strs args = { 0 };
	struct err e;

	slurm_queue_args(b, &a, &args);
	strs_add(&args, "--states=all");
	b->poll_began_ms = loop_now_ms(b->o.loop);
	if (slurm_call(b->o.loop, &args, squeue_done, b, &b->squeue, &e) < 0)
		snprintf(b->trouble, sizeof b->trouble, "%.390s", e.text);
	strs_release(&args);
	arena_release(&a);
}

void slurm_poll_soon(struct backend *b)
{
	b->poll_every_ms = POLL_LEAST_MS;
}

/* ---- sbatch and scancel */

static void not_submitted(struct backend *b, int status, struct bytes said)
{
	struct arena a = { 0 };
	const char *line = slurm_said(said, &a);
	uint64_t wait = AGAIN_LEAST_MS << (b->n_refused < 5 ? b->n_refused : 5);

	b->n_refused++;
	b->again_ms = loop_now_ms(b->o.loop) + (wait < AGAIN_MOST_MS ? wait : AGAIN_MOST_MS);
	if (status < 0 || slurm_is_passing(said)) {
		snprintf(b->trouble, sizeof b->trouble, "sbatch: %s; it is tried again", line);
	} else {
		snprintf(b->refusal, sizeof b->refusal, "sbatch: %s", *line ? line : "it failed");
		b->o.changed(b->o.changed_arg);
	}
	arena_release(&a);
}

static void sbatch_done(void *arg, int status, struct bytes said)
{
	struct backend *b = arg;
	uint64_t job;

	b->sbatch = NULL;
	b->has_answered = true;
	if (status == 0 && slurm_job_read(said, &job)) {
		for (size_t i = 0; i < b->n_asked; i++)
			if (!task_find(b, job, (uint32_t)i))
				task_add(b, job, (uint32_t)i);
		b->n_asked = 0;
		b->n_refused = 0;
		b->trouble[0] = 0;
		slurm_poll_soon(b);
	} else {
		b->n_asked = 0;
		not_submitted(b, status, said);
	}
	if (!b->is_closing)
		slurm_scale(b);
}

static void add_if(struct strs *args, struct arena *a, const char *option, const char *value)
{
	if (value)
		strs_add(args, arena_printf(a, "--%s=%s", option, value));
}

/* In the names of output files % starts a pattern. */
static const char *output_path(const struct backend *b, struct arena *a)
{
	struct buf out = { 0 };
	const char *path;

	for (const char *c = b->folder.path; *c; c++) {
		if (*c == '%')
			buf_char(&out, '%');
		buf_char(&out, *c);
	}
	path = arena_printf(a, "--output=%s/%%A_%%a", out.p);
	buf_release(&out);
	return path;
}

/* The worker hears of the limit early enough for what can go on elsewhere to leave
 * its checkpoint. */
static void add_time(struct strs *args, struct arena *a, double time_s)
{
	double minutes = ceil(time_s / 60);

	strs_add(args, arena_printf(a, "--time=%.0f", minutes));
	strs_add(args, arena_printf(a, "--signal=B:TERM@%.0f", fmin(60, minutes * 15)));
}

static void submit(struct backend *b, size_t n)
{
	const struct slurm_words *w = &b->w;
	struct arena a = { 0 };
	struct strs args = { 0 };
	struct err e;

	strs_add(&args, "sbatch");
	strs_add(&args, "--parsable");
	strs_add(&args, arena_printf(&a, "--array=0-%zu", n - 1));
	strs_add(&args, arena_printf(&a, "--job-name=%s", b->folder.job_name));
	strs_add(&args, output_path(b, &a));
	strs_add(&args, "--open-mode=append");
	strs_add(&args, arena_printf(&a, "--chdir=%s", b->folder.path));
	/* What is in our environment, secrets too, stays here. */
	strs_add(&args, "--export=NONE");
	strs_add(&args, "--requeue");
	strs_add(&args, "--nodes=1");
	strs_add(&args, "--ntasks=1");
	strs_add(&args, arena_printf(&a, "--cpus-per-task=%u", w->cpus));
	if (w->mem_bytes)
		strs_add(&args, arena_printf(&a, "--mem=%" PRIu64 "M",
					     (w->mem_bytes + (1 << 20) - 1) >> 20));
	if (w->disk_bytes)
		strs_add(&args, arena_printf(&a, "--tmp=%" PRIu64 "M",
					     (w->disk_bytes + (1 << 20) - 1) >> 20));
	if (w->gpus)
		strs_add(&args, arena_printf(&a, "--gres=gpu:%u", w->gpus));
	if (w->time_s > 0)
		add_time(&args, &a, w->time_s);
	add_if(&args, &a, "partition", w->partition);
	add_if(&args, &a, "account", w->account);
	add_if(&args, &a, "qos", w->qos);
	strs_add(&args, arena_printf(&a, "%s/job", b->folder.path));
	b->has_answered = false;
	if (slurm_call(b->o.loop, &args, sbatch_done, b, &b->sbatch, &e) == 0)
		b->n_asked = n;
	else
		not_submitted(b, 1, bytes_str(e.text));
	strs_release(&args);
	arena_release(&a);
}

/* ---- as many as there should be */

struct idle {
	struct strs names;
	struct arena arena;
	uint64_t before_ms;
};

static void note_idle(void *arg, const struct pool_worker *w)
{
	struct idle *i = arg;

	if (w->is_idle && w->idle_since_ms <= i->before_ms)
		strs_add(&i->names, arena_str(&i->arena, w->name));
}

static struct slurm_task *task_named(struct backend *b, const char *name)
{
	for (size_t i = 0; i < b->n_tasks; i++)
		if (strcmp(name_of(&b->tasks[i]).s, name) == 0)
			return &b->tasks[i];
	return NULL;
}

/* Jobs that still wait for a node, when nothing waits for them any more. */
static void cancel_waiting(struct backend *b, size_t n)
{
	struct arena a = { 0 };
	struct strs args = { 0 };
	struct err ignored;             /* the jobs end by themselves, once idle */

	strs_add(&args, "scancel");
	for (size_t i = b->n_tasks; i-- > 0 && n;) {
		struct slurm_task *t = &b->tasks[i];

		if (t->phase != SLURM_WAITS || t->is_retired)
			continue;
		cancel_task(&args, &a, t);
		n--;
	}
	if (args.n > 1)
		slurm_call(b->o.loop, &args, said_nothing, NULL, NULL, &ignored);
	strs_release(&args);
	arena_release(&a);
}

static size_t n_waiting(const struct backend *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n_tasks; i++)
		n += b->tasks[i].phase == SLURM_WAITS && !b->tasks[i].is_retired;
	return n;
}

/* Beside others that work an idle one stays for a while; when nothing is to be
 * done warm_least() says who stays. */
static uint64_t idle_before_ms(const struct backend *b, uint64_t now)
{
	double keep_s = b->w.keep_s > 0 ? b->w.keep_s : b->idle.warm.o.keep_s;
	uint64_t keep_ms = (uint64_t)(keep_s * 1000);

	if (b->idle.idle_since_ms)
		return now;
	return now > keep_ms ? now - keep_ms : 0;
}

static void end_idle(struct backend *b, const struct autoscale *rule, uint64_t now)
{
	struct idle idle = { .before_ms = idle_before_ms(b, now) };
	size_t n, n_wait = b->idle.idle_since_ms ? n_waiting(b) : 0;

	pool_each(b->pool, note_idle, &idle);
	n = autoscale_end(rule, &b->demand, n_up(b), idle.names.n + n_wait);
	if (n && n_wait)
		cancel_waiting(b, n);
	n = n > n_wait ? n - n_wait : 0;
	for (size_t i = 0; i < idle.names.n && n; i++) {
		struct slurm_task *t = task_named(b, idle.names.v[i]);

		if (!t || t->is_retired)
			continue;
		t->is_retired = true;
		pool_retire(b->pool, idle.names.v[i]);
		n--;
	}
	strs_release(&idle.names);
	arena_release(&idle.arena);
}

void slurm_look_idle(struct backend *b)
{
	double at_s = (double)time(NULL);
	uint64_t now = loop_now_ms(b->o.loop);

	if (b->demand.n_ready || b->demand.n_running)
		warm_idle_ends(&b->idle, now, at_s);
	else
		warm_idle_begins(&b->idle, now, at_s, n_up(b));
}

void slurm_scale(struct backend *b)
{
	uint64_t now = loop_now_ms(b->o.loop);
	struct autoscale rule = b->rule;
	size_t more;

	if (b->is_closing || b->refusal[0])
		return;
	rule.min = warm_least(&b->idle, now, b->rule.min);
	more = autoscale_start(&rule, &b->demand, n_up(b));
	if (more && !b->sbatch && now >= b->again_ms)
		submit(b, more < ARRAY_MOST ? more : ARRAY_MOST);
	end_idle(b, &rule, now);
}

static void note_here(void *arg, const struct pool_worker *w)
{
	struct backend *b = arg;
	struct slurm_task *t = task_named(b, w->name);

	if (!t || t->has_come)
		return;
	t->has_come = true;
	b->n_stillborn = 0;
	if (!b->sbatch)
		b->trouble[0] = 0;
}

void slurm_note_workers(struct backend *b)
{
	pool_each(b->pool, note_here, b);
}

void slurm_tick(void *arg)
{
	struct backend *b = arg;

	b->tick = loop_after(b->o.loop, TICK_MS, slurm_tick, b);
	if (b->n_tasks && !b->squeue &&
	    loop_now_ms(b->o.loop) >= b->polled_ms + b->poll_every_ms)
		ask_squeue(b);
	slurm_scale(b);
}
