/* slurm.c - workers that are jobs of a Slurm cluster
 *
 * An array job's tasks are workers: each comes to the pool that this engine
 * embeds, under the name slurm-JOB-TASK, which a requeued one says again.  How
 * many there are follows what waits (autoscale.h).  Slurm is spoken to by its
 * own programs, one squeue for all jobs each few seconds.
 *
 * When gg is killed its workers lose their dispatcher and end, and the next gg
 * cancels what still waits (slurm_folder.h).
 */
#include "slurm_private.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	SILENT_MS = 30000, PENDING_MS = 3000,
};

#define AT(member) offsetof(struct slurm_words, member)

static const struct engine_word words[] = {
	{ "min", WORD_COUNT, AT(min), "workers at least (0)" },
	{ "max", WORD_COUNT, AT(max), "workers at most (50)" },
	{ "cpus", WORD_COUNT, AT(cpus), "of one worker (1)" },
	{ "mem", WORD_BYTES, AT(mem_bytes), "of one worker (what the partition gives)" },
	{ "disk", WORD_BYTES, AT(disk_bytes),
	  "of one worker: nodes with so much of a temporary disk, --tmp (what the worker finds)" },
	{ "gpus", WORD_COUNT, AT(gpus), "of one worker (0)" },
	{ "partition", WORD_TEXT, AT(partition), "as for sbatch" },
	{ "account", WORD_TEXT, AT(account), "as for sbatch" },
	{ "qos", WORD_TEXT, AT(qos), "as for sbatch" },
	{ "time", WORD_SECONDS, AT(time_s), "limit of a worker's job (the partition's)" },
	{ "line", WORD_LIST, AT(lines), "another option, as behind #SBATCH" },
	{ "keep", WORD_SECONDS, AT(keep_s), "an idle worker stays so long (60s, then by habit)" },
	{ "lease", WORD_SECONDS, AT(lease_s), "a worker silent for so long is given up (30s)" },
	{ "dir", WORD_TEXT, AT(dir), "a folder that the nodes share (.gg/slurm)" },
	{ "worker", WORD_TEXT, AT(worker), "the program on the nodes (this gg)" },
	{ "listen", WORD_TEXT, AT(listen), "this host as the nodes reach it (127.0.0.1)" },
	{ 0 }
};

/* ---- opening */

static int check_words(const struct slurm_words *w, struct err *e)
{
	if (w->max < 1 || w->min > w->max)
		return err_set(e, ERR_USAGE, "slurm: min=%u,max=%u: max has to be 1 at least, and "
			       "no less than min", w->min, w->max);
	if (w->cpus < 1)
		return err_set(e, ERR_USAGE, "slurm: cpus=0: a worker needs one at least");
	if (*w->dir != '/' || (w->worker && *w->worker != '/'))
		return err_set(e, ERR_USAGE, "slurm: %s=%s: say an absolute path, the same on "
			       "every node", *w->dir != '/' ? "dir" : "worker",
			       *w->dir != '/' ? w->dir : w->worker);
	for (size_t i = 0; i < w->lines.n; i++)
		for (const char *c = w->lines.v[i]; *c; c++)
			if ((unsigned char)*c < ' ')
				return err_set(e, ERR_USAGE, "slurm: line= holds one line");
	return 0;
}

static int read_words(struct backend *b, const char *rest, struct err *e)
{
	struct slurm_words *w = &b->w;
	const char *colon;

	*w = (struct slurm_words){ .max = 50, .cpus = 1, .listen = "127.0.0.1" };
	if (engine_words_read("slurm", rest, words, &b->words, w, e) < 0)
		return -1;
	if (!w->dir)
		w->dir = arena_printf(&b->words, "%s/slurm", b->o.store_dir);
	colon = strrchr(w->listen, ':');
	if (!colon || strchr(colon, ']'))
		w->listen = arena_printf(&b->words, "%s:0", w->listen);
	b->rule = (struct autoscale){ .min = w->min, .max = w->max, .worker = {
		.cpus = w->cpus, .gpus = w->gpus, .mem_bytes = w->mem_bytes,
		.disk_bytes = w->disk_bytes } };
	return check_words(w, e);
}

/* Is Slurm here at all, and does its controller answer? */
static int ask_slurm(struct backend *b, struct err *e)
{
	struct buf said = { 0 };
	struct strs args = { 0 };
	int rc;

	strs_add(&args, "squeue");
	strs_add(&args, "--noheader");
	strs_add(&args, "--name=none-of-these");
	rc = slurm_call_wait(b->o.loop, &args, &said, e);
	strs_release(&args);
	buf_release(&said);
	return rc < 0 ? err_wrap(e, "the engine slurm") : 0;
}

