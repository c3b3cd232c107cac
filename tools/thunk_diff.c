/* thunk_diff.c - what differs between two thunks, followed to its source
 *
 * A change further up is followed to the thunk that it came from, and told of
 * once.
 */
#include "thunk_diff.h"

#include <string.h>
#include "closure.h"
#include "exec.h"

enum { LABEL_WIDTH = 60 };

static void tell(struct thunk_diff *d, const char *where, const char *what)
{
	d->n_told++;
	d->tell(d->arg, where, what);
}

static int load(struct thunk_diff *d, const struct id *id, struct thunk *t, struct err *e)
{
	struct bytes text;

	if (store_get(d->store, id, d->arena, &text, e) < 0)
		return -1;
	return thunk_decode(text, d->arena, t, e);
}

static const char *first_output(const struct thunk *t)
{
	return t->n_out ? t->out[0].path : "?";
}

static void compare_words(struct thunk_diff *d, const struct thunk *a, const struct thunk *b,
			  const char *where)
{
	struct arena *m = d->arena;
	size_t i = 0, from_end = 0;
	struct buf old = { 0 }, now = { 0 };

	while (i < a->n_args && i < b->n_args && strcmp(a->args[i], b->args[i]) == 0)
		i++;
	while (from_end < a->n_args - i && from_end < b->n_args - i &&
	       strcmp(a->args[a->n_args - 1 - from_end],
		      b->args[b->n_args - 1 - from_end]) == 0)
		from_end++;
	for (size_t k = i; k + from_end < a->n_args; k++)
		buf_printf(&old, " %s", a->args[k]);
	for (size_t k = i; k + from_end < b->n_args; k++)
		buf_printf(&now, " %s", b->args[k]);
	if (old.n || now.n)
		tell(d, where, arena_printf(m, "arguments%s%s: \"%s\" -> \"%s\"",
					    i ? " after " : "", i ? a->args[i - 1] : "",
					    old.n ? old.p + 1 : "", now.n ? now.p + 1 : ""));
	buf_release(&old);
	buf_release(&now);
	if (strcmp(a->cwd ? a->cwd : ".", b->cwd ? b->cwd : ".") != 0)
		tell(d, where, arena_printf(m, "folder: %s -> %s", a->cwd, b->cwd));
}

static void compare_env(struct thunk_diff *d, const struct thunk *a, const struct thunk *b,
			const char *where)
{
	size_t i = 0, k = 0;

	while (i < a->n_env || k < b->n_env) {
		int order = i == a->n_env ? 1 : k == b->n_env ? -1 :
			    strcmp(a->env[i], b->env[k]);

		if (order == 0) {
			i++;
			k++;
		} else if (order < 0) {
			tell(d, where, arena_printf(d->arena,
						    "environment: no more %s", a->env[i++]));
		} else {
			tell(d, where, arena_printf(d->arena, "environment: now %s",
						    b->env[k++]));
		}
	}
}

static const char *ref_words(struct thunk_diff *d, const struct ref *r)
{
	struct err ignored;
	struct thunk t;

	if (r->kind == REF_THUNK && load(d, &r->id, &t, &ignored) == 0)
		return arena_printf(d->arena, "%.12s, made by \"%s\"", id_hex(&r->id).s,
				    thunk_label(&t, d->arena, LABEL_WIDTH));
	return arena_printf(d->arena, "%.12s", id_hex(&r->id).s);
}

static int compare_input(struct thunk_diff *d, const struct input *a, const struct input *b,
			 const char *where, struct err *e)
{
	if (a->ref.kind == b->ref.kind && id_equal(&a->ref.id, &b->ref.id))
		return 0;
	if (a->ref.kind == REF_THUNK && b->ref.kind == REF_THUNK)
		return thunk_diff(d, &a->ref.id, &b->ref.id, a->path, e);
	tell(d, where, arena_printf(d->arena, "input %s: %s -> %s", a->path,
				    ref_words(d, &a->ref), ref_words(d, &b->ref)));
	return 0;
}

static int compare_inputs(struct thunk_diff *d, const struct thunk *a, const struct thunk *b,
			  const char *where, struct err *e)
{
	size_t i = 0, k = 0;
	int rc = 0;

	while (rc == 0 && (i < a->n_in || k < b->n_in)) {
		int order = i == a->n_in ? 1 : k == b->n_in ? -1 :
			    strcmp(a->in[i].path, b->in[k].path);

		if (order == 0)
			rc = compare_input(d, &a->in[i++], &b->in[k++], where, e);
		else if (order < 0)
			tell(d, where, arena_printf(d->arena, "input %s is not read any more",
						    a->in[i++].path));
		else
			tell(d, where, arena_printf(d->arena, "input %s is new",
						    b->in[k++].path));
	}
	return rc;
}

