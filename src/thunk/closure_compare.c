/* closure_compare.c - what differs between two closures, by package
 *
 * Both trees are walked side by side; equal subtrees are not read.  A path's
 * package is what it was when the closure was made here, else what owns it
 * now.
 */
#include <stdlib.h>
#include <string.h>
#include "closure_private.h"

struct change {
	const char *path;               /* absolute */
	bool was, is;
};

struct comparing {
	struct store *s;
	struct arena a;
	struct change *v;
	size_t n, room;
	unsigned depth;
};

static void add_change(struct comparing *c, const char *path, bool was, bool is)
{
	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 64;
		c->v = mem_grow(c->v, c->room * sizeof(*c->v));
	}
	c->v[c->n++] = (struct change){ path, was, is };
}

enum { DEPTH_MAX = 400 };

static int load(struct comparing *c, const struct entry *v, struct tree *out,
		struct err *e)
{
	struct bytes text;

	*out = (struct tree){ 0 };
	if (!v || v->kind != ENTRY_TREE)
		return 0;
	if (store_get(c->s, &v->id, &c->a, &text, e) < 0)
		return -1;
	return tree_decode(text, &c->a, out, e);
}

static bool is_same(const struct entry *x, const struct entry *y)
{
	if (x->kind != y->kind)
		return false;
	return x->kind == ENTRY_LINK ? strcmp(x->target, y->target) == 0
				     : id_equal(&x->id, &y->id);
}

/* x and y are what stands at path, either may be NULL. */
static int compare_at(struct comparing *c, const char *path, const struct entry *x,
		      const struct entry *y, struct err *e)
{
	struct tree s, t;
	size_t i = 0, k = 0;
	int rc = 0;

	if (x && y && is_same(x, y))
		return 0;
	if ((x && x->kind != ENTRY_TREE) || (y && y->kind != ENTRY_TREE))
		add_change(c, path, x && x->kind != ENTRY_TREE, y && y->kind != ENTRY_TREE);
	if (c->depth >= DEPTH_MAX)
		return err_set(e, ERR_BAD, "%s: folders are nested too deep", path);
	if (load(c, x, &s, e) < 0 || load(c, y, &t, e) < 0)
		return err_wrap(e, "closure, %s", *path ? path : "/");
	c->depth++;
	while (rc == 0 && (i < s.n || k < t.n)) {
		int order = i == s.n ? 1 : k == t.n ? -1 : strcmp(s.v[i].name, t.v[k].name);
		const struct entry *p = order <= 0 ? &s.v[i++] : NULL;
		const struct entry *q = order >= 0 ? &t.v[k++] : NULL;

		rc = compare_at(c, arena_printf(&c->a, "%s/%s", path, (p ? p : q)->name),
				p, q, e);
	}
	c->depth--;
	return rc;
}

/* ---- by package */

struct line {
	const char *package, *was, *is;
	size_t n_files;
};

struct telling {
	struct arena *a;
	struct map lines;               /* package -> struct line */
	struct strs order;
};

static struct line *line_of(struct telling *t, const char *package)
{
	void **slot = map_at(&t->lines, bytes_str(package));
	struct line *l = *slot;

	if (!l) {
		*slot = l = arena_alloc(t->a, sizeof *l);
		l->package = package;
		strs_add(&t->order, package);
	}
	return l;
}

static const char *what_changed(const struct change *c)
{
	if (strcmp(c->path, "/" CLOSURE_NAMES) == 0)
		return "modules have come or gone where programs look for them";
	return !c->was ? "is used now" : !c->is ? "is not there any more" : "has changed";
}

static void tell_lines(struct telling *t, struct buf *out)
{
	strs_sort(&t->order);
	for (size_t i = 0; i < t->order.n; i++) {
		const struct line *l = map_get(&t->lines, bytes_str(t->order.v[i]));

		buf_str(out, l->package);
		if (l->was && *l->was)
			buf_printf(out, " %s", l->was);
		if (l->is && *l->is && (!l->was || strcmp(l->is, l->was) != 0))
			buf_printf(out, "%s %s", l->was && *l->was ? " ->" : ", now", l->is);
		buf_printf(out, " (%zu file%s)\n", l->n_files, l->n_files == 1 ? "" : "s");
	}
}

/* Owners of changed paths that no mark knows. */
static void ask_owners(struct comparing *c, const struct sys *m, struct owner *v)
{
	for (size_t i = 0; i < c->n; i++)
		v[i] = (struct owner){ .path = c->v[i].path };
	packages_own(m, c->s, v, c->n, &c->a);
}

static void tell_all(struct comparing *c, const struct map *was, const struct map *is,
		     struct owner *now, struct buf *out)
{
	struct telling t = { .a = &c->a };

	for (size_t i = 0; i < c->n; i++) {
		struct bytes path = bytes_str(c->v[i].path);
		const struct marked *x = map_get(was, path), *y = map_get(is, path);
		const char *name = y ? y->package : x ? x->package : now[i].package;
		struct line *l;

		/* It says no more than the libraries that it lists. */
		if (strcmp(c->v[i].path, "/" CLOSURE_LOADER) == 0)
			continue;
		if (!name) {
			buf_printf(out, "%s: %s\n", c->v[i].path, what_changed(&c->v[i]));
			continue;
		}
		l = line_of(&t, name);
		l->n_files++;
		if (x)
			l->was = x->version;
		if (y || (!x && now[i].version))
			l->is = y ? y->version : now[i].version;
	}
	tell_lines(&t, out);
	strs_release(&t.order);
	map_release(&t.lines);
}

int closure_compare_at(struct store *s, const struct sys *m, const struct id *was,
		       const struct id *now, struct buf *out, struct err *e)
{
	struct comparing c = { .s = s };
	struct entry x = { .kind = ENTRY_TREE, .id = *was };
	struct entry y = { .kind = ENTRY_TREE, .id = *now };
	struct map owners_was = { 0 }, owners_now = { 0 };
	struct owner *v;
	int rc = compare_at(&c, "", &x, &y, e);

	if (rc == 0 && c.n) {
		v = arena_alloc(&c.a, c.n * sizeof *v);
		mark_owners(s, was, &c.a, &owners_was);
		mark_owners(s, now, &c.a, &owners_now);
		ask_owners(&c, m, v);
		tell_all(&c, &owners_was, &owners_now, v, out);
	}
	map_release(&owners_was);
	map_release(&owners_now);
	free(c.v);
	arena_release(&c.a);
	return rc;
}

int closure_compare(struct store *s, const struct id *was, const struct id *now,
		    struct buf *out, struct err *e)
{
	struct sys m;
	int rc;

	if (sys_open(&m, "/", e) < 0)
		return -1;
	rc = closure_compare_at(s, &m, was, now, out, e);
	sys_close(&m);
	return rc;
}
