/* cmd_gc.c - gg gc: remove what nothing refers to any more
 *
 * Mark from the roots (outputs that gg put in place, placeholders wherever
 * they stand in the project, the last runs and what they printed), then sweep objects and the
 * results that name a swept one.  A result that is gone is made again.  Of a
 * closure the lists of its files are kept; the files' bytes need not be here.
 */
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "closure.h"
#include "container.h"
#include "file.h"
#include "gg.h"
#include "journal.h"

struct gc {
	struct ctx *c;
	struct map kept;                /* ids of all kept things */
	struct id *queue;               /* thunks to look into */
	size_t n, room;
	struct id *dead;
	size_t n_dead, dead_room;
	uint64_t dead_bytes, kept_bytes;
	size_t n_kept;
};

static bool keep(struct gc *g, const struct id *id)
{
	struct id *key;

	if (map_get(&g->kept, id_key(id)))
		return false;
	key = arena_alloc(&g->c->arena, sizeof *key);
	*key = *id;
	*map_at(&g->kept, id_key(key)) = key;
	return true;
}

static void push(struct id **v, size_t *n, size_t *room, const struct id *id)
{
	if (*n == *room) {
		*room = *room ? 2 * *room : 1024;
		*v = mem_grow(*v, *room * sizeof **v);
	}
	(*v)[(*n)++] = *id;
}

static void keep_thunk(void *arg, const struct id *thunk)
{
	struct gc *g = arg;

	if (keep(g, thunk))
		push(&g->queue, &g->n, &g->room, thunk);
}

static void keep_tree(struct gc *g, const struct id *id)
{
	struct arena a = { 0 };
	struct bytes text;
	struct tree t;
	struct err e;

	if (keep(g, id) && store_get(g->c->store, id, &a, &text, &e) == 0 &&
	    tree_decode(text, &a, &t, &e) == 0)
		for (size_t i = 0; i < t.n; i++) {
			if (t.v[i].kind == ENTRY_TREE)
				keep_tree(g, &t.v[i].id);
			else if (t.v[i].kind != ENTRY_LINK)
				keep(g, &t.v[i].id);
		}
	arena_release(&a);
}

static void keep_ref(struct gc *g, const struct ref *r)
{
	if (r->kind == REF_THUNK)
		keep_thunk(g, &r->id);
	else if (r->kind == REF_TREE)
		keep_tree(g, &r->id);
	else
		keep(g, &r->id);
}

static void look_into(struct gc *g, const struct id *thunk)
{
	struct arena a = { 0 };
	struct bytes text;
	struct thunk t;
	struct result r;
	struct observation o;
	struct err e;

	if (store_get(g->c->store, thunk, &a, &text, &e) == 0 &&
	    thunk_decode(text, &a, &t, &e) == 0) {
		for (size_t i = 0; i < t.n_in; i++)
			keep_ref(g, &t.in[i].ref);
		if (t.runtime == RUNTIME_CLOSURE)
			keep_tree(g, &t.runtime_id);
		else
			keep(g, &t.runtime_id);
	}
	if (store_get_result(g->c->store, thunk, &a, &r, &e) == 0)
		for (size_t i = 0; i < r.n; i++)
			keep_ref(g, &r.v[i].ref);
	if (observation_get(g->c->store, thunk, &o, &e) == 0)
		keep(g, &o.log);
	arena_release(&a);
}

static int root_ref(void *arg, const char *path, const struct ref_record *r)
{
	(void)path;
	keep_thunk(arg, &r->thunk);
	if (r->state == PLACE_REAL)
		keep_ref(arg, &r->value);
	return 0;
}

/* nftw has no argument for its call back. */
static struct gc *walking;

static int root_file(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	struct arena a = { 0 };
	struct placeholder ph;
	struct err e;

	if (kind == FTW_D && strcmp(path + at->base, PROJECT_DIR) == 0)
		return FTW_SKIP_SUBTREE;
	if (litter_is_temporary(path + at->base)) {
		if (!walking->c->o.dry_run)
			dir_remove(AT_FDCWD, path, &e);
		return kind == FTW_D ? FTW_SKIP_SUBTREE : FTW_CONTINUE;
	}
	if (kind == FTW_F && st->st_size <= PLACEHOLDER_MAX &&
	    placeholder_at(AT_FDCWD, path, &a, &ph, &e) == 1)
		keep_thunk(walking, &ph.thunk);
	arena_release(&a);
	return FTW_CONTINUE;
}

static int sweep_object(void *arg, const struct id *id, uint64_t n_bytes)
{
	struct gc *g = arg;

	if (map_get(&g->kept, id_key(id))) {
		g->kept_bytes += n_bytes;
		g->n_kept++;
		return 0;
	}
	g->dead_bytes += n_bytes;
	push(&g->dead, &g->n_dead, &g->dead_room, id);
	return 0;
}

