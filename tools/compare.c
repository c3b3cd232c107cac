/* compare.c - where two values differ, and copies of both to look at */
#include "compare.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "file.h"

struct comparing {
	struct store *s;
	struct arena *a;
	struct difference *out;
};

static int differs(struct comparing *c, const char *file, const char *what)
{
	*c->out = (struct difference){ .file = file, .what = what };
	return 1;
}

static int compare_bytes(struct comparing *c, const char *file, const struct id *x,
			 const struct id *y, struct err *e)
{
	struct bytes b[2];
	uint64_t at = 0;

	if (id_equal(x, y))
		return 0;
	if (store_get(c->s, x, c->a, &b[0], e) < 0 || store_get(c->s, y, c->a, &b[1], e) < 0)
		return -1;
	while (at < b[0].n && at < b[1].n && b[0].p[at] == b[1].p[at])
		at++;
	*c->out = (struct difference){ .file = file, .offset = at,
				       .sizes = { b[0].n, b[1].n }, .bytes = { b[0], b[1] } };
	return 1;
}

static int read_tree(struct comparing *c, const struct id *id, struct tree *t, struct err *e)
{
	struct bytes text;

	if (store_get(c->s, id, c->a, &text, e) < 0)
		return -1;
	return tree_decode(text, c->a, t, e);
}

static int compare_trees(struct comparing *c, const char *dir, const struct id *x,
			 const struct id *y, struct err *e);

static int compare_entries(struct comparing *c, const char *dir, const struct entry *x,
			   const struct entry *y, struct err *e)
{
	int order = !x ? 1 : !y ? -1 : strcmp(x->name, y->name);
	const char *path = arena_printf(c->a, "%s%s", dir, order > 0 ? y->name : x->name);

	if (order)
		return differs(c, path, order > 0 ? "is only in the second" :
			       "is only in the first");
	if (x->kind == ENTRY_TREE && y->kind == ENTRY_TREE)
		return compare_trees(c, arena_printf(c->a, "%s/", path), &x->id, &y->id, e);
	if (x->kind == ENTRY_LINK && y->kind == ENTRY_LINK)
		return strcmp(x->target, y->target) == 0 ? 0 :
			differs(c, path, "is a link to another path");
	if (x->kind == ENTRY_TREE || x->kind == ENTRY_LINK || y->kind == ENTRY_TREE ||
	    y->kind == ENTRY_LINK)
		return differs(c, path, "is a file, folder or link in one only");
	if (x->kind != y->kind)
		return differs(c, path, "is executable in one only");
	return compare_bytes(c, path, &x->id, &y->id, e);
}

static int compare_trees(struct comparing *c, const char *dir, const struct id *x,
			 const struct id *y, struct err *e)
{
	size_t i = 0, k = 0;
	struct tree t, u;
	int rc = 0;

	if (id_equal(x, y))
		return 0;
	if (read_tree(c, x, &t, e) < 0 || read_tree(c, y, &u, e) < 0)
		return -1;
	/* The first difference ends it, so that both go on together. */
	while (rc == 0 && (i < t.n || k < u.n))
		rc = compare_entries(c, dir, i < t.n ? &t.v[i++] : NULL,
				     k < u.n ? &u.v[k++] : NULL, e);
	return rc;
}

int compare_values(struct store *s, const struct ref *x, const struct ref *y,
		   struct arena *a, struct difference *out, struct err *e)
{
	struct comparing c = { s, a, out };

	if (x->kind == REF_TREE && y->kind == REF_TREE)
		return compare_trees(&c, "", &x->id, &y->id, e);
	if (x->kind == REF_THUNK && y->kind == REF_THUNK)
		return id_equal(&x->id, &y->id) && strcmp(x->out, y->out) == 0 ? 0 :
			differs(&c, "", "is what another thunk gives");
	if (x->kind == REF_TREE || y->kind == REF_TREE || x->kind == REF_THUNK ||
	    y->kind == REF_THUNK)
		return differs(&c, "", "is of another kind");
	if (x->kind != y->kind)
		return differs(&c, "", "is executable in one only");
	return compare_bytes(&c, "", &x->id, &y->id, e);
}

/* ---- copies */

static int keep_file(struct store *s, const struct id *id, mode_t mode, const char *path,
		     struct err *e)
{
	struct arena a = { 0 };
	struct bytes b;
	int rc = store_get(s, id, &a, &b, e);

	if (rc == 0)
		rc = file_write(AT_FDCWD, path, b, mode, 0, e);
	arena_release(&a);
	return rc;
}

static int keep_tree(struct store *s, const struct id *id, const char *path, struct err *e)
{
	static const enum ref_kind kinds[] = {
		[ENTRY_FILE] = REF_VALUE, [ENTRY_EXEC] = REF_EXEC, [ENTRY_TREE] = REF_TREE,
	};
	struct arena a = { 0 };
	struct bytes text;
	struct tree t = { .n = 0 };
	int rc = dir_make(AT_FDCWD, path, e);

	if (rc == 0 && (rc = store_get(s, id, &a, &text, e)) == 0)
		rc = tree_decode(text, &a, &t, e);
	for (size_t i = 0; rc == 0 && i < t.n; i++) {
		const struct entry *v = &t.v[i];
		const char *at = arena_printf(&a, "%s/%s", path, v->name);

		if (v->kind != ENTRY_LINK)
			rc = compare_keep(s, &(struct ref){ kinds[v->kind], v->id, NULL }, at, e);
		else if (symlink(v->target, at) < 0)
			rc = err_sys(e, "%s", at);
	}
	arena_release(&a);
	return rc;
}

int compare_keep(struct store *s, const struct ref *v, const char *path, struct err *e)
{
	if (v->kind == REF_TREE)
		return keep_tree(s, &v->id, path, e);
	if (v->kind == REF_THUNK)
		return err_set(e, ERR_BAD, "%s: a thunk's output has no bytes", path);
	return keep_file(s, &v->id, v->kind == REF_EXEC ? 0755 : 0644, path, e);
}
