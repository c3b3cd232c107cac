/* cmd_run.c - gg infer and gg run: a script under the tracer */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "gg.h"
#include "shown.h"

extern char **environ;

struct run {
	struct drive d;
	struct session *session;        /* its script has ended */
	struct memo *memo;
	struct script_input input;
	const char **args;
	const char *name;               /* of the script, for people */
	bool forces;
	bool was_refused;               /* something the script wanted */
};

static void explain(void *arg, const struct command *c, enum infer_verdict v,
		    const char *why)
{
	struct run *r = arg;
	struct arena a = { 0 };

	ui_clear(r->d.ui);
	fprintf(stderr, "%s", v == INFER_DEFERRED ? "deferred:" :
		v == INFER_FAILED ? "fails:" : "for real:");
	for (size_t i = 0; i < c->n_args; i++)
		fprintf(stderr, " %s", shown(&a, c->args[i]));
	fputc('\n', stderr);
	while (*why) {
		size_t n = strcspn(why, "\n");

		fprintf(stderr, "    %s\n", shown(&a, arena_strn(&a, why, n)));
		why += n + (why[n] == '\n');
	}
	arena_release(&a);
}

static void complain(void *arg, const struct err *e)
{
	struct run *r = arg;

	ui_clear(r->d.ui);
	r->was_refused = true;
	if (e->code != ERR_FAILED)
		note("%s", e->text);
}

static void studied(void *arg, const struct sighting *what, const char *shape,
		    struct bytes text, const struct err *e)
{
	struct run *r = arg;

	(void)text;
	ui_clear(r->d.ui);
	learned_note(what, shape, e);
}

/* Does something stand wherever inferring would have put something? */
static bool all_stand(const struct ctx *c, const struct memo_recall *m)
{
	for (size_t i = 0; i < m->n_wants; i++)
		if (faccessat(c->project.root_fd, m->wants[i].path, F_OK,
			      AT_SYMLINK_NOFOLLOW) < 0)
			return false;
	return true;
}

/* From last time: 1 answered, 0 the script must run. */
static int recall(struct run *r, struct err *e)
{
	struct ctx *c = r->d.c;
	struct memo_recall m = { .reason = "it was asked for" };
	/* Of outputs that are there already memory says nothing. */
	bool is_asked = !c->o.fresh && !c->o.explain && !c->o.locked;
	int rc = is_asked ? memo_recall(c->store, &c->project, &r->input.key, &c->arena,
					&m, e) : 0;
	const char *reason = m.reason;

	if (rc == 0 && is_asked) {
		rc = memo_recall(c->store, &c->project, &r->input.any, &c->arena, &m, e);
		m.reason = reason;
	}
	if (rc < 0)
		return -1;
	if (rc == 1 && !r->forces && !all_stand(c, &m)) {
		m.reason = "an output is gone";
		rc = 0;
	}
	if (rc == 0) {
		if (c->o.verbose)
			note("running %s: %s", r->name, m.reason);
		return 0;
	}
	if (m.n_changed && !c->o.quiet && !c->o.json)
		note("only inputs have changed (%zu): %s not run again (--fresh runs it)",
		     m.n_changed, r->name);
	else if (!c->o.quiet && !c->o.json)
		note("nothing that %s saw has changed: not run again (--fresh runs it)",
		     r->name);
	if (m.n.n_failed && !c->o.quiet && !c->o.json)
		note("%zu step%s that it let fail %s not tried again either", m.n.n_failed,
		     m.n.n_failed == 1 ? "" : "s", m.n.n_failed == 1 ? "is" : "are");
	r->d.n_thunks = m.n.n_thunks;
	r->d.n_answered = m.n.n_failed;
	for (size_t i = 0; i < m.n_wants; i++) {
		*map_at(&r->d.seen, id_key(&m.wants[i].ph.thunk)) = r;
		if (r->forces && drive_want(&r->d, &m.wants[i], e) < 0)
			return -1;
	}
	return 1;
}

static bool mend(void *arg, struct session *s)
{
	struct run *r = arg;

	return r->d.asked && !r->d.n_interrupts && relearn_all(&r->d, s);
}

static const struct step_failure *fails(void *arg, const struct id *thunk)
{
	return fallback_of(&((struct run *)arg)->d, thunk);
}

static void waited(void *arg, const struct id *thunk)
{
	struct run *r = arg;

	drive_saw(&r->d, thunk);
	fallback_heard(&r->d, thunk);
}

static bool asks_more(void *arg, const struct id *thunk)
{
	return relearn_watches(&((struct run *)arg)->d, thunk);
}

static bool has_failed(void *arg, const struct id *thunk)
{
	return fails(arg, thunk) != NULL;
}

/* While the script is busy by itself workers ask for work and say that they live,
 * results are on their way to remotes, and somebody may look at the numbers. */
