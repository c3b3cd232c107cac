/* remote_gc.c - remove from a remote what no ref reaches
 *
 * Others write meanwhile, and nobody holds a lock.  So the keys are listed first,
 * and only what was listed is ever removed; what is younger than the grace period
 * stays, with all that it names; each key is looked at once more just before it
 * goes; and results go before objects, so that who finds a result finds its objects,
 * or, at worst, makes them again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "depot.h"
#include "remote_gc.h"

enum {
	FLIGHT = 32,
	RUN_S = REF_RUN_DAYS * 24 * 3600,
	TEXT_MAX = 256 << 20,           /* of a tree, a ref, a result */
};

/* A key ac/HEX or cas/HEX that was listed, or one that is kept. */
struct item {
	struct id id;
	uint64_t n_bytes;
	bool is_listed, is_young, is_kept;
	bool is_tree, is_thunk;         /* kept, and to be read for what it names */
};

struct items {
	const char *folder;
	struct map by_id;
	struct item **v;
	size_t n, room;
};

struct gc {
	struct remote_gc *g;
	struct arena arena;
	struct items results, objects;
	struct item **todo;             /* what is to be read next */
	size_t n_todo, todo_room;
	int64_t now_s;
	struct strs refs, stale;        /* keys */
	bool is_done;
	struct err err;
};

static struct item *item_at(struct gc *k, struct items *in, const struct id *id)
{
	struct item *it = map_get(&in->by_id, id_key(id));

	if (it)
		return it;
	it = arena_alloc(&k->arena, sizeof *it);
	it->id = *id;
	*map_at(&in->by_id, id_key(&it->id)) = it;
	if (in->n == in->room) {
		in->room = in->room ? 2 * in->room : 1024;
		in->v = mem_grow(in->v, in->room * sizeof *in->v);
	}
	in->v[in->n++] = it;
	return it;
}

/* ---- many requests at once */

struct batch {
	struct gc *k;
	const char *folder;
	struct item **v;
	size_t n, next, n_open;
	enum remote_verb verb;
	/* e is NULL or ERR_MISSING; other failures end the batch.  true: it may go,
	 * and goes at once. */
	bool (*took)(struct batch *b, struct item *it, const struct remote_answer *a,
		     const struct err *e);
	bool is_done;
	struct err err;
};

struct flight {
	struct remote_call c;
	struct batch *b;
	struct item *it;
	char key[8 + ID_HEX];
};

static void launch(struct batch *b);

/* Begin f's call, or give it up. */
static void fly(struct flight *f)
{
	struct batch *b = f->b;

	if (b->k->g->ops->start(b->k->g->remote, &f->c, &b->err) < 0)
		free(f);
	else
		b->n_open++;
}

static void landed(struct remote_call *c, const struct remote_answer *a, const struct err *e)
{
	struct flight *f = c->arg;
	struct batch *b = f->b;
	bool goes = false;

	b->n_open--;
	if (e && e->code != ERR_MISSING) {
		if (!b->err.code)
			b->err = *e;
	} else if (!b->err.code && f->c.verb == b->verb) {
		goes = b->took(b, f->it, a, e);
	}
	if (goes) {
		f->c = (struct remote_call){ .verb = REMOTE_DELETE, .key = f->key,
					     .done = landed, .arg = f };
		fly(f);
	} else {
		free(f);
	}
	launch(b);
}

static void launch(struct batch *b)
{
	while (!b->err.code && b->next < b->n && b->n_open < FLIGHT) {
		struct flight *f = memset(mem_alloc(sizeof *f), 0, sizeof *f);

		f->b = b;
		f->it = b->v[b->next++];
		snprintf(f->key, sizeof f->key, "%s/%s", b->folder, id_hex(&f->it->id).s);
		f->c = (struct remote_call){ .verb = b->verb, .key = f->key, .done = landed,
					     .max_bytes = TEXT_MAX, .arg = f };
		fly(f);
	}
	b->is_done = !b->n_open;
}

