/* cmd_verify.c - gg verify: run thunks again and compare what they give
 *
 * Nothing is looked up and no result is kept: a run goes to the engine past
 * exec, and only its outputs' bytes come into the store, under their own names,
 * for gc to remove.  What a thunk needs is made first, by exec as ever.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "file.h"
#include "quantity.h"
#include "targets.h"
#include "verify.h"

enum { TRIES = 3, GRACE_MS = 3000, TICK_MS = 100, LOOK_AHEAD = 256 };

static int fill(struct verify *v);

/* ---- ends */

static void settle(struct check *k, enum verdict verdict, const char *text)
{
	struct verify *v = k->v;

	if (k->verdict != VERDICT_OPEN)
		return;
	k->verdict = verdict;
	k->text = text ? arena_str(&v->arena, text) : NULL;
	ui_clear(v->d.ui);
	verify_clear(v);
	verify_tell(k);
}

/* An output that is marked as a tail stands for what another thunk gives. */
static void resolve_tail(struct verify *v, struct ref *ref)
{
	struct store *s = v->d.c->store;
	const struct ref *found;
	struct bytes b;
	struct tail tail;
	struct result r;
	struct err e;

	if (ref->kind == REF_TREE || ref->kind == REF_THUNK ||
	    store_get(s, &ref->id, &v->arena, &b, &e) < 0 || !tail_is(b) ||
	    tail_decode(b, &v->arena, &tail, &e) < 0)
		return;
	*ref = (struct ref){ REF_THUNK, tail.value.thunk, tail.value.out };
	if (store_get_result(s, &tail.value.thunk, &v->arena, &r, &e) == 0 &&
	    (found = result_output(&r, tail.value.out)))
		*ref = *found;
}

static void copy_result(struct verify *v, const struct result *r, struct result *out)
{
	struct arena *a = &v->arena;

	out->n = r->n;
	out->v = arena_alloc(a, (r->n + 1) * sizeof *out->v);
	for (size_t i = 0; i < r->n; i++) {
		out->v[i] = r->v[i];
		out->v[i].name = arena_str(a, r->v[i].name);
		if (r->v[i].ref.out)
			out->v[i].ref.out = arena_str(a, r->v[i].ref.out);
		resolve_tail(v, &out->v[i].ref);
	}
}

static void compare(struct check *k, const struct result *r)
{
	struct verify *v = k->v;
	struct err e = { .code = ERR_NONE };

	copy_result(v, r, &k->other);
	for (size_t i = 0; i < k->other.n; i++) {
		const struct ref *x = result_output(&k->first, k->other.v[i].name);
		int rc = x ? compare_values(v->d.c->store, x, &k->other.v[i].ref, &v->arena,
					    &k->diff, &e) :
			err_set(&e, ERR_MISSING, "the kept result has no such output");

		if (rc == 0)
			continue;
		k->output = &k->other.v[i];
		if (rc < 0)
			k->diff = (struct difference){ .file = "", .what = arena_printf(
				&v->arena, "differs, but cannot be compared: %s", e.text) };
		verify_keep(k);
		settle(k, VERDICT_DIFFERS, NULL);
		return;
	}
}

static void end_trial(struct trial *t)
{
	struct verify *v = t->k->v;

	*(t->prev ? &t->prev->next : &v->trials) = t->next;
	if (t->next)
		t->next->prev = t->prev;
	v->n_running--;
	verify_place_free(t);
	free(t);
}

/* What the place is to blame for says nothing of the thunk. */
static bool runs_again(struct check *k, struct place *p, const struct run_report *r)
{
	switch (r->status) {
	case RUN_THROTTLED:
		verify_place_rests(k->v, p);
		break;
	case RUN_NOT_STARTED:
		verify_place_refused(k, p);
		if (!k->may)
			return false;
		break;
	case RUN_CELL_FAILED: case RUN_LOST_WORKER: case RUN_UNREACHABLE: case RUN_OUT_OF_REACH:
		verify_place_rests(k->v, p);
		if (++k->n_tries >= TRIES)
			return false;
		break;
	default:
		return false;
	}
	k->n_begun--;
	return true;
}

