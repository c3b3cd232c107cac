/* infer.c - one command becomes a thunk, or runs for real
 *
 * A thunk that was made (question.c) gets its name here, and its outputs stand
 * as placeholders from then on, or as what is known of them.
 */
#include <stdlib.h>
#include <string.h>
#include "question.h"

int infer_new(const struct infer_opts *o, struct infer **out, struct err *e)
{
	struct infer *in = mem_alloc(sizeof *in);

	(void)e;
	memset(in, 0, sizeof *in);
	in->o = *o;
	*out = in;
	return 0;
}

void infer_free(struct infer *in)
{
	if (!in)
		return;
	machine_release(&in->machine);
	map_release(&in->output_dirs);
	map_release(&in->failed);
	map_release(&in->names);
	map_release(&in->foretold);
	arena_release(&in->arena);
	free(in);
}

/* A tool that updates a file in place (ar, strip) and is run again on what it
 * gave: the thunk that gave it stands for both, so that running a script
 * twice does not make a chain. */
static int settle_in_place(struct question *q, struct id *id, struct err *e)
{
	struct infer *in = q->g.in;
	struct thunk old;
	struct bytes text;
	struct input *at;
	struct ref now;

	if (q->t.n_out != 1 || !(at = (struct input *)
				 gather_find(&q->g, q->out[0].path)) ||
	    at->ref.kind != REF_THUNK)
		return 0;
	now = at->ref;
	if (store_get(in->o.store, &now.id, q->g.a, &text, e) < 0 ||
	    thunk_decode(text, q->g.a, &old, e) < 0)
		return e->code == ERR_MISSING ? 0 : -1;
	if (thunk_input(&old, at->path)) {
		at->ref = thunk_input(&old, at->path)->ref;
		if (question_encode(q, id, e) < 0)
			return -1;
		if (!id_equal(id, &now.id))
			at->ref = now;
	} else {
		size_t i = (size_t)(at - q->g.v);

		memmove(at, at + 1, (q->t.n_in - i - 1) * sizeof *at);
		q->t.n_in--;
		if (question_encode(q, id, e) < 0)
			return -1;
		if (!id_equal(id, &now.id)) {
			memmove(at + 1, at, (q->t.n_in - i) * sizeof *at);
			q->t.n_in++;
			at->ref = now;
		}
	}
	return id_equal(id, &now.id) ? 0 : question_encode(q, id, e);
}

static bool is_in_place(struct infer *in, const char *path,
			const struct placeholder *ph, const struct ref *value)
{
	struct arena a = { 0 };
	struct ref_record r;
	enum place_now now;
	struct err e;
	bool same = ref_get(in->o.store, path, &a, &r, &e) == 0 &&
		    id_equal(&r.thunk, &ph->thunk) && strcmp(r.out, ph->out) == 0 &&
		    r.state == PLACE_REAL && id_equal(&r.value.id, &value->id) &&
		    place_look(in->o.store, in->o.project, path, &r, &now, &e) == 0 &&
		    now == NOW_REAL;

	arena_release(&a);
	return same;
}

/* Put at path what is known of the output: the real file, else a
 * placeholder. */
static int place(struct question *q, const struct output *o, bool is_exec,
		 const struct id *id, const struct result *known, struct err *e)
{
	struct infer *in = q->g.in;
	struct placeholder ph = { .thunk = *id, .out = o->name };
	const struct ref *value = known ? result_output(known, o->name) : NULL;
	struct id missing;

	if (value && value->kind != REF_THUNK && is_in_place(in, o->path, &ph, value))
		return place_touch(in->o.store, in->o.project, o->path, e);
	if (place_placeholder(in->o.store, in->o.project, o->path, &ph, o->is_dir,
			      is_exec, e) < 0)
		return -1;
	/* Only by its record can a directory be told from one of the user's,
	 * which gg would never replace. */
	if (value && value->kind == REF_TREE && store_flush(in->o.store, e) < 0)
		return -1;
	if (value && value->kind != REF_THUNK &&
	    place_real(in->o.store, in->o.project, o->path, &ph, value, &missing,
		       e) < 0 && e->code != ERR_MISSING)
		return -1;
	return 0;
}

/* The rule and the command that it explains, a line each. */
static const char *rule_and_command(const struct question *q, struct arena *a)
{
	const struct command *c = q->g.c;
	struct buf b = { 0 };
	const char *text;

	buf_printf(&b, "%s\n%s", q->b.rule, c->cwd);
	for (size_t i = 0; i < c->n_args; i++)
		buf_printf(&b, "\n%s", c->args[i]);
	text = arena_str(a, b.p);
	buf_release(&b);
	return text;
}

