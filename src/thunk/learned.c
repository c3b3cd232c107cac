/* learned.c - what was learned, by shape, in the store
 *
 * A shape has two records: what was seen and derived (sighting.c says how it
 * looks), and, small because it changes with every thunk, how often that held.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "closure.h"
#include "file.h"
#include "learn_private.h"

/* The key of a shape's counts; no shape begins with this byte, nor with \002,
 * as those of grounds.c do. */
static const char *counts_key(struct arena *a, const char *shape)
{
	return arena_printf(a, "\001%s", shape);
}

static int counts_get(struct store *st, const char *shape, struct arena *a, uint64_t *n_held,
		      uint64_t *n_failed, struct err *e)
{
	unsigned long long held = 0, failed = 0;
	struct bytes b;

	if (store_table_get(st, TABLE_LEARN, bytes_str(counts_key(a, shape)), a, &b, e) < 0) {
		if (e->code != ERR_MISSING)
			return -1;
	} else if (sscanf(arena_strn(a, b.p, b.n), "%20llu %20llu", &held, &failed) != 2) {
		held = failed = 0;
	}
	*n_held = held;
	*n_failed = failed;
	return 0;
}

int learned_count(struct store *st, const char *shape, bool held, struct err *e)
{
	struct arena a = { 0 };
	uint64_t n[2];
	int rc = counts_get(st, shape, &a, &n[0], &n[1], e);
	const char *text;

	if (rc == 0) {
		n[held ? 0 : 1]++;
		text = arena_printf(&a, "%llu %llu", (unsigned long long)n[0],
				    (unsigned long long)n[1]);
		rc = store_table_put(st, TABLE_LEARN, bytes_str(counts_key(&a, shape)),
				     bytes_str(text), e);
	}
	arena_release(&a);
	return rc;
}

static int get_by(struct store *st, const char *shape, struct arena *a, struct record *out,
		  int (*read)(struct bytes, struct arena *, struct record *, struct err *),
		  struct err *e)
{
	struct bytes b;

	if (store_table_get(st, TABLE_LEARN, bytes_str(shape), a, &b, e) < 0)
		return e->code == ERR_MISSING
			       ? err_set(e, ERR_MISSING, "nothing was learned of %s", shape)
			       : -1;
	if (read(b, a, out, e) < 0)
		return err_wrap(e, "what was learned of %s is damaged, forget it", shape);
	return 0;
}

static int record_get(struct store *st, const char *shape, struct arena *a,
		      struct record *out, struct err *e)
{
	return get_by(st, shape, a, out, record_read, e);
}

static int record_put(struct store *st, const struct record *r, struct err *e)
{
	struct buf b = { 0 };
	int rc;

	record_write(r, &b);
	rc = store_table_put(st, TABLE_LEARN, bytes_str(r->l.shape), buf_bytes(&b), e);
	buf_release(&b);
	return rc;
}

int learned_get(struct store *st, const char *shape, struct arena *a,
		struct learned *out, struct err *e)
{
	struct record r;

	if (record_get(st, shape, a, &r, e) < 0)
		return -1;
	*out = r.l;
	return counts_get(st, shape, a, &out->n_held, &out->n_failed, e);
}

int learned_text(struct store *st, const char *shape, struct arena *a,
		 struct learned *out, struct err *e)
{
	struct record r;

	if (get_by(st, shape, a, &r, record_read_head, e) < 0)
		return -1;
	*out = r.l;
	return 0;
}

int learned_forget(struct store *st, const char *shape, struct err *e)
{
	struct arena a = { 0 };
	int rc = store_table_delete(st, TABLE_LEARN, bytes_str(shape), e);

	if (rc == 0)
		rc = store_table_delete(st, TABLE_LEARN, bytes_str(counts_key(&a, shape)), e);
	if (rc == 0)
		rc = learned_stands_no_more(st, shape, e);
	arena_release(&a);
	return rc;
}

struct keys {
	struct arena a;
	struct strs v;
};

static int add_key(void *arg, struct bytes key, struct bytes value)
{
	struct keys *keys = arg;

	(void)value;
	if (key.n && (unsigned char)key.p[0] > 2)
		strs_add(&keys->v, arena_strn(&keys->a, key.p, key.n));
	return 0;
}

