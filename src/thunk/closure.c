/* closure.c - from what a step uses of the system to a tree of these files
 *
 * Walk what the uses name, give each file its name (by the stat cache, else by
 * reading, on all cores), and write one text for each folder.  All that was
 * looked at is remembered by its stamps, so that the next time costs one lstat
 * for each.
 *
 * A folder that programs search for modules and that no package owns (where
 * pip installs) counts by its names: a module that appears there changes the
 * closure, for it may stand before one that was used, or be one that was tried
 * in vain.  Versions (NAME-1.2.dist-info) are no names in this sense.  Folders
 * of Debian's do not count so: what appears there comes with a package that was
 * not used.
 */
#include <stdlib.h>
#include <string.h>
#include "closure_private.h"

/* ---- trees */

enum { MADE_NAMES, MADE_LOADER, N_MADE };

struct build {
	struct store *s;
	const struct leaf **v;
	struct arena *a;
};

/* A slash comes before all other bytes, so that what is in a folder stands
 * together. */
static int rank(unsigned char c)
{
	return c == '/' ? 1 : c ? c + 1 : 0;
}

static int by_path(const void *a, const void *b)
{
	const unsigned char *x, *y;

	x = (const unsigned char *)(*(const struct leaf *const *)a)->path;
	y = (const unsigned char *)(*(const struct leaf *const *)b)->path;
	while (*x && *x == *y)
		x++, y++;
	return rank(*x) - rank(*y);
}

static void set_entry(struct entry *out, const struct leaf *l)
{
	static const enum entry_kind kinds[] = {
		[LEAF_FILE] = ENTRY_FILE, [LEAF_EXEC] = ENTRY_EXEC,
		[LEAF_LINK] = ENTRY_LINK, [LEAF_FOLDER] = ENTRY_TREE,
	};

	out->kind = kinds[l->kind];
	out->id = l->id;
	out->target = l->target;
}

/* The tree of v[from..to), whose paths are alike up to `stem` bytes. */
static int build(struct build *b, size_t from, size_t to, size_t stem, struct id *out,
		 struct err *e)
{
	struct tree t = { .v = mem_alloc((to - from + 1) * sizeof(*t.v)) };
	struct buf text = { 0 };
	int rc = 0;

	while (from < to && rc == 0) {
		const char *name = b->v[from]->path + stem;
		size_t n = strcspn(name, "/"), end = from + 1;
		struct entry *v = &t.v[t.n];

		/* An empty folder is a leaf that ends here. */
		if (!n) {
			from++;
			continue;
		}
		t.n++;
		*v = (struct entry){ .name = arena_strn(b->a, name, n) };
		while (end < to && strncmp(b->v[end]->path + stem, name, n) == 0 &&
		       (b->v[end]->path[stem + n] == '/' || !b->v[end]->path[stem + n]))
			end++;
		if (b->v[from]->kind == LEAF_FOLDER || name[n] == '/') {
			v->kind = ENTRY_TREE;
			rc = build(b, name[n] ? from : from + 1, end, stem + n + 1,
				   &v->id, e);
		} else {
			set_entry(v, b->v[from]);
		}
		from = end;
	}
	tree_sort(&t);
	if (rc == 0)
		rc = tree_encode(&t, &text, e);
	if (rc == 0)
		rc = store_put(b->s, buf_bytes(&text), out, e);
	buf_release(&text);
	free(t.v);
	return rc;
}

static bool is_in_tree(const struct leaf *l)
{
	return l->kind == LEAF_FILE || l->kind == LEAF_EXEC ||
	       (l->kind == LEAF_LINK && l->target) ||
	       (l->kind == LEAF_FOLDER && l->is_whole);
}

/* made: files that are no machine's, two at most; those with an id count. */
static int build_all(struct store *s, const struct walk_state *w,
		     const struct leaf *made, struct id *tree, struct err *e)
{
	struct build b = { .s = s, .a = w->a };
	size_t n = 0;
	int rc;

	b.v = mem_alloc((w->n + N_MADE) * sizeof(*b.v));
	for (size_t i = 0; i < w->n; i++)
		if (is_in_tree(&w->v[i]))
			b.v[n++] = &w->v[i];
	for (size_t i = 0; i < N_MADE; i++)
		if (!id_is_zero(&made[i].id))
			b.v[n++] = &made[i];
	qsort(b.v, n, sizeof(*b.v), by_path);
	rc = build(&b, 0, n, 1, tree, e);
	free(b.v);
	return rc;
}

