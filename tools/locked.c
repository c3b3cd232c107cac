/* locked.c - holding a run against gg.lock
 *
 * Thunks are compared before anything of them runs, values after.
 */
#include "locked.h"

#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "lock.h"
#include "thunk_diff.h"

enum { LOCK_MAX = 256 << 20, TOLD_MAX = 20 };

struct locked {
	struct ctx *c;
	struct lock lock;
	bool *was_wanted;               /* beside lock.v */
	struct thunk_diff diff;
	struct map told;                /* paths that may not be wanted */
	size_t n_differ;
};

static void tell_change(void *arg, const char *where, const char *what)
{
	(void)arg;
	note("%s: %s", where, what);
}

int lock_read(struct ctx *c, struct lock *out, struct err *e)
{
	struct bytes text;

	if (file_read(c->project.root_fd, LOCK_FILE, LOCK_MAX, &c->arena, &text, e) < 0)
		return -1;
	return lock_decode(text, &c->arena, out, e) < 0 ? err_wrap(e, LOCK_FILE) : 0;
}

int locked_open(struct ctx *c, struct locked **out, struct err *e)
{
	struct locked *k;
	struct lock lock;

	if (lock_read(c, &lock, e) < 0)
		return e->code != ERR_MISSING ? -1 :
			err_set(e, ERR_USAGE, "--locked: there is no " LOCK_FILE " in %s; "
				"gg lock writes it", c->project.root);
	k = mem_alloc(sizeof *k);
	*k = (struct locked){ .c = c, .lock = lock };
	k->was_wanted = memset(arena_alloc(&c->arena, lock.n + 1), 0, lock.n + 1);
	k->diff = (struct thunk_diff){ .store = c->store, .arena = &c->arena,
				       .tell = tell_change };
	*out = k;
	return 0;
}

void locked_free(struct locked *k)
{
	if (!k)
		return;
	map_release(&k->diff.told);
	map_release(&k->told);
	free(k);
}

int locked_command(struct ctx *c, const struct id *thunk, const char **out, struct err *e)
{
	struct bytes text;
	struct thunk t;

	if (store_get(c->store, thunk, &c->arena, &text, e) < 0 ||
	    thunk_decode(text, &c->arena, &t, e) < 0)
		return -1;
	*out = thunk_label(&t, &c->arena, LOCK_COMMAND_WIDTH);
	return 0;
}

/* The locked thunk is not known here: its command line is. */
static void tell_command(const struct locked *k, const struct lock_entry *x,
			 const struct placeholder *ph)
{
	struct err ignored;
	const char *now;

	if (locked_command(k->c, &ph->thunk, &now, &ignored) < 0)
		return;
	if (strcmp(now, x->command) != 0)
		note("%s: \"%s\" -> \"%s\"", x->path, x->command, now);
	else
		note("%s: the command is the same: an input, its environment or its programs "
		     "are others", x->path);
}

/* Another thunk than the locked one: in which way. */
static void tell_thunk(struct locked *k, const struct lock_entry *x,
		       const struct placeholder *ph)
{
	struct err e;

	note("%s: locked to thunk %.12s, but the script makes it by %.12s now", x->path,
	     id_hex(&x->ph.thunk).s, id_hex(&ph->thunk).s);
	if (thunk_diff(&k->diff, &x->ph.thunk, &ph->thunk, x->path, &e) < 0)
		tell_command(k, x, ph);
}

bool locked_allows(struct locked *k, const char *path, const struct placeholder *ph)
{
	const struct lock_entry *x = lock_find(&k->lock, path);

	if (x && id_equal(&x->ph.thunk, &ph->thunk) && strcmp(x->ph.out, ph->out) == 0) {
		k->was_wanted[x - k->lock.v] = true;
		return true;
	}
	if (map_get(&k->told, bytes_str(path)))
		return false;
	*map_at(&k->told, bytes_str(arena_str(&k->c->arena, path))) = k;
	if (x)
		k->was_wanted[x - k->lock.v] = true;
	if (k->n_differ++ >= TOLD_MAX)
		return false;
	if (!x)
		note("%s: it is not in " LOCK_FILE "; gg lock puts it there", path);
	else
		tell_thunk(k, x, ph);
	return false;
}

/* What x came to in this run: 1 and *out, 0 when that has been told of. */
static int value_of(struct locked *k, const struct lock_entry *x, struct ref *out)
{
	struct ctx *c = k->c;
	const struct ref *ref;
	struct result r;
	struct err e;

	if (store_get_result(c->store, &x->ph.thunk, &c->arena, &r, &e) < 0)
		return 0;
	ref = result_output(&r, x->ph.out);
	if (!ref || ref->kind == REF_THUNK)
		return 0;
	*out = *ref;
	return 1;
}

static void check_value(struct locked *k, const struct lock_entry *x)
{
	struct ref now;

	if (!value_of(k, x, &now) ||
	    (now.kind == x->value.kind && id_equal(&now.id, &x->value.id)))
		return;
	if (k->n_differ++ < TOLD_MAX)
		note("%s: locked to the bytes %.12s, but thunk %.12s gave %.12s here: it is "
		     "not reproducible (gg verify %s says where they differ)", x->path,
		     id_hex(&x->value.id).s, id_hex(&x->ph.thunk).s, id_hex(&now.id).s, x->path);
}

size_t locked_end(struct locked *k, bool is_all)
{
	for (size_t i = 0; i < k->lock.n; i++) {
		const struct lock_entry *x = &k->lock.v[i];

		if (k->was_wanted[i])
			check_value(k, x);
		else if (is_all && k->n_differ++ < TOLD_MAX)
			note("%s: it is in " LOCK_FILE ", but the script does not make it any "
			     "more", x->path);
	}
	if (k->n_differ > TOLD_MAX)
		note("and %zu more that differ from " LOCK_FILE, k->n_differ - TOLD_MAX);
	return k->n_differ;
}
