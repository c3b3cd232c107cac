/* cmd_lock.c - gg lock: write down what each output is, and which thunk makes it */
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "gg.h"
#include "lock.h"
#include "locked.h"

struct locking {
	struct ctx *c;
	struct lock_entry *v;
	size_t n, room;
	const char *below;
	size_t n_below;
	struct err *e;
	int rc;
};

static void add(struct locking *k, const struct lock_entry *x)
{
	if (k->n == k->room) {
		k->room = k->room ? k->room * 2 : 64;
		k->v = mem_grow(k->v, k->room * sizeof *k->v);
	}
	k->v[k->n++] = *x;
}

/* As it was forced; an output that was not cannot be locked, one that is not
 * there any more need not be. */
static int lock_one(struct locking *k, const char *path, const struct ref_record *r,
		    struct err *e)
{
	struct ctx *c = k->c;
	const struct ref *value = NULL;
	const char *command;
	struct result result;
	enum place_now now;

	if (place_look(c->store, &c->project, path, r, &now, e) < 0)
		return -1;
	if (now == NOW_ABSENT)
		return 0;
	if (now == NOW_EDITED)
		return err_set(e, ERR_USAGE, "%s was written by somebody else since gg made it: "
			       "remove it and gg force it, then lock", path);
	if (store_get_result(c->store, &r->thunk, &c->arena, &result, e) == 0)
		value = result_output(&result, r->out);
	else if (e->code != ERR_MISSING)
		return -1;
	if (!value || value->kind == REF_THUNK)
		return err_set(e, ERR_USAGE, "%s is a placeholder still: gg force %s, then lock",
			       path, path);
	if (locked_command(c, &r->thunk, &command, e) < 0)
		return err_wrap(e, "%s", path);
	add(k, &(struct lock_entry){
		.command = command, .path = arena_str(&c->arena, path), .value = *value,
		.ph = { .thunk = r->thunk, .out = arena_str(&c->arena, r->out) },
	});
	return 0;
}

static int lock_below(void *arg, const char *path, const struct ref_record *r)
{
	struct locking *k = arg;

	if (strcmp(k->below, ".") != 0 && strcmp(k->below, path) != 0 &&
	    !path_is_below(k->below, path))
		return 0;
	k->n_below++;
	k->rc = lock_one(k, path, r, k->e);
	return k->rc;
}

static int lock_word(struct locking *k, const char *word, struct err *e)
{
	struct ctx *c = k->c;
	bool inside;
	size_t before = k->n_below;

	k->below = project_path(&c->project, &c->arena, c->cwd, word, &inside);
	k->e = e;
	if (!inside)
		return err_set(e, ERR_USAGE, "%s is outside the project %s", word,
			       c->project.root);
	if (ref_each(c->store, lock_below, k, e) < 0 || k->rc < 0)
		return -1;
	if (k->n_below == before && strcmp(word, ".") != 0)
		return err_set(e, ERR_USAGE, "%s is no output that gg knows; see gg status", word);
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct lock_entry *)a)->path, ((const struct lock_entry *)b)->path);
}

/* With PATHs the others stay as they were. */
static int keep_others(struct locking *k, struct err *e)
{
	struct ctx *c = k->c;
	struct lock old, now = { k->v, k->n };
	size_t n = 0;

	if (lock_read(c, &old, e) < 0)
		return e->code == ERR_MISSING ? 0 : -1;
	qsort(now.v, now.n, sizeof *now.v, by_path);
	for (size_t i = 0; i < old.n; i++)
		if (!lock_find(&now, old.v[i].path))
			old.v[n++] = old.v[i];
	for (size_t i = 0; i < n; i++)
		add(k, &old.v[i]);
	return 0;
}

static int write_lock(struct locking *k, struct err *e)
{
	struct lock l = { .v = k->v };
	struct buf text = { 0 };
	int rc;

	if (k->n)
		qsort(k->v, k->n, sizeof *k->v, by_path);
	for (size_t i = 0; i < k->n; i++)
		if (!l.n || strcmp(l.v[l.n - 1].path, k->v[i].path) != 0)
			l.v[l.n++] = k->v[i];
	lock_encode(&l, &text);
	rc = file_write(k->c->project.root_fd, LOCK_FILE, buf_bytes(&text), 0666,
			FILE_USUAL, e);
	buf_release(&text);
	if (rc == 0 && !k->c->o.quiet)
		printf("%s: %zu output%s\n", LOCK_FILE, l.n, l.n == 1 ? "" : "s");
	return rc;
}

int cmd_lock(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct locking k = { .c = c };
	int rc = argc ? 0 : lock_word(&k, ".", e);

	for (int i = 0; i < argc && rc == 0; i++)
		rc = lock_word(&k, argv[i], e);
	if (rc == 0 && argc)
		rc = keep_others(&k, e);
	if (rc == 0 && !k.n)
		rc = err_set(e, ERR_USAGE, "there is no output to lock: run a script first");
	if (rc == 0)
		rc = write_lock(&k, e);
	free(k.v);
	return rc < 0 ? -1 : EXIT_FINE;
}