static int load_host(struct thunk_diff *d, const struct id *id, struct host *h, struct err *e)
{
	struct bytes text;

	if (store_get(d->store, id, d->arena, &text, e) < 0)
		return -1;
	return host_decode(text, d->arena, h, e);
}

static void compare_file(struct thunk_diff *d, const struct host_file *a,
			 const struct host_file *b, const char *where)
{
	if (strcmp(a->path, b->path) != 0)
		tell(d, where, arena_printf(d->arena, "program: %s -> %s", a->path,
					    b->path));
	else if (!id_equal(&a->id, &b->id))
		tell(d, where, arena_printf(d->arena, "system file %s: %.12s -> %.12s",
					    a->path, id_hex(&a->id).s, id_hex(&b->id).s));
}

static int compare_hosts(struct thunk_diff *d, const struct id *old, const struct id *new_id,
			 const char *where, struct err *e)
{
	struct host a, b;
	size_t i = 0, k = 0;

	if (load_host(d, old, &a, e) < 0 || load_host(d, new_id, &b, e) < 0)
		return -1;
	compare_file(d, &a.program, &b.program, where);
	while (i < a.n || k < b.n) {
		int order = i == a.n ? 1 : k == b.n ? -1 :
			    strcmp(a.files[i].path, b.files[k].path);

		if (order == 0)
			compare_file(d, &a.files[i++], &b.files[k++], where);
		else if (order < 0)
			tell(d, where, arena_printf(d->arena, "system file %s is not used "
						    "any more", a.files[i++].path));
		else
			tell(d, where, arena_printf(d->arena, "system file %s is used now",
						    b.files[k++].path));
	}
	return 0;
}

static int compare_closures(struct thunk_diff *d, const struct id *old, const struct id *new_id,
			    const char *where, struct err *e)
{
	struct arena *m = d->arena;
	struct buf out = { 0 };
	char *rest, *line;

	if (closure_compare(d->store, old, new_id, &out, e) < 0) {
		buf_release(&out);
		if (e->code != ERR_MISSING)
			return -1;
		tell(d, where, "its closure, the system files it uses, has changed; which of "
		     "them is not known any more");
		return 0;
	}
	rest = arena_strn(m, out.p ? out.p : "", out.n);
	buf_release(&out);
	while ((line = strsep(&rest, "\n")))
		if (*line)
			tell(d, where, arena_printf(m, "closure: %s", line));
	return 0;
}

static int compare_runtimes(struct thunk_diff *d, const struct thunk *a, const struct thunk *b,
			    const char *where, struct err *e)
{
	static const char *const kinds[] = {
		[RUNTIME_HOST] = "this machine", [RUNTIME_CLOSURE] = "closure",
		[RUNTIME_IMAGE] = "image",
	};

	if (a->runtime == b->runtime && id_equal(&a->runtime_id, &b->runtime_id))
		return 0;
	if (a->runtime == b->runtime && a->runtime == RUNTIME_HOST)
		return compare_hosts(d, &a->runtime_id, &b->runtime_id, where, e);
	if (a->runtime == b->runtime && a->runtime == RUNTIME_CLOSURE)
		return compare_closures(d, &a->runtime_id, &b->runtime_id, where, e);
	tell(d, where, arena_printf(d->arena, "runtime: %s %.12s -> %s %.12s",
				    kinds[a->runtime], id_hex(&a->runtime_id).s,
				    kinds[b->runtime], id_hex(&b->runtime_id).s));
	return 0;
}

static int compare(struct thunk_diff *d, const struct thunk *a, const struct thunk *b,
		   const char *where, struct err *e)
{
	compare_words(d, a, b, where);
	compare_env(d, a, b, where);
	if (compare_runtimes(d, a, b, where, e) < 0)
		return -1;
	if (a->n_out != b->n_out || strcmp(first_output(a), first_output(b)) != 0)
		tell(d, where, "it writes other files");
	return compare_inputs(d, a, b, where, e);
}

int thunk_diff(struct thunk_diff *d, const struct id *old, const struct id *new_id,
	       const char *where, struct err *e)
{
	const char *label = d->label;
	struct thunk a, b;
	struct id *key;
	int rc;

	if (id_equal(old, new_id) || map_get(&d->told, id_key(new_id)))
		return 0;
	key = arena_alloc(d->arena, sizeof *key);
	*key = *new_id;
	*map_at(&d->told, id_key(key)) = key;
	if (load(d, old, &a, e) < 0 || load(d, new_id, &b, e) < 0)
		return err_wrap(e, "%s", where);
	d->label = thunk_label(&b, d->arena, LABEL_WIDTH);
	d->depth++;
	rc = compare(d, &a, &b, where, e);
	d->depth--;
	d->label = label;
	return rc;
}
