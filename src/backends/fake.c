/* fake.c - an engine that runs nothing and answers as told, for tests
 *
 * It takes only thunks whose program is "fake".  The results are real all the
 * same: every input is looked for, every output is put into the store, and its
 * content follows from the thunk alone, so that whatever rests on names behaves
 * as it would with programs.
 *
 * The whole engine, by its URI, "fake:WORD,WORD...":
 *
 *     cpus=N gpus=N mem=BYTES disk=BYTES
 *                                the room (4, 0, 1 GiB, all that is asked for)
 *     delay=MS                   every run takes that long (0)
 *     lose=N                     the first N runs are lost, RUN_CELL_FAILED
 *     refuse=N                   the first N starts are refused, ERR_RETRY
 *     throttle=N                 the first N runs are, RUN_THROTTLED
 *     tight=BYTES                runs with less end as RUN_OUT_OF_MEMORY
 *     hang=N                     the first N runs never end unless cancelled
 *     deaf                       nothing is cancelled: hanging ones take 1500 ms
 *     differs                    outputs are others than elsewhere
 *     later=MS                   there is no room before
 *     only=gpus only=cpus        takes only thunks with gpus, without
 *     refuses                    accepts all and starts none, ERR_REFUSED
 *     dollars=X                  what a run costs
 *     repeat                     every run happens twice and ends once
 *     log=PATH                   a line for each run: the thunk's name
 *
 * One thunk, by its arguments after the first:
 *
 *     give=TEXT                  the content of every output
 *     say=TEXT                   what it prints
 *     exit=N signal=N slow=MS    how it ends, and when
 *     asks=PATH                  asked for that, which it does not name
 *     nothing                    says it ended well, but gives no output
 *     self                       returns itself
 *     countdown=N                returns itself with N - 1, until 0
 *     bounce=0 bounce=1          returns itself with the other of the two
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "backend.h"

struct fake_job {
	struct backend *b;
	struct job *job;
	struct timer *timer;
	uint64_t took_ms;
	bool is_cancelled, is_late, is_stopping;
	struct fake_job *next;
};

struct backend {
	struct backend_opts o;
	struct room room;
	unsigned delay_ms, n_lose, n_refuse, n_throttle, n_hang;
	uint64_t tight_bytes;
	double dollars;
	struct timer *later;
	bool repeats, is_deaf, differs, only_gpus, only_cpus, refuses;
	int log_fd;
	struct fake_job *jobs;
};

/* The value of "name=value", or NULL if word is something else. */
static const char *value_of(const char *word, const char *name)
{
	size_t n = strlen(name);

	return strncmp(word, name, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

static unsigned number(const char *v)
{
	return v ? (unsigned)strtoul(v, NULL, 10) : 0;
}

static bool take_flag(struct backend *b, const char *w)
{
	const struct flag { const char *name; bool *flag; } all[] = {
		{ "repeat", &b->repeats }, { "deaf", &b->is_deaf }, { "differs", &b->differs },
		{ "only=gpus", &b->only_gpus }, { "only=cpus", &b->only_cpus },
		{ "refuses", &b->refuses },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (strcmp(all[i].name, w) == 0) {
			*all[i].flag = true;
			return true;
		}
	return false;
}

static void room_comes(void *arg)
{
	struct backend *b = arg;

	b->later = NULL;
	b->o.changed(b->o.changed_arg);
}

static int take_word(struct backend *b, const char *w, struct err *e)
{
	const char *v;

	if ((v = value_of(w, "cpus")))
		b->room.cpus = strtod(v, NULL);
	else if ((v = value_of(w, "gpus")))
		b->room.gpus = strtod(v, NULL);
	else if ((v = value_of(w, "mem")))
		b->room.mem_bytes = strtoull(v, NULL, 10);
	else if ((v = value_of(w, "disk")))
		b->room.disk_bytes = strtoull(v, NULL, 10);
	else if ((v = value_of(w, "delay")))
		b->delay_ms = number(v);
	else if ((v = value_of(w, "lose")))
		b->n_lose = number(v);
	else if ((v = value_of(w, "refuse")))
		b->n_refuse = number(v);
	else if ((v = value_of(w, "throttle")))
		b->n_throttle = number(v);
	else if ((v = value_of(w, "hang")))
		b->n_hang = number(v);
	else if ((v = value_of(w, "tight")))
		b->tight_bytes = strtoull(v, NULL, 10);
	else if ((v = value_of(w, "dollars")))
		b->dollars = strtod(v, NULL);
	else if ((v = value_of(w, "later")))
		b->later = loop_after(b->o.loop, number(v), room_comes, b);
	else if ((v = value_of(w, "log"))) {
		b->log_fd = open(v, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
		if (b->log_fd < 0)
			return err_sys(e, "%s", v);
	} else if (*w && !take_flag(b, w))
		return err_set(e, ERR_USAGE, "fake:%s: no such word", w);
	return 0;
}

static void fake_close(struct backend *b)
{
	if (!b)
		return;
	for (struct fake_job *f = b->jobs, *next; f; f = next) {
		next = f->next;
		loop_cancel(f->timer);
		free(f);
	}
	if (b->later)
		loop_cancel(b->later);
	if (b->log_fd >= 0)
		close(b->log_fd);
	free(b);
}

static int fake_open(const struct backend_opts *o, const char *rest,
		     struct backend **out, struct err *e)
{
	struct backend *b = mem_alloc(sizeof(*b));
	char *words = mem_str(rest), *save = NULL;
	int rc = 0;

	*b = (struct backend){ .o = *o, .log_fd = -1 };
	b->room = (struct room){ o->jobs ? o->jobs : 4, 0, 1 << 30, ROOM_UNKNOWN };
	for (char *w = strtok_r(words, ",", &save); w && rc == 0;
	     w = strtok_r(NULL, ",", &save))
		rc = take_word(b, w, e);
	free(words);
	if (rc < 0)
		fake_close(b);
	else
		*out = b;
	return rc;
}

static struct room fake_room(const struct backend *b)
{
	static const struct room none;

	return b->later ? none : b->room;
}

static bool fake_accepts(const struct backend *b, const struct job *j, struct err *e)
{
	static const char head[] = "gg-thunk 1\narg fake\n";
	const char *only = b->only_gpus && j->needs.gpus <= 0 ? "gpus" :
		b->only_cpus && j->needs.gpus > 0 ? "cpus" : NULL;

	/* What it answers is no result of any program. */
	if (!bytes_start(j->text, head)) {
		err_set(e, ERR_REFUSED, "it runs nothing, and takes only steps that are called "
			"fake");
		return false;
	}
	if (only) {
		err_set(e, ERR_REFUSED, "it is only for thunks that need %s", only);
		return false;
	}
	if (room_fits(&b->room, &j->needs))
		return true;
	err_set(e, ERR_REFUSED, "there are %s", room_words(&b->room, &j->needs).s);
	return false;
}

static bool is_there(struct store *s, const struct id *id, bool is_tree, int depth,
		     struct id *missing)
{
	struct arena a = { 0 };
	struct bytes b;
	struct tree t = { 0 };
	struct err e;
	bool is_whole = store_get(s, id, &a, &b, &e) == 0;

	if (!is_whole)
		*missing = *id;
	if (is_whole && is_tree)
		is_whole = depth < 64 && tree_decode(b, &a, &t, &e) == 0;
	for (size_t i = 0; is_whole && i < t.n; i++)
		if (t.v[i].kind != ENTRY_LINK)
			is_whole = is_there(s, &t.v[i].id, t.v[i].kind == ENTRY_TREE,
					    depth + 1, missing);
	arena_release(&a);
	return is_whole;
}

static bool has_inputs(struct store *s, const struct thunk *t, struct id *missing)
{
	for (size_t i = 0; i < t->n_in; i++)
		if (!is_there(s, &t->in[i].ref.id, t->in[i].ref.kind == REF_TREE, 0, missing))
			return false;
	return true;
}

/* The tail that returns t with argument arg replaced by word. */
static int tail_to(struct thunk *t, size_t arg, const char *word, struct buf *out,
		   struct err *e)
{
	const char *old = t->args[arg];
	struct buf text = { 0 };
	struct id id;
	int rc;

	t->args[arg] = word;
	rc = thunk_encode(t, &text, e);
	t->args[arg] = old;
	id = id_of(buf_bytes(&text));
	if (rc == 0)
		buf_printf(out, "gg-tail 1\nthunk %s %s\n\n%s", id_hex(&id).s,
			   t->out[0].name, text.p);
	buf_release(&text);
	return rc;
}

/* What one output of t holds. */
static int content(const struct job *j, bool differs, struct thunk *t, const char *name,
		   struct buf *out, struct err *e)
{
	char word[32];
	const char *v;

	for (size_t i = 1; i < t->n_args; i++) {
		if (strcmp(t->args[i], "self") == 0) {
			buf_printf(out, "gg-tail 1\nthunk %s %s\n", id_hex(&j->reduced).s, name);
			return 0;
		}
		if ((v = value_of(t->args[i], "countdown")) && number(v) > 0) {
			snprintf(word, sizeof(word), "countdown=%u", number(v) - 1);
			return tail_to(t, i, word, out, e);
		}
		if ((v = value_of(t->args[i], "bounce"))) {
			snprintf(word, sizeof(word), "bounce=%u", !number(v));
			return tail_to(t, i, word, out, e);
		}
		if ((v = value_of(t->args[i], "give"))) {
			buf_str(out, v);
			return 0;
		}
	}
	buf_printf(out, "%s of %s%s\n", name, id_hex(&j->reduced).s,
		   differs ? " or not" : "");
	return 0;
}

/* Put one output: a file, or a directory that holds it as "file". */
static int put_output(struct backend *b, const struct job *j, struct thunk *t,
		      size_t i, struct ref *ref, struct err *e)
{
	struct entry en = { .name = "file", .kind = ENTRY_FILE };
	const struct tree tree = { &en, 1 };
	struct buf text = { 0 };
	int rc = content(j, b->differs, t, t->out[i].name, &text, e);

	ref->kind = t->out[i].is_dir ? REF_TREE : REF_VALUE;
	if (rc == 0)
		rc = store_put(b->o.store, buf_bytes(&text), &ref->id, e);
	if (rc == 0 && t->out[i].is_dir) {
		en.id = ref->id;
		buf_reset(&text);
		rc = tree_encode(&tree, &text, e);
		if (rc == 0)
			rc = store_put(b->o.store, buf_bytes(&text), &ref->id, e);
	}
	buf_release(&text);
	return rc;
}

static int put_outputs(struct backend *b, const struct job *j, struct thunk *t,
		       struct arena *a, struct result *r, struct err *e)
{
	r->n = t->n_out;
	r->v = arena_alloc(a, r->n * sizeof(*r->v));
	for (size_t i = 0; i < r->n; i++) {
		r->v[i].name = t->out[i].name;
		if (put_output(b, j, t, i, &r->v[i].ref, e) < 0)
			return -1;
	}
	return 0;
}

/* How the arguments say it ends. */
static void read_end(const struct thunk *t, struct run_report *r)
{
	const char *v;

	for (size_t i = 1; i < t->n_args; i++) {
		if ((v = value_of(t->args[i], "say")))
			r->log = bytes_str(v);
		else if (strcmp(t->args[i], "nothing") == 0)
			r->status = RUN_NO_OUTPUT;
		else if ((v = value_of(t->args[i], "asks"))) {
			r->status = RUN_UNDECLARED;
			r->undeclared = v;
		} else if ((v = value_of(t->args[i], "exit"))) {
			r->status = RUN_EXITED;
			r->code = (int)number(v);
		} else if ((v = value_of(t->args[i], "signal"))) {
			r->status = RUN_SIGNALED;
			r->code = (int)number(v);
		}
	}
}

static void note_run(const struct backend *b, const struct job *j)
{
	char line[ID_HEX + 2];

	if (b->log_fd < 0)
		return;
	snprintf(line, sizeof(line), "%s\n", id_hex(&j->reduced).s);
	/* A log that cannot be written shows as runs that are not there. */
	(void)!write(b->log_fd, line, ID_HEX + 1);
}

/* What a step leaves that is asked to stop. */
static void leave_checkpoint(struct backend *b, struct arena *a, struct run_report *r,
			     struct err *e)
{
	r->status = RUN_STOPPED;
	r->text = "ended early";
	r->result.v = arena_alloc(a, sizeof *r->result.v);
	r->result.v[0] = (struct result_out){ .name = RUN_CHECKPOINT };
	r->result.n = store_put(b->o.store, bytes_str("left"), &r->result.v[0].ref.id, e) == 0;
}

/* Run j as far as anything runs here. */
static void answer(struct fake_job *f, struct arena *a, struct run_report *r,
		   struct err *e)
{
	struct backend *b = f->b;
	struct thunk t;

	if (f->is_cancelled) {
		*r = (struct run_report){ .status = RUN_SIGNALED, .code = SIGTERM };
		return;
	}
	if (f->is_late) {
		*r = (struct run_report){ .status = RUN_TIMED_OUT };
		return;
	}
	note_run(b, f->job);
	if (f->is_stopping) {
		leave_checkpoint(b, a, r, e);
		return;
	}
	r->text = e->text;
	if (b->n_lose) {
		b->n_lose--;
		r->status = RUN_CELL_FAILED;
		err_set(e, ERR_RETRY, "the worker was lost");
		return;
	}
	if (b->n_throttle) {
		b->n_throttle--;
		r->status = RUN_THROTTLED;
		err_set(e, ERR_RETRY, "too many at once");
		return;
	}
	if (f->job->needs.mem_bytes < b->tight_bytes) {
		r->status = RUN_OUT_OF_MEMORY;
		r->text = NULL;
		return;
	}
	r->dollars = b->dollars;
	r->status = RUN_NOT_STARTED;
	if (thunk_decode(f->job->text, a, &t, e) < 0)
		return;
	if (!thunk_is_reduced(&t)) {
		err_set(e, ERR_BAD, "the thunk is not reduced");
		return;
	}
	err_set(e, ERR_MISSING, "an input is gone");
	r->status = RUN_LOST_INPUT;
	if (!has_inputs(b->o.store, &t, &r->missing))
		return;
	r->status = RUN_OK;
	r->text = NULL;
	read_end(&t, r);
	if (r->status == RUN_OK && put_outputs(b, f->job, &t, a, &r->result, e) < 0) {
		r->status = RUN_CELL_FAILED;
		r->text = e->text;
	}
}

static void is_due(void *arg)
{
	struct fake_job *f = arg, **at = &f->b->jobs;
	struct run_report r = { 0 };
	struct arena a = { 0 };
	struct err e;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	if (f->b->repeats && !f->is_cancelled) {
		answer(f, &a, &r, &e);
		r = (struct run_report){ 0 };
	}
	answer(f, &a, &r, &e);
	r.seconds = r.cpu_seconds = (double)f->took_ms / 1000;
	f->job->done(f->job, &r);
	arena_release(&a);
	free(f);
}

/* A thunk may say how long it takes. */
static uint64_t duration(const struct backend *b, const struct job *j)
{
	struct arena a = { 0 };
	uint64_t ms = b->delay_ms;
	struct thunk t;
	struct err e;
	const char *v;

	if (thunk_decode(j->text, &a, &t, &e) == 0)
		for (size_t i = 1; i < t.n_args; i++)
			if ((v = value_of(t.args[i], "slow")))
				ms = number(v);
	arena_release(&a);
	return ms;
}

static int fake_start(struct backend *b, struct job *j, struct err *e)
{
	struct fake_job *f;

	if (b->refuses)
		return err_set(e, ERR_REFUSED, "refused for ever, as told");
	if (b->n_refuse) {
		b->n_refuse--;
		return err_set(e, ERR_RETRY, "refused, as told");
	}
	f = mem_alloc(sizeof(*f));
	*f = (struct fake_job){ .b = b, .job = j, .next = b->jobs };
	f->took_ms = duration(b, j);
	if (b->n_hang) {
		b->n_hang--;
		f->took_ms = b->is_deaf ? 1500 : 3600000;
	}
	if (j->timeout_s > 0 && (double)f->took_ms > j->timeout_s * 1000) {
		f->took_ms = (uint64_t)(j->timeout_s * 1000);
		f->is_late = true;
	}
	f->timer = loop_after(b->o.loop, f->took_ms, is_due, f);
	j->backend_data = f;
	b->jobs = f;
	return 0;
}

static void fake_cancel(struct backend *b, struct job *j)
{
	struct fake_job *f = j->backend_data;

	if (f->is_cancelled || b->is_deaf)
		return;
	f->is_cancelled = true;
	loop_cancel(f->timer);
	f->timer = loop_after(b->o.loop, 0, is_due, f);
}

static void fake_stop(struct backend *b, struct job *j)
{
	struct fake_job *f = j->backend_data;

	if (f->is_cancelled || b->is_deaf)
		return;
	f->is_stopping = true;
	loop_cancel(f->timer);
	f->timer = loop_after(b->o.loop, 0, is_due, f);
}

const struct backend_ops backend_fake = {
	.name = "fake",
	.help = "runs nothing and answers as told, for tests",
	.wants_objects_here = true,
	.is_here = true,
	.open = fake_open,
	.close = fake_close,
	.room = fake_room,
	.accepts = fake_accepts,
	.start = fake_start,
	.cancel = fake_cancel,
	.stop = fake_stop,
};
