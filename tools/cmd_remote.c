/* cmd_remote.c - gg remote: which there are, what is wrong with them, and what they
 * need no longer keep */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "gg.h"
#include "locked.h"
#include "quantity.h"
#include "remote_gc.h"


static const char *uri_of(const struct depot_remote *r)
{
	return r->ops->uri(r->remote);
}

/* ---- list */

struct count {
	size_t n;
	uint64_t n_bytes;
	bool is_done, is_named;         /* is_named: each is printed */
	struct err err;
};

static int count_one(struct remote_listing *l, const char *key, uint64_t n_bytes,
		     int64_t modified_s)
{
	struct count *k = l->arg;

	(void)key;
	(void)modified_s;
	k->n++;
	k->n_bytes += n_bytes;
	return 0;
}

static int name_one(struct remote_listing *l, const char *key, uint64_t n_bytes,
		    int64_t modified_s)
{
	/* Whoever can write there may lie, in what a terminal obeys, too. */
	if (remote_key_is_good(key))
		printf("  %s\n", key + strlen(l->prefix));
	return count_one(l, key, n_bytes, modified_s);
}

static void count_done(struct remote_listing *l, const struct err *e)
{
	struct count *k = l->arg;

	if (e)
		k->err = *e;
	k->is_done = true;
}

static int count(struct ctx *c, const struct depot_remote *r, const char *prefix,
		 struct count *out, struct err *e)
{
	struct remote_listing l = { .prefix = prefix, .done = count_done, .arg = out,
				    .each = out->is_named ? name_one : count_one };

	*out = (struct count){ .is_named = out->is_named };
	if (r->ops->list(r->remote, &l, e) < 0)
		return -1;
	loop_run(c->loop, &out->is_done);
	*e = out->err;
	return e->code ? -1 : 0;
}

static int list_one(struct ctx *c, const struct depot_remote *r, struct err *e)
{
	struct count objects = { 0 }, results = { 0 }, refs = { 0 };

	if (!r->ops->list) {
		printf("%s: what is there cannot be listed this way\n", uri_of(r));
		return 0;
	}
	if (count(c, r, "cas/", &objects, e) < 0 || count(c, r, "ac/", &results, e) < 0 ||
	    count(c, r, "refs/", &refs, e) < 0)
		return err_wrap(e, "%s", uri_of(r));
	printf("%s: %zu objects of %.1f MiB, %zu results, kept by %zu refs\n", uri_of(r),
	       objects.n, (double)objects.n_bytes / 1048576, results.n, refs.n);
	refs.is_named = refs.n > 0;
	return refs.n ? count(c, r, "refs/", &refs, e) : 0;
}

/* ---- check */

static int check_one(struct ctx *c, const struct depot_remote *r, struct err *e)
{
	uint64_t begun_ms = loop_now_ms(c->loop);
	int64_t modified_s, skew = 0;
	struct err more;

	if (remote_probe(c->loop, r->ops, r->remote, &modified_s, e) < 0) {
		printf("%s: %s\n", uri_of(r), e->text);
		if (r->ops->check && r->ops->check(r->remote, &more) < 0)
			printf("  %s\n", more.text);
		return -1;
	}
	loop_turn(c->loop);
	if (modified_s)
		skew = modified_s - time(NULL);
	printf("%s: fine; written, read, removed in %llu ms\n", uri_of(r),
	       (unsigned long long)(loop_now_ms(c->loop) - begun_ms));
	if (skew > 60 || skew < -60)
		printf("  its clock is %lld s %s ours: one of them is wrong (timedatectl "
		       "set-ntp true sets ours)\n",
		       (long long)(skew > 0 ? skew : -skew), skew > 0 ? "ahead of" : "behind");
	return 0;
}

/* ---- gc */

/* What the gg.lock of this project names: the steps, and what they gave. */
static int add_locked(struct ctx *c, struct remote_gc *g, struct err *e)
{
	struct lock lock;
	struct ref *v;

	if (!c->project.root)
		return 0;
	if (lock_read(c, &lock, e) < 0)
		return e->code == ERR_MISSING ? 0 : -1;
	v = arena_alloc(&c->arena, (2 * lock.n + 1) * sizeof *v);
	for (size_t i = 0; i < lock.n; i++) {
		v[g->n_also++] = lock.v[i].value;
		v[g->n_also++] = (struct ref){ .kind = REF_THUNK, .id = lock.v[i].ph.thunk,
					       .out = lock.v[i].ph.out };
	}
	g->also = v;
	return 0;
}

static int gc_one(struct ctx *c, const struct depot_remote *r, struct err *e)
{
	struct remote_gc g = { .loop = c->loop, .ops = r->ops, .remote = r->remote,
			       .is_dry = c->o.dry_run, .forget = c->o.forget };

	if (options_grace(c, &g.grace_s, e) < 0 || add_locked(c, &g, e) < 0 || remote_gc(&g, e) < 0)
		return -1;
	printf("%s: %s %zu results and %zu objects (%.1f MiB), kept %zu and %zu (%.1f MiB) for "
	       "%zu projects\n", uri_of(r), c->o.dry_run ? "would remove" : "removed",
	       g.n_results, g.n_objects, (double)g.n_bytes / 1048576, g.n_kept_results,
	       g.n_kept_objects, (double)g.n_kept_bytes / 1048576, g.n_projects);
	if (g.n_halves)
		printf("  %s %zu uploads that were begun and never ended\n",
		       c->o.dry_run ? "would remove" : "removed", g.n_halves);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct ctx *c, const struct depot_remote *r, struct err *e);
	bool tells_itself;              /* what is wrong, and goes on */
} parts[] = {
	{ "list", list_one, false },
	{ "check", check_one, true },
	{ "gc", gc_one, false },
};

int cmd_remote(struct ctx *c, int argc, char **argv, struct err *e)
{
	size_t k = 0, n = sizeof parts / sizeof *parts;
	struct err ignored;
	int rc = 0;

	while (k < n && strcmp(argv[0], parts[k].name) != 0)
		k++;
	if (k == n || argc != 1)
		return err_set(e, ERR_USAGE, "gg remote list, check or gc, not %s; see "
			       "gg remote --help", argv[argc - 1]);
	if (c->o.forget && parts[k].run != gc_one)
		return err_set(e, ERR_USAGE, "--forget is for gg remote gc");
	/* A project has trusted keys of its own. */
	if (project_open(c->cwd, getenv("GG_DIR"), &c->project, &ignored) < 0)
		c->project = (struct project){ 0 };
	if (remotes_open(c, e) < 0)
		return -1;
	if (!c->n_remotes)
		return err_set(e, ERR_USAGE, "no remote is named: say --remote URI, or set "
			       "GG_REMOTE; see gg help remotes");
	for (size_t i = 0; i < c->n_remotes; i++) {
		if (parts[k].run(c, &c->remotes[i], e) == 0)
			continue;
		if (!parts[k].tells_itself)
			return -1;
		rc = EXIT_STORE;
	}
	return rc;
}
