/* closure_mark.c - closures that were made, remembered by stamps
 *
 * A mark lists every path that was looked at, absent ones too, and one hash of
 * all their stamps.  As long as that hash comes out the same, so does the
 * closure: checking it costs an lstat for each path.
 *
 *	'u' uses        ->  tree
 *	'c' tree        ->  uses, the latest that gave it
 *	't' tree uses   ->  mark
 *	'p' program     ->  tree, uses: the latest of it (closure_ahead.c)
 *
 * A mark, numbers in this machine's byte order:
 *
 *	id of stamps; u32 packages; u32 paths
 *	per package: its use, NUL, its version, NUL
 *	per path: u16 package (from 1; 0: none); u16 bytes shared with the path
 *	before; u16 bytes that follow; these bytes
 */
#include <stdlib.h>
#include <string.h>
#include "closure_private.h"

struct key {
	char b[1 + 2 * ID_BYTES];
};

static struct bytes key_of(char kind, const struct id *a, const struct id *b,
			   struct key *k)
{
	k->b[0] = kind;
	memcpy(k->b + 1, a->b, ID_BYTES);
	if (b)
		memcpy(k->b + 1 + ID_BYTES, b->b, ID_BYTES);
	return (struct bytes){ k->b, 1 + ID_BYTES + (b ? (size_t)ID_BYTES : 0) };
}

static bool get_id(struct store *s, char kind, const struct id *key, struct id *out)
{
	struct arena a = { 0 };
	struct bytes b;
	struct key k;
	struct err ignored;
	bool is_there = store_table_get(s, TABLE_CLOSURE, key_of(kind, key, NULL, &k), &a,
					&b, &ignored) == 0 && b.n == ID_BYTES;

	if (is_there)
		memcpy(out->b, b.p, ID_BYTES);
	arena_release(&a);
	return is_there;
}

static int put_id(struct store *s, char kind, const struct id *key,
		  const struct id *value, struct err *e)
{
	struct key k;

	return store_table_put(s, TABLE_CLOSURE, key_of(kind, key, NULL, &k),
			       id_key(value), e);
}

/* ---- reading */

static bool take(struct mark_reader *r, void *out, size_t n)
{
	if ((size_t)(r->end - r->p) < n)
		return false;
	memcpy(out, r->p, n);
	r->p += n;
	return true;
}

static const char *take_string(struct mark_reader *r)
{
	const char *s = r->p, *nul = memchr(s, 0, (size_t)(r->end - s));

	if (!nul)
		return NULL;
	r->p = nul + 1;
	return s;
}

static bool mark_open(struct mark_reader *r, struct bytes b, struct arena *a)
{
	*r = (struct mark_reader){ .p = b.p, .end = b.p + b.n };
	if (!take(r, &r->stamps, sizeof r->stamps) ||
	    !take(r, &r->n_packages, sizeof r->n_packages) ||
	    !take(r, &r->n_paths, sizeof r->n_paths) || r->n_packages > b.n / 2)
		return false;
	r->packages = arena_alloc(a, (r->n_packages + 1) * sizeof(*r->packages));
	for (uint32_t i = 0; i < r->n_packages; i++) {
		r->packages[i].package = take_string(r);
		r->packages[i].version = r->packages[i].package ? take_string(r) : NULL;
		if (!r->packages[i].version)
			return false;
	}
	return true;
}

bool mark_next(struct mark_reader *r)
{
	uint16_t n[3];

	if (!take(r, n, sizeof n) || n[0] > r->n_packages ||
	    (size_t)n[1] + n[2] >= sizeof r->path || n[1] > strlen(r->path) ||
	    !take(r, r->path + n[1], n[2]))
		return false;
	r->package = n[0];
	r->path[n[1] + n[2]] = '\0';
	return r->path[0] == '/';
}

bool mark_get(struct store *s, const struct id *tree, const struct id *uses,
	      struct arena *a, struct mark_reader *r)
{
	struct key k;
	struct bytes b;
	struct err ignored;

	return store_table_get(s, TABLE_CLOSURE, key_of('t', tree, uses, &k), a, &b,
			       &ignored) == 0 && mark_open(r, b, a);
}

/* Are all stamps as they were? */
static bool mark_holds(const struct sys *m, struct mark_reader *r)
{
	struct hash *h = hash_new();
	bool is_whole = true;
	size_t at = 0;
	struct id now;

	for (uint32_t i = 0; i < r->n_paths && is_whole; i++) {
		struct stamp t = { 0 };
		struct stat st;

		is_whole = mark_next(r);
		if (!is_whole || ahead_saw(m->ahead, &at, r->path, &t))
			;
		else if (sys_lstat(m, r->path, &st))
			t = stamp_of(&st);
		hash_add(h, &t, sizeof t);
	}
	now = hash_end(h);
	hash_free(h);
	return is_whole && id_equal(&now, &r->stamps);
}

static bool mark_of(struct store *s, const struct sys *m, const struct id *tree,
		    const struct id *uses)
{
	struct arena a = { 0 };
	struct mark_reader r;
	bool holds = mark_get(s, tree, uses, &a, &r) && mark_holds(m, &r);

	arena_release(&a);
	return holds;
}

bool mark_of_uses(struct store *s, const struct sys *m, const struct id *uses,
		  struct id *tree)
{
	return get_id(s, 'u', uses, tree) && mark_of(s, m, tree, uses);
}