static void note_foretold(struct question *q)
{
	struct infer *in = q->g.in;
	const char *by = rule_and_command(q, &in->arena);

	for (size_t i = 0; i < q->t.n_out; i++)
		if (!output_is_printed(&q->t.out[i]))
			*map_at(&in->foretold,
				bytes_str(arena_str(&in->arena, q->t.out[i].path))) =
				(void *)by;
}

/* Has another command than this been foretold to write path, by the same rule? */
static bool is_foretold(const struct question *q, const char *path)
{
	const char *by = map_get(&q->g.in->foretold, bytes_str(path));
	size_t n = strlen(q->b.rule);

	return by && strncmp(by, q->b.rule, n) == 0 && by[n] == '\n' &&
	       strcmp(by, rule_and_command(q, q->g.a)) != 0;
}

static bool reads_output_of(const struct question *q, const struct id *thunk)
{
	for (size_t i = 0; i < q->t.n_in; i++)
		if (q->t.in[i].ref.kind == REF_THUNK && id_equal(&q->t.in[i].ref.id, thunk))
			return true;
	return false;
}

/* Two commands are foretold to write one path by the same learned model, which may
 * be wrong: of the first, whose output nobody would want any more, that would never
 * show, and what it does write would be missing.  So it is made before. */
static int make_other_first(struct question *q, const struct id *id, struct err *e)
{
	struct infer *in = q->g.in;
	struct placeholder *ph = &q->g.helper->first;

	for (size_t i = 0; q->b.is_learned && i < q->t.n_out; i++) {
		const char *path = q->t.out[i].path;
		int rc = is_foretold(q, path) ?
			 placeholder_at(in->o.project->root_fd, path, q->g.a, ph, e) : 0;

		if (rc < 0)
			return -1;
		if (rc == 0 || id_equal(&ph->thunk, id) || reads_output_of(q, &ph->thunk))
			continue;
		q->g.must_force = true;
		q->g.helper->path = path;
		return err_set(e, ERR_RETRY, "%s is to be made first", path);
	}
	return 0;
}

static int place_all(struct question *q, const struct id *id, struct err *e)
{
	struct infer *in = q->g.in;
	struct result known;
	bool is_known = store_get_result(in->o.store, id, q->g.a, &known, e) == 0;

	if (!is_known && e->code != ERR_MISSING)
		return -1;
	for (size_t i = 0; i < q->t.n_out; i++) {
		const struct output *o = &q->t.out[i];
		struct placeholder ph = { .thunk = *id, .out = o->name };
		bool is_exec = false;

		if (output_is_printed(o))
			continue;
		for (size_t k = 0; k < q->b.n_writes; k++)
			is_exec |= q->b.writes[k].is_exec &&
				   strcmp(q->b.writes[k].name, o->name) == 0;
		if (ref_supersede(in->o.store, o->path, id, e) < 0 ||
		    place(q, o, is_exec, id, is_known ? &known : NULL, e) < 0)
			return -1;
		gather_note_output(in, o->path);
		if (in->o.output)
			in->o.output(in->o.arg, o->path, &ph);
	}
	return 0;
}

static bool prints(const struct thunk *t)
{
	bool is = false;

	for (size_t i = 0; i < t->n_out; i++)
		is |= output_is_printed(&t->out[i]);
	return is;
}

/* Who reads what it prints waits for it: that has to be known.  1 it is, or nobody
 * does; 0 it is to be made first; -1. */
static int settle_printed(struct question *q, const struct id *id, struct err *e)
{
	struct store *store = q->g.in->o.store;
	struct infer_helper *h = q->g.helper;
	struct result known;
	int rc;

	if (!prints(&q->t))
		return 1;
	h->prints = true;
	rc = store_get_result(store, id, q->g.a, &known, e);
	if (rc < 0 && e->code != ERR_MISSING)
		return -1;
	for (size_t i = 0; i < q->t.n_out; i++) {
		const char *name = q->t.out[i].name;
		const struct ref *value = rc < 0 ? NULL : result_output(&known, name);

		if (!output_is_printed(&q->t.out[i]))
			continue;
		h->first = (struct placeholder){ .thunk = *id, .out = name };
		if (!value || value->kind == REF_THUNK || !store_has(store, &value->id))
			return 0;
	}
	return 1;
}

static bool is_hasty(const struct command *c)
{
	return c->std[1].is_hasty || c->std[2].is_hasty;
}

/* Other threads of what started it may stand still with it, which would have
 * started the next. */
static enum infer_verdict let_run(struct question *q)
{
	if (!q->b.is_learned)
		return question_real(q, "what started it reads what it prints, and does not "
					"go on before it runs");
	buf_printf(q->why, "%s: watched while it runs, for what started it does not go on "
		   "before\n", q->b.rule);
	return INFER_UNKNOWN;
}

/* A folder with files of the user's own is never replaced.  Of a pattern that
 * says @out/ he is told so; what was learned, or is updated, runs for real. */