/* What killed ones have left is cancelled; what cannot be is left to the next. */
static void sweep(struct backend *b)
{
	struct arena a = { 0 };
	struct strs dead = { 0 };
	struct err e;

	slurm_folder_dead(&b->folder, &a, &dead);
	for (size_t i = 0; i < dead.n; i++)
		if (slurm_cancel_all(b->o.loop, dead.v[i], &e) == 0)
			slurm_folder_remove(&b->folder, dead.v[i]);
	strs_release(&dead);
	arena_release(&a);
}

static void pool_changed(void *arg)
{
	struct backend *b = arg;

	if (b->is_closing || !b->pool)
		return;
	slurm_note_workers(b);
	slurm_poll_soon(b);
	b->o.changed(b->o.changed_arg);
}

static int open_pool(struct backend *b, struct err *e)
{
	struct pool_opts po = { .o = &b->o, .name = "slurm", .address = b->w.listen,
				.worst_room = b->rule.worker, .lease_s = b->w.lease_s,
				.changed = pool_changed, .arg = b };

	if (!b->rule.worker.mem_bytes)
		po.worst_room.mem_bytes = ROOM_UNKNOWN;
	if (!b->rule.worker.disk_bytes)
		po.worst_room.disk_bytes = ROOM_UNKNOWN;
	return pool_open(&po, &b->pool, e);
}

static int write_job(struct backend *b, struct err *e)
{
	struct arena a = { 0 };
	struct strs command = { 0 };
	struct ticket t;
	int rc;

	pool_ticket(b->pool, &t);
	strs_add(&command, b->w.worker ? b->w.worker : b->o.self);
	strs_add(&command, "worker");
	strs_add(&command, "--connect");
	strs_add(&command, arena_printf(&a, "%s/ticket", b->folder.path));
	/* A node has more than the job may use. */
	strs_add(&command, arena_printf(&a, "--jobs=%u", b->w.cpus));
	strs_add(&command, arena_printf(&a, "--gpus=%u", b->w.gpus));
	if (b->w.mem_bytes)
		strs_add(&command, arena_printf(&a, "--memory=%" PRIu64 "M",
						b->w.mem_bytes >> 20));
	if (b->w.disk_bytes)
		strs_add(&command, arena_printf(&a, "--disk=%" PRIu64 "K",
						b->w.disk_bytes >> 10));
	strs_add(&command, "--patience=30s");
	rc = slurm_folder_write(&b->folder, &t, &b->w.lines, &command, e);
	strs_release(&command);
	arena_release(&a);
	return rc;
}

static void nobody_listens(void *arg)
{
	(void)arg;
}

static void slurm_close(struct backend *b);

static int slurm_open(const struct backend_opts *o, const char *rest, struct backend **out,
		      struct err *e)
{
	struct backend *b = memset(mem_alloc(sizeof *b), 0, sizeof *b);

	b->o = *o;
	if (!b->o.changed)
		b->o.changed = nobody_listens;
	b->folder = (struct slurm_folder){ .fd = -1, .lock_fd = -1 };
	if (read_words(b, rest, e) < 0 || ask_slurm(b, e) < 0 ||
	    slurm_folder_open(&b->folder, b->w.dir, e) < 0 || open_pool(b, e) < 0 ||
	    write_job(b, e) < 0) {
		slurm_close(b);
		return -1;
	}
	sweep(b);
	warm_init(&b->idle.warm, &(struct warm_opts){ 0 });
	warm_load(&b->idle.warm, o->store, "slurm", e);
	b->idle.keep_s = b->w.keep_s;
	/* Before the first work too they may be called in time. */
	slurm_look_idle(b);
	b->idle.n_before = b->idle.plan.is_learned;
	b->tick = loop_after(o->loop, 0, slurm_tick, b);
	*out = b;
	return 0;
}

/* ---- closing */

static void slurm_close(struct backend *b)
{
	bool was_open, is_left = false;
	struct err e;

	if (!b)
		return;
	was_open = b->tick != NULL;
	b->is_closing = true;
	loop_cancel(b->tick);
	slurm_call_forget(b->squeue);
	pool_close(b->pool);
	slurm_steps_forget(b);
	/* A job that sbatch is just asking for has to be cancelled too. */
	if (b->sbatch)
		loop_run(b->o.loop, &b->has_answered);
	/* Nothing is wrong when it cannot be kept. */
	if (was_open)
		warm_save(&b->idle.warm, b->o.store, "slurm", &e);
	if (was_open)
		is_left = slurm_leave(b) < 0;
	slurm_folder_close(&b->folder, is_left);
	strs_release(&b->w.lines);
	free(b->tasks);
	arena_release(&b->words);
	free(b);
}

