/* cmd_learn.c - gg learn: one command for real, and what it was seen to do */
#include <string.h>
#include "gg.h"

extern char **environ;

struct learning {
	struct drive d;
	bool is_told, was_refused;
};

static void studied(void *arg, const struct sighting *what, const char *shape,
		    struct bytes text, const struct err *e)
{
	struct learning *l = arg;

	ui_clear(l->d.ui);
	fflush(stderr);
	learned_print(what, shape, text, e);
	l->is_told = true;
}

static void complain(void *arg, const struct err *e)
{
	struct learning *l = arg;

	ui_clear(l->d.ui);
	l->was_refused = true;
	note("%s", e->text);
}

static const char *why_nothing(struct ctx *c, const char **args, int status)
{
	struct command cmd = { .program = args[0], .args = args, .cwd = c->cwd,
			       .root = c->project.root };
	const char *why = NULL;

	while (args[cmd.n_args])
		cmd.n_args++;
	if (status)
		return "it did not end well";
	return learn_shape(&cmd, &c->arena, &why) ? "it ended in another way than by itself" :
	       why;
}

int cmd_learn(struct ctx *c, int argc, char **argv, struct err *e)
{
	const char **args = (const char **)argv;
	struct learning l = { .is_told = false };
	struct session_counts n = { .status = 0 };
	struct session_opts o = {
		.loop = c->loop, .store = c->store, .project = &c->project,
		.models = c->models, .args = args, .env = (const char **)environ,
		.cwd = c->cwd, .learns = true, .learns_root = true,
		.learns_files = c->o.files, .studied = studied, .complain = complain,
		.arg = &l,
	};
	int rc;

	(void)argc;
	drive_begin(&l.d, c);
	o.exec = c->exec;
	o.memo = memo_new(c->store, &c->project);
	rc = session_start(&o, &l.d.session, e);
	if (rc == 0) {
		session_serve(l.d.session);
		session_counts(l.d.session, &n);
		session_free(l.d.session);
		l.d.session = NULL;
	}
	memo_free(o.memo);
	drive_quit(&l.d);
	if (rc == 0 && !l.is_told)
		note("nothing was learned: %s", why_nothing(c, args, n.status));
	return rc < 0 ? -1 : n.status ? n.status : l.was_refused ? EXIT_THUNK : EXIT_FINE;
}