static int each_by(struct store *st, int (*fn)(void *arg, const struct learned *l), void *arg,
		   int (*get)(struct store *, const char *, struct arena *, struct learned *,
			      struct err *),
		   struct err *e)
{
	struct keys keys = { 0 };
	int rc = store_table_each(st, TABLE_LEARN, add_key, &keys, e);

	for (size_t i = 0; rc == 0 && i < keys.v.n; i++) {
		struct arena a = { 0 };
		struct learned l;

		rc = get(st, keys.v.v[i], &a, &l, e);
		if (rc == 0)
			rc = fn(arg, &l);
		arena_release(&a);
	}
	strs_release(&keys.v);
	arena_release(&keys.a);
	return rc;
}

int learned_each(struct store *st, int (*fn)(void *arg, const struct learned *l),
		 void *arg, struct err *e)
{
	return each_by(st, fn, arg, learned_get, e);
}

int learned_each_text(struct store *st, int (*fn)(void *arg, const struct learned *l),
		      void *arg, struct err *e)
{
	return each_by(st, fn, arg, learned_text, e);
}

/* ---- one more sighting */

static const char **copy_strings(struct arena *a, const char *const *v, size_t n)
{
	const char **out = arena_alloc(a, (n + 1) * sizeof(*out));

	for (size_t i = 0; i < n; i++)
		out[i] = arena_str(a, v[i]);
	return out;
}

/* A copy that may be kept: other people's variables are nobody's business. */
static struct sighting keepable(const struct sighting *s, struct arena *a)
{
	struct sighting k = *s;
	struct command *c = &k.command;

	c->args = copy_strings(a, c->args, c->n_args);
	k.set_env = arena_alloc(a, (s->n_set_env + 1) * sizeof(*k.set_env));
	k.n_set_env = 0;
	for (size_t i = 0; i < s->n_set_env; i++)
		if (!env_is_local(s->set_env[i]))
			k.set_env[k.n_set_env++] = s->set_env[i];
	c->env = arena_alloc(a, (s->command.n_env + 1) * sizeof(*c->env));
	c->n_env = 0;
	for (size_t i = 0; i < s->command.n_env; i++) {
		const char *env = s->command.env[i];
		bool is_set = false;

		for (size_t n = 0; n < k.n_set_env; n++)
			is_set |= strcmp(k.set_env[n], env) == 0;
		if (is_set || env_is_known(env) || env_is_tmpdir(env))
			c->env[c->n_env++] = env;
	}
	return k;
}

static bool same_strings(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

static bool same_command(const struct sighting *a, const struct sighting *b)
{
	const struct command *x = &a->command, *y = &b->command;

	return strcmp(x->cwd, y->cwd) == 0 &&
	       same_strings(x->args, x->n_args, y->args, y->n_args) &&
	       same_strings(a->set_env, a->n_set_env, b->set_env, b->n_set_env);
}

static void drop(struct record *r, size_t at)
{
	size_t after = r->l.n - at - 1;

	memmove(&r->l.v[at], &r->l.v[at + 1], after * sizeof(*r->l.v));
	memmove(&r->code[at], &r->code[at + 1], after * sizeof(*r->code));
	r->l.n--;
}

/* Make room: the oldest whose way of calling a newer one has too. */
static void drop_oldest(struct record *r, struct arena *a)
{
	for (size_t i = 0; i < r->l.n; i++)
		for (size_t k = i + 1; k < r->l.n; k++)
			if (strcmp(learn_way(&r->l.v[i], a), learn_way(&r->l.v[k], a)) == 0) {
				drop(r, i);
				return;
			}
	drop(r, 0);
}

/* The programs of the project that were read, as one name. */
static struct id code_of(struct store *st, const struct sighting *s, struct arena *a)
{
	struct view v = view_of(s, a);
	struct hash *h = hash_new();
	struct id id;
	struct err e;

	for (size_t i = 0; i < v.n_facts; i++) {
		const struct fact *f = &v.facts[i];

		if (f->kind != FACT_READ || (!head_is_script(f->path) &&
					     (!v.script_path || strcmp(f->path, v.script_path))))
			continue;
		if (stat_name(st, AT_FDCWD, path_clean(a, v.root, f->path), 0, &id, NULL, &e) < 0)
			continue;
		hash_add(h, f->path, strlen(f->path) + 1);
		hash_add(h, id.b, sizeof(id.b));
	}
	id = hash_end(h);
	hash_free(h);
	return id;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct deed_at *)a)->path, ((const struct deed_at *)b)->path);
}

