/* sim.c - functions that are only simulated, with a clock of their own
 *
 * "sim:workers=1000,latency=0.08,bandwidth=65M": nothing is waited for.  The
 * clock jumps from one end of a run to the next once the scheduler, which is
 * the real one, has started all that it wants to start at this instant.
 *
 * What a run takes: one request's latency for its inputs together and one for
 * its outputs, their bytes at the bandwidth of one function, and what its
 * arguments say.  It never stands in for a program: the engine takes only steps
 * that run "sim", whose arguments are
 *
 *     time=SECONDS               what it computes (0)
 *     bytes=N                    how large each output pretends to be
 *     gains=X                    with N GPUs it is N X^(N-1) times as fast
 *
 * An output is a short text that says how large it pretends to be, so that no
 * table of a million sizes is needed.
 */
#include "sim.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine_words.h"
#include "quantity.h"

struct sim_job {
	struct backend *b;
	struct job *job;
	struct sim_job *next;           /* among the unused */
	double from_s, at_s, waited_s;
	uint64_t sequence;
	size_t in_heap;
	bool is_cold, is_cancelled, is_lost;
};

struct words {
	unsigned workers, seed;
	double cpus, gpus, latency_s, cold_s, lose;
	uint64_t mem_bytes, disk_bytes, bandwidth;
};

struct backend {
	struct backend_opts o;
	struct words w;
	struct sim_job **heap;          /* by at_s, then by start */
	size_t n, room;
	struct sim_job *unused;
	size_t n_warm;                  /* workers idle that ran before */
	uint64_t sequence, dice;
	bool has_started;               /* something, since the last hop */
	bool is_hopping;
	struct timer *hop;
	struct sim_told told;
	struct buf text;
	struct arena words;
	struct arena starting, ending;  /* of one run: an end may start others */
	char notice[160];
};

#define AT(member) offsetof(struct words, member)

static const struct engine_word words[] = {
	{ "workers", WORD_COUNT, AT(workers), "how many there are (1)" },
	{ "cpus", WORD_NUMBER, AT(cpus), "of one (1)" },
	{ "gpus", WORD_NUMBER, AT(gpus), "of one (0)" },
	{ "mem", WORD_BYTES, AT(mem_bytes), "of one (2G)" },
	{ "disk", WORD_BYTES, AT(disk_bytes), "of one (10G)" },
	{ "latency", WORD_NUMBER, AT(latency_s), "seconds of one request (0.08)" },
	{ "bandwidth", WORD_BYTES, AT(bandwidth), "bytes a second of one (65,000,000)" },
	{ "cold", WORD_NUMBER, AT(cold_s), "seconds that a new worker takes to come (0)" },
	{ "lose", WORD_NUMBER, AT(lose), "share of the runs that are lost half-way (0)" },
	{ "seed", WORD_COUNT, AT(seed), "of what is lost (1)" },
	{ 0 }
};

/* ---- the heap of ends to come */

static bool is_before(const struct sim_job *a, const struct sim_job *b)
{
	if (a->at_s < b->at_s || a->at_s > b->at_s)
		return a->at_s < b->at_s;
	return a->sequence < b->sequence;
}

static void put(struct backend *b, size_t i, struct sim_job *s)
{
	b->heap[i] = s;
	s->in_heap = i;
}

static void sift_up(struct backend *b, struct sim_job *s)
{
	size_t i = s->in_heap;

	for (; i && is_before(s, b->heap[(i - 1) / 2]); i = (i - 1) / 2)
		put(b, i, b->heap[(i - 1) / 2]);
	put(b, i, s);
}

static void sift_down(struct backend *b, struct sim_job *s)
{
	size_t i = s->in_heap;

	for (size_t kid; (kid = 2 * i + 1) < b->n; i = kid) {
		if (kid + 1 < b->n && is_before(b->heap[kid + 1], b->heap[kid]))
			kid++;
		if (!is_before(b->heap[kid], s))
			break;
		put(b, i, b->heap[kid]);
	}
	put(b, i, s);
}

static void push(struct backend *b, struct sim_job *s)
{
	if (b->n == b->room) {
		b->room = b->room ? 2 * b->room : 256;
		b->heap = mem_grow(b->heap, b->room * sizeof(*b->heap));
	}
	put(b, b->n++, s);
	sift_up(b, s);
}

static struct sim_job *pop(struct backend *b)
{
	struct sim_job *first = b->heap[0], *last = b->heap[--b->n];

	if (b->n) {
		put(b, 0, last);
		sift_down(b, last);
	}
	return first;
}

/* ---- what a run takes and gives */