static int run_batch(struct batch *b, struct err *e)
{
	launch(b);
	if (!b->is_done)
		loop_run(b->k->g->loop, &b->is_done);
	if (!b->err.code)
		return 0;
	*e = b->err;
	return -1;
}

/* ---- listing */

static bool is_of_run(const char *key)
{
	size_t n = strlen(key), n_end = strlen(REF_RUN);

	return n > n_end && strcmp(key + n - n_end, REF_RUN) == 0;
}

static int listed(struct remote_listing *l, const char *key, uint64_t n_bytes,
		  int64_t modified_s)
{
	struct gc *k = l->arg;
	struct items *in = *l->prefix == 'a' ? &k->results : &k->objects;
	struct item *it;
	struct id id;

	if (*l->prefix == 'r') {
		bool is_stale = is_of_run(key) && modified_s &&
				modified_s + RUN_S < k->now_s;

		strs_add(is_stale ? &k->stale : &k->refs, arena_str(&k->arena, key));
		return 0;
	}
	if (!id_parse(bytes_str(key + strlen(l->prefix)), &id))
		return 0;               /* not ours */
	it = item_at(k, in, &id);
	it->is_listed = true;
	it->n_bytes = n_bytes;
	it->is_young = !modified_s || modified_s + k->g->grace_s > k->now_s;
	return 0;
}

static void list_done(struct remote_listing *l, const struct err *e)
{
	struct gc *k = l->arg;

	if (e)
		k->err = *e;
	k->is_done = true;
}

static int list(struct gc *k, const char *prefix, struct err *e)
{
	struct remote_listing l = { .prefix = prefix, .each = listed, .done = list_done,
				    .arg = k };

	k->is_done = false;
	if (k->g->ops->list(k->g->remote, &l, e) < 0)
		return -1;
	loop_run(k->g->loop, &k->is_done);
	if (!k->err.code)
		return 0;
	*e = k->err;
	return -1;
}

/* ---- marking */

static void read_later(struct gc *k, struct item *it)
{
	if (k->n_todo == k->todo_room) {
		k->todo_room = k->todo_room ? 2 * k->todo_room : 1024;
		k->todo = mem_grow(k->todo, k->todo_room * sizeof *k->todo);
	}
	k->todo[k->n_todo++] = it;
}

static void keep_result(struct gc *k, const struct id *thunk)
{
	struct item *it = item_at(k, &k->results, thunk);

	if (it->is_kept)
		return;
	it->is_kept = true;
	read_later(k, it);
}

static void keep_object(struct gc *k, const struct id *id, enum ref_kind kind)
{
	struct item *it = item_at(k, &k->objects, id);

	it->is_kept = true;
	if ((kind == REF_TREE && !it->is_tree) || (kind == REF_THUNK && !it->is_thunk)) {
		it->is_tree |= kind == REF_TREE;
		it->is_thunk |= kind == REF_THUNK;
		read_later(k, it);
	}
}

static void keep_ref(struct gc *k, const struct ref *r)
{
	keep_object(k, &r->id, r->kind);
	if (r->kind == REF_THUNK)
		keep_result(k, &r->id);
}

/* Signed or not, by whomever: what it names is kept. */
static bool took_result(struct batch *b, struct item *it, const struct remote_answer *a,
			const struct err *e)
{
	const char *at = e ? NULL : memmem(a->body.p, a->body.n, "gg-result ", 10);
	struct arena arena = { 0 };
	struct result r;
	struct err bad;

	(void)it;
	if (at && result_decode((struct bytes){ at, (size_t)(a->body.p + a->body.n - at) },
				&arena, &r, &bad) == 0)
		for (size_t i = 0; i < r.n; i++)
			keep_ref(b->k, &r.v[i].ref);
	arena_release(&arena);
	return false;
}

static void keep_entries(struct gc *k, const struct tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].kind != ENTRY_LINK)
			keep_object(k, &t->v[i].id,
				    t->v[i].kind == ENTRY_TREE ? REF_TREE : REF_VALUE);
}