/* ---- names of folders */

static void names_write(const struct sys *m, const char *folder, struct buf *out)
{
	struct arena a = { 0 };
	struct strs names = { 0 };
	size_t n = 0;

	sys_names(m, folder, &a, &names);
	for (size_t i = 0; i < names.n; i++)
		if (treatment_of(arena_printf(&a, "%s/%s", folder, names.v[i])) == TREAT_KEEP &&
		    treatment_of(arena_printf(&a, "%s/%s/x", folder, names.v[i])) == TREAT_KEEP &&
		    !strchr(names.v[i], '\n')) {
			if (n++ == 0)
				buf_printf(out, "%s\n", folder);
			buf_printf(out, "\t%s\n", names.v[i]);
		}
	strs_release(&names);
	arena_release(&a);
}

void names_write_again(const struct sys *m, struct bytes text, struct buf *out)
{
	struct arena a = { 0 };
	char *rest = arena_strn(&a, text.p, text.n), *line;

	while ((line = strsep(&rest, "\n")))
		if (*line == '/')
			names_write(m, line, out);
	arena_release(&a);
}

static int by_leaf_path(const void *a, const void *b)
{
	return strcmp((*(const struct leaf *const *)a)->path,
		      (*(const struct leaf *const *)b)->path);
}

/* A leaf for what the listed folders hold; its id stays unset if that is
 * nothing. */
static int names_leaf(struct store *s, const struct walk_state *w, struct leaf *out,
		      struct err *e)
{
	const struct leaf **v = mem_alloc((w->n + 1) * sizeof(*v));
	struct buf text = { 0 };
	size_t n = 0;
	int rc = 0;

	*out = (struct leaf){ .path = "/" CLOSURE_NAMES, .kind = LEAF_FILE };
	for (size_t i = 0; i < w->n; i++)
		if (w->v[i].kind == LEAF_FOLDER && w->v[i].is_list)
			v[n++] = &w->v[i];
	qsort(v, n, sizeof(*v), by_leaf_path);
	for (size_t i = 0; i < n; i++)
		names_write(w->m, v[i]->path, &text);
	if (text.n)
		rc = store_put(s, buf_bytes(&text), &out->id, e);
	buf_release(&text);
	free(v);
	return rc;
}

static int loader_leaf(struct store *s, struct walk_state *w, struct leaf *out,
		       struct err *e)
{
	struct buf text = { 0 };
	int rc = 0;

	*out = (struct leaf){ .path = "/" CLOSURE_LOADER, .kind = LEAF_FILE };
	loader_cache(w, &text);
	if (text.n)
		rc = store_put(s, buf_bytes(&text), &out->id, e);
	buf_release(&text);
	return rc;
}

/* ---- uses */

static void walk_package(struct walk_state *w, const struct package *p)
{
	for (size_t i = 0; i < p->n; i++) {
		enum treat treat = treatment_of(p->files[i]);

		if (treat == TREAT_KEEP || treat == TREAT_ABOUT)
			walk_path(w, p->files[i], false);
	}
	for (size_t i = 0; i < p->n_places; i++)
		walk_watch(w, p->places[i]);
}

static void walk_use(struct walk_state *w, const char *use)
{
	size_t n = strlen(use), i;

	if (n > 1 && use[n - 1] == '/') {
		walk_folder(w, arena_strn(w->a, use, n - 1));
		return;
	}
	i = walk_path(w, use, true);
	if (w->v[i].kind == LEAF_FOLDER)
		w->v[i].is_list = true;
}

/* The links that make a root with /usr merged into it: programs and scripts
 * name /bin/sh and /lib64/ld-linux whatever their packages list. */
static void walk_root(struct walk_state *w)
{
	static const char *const links[] = { "/bin", "/sbin", "/lib", "/lib64" };

	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		struct stat st;

		if (sys_lstat(w->m, links[i], &st) && S_ISLNK(st.st_mode))
			walk_path(w, links[i], false);
	}
}

