/* items.c - the list of what a thunk is to find in its private folder
 *
 * Trees are spelled out to single files, so that layout.c compares two sorted
 * lists and touches only what differs: a hundred members of an ensemble over
 * one dataset lay that dataset out once a cell.
 */
#include "inside.h"

#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 200 };

static struct item *add(struct layout *l, enum item_kind kind, const char *path)
{
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->v = mem_grow(l->v, l->room * sizeof *l->v);
	}
	l->v[l->n] = (struct item){ .kind = kind, .path = path };
	return &l->v[l->n++];
}

static void add_above(struct layout *l, const char *path)
{
	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/'))
		add(l, ITEM_DIR, arena_strn(&l->arena, path, (size_t)(p - path)));
}

size_t items_find(const struct layout *l, struct bytes path)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (bytes_compare(bytes_str(l->v[mid].path), path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The same tree stood there for the thunk before: its list need not be read
 * again. */
static bool add_known_tree(struct cell *c, const struct item *top)
{
	const struct layout *now = c->now;
	size_t i = items_find(now, bytes_str(top->path)), n = strlen(top->path);
	char *below;

	if (i == now->n || strcmp(now->v[i].path, top->path) != 0 ||
	    !now->v[i].is_tree || !id_equal(&now->v[i].id, &top->id) ||
	    now->v[i].is_writable || top->is_writable)
		return false;
	below = arena_printf(&c->arena, "%s/", top->path);
	for (i = items_find(now, bytes_str(below)); i < now->n; i++) {
		struct item *it;

		if (strncmp(now->v[i].path, below, n + 1) != 0)
			break;
		it = add(c->next, now->v[i].kind, arena_str(&c->next->arena, now->v[i].path));
		it->id = now->v[i].id;
		it->is_exec = now->v[i].is_exec;
		if (now->v[i].target)
			it->target = arena_str(&c->next->arena, now->v[i].target);
	}
	return true;
}

struct climb {
	struct cell *c;
	const char *top;                /* path of the whole tree */
	unsigned depth;
	bool is_writable;
};

static int add_tree(struct climb *at, const char *path, const struct id *id,
		    struct err *e);

static int add_entry(struct climb *at, const char *path, const struct entry *t,
		     struct err *e)
{
	static const enum item_kind kinds[] = {
		[ENTRY_FILE] = ITEM_FILE, [ENTRY_EXEC] = ITEM_FILE,
		[ENTRY_TREE] = ITEM_DIR, [ENTRY_LINK] = ITEM_LINK,
	};
	struct layout *l = at->c->next;
	struct item *it = add(l, kinds[t->kind], path);
	const char *inner = path + strlen(at->top) + 1;

	it->id = t->id;
	it->is_exec = t->kind == ENTRY_EXEC;
	it->is_writable = at->is_writable;
	if (t->kind == ENTRY_TREE)
		return add_tree(at, path, &t->id, e);
	if (t->kind != ENTRY_LINK)
		return 0;
	if (!tree_link_is_inside(inner, t->target))
		return err_set(e, ERR_BAD, "tree at %s: the link %s leaves it (to %s)",
			       at->top, inner, t->target);
	it->target = arena_str(&l->arena, t->target);
	return 0;
}

static int add_tree(struct climb *at, const char *path, const struct id *id,
		    struct err *e)
{
	struct arena *a = &at->c->next->arena;
	struct bytes text;
	struct tree t;

	if (at->depth >= DEEPEST)
		return err_set(e, ERR_BAD, "tree at %s: deeper than %d folders",
			       at->top, DEEPEST);
	if (cell_object(at->c, id, &text, e) < 0 ||
	    tree_decode(text, &at->c->arena, &t, e) < 0)
		return err_wrap(e, "tree at %s", path);
	at->depth++;
	for (size_t i = 0; i < t.n; i++) {
		const char *sub = arena_printf(a, "%s/%s", path, t.v[i].name);

		if (strlen(sub) >= 4096)
			return err_set(e, ERR_BAD, "tree at %s: a path is too long",
				       at->top);
		if (add_entry(at, sub, &t.v[i], e) < 0)
			return -1;
	}
	at->depth--;
	return 0;
}

/* May the program write there?  Where its checkpoint is, too. */
static bool is_output(const struct cell *c, const char *path)
{
	const struct thunk *t = &c->thunk;

	if (c->checkpoint.path && strcmp(c->checkpoint.path, path) == 0)
		return true;
	for (size_t i = 0; i < t->n_out; i++)
		if (strcmp(t->out[i].path, path) == 0)
			return true;
	return false;
}

static int add_input(struct cell *c, const struct input *in, struct err *e)
{
	struct layout *l = c->next;
	const char *path = arena_str(&l->arena, in->path);
	bool is_tree = in->ref.kind == REF_TREE;
	struct item *it, top;
	struct climb at = { .c = c, .top = path };

	add_above(l, path);
	it = add(l, is_tree ? ITEM_DIR : ITEM_FILE, path);
	it->id = in->ref.id;
	it->is_exec = in->ref.kind == REF_EXEC;
	it->is_tree = is_tree;
	it->is_writable = at.is_writable = is_output(c, path);
	top = *it;
	if (!is_tree || add_known_tree(c, &top))
		return 0;
	return add_tree(&at, path, &top.id, e);
}

static int by_path(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	/* Of one folder wanted twice, the top of a tree says more. */
	return order ? order : (int)y->is_tree - (int)x->is_tree;
}

static int sort(struct layout *l, struct err *e)
{
	size_t n = 0;

	if (l->n > 1)
		qsort(l->v, l->n, sizeof *l->v, by_path);
	for (size_t i = 0; i < l->n; i++) {
		struct item *last = n ? &l->v[n - 1] : NULL;

		if (!last || strcmp(last->path, l->v[i].path) != 0) {
			l->v[n++] = l->v[i];
			continue;
		}
		if (last->kind != ITEM_DIR || l->v[i].kind != ITEM_DIR)
			return err_set(e, ERR_BAD, "%s would have to be a file and "
				       "a folder", last->path);
	}
	l->n = n;
	return 0;
}

/* A folder that was learned to be made by the program is not there before: it
 * may look, or insist on making it.  Who writes a model by hand finds it made. */
static void add_place(struct cell *c, const struct output *o)
{
	struct layout *l = c->next;
	const char *path = arena_str(&l->arena, o->path);

	add_above(l, path);
	if (o->is_dir && !c->request->is_watched)
		add(l, ITEM_DIR, path);
}

int items_want(struct cell *c, struct err *e)
{
	const struct thunk *t = &c->thunk;
	struct layout *l = c->next;

	l->n = 0;
	arena_reset(&l->arena);
	for (size_t i = 0; i < t->n_in; i++)
		if (t->in[i].path[0] != '/' && add_input(c, &t->in[i], e) < 0)
			return -1;
	for (size_t i = 0; i < t->n_out; i++)
		add_place(c, &t->out[i]);
	if (c->checkpoint.path)
		add_place(c, &c->checkpoint);
	if (t->cwd && strcmp(t->cwd, ".") != 0) {
		const char *cwd = arena_str(&l->arena, t->cwd);

		add_above(l, cwd);
		add(l, ITEM_DIR, cwd);
	}
	return sort(l, e);
}
