/* local.c - cells on this machine
 *
 * A cell is started when a job finds none idle, and then kept.  Cells differ
 * in whether they see the network and, where steps run in nothing but their
 * closures, in which one.  This end owns the store; a cell that
 * needs an object that was not committed yet asks for it.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include "../exec/cell.h"
#include "devices.h"
#include "file.h"
#include "work.h"

/* Cells differ in these; what a step needs. */
struct kind {
	bool uses_network, uses_gpus;   /* devices: only where others are not */
	struct id closure;              /* the whole root; zero: none */
};

struct worker {
	struct backend *b;
	struct proc *proc;
	struct job *job;                /* NULL: idle */
	struct buf in;
	struct worker *next, *next_idle;
	unsigned number;
	struct kind kind;
	struct devices_held gpus;       /* of the job */
	bool is_lost;                   /* talks nonsense; killed */
};

struct backend {
	struct backend_opts o;
	struct room room;
	double turn_s;                  /* how long at a time those run that can go
					 * on; 0: until they end */
	struct devices *devices;
	struct work_folder work;
	struct worker *all, *idle;
	unsigned n_workers, n_started;
	struct buf out;                 /* a frame being made */
	struct arena arena;             /* of one frame being read */
	char notice[400];
	bool is_closing, is_empty;
};

/* ---- a job's end */

static void finish(struct worker *w, const struct run_report *r)
{
	struct job *j = w->job;

	devices_give(w->b->devices, &w->gpus);
	w->job = NULL;
	if (j && !w->b->is_closing)
		j->done(j, r);
}

static void fail(struct worker *w, const char *text)
{
	struct run_report r = { .status = RUN_CELL_FAILED, .text = text };

	finish(w, &r);
}

/* A cell that breaks the protocol is ended; gone() will say so. */
static void lose(struct worker *w)
{
	w->is_lost = true;
	proc_kill(w->proc, SIGKILL);
}

/* ---- what cells say */

static void on_hello(struct worker *w, struct bytes body)
{
	static const struct { unsigned wall; const char *lacks; } all[] = {
		{ WALL_MOUNT, "steps can see undeclared files" },
		{ WALL_PID, "left-over processes are hunted one by one" },
		{ WALL_NET, "steps can reach the network" },
	};
	struct backend *b = w->b;
	unsigned walls, least = 0;
	const char *before = " ";
	struct bytes why;
	struct err e;
	size_t n;

	if (frame_read_hello(body, &walls, &why, &e) < 0) {
		lose(w);
		return;
	}
	least = WALL_MOUNT | WALL_PID | (w->kind.uses_network ? 0 : WALL_NET);
	if (b->notice[0] || (walls & least) == least)
		return;
	n = (size_t)snprintf(b->notice, sizeof b->notice,
			     "isolation is not complete on this machine (%.*s):",
			     (int)(why.n < 200 ? why.n : 200), why.p);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (!(least & ~walls & all[i].wall) || n >= sizeof b->notice)
			continue;
		n += (size_t)snprintf(b->notice + n, sizeof b->notice - n, "%s%s",
				      before, all[i].lacks);
		before = "; ";
	}
}

static void on_need(struct worker *w, struct bytes body)
{
	struct backend *b = w->b;
	struct object o;
	struct bytes bytes;
	struct err e;

	if (frame_read_object(body, &o, &e) < 0) {
		lose(w);
		return;
	}
	buf_reset(&b->out);
	if (store_get(b->o.store, &o.id, &b->arena, &bytes, &e) == 0)
		frame_object(&b->out, &o.id, bytes);
	else
		frame_id(&b->out, FRAME_LOST, &o.id);
	proc_send(w->proc, buf_bytes(&b->out));
}

static void on_object(struct worker *w, struct bytes body)
{
	struct object o;
	struct err e;

	if (frame_read_object(body, &o, &e) < 0)
		lose(w);
	else if (store_put_named(w->b->o.store, &o.id, o.bytes, &e) < 0) {
		err_wrap(&e, "an output cannot be kept");
		fail(w, e.text);
		lose(w);
	}
}