static void take_result(struct check *k, const struct place *p, const struct run_report *r)
{
	k->n_results++;
	k->ran_on = p->engine->ops->name;
	if (k->n_results == 1)
		copy_result(k->v, &r->result, &k->first);
	else
		compare(k, &r->result);
	if (k->n_results == k->v->n_wanted)
		settle(k, VERDICT_SAME, NULL);
}

static void done(struct job *j, const struct run_report *r)
{
	struct trial *t = (struct trial *)j;
	struct place *p = t->place;
	struct check *k = t->k;
	struct verify *v = k->v;

	end_trial(t);
	if (r->status == RUN_OK && k->verdict == VERDICT_OPEN)
		take_result(k, p, r);
	else if (r->status != RUN_OK && !v->is_stopping && !runs_again(k, p, r))
		settle(k, VERDICT_FAILED, r->text && *r->text ? r->text : "it failed");
	if (fill(v) == 0 && !v->n_running)
		v->is_idle = true;
}

/* ---- begins */

static void begin(struct check *k, struct place *p)
{
	struct verify *v = k->v;
	const struct engine *en = p->engine;
	struct trial *t = memset(mem_alloc(sizeof *t), 0, sizeof *t);
	struct err e;

	*t = (struct trial){ .k = k, .next = v->trials, .job = {
		.reduced = k->runs, .text = k->text_to_run, .host = k->host,
		.is_watched = k->hints.is_watched, .needs = k->needs,
		.timeout_s = k->hints.time_s, .done = done } };
	if (en->ops->start(en->backend, &t->job, &e) < 0) {
		free(t);
		if (e.code == ERR_RETRY)
			verify_place_rests(v, p);
		else
			verify_place_refused(k, p);
		if (!k->may)
			settle(k, VERDICT_FAILED, e.text);
		return;
	}
	k->n_begun++;
	verify_place_known(k, p);
	if (t->next)
		t->next->prev = t;
	v->trials = t;
	v->n_running++;
	verify_place_used(t, p);
	if (v->d.c->o.verbose)
		fprintf(stderr, "%s\n", k->label);
}

static bool is_all_begun(const struct check *k)
{
	return k->verdict != VERDICT_OPEN || k->n_begun + k->has_kept >= k->v->n_wanted;
}

/* Start what fits; how many of the first ones are left to be started. */
static int fill(struct verify *v)
{
	int n_left = 0;

	for (struct check *k = v->checks; k && !v->is_stopping && n_left < LOOK_AHEAD;
	     k = k->next) {
		struct place *p = NULL;

		while (!is_all_begun(k) && (p = verify_place(k)))
			begin(k, p);
		n_left += !is_all_begun(k);
	}
	verify_tell_demand(v);
	return n_left;
}

static void tick(void *arg)
{
	struct verify *v = arg;
	uint64_t now = loop_now_ms(v->d.c->loop);

	v->timer = loop_after(v->d.c->loop, TICK_MS, tick, v);
	if (v->d.n_interrupts && !v->is_stopping) {
		v->is_stopping = true;
		v->stop_ms = now + GRACE_MS;
	}
	if (v->is_stopping && !v->has_cancelled &&
	    (v->d.n_interrupts > 1 || now >= v->stop_ms)) {
		v->has_cancelled = true;
		for (struct trial *t = v->trials; t; t = t->next)
			t->place->engine->ops->cancel(t->place->engine->backend, &t->job);
	}
	/* Workers may have come. */
	if (fill(v) == 0 && !v->n_running)
		v->is_idle = true;
	verify_draw(v);
}

static void run_all(struct verify *v)
{
	v->timer = loop_after(v->d.c->loop, TICK_MS, tick, v);
	v->is_idle = false;
	if (fill(v) > 0 || v->n_running)
		loop_run(v->d.c->loop, &v->is_idle);
	loop_cancel(v->timer);
	verify_clear(v);
}

/* ---- what is needed, and made first */

static void made(void *arg, const struct err *e)
{
	struct verify *v = arg;

	if (e && e->code != ERR_FAILED && !v->d.n_interrupts)
		note("%s", e->text);
	v->is_idle = --v->n_open == 0;
}