static bool took_object(struct batch *b, struct item *it, const struct remote_answer *a,
			const struct err *e)
{
	struct arena arena = { 0 };
	struct bytes text;
	struct tree t;
	struct thunk s;
	struct err bad;

	if (e || codec_unpack(a->body, &it->id, TEXT_MAX, &arena, &text, &bad) < 0) {
		arena_release(&arena);
		return false;           /* as good as gone */
	}
	if (it->is_tree && tree_decode(text, &arena, &t, &bad) == 0)
		keep_entries(b->k, &t);
	if (it->is_thunk && thunk_decode(text, &arena, &s, &bad) == 0)
		for (size_t i = 0; i < s.n_in; i++)
			if (s.in[i].ref.kind == REF_THUNK)
				keep_ref(b->k, &s.in[i].ref);
	arena_release(&arena);
	return false;
}

/* Read what is kept until nothing more is found in it. */
static int mark(struct gc *k, struct err *e)
{
	int rc = 0;

	while (rc == 0 && k->n_todo) {
		struct item **v = k->todo;
		size_t n = k->n_todo, n_results = 0;
		struct item **objects = mem_alloc(n * sizeof *objects);
		struct batch b = { .k = k, .verb = REMOTE_GET };
		size_t n_objects = 0;

		k->todo = NULL;
		k->n_todo = k->todo_room = 0;
		for (size_t i = 0; i < n; i++)
			if (v[i]->is_tree || v[i]->is_thunk)
				objects[n_objects++] = v[i];
			else
				v[n_results++] = v[i];
		b.folder = "ac";
		b.v = v;
		b.n = n_results;
		b.took = took_result;
		rc = run_batch(&b, e);
		b = (struct batch){ .k = k, .verb = REMOTE_GET, .folder = "cas", .v = objects,
				    .n = n_objects, .took = took_object };
		if (rc == 0)
			rc = run_batch(&b, e);
		free(v);
		free(objects);
	}
	return rc;
}

static int remove_key(struct gc *k, const char *key, struct err *e)
{
	struct remote_gc *g = k->g;
	struct remote_call c = { .verb = REMOTE_DELETE, .key = key };
	struct remote_answer a;

	return g->is_dry ? 0 : remote_wait(g->loop, g->ops, g->remote, &c, &k->arena, &a, e);
}

/* What it alone kept is then for this sweep, or for a later one. */
static int forget(struct gc *k, struct err *e)
{
	struct remote_gc *g = k->g;
	size_t n = 0, n_were = k->refs.n;

	if (!g->forget)
		return 0;
	for (size_t i = 0; i < k->refs.n; i++) {
		const char *name = k->refs.v[i] + strlen("refs/");
		size_t n_name = strlen(name) - (is_of_run(name) ? strlen(REF_RUN) : 0);

		if (n_name != strlen(g->forget) || strncmp(name, g->forget, n_name) != 0)
			k->refs.v[n++] = k->refs.v[i];
		else if (remove_key(k, k->refs.v[i], e) < 0)
			return -1;
	}
	k->refs.n = n;
	if (n == n_were)
		return err_set(e, ERR_MISSING, "%s: no project %s has pushed there; gg remote "
			       "list names those that have", g->ops->uri(g->remote), g->forget);
	return 0;
}

/* A project has one ref, or two that follow each other. */
static size_t count_projects(struct strs *refs)
{
	size_t n = 0;

	strs_sort(refs);
	for (size_t i = 0; i < refs->n; i++) {
		size_t n_name = strlen(refs->v[i]) - strlen(REF_RUN);

		n += !(i && is_of_run(refs->v[i]) && strlen(refs->v[i - 1]) == n_name &&
		       strncmp(refs->v[i - 1], refs->v[i], n_name) == 0);
	}
	return n;
}