static int in_the_way(struct question *q, const char **reason, struct err *e)
{
	const struct infer_opts *opts = &q->g.in->o;

	for (size_t i = 0; i < q->t.n_out && !*reason; i++) {
		const struct output *o = &q->t.out[i];
		struct ref_record r;
		enum place_now now;
		bool is_ours;

		if (!o->is_dir || !(q->b.is_learned || question_updates(q, o)))
			continue;
		is_ours = ref_get(opts->store, o->path, q->g.a, &r, e) == 0;
		if (!is_ours && e->code != ERR_MISSING)
			return -1;
		if (place_look(opts->store, opts->project, o->path, is_ours ? &r : NULL,
			       &now, e) < 0)
			return -1;
		if (now == NOW_EDITED)
			*reason = arena_printf(q->g.a, "%s has files that gg did not put there",
					       o->path);
	}
	return 0;
}

/* From a binding to a verdict; -1 leaves the reason in *e. */
static int defer(struct question *q, enum infer_verdict *v, struct err *e)
{
	const struct infer *in = q->g.in;
	const char *reason = NULL;
	struct id id;

	if (question_thunk(q, v, e) < 0)
		return -1;
	if (*v != INFER_DEFERRED)
		return 0;
	if (in_the_way(q, &reason, e) < 0)
		return -1;
	if (reason) {
		*v = question_real(q, reason);
		return 0;
	}
	question_tell_updates(q);
	if (question_encode(q, &id, e) < 0)
		return -1;
	if (!q->b.n_updates && settle_in_place(q, &id, e) < 0)
		return -1;
	if (in->o.fails && in->o.fails(in->o.arg, &id)) {
		buf_printf(q->why, "%s: has failed in this run already, as thunk %.12s\n",
			   q->b.rule, id_hex(&id).s);
		*v = INFER_FAILED;
		return 0;
	}
	if (q->b.is_learned && in->o.asks_more && in->o.asks_more(in->o.arg, &id)) {
		buf_printf(q->why, "%s: has asked for more in this run already\n", q->b.rule);
		*v = INFER_UNKNOWN;
		return 0;
	}
	if (make_other_first(q, &id, e) < 0)
		return -1;
	question_hint(q, &id);
	switch (settle_printed(q, &id, e)) {
	case -1:
		return -1;
	case 0:
		*v = is_hasty(q->g.c) ? let_run(q) : INFER_FORCE;
		return 0;
	}
	if (place_all(q, &id, e) < 0)
		return -1;
	if (q->b.is_learned)
		note_foretold(q);
	buf_printf(q->why, "%s: deferred as thunk %.12s, %zu in, %zu out\n",
		   q->b.rule, id_hex(&id).s, q->t.n_in, q->t.n_out);
	return 0;
}

/* What follows when a command that a model explains cannot be deferred.  A
 * missing input or one of an odd kind is the program's own to complain of; a
 * model that nobody wrote stops nothing, nor is it more than a try that build
 * tools make when they read what the command says. */
static enum infer_verdict refuse(struct question *q, const struct err *e)
{
	if (q->g.must_force)
		return INFER_FORCE;
	if (e->code == ERR_MISSING || e->code == ERR_FAILED || e->code == ERR_BAD ||
	    (e->code == ERR_REFUSED && (q->b.is_learned || command_prints_to(q->g.c, STREAM_PIPE))))
		return question_real(q, e->text);
	return INFER_REFUSED;
}

enum infer_verdict infer_command(struct infer *in, const struct command *c,
				 struct arena *a, struct buf *why,
				 struct infer_helper *helper, struct err *e)
{
	struct question q = {
		.g = { .in = in, .c = c, .a = a, .helper = helper },
		.why = why,
	};
	enum infer_verdict v = INFER_REAL;

	switch (question_match(&q)) {
	case MATCH_NONE:
		return INFER_UNKNOWN;
	case MATCH_REAL:
		return INFER_REAL;
	case MATCH_BOUND:
		break;
	}
	if (q.b.is_learned && in->o.doubts && in->o.doubts(in->o.arg, c, &q.b)) {
		buf_printf(why, "%s: what was seen of it does not say enough\n", q.b.rule);
		question_release(&q);
		return INFER_UNKNOWN;
	}
	if (defer(&q, &v, e) < 0) {
		v = refuse(&q, e);
		/* Another Python than the one that it was learned of, say; or it
		 * does not read part-{fold}.csv after all. */
		if (v == INFER_REAL && (q.g.is_of_another || e->code == ERR_MISSING) &&
		    q.b.is_learned && in->o.doubts)
			v = INFER_UNKNOWN;
	}
	if (v == INFER_REAL && q.b.is_learned && q.reason && in->o.real)
		in->o.real(in->o.arg, c, q.b.rule, q.reason);
	question_release(&q);
	return v;
}