static int sweep_result(void *arg, struct bytes key, struct bytes value)
{
	struct gc *g = arg;
	struct arena a = { 0 };
	struct result r;
	struct err e;
	bool is_dead = result_decode(value, &a, &r, &e) < 0;

	for (size_t i = 0; !is_dead && i < r.n; i++)
		is_dead = !map_get(&g->kept, id_key(&r.v[i].ref.id));
	if (is_dead)
		store_table_delete(g->c->store, TABLE_RESULT, key, &e);
	arena_release(&a);
	return 0;
}

static bool is_kept(void *arg, const struct id *tree)
{
	const struct gc *g = arg;

	return map_get(&g->kept, id_key(tree)) != NULL;
}

/* gg report shows it; the step may have run again since, or have gone. */
static void keep_log(void *arg, const struct id *log)
{
	keep(arg, log);
}

static void keep_checkpoint(void *arg, const struct ref *r)
{
	keep_ref(arg, r);
}

static int mark(struct gc *g, struct err *e)
{
	if (ref_each(g->c->store, root_ref, g, e) < 0 ||
	    runs_each(g->c, g->c->o.keep_runs, keep_thunk, g, e) < 0 ||
	    journal_logs(g->c->project.store_dir, g->c->o.keep_runs, keep_log, g, e) < 0)
		return -1;
	walking = g;
	if (nftw(g->c->project.root, root_file, 64, FTW_PHYS | FTW_ACTIONRETVAL) < 0)
		return err_sys(e, "cannot walk %s", g->c->project.root);
	while (g->n) {
		struct id id = g->queue[--g->n];

		look_into(g, &id);
	}
	return checkpoints_sweep(g->c->store, &(struct checkpoint_sweep){
		.only_looks = g->c->o.dry_run, .is_kept = is_kept, .keep = keep_checkpoint,
		.arg = g }, e);
}

static int sweep(struct gc *g, struct err *e)
{
	if (store_each_object(g->c->store, sweep_object, g, e) < 0)
		return -1;
	if (g->c->o.dry_run)
		return 0;
	if (store_table_each(g->c->store, TABLE_RESULT, sweep_result, g, e) < 0 ||
	    closure_sweep(g->c->store, is_kept, g, e) < 0)
		return -1;
	if (roots_sweep(g->c->project.store_dir, is_kept, g, e) < 0)
		return -1;
	for (size_t i = 0; i < g->n_dead; i++)
		if (store_drop(g->c->store, &g->dead[i], e) < 0)
			return -1;
	return store_compact(g->c->store, e);
}

/* Containers that were this machine's and whose gg was killed; images. */
static int sweep_containers(struct ctx *c, struct container_gc *g, struct err *e)
{
	struct backend_opts o = { .store_dir = c->project.store_dir, .setting = setting_of };

	g->is_dry = c->o.dry_run;
	if (!c->loop && loop_new(&c->loop, e) < 0)
		return -1;
	o.loop = c->loop;
	container_gc(&o, g);
	return 0;
}

static void tell(const struct gc *g, const struct container_gc *of)
{
	const struct options *o = &g->c->o;
	const char *removed = o->dry_run ? "would remove" : "removed";

	if (o->json) {
		printf("{\"removed\":%zu,\"removed_bytes\":%llu,\"kept\":%zu,"
		       "\"kept_bytes\":%llu,\"containers\":%zu,\"images\":%zu}\n", g->n_dead,
		       (unsigned long long)g->dead_bytes, g->n_kept,
		       (unsigned long long)g->kept_bytes, of->n_containers, of->n_images);
		return;
	}
	printf("%s %zu objects (%.1f MiB), kept %zu (%.1f MiB)\n", removed, g->n_dead,
	       (double)g->dead_bytes / 1048576, g->n_kept, (double)g->kept_bytes / 1048576);
	if (of->n_containers)
		printf("removed %zu containers that a killed gg has left\n", of->n_containers);
	if (of->n_images)
		printf("%s %zu images for containers that were not used lately\n", removed,
		       of->n_images);
}

int cmd_gc(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct gc g = { .c = c };
	struct container_gc of = { 0 };
	int rc;

	(void)argv;
	if (argc)
		return err_set(e, ERR_USAGE, "gg gc takes no arguments; see gg gc --help");
	rc = options_grace(c, &of.grace_s, e);
	if (rc == 0)
		rc = mark(&g, e);
	if (rc == 0)
		rc = sweep(&g, e);
	if (rc == 0)
		rc = sweep_containers(c, &of, e);
	if (rc == 0)
		tell(&g, &of);
	map_release(&g.kept);
	free(g.queue);
	free(g.dead);
	return rc < 0 ? -1 : EXIT_FINE;
}
