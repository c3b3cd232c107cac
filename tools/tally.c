/* tally.c - how often learned models held, by what became of their steps */
#include <string.h>
#include "file.h"
#include "gg.h"

struct tally {
	size_t n_held, n_failed;
};

/* A script that is executed itself is known by its interpreter's words. */
static void see_through(struct command *cmd, struct arena *a)
{
	char line[256], *save = NULL, *word;
	const char **args;

	if (!file_shebang(cmd->program, line, sizeof line))
		return;
	word = strtok_r(line, " \t", &save);
	if (word && strcmp(path_base(word), "env") == 0)
		word = strtok_r(NULL, " \t", &save);
	if (!word)
		return;
	args = arena_alloc(a, (cmd->n_args + 1) * sizeof *args);
	memcpy(args + 1, cmd->args, cmd->n_args * sizeof *args);
	args[0] = arena_str(a, word);
	cmd->program = args[0];
	cmd->args = args;
	cmd->n_args++;
}

/* The shape of the command that a thunk is; NULL if it has none. */
static const char *shape_of(struct drive *d, const struct id *thunk, struct arena *a)
{
	struct ctx *c = d->c;
	struct command cmd = { .root = c->project.root };
	struct bytes text;
	struct thunk t;
	const char *why;
	struct err e;

	if (store_get(c->store, thunk, a, &text, &e) < 0 ||
	    thunk_decode(text, a, &t, &e) < 0)
		return NULL;
	cmd.cwd = path_clean(a, c->project.root, t.cwd);
	cmd.args = t.args;
	cmd.n_args = t.n_args;
	/* A name without a slash is found outside of the project. */
	cmd.program = path_clean(a, strchr(t.args[0], '/') ? cmd.cwd : "/usr/bin", t.args[0]);
	see_through(&cmd, a);
	return learn_shape(&cmd, a, &why);
}

void tally_note(struct drive *d, const struct exec_event *ev)
{
	bool is_held = ev->kind == EXEC_DONE;
	struct arena a = { 0 };
	struct tally *n;
	const char *shape;

	if (!ev->is_watched || (!is_held && !ev->asks_more))
		return;
	shape = shape_of(d, ev->thunk, &a);
	if (shape) {
		n = map_get(&d->held, bytes_str(shape));
		if (!n) {
			n = arena_alloc(&d->arena, sizeof *n);
			*map_at(&d->held, bytes_str(arena_str(&d->arena, shape))) = n;
		}
		n->n_held += is_held;
		n->n_failed += !is_held;
	}
	arena_release(&a);
}

/* That they cannot be kept is no reason to fail: they are for people. */
void tally_keep(struct drive *d)
{
	struct bytes key;
	struct err e;
	size_t pos = 0;
	void *value;

	while (map_each(&d->held, &pos, &key, &value)) {
		const struct tally *n = value;

		for (size_t i = 0; i < n->n_held + n->n_failed; i++)
			if (learned_count(d->c->store, key.p, i < n->n_held, &e) < 0)
				break;
	}
	map_release(&d->held);
}