static void on_log(struct worker *w, struct bytes body)
{
	struct bytes text;
	struct err e;
	uint64_t at;

	if (frame_read_log(body, &at, &text, &e) < 0)
		lose(w);
	else if (w->job && w->job->printed && !w->b->is_closing)
		w->job->printed(w->job, at, text);
}

static void on_done(struct worker *w, struct bytes body)
{
	struct run_report r;
	struct err e;

	if (!w->job || frame_read_done(body, &w->b->arena, &r, &e) < 0) {
		lose(w);
		return;
	}
	w->next_idle = w->b->idle;
	w->b->idle = w;
	finish(w, &r);
}

static void on_frame(struct worker *w, const struct frame *f)
{
	static void (*const on[])(struct worker *w, struct bytes body) = {
		[FRAME_HELLO] = on_hello, [FRAME_NEED] = on_need,
		[FRAME_OBJECT] = on_object, [FRAME_LOG] = on_log,
		[FRAME_DONE] = on_done,
	};

	if (f->kind < sizeof on / sizeof *on && on[f->kind])
		on[f->kind](w, f->body);
	else
		lose(w);
	arena_reset(&w->b->arena);
}

static void on_bytes(void *arg, struct bytes b)
{
	struct worker *w = arg;
	struct bytes left = b;
	struct frame f;
	struct err e;
	int got = 0;

	/* Mostly frames come whole and need no copy. */
	if (w->in.n) {
		buf_add(&w->in, b.p, b.n);
		left = buf_bytes(&w->in);
	}
	while (!w->is_lost && (got = frame_next(&left, &f, &e)) == 1)
		on_frame(w, &f);
	if (got < 0)
		lose(w);
	if (w->is_lost)
		return;
	if (!w->in.n) {
		buf_add(&w->in, left.p, left.n);
	} else {
		memmove(w->in.p, left.p, left.n);
		w->in.n = left.n;
	}
}

/* ---- cells come and go */

static int local_start(struct backend *b, struct job *j, struct err *e);