bool mark_of_tree(struct store *s, const struct sys *m, const struct id *tree)
{
	struct id uses;

	return get_id(s, 'c', tree, &uses) && mark_of(s, m, tree, &uses);
}

bool mark_is_known(struct store *s, const struct id *tree)
{
	struct id uses;

	return get_id(s, 'c', tree, &uses);
}

bool mark_owners(struct store *s, const struct id *tree, struct arena *a,
		 struct map *out)
{
	struct mark_reader r;
	struct id uses;

	if (!get_id(s, 'c', tree, &uses) || !mark_get(s, tree, &uses, a, &r))
		return false;
	for (uint32_t i = 0; i < r.n_paths && mark_next(&r); i++)
		if (r.package)
			*map_at(out, bytes_str(arena_str(a, r.path))) =
				&r.packages[r.package - 1];
	return true;
}

int closure_packages(struct store *s, const struct id *tree, struct arena *a,
		     struct strs *out)
{
	struct mark_reader r;
	struct id uses;

	if (!get_id(s, 'c', tree, &uses) || !mark_get(s, tree, &uses, a, &r))
		return -1;
	for (uint32_t i = 0; i < r.n_packages; i++)
		strs_add(out, arena_printf(a, "%s %s", r.packages[i].package,
					   r.packages[i].version));
	strs_sort(out);
	return 0;
}

/* ---- writing */

static int by_path(const void *a, const void *b)
{
	return strcmp((*(const struct leaf *const *)a)->path,
		      (*(const struct leaf *const *)b)->path);
}

static size_t shared(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

static void write_paths(const struct leaf **v, size_t n, struct buf *out)
{
	const char *before = "";

	for (size_t i = 0; i < n; i++) {
		size_t same = shared(before, v[i]->path), len = strlen(v[i]->path);
		uint16_t head[3] = { (uint16_t)v[i]->package, (uint16_t)same,
				     (uint16_t)(len - same) };

		buf_add(out, head, sizeof head);
		buf_add(out, v[i]->path + same, len - same);
		before = v[i]->path;
	}
}

static struct id id_of_stamps(const struct leaf **v, size_t n)
{
	struct hash *h = hash_new();
	struct id id;

	for (size_t i = 0; i < n; i++)
		hash_add(h, &v[i]->stamp, sizeof v[i]->stamp);
	id = hash_end(h);
	hash_free(h);
	return id;
}

/* What counts when it changes.  A folder's stamp changes with each file in it,
 * so that only those that are listed are watched. */
static bool is_watched(const struct leaf *l)
{
	if (strlen(l->path) >= 4096)
		return false;
	return l->is_watched || (l->kind != LEAF_IGNORED &&
				 (l->kind != LEAF_FOLDER || l->is_list || l->is_whole));
}

enum { PACKAGES_MAX = UINT16_MAX };

int mark_save(struct store *s, const struct mark *k, struct err *e)
{
	const struct leaf **v = mem_alloc((k->n + 1) * sizeof(*v));
	uint32_t head[2] = { (uint32_t)k->n_packages, 0 };
	struct buf out = { 0 };
	struct id stamps;
	struct key key;
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < k->n; i++)
		if (is_watched(&k->v[i]))
			v[n++] = &k->v[i];
	qsort(v, n, sizeof(*v), by_path);
	head[1] = (uint32_t)n;
	stamps = id_of_stamps(v, n);
	buf_add(&out, &stamps, sizeof stamps);
	buf_add(&out, head, sizeof head);
	for (size_t i = 0; i < k->n_packages; i++) {
		buf_add(&out, k->packages[i].name, strlen(k->packages[i].name) + 1);
		buf_add(&out, k->packages[i].version, strlen(k->packages[i].version) + 1);
	}
	write_paths(v, n, &out);
	if (k->n_packages <= PACKAGES_MAX)
		rc = store_table_put(s, TABLE_CLOSURE,
				     key_of('t', &k->tree, &k->uses, &key),
				     buf_bytes(&out), e) < 0 ||
		     put_id(s, 'u', &k->uses, &k->tree, e) < 0 ||
		     put_id(s, 'c', &k->tree, &k->uses, e) < 0 ? -1 : 0;
	buf_release(&out);
	free(v);
	return rc;
}

/* ---- forgetting */

struct forgetting {
	struct store *s;
	bool (*is_kept)(void *arg, const struct id *tree);
	void *arg;
	struct err *e;
};

static int forget_one(void *arg, struct bytes key, struct bytes value)
{
	struct forgetting *f = arg;
	struct id tree;

	if (key.n < 1 + ID_BYTES || (*key.p == 'u' && value.n != ID_BYTES))
		return store_table_delete(f->s, TABLE_CLOSURE, key, f->e);
	memcpy(tree.b, *key.p == 'u' ? value.p : key.p + 1, ID_BYTES);
	if (f->is_kept(f->arg, &tree))
		return 0;
	return store_table_delete(f->s, TABLE_CLOSURE, key, f->e);
}

int closure_sweep(struct store *s, bool (*is_kept)(void *arg, const struct id *tree),
		  void *arg, struct err *e)
{
	struct forgetting f = { .s = s, .is_kept = is_kept, .arg = arg, .e = e };

	return store_table_each(s, TABLE_CLOSURE, forget_one, &f, e) ? -1 : 0;
}

static bool is_other(void *arg, const struct id *tree)
{
	return !id_equal(arg, tree);
}

int mark_forget(struct store *s, const struct id *tree, struct err *e)
{
	struct id copy = *tree;

	return closure_sweep(s, is_other, &copy, e);
}
