/* tree.c - a directory as text, one line an entry
 *
 * A tree names its own entries only; what lies deeper has a tree of its own.
 * So a link can be judged fully only where its whole path is known.
 */
#include <stdlib.h>
#include <string.h>
#include "text.h"

static const char *const kind_names[] = {
	[ENTRY_FILE] = "file",
	[ENTRY_EXEC] = "exec",
	[ENTRY_TREE] = "tree",
	[ENTRY_LINK] = "link",
};
enum { N_KINDS = sizeof(kind_names) / sizeof(*kind_names) };

static int by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void tree_sort(struct tree *t)
{
	if (t->n > 1)
		qsort(t->v, t->n, sizeof(*t->v), by_name);
}

static bool name_is_good(const char *s)
{
	return text_is_name(s) && !strchr(s, '/') && strcmp(s, ".") != 0 &&
		strcmp(s, "..") != 0;
}

static bool target_is_good(const char *s)
{
	size_t n = strnlen(s, 4096);

	return n >= 1 && n < 4096 && s[0] != '/';
}

static int check_entry(const struct tree *t, size_t i, struct err *e)
{
	const struct entry *v = &t->v[i];
	int order = i ? strcmp(v[-1].name, v->name) : -1;
	const char *what;

	if (!name_is_good(v->name))
		what = "no name of an entry";
	else if (v->kind == ENTRY_LINK && (!v->target || !target_is_good(v->target)))
		what = "the target of a link must be relative and not empty";
	else if (order == 0)
		what = "entry twice";
	else if (order > 0)
		what = "entries not in order of name";
	else
		return 0;
	return err_set(e, ERR_BAD, "line %zu: %s: \"%s\"", i + 2, what,
		       text_show(v->name).s);
}

int tree_encode(const struct tree *t, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < t->n; i++)
		if (check_entry(t, i, e) < 0)
			return -1;
	buf_str(out, "gg-tree 1\n");
	for (size_t i = 0; i < t->n; i++) {
		const struct entry *v = &t->v[i];

		text_put(out, kind_names[v->kind], ' ');
		if (v->kind == ENTRY_LINK)
			text_put(out, v->target, ' ');
		else
			text_put_id(out, &v->id, ' ');
		text_put(out, v->name, '\n');
	}
	return 0;
}

static int read_entry(struct text *t, struct entry *v)
{
	int kind = 0;

	while (kind < N_KINDS && !text_at(t, kind_names[kind]))
		kind++;
	if (text_begin(t, kind < N_KINDS ? kind_names[kind]
					 : "file, exec, tree or link") < 0)
		return -1;
	v->kind = (enum entry_kind)kind;
	if (kind == ENTRY_LINK) {
		v->target = text_field(t);
		if (!v->target)
			return -1;
	} else if (text_id(t, &v->id, ' ') < 0) {
		return -1;
	}
	v->name = text_last(t);
	return v->name ? 0 : -1;
}

int tree_decode(struct bytes text, struct arena *a, struct tree *out,
		struct err *e)
{
	struct text t;
	size_t room;

	*out = (struct tree){ 0 };
	if (text_open(&t, text, "gg-tree", 1, a, e) < 0)
		return -1;
	room = text_count(&t, "");
	out->v = room ? arena_alloc(a, room * sizeof(*out->v)) : NULL;
	for (; t.p < t.end; out->n++)
		if (read_entry(&t, &out->v[out->n]) < 0 ||
		    check_entry(out, out->n, e) < 0)
			return -1;
	return 0;
}

/* ".." is exact only while it climbs from the link's own folder; after a name
 * it would depend on whether that name is a link itself. */
bool tree_link_is_inside(const char *path, const char *target)
{
	size_t depth = 0;
	bool has_name = false;

	if (!target_is_good(target))
		return false;
	for (; *path; path++)
		depth += *path == '/';
	while (*target) {
		size_t n = strcspn(target, "/");

		if (n == 2 && target[0] == '.' && target[1] == '.') {
			if (has_name || depth == 0)
				return false;
			depth--;
		} else if (n && !(n == 1 && target[0] == '.')) {
			has_name = true;
		}
		target += n;
		target += *target == '/';
	}
	return true;
}