static int want_inputs(struct verify *v, struct err *e)
{
	for (struct check *k = v->checks; k; k = k->next)
		for (size_t i = 0; i < k->thunk.n_in; i++) {
			const struct ref *ref = &k->thunk.in[i].ref;
			struct want w = { .thunk = ref->id, .out = ref->out, .done = made,
					  .arg = v };

			if (ref->kind != REF_THUNK)
				continue;
			if (exec_want(v->d.c->exec, &w, e) < 0)
				return -1;
			v->n_open++;
		}
	v->is_idle = !v->n_open;
	loop_run(v->d.c->loop, &v->is_idle);
	return 0;
}

/* What output out of a thunk came to. */
static int value_of(struct verify *v, struct ref *ref, struct err *e)
{
	while (ref->kind == REF_THUNK) {
		const struct ref *found;
		struct result r;

		if (store_get_result(v->d.c->store, &ref->id, &v->arena, &r, e) < 0)
			return -1;
		found = result_output(&r, ref->out);
		if (!found)
			return err_set(e, ERR_MISSING, "no output %s", ref->out);
		*ref = *found;
	}
	return 0;
}

static int spell(struct check *k, struct id *id, struct bytes *out, struct err *e)
{
	struct buf text = { 0 };
	int rc = thunk_encode(&k->thunk, &text, e);

	if (rc == 0) {
		*out = arena_bytes(&k->v->arena, buf_bytes(&text));
		*id = id_of(*out);
	}
	buf_release(&text);
	return rc;
}

static int reduce(struct check *k, struct err *e)
{
	struct verify *v = k->v;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < k->thunk.n_in; i++)
		if (value_of(v, &k->thunk.in[i].ref, e) < 0)
			rc = err_set(e, ERR_FAILED, "its input %s could not be made",
				     k->thunk.in[i].path);
	if (rc == 0)
		rc = spell(k, &k->reduced, &k->text_to_run, e);
	return rc == 0 ? exec_runtime_host(v->d.c->exec, &k->thunk, &k->host, e) : rc;
}

/* What runs is the command as it was given: options that are no part of its name
 * may be needed all the same. */
static int put_aside(struct check *k, struct err *e)
{
	const struct hints *h = &k->hints;
	struct thunk *t = &k->thunk;
	const char **all = arena_alloc(&k->v->arena, (t->n_args + h->n_aside + 1) * sizeof *all);

	k->runs = k->reduced;
	if (!h->n_aside)
		return 0;
	memcpy(all, t->args, t->n_args * sizeof *all);
	memcpy(all + t->n_args, h->aside, h->n_aside * sizeof *all);
	t->n_args += h->n_aside;
	t->args = all;
	return spell(k, &k->runs, &k->text_to_run, e);
}

static void prepare(struct check *k)
{
	struct store *s = k->v->d.c->store;
	struct result r;
	struct err e;

	if (reduce(k, &e) < 0) {
		settle(k, VERDICT_FAILED, e.text);
		return;
	}
	k->has_kept = store_get_result(s, &k->id, &k->v->arena, &r, &e) == 0 ||
		store_get_result(s, &k->reduced, &k->v->arena, &r, &e) == 0;
	if (k->has_kept) {
		copy_result(k->v, &r, &k->first);
		k->n_results = 1;
	}
	if (hints_get(s, &k->id, &k->v->arena, &k->hints, &e) < 0)
		k->hints = (struct hints){ 0 };
	k->needs = (struct room){ k->hints.cpus > 0 ? k->hints.cpus : 1, k->hints.gpus,
				  k->hints.mem_bytes, k->hints.disk_bytes };
	if (put_aside(k, &e) < 0 || verify_places_of(k, &e) < 0)
		settle(k, VERDICT_FAILED, e.text);
}

/* ---- which thunks */

static int add_thunk(struct verify *v, const struct id *id, struct err *e)
{
	struct check *k;
	struct bytes text;

	if (map_get(&v->by_id, id_key(id)))
		return 0;
	k = arena_alloc(&v->arena, sizeof *k);
	*k = (struct check){ .v = v, .id = *id };
	if (store_get(v->d.c->store, id, &v->arena, &text, e) < 0 ||
	    thunk_decode(text, &v->arena, &k->thunk, e) < 0)
		return err_wrap(e, "thunk %.12s", id_hex(id).s);
	k->label = thunk_label(&k->thunk, &v->arena, 100);
	*map_at(&v->by_id, id_key(&k->id)) = k;
	/* What others need comes before them. */
	for (size_t i = 0; (v->d.c->o.all || v->d.c->o.sample) && i < k->thunk.n_in; i++)
		if (k->thunk.in[i].ref.kind == REF_THUNK &&
		    add_thunk(v, &k->thunk.in[i].ref.id, e) < 0)
			return -1;
	*v->checks_end = k;
	v->checks_end = &k->next;
	v->n_checks++;
	return 0;
}

