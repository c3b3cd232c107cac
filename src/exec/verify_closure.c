/* verify_closure.c - a closure step's program and PATH
 *
 * No host text says which file to execute: it is the step's first word, looked
 * for as execvp does, but in the closure, so that what this machine has besides
 * changes nothing.  That the machine holds the closure has been checked before,
 * or the closure is the whole root.
 */
#include "inside.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "closure.h"
#include "file.h"

struct known_closure {
	const char *path;               /* folders of STANDARD_PATH it has */
	struct map programs;            /* first word -> absolute path */
};

static bool has(struct cell *c, const char *path, enum entry_kind wanted)
{
	struct entry ent;
	struct err e;

	return closure_find(c->store, &c->thunk.runtime_id, path, &ent, &e) == 0 &&
		ent.kind == wanted;
}

static struct known_closure *learn_closure(struct cell *c, struct err *e)
{
	static const char all[] = STANDARD_PATH;
	struct known_closure *k;
	struct entry root;
	struct buf path = { 0 };

	if (closure_find(c->store, &c->thunk.runtime_id, "/", &root, e) < 0) {
		err_wrap(e, "closure %.12s", id_hex(&c->thunk.runtime_id).s);
		return NULL;
	}
	for (const char *p = all; *p; p += strcspn(p, ":"), p += *p == ':') {
		char *dir = arena_strn(&c->arena, p, strcspn(p, ":"));

		if (has(c, dir, ENTRY_TREE))
			buf_printf(&path, "%s%s", path.n ? ":" : "", dir);
	}
	k = arena_alloc(&c->known, sizeof *k);
	k->path = arena_str(&c->known, path.n ? path.p : "/usr/bin");
	buf_release(&path);
	*map_at(&c->closures, arena_bytes(&c->known, id_key(&c->thunk.runtime_id))) = k;
	return k;
}

static const char *find_program(struct cell *c, struct known_closure *k, const char *name)
{
	const char *found = map_get(&k->programs, bytes_str(name));

	for (const char *p = k->path; *p && !found; p += strcspn(p, ":"), p += *p == ':') {
		const char *at = arena_printf(&c->arena, "%.*s/%s", (int)strcspn(p, ":"), p,
					      name);

		if (!has(c, at, ENTRY_EXEC))
			continue;
		found = arena_str(&c->known, at);
		*map_at(&k->programs, bytes_str(arena_str(&c->known, name))) = (void *)found;
	}
	return found;
}

int verify_closure(struct cell *c, struct err *e)
{
	const struct thunk *t = &c->thunk;
	struct known_closure *k = map_get(&c->closures, id_key(&t->runtime_id));
	const char *cwd = c->box.seen_root;

	if (!k && !(k = learn_closure(c, e)))
		return -1;
	c->search = k->path;
	if (t->cwd)
		cwd = path_clean(&c->arena, cwd, t->cwd);
	c->program = strchr(t->args[0], '/') ? path_clean(&c->arena, cwd, t->args[0]) :
		find_program(c, k, t->args[0]);
	if (c->program)
		return 0;
	return err_set(e, ERR_REFUSED, "the closure has no program %s in %s: add `uses` with "
		       "its package or path to its model, or run gg infer again", t->args[0],
		       k->path);
}

/* ---- inputs outside the project, where the closure is the root */

static bool is_in_closure(struct cell *c, const struct input *in)
{
	struct entry ent;
	struct err e;

	return closure_find(c->store, &c->thunk.runtime_id, in->path, &ent, &e) == 0 &&
		ent.kind != ENTRY_TREE && id_equal(&ent.id, &in->ref.id);
}

static int show_input(struct cell *c, const struct input *in, struct jail_file *f,
		      struct err *e)
{
	const char *name = arena_printf(&c->arena, "over-%zu", c->overs.n);

	strs_add(&c->overs, arena_str(&c->arena, in->path));
	if (verify_write(c, in, c->box.work, name, e) < 0)
		return -1;
	*f = (struct jail_file){ in->path, openat(c->box.seen_work, name,
						  O_PATH | O_CLOEXEC) };
	return f->fd < 0 ? err_sys(e, "input %s", in->path) : 0;
}

int verify_jail(struct cell *c, struct err *e)
{
	const struct thunk *t = &c->thunk;
	struct jail_file *files = arena_alloc(&c->arena, (t->n_in + 1) * sizeof *files);
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < t->n_in; i++) {
		const struct input *in = &t->in[i];

		if (in->path[0] != '/')
			continue;
		rc = verify_private(c, in, e);
		if (rc > 0 || (rc == 0 && is_in_closure(c, in)))
			rc = 0;
		else if (rc == 0 && (rc = show_input(c, in, &files[n], e)) == 0)
			n++;
	}
	if (rc == 0 && (n || c->has_jail_files))
		rc = jail_make(&c->box, files, n, e);
	c->has_jail_files = n > 0;
	for (size_t i = 0; i < n; i++)
		close(files[i].fd);
	return rc;
}

void verify_release(struct cell *c)
{
	struct bytes key;
	size_t pos = 0;
	void *k;

	while (map_each(&c->closures, &pos, &key, &k))
		map_release(&((struct known_closure *)k)->programs);
	map_release(&c->closures);
}