static bool needs_loop(const struct ctx *c)
{
	bool needs = c->o.metrics != NULL || c->depot != NULL;

	for (size_t i = 0; i < c->n_engines; i++)
		needs |= !c->engines[i].ops->is_here;
	return needs;
}

/* With --json our standard output is events and nothing else. */
static int run_script(struct run *r, struct session_counts *n, struct err *e)
{
	struct ctx *c = r->d.c;
	struct session_opts o = {
		.loop = c->loop, .store = c->store, .project = &c->project,
		.models = c->models, .exec = c->exec, .memo = r->memo,
		.args = r->args, .env = (const char **)environ, .cwd = c->cwd,
		.out_fd = c->o.json ? STDERR_FILENO : 0,
		.stays_on_loop = needs_loop(c),
		.learns = (r->forces || c->o.learn) && !c->o.no_learn,
		.learns_files = c->o.files, .studied = c->o.quiet ? NULL : studied,
		.explain = c->o.explain ? explain : NULL, .complain = complain, .arg = r,
		.mend = mend, .fails = fails, .asks_more = asks_more, .waited = waited,
	};

	if (session_start(&o, &r->d.session, e) < 0)
		return -1;
	session_serve(r->d.session);
	session_counts(r->d.session, n);
	r->session = r->d.session;
	r->d.session = NULL;
	return 0;
}

/* What failed before fails again. */
static bool is_to_force(const struct run *r, const struct memo_want *w)
{
	return !map_get(&r->d.unmade, id_key(&w->ph.thunk));
}

static int want_all(struct run *r, struct err *e)
{
	struct ctx *c = r->d.c;
	struct memo_want *v;
	size_t n;

	memo_wants(r->memo, &c->arena, &v, &n);
	for (size_t i = 0; i < n; i++) {
		drive_saw(&r->d, &v[i].ph.thunk);
		if (r->forces && is_to_force(r, &v[i]) && drive_want(&r->d, &v[i], e) < 0)
			return -1;
	}
	return 0;
}

static void saw(void *arg, const struct memo_want *w)
{
	drive_saw(arg, &w->ph.thunk);
	drive_may_want(arg, w->path, &w->ph);
}

/* Force what the script left to do; what was learned wrongly is learned again
 * on the way, and so often at most. */
static int force_all(struct run *r, struct err *e)
{
	enum { ROUNDS = 8 };

	if (r->d.asked)
		relearn_all(&r->d, r->session);
	for (int i = 0; i < ROUNDS && !r->d.n_interrupts && !fallback_is_due(&r->d); i++) {
		if (want_all(r, e) < 0)
			return -1;
		drive_finish(&r->d);
		if (!r->d.asked || r->d.n_interrupts || !relearn_all(&r->d, r->session))
			break;
	}
	relearn_give_up(&r->d, "it was learned again several times");
	return 0;
}

static void print_counts(const struct session_counts *n)
{
	printf("deferred %zu, run for real %zu", n->n_deferred, n->n_real);
	if (n->n_learned)
		printf(", learned from %zu", n->n_learned);
	putchar('\n');
}

/* Once through the script, and what it left to do. */
static int pass(struct run *r, struct session_counts *n, struct err *e)
{
	int rc;

	memo_free(r->memo);
	r->memo = memo_new(r->d.c->store, &r->d.c->project);
	r->was_refused = false;
	rc = run_script(r, n, e);
	if (rc == 0)
		memo_each(r->memo, saw, &r->d);
	if (rc == 0)
		rc = force_all(r, e);
	session_free(r->session);
	r->session = NULL;
	return rc;
}

/* Until the script has heard of all that failed.  Each time at least one more
 * has; before the first one that was to make what is remembered may have. */
static int passes(struct run *r, struct session_counts *n, struct err *e)
{
	enum { PASSES = 256 };
	int rc = 0;

	for (int i = 0; rc == 0 && (i == 0 || fallback_is_due(&r->d)); i++) {
		if (i == PASSES || (i && !script_input_again(&r->input))) {
			note("%s is not run again, though it has not heard of a step that "
			     "failed: %s", r->name, i == PASSES ? "it was run too often" :
			     "what came on its standard input is gone");
			break;
		}
		if (fallback_is_due(&r->d)) {
			fallback_begin(&r->d, r->name);
			undo_all(r->d.c->project.undo, has_failed, r);
			rc = r->d.c->o.no_learn ? 0 : learned_load(r->d.c, e);
		}
		if (rc == 0)
			rc = pass(r, n, e);
	}
	return rc;
}