static const char *value_of(const char *word, const char *name)
{
	size_t n = strlen(name);

	return strncmp(word, name, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

static const char *argument(const struct thunk *t, const char *name)
{
	for (size_t i = 1; i < t->n_args; i++) {
		const char *v = value_of(t->args[i], name);

		if (v)
			return v;
	}
	return NULL;
}

static const char pretends[] = "simulated, as if of ";

/* How many bytes an input has, or pretends to have. */
static int input_bytes(struct backend *b, const struct ref *r, uint64_t *n, struct err *e)
{
	struct bytes text;
	uint64_t size;

	if (store_size(b->o.store, &r->id, &size, e) < 0)
		return -1;
	*n += size;
	if (r->kind == REF_TREE || size > 160)
		return 0;
	if (store_get(b->o.store, &r->id, &b->starting, &text, e) < 0)
		return -1;
	if (bytes_start(text, pretends))
		*n += strtoull(arena_strn(&b->starting, text.p + sizeof pretends - 1,
					  text.n - sizeof pretends + 1), NULL, 10) - size;
	return 0;
}

/* time= and bytes= of t, checked when it starts. */
static int read_arguments(const struct thunk *t, double *time_s, uint64_t *bytes,
			  struct err *e)
{
	const char *v = argument(t, "time");

	*time_s = 0;
	*bytes = 0;
	if (v && !quantity_number(v, time_s))
		return err_set(e, ERR_BAD, "sim: time=%s is no number of seconds", v);
	v = argument(t, "bytes");
	if (v && !quantity_bytes(v, bytes))
		return err_set(e, ERR_BAD, "sim: bytes=%s is no size such as 512M", v);
	return 0;
}

/* How many times as fast it is with the GPUs it has. */
static double speed(const struct thunk *t, const struct job *j)
{
	const char *v = argument(t, "gains");
	double gains;

	if (!v || !quantity_number(v, &gains) || j->needs.gpus < 1)
		return 1;
	return j->needs.gpus * pow(gains, j->needs.gpus - 1);
}

static int duration(struct backend *b, const struct job *j, double *out, struct err *e)
{
	double bandwidth = (double)b->w.bandwidth, time_s;
	uint64_t in = 0, bytes;
	struct thunk t;

	if (thunk_decode(j->text, &b->starting, &t, e) < 0 ||
	    read_arguments(&t, &time_s, &bytes, e) < 0)
		return -1;
	for (size_t i = 0; i < t.n_in; i++)
		if (input_bytes(b, &t.in[i].ref, &in, e) < 0)
			return err_wrap(e, "%s", t.in[i].path);
	*out = time_s / speed(&t, j) + (t.n_in ? b->w.latency_s : 0) + (double)in / bandwidth +
		b->w.latency_s + (double)bytes * (double)t.n_out / bandwidth;
	b->told.in_bytes += (double)in;
	b->told.out_bytes += (double)bytes * (double)t.n_out;
	return 0;
}

static int put_outputs(struct backend *b, const struct job *j, struct result *r,
		       struct err *e)
{
	double time_s;
	uint64_t bytes;
	struct thunk t;

	if (thunk_decode(j->text, &b->ending, &t, e) < 0 ||
	    read_arguments(&t, &time_s, &bytes, e) < 0)
		return -1;
	r->v = arena_alloc(&b->ending, t.n_out * sizeof(*r->v));
	for (r->n = 0; r->n < t.n_out; r->n++) {
		r->v[r->n].name = t.out[r->n].name;
		if (t.out[r->n].is_dir)
			return err_set(e, ERR_BAD, "sim gives files, and %s is a directory",
				       t.out[r->n].name);
		buf_reset(&b->text);
		buf_printf(&b->text, "%s%llu bytes: %s of %s\n", pretends,
			   (unsigned long long)bytes, t.out[r->n].name,
			   id_hex(&j->reduced).s);
		if (store_put(b->o.store, buf_bytes(&b->text), &r->v[r->n].ref.id, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- the clock */

static void report(struct backend *b, struct sim_job *s)
{
	struct run_report r = { .seconds = s->at_s - s->from_s, .place = "sim",
				.waited_s = s->waited_s, .is_cold = s->is_cold };
	struct job *j = s->job;
	struct err e;

	r.cpu_seconds = r.seconds;
	if (s->is_cancelled) {
		r.status = RUN_SIGNALED;
		r.code = SIGTERM;
	} else if (s->is_lost) {
		r.status = RUN_LOST_WORKER;
		r.text = "the simulated worker was lost";
	} else if (put_outputs(b, j, &r.result, &e) < 0) {
		r.status = RUN_CELL_FAILED;
		r.text = e.text;
	}
	b->told.now_s = s->at_s;
	b->told.busy_s += r.seconds;
	b->told.n_ended++;
	b->n_warm += !s->is_lost;
	s->next = b->unused;
	b->unused = s;
	j->done(j, &r);
	arena_reset(&b->ending);
}

/* Time goes on after a turn of the loop in which nothing was started; what an
 * end starts from inside is of the same instant.  The timer comes last, so that
 * the scheduler's own, for what it could not do at once, come before. */
static void hop(void *arg)
{
	struct backend *b = arg;

	b->hop = NULL;
	b->is_hopping = true;
	if (!b->has_started && b->n)
		report(b, pop(b));
	b->is_hopping = b->has_started = false;
	if (b->n)
		b->hop = loop_after(b->o.loop, 0, hop, b);
}

/* The next of a sequence that the seed alone decides (splitmix64). */
static double roll(struct backend *b)
{
	uint64_t z = b->dice += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

static struct sim_job *take(struct backend *b)
{
	struct sim_job *s = b->unused;

	if (s)
		b->unused = s->next;
	else
		s = mem_alloc(sizeof *s);
	return s;
}

static int sim_start(struct backend *b, struct job *j, struct err *e)
{
	struct sim_job *s;
	double takes_s = 0;

	arena_reset(&b->starting);
	if (duration(b, j, &takes_s, e) < 0)
		return -1;
	s = take(b);
	*s = (struct sim_job){ .b = b, .job = j, .sequence = b->sequence++ };
	s->is_cold = !b->n_warm;
	s->waited_s = s->is_cold ? b->w.cold_s : 0;
	s->is_lost = b->w.lose > 0 && roll(b) < b->w.lose;
	b->n_warm -= !s->is_cold;
	b->told.n_cold += s->is_cold;
	s->from_s = b->told.now_s + s->waited_s;
	s->at_s = s->from_s + (s->is_lost ? takes_s / 2 : takes_s);
	j->backend_data = s;
	push(b, s);
	b->has_started = true;
	if (!b->hop && !b->is_hopping)
		b->hop = loop_after(b->o.loop, 0, hop, b);
	return 0;
}

static void sim_cancel(struct backend *b, struct job *j)
{
	struct sim_job *s = j->backend_data;

	s->is_cancelled = true;
	s->at_s = b->told.now_s;
	if (s->from_s > s->at_s)
		s->from_s = s->at_s;
	sift_up(b, s);
}

/* ---- the whole */

static struct room sim_room(const struct backend *b)
{
	double n = b->w.workers;

	return (struct room){ n * b->w.cpus, n * b->w.gpus, b->w.workers * b->w.mem_bytes,
			      b->w.workers * b->w.disk_bytes };
}

static bool sim_accepts(const struct backend *b, const struct job *j, struct err *e)
{
	(void)b;
	if (bytes_start(j->text, "gg-thunk 1\narg sim\n"))
		return true;
	err_set(e, ERR_REFUSED, "the engine sim runs nothing: it takes only steps of the "
		"program \"sim\"");
	return false;
}

static void sim_close(struct backend *b)
{
	if (!b)
		return;
	if (b->hop)
		loop_cancel(b->hop);
	for (size_t i = 0; i < b->n; i++)
		free(b->heap[i]);
	for (struct sim_job *s = b->unused, *next; s; s = next) {
		next = s->next;
		free(s);
	}
	free(b->heap);
	buf_release(&b->text);
	arena_release(&b->words);
	arena_release(&b->starting);
	arena_release(&b->ending);
	free(b);
}

static int sim_open(const struct backend_opts *o, const char *rest, struct backend **out,
		    struct err *e)
{
	struct backend *b = memset(mem_alloc(sizeof *b), 0, sizeof *b);

	b->o = *o;
	b->w = (struct words){ .workers = 1, .seed = 1, .cpus = 1, .latency_s = 0.08,
			       .bandwidth = 65000000, .mem_bytes = 2ull << 30,
			       .disk_bytes = 10ull << 30 };
	if (engine_words_read("sim", rest, words, &b->words, &b->w, e) < 0) {
		sim_close(b);
		return -1;
	}
	b->dice = b->w.seed;
	*out = b;
	return 0;
}

void sim_tell(const struct backend *b, struct sim_told *out)
{
	*out = b->told;
}

static const char *sim_notice(const struct backend *b)
{
	struct backend *own = (struct backend *)b;

	snprintf(own->notice, sizeof own->notice, "simulated: %zu runs on %u workers in %.3f s "
		 "of their clock", b->told.n_ended, b->w.workers, b->told.now_s);
	return b->notice;
}

const struct backend_ops backend_sim = {
	.name = "sim",
	.words = words,
	.help = "workers that are only simulated, with a clock of their own",
	.wants_objects_here = true,
	.open = sim_open,
	.close = sim_close,
	.room = sim_room,
	.accepts = sim_accepts,
	.start = sim_start,
	.cancel = sim_cancel,
	.notice = sim_notice,
};