static void walk_uses(struct walk_state *w, const struct strs *uses,
		      struct package *packages, size_t *n_packages)
{
	struct bytes status = { 0 };

	sys_read(w->m, "/var/lib/dpkg/status", w->a, &status);
	walk_root(w);
	for (size_t i = 0; i < uses->n; i++) {
		struct package *p = &packages[*n_packages];

		w->package = 0;
		if (!package_is_name(uses->v[i])) {
			walk_use(w, uses->v[i]);
			continue;
		}
		package_files(w->m, status, uses->v[i], w->a, p);
		w->package = (unsigned)++*n_packages;
		walk_package(w, p);
	}
	for (size_t i = 0; i < w->n; i++) {
		struct leaf *l = &w->v[i];

		if (l->kind != LEAF_WATCHED && treatment_is_out(l->path))
			l->kind = LEAF_IGNORED;
	}
}

static struct id name_of_uses(const struct strs *uses)
{
	struct buf b = { 0 };
	struct id id;

	for (size_t i = 0; i < uses->n; i++)
		buf_add(&b, uses->v[i], strlen(uses->v[i]) + 1);
	id = id_of(buf_bytes(&b));
	buf_release(&b);
	return id;
}

/* A model that says it uses what a closure never holds would be believed. */
static int check_uses(const struct strs *uses, struct err *e)
{
	for (size_t i = 0; i < uses->n; i++) {
		const char *why = "";

		if (package_is_name(uses->v[i]) || !treatment_is_out(uses->v[i]))
			continue;
		treatment_why(uses->v[i], &why);
		return err_set(e, ERR_REFUSED, "uses %s: a closure never holds it (%s); "
			       "what the step needs of it has to lie in the project",
			       uses->v[i], why);
	}
	return 0;
}

static int make(struct store *s, const struct sys *m, const struct strs *uses,
		struct id *tree, struct err *e)
{
	struct arena a = { 0 };
	struct walk_state w = { .m = m, .a = &a };
	struct mark k = { .uses = name_of_uses(uses) };
	struct package *packages;
	struct leaf made[N_MADE];
	int rc = -1;

	packages = arena_alloc(&a, (uses->n + 1) * sizeof(*packages));
	walk_uses(&w, uses, packages, &k.n_packages);
	if (names_leaf(s, &w, &made[MADE_NAMES], e) < 0 ||
	    loader_leaf(s, &w, &made[MADE_LOADER], e) < 0 ||
	    hash_leaves(s, m, w.v, w.n, e) < 0 || build_all(s, &w, made, tree, e) < 0)
		goto out;
	rc = 0;
	if (!w.is_fresh) {
		k.tree = *tree;
		k.v = w.v;
		k.n = w.n;
		k.packages = packages;
		rc = mark_save(s, &k, e);
	}
out:
	walk_release(&w);
	arena_release(&a);
	return rc;
}

int closure_make_at(struct store *s, const struct sys *m, const char *const *uses,
		    size_t n, struct id *tree, struct err *e)
{
	struct strs sorted = { 0 };
	struct id key;
	size_t kept = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		strs_add(&sorted, uses[i]);
	strs_sort(&sorted);
	for (size_t i = 0; i < sorted.n; i++)
		if (!kept || strcmp(sorted.v[kept - 1], sorted.v[i]) != 0)
			sorted.v[kept++] = sorted.v[i];
	sorted.n = kept;
	key = name_of_uses(&sorted);
	rc = check_uses(&sorted, e);
	if (rc == 0 && (!mark_of_uses(s, m, &key, tree) || !store_has(s, tree)))
		rc = make(s, m, &sorted, tree, e);
	if (rc == 0)
		ahead_keep(m->ahead, s, tree, &key);
	strs_release(&sorted);
	return rc;
}

int closure_make_after(struct closure_ahead *h, struct store *s, const char *const *uses,
		       size_t n, struct id *tree, struct err *e)
{
	struct sys m;
	int rc;

	if (sys_open(&m, "/", e) < 0)
		return -1;
	m.ahead = h;
	rc = closure_make_at(s, &m, uses, n, tree, e);
	sys_close(&m);
	return rc;
}

int closure_make(struct store *s, const char *const *uses, size_t n, struct id *tree,
		 struct err *e)
{
	return closure_make_after(NULL, s, uses, n, tree, e);
}