/* Steps have failed, and the script, which knows, ended well. */
static void weigh_failures(struct run *r, size_t n_failed)
{
	struct ctx *c = r->d.c;
	bool was_heard = !r->d.n_unheard && !r->d.n_unmade && !r->was_refused;

	if (!n_failed || !was_heard || r->d.n_interrupts)
		return;
	r->d.is_answered = script_answers(r->args, &c->arena);
	if (c->o.quiet || c->o.json)
		return;
	if (r->d.is_answered)
		note("%s ended well all the same: what to do when a step fails is its own",
		     r->name);
	else
		note("%s ended with 0, but does not look at how its steps end (set -e, ||, if): "
		     "gg ends with 1; where a step may fail, `|| true` says so", r->name);
}

static int infer_anew(struct run *r, struct err *e)
{
	struct ctx *c = r->d.c;
	struct session_counts n = { 0 };
	struct memo_counts kept = { 0 };
	struct exec_counts done;
	int rc;

	relearn_from_now(&r->d);
	rc = passes(r, &n, e);
	exec_counts(c->exec, &done);
	done.failed -= r->d.n_failed_gone;
	if (!script_input_is_known(&r->input))
		memo_spoil(r->memo, "what came on its standard input is not known");
	if (rc == 0 && n.status == 0)
		weigh_failures(r, done.failed - r->d.n_heard);
	if (fallback_is_by_signal(&r->d))
		memo_spoil(r->memo, "a step was killed, which may not happen again");
	kept = (struct memo_counts){ r->d.n_thunks, done.failed };
	if (rc == 0 && n.status == 0 && (done.failed == r->d.n_heard || r->d.is_answered) &&
	    !r->d.n_interrupts && !r->was_refused)
		rc = memo_save(r->memo, &r->input.key, &kept, e);
	if (rc == 0 && c->o.verbose && memo_spoilt(r->memo))
		note("%s will run again next time: %s", r->name,
		     memo_spoilt(r->memo));
	memo_free(r->memo);
	if (rc == 0 && !c->o.json && !r->forces)
		print_counts(&n);
	if (rc == 0 && n.status != 0 && !r->d.n_interrupts)
		note("%s ended with exit status %d", r->name, n.status);
	return rc < 0 ? -1 : n.status;
}

/* What was learned may explain more each time; that nothing is to be learned is
 * another matter. */
static struct bytes models_name(struct ctx *c)
{
	if (!c->o.no_learn)
		return c->models_text;
	return bytes_str(arena_printf(&c->arena, "# not learned\n%.*s", (int)c->models_text.n,
				      c->models_text.p ? c->models_text.p : ""));
}

/* "python3 driver.py": the program alone says little if it reads a script. */
static const char *name_of(struct arena *a, char **argv)
{
	const char *name = shown(a, argv[0]);

	if (!argv[1] || access(argv[1], F_OK) < 0)
		return name;
	return arena_printf(a, "%s %s", name, shown(a, argv[1]));
}

static int infer(struct ctx *c, char **argv, bool forces, struct err *e)
{
	struct run r = { .args = (const char **)argv, .forces = forces,
			 .name = name_of(&c->arena, argv) };
	struct id key;
	int rc, status = 0, code;
	bool is_recalled;

	c->o.events = true;
	drive_begin(&r.d, c);
	r.d.relearns = !c->o.no_learn;
	r.d.is_script = true;
	c->project.undo = undo_new(c->store, &c->project);
	key = memo_key(&c->project, r.args, (const char **)environ, c->cwd,
		       models_name(c));
	rc = script_input_look(c->store, &key, &c->arena, &r.input, e);
	if (rc == 0)
		rc = recall(&r, e);
	is_recalled = rc == 1;
	if (is_recalled)
		drive_finish(&r.d);
	r.d.is_answered = is_recalled && !r.d.n_unheard;
	/* What the script said has to be learned again, or it has to hear of a
	 * failure: so it is asked. */
	if (is_recalled && (r.d.asked || fallback_is_due(&r.d)) && !r.d.n_interrupts) {
		is_recalled = false;
		map_release(&r.d.seen);
		r.d.n_thunks = r.d.n_answered = 0;
	}
	if (rc >= 0 && !is_recalled)
		rc = status = infer_anew(&r, e);
	if (rc >= 0 && !is_recalled && runs_add(c, &r.d, e) < 0)
		rc = -1;
	if (rc < 0) {
		exec_stop(c->exec, 0);
		drive_finish(&r.d);
	}
	undo_free(c->project.undo);
	c->project.undo = NULL;
	r.d.script_failed = r.was_refused || status;
	code = drive_end(&r.d);
	return rc < 0 ? -1 : code;
}

int cmd_infer(struct ctx *c, int argc, char **argv, struct err *e)
{
	(void)argc;
	return infer(c, argv, false, e);
}

int cmd_run(struct ctx *c, int argc, char **argv, struct err *e)
{
	(void)argc;
	return infer(c, argv, true, e);
}
