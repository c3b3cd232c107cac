/* depot_rig.h - for tests of the depot: a store, folders as remotes, and the
 * waiting for what is called back */
#ifndef GG_DEPOT_RIG_H
#define GG_DEPOT_RIG_H

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "depot.h"
#include "file.h"
#include "test.h"

static struct loop *loop;
static struct err e;
static struct arena arena;
static char rig_dir[] = "/tmp/gg-depot-XXXXXX";
static struct keyring *keys;
static struct buf notices;              /* one on a line */
static unsigned n_notices;

static inline const char *in_dir(const char *name)
{
	return arena_printf(&arena, "%s/%s", rig_dir, name);
}

static inline void rig_notice(void *arg, const char *text)
{
	(void)arg;
	n_notices++;
	buf_str(&notices, text);
	buf_char(&notices, '\n');
}

static inline const char *told(void)
{
	return notices.n ? notices.p : "";
}

static inline void rig_begin(void)
{
	struct public_key own;

	if (!mkdtemp(rig_dir))
		exit(1);
	MUST(loop_new(&loop, &e), e);
	MUST(key_make(in_dir("key"), &own, &e), e);
	MUST(keyring_open(in_dir("key"), (struct bytes){ 0 }, &keys, &e), e);
}

static inline void rig_end(void)
{
	keyring_free(keys);
	loop_free(loop);
	dir_remove(AT_FDCWD, rig_dir, &e);
	buf_release(&notices);
	arena_release(&arena);
}

static inline int rig_main(const struct test *tests)
{
	int rc;

	rig_begin();
	rc = test_main(tests);
	rig_end();
	return rc;
}

/* A depot over stores and folders of these names. */
struct rig {
	struct store *store;
	struct depot_remote remotes[4];
	size_t n;
	struct depot *depot;
};

static inline struct remote *open_dir(const char *name)
{
	struct remote_opts o = { .loop = loop };
	struct remote *r;

	MUST(remote_dir.open(&o, arena_printf(&arena, "dir:%s", in_dir(name)), &r, &e), e);
	return r;
}

static inline void rig_depot(struct rig *g, const struct keyring *k)
{
	struct depot_opts o = { .loop = loop, .store = g->store, .remotes = g->remotes,
				.n_remotes = g->n, .keys = k, .notice = rig_notice };

	buf_reset(&notices);
	n_notices = 0;
	MUST(depot_new(&o, &g->depot, &e), e);
}

/* names: of folders, NULL at the end. */
static inline void rig_open(struct rig *g, const char *store, const char *const *names,
			    const struct keyring *k)
{
	*g = (struct rig){ 0 };
	MUST(store_open(in_dir(store), STORE_CREATE, &g->store, &e), e);
	for (; names[g->n]; g->n++)
		g->remotes[g->n] = (struct depot_remote){ .ops = &remote_dir,
							  .remote = open_dir(names[g->n]) };
	rig_depot(g, k);
}

static inline void rig_close(struct rig *g)
{
	depot_free(g->depot);
	for (size_t i = 0; i < g->n; i++)
		g->remotes[i].ops->close(g->remotes[i].remote);
	MUST(store_close(g->store, &e), e);
}

/* ---- waiting */

struct waited {
	bool is_done;
	enum err_code code;
	char text[1000];
	struct id missing;
	bool has_result;
	struct buf result;              /* its text */
};

static inline void waited_end(struct waited *w, const struct err *why)
{
	w->code = why ? why->code : ERR_NONE;
	snprintf(w->text, sizeof w->text, "%s", why ? why->text : "");
	w->is_done = true;
}

static inline void fetch_done(struct depot_fetch *f, const struct id *missing,
			      const struct err *why)
{
	struct waited *w = f->arg;

	w->missing = *missing;
	waited_end(w, why);
}

static inline struct waited rig_fetch(struct rig *g, const struct ref *refs, size_t n)
{
	struct waited w = { 0 };
	struct depot_fetch f = { .refs = refs, .n_refs = n, .done = fetch_done, .arg = &w };

	depot_fetch(g->depot, &f);
	CHECK(!w.is_done);
	loop_run(loop, &w.is_done);
	return w;
}

static inline void push_done(struct depot_push *p, const struct err *why)
{
	waited_end(p->arg, why);
}

static inline struct waited rig_push(struct rig *g, const struct ref *refs, size_t n)
{
	struct waited w = { 0 };
	struct depot_push p = { .refs = refs, .n_refs = n, .done = push_done, .arg = &w };

	depot_push(g->depot, &p);
	CHECK(!w.is_done);
	loop_run(loop, &w.is_done);
	return w;
}

static inline void ask_done(struct depot_ask *q, const struct result *r, const struct err *why)
{
	struct waited *w = q->arg;
	struct err ignored;

	w->has_result = r != NULL;
	if (r)
		result_encode(r, &w->result, &ignored);
	waited_end(w, why);
}

static inline struct waited rig_ask(struct rig *g, const struct id *thunk)
{
	struct waited w = { 0 };
	struct depot_ask q = { .thunk = *thunk, .done = ask_done, .arg = &w };

	depot_ask(g->depot, &q);
	CHECK(!w.is_done);
	loop_run(loop, &w.is_done);
	return w;
}

static inline void drain_done(void *arg, const struct err *why)
{
	waited_end(arg, why);
}

static inline struct waited rig_drain(struct rig *g)
{
	struct waited w = { 0 };

	depot_drain(g->depot, drain_done, &w);
	CHECK(!w.is_done);
	loop_run(loop, &w.is_done);
	return w;
}

#endif
