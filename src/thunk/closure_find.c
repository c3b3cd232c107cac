/* closure_find.c - what a closure has at a path, links followed */
#include <string.h>
#include "closure.h"
#include "file.h"

enum { LINKS_MAX = 40 };

/* The entry called name in the tree's text. */
static int entry_of(struct store *s, const struct id *tree, const char *name,
		    struct arena *a, struct entry *out, struct err *e)
{
	struct bytes text;
	struct tree t;

	if (store_get(s, tree, a, &text, e) < 0 || tree_decode(text, a, &t, e) < 0)
		return err_wrap(e, "closure");
	for (size_t i = 0; i < t.n; i++)
		if (strcmp(t.v[i].name, name) == 0) {
			*out = t.v[i];
			return 0;
		}
	return err_set(e, ERR_MISSING, "%s is not in the closure", name);
}

/* Go down path from the root.  1: path led over a link, and *next is where it
 * leads to. */
static int descend(struct store *s, const struct id *tree, const char *path,
		   struct arena *a, struct entry *out, const char **next, struct err *e)
{
	char *copy = arena_str(a, path), *save = NULL;

	*out = (struct entry){ .name = "", .kind = ENTRY_TREE, .id = *tree };
	for (char *name = strtok_r(copy, "/", &save); name;
	     name = strtok_r(NULL, "/", &save)) {
		size_t above = (size_t)(name - copy);

		if (out->kind != ENTRY_TREE)
			return err_set(e, ERR_MISSING, "%s is not in the closure", path);
		if (entry_of(s, &out->id, name, a, out, e) < 0)
			return -1;
		if (out->kind != ENTRY_LINK)
			continue;
		*next = path_clean(a, "/", arena_printf(a, "%.*s/%s/%s", (int)above, path,
							out->target, save ? save : ""));
		return 1;
	}
	return 0;
}

int closure_find(struct store *s, const struct id *tree, const char *path,
		 struct entry *out, struct err *e)
{
	struct arena a = { 0 };
	struct entry ent = { .kind = ENTRY_TREE };
	int rc = 1;

	for (int i = 0; rc == 1 && i < LINKS_MAX; i++)
		rc = descend(s, tree, path, &a, &ent, &path, e);
	if (rc == 1)
		rc = err_set(e, ERR_MISSING, "%s: too many links", path);
	*out = (struct entry){ .kind = ent.kind, .id = ent.id };
	arena_release(&a);
	return rc;
}