static void forget(struct worker *w)
{
	struct worker **at;

	for (at = &w->b->idle; *at; at = &(*at)->next_idle)
		if (*at == w) {
			*at = w->next_idle;
			break;
		}
	for (at = &w->b->all; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	w->b->n_workers--;
	w->b->is_empty = w->b->n_workers == 0;
	buf_release(&w->in);
	free(w);
}

static void on_gone(void *arg, int status)
{
	struct worker *w = arg;
	struct worker ended = *w;
	char text[700];
	struct err e;

	work_folder_remove_cell(&w->b->work, w->number);
	forget(w);
	if (status == CELL_RETIRED && ended.job && !ended.b->is_closing) {
		devices_give(ended.b->devices, &ended.gpus);
		if (local_start(ended.b, ended.job, &e) < 0)
			fail(&ended, e.text);
		return;
	}
	if (status < 0)
		snprintf(text, sizeof text, "the process that ran this step was killed by "
			 "signal %d", -status);
	else
		snprintf(text, sizeof text, "the process that ran this step ended "
			 "(status %d)%s%s", status, ended.b->notice[0] ? ": " : "",
			 ended.b->notice);
	fail(&ended, text);
}

static struct worker *start_worker(struct backend *b, const struct kind *k,
				   struct err *e)
{
	struct worker *w = memset(mem_alloc(sizeof *w), 0, sizeof *w);
	const struct proc_ops ops = { .bytes = on_bytes, .gone = on_gone, .arg = w };
	struct arena a = { 0 };
	const char *args[10] = { b->o.self, "cell", b->o.store_dir, b->o.project_root };
	const char *env[] = { "LC_ALL=C.UTF-8", NULL };
	int rc, n = 5;

	w->b = b;
	w->number = b->n_started++;
	w->kind = *k;
	args[4] = work_folder_cell(&b->work, w->number, &a);
	if (k->uses_network)
		args[n++] = "network";
	if (k->uses_gpus)
		args[n++] = "gpus";
	if (b->o.is_volatile)
		args[n++] = "volatile";
	if (!id_is_zero(&k->closure))
		args[n++] = arena_printf(&a, "closure=%s", id_hex(&k->closure).s);
	rc = loop_spawn(b->o.loop, args, env, &ops, &w->proc, e);
	arena_release(&a);
	if (rc < 0) {
		free(w);
		return NULL;
	}
	w->next = b->all;
	b->all = w;
	b->n_workers++;
	b->is_empty = false;
	return w;
}

static struct worker *take_idle(struct backend *b, const struct kind *k)
{
	for (struct worker **at = &b->idle; *at; at = &(*at)->next_idle) {
		struct worker *w = *at;

		if (w->kind.uses_network != k->uses_network || w->is_lost ||
		    w->kind.uses_gpus != k->uses_gpus ||
		    !id_equal(&w->kind.closure, &k->closure))
			continue;
		*at = w->next_idle;
		return w;
	}
	return NULL;
}

/* Idle cells of other kinds are not kept without end: the one that has been
 * idle longest ends. */
static void make_room(struct backend *b)
{
	struct worker **at = &b->idle;

	if (b->n_workers < b->room.cpus * 2 || !*at)
		return;
	while ((*at)->next_idle)
		at = &(*at)->next_idle;
	proc_close((*at)->proc);
	*at = NULL;
}

static struct kind kind_of(const struct backend *b, const struct job *j)
{
	static const char network[] = "\nnetwork yes\n", closure[] = "\nruntime closure ";
	struct kind k = { .uses_network = memmem(j->text.p, j->text.n, network,
						 sizeof network - 1) != NULL };
	const char *at = memmem(j->text.p, j->text.n, closure, sizeof closure - 1);

	if (!b->o.is_hermetic || !at)
		return k;
	at += sizeof closure - 1;
	if (at + ID_HEX <= j->text.p + j->text.n)
		id_parse((struct bytes){ at, ID_HEX }, &k.closure);
	k.uses_gpus = j->needs.gpus > 0;
	return k;
}

/* The sooner of what the job says and what is said of this place. */
static double stop_after(const struct backend *b, const struct job *j)
{
	if (b->turn_s > 0 && (j->stop_s <= 0 || b->turn_s < j->stop_s))
		return b->turn_s;
	return j->stop_s;
}

static int local_start(struct backend *b, struct job *j, struct err *e)
{
	struct kind k = kind_of(b, j);
	struct worker *w = take_idle(b, &k);
	struct request r = { .timeout_s = j->timeout_s, .is_watched = j->is_watched,
			     .text = j->text, .host = j->host, .stop_s = stop_after(b, j),
			     .checkpoint = j->checkpoint };
	struct arena a = { 0 };

	if (b->o.is_hermetic && id_is_zero(&k.closure))
		return err_set(e, ERR_REFUSED, "it has no closure and cannot run with "
			       "--hermetic");
	if (!w) {
		make_room(b);
		w = start_worker(b, &k, e);
	}
	if (!w)
		return -1;
	w->job = j;
	j->backend_data = w;
	devices_take(b->devices, j->needs.gpus, &w->gpus);
	r.gpus = devices_list(b->devices, &w->gpus, &a);
	buf_reset(&b->out);
	frame_request(&b->out, &r);
	arena_release(&a);
	proc_send(w->proc, buf_bytes(&b->out));
	return 0;
}

static void tell_cell(struct backend *b, struct job *j, enum frame_kind kind)
{
	struct worker *w = j->backend_data;

	if (w->job != j)
		return;
	buf_reset(&b->out);
	frame_end(&b->out, frame_begin(&b->out, kind));
	proc_send(w->proc, buf_bytes(&b->out));
}

static void local_cancel(struct backend *b, struct job *j)
{
	tell_cell(b, j, FRAME_CANCEL);
}

static void local_stop(struct backend *b, struct job *j)
{
	tell_cell(b, j, FRAME_STOP);
}

/* ---- the whole */

static struct room local_room(const struct backend *b)
{
	return b->room;
}

struct local_words {
	unsigned jobs;
	double gpus;
	uint64_t mem_bytes, disk_bytes;
	double turn_s;
};

static const struct engine_word local_words[] = {
	{ "jobs", WORD_COUNT, offsetof(struct local_words, jobs),
	  "cpus to use (default: -j, or all there are)" },
	{ "gpus", WORD_NUMBER, offsetof(struct local_words, gpus),
	  "GPUs to use (default: all there are)" },
	{ "mem", WORD_BYTES, offsetof(struct local_words, mem_bytes),
	  "memory to use (default: all there is)" },
	{ "disk", WORD_BYTES, offsetof(struct local_words, disk_bytes),
	  "disk to use while steps run (default: what is free where .gg is)" },
	{ "turn", WORD_SECONDS, offsetof(struct local_words, turn_s),
	  "let steps that can go on (resume) leave their checkpoint after so long, and go on "
	  "from it (default: never)" },
	{ 0 }
};

static int read_words(const struct backend_opts *o, const char *rest,
		      struct local_words *w, struct err *e)
{
	struct arena a = { 0 };
	int rc = engine_words_read("local", rest, local_words, &a, w, e);

	arena_release(&a);
	if (rc == 0 && !w->jobs)
		w->jobs = o->jobs;
	return rc;
}

static void free_devices(struct backend *b)
{
	if (!b->o.devices)
		devices_free(b->devices);
}

static uint64_t free_bytes(const char *dir)
{
	struct statvfs v;

	return statvfs(dir, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : ROOM_UNKNOWN;
}

static int local_open(const struct backend_opts *o, const char *rest,
		      struct backend **out, struct err *e)
{
	struct backend *b;
	struct sysinfo info;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct local_words words = { .gpus = -1 };
	const char *visible;

	if (read_words(o, rest, &words, e) < 0)
		return -1;
	b = memset(mem_alloc(sizeof *b), 0, sizeof *b);
	b->o = *o;
	b->is_empty = true;
	b->room.cpus = words.jobs ? words.jobs : cpus > 0 ? (double)cpus : 1;
	visible = o->setting ? o->setting(o->setting_arg, "CUDA_VISIBLE_DEVICES") : NULL;
	b->room.gpus = words.gpus >= 0 ? words.gpus : devices_count(visible);
	b->room.mem_bytes = words.mem_bytes;
	b->room.disk_bytes = words.disk_bytes ? words.disk_bytes : free_bytes(o->store_dir);
	b->turn_s = words.turn_s;
	if (!words.mem_bytes && sysinfo(&info) == 0)
		b->room.mem_bytes = (uint64_t)info.totalram * info.mem_unit;
	if (!b->o.devices)
		b->devices = devices_new(b->room.gpus, visible);
	else
		b->devices = b->o.devices;
	if (work_folder_open(&b->work, o->store_dir, e) < 0) {
		free_devices(b);
		free(b);
		return -1;
	}
	*out = b;
	return 0;
}

static void local_close(struct backend *b)
{
	if (!b)
		return;
	b->is_closing = true;
	for (struct worker *w = b->all; w; w = w->next)
		proc_close(w->proc);
	loop_run(b->o.loop, &b->is_empty);
	work_folder_close(&b->work);
	free_devices(b);
	buf_release(&b->out);
	arena_release(&b->arena);
	free(b);
}

static const char *local_notice(const struct backend *b)
{
	return b->notice[0] ? b->notice : NULL;
}

const struct backend_ops backend_local = {
	.name = "local",
	.help = "run steps on this machine, each shut in",
	.words = local_words,
	.wants_objects_here = true,
	.is_here = true,
	.open = local_open,
	.close = local_close,
	.room = local_room,
	.start = local_start,
	.cancel = local_cancel,
	.stop = local_stop,
	.notice = local_notice,
};