static int mark_refs(struct gc *k, struct err *e)
{
	struct remote_gc *g = k->g;

	g->n_projects = count_projects(&k->refs);
	for (size_t i = 0; i < k->refs.n; i++) {
		struct arena a = { 0 };
		struct id *v;
		size_t n;
		int rc = remote_ref_get(g->loop, g->ops, g->remote, k->refs.v[i] + strlen("refs/"),
					&a, &v, &n, e);

		for (size_t j = 0; rc == 0 && j < n; j++)
			keep_result(k, &v[j]);
		arena_release(&a);
		if (rc < 0)
			return -1;
	}
	for (size_t i = 0; i < g->n_also; i++)
		keep_ref(k, &g->also[i]);
	for (size_t i = 0; i < k->results.n; i++)
		if (k->results.v[i]->is_young)
			keep_result(k, &k->results.v[i]->id);
	return mark(k, e);
}

/* ---- sweeping */

/* Still old?  What was written again meanwhile stays. */
static bool looked(struct batch *b, struct item *it, const struct remote_answer *a,
		   const struct err *e)
{
	int64_t since = a->modified_s;

	if (e)
		it->is_kept = true;     /* gone already */
	else if (!since || since + b->k->g->grace_s > b->k->now_s)
		it->is_young = true;
	return !it->is_kept && !it->is_young;
}

static size_t gather(struct items *in, struct item **out)
{
	size_t n = 0;

	for (size_t i = 0; i < in->n; i++) {
		struct item *it = in->v[i];

		if (it->is_listed && !it->is_young && !it->is_kept)
			out[n++] = it;
	}
	return n;
}

static int sweep(struct gc *k, struct items *in, struct err *e)
{
	struct item **dead = mem_alloc((in->n + 1) * sizeof *dead);
	struct batch b = { .k = k, .folder = in->folder, .v = dead, .verb = REMOTE_HEAD,
			   .took = looked };
	size_t n_listed = 0;
	uint64_t n_bytes = 0, all_bytes = 0;
	int rc = 0;

	b.n = gather(in, dead);
	if (!k->g->is_dry)
		rc = run_batch(&b, e);
	b.n = gather(in, dead);
	for (size_t i = 0; i < b.n; i++)
		n_bytes += dead[i]->n_bytes;
	for (size_t i = 0; i < in->n; i++) {
		n_listed += in->v[i]->is_listed;
		all_bytes += in->v[i]->is_listed ? in->v[i]->n_bytes : 0;
	}
	*(in == &k->results ? &k->g->n_results : &k->g->n_objects) = b.n;
	*(in == &k->results ? &k->g->n_kept_results : &k->g->n_kept_objects) = n_listed - b.n;
	k->g->n_bytes += n_bytes;
	k->g->n_kept_bytes += all_bytes - n_bytes;
	free(dead);
	return rc;
}

int remote_gc(struct remote_gc *g, struct err *e)
{
	struct gc k = { .g = g, .results.folder = "ac", .objects.folder = "cas" };
	int rc;

	if (!g->ops->list)
		return err_set(e, ERR_USAGE, "%s: what is there cannot be listed this way; use "
			       "dir:PATH on the machine that serves it", g->ops->uri(g->remote));
	/* Ages are told by the remote's clock, not by ours. */
	rc = remote_probe(g->loop, g->ops, g->remote, &k.now_s, e);
	if (rc == 0 && !k.now_s)
		k.now_s = time(NULL);
	if (rc == 0 && (list(&k, "ac/", e) < 0 || list(&k, "cas/", e) < 0 ||
			list(&k, "refs/", e) < 0 || forget(&k, e) < 0 || mark_refs(&k, e) < 0 ||
			sweep(&k, &k.results, e) < 0 || sweep(&k, &k.objects, e) < 0))
		rc = -1;
	for (size_t i = 0; rc == 0 && i < k.stale.n; i++)
		rc = remove_key(&k, k.stale.v[i], e);
	if (rc == 0 && g->ops->halves)
		rc = g->ops->halves(g->remote, k.now_s - g->grace_s, g->is_dry, &g->n_halves, e);
	free(k.results.v);
	free(k.objects.v);
	free(k.todo);
	map_release(&k.results.by_id);
	map_release(&k.objects.by_id);
	strs_release(&k.refs);
	strs_release(&k.stale);
	arena_release(&k.arena);
	return rc;
}