static int add_ref(void *arg, const char *path, const struct ref_record *r)
{
	struct verify *v = arg;
	struct err e;

	(void)path;
	if (add_thunk(v, &r->thunk, &e) < 0)
		note("%s", e.text);
	return 0;
}

/* *e says why it is nothing else, which is told where it is no folder either. */
static int add_folder(struct verify *v, const char *word, struct err *e)
{
	struct targets in = { 0 };
	struct err own;
	int rc = targets_find(v->d.c, 1, (char *[]){ (char *)word }, &in, &own);

	for (size_t i = 0; rc == 0 && i < in.n; i++)
		rc = add_thunk(v, &in.v[i].ph.thunk, e);
	free(in.v);
	return rc;
}

static int add_word(struct verify *v, const char *word, struct err *e)
{
	struct named n;

	if (name_find(v->d.c, word, &n, e) < 0)
		return e->code == ERR_USAGE ? add_folder(v, word, e) : -1;
	if (!n.is_thunk)
		return err_set(e, ERR_USAGE, "%s is no thunk, nor an output of one", word);
	return add_thunk(v, &n.id, e);
}

/* Any number below n. */
static uint64_t random_below(uint64_t n)
{
	uint64_t r = 0;

	if (getrandom(&r, sizeof r, 0) != sizeof r)
		r = (uint64_t)getpid() * 0x9e3779b97f4a7c15u;
	return n ? r % n : 0;
}

static int add_all(struct verify *v, int argc, char **argv, struct err *e)
{
	if (!argc && !v->d.c->o.all)
		return err_set(e, ERR_USAGE, "gg verify needs PATH or ID, or --all for every "
			       "output that gg knows; see gg verify --help");
	if (v->n_wanted < 2)
		return err_set(e, ERR_USAGE, "--runs: two results at least are needed to "
			       "compare them");
	for (int i = 0; i < argc; i++)
		if (add_word(v, argv[i], e) < 0)
			return -1;
	return argc ? 0 : ref_each(v->d.c->store, add_ref, v, e);
}

/* Keep about share of the thunks, at random: another part each time. */
static int take_sample(struct verify *v, struct err *e)
{
	const char *given = v->d.c->o.sample;
	size_t n_left = v->n_checks, n_wanted;
	struct check **at = &v->checks;
	double share;

	if (!given)
		return 0;
	if (!quantity_number(given, &share) || share <= 0 || share > 1)
		return err_set(e, ERR_USAGE, "--sample %s: say a part of all, as 0.1", given);
	n_wanted = (size_t)ceil(share * (double)v->n_checks);
	while (*at) {
		struct check *k = *at;

		if (random_below(n_left--) < n_wanted) {
			n_wanted--;
			at = &k->next;
		} else {
			*at = k->next;
			v->n_checks--;
		}
	}
	v->checks_end = at;
	return 0;
}

int cmd_verify(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct verify v = { .n_wanted = c->o.runs };
	int rc, code = 0;

	v.checks_end = &v.checks;
	drive_begin(&v.d, c);
	verify_places_open(&v);
	rc = add_all(&v, argc, argv, e);
	if (rc == 0)
		rc = take_sample(&v, e);
	if (rc == 0)
		rc = want_inputs(&v, e);
	for (struct check *k = v.checks; rc == 0 && k && !v.d.n_interrupts; k = k->next)
		prepare(k);
	if (rc == 0 && !v.d.n_interrupts)
		run_all(&v);
	if (rc == 0)
		code = verify_summary(&v);
	if (rc < 0)
		exec_stop(c->exec, 0);
	drive_quit(&v.d);
	map_release(&v.by_id);
	arena_release(&v.arena);
	return rc < 0 ? -1 : code;
}