/* Is this path of the system, which is kept once for all sightings? */
static bool is_system(const struct view *v, const struct deed_at *d)
{
	return *d->path == '/' && !fact_at(v, d->path);
}

/* Move what the older sightings hold of the system to the newest. */
static void system_gather(struct record *r, struct arena *a)
{
	struct sighting *last = &r->l.v[r->l.n - 1];
	struct deed_at *all;
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < r->l.n; i++)
		n += r->l.v[i].n;
	all = arena_alloc(a, (n + 1) * sizeof(*all));
	memcpy(all, last->v, last->n * sizeof(*all));
	n = last->n;
	for (size_t i = 0; i + 1 < r->l.n; i++) {
		struct sighting *s = &r->l.v[i];
		struct view v = view_of(s, a);
		struct deed_at *own = arena_alloc(a, (s->n + 1) * sizeof(*own));
		size_t n_own = 0;

		for (size_t k = 0; k < s->n; k++)
			if (is_system(&v, &s->v[k]))
				all[n++] = s->v[k];
			else
				own[n_own++] = s->v[k];
		s->v = own;
		s->n = n_own;
	}
	if (n)
		qsort(all, n, sizeof(*all), by_path);
	for (size_t i = 0; i < n; i++)
		if (kept && strcmp(all[kept - 1].path, all[i].path) == 0)
			all[kept - 1].deeds |= all[i].deeds;
		else
			all[kept++] = all[i];
	last->v = all;
	last->n = kept;
}

static void record_add(struct store *st, struct record *r, const struct sighting *s,
		       struct arena *a)
{
	struct sighting k = keepable(s, a);
	struct sighting *v = arena_alloc(a, (LEARN_SIGHTINGS_MAX + 1) * sizeof(*v));
	struct id *code = arena_alloc(a, (LEARN_SIGHTINGS_MAX + 1) * sizeof(*code));

	if (r->l.n) {
		memcpy(v, r->l.v, r->l.n * sizeof(*v));
		memcpy(code, r->code, r->l.n * sizeof(*code));
	}
	globs_add(&k, a);
	imports_add(&k, a);
	r->l.v = v;
	r->code = code;
	v[r->l.n] = k;
	code[r->l.n++] = code_of(st, &k, a);
	system_gather(r, a);
	for (size_t i = 0; i + 1 < r->l.n;)
		if (same_command(&v[i], &v[r->l.n - 1]))
			drop(r, i);
		else
			i++;
	if (r->l.n > LEARN_SIGHTINGS_MAX)
		drop_oldest(r, a);
}

static int uses_of(struct store *s, const struct record *r, struct arena *a,
		   struct strs *out, struct err *e)
{
	const struct sighting *last = &r->l.v[r->l.n - 1];
	struct strs paths = { 0 };
	int rc;

	for (size_t i = 0; i < r->l.n; i++)
		learn_system(&r->l.v[i], a, &paths);
	strs_sort(&paths);
	rc = closure_uses_after(last->ahead, s, &paths,
				last->takes_files ? CLOSURE_FILES : CLOSURE_PACKAGE, a, out, e);
	strs_release(&paths);
	return rc;
}

static bool is_of_now(const struct record *r, size_t i, struct arena *a)
{
	(void)a;
	return id_equal(&r->code[i], &r->code[r->l.n - 1]);
}

/* Was something missing on the way to path? */
static bool was_missed(const struct sighting *s, const char *path, struct arena *a)
{
	for (; path && strcmp(path, ".") != 0; path = path_folder(a, path))
		if (sighting_deeds(s, path) & DEED_ABSENT)
			return true;
	return false;
}