/* ---- what exec asks */

static struct room slurm_most(const struct backend *b)
{
	struct room all = b->rule.worker;

	all.cpus *= (double)b->rule.max;
	all.gpus *= (double)b->rule.max;
	all.mem_bytes = all.mem_bytes ? all.mem_bytes * b->rule.max : ROOM_UNKNOWN;
	all.disk_bytes = all.disk_bytes ? all.disk_bytes * b->rule.max : ROOM_UNKNOWN;
	return all;
}

/* Once it is clear that no worker will ever come there is room for all, so
 * that start() can say so of each. */
static struct room slurm_room(const struct backend *b)
{
	if (b->refusal[0])
		return (struct room){ 1e9, 1e9, ROOM_UNKNOWN, ROOM_UNKNOWN };
	return pool_room(b->pool);
}

static bool slurm_accepts(const struct backend *b, const struct job *j, struct err *e)
{
	if (autoscale_fits(&b->rule, &j->needs))
		return true;
	err_set(e, ERR_REFUSED, "one of its workers has %s; change that with cpus=, gpus=, mem= "
		"and disk=", room_words(&b->rule.worker, NULL).s);
	return false;
}

static void slurm_demand(struct backend *b, const struct demand *d)
{
	b->demand = *d;
	slurm_look_idle(b);
	slurm_scale(b);
}

static int slurm_start(struct backend *b, struct job *j, struct err *e)
{
	if (b->refusal[0])
		return err_set(e, ERR_REFUSED, "no worker can come by Slurm: %s", b->refusal);
	return slurm_step_start(b, j, e);
}

static const char *say_pending(struct backend *b, uint64_t now)
{
	const struct slurm_task *first = NULL;

	for (size_t i = 0; i < b->n_tasks; i++) {
		const struct slurm_task *t = &b->tasks[i];

		if (t->phase != SLURM_WAITS || t->is_retired || now - t->since_ms < PENDING_MS)
			continue;
		if (!first && t->reason[0])
			first = t;
	}
	if (!first)
		return NULL;
	snprintf(b->notice, sizeof b->notice, "slurm: jobs wait for their turn: %s (%s)",
		 slurm_reason(first->reason), first->reason);
	return b->notice;
}

/* It runs, and yet nobody has come. */
static const char *say_silent(struct backend *b, uint64_t now)
{
	for (size_t i = 0; i < b->n_tasks; i++) {
		const struct slurm_task *t = &b->tasks[i];
		struct arena a = { 0 };
		struct ticket ticket;
		const char *said;

		if (t->phase != SLURM_RUNS || t->has_come || now - t->since_ms < SILENT_MS)
			continue;
		pool_ticket(b->pool, &ticket);
		said = slurm_folder_said(&b->folder, t->job, t->index, &a);
		snprintf(b->notice, sizeof b->notice, "slurm: job %" PRIu64 "_%" PRIu32 " runs on "
			 "%s and its worker has not come: it has to reach %s from there; name "
			 "an address of this host that it can with listen=%s%s", t->job,
			 t->index, t->node, ticket.url, *said ? "; it said: " : "", said);
		arena_release(&a);
		return b->notice;
	}
	return NULL;
}

/* Steps say themselves why they were refused. */
static const char *slurm_why_waiting(struct backend *b)
{
	uint64_t now = loop_now_ms(b->o.loop);
	const char *text;

	if (b->refusal[0])
		return NULL;
	if (b->trouble[0]) {
		snprintf(b->notice, sizeof b->notice, "slurm: %s", b->trouble);
		return b->notice;
	}
	text = say_silent(b, now);
	return text ? text : say_pending(b, now);
}

const struct backend_ops backend_slurm = {
	.name = "slurm",
	.help = "workers that are jobs of a Slurm cluster, as many as are needed",
	.words = words,
	.open = slurm_open,
	.close = slurm_close,
	.room = slurm_room,
	.most = slurm_most,
	.accepts = slurm_accepts,
	.demand = slurm_demand,
	.start = slurm_start,
	.cancel = slurm_step_cancel,
	.stop = slurm_step_stop,
	.why_waiting = slurm_why_waiting,
};