/* Did one look for a file in vain and make it, and the other find it? */
static bool has_filled(const struct sighting *one, const struct sighting *other,
		       struct arena *a)
{
	for (size_t i = 0; i < one->n; i++) {
		const char *path = one->v[i].path;
		unsigned is = one->v[i].deeds, found = sighting_deeds(other, path);

		if (*path != '/' && is & DEED_WROTE && !(is & DEED_FOLDER) &&
		    found & (DEED_READ | DEED_LOOKED) &&
		    !(found & (DEED_WROTE | DEED_UPDATED | DEED_REMOVED)) &&
		    was_missed(one, path, a))
			return true;
	}
	return false;
}

/* A cache, or data that is fetched once: of those that filled it and those that
 * found it the sort of the newest is the one that is to be expected now. */
static bool is_as_filled(const struct record *r, size_t i, struct arena *a)
{
	const struct sighting *last = &r->l.v[r->l.n - 1], *s = &r->l.v[i];

	return strcmp(learn_way(s, a), learn_way(last, a)) != 0 ||
	       (!has_filled(s, last, a) && !has_filled(last, s, a));
}

/* From those alone for which this holds, and then only they are kept. */
static int derive_from(struct record *r, bool (*holds)(const struct record *, size_t,
						       struct arena *),
		       const struct strs *uses, struct arena *a, struct buf *text)
{
	struct sighting v[LEARN_SIGHTINGS_MAX];
	struct id code[LEARN_SIGHTINGS_MAX];
	size_t n = 0;
	struct err later;

	for (size_t i = 0; i < r->l.n; i++)
		if (holds(r, i, a)) {
			v[n] = r->l.v[i];
			code[n++] = r->code[i];
		}
	if (n == r->l.n || learn_text(v, n, uses, text, &later) < 0)
		return -1;
	memcpy(r->l.v, v, n * sizeof(*v));
	memcpy(r->code, code, n * sizeof(*code));
	r->l.n = n;
	return 0;
}

/* Derive from all; where older versions of the program stand in the way, or what
 * is made but once, without those. */
static int record_derive(struct record *r, const struct strs *uses, struct arena *a,
			 struct buf *text, struct err *e)
{
	if (learn_text(r->l.v, r->l.n, uses, text, e) == 0)
		return 0;
	if (e->code != ERR_REFUSED)
		return -1;
	return derive_from(r, is_of_now, uses, a, text) == 0 ||
	       derive_from(r, is_as_filled, uses, a, text) == 0 ? 0 : -1;
}

static int add(struct store *st, struct record *r, const struct sighting *s, struct arena *a,
	       struct err *e)
{
	struct strs uses = { 0 };
	struct buf text = { 0 };
	struct err bad;
	int rc;

	record_add(st, r, s, a);
	rc = uses_of(st, r, a, &uses, e);
	if (rc == 0)
		rc = record_derive(r, &uses, a, &text, e);
	r->l.never = NULL;
	r->l.text = (struct bytes){ 0 };
	if (rc == 0)
		r->l.text = arena_bytes(a, buf_bytes(&text));
	else if (e->code == ERR_REFUSED)
		r->l.never = arena_str(a, e->text);
	if ((rc == 0 || e->code == ERR_REFUSED) && record_put(st, r, &bad) < 0) {
		*e = bad;
		rc = -1;
	}
	strs_release(&uses);
	buf_release(&text);
	return rc;
}

int learned_add(struct store *st, const char *shape, const struct sighting *s,
		struct arena *a, struct learned *out, struct err *e)
{
	struct arena own = { 0 };
	struct record r = { 0 };
	int rc = 0;

	/* A damaged record is worth less than a new one. */
	if (record_get(st, shape, &own, &r, e) < 0) {
		r = (struct record){ 0 };
		if (e->code != ERR_MISSING && e->code != ERR_BAD)
			rc = -1;
	}
	r.l.shape = shape;
	if (rc == 0)
		rc = add(st, &r, s, &own, e);
	arena_release(&own);
	return rc == 0 && out ? learned_get(st, shape, a, out, e) : rc;
}

int learned_never(struct store *st, const char *shape, const char *why, struct err *e)
{
	struct arena a = { 0 };
	struct record r;
	int rc;

	if (record_get(st, shape, &a, &r, e) < 0)
		r = (struct record){ 0 };
	r.l.shape = shape;
	r.l.never = why;
	r.l.text = (struct bytes){ 0 };
	rc = record_put(st, &r, e);
	arena_release(&a);
	return rc;
}
